"""The convention for parameters that a set leaves free."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml import conformance
from electrolyte_ml.potentials import ModelSpec, System
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.potentials.charges.composition import fix_gauge, redistributed
from electrolyte_ml.potentials.charges.directions import free_directions
from electrolyte_ml.potentials.charges.equal_weights import equal_weights
from electrolyte_ml.training import train

SPECIES = ("H", "C", "O", "Li", "P", "F")


def charges(theta, counts, totals):
    return np.where(counts > 0, redistributed(theta, counts, totals, "positive").charges, 0.0)


def cell(li, ec, emc):
    return np.array([4.0 * ec + 8 * emc, 3 * ec + 4 * emc, 3 * ec + 3 * emc, li, li, 6 * li])


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    width=st.sampled_from([0.5, 1.0, 4.0]),
    counts=st.lists(st.lists(st.integers(0, 60), min_size=4, max_size=4).filter(any), min_size=1, max_size=4),
    total=st.integers(-1, 1),
)
@pytest.mark.nojit
def test_the_charges_of_the_set_stay_and_the_weights_are_no_less_equal(seed, width, counts, total):
    theta = fix_gauge(width * np.random.default_rng(seed).uniform(-1, 1, 8))
    counts, totals = np.array(counts, float), np.array([total, *[0] * (len(counts) - 1)], float)
    found = equal_weights(theta, counts, totals)
    np.testing.assert_allclose(charges(found, counts, totals), charges(theta, counts, totals), atol=1e-11)
    assert abs(found[:4].sum()) < 1e-11 and abs(found[4:].sum()) < 1e-11
    assert np.linalg.norm(found[4:]) <= np.linalg.norm(theta[4:]) * (1 + 1e-9)


@pytest.mark.nojit
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_one_composition_has_equal_weights_wherever_a_fit_has_left_them(scale):
    counts, totals = np.array([cell(1, 3, 7), cell(2, 6, 14)]), np.zeros(2)
    for seed in range(5):
        theta = QRd.random(SPECIES, seed).parameters * np.repeat([1.0, scale], 6)
        found = equal_weights(theta, counts, totals)
        np.testing.assert_allclose(found[6:], 0.0, atol=1e-10)
        np.testing.assert_allclose(charges(found, counts, totals), charges(theta, counts, totals), atol=1e-11)


@pytest.mark.nojit
def test_a_set_that_fixes_everything_changes_nothing():
    counts, totals = np.array([cell(1, 3, 7), cell(1, 7, 3), cell(0, 1, 2)]), np.zeros(3)
    model = QRd.random(SPECIES, 4)
    assert free_directions(model, list(zip(counts, totals, strict=True))).rank == 10
    np.testing.assert_allclose(equal_weights(model.parameters, counts, totals), model.parameters, atol=1e-9)


@pytest.mark.filterwarnings("ignore::electrolyte_ml.errors.CompositionWarning")
def test_fits_of_one_composition_agree_at_another():
    """Their charges are those of the labels; without the convention they differ where no label is."""
    species = SPECIES[:3]
    truth = QRd.from_values(species, {"H": 0.1, "C": 0.4, "O": -0.5}, dict.fromkeys(species, 1.0))
    boxes = [conformance._labelled(truth, conformance.configuration(truth, 9, seed=k, side=7.0)) for k in range(12)]
    spec = ModelSpec(level=2, cutoff=3.0, radial_basis_size=3, scaling=1e-3, charges="qrd")
    other = {"H": 4, "C": 3, "O": 3}
    found, drawn = [], []
    for seed in range(3):
        start = spec.random(species, seed)
        fitted = train(boxes, start, max_iterations=80, progress=False).potential.terms[1]
        np.testing.assert_allclose(fitted.s, 0.0, atol=1e-9)
        assert fitted.compositions == ("CHO",) and System.of(boxes[0], species).charge == 0
        found.append(list(fitted.type_charges(other).values()))
        drawn.append(list(start.terms[1].type_charges(other).values()))
    assert np.ptp(found, axis=0).max() < 0.05 < np.ptp(drawn, axis=0).max()
