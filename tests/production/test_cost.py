"""What a production takes: lengths, hours, files, progress."""

from dataclasses import replace

import numpy as np
import pytest

from electrolyte_ml.analysis import expected_error
from electrolyte_ml.potentials import ModelSpec, load
from electrolyte_ml.production import ProductionSettings, cost
from electrolyte_ml.production.places import trajectory_folder
from electrolyte_ml.production.progress import Progress
from electrolyte_ml.production.settings import AnalysisSettings, EquilibrationSettings, TrajectorySettings
from electrolyte_ml.production.workflow import cost_of, prepare

PAPER = ProductionSettings(
    potential="pot.mtp",
    composition="EC=24 EMC=56 LiPF6=8",
    density=1.1,
    temperatures=(280.0, 300.0, 320.0),
    jobs=2,
    equilibration=EquilibrationSettings(
        annealing=((300.0, 300.0, 1000.0), (300.0, 380.0, 1000.0), (380.0, 300.0, 1000.0)), time_ps=500.0
    ),
    trajectories=TrajectorySettings(count=10, time_ps=2500.0, settling_ps=0.0),
    analysis=AnalysisSettings(correlation_ps=500.0, window_ps=300.0),
)


def test_lengths_hours_and_error_of_the_paper(monkeypatch, tmp_path):
    monkeypatch.setattr(cost, "seconds_per_step", lambda *_: 0.004)
    found = cost.estimate_cost(tmp_path, PAPER, [range(1144)], None, 16)
    assert (found.annealing_ns, found.equilibration_ns, found.production_ns) == pytest.approx((3.0, 15.0, 75.0))
    # Annealing in one box, all else two at a time; 2 fs but in the production.
    steps = 3e6 / 2 + (15e6 / 2 + 75e6) / 2
    assert found.hours == pytest.approx(0.004 * steps / 3600)
    assert found.done == 0.0
    assert found.expected_error == pytest.approx(expected_error(300.0, 25_000.0))  # 13 %, as the paper's totals give
    frames = 30 * (250_000 * (120 + 24 * 17) + 2500 * (120 + 24 * 1144))
    assert found.bytes == pytest.approx(frames, rel=0.1)
    assert "75 ns of production" in str(found) and "13%" in str(found)


def test_bytes_are_those_of_the_files(whole, settings, monkeypatch):
    directory, _ = whole
    monkeypatch.setattr(cost, "seconds_per_step", lambda *_: 0.001)
    settings = replace(settings, temperatures=(300.0, 340.0))
    found = cost_of(prepare(directory, settings))
    assert found.done == 1.0 and found.hours == 0.0
    frames = [path.stat().st_size for path in directory.glob("*K/trajectory_*/*.trr")]
    expected = 6 * (31 * (120 + 24 * 3) + 7 * (120 + 24 * 34))
    assert sum(frames) == expected
    others = [path.stat().st_size for path in directory.glob("*K/trajectory_*/*/trajectory.trr")]
    logs = [path.stat().st_size for path in directory.rglob("log.csv")]
    assert found.bytes == pytest.approx(sum(frames) + sum(others) + sum(logs), rel=0.3)


def test_timed_run_of_a_box(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(cost, "_TIMED_SECONDS", 0.05)
    found = cost_of(prepare(tmp_path, settings))
    assert 0.0 < found.seconds_per_step < np.inf and found.hours > 0.0
    assert not list(tmp_path.iterdir())


def test_unstable_potential_is_timed_by_the_steps_that_it_takes(settings, tmp_path):
    wild = ModelSpec(level=4).random(load(settings.potential).species, seed=1)
    wild = wild.with_parameters(1e3 * wild.parameters)
    found = cost_of(prepare(tmp_path, settings, wild))
    assert 0.0 < found.seconds_per_step < np.inf and found.hours > 0.0


def test_progress_follows_the_logs(settings, tmp_path):
    phases = cost.legs_of(tmp_path, settings)
    progress = Progress(phases, settings, shown=False)
    assert progress.text() == "equilibration"
    assert sum(leg.steps for leg in phases[2]) == 3 * (300 + 30)
    folder = trajectory_folder(tmp_path, 300.0, 1)
    folder.mkdir(parents=True)
    leg = next(leg for leg in phases[2] if leg.folder == folder)
    assert leg.done() == 0
    (folder / "log.csv").write_text("step,time_ps\n0,0\n100,0.1\n2")  # the last row is not whole
    assert leg.done() == 100
    assert progress.text() == f"0.0001 ns at 300 K, expected error of σ {expected_error(100.0, 0.1):.0%}"
    (folder / "result.json").write_text('{"reason": "temperature", "steps": 120, "detail": ""}')
    assert leg.done() == 300  # no more will come
