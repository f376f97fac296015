"""Compositions that a potential was trained on, and warnings at others."""

import json
import re
import warnings

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import CompositionWarning, InputError
from electrolyte_ml.potentials import ModelSpec, System, load
from electrolyte_ml.potentials.charges import QRd, identifiability, qrd
from electrolyte_ml.potentials.charges.composition import ratio, read_composition
from electrolyte_ml.structures import molecule, pack
from electrolyte_ml.training import evaluate_errors, train

SPECIES = ("H", "C", "O")
EC, EMC = "C3H4O3", "C4H8O3"


@pytest.fixture(autouse=True)
def forget():
    """Each test begins as a new process does."""
    qrd._warned.clear()


START = ModelSpec(level=2, cutoff=3.0, radial_basis_size=2, charges="qrd").random(SPECIES)


def labelled(atoms):
    result = START.evaluate(atoms)
    atoms.calc = SinglePointCalculator(atoms, energy=result.energy, forces=result.forces)
    return atoms


@pytest.fixture(scope="module")
def trained():
    """A potential trained on one composition."""
    boxes = [labelled(pack({"EC": 2, "EMC": 1}, 1.0, seed=seed)) for seed in range(2)]
    return train([*boxes, labelled(molecule("EC")[:1])], START, max_iterations=2, progress=False).potential


@pytest.fixture
def fitted(trained):
    """The same as if it had just been loaded."""
    return trained.with_parameters(trained.parameters)


@pytest.fixture
def other():
    return pack({"EC": 1, "EMC": 1}, 1.0)


def caught(action):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        action()
    return [str(one.message) for one in found if issubclass(one.category, CompositionWarning)]


# -- formulas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "total", "name"),
    [
        ((8, 6, 6), 0, "C3H4O3"),
        ((16, 12, 12), 2, "C6H8O6 +1"),
        ((16, 12, 13), -2, "C12H16O13 -2"),
        ((0, 0, 4), 0, "O"),
        ((0, 0, 1), 3, "O +3"),
    ],
)
def test_ratio_without_common_divisor(counts, total, name):
    assert ratio(np.array(counts), total, SPECIES) == name
    again, charge = read_composition(name, SPECIES, "it")
    factor = max(counts) / max(again)
    np.testing.assert_array_equal(factor * again, counts)
    assert factor * charge == total


def test_compositions_of_a_set_are_unique():
    boxes = [pack({"EC": 1}, 1.0), pack({"EMC": 1}, 1.0), pack({"EC": 2}, 1.0), molecule("EC"), molecule("EC")[:1]]
    boxes[3].info["charge"] = 1
    found = QRd.random(SPECIES).trained_on([System.of(box, SPECIES) for box in boxes])
    assert found.compositions == (EC, EMC, f"{EC} +1")


# -- fits and files ----------------------------------------------------------------------------------------------------


def test_a_fit_notes_its_compositions_and_a_refit_replaces_them(fitted):
    assert fitted.terms[1].compositions == ("C10H16O9",)
    others = [labelled(pack({"EC": 1}, 1.0, seed=1)), labelled(pack({"EMC": 1}, 1.0, seed=1))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the old compositions do not matter to a refit
        refitted = train(others, fitted, max_iterations=1, progress=False).potential
    assert refitted.terms[1].compositions == (EC, EMC)


def test_a_file_keeps_them_and_a_file_without_them_is_read(fitted, tmp_path):
    path = tmp_path / "a.pot"
    fitted.save(path)
    assert load(path).terms[1].compositions == fitted.terms[1].compositions
    assert load(path).fingerprint == fitted.fingerprint
    content = fitted.terms[1].to_text()
    values = json.loads(content)
    del values["compositions"]
    before = json.dumps(values, indent=1) + "\n"
    text = path.read_text().replace(content, before)
    text = re.sub(r"term = qrd, \d+ lines", f"term = qrd, {before.count(chr(10))} lines", text)
    path.write_text(text)
    assert load(path).terms[1].compositions == ()
    np.testing.assert_array_equal(load(path).parameters, fitted.parameters)


def test_they_change_no_fingerprint(fitted):
    model = QRd.random(SPECIES)
    assert fitted.trained_on([]).fingerprint == fitted.fingerprint
    assert model.trained_on([System.of(molecule("EC"), SPECIES)]).fingerprint == model.fingerprint


@pytest.mark.parametrize(
    ("compositions", "message"),
    [
        (["C3NaO3"], "compositions: Na is not one of the species H C O"),
        (["C3("], "not a formula"),
        ([3], "3 is not a formula"),
    ],
)
def test_compositions_that_are_none(compositions, message):
    with pytest.raises(InputError, match=message):
        QRd(SPECIES, np.zeros(3), np.zeros(3), compositions=compositions)


def test_what_the_set_fixes_is_known_without_the_set(fitted):
    model = fitted.terms[1]
    found, given = identifiability(fitted), identifiability(fitted, ["C10H16O9"])
    assert (found.rank, found.statements) == (given.rank, given.statements) == (2, found.statements)
    facts = fitted.facts()["terms"][1]
    assert facts["compositions"] == ["C10H16O9"] and facts["fixed_directions"] == "2 of 4"
    assert facts["not_fixed"] == [text.removeprefix("it does not fix ") for text in found.statements]
    assert "fixed_directions" not in QRd.random(SPECIES).facts()
    with pytest.raises(InputError, match="does not store the compositions of its training set: give the set"):
        identifiability(model.trained_on([]))


# -- warnings ----------------------------------------------------------------------------------------------------------


def test_the_warning_has_the_drift(fitted, other):
    (message,) = caught(lambda: fitted.evaluate(other))
    drift = identifiability(fitted).drift([other])[0]
    assert (drift > qrd.DRIFT).all()
    shown = ", ".join(f"{symbol} {value:.2g}" for symbol, value in zip(SPECIES, drift, strict=True))
    assert message == (
        f"charges at C7H12O6 were not fixed by the training set (it fixes 2 of 4 directions): expected drift {shown} e"
    )


USES = {
    "evaluate": lambda potential, atoms: potential.evaluate(atoms),
    "calculator": lambda potential, atoms: potential.calculator().get_potential_energy(atoms),
    "dynamics": lambda potential, atoms: run_md(
        atoms, potential, ensemble="nve", temperature=1.0, time_ps=0.0002, timestep_fs=0.1, progress=False
    ),
    "grades": lambda potential, atoms: ActiveSet.build(potential, [atoms]),
    "rows": lambda potential, atoms: potential.energy_gradient(atoms),
    "errors": lambda potential, atoms: evaluate_errors(potential, [labelled(atoms)]),
    "copies": lambda potential, atoms: [potential.with_reference(name).evaluate(atoms) for name in ("a", "b")],
}


@pytest.mark.parametrize("use", USES)
def test_one_warning_for_each_composition(use, fitted, other):
    assert len(caught(lambda: USES[use](fitted, other))) == 1
    assert not caught(lambda: USES[use](fitted, other))
    other.info["charge"] = 1
    assert len(caught(lambda: USES[use](fitted, other))) == 1


def test_no_warning_where_the_charges_are_fixed(fitted):
    """At the ratio of the set, whatever the size; for single atoms; for a potential without a record."""
    assert not caught(lambda: fitted.evaluate(pack({"EC": 4, "EMC": 2}, 1.0)))
    assert not caught(lambda: fitted.evaluate(molecule("EC")[:1]))
    assert not caught(lambda: fitted.trained_on([]).evaluate(molecule("EC")))
    both = fitted.trained_on([System.of(molecule(name), SPECIES) for name in ("EC", "EMC")])
    assert identifiability(both).rank == 4
    assert not caught(lambda: both.evaluate(pack({"EC": 1, "EMC": 1}, 1.0)))


def test_a_fit_of_a_new_set_gives_no_warning(fitted, other):
    assert not caught(lambda: train([labelled(other)], fitted, max_iterations=1, progress=False))
