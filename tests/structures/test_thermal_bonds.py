"""Molecules are recognised in the geometries of hot liquids, and contacts are no bonds."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.structures import MOLECULES, molecule
from electrolyte_ml.structures.bonding import bonds
from electrolyte_ml.structures.topology import Topology, changes

HESSIANS = np.load(Path(__file__).with_name("data") / "hessians.npz")
NAMES = [name for name, known in MOLECULES.items() if len(known.symbols) > 2]
KB, HBAR_OMEGA = 8.617333262e-5, 0.0646541  # eV/K; hbar sqrt(1 eV/Å²/amu) in eV
FRAMES = 2000


def thermal(name, kelvin, n, seed=0):
    """n geometries of the harmonic molecule at a temperature, quantum amplitudes, (n, N, 3) Å.

    The slow modes of molecules with H are torsions, which a straight displacement would turn into long bonds: those
    below 300 cm⁻¹ stay at rest. Those of the ions bend S-N-S and are taken from 50 cm⁻¹ on.
    """
    atoms = molecule(name)
    masses = np.repeat(atoms.get_masses(), 3)
    square, modes = np.linalg.eigh(HESSIANS[name].astype(float) / np.sqrt(np.outer(masses, masses)))
    quantum = HBAR_OMEGA * np.sqrt(np.maximum(square, 1e-12))
    kept = quantum > (300 if "H" in atoms.get_chemical_symbols() else 50) * 1.239842e-4
    square, quantum, modes = square[kept], quantum[kept], modes[:, kept]
    half = quantum / (2 * KB * kelvin)
    amplitude = np.sqrt(KB * kelvin / square * half / np.tanh(half))
    normal = np.random.default_rng(seed).normal(size=(n, len(square)))
    return atoms.positions + ((normal * amplitude) @ modes.T / np.sqrt(masses)).reshape(n, -1, 3)


def recognised(name, geometries):
    """Number of the geometries in which the molecule is what it is, all in one configuration, 30 Å apart."""
    n, size = len(geometries), geometries.shape[1]
    side = int(np.ceil(n ** (1 / 3)))
    places = 30.0 * np.stack(np.unravel_index(np.arange(n), (side,) * 3), axis=1)
    atoms = Atoms(np.tile(molecule(name).numbers, n), (geometries + places[:, None]).reshape(-1, 3))
    topology = Topology.of(atoms)
    own = np.sort(bonds(molecule(name)), axis=1)
    expected = (own[None] + size * np.arange(n)[:, None, None]).reshape(-1, 2)
    found = np.full(n, True)
    count = len(atoms)
    keys = np.setxor1d(np.sort(topology.bonds, axis=1) @ [count, 1], expected @ [count, 1])
    found[keys // count // size] = False
    return int(found.sum())


def test_there_is_a_hessian_of_every_molecule():
    assert sorted(HESSIANS.files) == sorted(NAMES)
    for name in NAMES:
        assert thermal(name, 400.0, 1).shape == (1, len(MOLECULES[name].symbols), 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kelvin", [300.0, 400.0, 600.0])
def test_molecules_are_recognised_at_the_temperatures_of_liquids(name, kelvin):
    assert recognised(name, thermal(name, kelvin, FRAMES)) > 0.999 * FRAMES


@pytest.mark.parametrize("name", NAMES)
def test_molecules_are_recognised_when_every_atom_is_displaced(name):
    """0.1 Å rms in all directions, more than any vibration stretches a bond."""
    moves = np.random.default_rng(1).normal(scale=0.1 / np.sqrt(3), size=(FRAMES, len(MOLECULES[name].symbols), 3))
    assert recognised(name, molecule(name).positions + moves) > 0.999 * FRAMES


@pytest.mark.parametrize("name", ["FSI", "TFSI"])
def test_the_sulfurs_of_an_imide_come_near_and_are_not_bonded(name):
    sulfurs = np.flatnonzero(molecule(name).numbers == 16)
    geometries = thermal(name, 800.0, FRAMES)
    apart = np.linalg.norm(geometries[:, sulfurs[0]] - geometries[:, sulfurs[1]], axis=1)
    assert apart.min() < 2.73  # 1.3 times the covalent radii
    assert recognised(name, geometries) > 0.998 * FRAMES
    close = molecule(name)
    axis = close.positions[sulfurs[1]] - close.positions[sulfurs[0]]
    for distance in (2.45, 2.6, 2.85):
        close.positions[sulfurs[1]] = close.positions[sulfurs[0]] + distance * axis / np.linalg.norm(axis)
        assert sulfurs.tolist() not in np.sort(bonds(close), axis=1).tolist()


@pytest.mark.parametrize(
    ("name", "centre", "leaving", "length"),
    [("PF6", "P", "F", 2.4), ("BF4", "B", "F", 2.1), ("ClO4", "Cl", "O", 2.5), ("NO3", "N", "O", 2.1),
     ("OTf", "C", "S", 2.7), ("FSI", "S", "F", 2.5), ("TFSI", "N", "S", 2.6), ("EC", "C", "O", 2.1),
     ("DFOB", "B", "F", 2.1), ("BOB", "B", "O", 2.2), ("SL", "C", "S", 2.7), ("H2O", "O", "H", 1.6)],
)  # fmt: skip
def test_bonds_that_break_are_found(name, centre, leaving, length):
    """A part of the molecule moves away along one bond: from positions alone, and against the molecules before."""
    whole = molecule(name)
    symbols = np.array(whole.get_chemical_symbols())
    bond = next(tuple(b) if symbols[b[0]] == centre else tuple(b[::-1]) for b in bonds(whole)
                if {*symbols[b]} == {centre, leaving})  # fmt: skip
    rest = [b for b in bonds(whole).tolist() if set(b) != set(bond)]
    moving = {bond[1]}
    for _ in symbols:
        moving |= {k for b in rest if moving & set(b) for k in b}
    if bond[0] in moving:  # in a ring: the atom alone goes
        moving = {bond[1]}
    axis = whole.positions[bond[1]] - whole.positions[bond[0]]
    broken = whole.copy()
    broken.positions[list(moving)] += axis / np.linalg.norm(axis) * (length - np.linalg.norm(axis))
    assert sorted(bond) not in np.sort(bonds(broken), axis=1).tolist()
    assert "broken bond" in changes(Topology.of(whole), broken)


@pytest.mark.parametrize("ring", ["C3H6", "C2OH4", "C2SH4", "C2NH5"])
def test_rings_of_three_stay_closed(ring):
    """Cyclopropane, oxirane, thiirane and aziridine by their published bond lengths, vibrating."""
    lengths = {"C3H6": (1.51, 1.51), "C2OH4": (1.47, 1.43), "C2SH4": (1.48, 1.82), "C2NH5": (1.48, 1.47)}[ring]
    third = {"C3H6": "C", "C2OH4": "O", "C2SH4": "S", "C2NH5": "N"}[ring]
    base, side = lengths
    positions = np.array([[-base / 2, 0, 0], [base / 2, 0, 0], [0, np.sqrt(side**2 - base**2 / 4), 0]])
    moves = np.random.default_rng(2).normal(scale=0.05, size=(FRAMES, 3, 3))
    places = 20.0 * np.stack(np.unravel_index(np.arange(FRAMES), (13,) * 3), axis=1)
    atoms = Atoms(["C", "C", third] * FRAMES, (positions + moves + places[:, None]).reshape(-1, 3))
    counts = np.bincount(bonds(atoms).min(axis=1) // 3, minlength=FRAMES)
    assert (counts == 3).sum() > 0.999 * FRAMES


@pytest.mark.parametrize(("halide", "distance"), [("I", 2.3), ("Br", 2.0), ("Cl", 1.8), ("F", 1.22)])
def test_a_hydrogen_bond_to_a_halide_is_no_bond(halide, distance):
    water = molecule("H2O")
    oxygen, hydrogen = 0, 1
    assert water.symbols[0] == "O"
    axis = water.positions[hydrogen] - water.positions[oxygen]
    place = water.positions[hydrogen] + distance * axis / np.linalg.norm(axis)
    topology = Topology.of(water + Atoms(halide, [place]))
    assert sorted(topology.formulas) == sorted(["H2O", halide])


@pytest.mark.parametrize(("place", "bond"), [(1.14, [0, 1]), (1.16, [1, 2]), (0.95, [0, 1])])
def test_a_proton_between_two_atoms_belongs_to_the_nearer(place, bond):
    assert bonds(Atoms("FHF", [[0, 0, 0], [place, 0, 0], [2.3, 0, 0]])).tolist() == [bond]


def test_a_cage_of_boron_keeps_the_bonds_that_vibrate():
    """closo-[B12H12]2-: an icosahedron of 30 edges of 1.78 Å, with an H at each corner, one of them at 1.40 Å."""
    golden = (1 + 5**0.5) / 2
    corners = np.array([np.roll([0, a, b * golden], k) for k in range(3) for a in (1, -1) for b in (1, -1)])
    lengths = np.full(12, 1.2)
    lengths[5] = 1.40
    boron = 0.89 * corners  # edges of 2 become 1.78
    hydrogen = boron + lengths[:, None] * corners / np.linalg.norm(corners, axis=1, keepdims=True)
    found = bonds(Atoms("B12H12", np.concatenate([boron, hydrogen])))
    kinds = [sum(index >= 12 for index in pair) for pair in found.tolist()]
    assert (kinds.count(0), kinds.count(1), kinds.count(2)) == (30, 12, 0)
