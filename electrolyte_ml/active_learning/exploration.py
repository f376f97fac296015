"""Exploration: dynamics with the potential that save configurations on which it extrapolates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.active_learning.records import iteration_number
from electrolyte_ml.active_learning.seeding import packed_starts
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.charge import bare_configuration

if TYPE_CHECKING:
    from electrolyte_ml.dynamics import RunResult
    from electrolyte_ml.dynamics.monitors import Monitor
    from electrolyte_ml.potentials import Potential

LARGER_EVERY = 5  # every fifth trajectory, from the first, explores a larger box if the settings name one
LARGER_BOXES = 8  # number of larger boxes that are packed and used in turn
NO_FORCES = ("calculator", "nan")  # reasons of an end at a configuration without energy and grade


class Trajectory(NamedTuple):
    """A planned trajectory: its start, its folder, and the seed of its velocities."""

    start: Atoms
    folder: Path
    seed: int


class Explored(NamedTuple):
    """Result of a trajectory.

    Attributes
    ----------
    saved : list of Atoms
        Candidates for a label, with `iteration`, `parent`, `grade`, `least_certain` (the atom of the highest grade) and
        `charge` in ``info``, and `stopped` for the one at which the trajectory ended for another reason than the grade.
    reason, detail : str
        Reason of the end, and an explanation.
    max_grade : float
        Highest grade of the trajectory.
    """

    saved: list[Atoms]
    reason: str
    detail: str
    max_grade: float


def larger_boxes(settings: ActiveLearningSettings, source: str) -> list[Atoms]:
    """Pack the larger boxes for the exploration, at the mean density: at the highest one, packing may fail.

    Raises
    ------
    InputError
        A box cannot be packed; the message names `source`, the file of the settings.
    """
    compositions = settings.exploration.larger_boxes
    if not compositions:
        return []
    try:
        return packed_starts(
            compositions,
            [float(np.mean(settings.density))],
            LARGER_BOXES,
            settings.seeding.seed,
            own_molecules=settings.own_molecules(),
        )
    except InputError as error:
        raise InputError(f"{source}: exploration.larger_boxes: {error}") from error


def plan_trajectories(
    settings: ActiveLearningSettings, seeds: Sequence[Atoms], larger: Sequence[Atoms], folder: Path
) -> list[Trajectory]:
    """Return the trajectories of an iteration, which start from configurations of the seeding or from larger boxes.

    The choice and the velocities depend on the seed, the iteration and the number of the trajectory alone.

    Parameters
    ----------
    settings
        Settings of the run.
    seeds
        Configurations of the seeding.
    larger
        Larger boxes, possibly none.
    folder
        Folder of the iteration.
    """
    number, count = iteration_number(folder), settings.exploration.trajectories
    rng = np.random.default_rng([settings.seed, number])
    order = np.concatenate([rng.permutation(len(seeds)) for _ in range(-(-count // len(seeds)))])
    starts = [seeds[order[k]] for k in range(count)]
    if larger:
        places = range(0, count, LARGER_EVERY)
        for turn, k in enumerate(places, start=(number - 1) * len(places)):
            starts[k] = larger[turn % len(larger)]
    return [
        Trajectory(
            start,
            folder / f"trajectory_{k:02d}",
            int(np.random.SeedSequence([settings.seed, number, k]).generate_state(1)[0]),
        )
        for k, start in enumerate(starts)
    ]


def explore(
    trajectory: Trajectory,
    potential: Potential,
    active_set: ActiveSet,
    settings: ActiveLearningSettings,
) -> Explored:
    """Run one trajectory in its own folder, where it can be resumed, and return the candidates for labels."""
    start, folder, seed = trajectory
    timestep, limit = settings.exploration.timestep_fs, settings.grades.break_threshold
    interval, longest = settings.grades.interval(timestep), settings.grades.longest_interval(timestep)
    run = _run(trajectory, potential, active_set, settings, interval, longest)
    again = Trajectory(start, folder / "retraced", seed)
    if run.reason in NO_FORCES and longest > 1:
        # Atoms collapsed between two gradings: rerun the trajectory and grade every step.
        run = _run(again, potential, active_set, settings, 1, 1)
    elif run.reason == "grade" and longest > interval and all(grade > limit for _, grade, _ in run.saved):
        # The grade rose past both thresholds between two gradings: rerun with shorter intervals to find grades between.
        run = _run(again, potential, active_set, settings, interval, interval)
    within = [(step, grade, atoms) for step, grade, atoms in run.saved if grade <= limit]
    # A configuration above the break threshold is too far outside to be a good label: used only if there is no other.
    saved = [
        _candidate(atoms, start, folder, step, grade, atoms.info.get("least_certain", ""))
        for step, grade, atoms in within or run.saved
    ]
    if run.reason not in ("completed", "grade", *NO_FORCES):
        last = _candidate(run.atoms, start, folder, run.steps, active_set.grade(run.atoms))
        last.info["stopped"] = run.reason
        saved.append(last)
    return Explored(saved, run.reason, run.detail, float(np.nanmax(run.grades, initial=0.0)))


def _run(
    trajectory: Trajectory,
    potential: Potential,
    active_set: ActiveSet,
    settings: ActiveLearningSettings,
    interval: int,
    longest: int,
) -> RunResult:
    """Run the dynamics of a trajectory and grade it every `interval` to `longest` steps."""
    from electrolyte_ml.dynamics import GradeMonitor, MoleculeMonitor, TemperatureMonitor, run_md

    start, folder, seed = trajectory
    exploration, grades = settings.exploration, settings.grades
    monitors: list[Monitor] = [
        GradeMonitor(
            active_set,
            grades.save_threshold,
            grades.break_threshold,
            every=interval,
            longest=longest,
            most=exploration.most_saved,
        ),
        TemperatureMonitor(maximum=4 * exploration.temperature),
    ]
    if exploration.watch_molecules:
        monitors.append(MoleculeMonitor(start))
    return run_md(
        bare_configuration(start),
        potential,
        **exploration.options(),
        directory=folder,
        monitors=monitors,
        seed=seed,
        log_interval_fs=max(grades.interval_fs, exploration.timestep_fs),
        frame_interval_fs=1000 * exploration.time_ps,
        progress=False,
    )


def _candidate(atoms: Atoms, start: Atoms, folder: Path, step: int, grade: float, least_certain: str = "") -> Atoms:
    """Return a copy of a configuration, with the charge of its start and with its origin and grade in ``info``."""
    candidate = bare_configuration(start)
    candidate.set_cell(atoms.cell)
    candidate.positions = atoms.positions
    candidate.info |= {
        "iteration": iteration_number(folder.parent),
        "grade": float(f"{grade:.6g}"),
        "parent": f"{folder.parent.name}/{folder.name}/{step}",
    }
    if least_certain:
        candidate.info["least_certain"] = least_certain
    return candidate
