"""Configurations that led to the end of a run."""

import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.dynamics.approach import LatestConfigurations
from electrolyte_ml.dynamics.monitors import Verdict
from electrolyte_ml.structures import read_configurations


class Ends:
    """A monitor that reports a reason at a step, or ends the program there."""

    every = 1

    def __init__(self, step, reason="overlap"):
        self.step, self.reason = step, reason

    def check(self, step, atoms, results):
        if step < self.step:
            return None
        if self.reason == "killed":
            raise KeyboardInterrupt
        return Verdict("by the monitor")


def run(spheres, directory, monitor, **options):
    standard = {"ensemble": "nvt", "temperature": 300, "time_ps": 1.0, "timestep_fs": 2.0, "progress": False}
    standard |= {"log_interval_fs": 10, "frame_interval_fs": 2, "restart_interval_fs": 300}
    return run_md(*spheres, directory=directory, monitors=[monitor], **(standard | options))


OPTIONS = {
    "single steps": {},
    "barostat": {"ensemble": "npt"},
    "ramp": {"temperature_end": 600.0},
    "multiple steps": {"inner": True, "inner_steps": 2},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_approach_is_what_the_run_did(spheres, tmp_path, name):
    """The last restart file is of step 150, and the run ends at step 299 of 2 fs."""
    options = dict(OPTIONS[name])
    if "inner" in options:
        options["inner"] = spheres[1]
    result = run(spheres, tmp_path, Ends(299), **options)
    assert (result.reason, result.steps) == ("overlap", 299)
    found = read_configurations(tmp_path / "approach.xyz")
    steps = [atoms.info["step"] for atoms in found]
    assert steps == list(range(200, 300, 2))  # every 4 fs of the last 200 fs
    frames = {atoms.info["step"]: atoms for atoms in result.frames()}
    for atoms, step in zip(found, steps):
        np.testing.assert_allclose(atoms.positions, frames[step].positions, atol=2e-5)  # single precision
        assert atoms.calc is None


def test_only_steps_after_the_restart_file_are_repeated(spheres, tmp_path):
    run(spheres, tmp_path, Ends(310))
    assert [atoms.info["step"] for atoms in read_configurations(tmp_path / "approach.xyz")] == [302, 304, 306, 308, 310]


def test_a_killed_run_has_the_same_approach(spheres, tmp_path):
    run(spheres, tmp_path / "whole", Ends(299))
    with pytest.raises(KeyboardInterrupt):
        run(spheres, tmp_path / "killed", Ends(250, "killed"))
    run(spheres, tmp_path / "killed", Ends(299))
    whole, killed = ((tmp_path / name / "approach.xyz").read_text() for name in ("whole", "killed"))
    assert whole == killed


@pytest.mark.parametrize("reason", ["grade", "density", "energy"])
def test_other_ends_are_not_repeated(spheres, tmp_path, reason):
    assert run(spheres, tmp_path, Ends(200, reason)).reason == reason
    assert not (tmp_path / "approach.xyz").exists()


def test_completed_runs_and_other_calculators_are_not_repeated(spheres, argon, tmp_path):
    assert run(spheres, tmp_path / "completed", Ends(9999), time_ps=0.1).completed
    other = (argon, LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True))
    assert run(other, tmp_path / "other", Ends(20)).reason == "overlap"
    assert not list(tmp_path.glob("*/approach.xyz"))


def test_collapsed_configurations_are_left_out(argon):
    recorder = LatestConfigurations(timestep_fs=2.0)
    for step in range(0, 12, 2):
        frame = argon.copy()
        if step >= 8:
            frame.positions[1] = frame.positions[0] + [0.5, 0.0, 0.0]
        assert recorder.frame(step, 0.002 * step, frame, {}) == b""
    assert [atoms.info["step"] for atoms in recorder.usable()] == [0, 2, 4, 6]
    argon.positions[0, 0] = np.nan
    recorder = LatestConfigurations(timestep_fs=2.0)
    recorder.frame(0, 0.0, argon, {})
    assert recorder.usable() == []
