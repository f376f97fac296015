"""Stages of a production: annealing of a box, equilibration of a trajectory, its recorded run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase import Atoms

from electrolyte_ml.dynamics.force_field import MolecularForceField
from electrolyte_ml.dynamics.recorders import IonRecorder, Recorder, StressRecorder
from electrolyte_ml.dynamics.simulation import run_md
from electrolyte_ml.production.places import INNER, box_folder, trajectory_folder
from electrolyte_ml.production.ramps import Ramp, ramps
from electrolyte_ml.production.settings import ProductionSettings
from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.rescaling import at_density, at_volume
from electrolyte_ml.units import DENSITY_UNIT

if TYPE_CHECKING:
    from electrolyte_ml.active_learning.active_set import ActiveSet
    from electrolyte_ml.dynamics.monitors import Monitor
    from electrolyte_ml.dynamics.results import RunResult
    from electrolyte_ml.potentials import Potential

COMPLETED = "completed"
RELAX = 50  # steps of minimisation: packed molecules touch at 0.9 of their van der Waals distance
LOG_FS = 100.0  # largest time between rows of the log
_DENSITY_CHANGE = 0.5  # largest relative change in both directions; beyond, the liquid has boiled or collapsed
_WATCH_FS = 100.0  # between two checks of molecules and temperature
GENTLE_FS = 1000.0  # relaxation time of the production's thermostat, which acts on the kinetic energy as a whole
_ANNEALING, _EQUILIBRATION, _SETTLING, _PRODUCTION, _INNER = range(5)  # part of the seed of a run


class Setup(NamedTuple):
    """Input that all runs of a production share.

    Attributes
    ----------
    directory : Path
    settings : ProductionSettings
    potential : Potential
        The potential, in the precision of the settings.
    active_set : ActiveSet or None
        Active set for the grades.
    threads : int
        Number of threads of the annealing; a trajectory runs on one.
    inner_temperature : float
        Temperature (K) for which the inner potential is fitted; that of the first call, if temperatures were added.
    inner : MolecularForceField or None
        Inner potential of multiple time steps.
    """

    directory: Path
    settings: ProductionSettings
    potential: Potential
    active_set: ActiveSet | None
    threads: int
    inner_temperature: float
    inner: MolecularForceField | None = None


class Ending(NamedTuple):
    """End of a run or of a series of runs.

    Attributes
    ----------
    reason, detail : str
        As in :class:`electrolyte_ml.dynamics.RunResult`.
    configurations : list of Atoms
        Starts of the next stage; empty unless the runs are completed.
    volume : float
        Mean volume at the end of a run at constant pressure, Å³.
    """

    reason: str
    detail: str = ""
    configurations: Sequence[Atoms] = ()
    volume: float = np.nan

    @property
    def completed(self) -> bool:
        """Whether the run has reached its whole length."""
        return self.reason == COMPLETED


def inner_temperature(settings: ProductionSettings) -> float:
    """Return the temperature (K) for which an inner potential is fitted: its sampling is as hot as the annealing."""
    from electrolyte_ml.dynamics.distillation import HOTTER

    return max(max(settings.temperatures), _hottest(settings) / HOTTER)


def _hottest(settings: ProductionSettings) -> float:
    """Return the highest temperature (K) of all stages."""
    annealing = settings.equilibration.annealing
    return max([*settings.temperatures, *(kelvin for stage in annealing for kelvin in stage[:2])])


def fit_inner(setup: Setup, start: Atoms) -> MolecularForceField:
    """Fit the inner potential of multiple time steps on a packed box, and test it with the time steps of all stages.

    Each time step is tested at the highest temperature of its stages.

    Raises
    ------
    ElectrolyteError
        The energy drifts, or a run ends early.
    """
    from electrolyte_ml.dynamics.distillation import check_drift, distil, sample

    settings, folder = setup.settings, setup.directory / INNER
    equilibration = settings.equilibration
    atoms = at_density(start, equilibration.densities[0]) if equilibration.densities else start
    frames = sample(
        setup.potential,
        atoms,
        temperature=setup.inner_temperature,
        relax=RELAX,
        seed=_seed(settings, _INNER),
        directory=folder / "sample",
        progress=False,
    )
    inner = distil(setup.potential, frames, directory=folder).inner
    assert isinstance(inner, MolecularForceField)
    for timestep_fs, temperature, mass in (
        (equilibration.timestep_fs, _hottest(settings), equilibration.hydrogen_mass),
        (settings.trajectories.timestep_fs, max(settings.temperatures), None),
    ):
        check_drift(
            setup.potential,
            inner,
            frames[-1],
            timestep_fs=timestep_fs,
            temperature=temperature,
            hydrogen_mass=mass,
            directory=folder,
            progress=False,
        )
    return inner


def anneal(setup: Setup, box: int, start: Atoms) -> Ending:
    """Anneal a packed box, and return the configurations that its trajectories start from.

    With given densities the box is brought to the first one before.

    The configurations are evenly spaced over the last stage. Without any stage they are copies of the box.
    """
    equilibration = setup.settings.equilibration
    count = setup.settings.starts_per_box
    atoms = at_density(start, equilibration.densities[0]) if equilibration.densities else start
    runs, spaced = ramps(equilibration.annealing), [bare_configuration(atoms)] * count
    for number, ramp in enumerate(runs):
        n_steps = round(ramp.time_ps * 1000 / equilibration.timestep_fs)
        run = _equilibration(
            setup,
            atoms,
            start,
            ramp,
            box_folder(setup.directory, box) / f"stage_{number:02d}",
            seed=_seed(setup.settings, _ANNEALING, box, number),
            frame_interval_fs=max(1, n_steps // count) * equilibration.timestep_fs,
            threads=setup.threads,
            relax=RELAX * (number == 0),
        )
        if not run.completed:
            return Ending(run.reason, f"{run.detail} (annealing of box {box}, {ramp.temperature:g} K)")
        atoms = run.atoms
        if number == len(runs) - 1:
            spaced = [bare_configuration(frame) for frame in run.frames()[-count:]]
    return Ending(COMPLETED, configurations=spaced)


def equilibrate(setup: Setup, temperature: float, number: int, start: Atoms, molecules: Atoms) -> Ending:
    """Run a trajectory with its own velocities at constant pressure or a given density, and average its volume.

    Parameters
    ----------
    setup
        Input of the production.
    temperature, number
        Temperature (K) and number of the trajectory.
    start
        A configuration without velocities.
    molecules
        A configuration with the molecules that the run must preserve.
    """
    equilibration, densities = setup.settings.equilibration, setup.settings.densities
    if densities:
        start = at_density(start, densities[temperature])
    run = _equilibration(
        setup,
        start,
        molecules,
        Ramp(temperature, equilibration.time_ps),
        trajectory_folder(setup.directory, temperature, number) / "equilibration",
        seed=_seed(setup.settings, _EQUILIBRATION, round(1000 * temperature), number),
        frame_interval_fs=1000 * equilibration.time_ps / 10,
        threads=1,
        relax=0 if equilibration.annealing else RELAX,
    )
    if not run.completed:
        return Ending(run.reason, f"{run.detail} (equilibration)")
    last = run.times_ps > run.times_ps[-1] - equilibration.averaged_ps * (1 + 1e-9)
    volume = float(np.mean(run.masses.sum() * DENSITY_UNIT / run.densities[last]))
    return Ending(COMPLETED, configurations=[bare_configuration(run.atoms)], volume=volume)


def run_production(
    setup: Setup, temperature: float, number: int, start: Atoms, molecules: Atoms, volume: float
) -> Ending:
    """Run a trajectory at constant volume with new velocities: settling, then the recorded run.

    Parameters
    ----------
    setup, temperature, number, molecules
        As for :func:`equilibrate`.
    start
        The last configuration of the equilibration.
    volume
        Volume of the production, Å³.
    """
    from electrolyte_ml.dynamics.monitors import GradeMonitor

    settings, trajectories, watch = setup.settings, setup.settings.trajectories, setup.settings.grades
    step = trajectories.timestep_fs
    monitors = _monitors(setup, molecules, temperature, step, constant_volume=True)
    options: dict[str, Any] = {"ensemble": "nvt", "temperature": temperature, "timestep_fs": step, "progress": False}
    options["inner"] = setup.inner
    calculator = setup.potential.calculator(threads=1)
    folder, atoms = trajectory_folder(setup.directory, temperature, number), at_volume(start, volume)
    place = round(1000 * temperature), number
    if trajectories.settling_ps:
        run = run_md(
            atoms,
            calculator,
            **options,
            time_ps=trajectories.settling_ps,
            directory=folder / "settling",
            monitors=monitors,
            seed=_seed(settings, _SETTLING, *place),
            log_interval_fs=max(step, LOG_FS),
            frame_interval_fs=max(step, 1000 * trajectories.settling_ps),
        )
        if not run.completed:
            return Ending(run.reason, f"{run.detail} (settling)")
        atoms = run.atoms
    if setup.active_set is not None:
        every = round(trajectories.frame_interval_fs / step)
        # Whole frames are in the trajectory: of the graded ones, only the configuration that ends the run is saved.
        monitors.append(GradeMonitor(setup.active_set, watch.break_threshold, watch.break_threshold, every=every))
    recorders: list[Recorder] = [
        IonRecorder(atoms, round(trajectories.ion_interval_fs / step), settings.own_molecules())
    ]
    if trajectories.pressure_interval_fs:
        recorders.append(StressRecorder(round(trajectories.pressure_interval_fs / step)))
    run = run_md(
        atoms,
        calculator,
        **options,
        time_ps=trajectories.time_ps,
        directory=folder,
        monitors=monitors,
        recorders=recorders,
        seed=_seed(settings, _PRODUCTION, *place),
        tdamp_fs=GENTLE_FS,
        log_interval_fs=max(step, min(LOG_FS, trajectories.frame_interval_fs)),  # at most one grade per row
        frame_interval_fs=trajectories.frame_interval_fs,
    )
    return Ending(run.reason, run.detail)


def _equilibration(
    setup: Setup,
    atoms: Atoms,
    molecules: Atoms,
    ramp: Ramp,
    directory: Path,
    *,
    seed: int,
    frame_interval_fs: float,
    threads: int,
    relax: int,
) -> RunResult:
    """Run a part of the equilibration, at constant pressure or, with given densities, at the volume of `atoms`."""
    from electrolyte_ml.dynamics.monitors import DensityMonitor

    equilibration = setup.settings.equilibration
    step = equilibration.timestep_fs
    monitors = _monitors(setup, molecules, ramp.temperature, step, constant_volume=bool(equilibration.densities))
    if not equilibration.densities:
        monitors.append(DensityMonitor.around(molecules, _DENSITY_CHANGE, every=monitors[0].every))
    return run_md(
        atoms,
        setup.potential.calculator(threads=threads),
        ensemble="nvt" if equilibration.densities else "npt",
        temperature=ramp.temperature,
        pressure_bar=equilibration.pressure_bar,
        time_ps=ramp.time_ps,
        timestep_fs=step,
        hydrogen_mass=equilibration.hydrogen_mass,
        inner=setup.inner,
        directory=directory,
        monitors=monitors,
        relax=relax,
        seed=seed,
        log_interval_fs=max(step, min(LOG_FS, 1000 * equilibration.averaged_ps / 20)),
        frame_interval_fs=max(step, frame_interval_fs),
        progress=False,
    )


def _monitors(
    setup: Setup, molecules: Atoms, temperature: float, timestep_fs: float, constant_volume: bool
) -> list[Monitor]:
    """Return the monitors of every run; at constant volume with multiple time steps, that of the energy comes first."""
    from electrolyte_ml.dynamics.monitors import EnergyMonitor, MoleculeMonitor, TemperatureMonitor

    every = max(1, round(_WATCH_FS / timestep_fs))
    highest = setup.settings.trajectories.highest_temperature * temperature
    always: list[Monitor] = [MoleculeMonitor(molecules, every=every), TemperatureMonitor(maximum=highest, every=every)]
    return [EnergyMonitor(every=every), *always] if setup.inner is not None and constant_volume else always


def _seed(settings: ProductionSettings, *place: int) -> int:
    """Return the seed of a run, which depends on its place in the production alone."""
    return int(np.random.SeedSequence([settings.seed, *place]).generate_state(1)[0])
