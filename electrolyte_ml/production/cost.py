"""Cost of a production: lengths of its runs, hours from a short timed run, and disk space."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase import Atoms

from electrolyte_ml.analysis.production import expected_error
from electrolyte_ml.parallel import resolve_jobs
from electrolyte_ml.production.places import box_folder, run_record, trajectory_folder
from electrolyte_ml.production.ramps import ramps
from electrolyte_ml.production.settings import ProductionSettings
from electrolyte_ml.production.stages import COMPLETED
from electrolyte_ml.trajectories.trr import frame_size

if TYPE_CHECKING:
    from electrolyte_ml.potentials import Potential

_TIMED_SECONDS = 2.0
_RELAX = 30  # steps of minimisation
_LOG_ROW = 110  # bytes
SINGLE_FS = 1.0  # timed in place of multiple time steps
OUTER_STEP = 1.25  # time of an outer step with its inner steps, in units of that of a single step
_LAST_ROW = 400  # bytes read from the end of a log, at least a whole row


@dataclass(frozen=True)
class Leg:
    """One run of a production.

    Attributes
    ----------
    folder : Path
    steps : int
    temperature : float or None
        Temperature of a recorded trajectory, K; None for equilibration.
    """

    folder: Path
    steps: int
    temperature: float | None = None

    def done(self) -> int:
        """Return the number of steps done; all steps if the run ended early, since it will not continue."""
        record = run_record(self.folder)
        if record and record["reason"] != COMPLETED:
            return self.steps
        return min(self.steps, max(self.logged(), record.get("steps", 0)))

    def logged(self) -> int:
        """Return the step of the last row of the log; 0 without one."""
        try:
            with open(self.folder / "log.csv", "rb") as stream:
                stream.seek(max(0, stream.seek(0, 2) - _LAST_ROW))
                rows = stream.read().decode(errors="replace").split("\n")[:-1]  # the last row may be incomplete
            return int(rows[-1].partition(",")[0])
        except (OSError, ValueError, IndexError):
            return 0


def legs_of(directory: Path, settings: ProductionSettings) -> list[list[Leg]]:
    """Return the runs of annealing, equilibration and production, a list for each; the runs of a list are parallel."""
    equilibration, trajectories = settings.equilibration, settings.trajectories
    slow, fast = (section.timestep_fs / 1000.0 for section in (equilibration, trajectories))  # ps
    annealing = [
        Leg(box_folder(directory, box) / f"stage_{number:02d}", round(ramp.time_ps / slow))
        for box in range(equilibration.boxes)
        for number, ramp in enumerate(ramps(equilibration.annealing))
    ]
    folders = [
        (temperature, trajectory_folder(directory, temperature, number))
        for temperature in settings.temperatures
        for number in range(trajectories.count)
    ]
    steps = round(equilibration.time_ps / slow)
    equilibrations = [Leg(folder / "equilibration", steps) for _, folder in folders]
    settling = [Leg(folder / "settling", round(trajectories.settling_ps / fast)) for _, folder in folders]
    steps = round(trajectories.time_ps / fast)
    return [annealing, equilibrations, settling + [Leg(folder, steps, temperature) for temperature, folder in folders]]


@dataclass(frozen=True)
class Cost:
    """Cost of a production, and the part of it that remains.

    Attributes
    ----------
    annealing_ns, equilibration_ns, production_ns : float
        Length of all runs.
    done : float
        Share of the steps that are done.
    seconds_per_step : float
        Time of a step, measured on one thread.
    hours : float
        Remaining time, if as many trajectories run in parallel as there are jobs.
    jobs : int
        Number of parallel trajectories.
    bytes : int
        Size of all files at the end.
    expected_error : float
        Expected relative error of the conductivity at each temperature, if no trajectory ends early.
    """

    annealing_ns: float
    equilibration_ns: float
    production_ns: float
    done: float
    seconds_per_step: float
    hours: float
    jobs: int
    bytes: int
    expected_error: float

    def __str__(self) -> str:
        error = (
            f"expected error of the conductivity {self.expected_error:.0%}"
            if self.expected_error < 1
            else "too short for a conductivity, whose expected error is above 100 %"
        )
        done = f", {self.done:.0%} of it done" if self.done else ""
        hours = f"{self.hours:.3g} h" if self.hours >= 1 else f"{60 * self.hours:.2g} min"
        return (
            f"{self.annealing_ns:.3g} ns of annealing, {self.equilibration_ns:.3g} ns of equilibration and "
            f"{self.production_ns:.3g} ns of production{done}; about {hours} left with {self.jobs} at once "
            f"({1000 * self.seconds_per_step:.3g} ms a step); {self.bytes / 1e6:.3g} MB of files in the end; {error}"
        )


def estimate_cost(
    directory: Path, settings: ProductionSettings, starts: Sequence[Atoms], potential: Potential, ions: int
) -> Cost:
    """Estimate the cost of a production by a short run of its potential in its box.

    Parameters
    ----------
    directory, settings
        Folder and settings of the production.
    starts
        The packed boxes.
    potential
        The potential, in the precision of the settings.
    ions
        Number of ions.

    Raises
    ------
    ElectrolyteError
        The potential fails on the box.
    """
    jobs, phases = resolve_jobs(settings.jobs), legs_of(directory, settings)
    seconds = seconds_per_step(settings, starts[0], potential)
    total = sum(leg.steps for phase in phases for leg in phase)
    ended = _ended(directory, settings)
    left, hours = 0, 0.0
    for phase in phases:
        chains: dict[Path, int] = {}  # steps left of a box or a trajectory, whose runs follow one another
        for leg in phase:
            place = leg.folder if leg.temperature is not None else leg.folder.parent
            chains[place] = chains.get(place, 0) + (0 if place in ended else leg.steps - leg.done())
        left += sum(chains.values())
        hours += _longest(chains.values(), jobs) * seconds / 3600.0
    equilibration, trajectories = settings.equilibration, settings.trajectories
    count = trajectories.count * len(settings.temperatures)
    trajectory_bytes = (
        trajectories.time_ps * 1000 / trajectories.ion_interval_fs * frame_size(ions + 1)
        + (trajectories.pressure_interval_fs and trajectories.time_ps * 1000 / trajectories.pressure_interval_fs * 24)
        + trajectories.time_ps / trajectories.frame_interval_ps * frame_size(len(starts[0]))
        + (trajectories.time_ps + equilibration.time_ps) * 10 * _LOG_ROW
        + 15 * frame_size(len(starts[0]))
    )
    annealing_ps = sum(stage[2] for stage in equilibration.annealing) * equilibration.boxes
    return Cost(
        annealing_ns=annealing_ps / 1000,
        equilibration_ns=count * (equilibration.time_ps + trajectories.settling_ps) / 1000,
        production_ns=count * trajectories.time_ps / 1000,
        done=1.0 - left / total,
        seconds_per_step=seconds,
        hours=hours,
        jobs=jobs,
        bytes=round(count * trajectory_bytes + annealing_ps * 10 * _LOG_ROW),
        expected_error=expected_error(settings.analysis.effective_ps, trajectories.count * trajectories.time_ps),
    )


def _ended(directory: Path, settings: ProductionSettings) -> set[Path]:
    """Return the folders of boxes and trajectories in which a run has ended early, so that nothing follows there."""

    def early(folder: Path) -> bool:
        return bool(record := run_record(folder)) and record["reason"] != COMPLETED

    boxes = [box_folder(directory, box) for box in range(settings.equilibration.boxes)]
    ended = {box for box in boxes if any(map(early, box.glob("stage_*")))}
    for temperature in settings.temperatures:
        for number in range(settings.trajectories.count):
            folder = trajectory_folder(directory, temperature, number)
            stages = folder / "equilibration", folder / "settling", folder
            if boxes[number % len(boxes)] in ended or any(map(early, stages)):
                ended.add(folder)
    return ended


def _longest(lengths: Iterable[int], jobs: int) -> int:
    """Return the time of parallel tasks: the next one, the longest first, begins in the process that is free first."""
    processes = [0] * jobs
    for length in sorted(lengths, reverse=True):
        heapq.heapreplace(processes, processes[0] + length)
    return max(processes)


def seconds_per_step(settings: ProductionSettings, start: Atoms, potential: Potential) -> float:
    """Return the time of a step of a box on one thread, s, measured after a minimisation that also compiles kernels.

    With multiple time steps, single steps of 1 fs are timed, and the rest of an outer step is added.

    If the potential is unstable, the steps until the run ends are timed; the production reports the reason.
    """
    from electrolyte_ml.dynamics import run_md

    step = SINGLE_FS if settings.multiple_steps else settings.trajectories.timestep_fs
    options: dict[str, Any] = {"ensemble": "nvt", "temperature": settings.temperatures[0], "timestep_fs": step}
    calculator, atoms = potential.calculator(threads=1), start
    steps, relax, seconds = 10, _RELAX, 0.0
    for _ in range(3):
        start_time = time.perf_counter()
        run = run_md(
            atoms,
            calculator,
            **options,
            time_ps=steps * step / 1000,
            frame_interval_fs=1e6,
            relax=relax,
            progress=False,
        )
        seconds = (time.perf_counter() - start_time) / max(1, run.steps)
        if not run.completed:
            break
        atoms, relax = run.atoms, 0
        steps = 20 if steps == 10 else max(20, min(2000, int(_TIMED_SECONDS / seconds)))
    return seconds * OUTER_STEP if settings.multiple_steps else seconds
