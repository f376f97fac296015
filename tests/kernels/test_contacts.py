"""Contacts and lifetimes against brute force, in cells of every shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.kernels.contacts import contacts, contacts_reference
from electrolyte_ml.kernels.lifetimes import survivals, survivals_reference

pytestmark = pytest.mark.nojit


def system(seed, n, side, skew, frames=2):
    rng = np.random.default_rng(seed)
    cells = side * (np.eye(3) * rng.uniform(0.7, 1.4, 3) + skew * rng.uniform(-1, 1, (frames, 3, 3)))
    positions = np.einsum("fns,fsk->fnk", rng.uniform(-1, 2, (frames, n, 3)), cells)
    return positions, cells


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 14),
    side=st.floats(3.0, 12.0),
    skew=st.floats(0.0, 0.3),
    cutoff=st.floats(0.5, 5.0),
)
def test_contacts_are_those_of_brute_force(seed, n, side, skew, cutoff):
    positions, cells = system(seed, n, side, skew)
    rng = np.random.default_rng(seed + 1)
    centres, others = (np.sort(rng.choice(n, size, replace=False)) for size in rng.integers(1, n + 1, 2))
    found = contacts(positions, cells, np.linalg.inv(cells), centres, others, cutoff)
    expected = contacts_reference(positions, cells, centres, others, cutoff)
    # Pairs at the very edge may differ by rounding.
    rows = sorted((int(f), int(i), int(j), float(d)) for f, i, j, d in zip(*found) if abs(d - cutoff) > 1e-9)
    expected = [row for row in expected if abs(row[3] - cutoff) > 1e-9]
    assert [row[:3] for row in rows] == [row[:3] for row in expected]
    np.testing.assert_allclose([r[3] for r in rows], [r[3] for r in expected], atol=1e-9)


def test_more_contacts_than_there_was_room_for():
    positions = np.random.default_rng(0).uniform(0, 2, (1, 120, 3))
    cells = np.array([20.0 * np.eye(3)])
    everyone = np.arange(120)
    frame, *_ = contacts(positions, cells, np.linalg.inv(cells), everyone, everyone, 5.0)
    assert len(frame) == 120 * 119


def test_many_bins_miss_no_pair():
    """Boxes of many bins, where most images and most bins are never visited."""
    for side in (20.0, 40.0):
        rng = np.random.default_rng(1)
        n = int(0.05 * side**3)
        positions = rng.uniform(0, side, (1, n, 3))
        cells = np.array([side * np.eye(3)])
        got = contacts(positions, cells, np.linalg.inv(cells), np.arange(1), np.arange(n), 4.0)
        assert len(got[0]) == len(contacts_reference(positions, cells, np.arange(1), np.arange(n), 4.0))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n_frames=st.integers(2, 30), n_bonds=st.integers(1, 5), p=st.floats(0.05, 0.95))
def test_survivals_are_those_of_a_table(seed, n_frames, n_bonds, p):
    rng = np.random.default_rng(seed)
    there = rng.uniform(size=(n_bonds, n_frames)) < p
    bond, frames = np.nonzero(there)
    first = np.searchsorted(bond, np.arange(n_bonds + 1))
    lags = np.unique(rng.integers(0, n_frames, 6))
    block = np.sort(rng.integers(0, 3, n_frames))
    block[-1] = 2
    found = survivals(first, frames, n_frames, lags, block)
    for got, expected in zip(found, survivals_reference(first, frames, n_frames, lags, block), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_bond_that_breaks_once():
    first, frames = np.array([0, 4]), np.array([0, 1, 3, 4])
    origins, again, unbroken = survivals(first, frames, 5, np.array([1, 3]), np.zeros(5, int))
    assert (origins[0].tolist(), again[0].tolist(), unbroken[0].tolist()) == ([3, 2], [2, 2], [2, 0])
    assert pytest.approx(unbroken[0, 0] / origins[0, 0]) == 2 / 3
