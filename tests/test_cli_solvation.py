"""The solvation command: a table, JSON, a figure, and one line for what is wrong."""

import json

import numpy as np
import pytest
from ase.io import write

from electrolyte_ml.analysis.static_frames import known_frames
from electrolyte_ml.cli import main

CUTOFFS = ["--cutoff", "EC=2.6", "EMC=2.6", "PF6=2.6"]


@pytest.fixture
def run(tmp_path):
    rng = np.random.default_rng(0)
    frames = []
    for k in range(12):
        frames.append(known_frames()["CIP"].atoms.copy())
        frames[-1].positions[0] += rng.normal(0, 0.1, 3)
        frames[-1].info["time_ps"] = 1.0 * k
    write(tmp_path / "run.extxyz", frames, format="extxyz")
    return tmp_path / "run.extxyz"


def test_table_and_figure(run, tmp_path, capsys):
    figure = tmp_path / "out.png"
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
    assert "not of one formula" in capsys.readouterr().err
    options = ["--anion", "hexafluorophosphate=element P", "--cutoff", "hexafluorophosphate=2.6", "EC=2.6", "EMC=2.6"]
    assert main(["solvation", str(run), *options, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["solvation"]["ligands"]["hexafluorophosphate"]["value"] == 1.0


def test_a_truncated_run_is_said(run, capsys):
    run.write_text(run.read_text()[:-60])
    assert main(["solvation", str(run), *CUTOFFS, "--json"]) == 0
    captured = capsys.readouterr()
    assert "11 whole frames before it are used" in captured.err
    assert json.loads(captured.out)["solvation"]["frames"] == 11


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cutoff", "EC"], "write NAME=VALUE"),
        (["--cutoff", "EC=near", "EMC=2.6"], "not a distance"),
        (["--cutoff", "EC=2.6"], "no cutoff is given for"),
        (["--donor", "EC=element O"], "write NAME:KIND=SELECTION"),
        (["--donor", "EC:x=element O"], "name the species by --anion or --solvent"),
        (["--figure", "out.bmp"], "must end in .png"),
        (["--li", "element Na"], "finds no atom"),
    ],
)
def test_one_line_for_each_mistake(run, options, said, capsys):
    assert main(["solvation", str(run), *options]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
