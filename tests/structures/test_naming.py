"""Molecules by name, SMILES, file or table, and what is refused in one line."""

import sys

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, bonds, find_molecule, molecule, name_molecule
from electrolyte_ml.structures.naming import molecules_of_tables

THF = "C1CCOC1"


@pytest.fixture
def rdkit():
    return pytest.importorskip("rdkit")


@pytest.mark.parametrize(
    ("smiles", "name"),
    [
        ("C1COC(=O)O1", "EC"),
        ("O=C1OCCO1", "EC"),
        ("CC1COC(=O)O1", "PC"),
        ("F[P-](F)(F)(F)(F)F", "PF6"),
        ("[O-][Cl+3]([O-])([O-])[O-]", "ClO4"),
        ("[O-]N(=O)=O", "NO3"),
        ("O=C1O[B-]2(OC1=O)OC(=O)C(=O)O2", "BOB"),
        ("[Mg++]", "Mg"),
        ("smiles:O", "H2O"),
    ],
)
def test_a_smiles_of_a_molecule_of_the_library_is_that_one(rdkit, smiles, name):
    assert find_molecule(smiles) is MOLECULES[name]


def test_another_smiles_makes_a_molecule(rdkit):
    found = find_molecule(THF)
    assert (found.name, found.formula, found.charge, found.role) == (THF, "C4H8O", 0, "solvent")
    assert {kind: len(atoms) for kind, atoms in found.donors.items()} == {"ether": 1}
    assert {tuple(pair) for pair in bonds(found.atoms())} == set(found.bonds)
    again = find_molecule(THF)
    np.testing.assert_array_equal(found.positions, again.positions)
    # Bonds as long as those of ethers and alkanes.
    lengths = {
        frozenset((found.symbols[i], found.symbols[j])): found.atoms().get_distance(i, j) for i, j in found.bonds
    }
    assert lengths[frozenset("CO")] == pytest.approx(1.43, abs=0.03)
    assert lengths[frozenset("C")] == pytest.approx(1.53, abs=0.03)


def test_handedness_is_that_of_the_smiles(rdkit):
    from rdkit.Chem import AllChem, MolFromXYZBlock, rdDetermineBonds

    for smiles in ("C[C@H]1COC(=O)O1", "C[C@@H]1COC(=O)O1"):
        found = find_molecule(smiles)
        assert found is not MOLECULES["PC"] and found.formula == "C4H6O3"
        lines = [f"{s} {x} {y} {z}" for s, (x, y, z) in zip(found.symbols, found.positions)]
        mol = MolFromXYZBlock("\n".join([str(len(lines)), "", *lines]))
        rdDetermineBonds.DetermineBonds(mol, charge=0)
        AllChem.AssignStereochemistryFrom3D(mol)
        assert AllChem.MolToSmiles(AllChem.RemoveHs(mol)) == AllChem.MolToSmiles(AllChem.MolFromSmiles(smiles))


def test_names_come_before_smiles(rdkit):
    assert find_molecule("PC") is MOLECULES["PC"]
    methylphosphine = find_molecule("smiles:PC")
    assert (methylphosphine.name, methylphosphine.formula) == ("smiles:PC", "CH5P")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C1CC", "cannot read 'C1CC' as a SMILES"),
        ("C(C)(C)(C)(C)C", r"cannot read 'C\(C\)\(C\)\(C\)\(C\)C' as a SMILES: .*valence.*greater than permitted"),
        ("C1COC(=O)O1.O", "describes 2 molecules"),
        ("[Li+].[Cl-]", "describes 2 molecules"),
        ("smiles:", "cannot read '' as a SMILES"),
        ("[2H]O[2H]", r"\[2H\] is not an element or is an isotope"),
        ("C*", "is not an element or is an isotope"),
        ("LiPF6", "LiPF6 is a salt, not one molecule: name Li or PF6"),
        ("PCC", "'PCC' is a SMILES and resembles a name: write smiles:PCC for the SMILES, or PC"),
        ("C1#CC1", "no geometry"),
        ("ethylen carbonate", r"did you mean EC \(ethylene carbonate\)"),
        ("acetonitril", r"did you mean AN \(acetonitrile"),
        ("emc", "did you mean .*EMC"),
        ("", "no molecule ''"),
        ("box.pdb", "no molecule 'box.pdb'|cannot read"),
    ],
)
def test_what_cannot_be_understood_is_one_line(rdkit, text, message):
    with pytest.raises(InputError, match=message) as caught:
        find_molecule(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "charge"), [("EC", 1), ("C1COC(=O)O1", -1), ("PF6", 0), ("CC(=O)[O-]", 0)])
def test_another_charge_than_that_of_the_molecule_is_refused(rdkit, text, charge):
    with pytest.raises(InputError, match=r"has charge (0|-1), not (\+1|-1|0)$"):
        find_molecule(text, charge=charge)


def test_without_rdkit_names_work_and_a_smiles_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    monkeypatch.setattr("electrolyte_ml.structures.naming.find_spec", lambda name: None)
    assert find_molecule("PC").name == "PC"
    with pytest.raises(InputError, match=r"install RDKit: pip install '\.\[molecules\]' in the source tree"):
        find_molecule(THF)
    with pytest.raises(InputError, match="no molecule 'XYZ'"):
        find_molecule("XYZ")


def test_molecules_of_ones_own_have_names_of_their_own(rdkit):
    own = {"THF": name_molecule("THF", THF)}
    assert find_molecule("THF", own) is own["THF"]
    assert find_molecule("smiles:C1CCCO1", own) is own["THF"]
    for name, message in (("EC", "in the library already"), ("LiPF6", "in the library already"), ("a=b", "letters")):
        with pytest.raises(InputError, match=message):
            name_molecule(name, THF)


def test_tables_of_settings(rdkit, tmp_path):
    (tmp_path / "ion.xyz").write_text("1\n\nCs 0 0 0\n")
    found = molecules_of_tables(
        {"THF": {"smiles": THF}, "Cs": {"file": str(tmp_path / "ion.xyz"), "charge": 1}, "MeOH": {"smiles": "CO"}}
    )
    assert {name: (m.name, m.formula, m.charge) for name, m in found.items()} == {
        "THF": ("THF", "C4H8O", 0),
        "Cs": ("Cs", "Cs", 1),
        "MeOH": ("MeOH", "CH4O", 0),
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "molecules.X = {}: write smiles or file"),
        ({"smiles": THF, "file": "x.xyz"}, "write smiles or file"),
        ({"smiles": THF, "colour": 1}, "write smiles or file"),
        ({"smiles": 3}, "molecules.X.smiles = 3: must be a text"),
        ({"smiles": THF, "charge": 0.5}, "molecules.X.charge = 0.5: must be a whole number"),
        ({"smiles": THF, "charge": 1}, r"molecules.X: .*has charge 0, not \+1"),
        ({"smiles": "C1CC"}, "molecules.X: cannot read 'C1CC'"),
    ],
)
def test_wrong_tables_are_named(rdkit, table, message):
    with pytest.raises(InputError, match=message):
        molecules_of_tables({"X": table})


def test_molecule_is_alone_in_vacuum():
    atoms = molecule("EC")
    assert not atoms.pbc.any() and atoms.info == {"name": "EC", "charge": 0}
