import numpy as np
import pytest
from ase.neighborlist import primitive_neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.neighbours import periodic_pairs


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 12),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    cutoff=st.floats(0.5, 6.0),
)
def test_same_pairs_as_ase_in_any_cell(seed, count, pbc, cutoff):
    rng = np.random.default_rng(seed)
    cell = rng.normal(size=(3, 3)) * 3 + np.eye(3) * 4  # often skewed, often smaller than the cutoff
    if abs(np.linalg.det(cell)) < 5:
        cell = np.eye(3) * 4
    positions = rng.normal(size=(count, 3)) * 6
    i, j, shift = periodic_pairs(positions, cell, pbc, cutoff)
    ase_i, ase_j, ase_shift = primitive_neighbor_list("ijS", pbc, cell, positions, cutoff)
    ours = list(zip(i, j, *shift.T)) + list(zip(j, i, *-shift.T))
    theirs = list(zip(ase_i, ase_j, *ase_shift.T))
    assert sorted(ours) == sorted(theirs)


def test_cell_of_a_molecule_in_vacuum_may_be_empty():
    i, j, _ = periodic_pairs([[0, 0, 0], [0, 0, 1]], np.zeros((3, 3)), [False] * 3, 1.5)
    assert (i.tolist(), j.tolist()) == ([0], [1])


def test_far_unwrapped_atoms_are_found():
    i, _, shift = periodic_pairs([[0, 0, 0], [1001, 0, 0]], np.eye(3) * 10, [True] * 3, 1.5)
    assert len(i) == 1
    assert shift.tolist() == [[-100, 0, 0]]


@pytest.mark.parametrize(
    ("positions", "cell", "message"),
    [
        ([[0, 0, 0], [0, np.nan, 0]], np.eye(3), "atom 2"),
        ([[0, 0, 0]], np.full((3, 3), np.inf), "the cell has entries that are not finite"),
        ([[0, 0, 0]], np.zeros((3, 3)), "that cell vector is zero"),
        ([[0, 0, 0]], [[1, 0, 0], [2, 0, 0], [0, 0, 1]], "not linearly independent"),
    ],
)
def test_senseless_input_is_refused(positions, cell, message):
    with pytest.raises(InputError, match=message):
        periodic_pairs(positions, cell, [True] * 3, 1.0)
