from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import find_mic
from hypothesis import example, given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, Topology, bonds, changes, molecule, pack, read_configurations
from electrolyte_ml.structures.topology import molecules

MIXTURE = {"EC": 2, "EMC": 1, "LiPF6": 1}
FORMULAS = Counter({"C3H4O3": 2, "C4H8O3": 1, "Li": 1, "F6P": 1})


@pytest.fixture(scope="module")
def box():
    return pack(MIXTURE, 0.9, seed=3)


def expected_bonds(names):
    found, first = [], 0
    for name in names:
        found += [(i + first, j + first) for i, j in MOLECULES[name].bonds]
        first += len(MOLECULES[name].symbols)
    return found


def disguise(atoms, seed):
    """The same matter in another cell: sheared by lattice vectors, turned, shifted, atoms in random images."""
    rng = np.random.default_rng(seed)
    atoms = atoms.copy()
    shear = np.eye(3, dtype=int)
    shear[1, 0], shear[2, 0], shear[2, 1] = rng.integers(-2, 3, size=3)
    atoms.set_cell(shear @ atoms.cell.array, scale_atoms=False)
    atoms.rotate(rng.uniform(0, 360), rng.normal(size=3), rotate_cell=True)
    atoms.positions += rng.normal(size=3) * 10
    atoms.positions += rng.integers(-2, 3, size=(len(atoms), 3)) @ atoms.cell.array
    if rng.random() < 0.5:
        atoms.wrap()
    return atoms


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_molecules_are_the_same_in_every_disguise(box, seed):
    atoms = disguise(box, seed)
    topology = Topology.of(atoms)
    assert topology.counts() == FORMULAS
    assert topology.formulas == ("C3H4O3", "C3H4O3", "C4H8O3", "Li", "F6P")
    assert topology.names == ("EC", "EC", "EMC", "Li", "PF6")
    assert {tuple(bond) for bond in topology.bonds} == set(expected_bonds(["EC", "EC", "EMC", "Li", "PF6"]))
    assert not topology.endless.any()
    # Unwrapped molecules have the distances of the ones packed, without any periodic boundary.
    for k in range(5):
        mine = topology.labels == k
        np.testing.assert_allclose(
            Atoms(positions=topology.unwrapped[mine]).get_all_distances(),
            Atoms(positions=box.positions[mine]).get_all_distances(),
            atol=1e-8,
        )
    # Atoms were moved by whole lattice vectors, the first of each molecule not at all.
    steps = (topology.unwrapped - atoms.positions) @ np.linalg.inv(atoms.cell.array)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-8)
    first = np.unique(topology.labels, return_index=True)[1]
    np.testing.assert_array_equal(topology.unwrapped[first], atoms.positions[first])
    assert changes(Topology.of(box), atoms) is None


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_order_of_atoms_does_not_matter(box, seed):
    order = np.random.default_rng(seed).permutation(len(box))
    topology = Topology.of(box[order])
    assert topology.counts() == FORMULAS
    # Numbered by their first atoms.
    assert np.all(np.diff(np.unique(topology.labels, return_index=True)[1]) > 0)


@pytest.mark.parametrize("name", MOLECULES)
def test_molecule_in_vacuum_has_its_own_bonds(name):
    found = bonds(molecule(name))
    assert found.shape == (len(MOLECULES[name].bonds), 2)
    assert {tuple(bond) for bond in found} == set(MOLECULES[name].bonds)


def test_lithium_coordinates_but_never_bonds():
    atoms = molecule("EC") + Atoms("Li", [molecule("EC").positions[1] + [1.7, 0, 0]])
    assert Topology.of(atoms).counts() == Counter({"C3H4O3": 1, "Li": 1})
    pair = Atoms("Li2", [[0, 0, 0], [0, 0, 1]])
    assert len(bonds(pair)) == 0


@pytest.mark.parametrize("pbc", [(True, False, False), (False, True, True), (False, False, False)])
def test_partly_periodic_cells_join_only_along_their_periods(pbc):
    atoms = molecule("EC")
    atoms.set_cell(np.diag([9.0, 10.0, 11.0]))
    for axis in range(3):
        torn = atoms.copy()
        torn.positions[0, axis] += atoms.cell[axis, axis]
        assert (Topology.of(wrap_flags(torn, pbc)).counts() == Counter({"C3H4O3": 1})) == pbc[axis]


def wrap_flags(atoms, pbc):
    atoms.pbc = pbc
    return atoms


def test_chain_through_the_boundary_is_endless():
    chain = Atoms("C2", [[0, 0, 0], [1.4, 0, 0]], cell=[2.8, 8, 8], pbc=True)
    topology = Topology.of(chain)
    assert topology.counts() == Counter({"C2": 1})
    assert topology.endless.tolist() == [True]
    alone = Atoms("C", cell=[1.5, 8, 8], pbc=True)
    assert Topology.of(alone).endless.tolist() == [True]
    open_end = Atoms("C2", [[0, 0, 0], [1.4, 0, 0]], cell=[5.0, 8, 8], pbc=True)
    assert Topology.of(open_end).endless.tolist() == [False]


def test_molecules_come_whole_and_say_which_atoms_they_are(box):
    wrapped = box.copy()
    wrapped.wrap()
    order = np.random.default_rng(0).permutation(len(box))
    shuffled = wrapped[order]
    parts = molecules(shuffled)
    assert Counter(part.get_chemical_formula("hill") for part in parts) == FORMULAS
    assert sorted(np.concatenate([part.arrays["index"] for part in parts])) == list(range(len(box)))
    for part in parts:
        assert not part.pbc.any()
        indices = part.arrays["index"]
        assert np.array_equal(part.numbers, shuffled.numbers[indices])
        inside, _ = find_mic(shuffled.positions[indices] - part.positions, shuffled.cell, pbc=True)
        assert np.allclose(inside, 0, atol=1e-8)
        whole = box.positions[order[indices]]
        assert np.allclose(part.get_all_distances(), Atoms(positions=whole).get_all_distances(), atol=1e-8)


def stretched(atoms, mover, fixed, distance):
    """Move one atom along its bond until the bond has this length."""
    atoms = atoms.copy()
    direction = atoms.positions[mover] - atoms.positions[fixed]
    atoms.positions[mover] = atoms.positions[fixed] + direction * distance / np.linalg.norm(direction)
    return atoms


@pytest.mark.parametrize(
    ("distance", "broken"), [(0.9, False), (1.35, False), (1.60, False), (1.80, True), (4.0, True)]
)
def test_bond_breaks_far_beyond_any_vibration(distance, broken):
    atoms = molecule("EC")
    message = changes(Topology.of(atoms), stretched(atoms, 6, 4, distance))
    assert (message is not None) == broken
    if broken:
        assert "broken bond C5-H7 of EC (molecule 1)" in message
        assert "\n" not in message


def test_fused_molecules_are_named(box):
    atoms = box.copy()
    carbonyl, carbon = 1, 10  # O of the first EC, C of the second
    atoms.positions[:10] += atoms.positions[carbon] + [1.4, 0, 0] - atoms.positions[carbonyl]
    message = changes(Topology.of(box), atoms)
    assert "new bond" in message
    assert "EC (molecule 1) and EC (molecule 2)" in message or "molecule 3" in message


def test_proton_that_jumps_is_broken_and_made():
    pair = molecule("EC") + molecule("EC")
    pair.positions[10:] += [0, 0, 6]
    reference = Topology.of(pair)
    pair.positions[6] = pair.positions[11] + [0, 0, -0.97]
    message = changes(reference, pair)
    assert "broken bond C5-H7 of EC (molecule 1)" in message
    assert "new bond H7-O12 of EC (molecule 1) and EC (molecule 2)" in message


def test_coordinated_lithium_is_no_change():
    atoms = pack({"EC": 1, "Li": 1}, 0.3, charge=1)
    reference = Topology.of(atoms)
    atoms.positions[10] = atoms.positions[1] + [1.6, 0, 0]
    assert changes(reference, atoms) is None


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
@example(seed=56821570)  # with 0.2 Å along each axis a C-H came to 1.5 Å
def test_vibrations_at_400_kelvin_never_trigger(box, seed):
    """Random displacements of the thermal amplitude of a C-H stretch, 0.08 Å, in every direction, up to 0.2 Å."""
    moved = box.copy()
    by = np.random.default_rng(seed).normal(scale=0.08, size=moved.positions.shape)
    moved.positions += by * np.minimum(1.0, 0.2 / np.linalg.norm(by, axis=1, keepdims=True))
    reference = Topology.of(box)
    assert changes(reference, moved) is None
    assert Topology.of(moved).counts() == FORMULAS


def test_other_atoms_cannot_be_compared(box):
    with pytest.raises(InputError, match="same atoms"):
        changes(Topology.of(box), box[:-1])


def test_positions_that_are_not_finite_are_refused(box):
    atoms = box.copy()
    atoms.positions[4, 1] = np.nan
    with pytest.raises(InputError, match="the position of atom 5 is not finite"):
        Topology.of(atoms)


def test_molecules_of_foreign_liquids_are_found(shared_data):
    path = shared_data / "ecemc_dft" / "train.xyz"
    for atoms in read_configurations(path):
        if len(atoms) > 1:
            assert Topology.of(atoms).counts() == Counter({"C3H4O3": 4, "C4H8O3": 8})


def test_hot_liquids_do_not_look_broken_from_one_configuration_to_the_next(shared_data):
    """The liquids, 300 to 1200 K, list their atoms in one order: the bonds of the first must hold in all."""
    liquids = [atoms for atoms in read_configurations(shared_data / "ecemc_dft" / "train.xyz") if len(atoms) > 1]
    reference = Topology.of(liquids[0])
    assert [changes(reference, atoms) for atoms in liquids] == [None] * 160


def test_molecules_of_foreign_clusters_are_those_named_in_the_file(shared_data):
    clusters = read_configurations(
        shared_data / "solvent_xtb" / "train_200.xyz", energy_key="energy_xtb", forces_key="forces_xtb"
    )
    clusters = [atoms for atoms in clusters if "molID" in atoms.arrays and len(atoms) > 1]
    same = 0
    for atoms in clusters:
        labels = Topology.of(atoms).labels
        named = np.unique(atoms.arrays["molID"], return_inverse=True)[1]
        same += len(set(zip(labels, named))) == labels.max() + 1 == named.max() + 1
    assert same >= 0.97 * len(clusters)  # a few were made so hot that an H or a CH3 is on its way out


def test_bonds_that_a_file_names_make_the_same_molecules():
    """Of molecules that the faces of a skewed cell cut, whatever the order and the direction of the bonds."""
    atoms = pack({"EC": 3, "EMC": 2, "Li": 1, "PF6": 1}, density=0.9, seed=5)
    skew = np.array([[1, 0, 0], [0.2, 1, 0], [-0.1, 0.3, 1]])
    atoms.set_cell(skew @ atoms.cell.array, scale_atoms=False)
    atoms.positions += 0.5 * atoms.cell.array[0]
    atoms.wrap()
    found = Topology.of(atoms)
    assert np.abs(found.unwrapped - atoms.positions).max() > 1.0
    given = Topology.of_bonds(atoms, np.random.default_rng(0).permutation(found.bonds)[:, ::-1])
    np.testing.assert_array_equal(given.labels, found.labels)
    assert given.formulas == found.formulas
    np.testing.assert_allclose(given.unwrapped, found.unwrapped)


@pytest.mark.parametrize("apart", [2.4, 2.5, 2.6, 2.72, 2.9])
def test_sulfur_atoms_on_one_nitrogen_are_not_bonded_however_the_angle_bends(apart):
    atoms = molecule("TFSI")
    first, second = (k for k, symbol in enumerate(atoms.symbols) if symbol == "S")
    nitrogen = next(k for k, symbol in enumerate(atoms.symbols) if symbol == "N")
    reference = Topology.of(atoms)
    beyond = [k for k in range(len(atoms)) if k not in half_of(atoms, first, nitrogen)]
    sides = [atoms.get_distance(nitrogen, sulfur) for sulfur in (first, second)]
    cosine = (sides[0] ** 2 + sides[1] ** 2 - apart**2) / (2 * sides[0] * sides[1])
    moving = [k for k in beyond if k != nitrogen]
    atoms.set_angle(first, nitrogen, second, np.degrees(np.arccos(cosine)), indices=moving)
    assert atoms.get_distance(first, second) == pytest.approx(apart)
    np.testing.assert_array_equal(Topology.of(atoms).bonds, reference.bonds)
    assert changes(reference, atoms) is None


def half_of(atoms, start, without):
    """Atoms that bonds join to `start` once `without` is taken away."""
    pairs = [tuple(pair) for pair in bonds(atoms) if without not in pair]
    found = {start}
    while grown := {k for pair in pairs if found & {*pair} for k in pair} - found:
        found |= grown
    return found


def test_three_membered_rings_keep_their_bonds():
    ring = Atoms("C2H4O", [[0, 0.78, 0.73], [0, -0.78, 0.73]] + [[0, 0, 0]] * 4 + [[0, 0, -0.5]])
    ring.positions[2:6] = [[x, y, 0.97 + 0.2] for x in (0.9, -0.9) for y in (1.25, -1.25)]
    pairs = {tuple(pair) for pair in bonds(ring)}
    assert {(0, 1), (0, 6), (1, 6)} <= pairs and len(pairs) == 7


@pytest.mark.parametrize("metal", ["Li", "Na", "K", "Mg", "Ca", "Zn"])
def test_metals_of_salts_coordinate_but_never_bond(metal):
    from electrolyte_ml.trajectories.static_frames import shell

    atoms = shell(["PF6", "EC", "EC", "EMC"]).atoms
    atoms.symbols[0] = metal
    assert Topology.of(atoms).formulas[0] == metal
