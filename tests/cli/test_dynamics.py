"""The command `md`."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from electrolyte_ml import dynamics
from electrolyte_ml.cli import main
from electrolyte_ml.dynamics import read_trajectory
from electrolyte_ml.structures import find_overlap, molecule, read_configurations, write_configurations


def test_md_writes_a_run_and_returns_to_it(run, tmp_path, potential, box):
    words = ("md", potential, box, "--ensemble", "nve", "--temperature", 50, "--time", 0.02, "--timestep", 0.5)
    printed = run(*words, "-o", tmp_path / "run")
    assert "0.02 ps: completed" in printed
    log = np.genfromtxt(tmp_path / "run" / "log.csv", delimiter=",", names=True)
    assert log["time_ps"].max() == pytest.approx(0.02)
    before = (tmp_path / "run" / "trajectory.trr").read_bytes()
    assert run(*words, "-o", tmp_path / "run") == printed
    assert (tmp_path / "run" / "trajectory.trr").read_bytes() == before


@pytest.mark.slow
def test_md_in_mixed_precision(run, tmp_path, potential, box):
    words = ("md", potential, box, "--ensemble", "nve", "--temperature", 50, "--time", 0.02, "--timestep", 0.5)
    logs = []
    for precision in ("double", "mixed"):
        assert "completed" in run(*words, "--precision", precision, "-o", tmp_path / precision)
        log = np.genfromtxt(tmp_path / precision / "log.csv", delimiter=",", names=True)
        logs.append(log["potential_energy_eV"])
    assert not np.array_equal(*logs)
    assert logs[1] == pytest.approx(logs[0], rel=1e-5)


def test_md_warns_of_molecules_that_overlap(capsys, tmp_path):
    carbonate = molecule("EC")
    oxygen = np.argmax(np.linalg.norm(carbonate.positions, axis=1) * (carbonate.symbols == "O"))
    other = carbonate.copy()
    other.positions = (2.0 + 2.2 / np.linalg.norm(carbonate.positions[oxygen])) * carbonate.positions[oxygen]
    other.positions -= carbonate.positions
    box = carbonate + other
    box.set_cell([20.0] * 3)
    box.pbc = True
    write_configurations(tmp_path / "box.xyz", [box])
    words = ("md", "ec", tmp_path / "box.xyz", "--ensemble", "nve", "--time", 0.001, "-o", tmp_path / "run")
    main([str(word) for word in words])
    warned = capsys.readouterr().err
    assert "are 2.20 Å apart, closer than in any liquid: --relax 50 moves the molecules apart" in warned
    assert main([str(word) for word in (*words[:-1], tmp_path / "relaxed", "--relax", 5)]) == 0
    assert "closer than in any liquid" not in capsys.readouterr().err
    assert find_overlap(read_configurations(tmp_path / "relaxed" / "last.xyz")[0]) is None


def test_md_says_why_it_stopped(capsys, tmp_path, potential, labelled, box):
    words = ("md", potential, box, "--time", 0.01, "--train", labelled, "-o", tmp_path / "run")
    assert main([str(word) for word in words]) == 3  # the box is far outside the training set
    assert "grade" in capsys.readouterr().out


def test_md_grades_every_so_many_steps(capsys, tmp_path, potential, box):
    """The set is the start alone: whatever moves is outside."""
    words = ("md", potential, box, "--ensemble", "nve", "--temperature", 1, "--time", 0.02, "--train", box)
    for steps, code, end in (((), 0, "0.02 ps: completed"), (("--grade-every", 10), 3, "0.01 ps: grade")):
        folder = tmp_path / f"run{code}"
        assert main([str(word) for word in (*words, *steps, "-o", folder)]) == code
        assert end in capsys.readouterr().out


@pytest.mark.parametrize("option", [("--grade-every", 10), ("--terms", "mtp")])
def test_options_of_a_grade_without_one_are_refused(capsys, tmp_path, potential, box, option):
    words = ("md", potential, box, "--time", 0.01, *option, "-o", tmp_path / "run")
    assert main([str(word) for word in words]) == 1
    assert f"{option[0]} needs --train" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_md_with_heavy_hydrogen(run, capsys, tmp_path, potential, box):
    words = ("md", potential, box, "--ensemble", "nve", "--temperature", 50, "--time", 0.02, "--timestep", 0.5)
    assert "completed" in run(*words, "--hydrogen-mass", 3, "-o", tmp_path / "run")
    assert (tmp_path / "run" / "topology.pdb").read_text().startswith("REMARK   1 HYDROGEN MASS 3 AMU")
    assert main([str(word) for word in (*words, "-o", tmp_path / "run")]) == 1
    assert "--hydrogen-mass = 3.0, not None" in capsys.readouterr().err
    assert main([str(word) for word in (*words, "--hydrogen-mass", 1, "-o", tmp_path / "light")]) == 1
    assert "a hydrogen mass of 1 amu is below" in capsys.readouterr().err


def test_a_finished_run_is_a_start(run, tmp_path, potential, box):
    words = ("--temperature", 50, "--time", 0.02, "--timestep", 0.5)
    run("md", potential, box, "--ensemble", "npt", *words, "-o", tmp_path / "first")
    run("md", potential, tmp_path / "first", "--ensemble", "nve", *words, "-o", tmp_path / "second")
    (last,) = read_configurations(tmp_path / "first" / "last.xyz")
    first = read_trajectory(tmp_path / "second" / "trajectory.trr", last)[0]
    assert np.allclose(first.cell.array, last.cell.array, atol=1e-5)
    assert np.allclose(first.get_velocities(), last.get_velocities(), atol=1e-4)


def test_a_folder_without_a_run_is_no_start(run_fails, tmp_path, potential):
    assert "holds no last.xyz" in run_fails("md", potential, tmp_path, "--time", 1)


def test_frames_are_as_near_as_asked_for(run, tmp_path, potential, box):
    words = ("md", potential, box, "--ensemble", "nve", "--temperature", 50, "--time", 0.02, "--timestep", 0.5)
    run(*words, "--frame-interval", 5, "--threads", 1, "-o", tmp_path / "run")
    assert len(read_trajectory(tmp_path / "run" / "trajectory.trr", read_configurations(box)[0])) == 5


def test_a_liquid_that_boils_is_no_completed_run(capsys, tmp_path, potential, box):
    """At a pressure that tears any liquid apart; the potential hardly matters."""
    words = ("md", potential, box, "--temperature", 300, "--pressure", -1_000_000, "--time", 2, "--timestep", 0.5)
    assert main([str(word) for word in (*words, "-o", tmp_path / "run")]) == 3
    assert "completed" not in capsys.readouterr().out


COLUMNS = ("temperatures", "energies", "pressures", "conserved_energies")


@pytest.mark.parametrize("slope", [-2.0, 0.4, 0.6])
def test_md_says_whether_the_conserved_energy_drifts(run, capsys, tmp_path, potential, box, monkeypatch, slope):
    """Of a run of 4 ps whose conserved energy is given, meV/atom per ps in its second half."""
    times = np.linspace(0, 4, 401)
    true_run = dynamics.run_md

    def with_energies(*words, **options):
        result = true_run(*words, **options)
        columns = {name: np.full(len(times), 300.0) for name in (*COLUMNS, "densities")}
        rise = 1e-3 * len(result.atoms) * slope * np.maximum(times, 2.0)
        return replace(result, times_ps=times, **columns | {"conserved_energies": -50.0 + rise})

    monkeypatch.setattr(dynamics, "run_md", with_energies)
    words = ("md", potential, box, "--ensemble", "nve", "--time", 0.002, "--timestep", 0.5, "-o", tmp_path / "run")
    assert json.loads(run(*words, "--json"))["energy_drift_meV_atom_ps"] == pytest.approx(slope, rel=1e-6)
    assert main([str(word) for word in words]) == 0
    assert ("the conserved energy drifts" in capsys.readouterr().err) == (abs(slope) > 0.5)


def test_a_run_that_fails_with_a_long_step_says_so(capsys, tmp_path, potential, box):
    words = ["md", potential, box, "--ensemble", "nve", "--temperature", 3000, "--time", 2, "--timestep", 8]
    assert main([str(word) for word in (*words, "-o", tmp_path / "run")]) == 3
    assert "a time step of 8 fs is long for hydrogens" in capsys.readouterr().err


def test_md_keeps_what_led_to_a_collapse(capsys, tmp_path, potential, box):
    words = ["md", potential, box, "--ensemble", "nvt", "--temperature", 100, "--time", 2, "--timestep", 0.5]
    assert main([str(word) for word in (*words, "-o", tmp_path / "run")]) == 3
    assert f"Before the end: {tmp_path / 'run' / 'approach.xyz'}" in capsys.readouterr().out
    assert read_configurations(tmp_path / "run" / "approach.xyz")


@pytest.mark.parametrize(
    ("densities", "drifts", "text"),
    [
        (lambda t, noise: 1.2 + 0.01 * noise, False, "in the first half)\n"),
        (lambda t, noise: 1.2 - 0.01 * t + 0.01 * noise, True, "per ps: not equilibrated"),
        (lambda t, noise: 1.2 + 0.1 * np.exp(-(t - 5) / 2), True, "in the second half ("),
        (lambda t, noise: 1.2 + 0.02 * np.cos(2 * np.pi * t / 5), None, "too few to detect a drift"),
        (lambda t, noise: np.where(t < 9.8, np.nan, 1.2), None, "too short to detect a drift"),
    ],
    ids=["at rest", "straight", "relaxing", "one wave", "not known"],
)
def test_md_says_whether_the_density_drifts(run, tmp_path, potential, box, monkeypatch, densities, drifts, text):
    """Of runs of 10 ps whose densities are given; a smooth curve holds no independent values that could tell."""
    times = np.linspace(0, 10, 1001)
    noise = np.random.default_rng(0).normal(size=len(times))
    true_run = dynamics.run_md

    def with_densities(*words, **options):
        result = true_run(*words, **options)
        columns = {name: np.full(len(times), 300.0) for name in COLUMNS}
        return replace(result, times_ps=times, **columns, densities=densities(times, noise))

    monkeypatch.setattr(dynamics, "run_md", with_densities)
    words = ("md", potential, box, "--time", 0.002, "--timestep", 0.5, "-o", tmp_path / "run")
    assert text in run(*words)
    assert json.loads(run(*words, "--json"))["density_drifts"] is drifts


def test_md_names_the_least_certain_atom(capsys, tmp_path, potential, labelled, box):
    """The atom that `grade` gives for the configuration that was saved."""
    words = ["md", potential, box, "--time", 0.01, "--train", labelled, "-o", tmp_path / "run"]
    assert main([str(word) for word in words]) == 3
    printed = capsys.readouterr().out
    words = ["grade", potential, tmp_path / "run" / "saved.xyz", "--train", labelled, "--json"]
    assert main([str(word) for word in words]) == 0
    (place,) = json.loads(capsys.readouterr().out)["least_certain"]
    text = f"{place['element']}{place['atom']} of EC (molecule {place['number']})"
    assert f"is above 10, at {text}\n" in printed and f"least certain: {text}, grade " in printed


def test_md_heats_and_changes_the_shape_of_the_cell(run, run_fails, tmp_path, potential, box):
    words = ("md", potential, box, "--temperature", "50:90", "--anisotropic", "--time", 0.02, "--timestep", 0.5)
    printed = run(*words, "-o", tmp_path / "run")
    assert "completed" in printed and "drift" not in printed
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["temperature"], result["temperature_end"], result["anisotropic"]) == (50, 90, True)
    (last,) = read_configurations(tmp_path / "run" / "last.xyz")
    assert np.ptp(last.cell.lengths()) > 0
    assert "density_drifts" not in json.loads(run(*words, "-o", tmp_path / "run", "--json"))
    assert "--temperature" in run_fails(
        "md", potential, box, "--time", 0.01, "--temperature", "50:90", "--ensemble", "nve"
    )
    assert "--anisotropic" in run_fails("md", potential, box, "--time", 0.01, "--anisotropic", "--ensemble", "nvt")
    assert main(["md", str(potential), str(box), "--time", "1", "--temperature", "50:x"]) == 2


@pytest.fixture
def quick_distillation(monkeypatch):
    """Short runs, and no limit of the drift."""
    for name in ("SETTLING_PS", "SAMPLING_PS", "CHECK_PS"):
        monkeypatch.setattr(dynamics.distillation, name, 0.1)
    monkeypatch.setattr(dynamics.results, "_SHORTEST_PS", 0.02)
    monkeypatch.setattr(dynamics.distillation, "LARGEST_DRIFT", 1e6)


def test_md_fits_an_inner_potential_once(run, tmp_path, box, quick_distillation):
    words = ("md", "ec", box, "--relax", 30, "--ensemble", "nvt", "--temperature", 100, "--time", 0.02)
    words += ("--inner-steps", 4, "-o", tmp_path / "run")
    printed = run(*words, "--inner", "auto")
    assert "inner potential: force error" in printed and "drift of the energy" in printed
    assert "0.02 ps: completed" in printed
    inner = tmp_path / "run" / "inner.json"
    made = (tmp_path / "run" / "distillation" / "inner.json").stat().st_mtime_ns
    assert run(*words, "--inner", "auto") == printed
    assert (tmp_path / "run" / "distillation" / "inner.json").stat().st_mtime_ns == made
    assert "completed" in run(*words[:-1], tmp_path / "given", "--inner", inner)


def test_md_refuses_an_inner_potential_with_a_large_drift(capsys, tmp_path, box, quick_distillation, monkeypatch):
    monkeypatch.setattr(dynamics.distillation, "LARGEST_DRIFT", 0.0)
    words = ("md", "ec", box, "--relax", 30, "--ensemble", "nvt", "--temperature", 100, "--time", 0.02)
    words += ("--inner", "auto")
    assert main([str(word) for word in (*words, "-o", tmp_path / "run")]) == 1
    assert "error: with steps of 1 fs and an inner potential the energy drifts by" in capsys.readouterr().err
    assert not (tmp_path / "run" / "log.csv").exists()


def test_replicas_are_averaged(run, tmp_path, potential, box):
    words = ("md", potential, box, "--ensemble", "nvt", "--temperature", 20, "--time", 0.02, "--timestep", 0.5)
    words += ("--replicas", 2, "--jobs", 1, "-o", tmp_path / "runs")
    printed = run(*words)
    table = {line.split()[0]: [float(word) for word in line.split()[1:]] for line in printed.splitlines()[1:5]}
    assert table["1"][3] != table["2"][3]
    assert table["mean"][2] == pytest.approx((table["1"][3] + table["2"][3]) / 2, abs=2e-5)
    assert table["error"][2] == pytest.approx(abs(table["1"][3] - table["2"][3]) / 2, abs=2e-5)
    found = json.loads(run(*words, "--json"))
    assert found["completed"] == 2 and len(found["replicas"]) == 2
    assert found["energy_eV_atom"]["mean"] == pytest.approx(table["mean"][2], abs=1e-5)


def test_each_replica_that_ended_early_is_an_error(capsys, tmp_path, potential, box):
    words = ("md", potential, box, "--temperature", 300, "--pressure", -1_000_000, "--time", 2, "--timestep", 0.5)
    words += ("--replicas", 2, "--jobs", 1, "-o", tmp_path / "runs")
    assert main([str(word) for word in words]) == 3
    captured = capsys.readouterr()
    assert "error: replica 1: " in captured.err and "error: replica 2: " in captured.err
    assert "over 0 completed replicas" in captured.out


@pytest.mark.parametrize(
    "options, message",
    [
        (("--inner-steps", 2), "--inner-steps needs --inner"),
        (("--jobs", 2), "--jobs needs --replicas"),
        (("--replicas", 2, "--threads", 2), "leave --threads out"),
        (("--inner", "missing.mtp", "--ensemble", "nvt"), "missing.mtp"),
        (("--inner", "missing.json", "--ensemble", "nvt"), "missing.json"),
    ],
)
def test_options_of_inner_potentials_and_replicas_are_checked(run_fails, tmp_path, potential, box, options, message):
    assert message in run_fails("md", potential, box, "--time", 0.01, *options, "-o", tmp_path / "run")


def test_a_run_that_explodes_is_not_completed(tmp_path, spheres, capsys):
    atoms, potential = spheres
    hot = atoms.copy()
    MaxwellBoltzmannDistribution(hot, temperature_K=20_000, rng=np.random.default_rng(0))
    hot.write(tmp_path / "hot.xyz")
    potential.save(tmp_path / "spheres.mtp")
    words = ["md", tmp_path / "spheres.mtp", tmp_path / "hot.xyz", "--ensemble", "nve", "--time", 0.05]
    assert main([str(word) for word in [*words, "-o", tmp_path / "run"]]) == 3
    assert "K is outside 0 to 10300 K" in capsys.readouterr().out
