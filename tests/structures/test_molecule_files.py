"""Files of one molecule: what is written is read back, and what contradicts itself is refused."""

from dataclasses import replace

import numpy as np
import pytest
from ase.io import read

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures import MOLECULES, find_molecule, read_molecule, write_molecule

MOL = """
     test

  5  4  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 B   0  5  0  0  0  0  0  0  0  0  0  0
    0.8100    0.8100    0.8100 F   0  0  0  0  0  0  0  0  0  0  0  0
   -0.8100   -0.8100    0.8100 F   0  0  0  0  0  0  0  0  0  0  0  0
   -0.8100    0.8100   -0.8100 F   0  0  0  0  0  0  0  0  0  0  0  0
    0.8100   -0.8100   -0.8100 F   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0
  1  3  1  0
  1  4  1  0
  1  5  1  0
M  CHG  1   1  -1
M  END
"""


@pytest.mark.parametrize("name", MOLECULES)
def test_what_is_written_is_read_back(tmp_path, name):
    record = MOLECULES[name]
    write_molecule(tmp_path / f"{name}.xyz", record)
    again = read_molecule(tmp_path / f"{name}.xyz")
    for field in ("name", "charge", "symbols", "bonds", "full_name", "smiles", "geometry", "made_by", "formula"):
        assert getattr(again, field) == getattr(record, field)
    np.testing.assert_allclose(again.positions, record.positions, atol=1e-4)
    assert again.donors == record.donors
    assert read(tmp_path / f"{name}.xyz").get_chemical_formula("hill") == record.formula  # a plain XYZ to others


def test_a_smiles_with_a_backslash_survives(tmp_path):
    record = replace(MOLECULES["AN"], smiles="F/C=C\\F")
    write_molecule(tmp_path / "x.xyz", record)
    assert read_molecule(tmp_path / "x.xyz").smiles == "F/C=C\\F"


@pytest.fixture
def xyz(tmp_path):
    """Return a function that writes acetonitrile, lightly changed, with any second line."""

    def build(comment, change=lambda lines: lines, name="mine.xyz"):
        record = MOLECULES["AN"]
        lines = [f"{s} {x} {y} {z}" for s, (x, y, z) in zip(record.symbols, record.positions)]
        lines = change(lines)
        (tmp_path / name).write_text("\n".join([str(len(lines)), comment, *lines, ""]))
        return tmp_path / name

    return build


def test_a_plain_xyz_needs_its_charge(xyz):
    with pytest.raises(InputError, match="mine.xyz does not state the charge: write charge=0 .*--charge 0"):
        read_molecule(xyz("made elsewhere"))
    found = read_molecule(xyz("made elsewhere"), charge=0)
    assert (found.name, found.formula, set(found.bonds)) == ("mine", "C2H3N", set(MOLECULES["AN"].bonds))
    assert find_molecule(str(xyz("charge=0"))).charge == 0


@pytest.mark.parametrize(
    ("comment", "charge", "message"),
    [
        ("charge=-1", 0, "mine.xyz has charge -1, not 0"),
        ("charge=0.5", None, "mine.xyz.*not a whole number"),
        ('charge=0 bonds="1-2 2-3"', None, "atoms . and . are bonded according to its positions, not to its bonds"),
        ('charge=0 bonds="1:2"', None, "cannot read bonds="),
    ],
)
def test_an_xyz_that_contradicts_itself_is_refused(xyz, comment, charge, message):
    with pytest.raises(InputError, match=message) as caught:
        read_molecule(xyz(comment), charge)
    assert "\n" not in str(caught.value)


def test_one_molecule_in_a_file(xyz):
    with pytest.raises(InputError, match="not bonded into one molecule"):
        read_molecule(xyz("charge=0", lambda lines: [*lines, "O 9 9 9"]))
    with pytest.raises(InputError, match="not bonded into one molecule"):
        read_molecule(xyz("charge=1", lambda lines: [*lines, "Li 0 0 2.5"]))


def test_mol_and_sdf_are_read_with_their_formal_charges(tmp_path):
    pytest.importorskip("rdkit")
    for suffix, text in ((".mol", MOL), (".sdf", MOL + "$$$$\n")):
        path = tmp_path / f"anion{suffix}"
        path.write_text(text)
        found = read_molecule(path)
        assert (found.name, found.formula, found.charge) == ("anion", "BF4", -1)
        assert found.graph.mapping_to(MOLECULES["BF4"].graph) is not None
        assert found.atoms().get_distance(0, 1) == pytest.approx(0.81 * 3**0.5)
        with pytest.raises(InputError, match=f"anion{suffix} has charge -1, not 0"):
            read_molecule(path, charge=0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MOL.replace("0.8100", "0.0100"), "two-dimensional"),
        ("nonsense\n", "RDKit cannot read it|0 molecules"),
        (MOL + "$$$$\n" + MOL + "$$$$\n", "it holds 2 molecules"),
        (MOL.replace(" B ", " C ").replace("  5  4", "  4  3").replace("  1  5  1  0\n", ""), "."),
    ],
)
def test_a_wrong_mol_file_is_refused_in_one_line(tmp_path, text, message):
    pytest.importorskip("rdkit")
    path = tmp_path / "wrong.sdf"
    path.write_text(text)
    with pytest.raises(InputError, match=f"wrong.sdf.*({message})") as caught:
        read_molecule(path)
    assert "\n" not in str(caught.value)


def test_missing_hydrogens_are_refused(tmp_path):
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    mol = chem.MolFromSmiles("COC")
    AllChem.EmbedMolecule(mol, randomSeed=1)
    (tmp_path / "ether.mol").write_text(chem.MolToMolBlock(mol))
    with pytest.raises(InputError, match="hydrogens are missing"):
        read_molecule(tmp_path / "ether.mol")


def test_only_its_own_suffixes(tmp_path):
    with pytest.raises(InputError, match="a molecule is read from"):
        read_molecule(tmp_path / "a.pdb")
    with pytest.raises(InputError, match="a molecule is written to"):
        write_molecule(tmp_path / "a.mol", MOLECULES["EC"])
    with pytest.raises(InputError, match="cannot be written"):
        write_molecule(tmp_path / "a.xyz", replace(MOLECULES["EC"], full_name='the "one"'))
    with pytest.raises(FileNotFoundError):
        read_molecule(tmp_path / "absent.mol")
