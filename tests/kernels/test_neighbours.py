"""The neighbour list against all pairs of all images, and against vesin."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from electrolyte_ml.kernels.near_pairs import near_pairs
from electrolyte_ml.kernels.neighbours import neighbour_list_reference
from electrolyte_ml.structures.neighbours import neighbour_list


def found(positions, cell, pbc, cutoff):
    """The list as a set of (i, j, shift)."""
    pairs = neighbour_list(positions, cell, np.array(pbc), cutoff)
    i, j = pairs.centre, pairs.owner[pairs.neighbour]
    shift = pairs.shift[pairs.neighbour] - pairs.shift[i]
    rows = [(int(a), int(b), tuple(map(int, c))) for a, b, c in zip(i, j, shift)]
    assert len(set(rows)) == len(rows)
    return set(rows)


@st.composite
def boxes(draw):
    """Cells of any shape and handedness, small ones too, atoms outside them, any boundary conditions."""
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    skew = draw(st.sampled_from([0.0, 0.3, 1.0]))
    cell = draw(st.floats(2.0, 9.0)) * (np.eye(3) + skew * rng.uniform(-1, 1, (3, 3)))
    cell *= draw(st.sampled_from([[[1], [1], [1]], [[1], [0.7], [3]], [[-1], [1], [1]]]))
    unit = cell / np.linalg.norm(cell, axis=1)[:, None]
    assume(abs(np.linalg.det(unit)) > 0.1)
    positions = rng.uniform(0, 1, (draw(st.integers(0, 9)), 3)) @ cell
    positions += draw(st.sampled_from([0.0, 1.0, 60.0])) * rng.normal(size=positions.shape)
    return positions, cell, draw(st.tuples(*[st.booleans()] * 3)), draw(st.floats(0.5, 4.5))


@settings(max_examples=60, deadline=None)
@given(boxes())
@example((np.zeros((1, 3)), 2.0 * np.eye(3), (True, True, True), 5.0))
@example((np.array([[0.0, 0, 0], [0, 0, 1]]), np.zeros((3, 3)), (False, False, False), 5.0))
@example((np.array([[0.0, 0, 0], [0, 0, 4.9]]), np.diag([0.0, 0, 5.0]), (False, False, True), 3.0))
@example((np.array([[0.0, 0, 0], [3.0, 0, 1]]), np.array([[4.0, 0, 0], [0, 4, 0], [4, 4, 0]]), (True, True, False), 5))
@example((np.array([[1e6, 0, 0], [0, -1e6, 1]]), 4.0 * np.eye(3), (True, True, True), 5.0))
def test_equals_all_pairs_of_all_images(box):
    positions, cell, pbc, cutoff = box
    periodic = np.where(np.array(pbc)[:, None], cell, 0)
    if np.abs(positions).max(initial=0) > 20:  # the twin visits every image in between: bring the atoms home first
        shift = np.floor(positions @ np.linalg.pinv(cell)).astype(int) * np.array(pbc)
        reference = {
            (i, j, tuple(np.array(s) - shift[j] + shift[i]))
            for i, j, s in neighbour_list_reference(positions - shift @ cell, periodic, pbc, cutoff)
        }
    else:
        reference = set(neighbour_list_reference(positions, periodic, pbc, cutoff))
    mine = found(positions, cell, pbc, cutoff)
    # Pairs at the cutoff to within rounding may go either way; they weigh nothing there.
    for i, j, s in mine ^ reference:
        assert abs(np.linalg.norm(positions[j] + np.array(s) @ cell - positions[i]) - cutoff) < 1e-8 * cutoff


def test_equals_vesin(liquid):
    vesin = pytest.importorskip("vesin", reason="vesin, the oracle of neighbour lists, is not installed")
    for seed, n, pbc, skew in [(0, 60, True, 0.0), (1, 60, True, 0.4), (2, 60, False, 0.4), (3, 3, True, 0.4)]:
        atoms = liquid(n, seed=seed, pbc=pbc, skew=skew)
        i, j, s = vesin.NeighborList(cutoff=4.0, full_list=True).compute(
            points=atoms.positions, box=np.array(atoms.cell), periodic=pbc, quantities="ijS"
        )
        theirs = {(int(a), int(b), tuple(map(int, c))) for a, b, c in zip(i, j, s)}
        assert found(atoms.positions, np.array(atoms.cell), [pbc] * 3, 4.0) == theirs


@pytest.mark.parametrize("cutoff", [1.7, 5.0, 9.0])
@pytest.mark.parametrize("count", [1, 300, 3000])
def test_equals_vesin_in_boxes_of_any_size(count, cutoff):
    """From an atom that meets only its images to many bins along each axis."""
    vesin = pytest.importorskip("vesin", reason="vesin, the oracle of neighbour lists, is not installed")
    rng = np.random.default_rng(count)
    cell = (count / 0.05) ** (1 / 3) * (np.eye(3) + 0.2 * rng.uniform(-1, 1, (3, 3)))  # 0.05 atoms/Å^3
    positions = rng.uniform(-0.5, 1.5, (count, 3)) @ cell
    expected = vesin.NeighborList(cutoff=cutoff, full_list=True).compute(
        points=positions, box=cell, periodic=True, quantities="ijS"
    )
    pairs = neighbour_list(positions, cell, np.ones(3, bool), cutoff)
    shift = pairs.shift[pairs.neighbour] - pairs.shift[pairs.centre]
    mine = np.column_stack([pairs.centre, pairs.owner[pairs.neighbour], shift])
    theirs = np.column_stack([*expected[:2], expected[2]]).astype(int)
    np.testing.assert_array_equal(mine[np.lexsort(mine.T)], theirs[np.lexsort(theirs.T)])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_cells_far_from_reduced(seed):
    """The same lattice in long, nearly parallel vectors: the same distances."""
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(4, 6, 3))
    turn = np.eye(3, dtype=int)
    for _ in range(5):
        a, b = rng.permutation(3)[:2]
        turn[a] += rng.integers(-3, 4) * turn[b]
    unit = turn @ cell / np.linalg.norm(turn @ cell, axis=1)[:, None]
    assume(abs(np.linalg.det(unit)) > 1e-3)
    positions = rng.uniform(-9, 9, (4, 3))

    def vectors(cell):
        pairs = neighbour_list(positions, cell, np.ones(3, bool), 4.5)
        near = near_pairs(positions, cell, tuple(pairs), np.zeros(4, int), 4.5)[0]
        return np.array(sorted(near.vector.T.round(7).tolist())) + 0.0

    assert vectors(turn @ cell) == pytest.approx(vectors(cell), abs=1e-6)


def test_sorted_by_species_and_centred(liquid):
    atoms = liquid(30, seed=4, skew=0.3)
    species = np.random.default_rng(0).integers(0, 4, 30)
    species[species == 2] = 0  # a species may be absent
    cell, pbc = np.array(atoms.cell), np.ones(3, bool)
    pairs = neighbour_list(atoms.positions, cell, pbc, 5.0, species, 4)
    near = near_pairs(atoms.positions, cell, tuple(pairs), species, 4.0)[0]
    assert np.array_equal(near.species, species)
    assert near.segment[0, 0] == 0 and near.segment[-1, -1] == len(near.other) < len(pairs.neighbour)
    assert np.array_equal(near.segment[1:, 0], near.segment[:-1, -1])
    for i in range(30):
        for s in range(4):
            assert (species[near.other[near.segment[i, s] : near.segment[i, s + 1]]] == s).all()
    assert np.linalg.norm(near.vector, axis=0).max() < 4.0
    assert np.abs(near.vector.sum(1)).max() < 1e-9  # each pair is there both ways


def test_grows_with_dense_boxes():
    """More neighbours an atom than the first allocation holds."""
    positions = np.random.default_rng(0).uniform(0, 2, (150, 3))
    pairs = neighbour_list(positions, 20.0 * np.eye(3), np.ones(3, bool), 5.0)
    assert len(pairs.neighbour) == 150 * 149 and (np.diff(pairs.listed) == 149).all()


def test_few_atoms_in_a_huge_cell():
    assert found(np.array([[0.0, 0, 0], [99999.0, 0, 0]]), 1e5 * np.eye(3), [True] * 3, 5.0) == {
        (0, 1, (-1, 0, 0)), (1, 0, (1, 0, 0)),
    }  # fmt: skip


@pytest.mark.parametrize("pbc", [(False, True, True), (True, False, False)])
def test_vectors_of_open_axes_mean_nothing(pbc):
    positions = np.random.default_rng(1).uniform(0, 5, (6, 3))
    cell = np.diag([4.0, 5.0, 6.0])
    expected = found(positions, cell, pbc, 4.0)
    for odd in (np.zeros(3), [1e-9, 0, 0], [1e9, 1e9, 0], cell.sum(0)):
        other = np.where(np.array(pbc)[:, None], cell, odd)
        assert found(positions, other, pbc, 4.0) == expected


def test_the_nearest_pair_is_named():
    positions = np.array([[0.0, 0, 0], [2.0, 0, 0], [2.0, 0.2, 0]])
    pairs = neighbour_list(positions, np.zeros((3, 3)), np.zeros(3, bool), 4.0)
    _, closest, pair = near_pairs(positions, np.zeros((3, 3)), tuple(pairs), np.zeros(3, int), 4.0)
    assert closest == pytest.approx(0.2, rel=1e-12) and sorted(pair.tolist()) == [1, 2]
