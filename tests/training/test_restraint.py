"""A weak pull of the charges to given values."""

import numpy as np
import pytest

from electrolyte_ml import conformance
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.training import ChargeRestraint, Loss, TrainingSet, Weights, train
from electrolyte_ml.training.loss import weighted_residuals

SPECIES = ("H", "C", "O")
SPEC = ModelSpec(level=2, cutoff=3.0, radial_basis_size=3, scaling=1e-3, charges="qrd")
RESTRAINT = ChargeRestraint({"O": -0.6, "H": 0.1}, 0.7)


@pytest.fixture(scope="module")
def truth():
    return QRd.from_values(SPECIES, {"H": 0.1, "C": 0.4, "O": -0.5}, dict.fromkeys(SPECIES, 1.0))


@pytest.fixture(scope="module")
def boxes(truth):
    """Neutral and charged, periodic and not, one without hydrogen."""
    made = []
    for seed, n in enumerate((9, 8, 7, 9)):
        atoms = conformance.configuration(truth, n, seed=seed, periodic=seed % 2 == 0, side=7.0)
        atoms.info["charge"] = seed % 3
        if seed == 3:
            del atoms[atoms.symbols == "H"]
        made.append(conformance._labelled(truth, atoms))
    return made


def make(potential, boxes, restraint=RESTRAINT):
    return Loss(potential, TrainingSet(boxes, potential), Weights(1.0, 0.01, 0.1), 1, restraint)


def test_the_term_is_the_mean_square_over_configurations(boxes):
    potential = SPEC.random(SPECIES, 1)
    added = make(potential, boxes)(potential.parameters)[0] - make(potential, boxes, None)(potential.parameters)[0]
    squares = []
    for atoms in boxes:
        charges = potential.evaluate(atoms).charges
        for symbol, wanted in RESTRAINT.charges.items():
            if (atoms.symbols == symbol).any():
                squares.append((charges[atoms.symbols == symbol].mean() - wanted) ** 2)
    assert len(squares) == 7
    assert added == pytest.approx(0.7 * sum(squares) / 4, rel=1e-9)


@pytest.mark.parametrize("form", ["positive", "raw"])
def test_gradient_is_exact(boxes, form):
    potential = ModelSpec(level=2, cutoff=3.0, radial_basis_size=3, charges="qrd", charge_form=form).random(SPECIES, 4)
    loss, theta = make(potential, boxes), potential.parameters
    gradient = loss(theta)[1]
    for place in range(len(theta) - 6, len(theta)):
        step = 1e-5 * np.eye(len(theta))[place]
        slope = (loss(theta + step)[0] - loss(theta - step)[0]) / 2e-5
        assert gradient[place] == pytest.approx(slope, rel=1e-6, abs=1e-7 * np.abs(gradient).max())
    without = make(potential, boxes, None)(theta)[1]
    assert np.abs(gradient - without)[:-6].max() == 0 < np.abs(gradient - without)[-6:].min()


def test_residuals_and_samples_have_it_too(boxes):
    potential = SPEC.random(SPECIES, 1)
    loss, theta = make(potential, boxes), potential.parameters
    residuals = weighted_residuals(loss, loss.residuals(theta))
    assert 0.5 * residuals @ residuals == pytest.approx(loss(theta)[0], rel=1e-12)
    parts = [loss.sample([k])(theta)[0] for k in range(4)]
    assert np.mean(parts) == pytest.approx(loss(theta)[0], rel=1e-12)
    early = loss.joined(0)
    assert early(theta)[0] == pytest.approx(make(potential, boxes, None).joined(0)(theta)[0], rel=1e-12)


def test_a_strong_pull_sets_the_charges_and_a_weak_one_hardly_does(truth):
    """Also those of the sign that is not customary."""
    boxes = [conformance._labelled(truth, conformance.configuration(truth, 9, seed=k, side=7.0)) for k in range(6)]
    found = {}
    for weight in (1e-8, 1e5):
        restraint = ChargeRestraint({"H": -0.05, "C": 0.0, "O": 0.05}, weight)
        result = train(boxes, SPEC.random(SPECIES, 1), charge_restraint=restraint, max_iterations=120, progress=False)
        charges = result.potential.evaluate(boxes[0]).charges
        found[weight] = [charges[boxes[0].symbols == symbol].mean() for symbol in SPECIES]
    np.testing.assert_allclose(found[1e5], [-0.05, 0.0, 0.05], atol=1e-3)
    np.testing.assert_allclose(np.abs(found[1e-8]), [0.1, 0.4, 0.5], atol=0.03)


@pytest.mark.parametrize(
    ("charges", "weight", "message"),
    [
        ({}, 1.0, "needs the charge of one species or more"),
        ({"O": np.nan}, 1.0, "charge restraint of O must be finite"),
        ({"O": -0.5}, 0.0, "weight of the charge restraint must be positive"),
        ({"O": -0.5}, -1.0, "weight of the charge restraint must be positive"),
    ],
)
def test_restraints_that_make_no_sense(charges, weight, message):
    with pytest.raises(InputError, match=message):
        ChargeRestraint(charges, weight)


def test_what_a_potential_does_not_have(boxes):
    potential = SPEC.random(SPECIES, 1)
    with pytest.raises(InputError, match="charge restraint of Li: the potential has only the species H C O"):
        make(potential, boxes, ChargeRestraint({"Li": 1.0}, 1.0))
    with pytest.raises(InputError, match="needs a charge model"):
        make(potential.terms[0], boxes)
