"""Unwrapping of atoms that move with their molecules."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.trajectories.unwrapping import FARTHEST, Unwrapper


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_atoms_at_the_ends_of_molecules_may_move_by_half_a_cell(seed):
    """Four molecules move by up to 0.3 of the cell between frames, and their atoms by up to 0.4 beside that."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), [1, 2, 5, 12])
    cell = np.diag(rng.uniform(5, 20, 3)) + rng.uniform(-1, 1, (3, 3))
    places = rng.uniform(0, 1, (len(labels), 3))  # fractional, unwrapped
    own = np.zeros_like(places)
    start = places.copy()
    unwrapper = Unwrapper(cell, start @ cell, start @ cell, labels, already=False)
    for _ in range(4):
        place = rng.uniform(-0.1, 0.1, places.shape)
        for label in range(4):
            place[labels == label] -= place[labels == label].mean(axis=0)
        places = places + (place - own) + rng.uniform(-0.3, 0.3, (4, 3))[labels]
        own = place
        found, moved = unwrapper.follow((places % 1.0) @ cell)
        np.testing.assert_allclose(found, places @ cell, atol=1e-9)
        assert moved.max() < 0.5


def test_a_molecule_that_moves_too_far_is_reported():
    labels, start = np.array([0, 0, 1, 1]), np.random.default_rng(0).uniform(0, 1, (4, 3))
    end = start + [[0.45, 0, 0], [0.45, 0, 0], [0, 0, 0.45], [0, 0, -0.45]]  # a whole molecule; atoms within another
    _, moved = Unwrapper(np.eye(3), start, start, labels, already=False).follow(end)
    assert (moved > FARTHEST).all()
    _, moved = Unwrapper(np.eye(3), start, start, labels, already=False).follow(start + 0.5 * (end - start))
    assert (moved < FARTHEST).all()
