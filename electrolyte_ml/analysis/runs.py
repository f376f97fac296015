"""Checks of several runs that are analysed together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.trajectory import Trajectory


def as_runs(trajectories: Trajectory | Sequence[Trajectory], *, mixed: bool = False) -> list[Trajectory]:
    """Return one or several trajectories as a list; unless `mixed`, check that they are of the same system.

    Raises
    ------
    InputError
        There is no trajectory, or their molecules differ.
    """
    runs = [trajectories] if isinstance(trajectories, Trajectory) else list(trajectories)
    if not runs:
        raise InputError("there is no trajectory to analyse")
    for run in [] if mixed else runs[1:]:
        for parts, count in (("molecules", _composition), ("donors", _donors)):
            if count(run) != count(runs[0]):
                raise InputError(f"{run.name} does not hold the {parts} of {runs[0].name}")
    return runs


def common_timestep(runs: Sequence[Trajectory]) -> float | None:
    """Return the time between frames of all runs, ps; None if it is unknown or a run has one frame.

    Raises
    ------
    InputError
        The time between frames differs.
    """
    times = [run.timestep_ps for run in runs if run.timestep_ps is not None]
    if len(times) < len(runs) or any(run.n_frames < 2 for run in runs):
        return None
    if max(times) - min(times) > 1e-3 * max(times):
        raise InputError(
            f"the frames of {runs[int(np.argmax(times))].name} are {max(times):g} ps apart, those of other runs "
            f"{min(times):g} ps: select frames (a slice, --stride) so that they agree"
        )
    return times[0]


def without_times(runs: Sequence[Trajectory]) -> str:
    """Return why the first run without a time between frames has none; empty if all runs have one."""
    for run in runs:
        if run.uneven:
            return f"{run.name}: its frames are not evenly spaced in time ({run.uneven})"
        if run.n_frames < 2:
            return f"{run.name} has one frame"
        if run.timestep_ps is None:
            return f"{run.name} has no times of its frames (timestep_ps=, --timestep)"
    return ""


def _composition(run: Trajectory) -> dict[str, int]:
    return {name: len(species) for name, species in run.roles.items()}


def _donors(run: Trajectory) -> dict[str, dict[str, int]]:
    return {name: {kind: len(atoms) for kind, atoms in s.donors.items()} for name, s in run.roles.items()}
