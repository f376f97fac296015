"""Workflow of a production: anneal boxes, equilibrate trajectories, fix the mean volume, run, and measure."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.active_learning.seeding import packed_starts
from electrolyte_ml.dynamics.recorders import IonRecorder
from electrolyte_ml.dynamics.run import one_line
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.executors import current_executor
from electrolyte_ml.files import Record, atomic_write, read_json
from electrolyte_ml.locks import hold_folder
from electrolyte_ml.parallel import map_progress, resolve_jobs
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.shipped import training_set_file
from electrolyte_ml.potentials.store import load
from electrolyte_ml.production.cost import Cost, estimate_cost, legs_of
from electrolyte_ml.production.places import (
    BEGUN,
    RESULT,
    SETTINGS,
    VOLUME,
    box_folder,
    condition_folder,
    trajectory_folder,
)
from electrolyte_ml.production.progress import Progress
from electrolyte_ml.production.result import ProductionResult, read_production
from electrolyte_ml.production.settings import ProductionSettings
from electrolyte_ml.production.stages import (
    Ending,
    Setup,
    anneal,
    equilibrate,
    fit_inner,
    inner_temperature,
    run_production,
)
from electrolyte_ml.settings import edited_files
from electrolyte_ml.structures import read_configurations, write_configurations
from electrolyte_ml.structures.charge import bare_configuration, total_charge
from electrolyte_ml.structures.topology import Topology, changes
from electrolyte_ml.threads import default_threads
from electrolyte_ml.units import DENSITY_UNIT

if TYPE_CHECKING:
    from electrolyte_ml.potentials import Potential

_PATIENCE = 10.0  # s; workers of a killed program take a moment to end
_ERROR = "error"  # reason of a run that failed by an error: the next call tries it again


def produce(
    directory: str | os.PathLike[str],
    settings: ProductionSettings | None = None,
    *,
    potential: Potential | None = None,
    progress: bool = True,
) -> ProductionResult:
    """Run independent trajectories of an electrolyte at constant volume, and measure its conductivity.

    Packed boxes are annealed at constant pressure. Each trajectory starts from one of evenly spaced configurations of
    the annealing with its own velocities, and runs at constant pressure at its own temperature first. The recorded runs
    of a temperature have the mean volume of these equilibrations. A trajectory that becomes unstable ends, with the
    reason in the results; the others continue.

    With `multiple_steps` the potential is evaluated only once in several femtoseconds.

    With `equilibration.densities` all these runs have a given density, and the results have its mean pressure.

    The same call on the same directory resumes a production that was killed, with the same results as without the
    interruption. With more temperatures or a longer `trajectories.time_ps` it extends a complete production.

    Parameters
    ----------
    directory
        Folder of all files, see :mod:`electrolyte_ml.production.places`; made if it is missing.
    settings
        Settings of the production; by default those of ``settings.toml`` in the directory.
    potential
        Potential to use in place of the file named in the settings.
    progress
        Whether to print the estimated cost and a progress line on standard error.

    Returns
    -------
    ProductionResult

    Raises
    ------
    InputError
        Raised before the first calculation: settings that are not valid, an element that the potential lacks, no ions,
        a directory with other settings or in use by another process.
    ElectrolyteError
        The potential fails on the box, the energy drifts with multiple time steps, or a run failed for another reason
        than its dynamics (a full disk). The other runs have continued; the same call resumes the production.
    """
    directory = Path(directory)
    prepared = prepare(directory, settings, potential)
    with hold_folder(directory, _PATIENCE):
        setup, starts = begin(prepared)
        phases = legs_of(directory, setup.settings)
        if progress and any(leg.done() < leg.steps for phase in phases for leg in phase):
            print(f"{directory}: {cost_of(prepared)}", file=sys.stderr, flush=True)
        if setup.settings.multiple_steps:
            setup = setup._replace(inner=fit_inner(setup, starts[0]))
        with Progress(phases, setup.settings, shown=progress):
            _run(setup, starts)
        result = read_production(directory, setup.settings)
        atomic_write(directory / RESULT, json.dumps(result.to_dict(), indent=1) + "\n")
    return result


class Prepared(NamedTuple):
    """Checked input of a production, before any file is written.

    Attributes
    ----------
    directory : Path
    settings : ProductionSettings
    potential : Potential
        The potential, in double precision.
    starts : list of Atoms
        The packed boxes.
    active_set : ActiveSet or None
    ions : int
        Number of ions.
    """

    directory: Path
    settings: ProductionSettings
    potential: Potential
    starts: list[Atoms]
    active_set: ActiveSet | None
    ions: int


def prepare(
    directory: Path, settings: ProductionSettings | None = None, potential: Potential | None = None
) -> Prepared:
    """Check the settings, the potential and the boxes of a production.

    Raises
    ------
    InputError
        As for :func:`produce`.
    """
    source = "settings"
    if settings is None:
        path = directory / SETTINGS
        if not path.exists():
            raise InputError(f"{path} does not exist: write the settings there")
        settings, source = ProductionSettings.from_toml(path), str(path)
    else:
        settings = settings.located(Path.cwd())
    potential = potential or load(settings.potential)
    try:
        potential.with_precision(settings.precision)
        starts = _starts(directory, settings)
        for atoms in starts:
            System.of(atoms, potential.species)  # refuses an unknown element or an impossible charge
        ions = _check_alike(settings, starts)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return Prepared(directory, settings, potential, starts, _active_set(settings, potential), ions)


def cost_of(prepared: Prepared) -> Cost:
    """Estimate the remaining cost of a production by a short timed run.

    Raises
    ------
    InputError
        The production in the directory has other settings or another potential.
    """
    _begun(prepared)
    directory, settings, potential, starts, _, ions = prepared
    return estimate_cost(directory, settings, starts, potential.with_precision(settings.precision), ions)


def begin(prepared: Prepared) -> tuple[Setup, list[Atoms]]:
    """Write the files of a new production, or compare the input with that of the production in the directory.

    Returns
    -------
    setup, starts
        Input that all runs share, and the packed boxes as read from the directory.

    Raises
    ------
    InputError
        The production in the directory has other settings or another potential.
    """
    directory, settings, potential, starts, active_set, _ = prepared
    record, boxes = directory / BEGUN, settings.equilibration.boxes
    begun = _begun(prepared)
    for box, atoms in enumerate(starts):
        path = _start_file(directory, box)
        if not path.exists() or not record.exists():  # a first call that was killed here leaves boxes of no production
            write_configurations(path, bare_configuration(atoms))
    settings_file = directory / SETTINGS
    if not settings_file.exists() or ProductionSettings.from_toml(settings_file) != settings:
        atomic_write(settings_file, settings.to_toml(settings_file))
    atomic_write(record, json.dumps(begun, indent=1) + "\n")
    potential = potential.with_precision(settings.precision)
    setup = Setup(directory, settings, potential, active_set, begun["threads"], begun["inner_temperature"])
    return setup, [read_configurations(_start_file(directory, box))[0] for box in range(boxes)]


def _begun(prepared: Prepared) -> dict[str, Any]:
    """Return the record of what a production is begun with, after a comparison with that in the directory.

    Raises
    ------
    InputError
        The production in the directory has other settings or another potential.
    """
    directory, settings, potential, starts, _, _ = prepared
    record, boxes = directory / BEGUN, settings.equilibration.boxes
    threads = 1  # of the annealing: several boxes are annealed in parallel, and a worker of an executor has one core
    if boxes == 1 and current_executor() is None:
        threads = min(default_threads(len(starts[0])), resolve_jobs(settings.jobs))
    begun: dict[str, Any] = {"settings": settings.plain(), "potential": potential.fingerprint, "threads": threads}
    begun |= {"files": settings.contents(), "inner_temperature": inner_temperature(settings)}
    if record.exists():
        before = read_json(record, ["settings", "potential", "threads"])
        earlier = Record(before.table("settings"), record)
        earlier.number("trajectories.time_ps")  # compared below: an error names the file if it is no number
        changed = settings.changes(earlier)
        if before["potential"] != begun["potential"]:
            changed.append("potential")
        changed += edited_files(before.get("files"), begun["files"])
        if changed:
            raise InputError(
                f"{directory} was begun with other settings ({', '.join(changed)}): choose another directory or delete "
                "it"
            )
        begun["threads"] = before["threads"]  # the last bits of results depend on it
        if "inner_temperature" in before:  # all temperatures have one inner potential
            begun["inner_temperature"] = before.number("inner_temperature")
    return begun


def _start_file(directory: Path, box: int) -> Path:
    return box_folder(directory, box) / "start.xyz"


def _starts(directory: Path, settings: ProductionSettings) -> list[Atoms]:
    """Return the boxes: from the directory if it has them, else packed or read from `start`."""
    boxes, own = settings.equilibration.boxes, settings.own_molecules()
    if (directory / BEGUN).exists() and all(_start_file(directory, box).exists() for box in range(boxes)):
        return [read_configurations(_start_file(directory, box))[0] for box in range(boxes)]
    if settings.start is None:
        assert settings.composition is not None and settings.density is not None  # checked by the settings
        return packed_starts([settings.composition], [settings.density], boxes, settings.seed, own_molecules=own)
    if not Path(settings.start).is_file():
        raise InputError(f"start = {settings.start!r}: no such file")
    configurations = read_configurations(settings.start)
    if len(configurations) < boxes:
        raise InputError(
            f"start = {settings.start!r} has {len(configurations)} configurations, fewer than equilibration.boxes = "
            f"{boxes}"
        )
    starts = configurations[-boxes:]
    if not all(atoms.pbc.all() and atoms.cell.rank == 3 for atoms in starts):
        raise InputError(f"start = {settings.start!r}: a liquid needs a cell that is periodic in three directions")
    return starts


def _check_alike(settings: ProductionSettings, starts: Sequence[Atoms]) -> int:
    """Refuse boxes with other molecules than the first, or with a net charge; return the number of ions.

    Volumes and conductivities are means over all boxes.
    """
    own = settings.own_molecules()
    charges = IonRecorder(starts[0], 1, own).charges
    if total := sum(charges):
        raise InputError(f"the charges of the ions sum to {total:+g}: a conductivity needs a neutral system")
    expected = Topology.of(starts[0])
    for box, atoms in enumerate(starts):
        if stated := total_charge(atoms):
            raise InputError(
                f"start, box {box + 1}: its total charge is {stated:+g}: a conductivity needs a neutral system"
            )
        if not np.array_equal(atoms.numbers, expected.numbers) or changes(expected, atoms) is not None:
            raise InputError(
                f"start, box {box + 1}: {atoms.get_chemical_formula()} is not the same molecules in the same order as "
                f"{starts[0].get_chemical_formula()} of the first box"
            )
    return len(charges)


def _active_set(settings: ProductionSettings, potential: Potential) -> ActiveSet | None:
    """Return the active set for the grades, read from its file or built from a training set."""
    name = settings.grades.active_set
    if name is None:
        return None
    path = training_set_file(name)
    if not path.is_file():
        raise InputError(f"grades.active_set = {name!r}: no such file")
    if path.suffix == ".npz":
        return ActiveSet.load(path, potential)
    training = read_configurations(path, species=potential.species)
    try:
        return ActiveSet.build(potential, training, mode=settings.grades.mode)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _run(setup: Setup, starts: Sequence[Atoms]) -> None:
    """Run all stages; completed runs are read from their files."""
    settings = setup.settings
    boxes, numbers = settings.equilibration.boxes, range(settings.trajectories.count)
    annealed = _run_tasks(setup, anneal, [(box, start) for box, start in enumerate(starts)])
    _raise_errors(annealed)
    places = [
        (temperature, number)
        for temperature in settings.temperatures
        for number in numbers
        if annealed[number % boxes].completed
    ]
    equilibrated = _run_tasks(
        setup,
        equilibrate,
        [
            (temperature, number, annealed[number % boxes].configurations[number // boxes], starts[number % boxes])
            for temperature, number in places
        ],
    )
    _raise_errors(equilibrated)
    by_temperature: dict[float, list[Ending]] = {temperature: [] for temperature in settings.temperatures}
    for (temperature, _), end in zip(places, equilibrated):
        by_temperature[temperature].append(end)
    volumes = {temperature: _fix_volume(setup, temperature, ends) for temperature, ends in by_temperature.items()}
    ready = [
        (temperature, number, end.configurations[0], starts[number % boxes], volumes[temperature])
        for (temperature, number), end in zip(places, equilibrated)
        if end.completed
    ]
    _raise_errors(_run_tasks(setup, run_production, ready))


def _fix_volume(setup: Setup, temperature: float, endings: Sequence[Ending]) -> float:
    """Return the mean volume (Å³) of the equilibrations of a temperature; volume and density are written to a file.

    Equilibrations with a given density all have the same volume; the density then has no error.
    """
    given = setup.settings.densities
    volumes = np.array([end.volume for end in endings if end.completed])
    if not len(volumes):
        return np.nan
    start = read_configurations(_start_file(setup.directory, 0))[0]
    densities = start.get_masses().sum() * DENSITY_UNIT / volumes
    volume, count = float(volumes.mean()), len(volumes)
    record = {
        "volume": volume,
        "density": float(start.get_masses().sum() * DENSITY_UNIT / volume),
        "density_error": float(densities.std(ddof=1) / np.sqrt(count)) if count > 1 and not given else None,
        "equilibrations": count,
    }
    atomic_write(condition_folder(setup.directory, temperature) / VOLUME, json.dumps(record) + "\n")
    return volume


def _run_tasks(setup: Setup, function: Callable[..., Ending], tasks: Sequence[tuple[Any, ...]]) -> list[Ending]:
    """Run tasks in parallel; a task that fails does not stop the others."""

    def attempt(task: tuple[Any, ...]) -> Ending:
        try:
            return function(setup, *task)
        except Exception as error:  # the other runs continue; this one is reported after them
            where = (
                box_folder(setup.directory, task[0])
                if function is anneal
                else trajectory_folder(setup.directory, *task[:2])
            )
            return Ending(_ERROR, f"{where}: {one_line(error)}")

    return map_progress(attempt, tasks, setup.settings.jobs, progress=False) if tasks else []


def _raise_errors(endings: Sequence[Ending]) -> None:
    """Raise the first error of runs that failed for another reason than their dynamics."""
    if failed := [end.detail for end in endings if end.reason == _ERROR]:
        others = ", the others are done" if len(failed) < len(endings) else ""
        raise ElectrolyteError(
            f"{len(failed)} of {len(endings)} runs failed ({failed[0]}){others}; call again to continue"
        )
