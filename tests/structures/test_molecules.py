"""The library: every entry against its SMILES as RDKit reads it, against GFN1-xTB, and found again in a packed box."""

from collections import Counter

import numpy as np
import pytest
from ase.neighborlist import NeighborList, natural_cutoffs
from ase.optimize import BFGS

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, molecule, pack
from electrolyte_ml.structures.smiles import conformers
from electrolyte_ml.trajectories import open_trajectory

# Name -> Hill formula, charge, and donors by kind, as a chemist counts them.
LIBRARY = {
    "EC": ("C3H4O3", 0, {"carbonyl": 1, "ether": 2}),
    "EMC": ("C4H8O3", 0, {"carbonyl": 1, "ether": 2}),
    "DMC": ("C3H6O3", 0, {"carbonyl": 1, "ether": 2}),
    "DEC": ("C5H10O3", 0, {"carbonyl": 1, "ether": 2}),
    "PC": ("C4H6O3", 0, {"carbonyl": 1, "ether": 2}),
    "FEC": ("C3H3FO3", 0, {"carbonyl": 1, "ether": 2}),
    "VC": ("C3H2O3", 0, {"carbonyl": 1, "ether": 2}),
    "GBL": ("C4H6O2", 0, {"carbonyl": 1, "ether": 1}),
    "DME": ("C4H10O2", 0, {"ether": 2}),
    "DOL": ("C3H6O2", 0, {"ether": 2}),
    "TEGDME": ("C10H22O5", 0, {"ether": 5}),
    "SL": ("C4H8O2S", 0, {"sulfonyl": 2}),
    "AN": ("C2H3N", 0, {"nitrile": 1}),
    "H2O": ("H2O", 0, {"water": 1}),
    "Li": ("Li", 1, {}),
    "Na": ("Na", 1, {}),
    "K": ("K", 1, {}),
    "Mg": ("Mg", 2, {}),
    "PF6": ("F6P", -1, {"fluoride": 6}),
    "BF4": ("BF4", -1, {"fluoride": 4}),
    "TFSI": ("C2F6NO4S2", -1, {"sulfonyl": 4, "imide": 1}),
    "FSI": ("F2NO4S2", -1, {"sulfonyl": 4, "imide": 1}),
    "ClO4": ("ClO4", -1, {"perchlorate": 4}),
    "NO3": ("NO3", -1, {"nitrate": 3}),
    "OTf": ("CF3O3S", -1, {"sulfonyl": 3}),
    "BOB": ("C4BO8", -1, {"oxalate": 4, "borate": 4}),
    "DFOB": ("C2BF2O4", -1, {"oxalate": 2, "borate": 2, "fluoride": 2}),
}
FLEXIBLE = ["EMC", "DEC", "DME", "TEGDME", "TFSI"]


def bonds_from_covalent_radii(atoms):
    neighbours = NeighborList([1.15 * r for r in natural_cutoffs(atoms)], skin=0, self_interaction=False)
    neighbours.update(atoms)
    return {tuple(sorted((i, int(j)))) for i in range(len(atoms)) for j in neighbours.get_neighbors(i)[0]}


def test_the_library_holds_what_is_counted_here():
    found = {
        name: (m.formula, m.charge, {kind: len(atoms) for kind, atoms in m.donors.items()})
        for name, m in MOLECULES.items()
    }
    assert found == LIBRARY


@pytest.mark.parametrize("name", LIBRARY)
def test_record_agrees_with_its_geometry(name):
    record, atoms = MOLECULES[name], molecule(name)
    assert atoms.info == {"name": name, "charge": record.charge}
    assert set(record.bonds) == bonds_from_covalent_radii(atoms)
    assert all(i < j for i, j in record.bonds)
    assert np.allclose(atoms.get_center_of_mass(), 0)
    assert record.mass == pytest.approx(atoms.get_masses().sum())
    atoms.positions += 1  # a copy: the record must not follow
    assert np.array_equal(record.positions, molecule(name).positions)


@pytest.mark.parametrize("name", LIBRARY)
def test_charge_and_bonds_are_those_that_rdkit_reads_in_the_smiles(name):
    """RDKit itself maps its molecule onto the bonds of the file, whatever their order."""
    chem = pytest.importorskip("rdkit.Chem")
    record = MOLECULES[name]
    mol = chem.AddHs(chem.MolFromSmiles(record.smiles))
    assert chem.GetFormalCharge(mol) == record.charge == sum(atom.GetFormalCharge() for atom in mol.GetAtoms())
    graph = chem.RWMol()
    for symbol in record.symbols:
        graph.AddAtom(chem.Atom(symbol))
    for i, j in record.bonds:
        graph.AddBond(i, j, chem.BondType.UNSPECIFIED)
    parameters = chem.AdjustQueryParameters.NoAdjustments()
    parameters.makeBondsGeneric = True
    wanted = chem.RWMol()
    for atom in mol.GetAtoms():
        wanted.AddAtom(chem.Atom(atom.GetSymbol()))
    for bond in mol.GetBonds():
        wanted.AddBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), chem.BondType.UNSPECIFIED)
    assert graph.GetNumBonds() == mol.GetNumBonds() and graph.GetNumAtoms() == mol.GetNumAtoms()
    assert graph.HasSubstructMatch(chem.AdjustQueryProperties(wanted, parameters))


@pytest.mark.parametrize("name", LIBRARY)
def test_bond_orders_that_rdkit_finds_in_the_geometry_carry_the_charge(name):
    """Bond orders perceived from positions and charge give every atom a sensible valence, with no radical."""
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import rdDetermineBonds

    record = MOLECULES[name]
    if len(record.symbols) == 1 or name in ("PF6", "BF4", "ClO4", "BOB", "DFOB"):
        pytest.skip("RDKit's perception has no valence for this centre")
    lines = [f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip(record.symbols, record.positions)]
    mol = chem.MolFromXYZBlock("\n".join([str(len(lines)), "", *lines]))
    rdDetermineBonds.DetermineBonds(mol, charge=record.charge)
    assert {tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in mol.GetBonds()} == set(record.bonds)
    assert not any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
    assert chem.GetFormalCharge(mol) == record.charge
    if record.charge:
        return  # of several resonance structures any may be found
    flat = chem.MolToSmiles(chem.RemoveHs(mol), isomericSmiles=False)
    assert flat == chem.MolToSmiles(chem.MolFromSmiles(record.smiles), isomericSmiles=False)


@pytest.mark.parametrize("name", LIBRARY)
def test_found_again_in_a_packed_box(name):
    """Name, role, charge, molecules and donors of an electrolyte with it, with all atoms in another order."""
    record = MOLECULES[name]
    other = {"cation": "PF6", "anion": "Li", "solvent": "DMC" if name == "EC" else "EC"}[record.role]
    counts = {name: 2, other: abs(2 * record.charge) or 3}
    box = pack(counts, 0.6, seed=1)
    order = np.random.default_rng(0).permutation(len(box))
    box = box[order]
    box.wrap()
    trajectory = open_trajectory(box)
    assert {key: len(species) for key, species in trajectory.roles.items()} == counts
    species = trajectory.roles[name]
    assert (species.kind, species.charge, species.formula) == (record.role, record.charge, record.formula)
    assert {kind: len(atoms) for kind, atoms in species.donors.items()} == {
        kind: 2 * len(atoms) for kind, atoms in record.donors.items()
    }
    back = np.argsort(order)  # of each packed atom, where it stands now
    starts = np.arange(2) * len(record.symbols)
    for kind, atoms in record.donors.items():
        where = [start + atom for start in starts for atom in atoms]
        assert sorted(back[where]) == species.donors[kind].tolist()
    trajectory.require_neutral()


@pytest.mark.parametrize("name", FLEXIBLE)
def test_conformers_are_the_same_molecule(name):
    pytest.importorskip("rdkit")
    record = MOLECULES[name]
    shapes = conformers(record, 6, seed=3)
    assert len(shapes) > 1
    insides = [np.linalg.norm(shape[:, None] - shape, axis=2) for shape in shapes]
    assert min(np.abs(insides[0] - other).max() for other in insides[1:]) > 0.5  # they are different shapes
    for shape in shapes:
        atoms = record.atoms()
        atoms.positions = shape
        atoms.set_cell([40] * 3)
        atoms.pbc = True
        assert list(open_trajectory(atoms).roles) == [name]


def test_pf6_is_an_octahedron():
    atoms = molecule("PF6")
    angles = sorted(atoms.get_angle(a, 0, b) for a in range(1, 7) for b in range(1, a))
    assert np.allclose(angles, [90] * 12 + [180] * 3)


def test_ring_of_ec_is_planar_and_emc_has_both_alkyls_beside_the_carbonyl():
    assert np.ptp(molecule("EC").positions[:6, 2]) < 0.02
    emc = molecule("EMC")
    for ester_oxygen, alkyl in ((2, 4), (3, 5)):
        turn = emc.get_dihedral(1, 0, ester_oxygen, alkyl)
        assert min(turn, 360 - turn) < 5


# Bond lengths in Å measured in the gas phase by electron diffraction or microwave spectroscopy, to 0.04 Å: water
# (Benedict 1956), acetonitrile (Costain 1958: CN, CC). GFN1-xTB is no better than that.
@pytest.mark.parametrize(
    ("name", "pair", "length"),
    [("H2O", ("O", "H"), 0.958), ("AN", ("C", "N"), 1.157), ("AN", ("C", "C"), 1.458)],
)
def test_bond_lengths_are_those_that_were_measured(name, pair, length):
    record, atoms = MOLECULES[name], molecule(name)
    lengths = [atoms.get_distance(i, j) for i, j in record.bonds if {*pair} == {record.symbols[i], record.symbols[j]}]
    assert lengths and np.allclose(lengths, length, atol=0.04)


def gfn1(atoms, charge):
    from tblite.ase import TBLite

    atoms.calc = TBLite(method="GFN1-xTB", charge=charge, accuracy=0.05, verbosity=0)
    return atoms


def minimise(atoms, charge):
    assert BFGS(gfn1(atoms, charge), logfile=None).run(fmax=1e-3, steps=800)
    return atoms


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LIBRARY if MOLECULES[name].bonds])
def test_geometry_is_the_reference_minimum(name):
    pytest.importorskip("tblite")
    record, ours = MOLECULES[name], molecule(name)
    relaxed = ours.copy()
    # Away from the stored geometry first, so that a saddle point would not hold.
    relaxed.positions += np.random.default_rng(0).normal(scale=0.03, size=relaxed.positions.shape)
    minimise(relaxed, record.charge)
    for i, j in record.bonds:
        assert ours.get_distance(i, j) == pytest.approx(relaxed.get_distance(i, j), abs=0.02)
    for i, j, k in bonded_angles(record):
        assert ours.get_angle(i, j, k) == pytest.approx(relaxed.get_angle(i, j, k), abs=2)
    inner = np.linalg.norm(ours.positions[:, None] - ours.positions, axis=2)
    assert np.allclose(inner, relaxed.get_all_distances(), atol=0.06)  # the same conformer, far ends included


def bonded_angles(record):
    pairs = [*record.bonds, *(bond[::-1] for bond in record.bonds)]
    return [(a, centre, b) for a, centre in pairs for c, b in pairs if c == centre and a < b]


@pytest.mark.slow
def test_no_other_conformer_of_emc_is_lower():
    pytest.importorskip("tblite")
    ours = gfn1(molecule("EMC"), 0).get_potential_energy()
    for methyl, ethyl, chain in ((0, 0, 180), (0, 180, 180), (0, 180, 77), (180, 0, 180), (180, 0, 77)):
        other = molecule("EMC")
        other.set_dihedral(1, 0, 2, 4, methyl, indices=[4, 7, 8, 9])
        other.set_dihedral(1, 0, 3, 5, ethyl, indices=[5, 6, 10, 11, 12, 13, 14])
        other.set_dihedral(0, 3, 5, 6, chain, indices=[6, 10, 11, 12, 13, 14])
        assert minimise(other, 0).get_potential_energy() > ours + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", FLEXIBLE[:3])
def test_no_conformer_from_another_seed_is_lower(name):
    pytest.importorskip("tblite")
    pytest.importorskip("rdkit")
    record = MOLECULES[name]
    ours = gfn1(molecule(name), record.charge).get_potential_energy()
    for shape in conformers(record, 8, seed=11)[:2]:
        other = molecule(name)
        other.positions = shape
        assert minimise(other, record.charge).get_potential_energy() > ours - 0.002


def test_molecules_of_the_library_all_differ():
    graphs = {name: record.graph for name, record in MOLECULES.items()}
    same = [(a, b) for a in graphs for b in graphs if graphs[a].mapping_to(graphs[b]) is not None]
    assert same == [(name, name) for name in graphs]
    words = Counter(word for record in MOLECULES.values() for word in record.full_name.casefold().split(", "))
    assert max(words.values()) == 1 and not {name.casefold() for name in graphs} & set(words)


def test_unknown_molecule_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"no molecule 'XYZ'; there are AN, BF4, .*VC, their salts"):
        molecule("XYZ")
