"""Molecules that overlap are found and moved apart as rigid bodies."""

from functools import lru_cache

import numpy as np
import pytest
from ase import Atoms
from ase.data import vdw_radii
from ase.geometry import get_distances
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from electrolyte_ml.structures import Topology, find_overlap, molecule, pack, read_configurations, separate


@lru_cache
def packed(seed: int) -> Atoms:
    return pack({"EC": 3, "EMC": 2, "LiPF6": 2}, 0.7, seed=seed)


def shaken(seed: int, skew: float, pbc: tuple[bool, bool, bool], wrapped: bool) -> Atoms:
    """Return a box whose molecules are moved at random as wholes, by up to 1 Å along each axis."""
    box, bodies = packed(seed % 3).copy(), Topology.of(packed(seed % 3)).labels
    cell = box.cell.array
    cell[1, 0] = skew * cell[0, 0]  # a shear keeps the volume
    box.set_cell(cell)
    box.positions += np.random.default_rng(seed).uniform(-1.0, 1.0, (bodies.max() + 1, 3))[bodies]
    box.pbc = pbc
    if wrapped:
        box.wrap()
    return box


def closest(atoms: Atoms, bodies: np.ndarray) -> float:
    """Return the closest contact of different bodies, or of images, in units of the sum of radii (3.5 Å for Li)."""
    lithium = atoms.symbols == "Li"
    radii = np.array([0.76 if symbol == "Li" else vdw_radii[z] for symbol, z in zip(atoms.symbols, atoms.numbers)])
    positions, found = Topology.of(atoms).unwrapped, np.inf
    for shift in np.array(list(np.ndindex(5, 5, 5))) - 2:
        if not shift[~atoms.pbc].any():
            distances = cdist(positions, positions + shift @ atoms.cell.array)
            other = (bodies[:, None] != bodies) | shift.any()
            wanted = np.where(lithium[:, None] & lithium, 3.5, radii[:, None] + radii)  # Å
            found = min(found, float((distances / wanted)[other].min()))
    return found


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    skew=st.floats(-0.5, 0.5),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    wrapped=st.booleans(),
)
def test_molecules_are_moved_apart_as_rigid_bodies_in_any_cell(seed, skew, pbc, wrapped):
    before = shaken(seed, skew, pbc, wrapped)
    bodies = Topology.of(packed(seed % 3)).labels
    topology = Topology.of(before)
    if not np.array_equal(topology.labels, bodies):
        return  # two molecules have come so close that they count as bonded
    after = separate(before)
    assert closest(after, bodies) >= 0.9
    assert find_overlap(after) is None
    for label in range(bodies.max() + 1):
        inside = np.flatnonzero(bodies == label)
        shapes = [get_distances(topology.unwrapped[inside])[1]]
        shapes.append(get_distances(Topology.of(after).unwrapped[inside])[1])
        np.testing.assert_allclose(*shapes, atol=1e-9)
    np.testing.assert_array_equal(after.numbers, before.numbers)
    np.testing.assert_array_equal(after.cell.array, before.cell.array)


def test_a_packed_box_does_not_move_and_keeps_what_it_says():
    box = pack({"EC": 4, "LiPF6": 1}, 1.1)
    box.info["name"] = "mine"
    after = separate(box)
    assert np.abs(after.positions - box.positions).max() < 0.05  # a minimum already, but for rounding
    assert after.info == box.info


def test_an_overlap_is_named_with_atoms_molecules_and_distance():
    """Two EC point at each other with their carbonyl oxygens, 2.2 Å apart."""
    carbonate = molecule("EC")
    oxygen = int(np.argmax(np.linalg.norm(carbonate.positions, axis=1) * (carbonate.symbols == "O")))
    outwards = carbonate.positions[oxygen] / np.linalg.norm(carbonate.positions[oxygen])
    other = carbonate.copy()
    other.positions = 2.0 * carbonate.positions[oxygen] + 2.2 * outwards - carbonate.positions
    second = oxygen + 1 + len(carbonate)
    assert find_overlap(carbonate + other) == (
        f"O{oxygen + 1} of EC (molecule 1) and O{second} of EC (molecule 2) are 2.20 Å apart"
    )


def test_two_cations_overlap_at_a_distance_that_other_atoms_may_have():
    pair = Atoms("Li2", [[0, 0, 0], [2.5, 0, 0]])
    assert find_overlap(pair) == "Li1 of Li (molecule 1) and Li2 of Li (molecule 2) are 2.50 Å apart"
    assert separate(pair).get_distance(0, 1) > 3.4
    assert find_overlap(Atoms("Li2", [[0, 0, 0], [3.1, 0, 0]])) is None  # the closest in a liquid


@pytest.mark.parametrize("pbc", [True, False])
def test_cations_and_hydrogens_may_come_close(pbc):
    """Li-O of 1.5 Å and H-O of 1.6 Å are rare in a liquid, but no overlap."""
    solvated = Atoms("LiOH2", [[0, 0, 0], [1.5, 0, 0], [2.1, 0.76, 0], [2.1, -0.76, 0]], cell=[20] * 3, pbc=pbc)
    other = Atoms("OH2", [[2.1, 2.36, 0], [2.1, 2.9, 0.8], [2.1, 2.9, -0.8]])
    assert find_overlap(solvated + other) is None


def test_a_chain_through_the_cell_stays_where_it_is():
    chain = Atoms("C2", [[0, 0, 0], [1.3, 0.0, 0]], cell=[2.6, 8, 8], pbc=True) + Atoms("O", [[1.0, 2.0, 0.0]])
    np.testing.assert_array_equal(separate(chain).positions, chain.positions)
    assert find_overlap(chain) is not None


def test_liquids_have_no_overlaps(pytestconfig):
    data = pytestconfig.rootpath / "data" / "sets"
    for name in ("lipf6_runs.extxyz.xz", "lipf6_validation.extxyz.xz", "ec_emc_validation.extxyz.xz"):
        for number, box in enumerate(read_configurations(data / name)):
            assert find_overlap(box) is None, (name, number)
