"""All configurations of a training set in flat arrays, shared out over threads."""

import numpy as np
import pytest

from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.potentials.mtp import term, twin

POTENTIAL = MomentTensorPotential.random(6, ("H", "O"), cutoff=4.0)


def prepared(boxes):
    return POTENTIAL.prepare([POTENTIAL.geometry(box) for box in boxes])


@pytest.fixture
def boxes(liquid):
    sizes = [4] * 3 + [30] * 2 + [3] * 4
    return [liquid(size, ("H", "O"), seed) for seed, size in enumerate(sizes)]


@pytest.mark.parametrize("ranges", [1, 2, 5, 9, 40])
def test_ranges_cover_everything_once(boxes, ranges, monkeypatch):
    monkeypatch.setattr(term, "RANGES", ranges)
    held = prepared(boxes)
    bounds = np.array([held.ranges[0][0], *(last for _, last in held.ranges)])
    assert bounds[0] == 0 and bounds[-1] == len(held.near.species) and len(bounds) <= ranges + 1
    assert (np.diff(bounds) > 0).all() and np.isin(bounds, held.first).all()
    assert all(one[1] == other[0] for one, other in zip(held.ranges, held.ranges[1:]))


def test_predictions_are_those_of_the_twin(boxes):
    predicted = prepared(boxes).predict(POTENTIAL.parameters)
    expected = [twin.evaluate(POTENTIAL, box) for box in boxes]
    assert predicted.energies == pytest.approx([result.energy for result in expected], rel=1e-12)
    forces = np.concatenate([result.forces for result in expected])
    assert np.abs(predicted.forces - forces).max() < 1e-12 * np.abs(forces).max()
    virials = np.array([(result.virial + result.virial.T) / 2 for result in expected])
    assert np.abs(predicted.virials - virials).max() < 1e-12 * np.abs(virials).max()


def test_threads_change_no_bit(boxes):
    held, rng, theta = prepared(boxes), np.random.default_rng(0), POTENTIAL.parameters
    by = rng.normal(size=9), rng.normal(size=(len(held.near.species), 3)), np.zeros((9, 3, 3))
    one, pulled = held.predict(theta, 1), held.pullback(theta, *by, 1)
    for threads in (2, 3):
        for value, expected in zip(held.predict(theta, threads), one, strict=True):
            assert np.array_equal(value, expected)
        assert np.array_equal(held.pullback(theta, *by, threads), pulled)
