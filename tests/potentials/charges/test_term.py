"""Training of charges: quadratic forms that are computed once."""

import warnings

import numpy as np
import pytest

from electrolyte_ml import conformance
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.potentials.charges import Electrostatics, QRd
from electrolyte_ml.potentials.charges.forms import type_forms
from electrolyte_ml.potentials.defaults import EvaluatedTerm
from electrolyte_ml.structures import molecule, pack
from electrolyte_ml.training import train

SPECIES = ("H", "C", "O", "Li")


def configurations():
    """Cells and molecules, charged and neutral, with and without lithium."""
    rng = np.random.default_rng(0)
    boxes = [pack({"EC": 1}, 0.8, seed=1), molecule("EMC"), molecule("EC"), pack({"EC": 2}, 1.0, seed=2)]
    boxes[2] += conformance.Atoms("Li", [boxes[2].positions.max(0) + [1.2, 0.5, 0.3]])
    boxes[2].info["charge"] = 1
    boxes[3].info["charge"] = -1
    for box in boxes:
        box.positions += rng.normal(0, 0.02, box.positions.shape)
    return boxes


@pytest.fixture(scope="module")
def model():
    return QRd.random(SPECIES, 1)


@pytest.fixture(scope="module")
def geometries(model):
    return [model.geometry(box) for box in configurations()]


def test_charged_and_neutral_cells_and_molecules_in_one_set(model, geometries):
    term, plain = model.prepare(geometries), EvaluatedTerm(model, geometries)
    rng, k = np.random.default_rng(2), len(geometries)
    theta = model.parameters + rng.normal(0, 0.3, model.n_parameters)
    for found, wanted in zip(term.predict(theta), plain.predict(theta), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-9 * np.abs(wanted).max())
    by_virials = rng.normal(size=(k, 3, 3))
    cotangents = (
        rng.normal(size=k),
        rng.normal(size=(sum(g.n_atoms for g in geometries), 3)),
        by_virials + by_virials.transpose(0, 2, 1),
    )
    pulled = term.pullback(theta, *cotangents)
    np.testing.assert_allclose(pulled, plain.pullback(theta, *cotangents), atol=1e-9 * np.abs(pulled).max())
    step = 1e-5
    for place in range(model.n_parameters):
        moved = step * np.eye(model.n_parameters)[place]
        up, down = term.predict(theta + moved), term.predict(theta - moved)
        slope = sum(((a - b) * c).sum() for a, b, c in zip(up, down, cotangents, strict=True)) / (2 * step)
        assert pulled[place] == pytest.approx(slope, rel=1e-6, abs=1e-7 * np.abs(pulled).max())


def test_coefficients_are_computed_once(model, geometries, monkeypatch):
    calls = []
    solver = Electrostatics.solver
    monkeypatch.setattr(
        Electrostatics, "solver", lambda self, *given, **options: calls.append(1) or solver(self, *given, **options)
    )
    term = model.prepare(geometries)
    made = len(calls)
    term.predict(model.parameters)
    term.subset([2, 0]).predict(2 * model.parameters)
    assert len(calls) == made == len(geometries)


def test_coefficients_are_bilinear(model, geometries):
    """Energy, forces and virial of charges that no model made."""
    geometry = geometries[2]
    forms = type_forms(geometry, model.solver(geometry))
    q = np.array([0.3, -0.7, 0.2, 1.1])
    species = geometry.system.species
    result = model.solver(geometry).solve(geometry, q[species])
    assert 0.5 * q @ forms.energies @ q == pytest.approx(result.energy, rel=1e-12)
    np.testing.assert_allclose(forms.potentials @ q, result.potentials, atol=1e-11)
    np.testing.assert_allclose(q[species, None] * np.einsum("iac,a->ic", forms.fields, q), result.forces, atol=1e-11)
    np.testing.assert_allclose(0.5 * np.einsum("abxy,a,b->xy", forms.virials, q, q), result.virial, atol=1e-11)


def test_the_pole_of_a_raw_model_is_an_infinite_loss_not_the_end_of_a_fit(geometries):
    model = QRd(SPECIES, np.ones(4), [1.0, 1.0, 1.0, 1.0], form="raw")
    counts = np.bincount(geometries[0].system.species, minlength=4)
    theta = np.array([0.1, 0.2, -0.3, 0.5, counts[1], -counts[0], 0.0, 1.0])
    energies = model.prepare(geometries[:1]).predict(theta).energies
    assert not np.isfinite(energies).any()


def test_the_total_charge_decides_the_sign_where_there_is_one(model, geometries):
    theta = model.parameters
    flipped = np.concatenate([-theta[:4], theta[4:]])
    neutral = model.prepare([geometries[1]])
    found = neutral.customary(flipped)
    np.testing.assert_allclose(found, neutral.customary(theta), atol=1e-12)
    emc = dict(zip("HCO", (8, 4, 3), strict=True))
    assert model.with_parameters(found).type_charges(emc)["O"] < 0  # it has no lithium
    charged = model.prepare(geometries)
    for parameters in (theta, flipped):
        for found, wanted in zip(
            charged.predict(charged.customary(parameters)), charged.predict(parameters), strict=True
        ):
            np.testing.assert_allclose(found, wanted, atol=1e-9 * np.abs(wanted).max())
    assert np.abs(charged.customary(flipped) - charged.customary(theta)).max() > 0.1


def test_a_fit_of_the_sum_finds_charges_of_other_labels():
    """Labels are the energy of given charges; a weak short-ranged part cannot explain them."""
    truth = QRd.from_values(SPECIES[:3], {"H": 0.1, "C": 0.4, "O": -0.5}, dict.fromkeys(SPECIES[:3], 1.0))
    boxes = [conformance._labelled(truth, conformance.configuration(truth, 9, seed=k, side=7.0)) for k in range(12)]
    start = ModelSpec(level=2, cutoff=3.0, radial_basis_size=3, scaling=1e-3, charges="qrd").random(SPECIES[:3], 1)
    result = train(boxes, start, max_iterations=150, progress=False)
    charges = result.potential.evaluate(boxes[0]).charges
    np.testing.assert_allclose(charges, truth.evaluate(boxes[0]).charges, atol=0.02)


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_raw_starts_are_trained_as_in_the_paper(seed):
    """By plain BFGS, with weights of both signs at the start, without a warning or a number that is not finite."""
    truth = QRd.from_values(SPECIES[:3], {"H": 0.1, "C": 0.4, "O": -0.5}, dict.fromkeys(SPECIES[:3], 1.0))
    boxes = [conformance._labelled(truth, conformance.configuration(truth, 7 + k, seed=k, side=7.0)) for k in range(4)]
    spec = ModelSpec(level=2, cutoff=3.0, radial_basis_size=3, scaling=1e-3, charges="qrd", charge_form="raw")
    start = spec.random(SPECIES[:3], seed)
    assert len(set(np.sign(start.terms[1].s))) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = train(boxes, start, method="paper", max_iterations=40, progress=False)
    assert np.isfinite(result.potential.parameters).all()
    assert result.history[-1][1] < 1e-3 * result.history[0][1]


def test_a_fit_that_begins_at_the_pole_is_refused(model):
    atoms = molecule("EC")
    truth = QRd.random(SPECIES[:3])
    start = QRd(SPECIES[:3], [0.1, 0.2, -0.3], [1.5, -1.0, -1.0], form="raw")  # of 4 H, 3 C and 3 O
    with pytest.raises(InputError, match="configuration 1: the charges of C3H4O3 have a pole"):
        train([conformance._labelled(truth, atoms)], start, method="paper", progress=False)
