"""The commands `box` and `molecule`."""

import re

import numpy as np
import pytest

from electrolyte_ml.cli import main
from electrolyte_ml.structures import MOLECULES, ion_shells, read_configurations, read_molecule
from electrolyte_ml.trajectories import open_trajectory


@pytest.fixture
def refused(capsys):
    """Run a command that must fail, and return its one line."""

    def call(*words):
        assert main([str(word) for word in words]) == 1
        line = capsys.readouterr().err
        assert re.fullmatch(r"error: [^\n]+\n", line), line
        return line

    return call


def test_box_has_the_molecules_and_density_asked_for(run, tmp_path):
    path = tmp_path / "box.xyz"
    assert run("box", "EC=3", "EMC=1", "--density", 1.1, "-o", path).startswith("3 EC, 1 EMC\n")
    (atoms,) = read_configurations(path)
    assert len(atoms) == 3 * 10 + 15
    assert atoms.get_masses().sum() / atoms.get_volume() * 1.66053907 == pytest.approx(1.1, rel=1e-6)


def test_box_of_a_smiles_and_a_salt(run, tmp_path):
    pytest.importorskip("rdkit")
    path = tmp_path / "box.xyz"
    assert "8 EC, 1 Li, 1 TFSI" in run("box", "C1COC(=O)O1=8", "LiTFSI=1", "--density", 1.4, "-o", path)
    (atoms,) = read_configurations(path)
    assert atoms.info["charge"] == 0
    roles = open_trajectory(atoms).roles
    assert {name: (len(s), s.kind) for name, s in roles.items()} == {
        "Li": (1, "cation"),
        "TFSI": (1, "anion"),
        "EC": (8, "solvent"),
    }


def test_box_of_molecules_of_ones_own(run, refused, tmp_path):
    pytest.importorskip("rdkit")
    path = tmp_path / "box.xyz"
    own = ["--molecule", "THF=C1CCOC1", "OAc=CC(=O)[O-]"]
    assert "4 THF, 1 Na, 1 OAc" in run("box", "THF=4", "NaOAc=1", "--density", 0.8, "-o", path, *own)
    out = run("solvation", path, *own, "--cutoff", "THF=3", "OAc=3")
    assert "1 Na in 1 frame" in out
    assert "--molecule X='SMILES'" in refused("solvation", path)


def test_a_charged_box_needs_its_charge(run, refused, tmp_path):
    path = tmp_path / "box.xyz"
    assert "sum to +1 e (Li +1), not to 0" in refused("box", "EC=2", "Li=1", "--density", 0.8, "-o", path)
    assert not path.exists()
    run("box", "EC=2", "Li=1", "--density", 0.8, "--charge", 1, "-o", path)
    assert read_configurations(path)[0].info["charge"] == 1
    assert "sum to 0 e (Li +1, PF6 -1), not to -1" in refused(
        "box", "EC=2", "LiPF6=1", "--density", 0.8, "--charge", -1, "-o", path
    )


def test_molecule_shows_what_was_understood(run):
    pytest.importorskip("rdkit")
    out = run("molecule", "C1COC(=O)O1", "--charge", 0)
    assert "EC, ethylene carbonate: C3H4O3, solvent, charge 0" in out
    assert "mass 88.062 g/mol, 46 electrons" in out
    assert "donors: carbonyl O2; ether O3 O4" in out
    assert re.search(r"^  O3 +(-?\d+\.\d{4} *){3}ether +C1 C5$", out, re.MULTILINE)
    out = run("molecule", "Mg(BF4)2")
    assert re.search(r"1 of\nMg, magnesium: Mg, cation, charge \+2.*2 of\nBF4, .*anion, charge -1", out, re.DOTALL)
    out = run("molecule", "[CH3]")
    assert "9 electrons (a radical)" in out and "donors: none" in out


def test_every_molecule_of_the_library_is_listed(run):
    lines = run("molecule", "--list").splitlines()
    assert {line.split()[0] for line in lines if line.startswith("  ")} == set(MOLECULES)
    assert any(re.fullmatch(r"  Mg +Mg +\+2  magnesium +-", line) for line in lines)


def test_a_molecule_is_minimised_and_written(run, tmp_path):
    pytest.importorskip("rdkit")
    path = tmp_path / "water.xyz"
    out = run("molecule", "smiles:O", "--relax", "gfn1-xtb", "--full-name", "my water", "-o", path)
    assert "GFN1-xTB" in out
    found = read_molecule(path)
    assert (found.full_name, found.charge, found.formula) == ("my water", 0, "H2O")
    assert found.made_by == (
        "electrolyte-ml molecule smiles:O --full-name 'my water' --relax gfn1-xtb --output water.xyz"
    )
    wanted = MOLECULES["H2O"].atoms()
    assert np.allclose(found.atoms().get_all_distances(), wanted.get_all_distances(), atol=2e-3)


@pytest.mark.parametrize("name", [name for name in MOLECULES if MOLECULES[name].made_by])
def test_the_command_in_each_file_makes_that_molecule(name, run, tmp_path, monkeypatch):
    """Without its minimisation, which the tests of the library redo: the same atoms in the same order."""
    import shlex

    pytest.importorskip("rdkit")
    monkeypatch.chdir(tmp_path)
    program, *words = shlex.split(MOLECULES[name].made_by)
    assert program == "electrolyte-ml"
    if "--relax" in words:
        place = words.index("--relax")
        assert words[place + 1] == "gfn1-xtb"
        del words[place : place + 2]
        for option in {"--conformers", "--seed"} & set(words):  # which choose what is minimised
            place = words.index(option)
            del words[place : place + 2]
    run(*words)
    made, record = read_molecule(tmp_path / f"{name}.xyz"), MOLECULES[name]
    assert (made.name, made.charge, made.symbols, made.full_name) == (
        name,
        record.charge,
        record.symbols,
        record.full_name,
    )
    assert set(made.bonds) == set(record.bonds)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["molecule"], "name a molecule, a SMILES or a file"),
        (["molecule", "XYZ"], "no molecule 'XYZ'; there are"),
        (["molecule", "acetonitril"], "did you mean .*AN \\(acetonitrile"),
        (["molecule", "C1CC"], "cannot read 'C1CC' as a SMILES"),
        (["molecule", "C1#CC1"], "C1#CC1: RDKit finds no geometry"),
        (["molecule", "CC(=O)[O-]", "--charge", "0"], r"CC\(=O\)\[O-\] has charge -1, not 0"),
        (["molecule", "PCC"], "is a SMILES and resembles a name"),
        (["molecule", "absent.xyz"], "absent.xyz: No such file"),
        (["molecule", "EC", "--relax", "gfn7"], "no reference 'gfn7'"),
        (["molecule", "EC", "-o", "EC.mol"], "EC.mol"),
        (["box", "C1CC=8", "--density", "1", "-o", "b.xyz"], "cannot read 'C1CC'"),
        (["box", "MgPF6=1", "--density", "1", "-o", "b.xyz"], r"charges of MgPF6 do not cancel .*: write Mg\(PF6\)2"),
        (
            ["motif", "EC=3", "LiPF6=1", "--kind", "ssip", "--density", "1", "-o", "b.xyz"],
            "4 solvent molecules with donors",
        ),
        (["box", "X=1", "--density", "1", "-o", "b.xyz", "--molecule", "X"], "--molecule X: write NAME=VALUE"),
        (["box", "X=1", "--density", "1", "-o", "b.xyz", "--molecule", "EC=CO"], "EC is in the library already"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(refused, words, message, tmp_path, monkeypatch):
    pytest.importorskip("rdkit")
    monkeypatch.chdir(tmp_path)
    assert re.search(message, refused(*words))
    assert not list(tmp_path.iterdir())


def test_motifs_are_packed_and_written(run, tmp_path):
    path = tmp_path / "cip.xyz"
    out = run("motif", "EC=2 LiPF6=1", "--kind", "cip", "--count", 2, "--donors", 3, "--density", 0.8, "-o", path)
    assert out.startswith("2 CIP of 28 atoms, 0.8000 g/cm³")
    cells = read_configurations(path)
    assert [cell.info["motif"] for cell in cells] == ["CIP"] * 2
    assert [shell.pairing for cell in cells for shell in ion_shells(cell)] == ["CIP"] * 2
    run("motif", "EC=2", "LiPF6=1", "--kind", "agg", "--donors", 3, "--density", 0.8, "-o", path)
    assert {shell.cluster for shell in ion_shells(read_configurations(path)[0])} == {(2, 2)}


@pytest.mark.parametrize("stays", [True, False])
def test_motifs_that_do_not_stay_are_left_out(stays, monkeypatch, tmp_path, capsys):
    """The relaxation is stood in for: it moves the cation away or leaves it."""
    from electrolyte_ml import reference
    from electrolyte_ml.reference import Relaxation

    def moved(atoms, **options):
        assert options["fmax"] == 0.2 and options["steps"] == 7
        after = atoms.copy()
        if not stays:
            after.set_cell(after.cell * 5)
            after.positions[after.numbers == 3] += 0.5 * after.cell.diagonal()
        return Relaxation(after, 0.0, 0.0, 1, True, None, ion_shells(atoms), ion_shells(after))

    monkeypatch.setattr(reference, "relax", moved)
    path = tmp_path / "cip.xyz"
    words = ["motif", "EC=2", "LiPF6=1", "--kind", "cip", "--donors", "3", "--density", "0.8", "-o", str(path)]
    code = main([*words, "--relax", "--reference", "gfn1-xtb", "--fmax", "0.2", "--steps", "7"])
    out, error = capsys.readouterr()
    assert code == (0 if stays else 3) and path.exists() == stays
    assert ("the motif is kept" in out) == stays
    assert ("1 of 1 did not stay CIP" in error) != stays
