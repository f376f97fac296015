"""Every command does what its help says, through the same functions that Python users call."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml import load
from electrolyte_ml.cli import build_parser, main
from electrolyte_ml.structures import pack, read_configurations, write_configurations

COMMANDS = [
    *("reproduce", "train", "evaluate", "grade", "md", "active-learn"),
    *("label", "box", "new", "info", "benchmark", "warmup"),
]


def run(capsys, *words):
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


@pytest.fixture
def potential(tmp_path, capsys):
    path = tmp_path / "random.mtp"
    run(capsys, "new", "--level", 4, "--species", "H", "C", "O", "--seed", 3, "-o", path)
    return path


@pytest.fixture
def box(tmp_path):
    path = tmp_path / "box.xyz"
    write_configurations(path, [pack({"EC": 2}, 1.2)])
    return path


@pytest.fixture
def labelled(tmp_path, potential):
    """Six configurations labelled by the random potential itself: a fit can reach them."""
    configurations = []
    calculator = load(potential).calculator()
    for seed in range(6):
        atoms = pack({"EC": 1}, 0.8, seed=seed)
        atoms.rattle(0.05, seed=seed)
        atoms.calc = calculator
        atoms.get_potential_energy()
        kept = {name: calculator.results[name] for name in ("energy", "forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, **kept)
        configurations.append(atoms)
    path = tmp_path / "labelled.xyz"
    write_configurations(path, configurations)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_parses(command, capsys):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    example = text[text.index("example:") :].splitlines()[1].split()
    assert example[:2] == ["electrolyte-ml", command]
    build_parser().parse_args(example[1:])


def test_every_command_is_listed(capsys):
    assert main(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert [name for name in listed if name in COMMANDS] == COMMANDS


def test_runs_as_a_module():
    process = subprocess.run([sys.executable, "-m", "electrolyte_ml", "--version"], capture_output=True, text=True)
    assert process.returncode == 0
    assert process.stdout.startswith("electrolyte-ml ")


@pytest.mark.parametrize(("level", "functions", "parameters"), [(12, 29, 248), (16, 92, 383)])
def test_info_of_a_level(capsys, level, functions, parameters):
    facts = json.loads(run(capsys, "info", "--level", level, "--species", "H", "C", "O", "--json"))
    assert (facts["basis_functions"], facts["parameters"]) == (functions, parameters)
    assert str(parameters) in run(capsys, "info", "--level", level, "--species", "H", "C", "O")


def test_info_of_a_file(capsys, potential):
    facts = json.loads(run(capsys, "info", potential, "--json"))
    assert facts["species"] == ["H", "C", "O"]
    assert facts["level"] == 4


def test_new_is_determined_by_its_seed(capsys, tmp_path, potential):
    again, other = tmp_path / "again.mtp", tmp_path / "other.mtp"
    run(capsys, "new", "--level", 4, "--species", "H", "C", "O", "--seed", 3, "-o", again)
    run(capsys, "new", "--level", 4, "--species", "H", "C", "O", "--seed", 4, "-o", other)
    assert again.read_text() == potential.read_text() != other.read_text()


def test_box_has_the_molecules_and_density_asked_for(capsys, tmp_path):
    path = tmp_path / "box.xyz"
    run(capsys, "box", "EC=3", "EMC=1", "--density", 1.1, "-o", path)
    (atoms,) = read_configurations(path)
    assert len(atoms) == 3 * 10 + 15
    assert atoms.get_masses().sum() / atoms.get_volume() * 1.66053907 == pytest.approx(1.1, rel=1e-6)


def test_label_computes_once_and_then_reuses(capsys, tmp_path, box):
    words = ("label", box, "--reference", "lj", "--store", tmp_path / "store", "-o", tmp_path / "out.xyz")
    assert "1 computed, 0 reused" in run(capsys, *words)
    assert "0 computed, 1 reused" in run(capsys, *words)
    (atoms,) = read_configurations(tmp_path / "out.xyz", labelled=True)
    assert atoms.get_forces().shape == (20, 3)


def test_grade_is_one_inside_and_larger_outside(capsys, tmp_path, potential, labelled, box):
    grades = json.loads(run(capsys, "grade", potential, labelled, "--train", labelled, "--json"))["grades"]
    assert len(grades) == 6
    assert max(grades) == pytest.approx(1.0, abs=2e-3)
    outside = json.loads(run(capsys, "grade", potential, box, "--train", labelled, "--json"))
    assert outside["max"] > 2.0
    assert f"{outside['max']:.4g}" in run(capsys, "grade", potential, box, "--train", labelled)


def test_md_writes_a_run_and_returns_to_it(capsys, tmp_path, potential, box):
    words = ("md", potential, box, "--ensemble", "nve", "--temperature", 50, "--time", 0.02, "--timestep", 0.5)
    printed = run(capsys, *words, "-o", tmp_path / "run")
    assert "0.02 ps: completed" in printed
    log = np.genfromtxt(tmp_path / "run" / "log.csv", delimiter=",", names=True)
    assert log["time_ps"].max() == pytest.approx(0.02)
    before = (tmp_path / "run" / "trajectory.trr").read_bytes()
    assert run(capsys, *words, "-o", tmp_path / "run") == printed
    assert (tmp_path / "run" / "trajectory.trr").read_bytes() == before


@pytest.mark.slow
def test_md_in_mixed_precision(capsys, tmp_path, potential, box):
    words = ("md", potential, box, "--ensemble", "nve", "--temperature", 50, "--time", 0.02, "--timestep", 0.5)
    logs = []
    for precision in ("double", "mixed"):
        assert "completed" in run(capsys, *words, "--precision", precision, "-o", tmp_path / precision)
        log = np.genfromtxt(tmp_path / precision / "log.csv", delimiter=",", names=True)
        logs.append(log["potential_energy_eV"])
    assert not np.array_equal(*logs)
    assert logs[1] == pytest.approx(logs[0], rel=1e-5)


def test_md_says_why_it_stopped(capsys, tmp_path, potential, labelled, box):
    words = ("md", potential, box, "--time", 0.01, "--train", labelled, "-o", tmp_path / "run")
    assert main([str(word) for word in words]) == 1  # the box is far outside the training set
    assert "grade" in capsys.readouterr().out


def test_train_then_evaluate(capsys, tmp_path, labelled):
    path = tmp_path / "trained.mtp"
    printed = run(capsys, "train", labelled, "--level", 4, "--max-iterations", 20, "-o", path)
    assert "77 parameters" in printed
    errors = json.loads(run(capsys, "evaluate", path, labelled, "--json"))
    assert {"energy_rmse", "energy_mae", "force_rmse", "force_mae"} <= errors.keys()
    table = run(capsys, "evaluate", path, labelled)
    assert f"{errors['force_rmse']:.4f}" in table
    forces = np.concatenate([atoms.get_forces().ravel() for atoms in read_configurations(labelled)])
    assert errors["force_rmse"] < forces.std()


def test_named_labels_are_used(capsys, tmp_path, labelled):
    renamed = tmp_path / "renamed.xyz"
    renamed.write_text(labelled.read_text().replace(" energy=", " energy_a=").replace(":forces:", ":forces_a:"))
    path = tmp_path / "trained.mtp"
    keys = ("--energy-key", "energy_a", "--forces-key", "forces_a")
    run(capsys, "train", renamed, *keys, "--level", 2, "--max-iterations", 2, "-o", path)
    named = json.loads(run(capsys, "evaluate", path, renamed, *keys, "--json"))
    plain = json.loads(run(capsys, "evaluate", path, labelled, "--json"))
    assert named["force_rmse"] == pytest.approx(plain["force_rmse"])


def test_cfg_is_as_good_as_xyz(capsys, tmp_path, labelled, potential):
    cfg = tmp_path / "labelled.cfg"
    write_configurations(cfg, read_configurations(labelled), species=("H", "C", "O"))
    text = json.loads(run(capsys, "evaluate", potential, labelled, "--json"))
    mlip = json.loads(run(capsys, "evaluate", potential, cfg, "--json"))
    assert mlip["force_rmse"] == pytest.approx(text["force_rmse"], abs=1e-6)


@pytest.mark.slow
def test_benchmark_times_every_task_and_writes_json(capsys, tmp_path):
    path = tmp_path / "benchmark.json"
    words = ("benchmark", "--levels", 4, "--atoms", 40, "--repeats", 2, "-o", path)
    table = run(capsys, *words)
    result = json.loads(path.read_text())
    ours = [row for row in result["rows"] if row["code"].startswith("electrolyte_ml")]
    tasks = {"energy, forces, stress", "loss and gradient", "MaxVol row", "NPT step", "neighbour list"}
    assert {row["task"] for row in ours} == tasks
    for row in result["rows"]:
        assert ("peak_share" in row) == (row["code"] == "kernel alone" and row["task"] != "NPT step")
        assert ("outside" in row) == (row["task"] == "NPT step" and row["code"] != "kernel alone")
    for row in result["rows"]:
        assert 0 < row["low"] <= row["median"] <= row["high"]
        assert row["code"] in table


@pytest.mark.slow
def test_warmup_says_what_it_does(capsys):
    assert "Compiling" in run(capsys, "warmup")


def test_interrupt_is_quiet(monkeypatch, capsys, tmp_path):
    import electrolyte_ml.structures as structures

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(structures, "pack", interrupted)
    assert main(["box", "EC=1", "--density", "1", "-o", str(tmp_path / "box.xyz")]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_debug_shows_the_traceback(capsys, tmp_path):
    assert main(["info", str(tmp_path / "no.mtp"), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_closed_pipe_is_quiet(potential):
    command = f"{sys.executable} -m electrolyte_ml info {potential} | true"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert process.stderr == ""


def test_every_command_of_the_readme_parses(root):
    lines = (root / "README.md").read_text().splitlines()
    commands = [line.split()[1:] for line in lines if line.startswith("electrolyte-ml ")]
    assert len(commands) > 5
    for words in commands:
        build_parser().parse_args(words)


def test_the_readme_names_every_command_and_notebook(root):
    text = (root / "README.md").read_text()
    assert all(f"electrolyte-ml {command} " in text or f"`{command}`" in text for command in COMMANDS[:-2])
    assert {path.stem for path in (root / "notebooks").glob("[0-9]*.ipynb")} <= set(re.findall(r"\[(\d\d_\w+)\]", text))
