"""Fits of a correction to a potential whose parameters are fixed."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, correction_on
from electrolyte_ml.potentials.mtp.term import MtpTerm
from electrolyte_ml.training import ChargeRestraint, evaluate_errors, progress, train

SPECIES = ("H", "O")
QUICK = {"progress": False, "threads": 1}


def small(seed, level=2):
    return MomentTensorPotential.random(level, SPECIES, seed=seed, cutoff=3.5, radial_basis_size=3)


@pytest.fixture(scope="module")
def boxes(liquid):
    """Fourteen liquids of two compositions."""
    return [liquid(8 - k % 2, SPECIES, k) for k in range(14)]


@pytest.fixture(scope="module")
def label_by(labelled):
    """`label_by(boxes, potential, constants)`: labels, to whose energies a constant for each species may be added."""

    def make(boxes, potential, constants=(0.0, 0.0), reference=None):
        made = []
        for box in boxes:
            result = potential.evaluate(box)
            shift = sum(constants[SPECIES.index(symbol)] for symbol in box.symbols)
            made.append(labelled(box, energy=result.energy + shift, forces=result.forces, stress=result.stress))
            if reference:
                made[-1].info["reference"] = reference
        return made

    return make


def test_the_base_is_as_it_was_and_the_correction_is_found(boxes, label_by, truth):
    better = correction_on(truth, small(3))
    data = label_by(boxes, better, (-13.6, 410.0), "PBE0")
    base, before = truth.with_reference("GFN1-xTB"), truth.parameters
    result = train(data, small(5), on_top_of=base, max_iterations=120, **QUICK)
    fitted = result.potential
    assert np.array_equal(fitted.terms[0].base.parameters, before) and np.array_equal(base.parameters, before)
    assert fitted.reference == "PBE0, as a correction to GFN1-xTB"
    assert result.errors == evaluate_errors(fitted, data)
    gap = np.sqrt(np.mean([(truth.evaluate(a).forces - a.get_forces()) ** 2 for a in data if len(a) == 8]))
    assert result.errors.force_rmse < 0.02 * gap


def test_a_correction_to_the_own_labels_of_the_base_is_zero(boxes, label_by, truth):
    fitted = train(label_by(boxes, truth), small(5), on_top_of=truth, **QUICK).potential
    scale = np.abs(truth.evaluate(boxes[0]).forces).max()
    for box in boxes[:3]:
        assert np.abs(fitted.terms[1].evaluate(box).forces).max() < 1e-10 * scale
        assert abs(fitted.terms[1].evaluate(box).energy) < 1e-8


@settings(max_examples=4, deadline=None)
@given(constants=st.tuples(st.floats(-1000, 1000), st.floats(-1000, 1000)))
def test_constants_of_the_elements_are_taken_up_by_the_shifts(boxes, label_by, truth, constants):
    """Two references differ by large constants for each element: with two compositions the shifts are these."""
    data = label_by(boxes, truth, constants)
    result = train(data, small(5), on_top_of=truth, max_iterations=120, **QUICK)
    correction, scale = result.potential.terms[1], 1.0 + np.abs(constants).max()
    assert np.abs(correction.shifts - constants).max() < 1e-4 * scale
    assert result.errors.energy_rmse < 1e-6 * scale and result.errors.force_rmse < 1e-6 * scale


def test_isolated_atoms_exactly(boxes, label_by, labelled, truth):
    atoms = [labelled(Atoms(symbol), energy=energy) for symbol, energy in {"H": -13.587222, "O": -432.2}.items()]
    data = [*label_by(boxes, correction_on(truth, small(3))), *atoms]
    fitted = train(data, small(5), on_top_of=truth, max_iterations=10, **QUICK).potential
    for atom in atoms:
        assert fitted.evaluate(atom).energy == pytest.approx(atom.get_potential_energy(), rel=1e-14)


def test_the_base_is_evaluated_once(boxes, label_by, truth, monkeypatch):
    data, evaluated = label_by(boxes, correction_on(truth, small(3))), []
    predict = MtpTerm.predict

    def counted(term, *arguments):
        evaluated.append(term.potential.level)
        return predict(term, *arguments)

    monkeypatch.setattr(MtpTerm, "predict", counted)
    train(data, small(5), on_top_of=truth, max_iterations=30, **QUICK)
    assert evaluated.count(truth.level) == 1 and evaluated.count(2) > 30


def test_an_interrupted_fit_of_a_correction_goes_on(boxes, label_by, truth, tmp_path, monkeypatch):
    data, path = label_by(boxes, correction_on(truth, small(3)), (1.0, -2.0)), tmp_path / "fit.npz"
    options = {"on_top_of": truth, "max_iterations": 40, **QUICK}
    whole = train(data, small(5), **options)
    record = progress.Progress.__call__

    def interrupted(self, loss):
        record(self, loss)
        if self.done == 17:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(progress.Progress, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(data, small(5), checkpoint=path, **options)
    with pytest.raises(InputError, match="belongs to another potential"):
        train(data, small(5), checkpoint=path, **{**options, "on_top_of": truth.redrawn(1)})
    again = train(data, small(5), checkpoint=path, **options)
    assert np.array_equal(again.potential.parameters, whole.potential.parameters)


def test_a_fit_goes_on_from_a_corrected_potential(boxes, label_by, truth):
    """Of the sum only the correction is fitted, without that the base is named again."""
    data = label_by(boxes, correction_on(truth, small(3)), reference="PBE0")
    once = train(data, small(5), on_top_of=truth.with_reference("GFN1"), max_iterations=20, **QUICK)
    again = train(data, once.potential, max_iterations=40, **QUICK)
    assert again.history[-1][1] < once.history[-1][1]
    assert np.array_equal(again.potential.terms[0].base.parameters, truth.parameters)
    assert again.potential.reference == once.potential.reference == "PBE0, as a correction to GFN1"


def test_charges_of_the_base_cannot_be_restrained(boxes, label_by, truth):
    from electrolyte_ml.potentials import Sum
    from electrolyte_ml.potentials.charges import QRd

    base = Sum((truth, QRd.random(SPECIES, 1)))
    with pytest.raises(InputError, match="needs a charge model"):
        train(label_by(boxes, base), small(5), on_top_of=base, charge_restraint=ChargeRestraint({"O": -1.0}), **QUICK)
