"""The comparison of multiple with single time steps: its quantities, and that it resumes."""

import json

import numpy as np
import pytest
from ase import units
from ase.io import read

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.potentials import load
from electrolyte_ml.structures import pack, parse_composition
from electrolyte_ml.structures.topology import Topology
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.static_frames import known_frames


@pytest.fixture(scope="module")
def comparison(script):
    return script("multiple_steps")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Six molecules, relaxed."""
    folder = tmp_path_factory.mktemp("start")
    run_md(
        pack(parse_composition("EC=4 EMC=2"), 1.1, 0), load("ec-emc"), ensemble="nvt", time_ps=0.1, relax=60,
        directory=folder, progress=False,
    )  # fmt: skip
    return folder / "last.xyz"


def test_temperatures_and_displacements_are_those_of_the_frames(comparison, start, tmp_path):
    options = {"ensemble": "nvt", "time_ps": 1.2, "frame_interval_fs": 50, "directory": tmp_path, "progress": False}
    frames = run_md(read(start), load("ec-emc"), **options).frames()
    found = comparison.motion(open_trajectory(tmp_path))
    first, masses = frames[0], frames[0].get_masses()
    velocities = np.array([atoms.get_velocities() for atoms in frames])
    twice = masses * np.mean(np.sum(velocities**2, axis=-1), axis=0)  # eV
    for symbol in ("H", "C", "O"):
        expected = twice[first.symbols == symbol].mean() / (3 * units.kB) / (1 - 1 / len(first))
        assert found[f"T({symbol}), K"] == pytest.approx(expected, rel=1e-4)
    labels = Topology.of(first).labels
    weights = np.bincount(labels, masses)
    share = np.array([masses * (labels == k) / weights[k] for k in range(labels.max() + 1)])
    moving = np.mean(weights * np.mean(np.sum((share @ velocities) ** 2, axis=-1), axis=0)) / (3 * units.kB)
    assert found["T(centres), K"] == pytest.approx(moving * 6 / 5, rel=1e-4)
    paths = share @ np.array([atoms.positions for atoms in frames])  # atoms are not wrapped during a run
    paths -= (weights @ paths / weights.sum())[:, None]
    square = np.mean(np.sum((paths[6:] - paths[:-6]) ** 2, axis=-1))
    assert found["MSD(0.3 ps), Å²"] == pytest.approx(square, rel=1e-3)
    assert not any("MSD(3 ps)" in name for name in found)  # longer than half of the run


def test_runs_of_one_kind_do_not_differ_from_themselves(comparison, start, tmp_path):
    folders = [tmp_path / str(k) for k in range(2)]
    for seed, folder in enumerate(folders):
        run_md(
            read(start), load("ec-emc"), ensemble="nvt", time_ps=0.3, frame_interval_fs=30, seed=seed, directory=folder,
            progress=False,
        )  # fmt: skip
    runs = [open_trajectory(folder) for folder in folders]
    rows = [comparison.motion(run) for run in runs]
    text = comparison.table({"single": rows, "single again": rows, "multiple": rows[::-1]})
    row = next(line for line in text.splitlines() if line.startswith("T(H), K"))
    one, other = (run["T(H), K"] for run in rows)
    change = 100 * (np.array([other / one, one / other]) - 1)
    assert row.split("+0.0 ± 0.0 %")[1].strip() == f"{change.mean():+.1f} ± {np.ptp(change) / 2:.1f} %"
    assert "differ by 0.00 errors" in comparison.structure(runs, runs)


def test_ions_have_conductivity_and_pairs(comparison, tmp_path):
    pair = known_frames()["CIP"].atoms
    moving = []
    for k in range(40):  # Li and PF6 as one: no current
        atoms = pair.copy()
        atoms.positions[np.isin(atoms.symbols, ("Li", "P", "F"))] += 0.01 * k
        atoms.info["time_ps"] = 0.3 * k
        moving.append(atoms)
    text = comparison.ions([open_trajectory(moving)] * 2, 300.0)
    assert "CIP 1.00 ± 0.00" in text and "SSIP 0.00" in text
    assert "einstein-helfand" in text and "nernst-einstein" in text


def test_pairs_take_the_starts_in_turn(comparison, start, tmp_path, monkeypatch, capsys):
    dense, inner = tmp_path / "dense.xyz", tmp_path / "inner.mtp"
    atoms = read(start)
    atoms.set_cell(0.99 * atoms.cell.array, scale_atoms=True)
    atoms.write(dense)
    load("ec-emc").save(inner)
    monkeypatch.setattr(comparison, "SETTLING_PS", 0.01)
    monkeypatch.setattr(comparison, "FRAMES_FS", 30.0)
    options = ["-o", str(tmp_path / "paired"), "--pairs", "3", "--time", "0.3", "--inner", str(inner), "--jobs", "1"]
    comparison.main(["ec-emc", str(start), str(dense), *options])
    volumes = [read(tmp_path / "paired" / f"multiple_{k}" / "last.xyz").get_volume() for k in range(3)]
    assert volumes == pytest.approx([read(path).get_volume() for path in (start, dense, start)], rel=1e-6)


def test_the_same_command_resumes(comparison, start, tmp_path, monkeypatch, capsys):
    inner, folder = tmp_path / "inner.mtp", tmp_path / "paired"
    load("ec-emc").save(inner)
    monkeypatch.setattr(comparison, "SETTLING_PS", 0.05)
    monkeypatch.setattr(comparison, "FRAMES_FS", 30.0)
    arguments = ["ec-emc", str(start), "-o", str(folder), "--pairs", "2", "--time", "0.3", "--inner", str(inner)]
    comparison.main([*arguments, "--jobs", "1"])
    table = capsys.readouterr().out
    assert "single again" in table and table.count("errors (root mean square)") == 2
    assert {path.name for path in folder.iterdir()} == {
        f"{name}_{k}" for name in ("start", "single", "single_again", "multiple") for k in range(2)
    }
    record = json.loads((folder / "multiple_0" / "result.json").read_text())
    assert record["timestep_fs"] == 3 and record["inner_steps"] == 3
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("trajectory.*")}
    comparison.main([*arguments, "--jobs", "1"])
    assert capsys.readouterr().out == table
    assert len(written) == 8 and {path: path.stat().st_mtime_ns for path in written} == written
    with pytest.raises(SystemExit):
        comparison.main([*arguments[:4], "--pairs", "1"])
