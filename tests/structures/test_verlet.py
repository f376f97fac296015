"""A Verlet list that never misses a pair, and is made anew only where it must."""

import numpy as np
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.kernels.near_pairs import near_pairs
from electrolyte_ml.structures.neighbours import neighbour_list
from electrolyte_ml.structures.verlet import VerletList


def within(positions, cell, pairs, species, cutoff=3.0):
    """The pairs of a list that are within the cutoff now."""
    return near_pairs(positions, cell, tuple(pairs), species, cutoff)[0]


def pair_set(near):
    """The pairs as a sorted array of (centre, neighbour, vector), rounded."""
    centre = np.repeat(np.arange(len(near.segment)), np.diff(near.segment[:, [0, -1]], axis=1)[:, 0])
    rows = np.column_stack([centre, near.other, near.vector.T.round(9) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    skin=st.sampled_from([0.0, 0.2, 0.5, 1.5]),
    pbc=st.tuples(*[st.booleans()] * 3),
    step=st.sampled_from([0.02, 0.1, 0.3]),
    strain=st.sampled_from([0.0, 0.003, 0.02]),
    side=st.floats(4.0, 9.0),
)
def test_verlet_list_never_misses_a_pair(liquid, seed, skin, pbc, step, strain, side):
    """Along random walks of atoms and cell the list gives what a fresh one gives."""
    rng = np.random.default_rng(seed)
    atoms = liquid(7, seed=seed, side=side, skew=0.3, pbc=pbc)
    positions, cell, pbc = atoms.positions, np.array(atoms.cell), np.array(pbc)
    species = rng.integers(0, 2, len(atoms))
    lists = VerletList(3.0, skin)
    for _ in range(12):
        fresh = neighbour_list(positions, cell, pbc, 3.0, species, 2)
        if near_pairs(positions, cell, tuple(fresh), species, 3.0)[1] < 0.3:
            return  # two atoms ran into each other
        near = within(positions, cell, lists(positions, cell, pbc, species, 2), species)
        assert np.array_equal(pair_set(near), pair_set(within(positions, cell, fresh, species)))
        deformation = np.eye(3) + strain * rng.uniform(-1, 1, (3, 3))
        positions, cell = positions @ deformation, cell @ deformation
        positions = positions + step * rng.uniform(-1, 1, positions.shape) / np.sqrt(3)


def test_number_of_rebuilds():
    """Rebuilt when, and only when, an atom may have moved half the skin."""
    lists, species = VerletList(3.0, 0.5), np.zeros(2, int)
    cell, pbc = 9.0 * np.eye(3), np.ones(3, bool)
    positions = np.array([[1.0, 1, 1], [3.9, 1, 1]])
    for moved, builds in [(0.0, 1), (0.2, 1), (0.249, 1), (0.2501, 2), (0.45, 2), (0.51, 3), (0.51, 3)]:
        lists(positions + [[moved, 0, 0], [0, 0, 0]], cell, pbc, species, 2)
        assert lists.builds == builds


def test_a_breathing_cell_does_not_rebuild():
    """Affine motion, as a barostat makes it, costs the list little: only the strain counts, not how far atoms went."""
    lists, species = VerletList(3.0, 0.5), np.zeros(50, int)
    cell, pbc = 30.0 * np.eye(3), np.ones(3, bool)
    positions = np.array([[x, y, 0.0] for x in range(0, 30, 3) for y in range(0, 30, 6)])
    for scale in (1.0, 1.02, 0.98, 0.95, 1.3):  # atoms at 30 Å move by up to 9 Å
        moved, stretched = positions * scale, cell * scale
        near = within(moved, stretched, lists(moved, stretched, pbc, species, 1), species)
        fresh = neighbour_list(moved, stretched, pbc, 3.0)
        assert len(near.other) == len(within(moved, stretched, fresh, species).other)
    assert lists.builds == 1
    lists(positions * 0.8, cell * 0.8, pbc, species, 1)
    assert lists.builds == 2


def test_lists_without_atoms():
    lists = VerletList(3.0, 0.5)
    none = Atoms()
    made = lists(none.positions, np.zeros((3, 3)), np.zeros(3, bool), np.zeros(0, int), 2)
    assert made.listed.shape == (0, 3) and len(made.neighbour) == 0
