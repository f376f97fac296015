"""The commands conductivity and plan-conductivity."""

import json

import numpy as np
import pytest
from ase import Atoms, units
from ase.io import write

from electrolyte_ml.analysis import OrnsteinUhlenbeckIons, measure_conductivity
from electrolyte_ml.cli import main
from electrolyte_ml.trajectories import open_trajectory, read_ions

PROCESS = OrnsteinUhlenbeckIons(
    counts=(2, 2), diffusion=(0.2, 0.3), side=12.0, names=("Li", "PF6"), masses=(6.94, 144.96)
)  # fmt: skip
OCTAHEDRON = 1.6 * np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])  # P and six F
CORNERS = np.array([[2.0, 2, 2], [8, 8, 2], [8, 2, 8], [2, 8, 8]])
SHAPES = [np.zeros((1, 3)), np.zeros((1, 3)), OCTAHEDRON, OCTAHEDRON]


def frames_of(sample, *, velocities=True):
    """Atoms of each frame: ions of the process on a lattice, PF6 as seven atoms."""
    out = []
    for k in range(sample.frames):
        centres = CORNERS + sample.displacements()[k] * 0.05
        positions = np.vstack([centre + shape for centre, shape in zip(centres, SHAPES)])
        atoms = Atoms("Li2PF6PF6", positions, cell=[12.0] * 3, pbc=True)
        atoms.wrap()
        if velocities:
            speeds = [np.tile(0.05 * v, (len(shape), 1)) for v, shape in zip(sample.velocities[k], SHAPES)]
            atoms.set_velocities(np.vstack(speeds) / (1000 * units.fs))
        atoms.info["time_ps"] = k * sample.timestep_ps
        out.append(atoms)
    return out


@pytest.fixture(scope="module")
def sample():
    return PROCESS.sample(60.0, 0.2, seed=4)


@pytest.fixture
def file(sample, tmp_path):
    write(tmp_path / "run.extxyz", frames_of(sample))
    return tmp_path / "run.extxyz"


def test_command_says_what_the_library_says(file, sample, tmp_path, capsys):
    figure = tmp_path / "sigma.png"
    arguments = ["conductivity", str(file), "--temperature", "300", "--method", "einstein-helfand", "green-kubo"]
    assert main([*arguments, "--json", "--figure", str(figure)]) == 0
    printed = json.loads(capsys.readouterr().out)
    expected = measure_conductivity([read_ions(open_trajectory(file))], 300.0)
    for method in ("green-kubo", "einstein-helfand"):
        assert printed["conductivity"][method]["value"] == pytest.approx(expected.estimates[method].value)
    assert figure.stat().st_size > 5000
    assert main(arguments) == 0
    table = capsys.readouterr().out
    assert "2 Li, 2 PF6" in table and "mS/cm" in table and "plateau of" in table and "ns in all" in table


def test_command_without_velocities_still_measures(sample, tmp_path, capsys):
    path = tmp_path / "still.extxyz"
    write(path, frames_of(sample, velocities=False))
    assert main(["conductivity", str(path), "--temperature", "300"]) == 0
    table = capsys.readouterr().out
    assert "has no velocities" in table and "einstein-helfand" in table


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "magic"], "no method 'magic'"),
        (["--window", "1", "500"], "cannot be read off"),
        (["--figure", "sigma.doc"], ".png"),
        (["--begin", "1000"], "no frames are left"),
        (["--li", "name Xx"], "finds no atom"),
    ],
)
def test_command_refuses_in_one_line(file, options, message, capsys):
    assert main(["conductivity", str(file), "--temperature", "300", *options]) == 1
    captured = capsys.readouterr()
    assert message in captured.err + captured.out
    assert captured.err.count("\n") == 1


def test_runs_of_different_lengths_are_refused(sample, file, tmp_path, capsys):
    other = tmp_path / "short.extxyz"
    write(other, frames_of(sample)[:-7])
    assert main(["conductivity", str(file), str(other), "--temperature", "300"]) == 1
    assert "different lengths" in capsys.readouterr().err
    frames = str(sample.frames - 7)
    assert main(["conductivity", str(file), str(other), "--temperature", "300", "--end", frames]) == 0
    assert "2 x 58.6 ps" in capsys.readouterr().out


def test_plan(capsys):
    assert main(["plan-conductivity", "--tau", "300", "--error", "0.1"]) == 0
    assert capsys.readouterr().out.startswith("40 ns in all give an error of 10.0%")
    assert main(["plan-conductivity", "--tau", "300", "--time", "25000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["relative_error"] == pytest.approx(0.1265, abs=1e-4)
    assert main(["plan-conductivity", "--tau", "300"]) == 2
    assert main(["plan-conductivity", "--tau", "-1", "--error", "0.1"]) == 2
