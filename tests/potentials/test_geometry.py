"""Configurations with their pairs: fresh ones, those of a stepper with gaps, and those within a shorter cutoff."""

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import Geometry, MomentTensorPotential, System
from electrolyte_ml.structures.neighbours import neighbour_list

SPECIES = ("H", "C", "O")
POTENTIAL = MomentTensorPotential.random(2, SPECIES, cutoff=4.0)


def stepped(atoms, potential=POTENTIAL, skin=1.0, moves=()):
    """The geometry of a stepper after these moves, and the configuration that it belongs to."""
    atoms, system = atoms.copy(), System.of(atoms, potential.species)
    stepper, cell = potential.stepper(system, 1), atoms.cell.array.copy()
    positions = atoms.positions.copy()
    pairs = neighbour_list(positions, cell, system.pbc, potential.cutoff + skin, system.species, len(system.symbols))
    stepper.renew(pairs, positions, cell)
    stepper.add(positions, cell, np.zeros_like(positions))
    for move in moves:
        atoms.positions += move
        stepper.add(atoms.positions.copy(), cell, np.zeros_like(positions))
    return stepper.geometry(), atoms


def rows(geometry):
    """The pairs as a sorted array of (centre, species, neighbour, vector), rounded."""
    near = geometry.near
    made = [
        (i, s, near.other[p], *near.vector[:, p].round(8))
        for i in range(geometry.n_atoms)
        for s in range(near.segment.shape[1] - 1)
        for p in range(near.segment[i, s], near.segment[i, s + 1])
    ]
    made = np.array(made, float).reshape(-1, 6) + 0.0
    return made[np.lexsort(made.T[::-1])]


def equal(geometry, fresh):
    """The same pairs, without gaps, in the order of the atoms."""
    near = geometry.near
    assert near.segment[-1, -1] == len(near.other) == near.vector.shape[1] == len(fresh.near.other)
    assert np.array_equal(near.segment, fresh.near.segment)
    assert np.array_equal(geometry.centre, fresh.centre)
    assert near.vector.flags.c_contiguous and near.other.dtype == np.int32
    assert (near.species[near.other] == np.repeat(*counted(near))).all()
    np.testing.assert_array_equal(rows(geometry), rows(fresh))


def counted(near):
    """The species of each run of neighbours, and its length."""
    counts = np.diff(near.segment, axis=1)
    return np.tile(np.arange(counts.shape[1]), len(counts)), counts.ravel()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 12),
    pbc=st.tuples(*[st.booleans()] * 3),
    skin=st.sampled_from([0.0, 0.3, 1.5]),
    side=st.floats(3.0, 9.0),
    cutoff=st.floats(0.5, 4.0),
)
def test_compact_and_within_equal_a_fresh_geometry(liquid, seed, n, pbc, skin, side, cutoff):
    atoms = liquid(n, SPECIES, seed, side=max(side, (5.0 * n) ** (1 / 3)), skew=0.2, pbc=pbc)
    moves = np.random.default_rng(seed).uniform(-0.05, 0.05, (2, n, 3)) * min(skin, 1.0)
    geometry, moved = stepped(atoms, skin=skin, moves=moves)
    whole, part = Geometry.of(moved, SPECIES, 4.0), Geometry.of(moved, SPECIES, cutoff)
    equal(geometry.compact(), whole)
    equal(geometry.within(cutoff).compact(), part)
    equal(whole.within(cutoff), part)
    assert geometry.within(cutoff).cutoff == cutoff
    assert geometry.within(4.0) is geometry and whole.compact() is whole


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_a_few_atoms_in_any_order(n, axis):
    """So few pairs that a stepper has no unused places, listed in another order than that of the atoms."""
    rng = np.random.default_rng(n)
    for _ in range(6):
        positions = np.zeros((n, 3))
        positions[:, axis] = 2.5 * rng.permutation(n)
        potential = MomentTensorPotential.random(2, ("H",), cutoff=3.0)
        geometry, atoms = stepped(Atoms(f"H{n}", positions), potential, skin=0.0)
        equal(geometry.compact(), Geometry.of(atoms, ("H",), 3.0))


def test_no_atoms():
    nothing = Geometry.of(Atoms(cell=[9, 9, 9], pbc=True), SPECIES, 4.0)
    assert nothing.n_atoms == 0 and len(nothing.centre) == 0 and nothing.volume == pytest.approx(729)
    assert nothing.compact() is nothing and len(nothing.within(2.0).near.other) == 0


def test_pairs_beyond_the_cutoff_are_not_known(liquid):
    with pytest.raises(InputError, match="known within 3 Å, not within 3.5 Å"):
        Geometry.of(liquid(5), SPECIES, 3.0).within(3.5)


def test_a_pair_that_overlaps_is_named():
    positions = np.array([[0.0, 0, 0], [2.0, 0, 0], [2.0, 0.2, 0]])
    system = System.of(Atoms("C3", positions), SPECIES)
    pairs = neighbour_list(positions, np.zeros((3, 3)), system.pbc, 4.0, system.species, 3)
    with pytest.raises(InputError, match=r"atoms 2 and 3 overlap: 0\.200 Å apart"):
        Geometry.from_list(system, pairs, positions, np.zeros((3, 3)), 4.0)


def test_charge_species_and_volume_belong_to_it(liquid):
    atoms = liquid(6, skew=0.3)
    atoms.info["total_charge"] = -2
    geometry = Geometry.of(atoms, SPECIES, 3.0)
    assert geometry.system.charge == -2 and geometry.system.symbols == SPECIES
    assert [SPECIES[k] for k in geometry.system.species] == atoms.get_chemical_symbols()
    assert geometry.volume == pytest.approx(atoms.get_volume(), rel=1e-14)
    atoms.pbc = (True, True, False)
    assert Geometry.of(atoms, SPECIES, 3.0).volume is None
    atoms.info["total_charge"] = 0.5
    with pytest.raises(InputError, match="whole number"):
        Geometry.of(atoms, SPECIES, 3.0)


def test_a_geometry_is_not_found_anew(liquid, monkeypatch):
    """What is computed on a geometry needs no neighbour list."""
    atoms = liquid(9)
    expected, geometry = POTENTIAL.evaluate(atoms), POTENTIAL.geometry(atoms)
    monkeypatch.setattr("electrolyte_ml.potentials.geometry.neighbour_list", None)
    assert np.array_equal(POTENTIAL.evaluate(geometry).forces, expected.forces)
    with pytest.raises(TypeError):
        POTENTIAL.evaluate(atoms)
