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
        (["--window", "1", "500"], "does not fit runs"),
        (["--figure", "sigma.doc"], ".png"),
        (["--begin", "1000"], "frames is selected"),
        (["--li", "name Xx"], "finds no atom"),
        (["--method", "einstein-helfand", "--viscosity", "1"], "--viscosity needs --method nernst-einstein"),
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


def test_parts_are_joined_to_one_run(sample, file, tmp_path, capsys):
    """Two parts that share a frame, the second counting from its own start, are the run that they were cut from."""
    every = frames_of(sample)
    parts = [tmp_path / "one.extxyz", tmp_path / "two.extxyz"]
    write(parts[0], every[:150])
    later = [atoms.copy() for atoms in every[149:]]
    for atoms in later:
        atoms.info["time_ps"] -= every[149].info["time_ps"]
    write(parts[1], later)
    words = ["conductivity", *map(str, parts), "--temperature", "300", "--json"]
    assert main([*words, "--join"]) == 1
    assert "--timestep" in capsys.readouterr().err
    results = []
    for arguments in ([*words, "--join", "--timestep", "0.2"], ["conductivity", str(file), *words[3:]]):
        assert main(arguments) == 0
        results.append(json.loads(capsys.readouterr().out)["conductivity"]["einstein-helfand"]["value"])
    assert results[0] == pytest.approx(results[1], rel=1e-6)
    assert main([*words, "--join", "--timestep", "0.2", "0.4"]) == 1
    assert "0.2 and 0.4 ps cannot be joined" in capsys.readouterr().err


def test_parts_with_other_strides_are_not_joined(sample, tmp_path, capsys):
    every = frames_of(sample)
    write(tmp_path / "one.extxyz", every[:100])
    write(tmp_path / "two.extxyz", every[100::4])
    words = ["conductivity", str(tmp_path / "one.extxyz"), str(tmp_path / "two.extxyz"), "--temperature", "300"]
    assert main([*words, "--join", "--timestep", "0.2"]) == 1
    assert "has 4 times as many steps" in capsys.readouterr().err


def test_scaled_charges_scale_the_conductivity(file, capsys):
    words = ["conductivity", str(file), "--temperature", "300", "--json", "--method", "einstein-helfand"]
    found = []
    for charges in ([], ["--charge", "Li=0.8", "PF6=-0.8"]):
        assert main([*words, *charges]) == 0
        found.append(json.loads(capsys.readouterr().out)["conductivity"]["einstein-helfand"]["value"])
    assert found[1] == pytest.approx(0.64 * found[0], rel=1e-12)
    roles = ["--cation", "Li=formula Li", "--anion", "PF6=formula PF6", "--charge", "Li=0.8", "PF6=-0.8"]
    assert main([*words, *roles]) == 0
    named = json.loads(capsys.readouterr().out)["conductivity"]["einstein-helfand"]["value"]
    assert named == pytest.approx(found[1], rel=1e-12)
    for charges, message in (
        (["Li=0.8"], "sum to -0.4 e, not to 0 (2 Li of +0.8, 2 PF6 of -1)"),
        (["Na=0.8"], "has no ions 'Na'"),
        (["Li=x"], "--charge Li=x: not a number"),
    ):
        assert main([*words, "--charge", *charges]) == 1
        assert message in capsys.readouterr().err


ARGON, ARGON_DIFFUSION = 6, 0.01  # atoms that are the solvent, Å²/ps


@pytest.fixture
def in_argon(sample, tmp_path):
    """The ions among argon atoms that walk with a known coefficient."""
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(sample.frames, ARGON, 3)) * np.sqrt(2 * ARGON_DIFFUSION * sample.timestep_ps)
    moved = np.cumsum(steps, axis=0)
    corners = np.array([[5.0, 5, 5], [11, 5, 5], [5, 11, 5], [5, 5, 11], [11, 11, 5], [11, 5, 11]])
    every = []
    for k, atoms in enumerate(frames_of(sample, velocities=False)):
        both = atoms + Atoms(f"Ar{ARGON}", corners + moved[k], cell=atoms.cell, pbc=True)
        both.info = dict(atoms.info)
        both.wrap()
        every.append(both)
    path = tmp_path / "in_argon.extxyz"
    write(path, every)
    return ["conductivity", str(path), "--temperature", "300", "--solvent", "argon=formula Ar"]


def test_solvents_diffuse_beside_the_ions(in_argon, capsys):
    """All motion is relative to the centre of mass, so that the coefficient is not exactly that of the walk."""
    words = [*in_argon, "--solvents"]
    assert main([*words, "--json", "--window", "1", "5"]) == 0
    found = json.loads(capsys.readouterr().out)["solvent_diffusion"]["argon"]
    assert found["unit"] == "cm²/s"
    assert found["low"] < ARGON_DIFFUSION * 1e-4 * 1.5 and found["high"] > ARGON_DIFFUSION * 1e-4 * 0.7
    assert main(words) == 0
    assert "D of argon" in capsys.readouterr().out
    assert main([*in_argon, "--json"]) == 0
    assert "solvent_diffusion" not in json.loads(capsys.readouterr().out)


def test_solvents_of_a_file_without_them_are_refused(file, capsys):
    assert main(["conductivity", str(file), "--temperature", "300", "--solvents"]) == 1
    assert "has no solvent" in capsys.readouterr().err


def test_a_pressure_file_gives_the_viscosity_and_the_finite_size(in_argon, tmp_path, capsys):
    """The correction of D is that of the same viscosity given as a number."""
    from scipy.signal import lfilter

    decay, step = np.exp(-0.05), 0.01
    noise = np.random.default_rng(2).normal(size=(20_000, 6)) * 2000 * np.sqrt(1 - decay**2)
    pressures = lfilter([1.0], [1.0, -decay], noise, axis=0)
    path = tmp_path / "pressure.txt"
    np.savetxt(path, np.c_[step * np.arange(20_000), pressures], header="time_ps Pxx Pyy Pzz Pyz Pxz Pxy", fmt="%.6f")
    words = [*in_argon, "--json", "--method", "nernst-einstein", "--window", "1", "5"]
    assert main([*words, "--pressure", str(path), "--pressure-unit", "bar"]) == 0
    measured = json.loads(capsys.readouterr().out)
    value = measured["viscosity"]["value"]
    exact = (2000e5) ** 2 * 0.2e-12 * 12e-10**3 / (1.380649e-23 * 300) * 1e3  # mPa s, of the shear components
    assert value == pytest.approx(exact, rel=0.35)
    assert main([*words, "--viscosity", repr(value)]) == 0
    assert json.loads(capsys.readouterr().out)["diffusion"] == measured["diffusion"]
    assert main([*words, "--pressure", str(path)]) == 1
    assert "--pressure-unit" in capsys.readouterr().err
    assert main([*words, "--pressure-unit", "bar"]) == 1
    assert "--pressure-unit needs --pressure" in capsys.readouterr().err
    assert main([*words, "--pressure", str(path), "--viscosity", "1"]) == 1


def test_the_temperature_of_a_run_is_compared(tmp_path, capsys):
    """What the folder of a run says, before anything is read."""
    folder = tmp_path / "run"
    folder.mkdir()
    for known, message in (
        ({"temperature": 330.0, "ensemble": "nvt"}, f"--temperature 300: {folder} was run at 330 K"),
        ({"temperature": 300.0, "temperature_end": 380.0, "ensemble": "nvt"}, "changes from 300 to 380 K"),
        ({"temperature": 300.0, "ensemble": "nvt"}, "no such file"),
        ({"temperature": 250.0, "ensemble": "nve"}, "no such file"),
    ):
        (folder / "result.json").write_text(json.dumps(known))
        assert main(["conductivity", str(folder), "--temperature", "300"]) == 1
        assert message in capsys.readouterr().err
