"""The solvation command: a table, JSON, a figure, and one line for what is wrong."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from electrolyte_ml.cli import main
from electrolyte_ml.trajectories.static_frames import shell

CUTOFFS = ["--cutoff", "EC=2.6", "EMC=2.6", "PF6=2.6"]


@pytest.fixture
def run(tmp_path):
    rng = np.random.default_rng(0)
    frames, contact_pair = [], shell(["PF6", "EC", "EC", "EMC"]).atoms
    for k in range(12):
        frames.append(contact_pair.copy())
        frames[-1].positions[0] += rng.normal(0, 0.1, 3)
        frames[-1].info["time_ps"] = 1.0 * k
    write(tmp_path / "run.extxyz", frames, format="extxyz")
    return tmp_path / "run.extxyz"


def test_table_and_figure(run, tmp_path, capsys):
    figure = tmp_path / "figures" / "out.png"  # whose folder is not there yet
    assert main(["solvation", str(run), *CUTOFFS, "--figure", str(figure)]) == 0
    said = capsys.readouterr().out
    assert "CIP                         1.000" in said
    assert "residence of PF6 (ps)" in said
    assert "Networks of solvent-separated Li" in said
    assert figure.stat().st_size > 10_000


def test_json_of_two_runs(run, capsys):
    assert main(["solvation", str(run), str(run), *CUTOFFS, "--stride", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["solvation"]["frames"] == 12
    assert result["solvation"]["trajectories"] == 2
    assert result["solvation"]["coordination"]["all"]["value"] == 4.0
    assert result["networks"]["ssip"]["value"] == 0.0


def test_roles_by_option(run, capsys):
    options = ["--solvent", "carbonate=element C", "--donor", "carbonate:O=element O", "--json"]
    assert main(["solvation", str(run), *options]) == 1
    assert "different formulas" in capsys.readouterr().err
    options = ["--anion", "hexafluorophosphate=element P", "--cutoff", "hexafluorophosphate=2.6", "EC=2.6", "EMC=2.6"]
    assert main(["solvation", str(run), *options, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["solvation"]["ligands"]["hexafluorophosphate"]["value"] == 1.0


def test_any_cation_and_its_charge(run, tmp_path, capsys):
    """Calcium in place of Li, and one Na beside it: which one is meant has to be said, and each keeps its charge."""
    frames = read(run, ":")
    for atoms in frames:
        atoms.numbers[0] = 20
        atoms += Atoms("Na", [[1.0, 1.0, 1.0]])
    write(tmp_path / "two.extxyz", frames, format="extxyz")
    arguments = ["solvation", str(tmp_path / "two.extxyz"), *CUTOFFS]
    assert main(arguments) == 1
    assert "(--solvent, --anion or --cation X='formula Ca')" in capsys.readouterr().err
    assert main([*arguments, "--solvent", "Ca=formula Ca"]) == 0  # a neutral atom, and Na is the cation
    assert "1 Na in 12 frames" in capsys.readouterr().out
    assert main([*arguments, "--cation", "Ca=formula Ca", "--charge", "Ca=2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["solvation"]["coordination"]["all"]["value"] == 4.0
    assert main([*arguments, "--cation", "Na", "Ca=formula Ca", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["solvation"]["coordination"]["all"]["value"] == 0.0
    assert main(["conductivity", arguments[1], "--temperature", "300", "--cation", "Ca=formula Ca", "--charge", "Ca=2"])
    assert "sum to +2 e, not to 0 (1 Ca of +2, 1 Na of +1, 1 PF6 of -1)" in capsys.readouterr().err


def test_a_truncated_run_is_said(run, capsys):
    run.write_text(run.read_text()[:-60])
    assert main(["solvation", str(run), *CUTOFFS, "--json"]) == 0
    captured = capsys.readouterr()
    assert "the 11 complete frames before it are used" in captured.err
    assert json.loads(captured.out)["solvation"]["frames"] == 11


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cutoff", "EC"], "write NAME=VALUE"),
        (["--cutoff", "EC=near", "EMC=2.6"], "not a distance"),
        (["--cutoff", "EC=2.6"], "no cutoff is given for"),
        (["--donor", "EC=element O"], "write NAME:KIND=SELECTION"),
        (["--donor", "EC:x=element O"], "name the species with --cation, --anion or --solvent"),
        (["--figure", "out.bmp"], "must end in .png"),
        (["--li", "element Na"], "finds no atom"),
        (["--cation", "Na"], "has no cation 'Na'"),
        (["--charge", "Li=one"], "not a number"),
        (["--charge", "Li=1"], "name the species with"),
        (["--anion", "X=element P", "--solvent", "X=element C"], "X is named twice"),
    ],
)
def test_one_line_for_each_mistake(run, options, said, capsys):
    assert main(["solvation", str(run), *options]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_frames_at_logarithmic_times_have_shells_and_no_residence(run, tmp_path, capsys):
    frames = read(run, ":")
    for k, atoms in enumerate(frames):
        atoms.info["time_ps"] = 1.5**k
    write(tmp_path / "log.extxyz", frames, format="extxyz")
    assert main(["solvation", str(tmp_path / "log.extxyz"), *CUTOFFS]) == 0
    said = capsys.readouterr().out
    assert "CIP                         1.000" in said
    assert "no residence times: " in said and "not evenly spaced in time" in said
