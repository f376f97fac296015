"""The loop: explore with the potential, have labelled what it does not know, fit again (paper, section 4.4).

Everything that a run knows is in its directory::

    settings.toml           what it was told
    labels/                 every label (unless the settings name a store shared with others)
    iteration_000/          the seeding: labelled.xyz, potential.mtp, active_set.npz, and the records of its stages
    iteration_001/ ...      trajectory_00/ ..., saved.xyz, selected.xyz, labelled.xyz, potential.mtp, active_set.npz
    training_set.xyz potential.mtp active_set.npz status.csv status.json       the state after the last iteration

A stage writes its files first and its record, a ``.json``, last; a stage whose record is there is not done again.
That, the label store and seeds that depend on nothing but (seed, iteration, trajectory) make a run that was killed
go on as if it had not been.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from electrolyte_ml import reference as references
from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.active_learning.seeding import packed_starts, sample_dynamics
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.active_learning.status import IterationStatus, StatusTable
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.structures import density, read_configurations, write_configurations

if TYPE_CHECKING:
    from electrolyte_ml.dynamics import RunResult
    from electrolyte_ml.potentials import MomentTensorPotential
    from electrolyte_ml.reference import Reference

LARGER_EVERY = 5  # trajectories, the first of them explores a larger box if the settings name one
LARGER_BOXES = 8  # packed, and taken in turn
NO_FORCES = ("calculator", "nan")  # reasons that end a run on a configuration without energy, and without a grade


@dataclass(frozen=True)
class ActiveLearningResult:
    """Where a run stands; in a notebook it shows its status table.

    Attributes
    ----------
    directory : Path
    converged : bool
        No trajectory of the last iteration saved anything, nor was ended by anything but its length.
    message : str
        The same in words.
    status : StatusTable
        One row an iteration.
    potential : MomentTensorPotential
    active_set : ActiveSet
    training_set : list of Atoms
        Labelled, in the order in which they were added; ``info`` has `iteration`, `parent` (whence), `reference`,
        `label_hash` and, but for the seeding, `grade`.
    """

    directory: Path
    converged: bool
    message: str
    status: StatusTable
    potential: MomentTensorPotential
    active_set: ActiveSet
    training_set: list[Atoms]

    def energy_density(self) -> dict[str, np.ndarray]:
        """The energy-density diagram of the training set (paper, Fig. 1b).

        Returns
        -------
        dict of ndarray, each (n,)
            ``index`` and ``iteration`` (by which it is coloured), ``density`` in g/cm³, ``energy`` in eV/atom.
        """
        return {
            "index": np.arange(len(self.training_set)),
            "iteration": np.array([atoms.info["iteration"] for atoms in self.training_set]),
            "density": np.array([density(atoms) for atoms in self.training_set]),
            "energy": np.array([atoms.get_potential_energy() / len(atoms) for atoms in self.training_set]),
        }

    def _repr_html_(self) -> str:
        return f"{self.status._repr_html_()}<p>{self.message}</p>"


def active_learn(
    directory: str | os.PathLike,
    settings: ActiveLearningSettings | str | os.PathLike | None = None,
    *,
    reference: Any = None,
    on_iteration: Callable[[ActiveLearningResult], None] | None = None,
    progress: bool = True,
) -> ActiveLearningResult:
    """Learn a potential from nothing: seed, fit, then explore, select, label and refit until nothing is new.

    The same call on the same directory goes on where the last one was, killed or not; one that has converged is
    returned at once, and one that has used up its iterations goes on when `max_iterations` is raised.

    Parameters
    ----------
    directory
        Keeps everything; made if it is not there.
    settings
        Settings, or a TOML file of them; by default ``settings.toml`` in the directory.
    reference
        A `Reference` or an ASE calculator to label with, in place of the one that the settings name.
    on_iteration
        Called after each iteration with the state so far, for a plot that grows.
    progress
        Print the status table line by line, and progress lines of what takes time.

    Returns
    -------
    ActiveLearningResult

    Raises
    ------
    InputError
        Before anything is computed: settings that make no sense (naming file and key), a reference that is missing, a
        directory begun with other settings or in use by another process.
    ElectrolyteError
        The reference failed on the whole seeding.

    Examples
    --------
    >>> settings = ActiveLearningSettings(composition="EC=4", density=1.3)
    >>> result = active_learn("runs/ec", settings)  # doctest: +SKIP
    >>> result.potential.save("ec.mtp")  # doctest: +SKIP
    """
    directory = Path(directory)
    settings, source = _resolve_settings(directory, settings)
    labeller = _resolve_reference(settings, reference, source)
    starts, larger = _starts(settings, labeller, source), _larger(settings, source)
    with _locked(directory):
        _remember(directory, settings, labeller)
        run = _Run(directory, settings, labeller, starts, larger, progress)
        while not run.ended:
            run.iterate()
            result = run.result()
            run.publish(result)
            if on_iteration is not None:
                on_iteration(result)
    result = run.result()
    if progress:
        print(result.message, flush=True)
    return result


class _Run:
    """A run in memory; everything in it is read back from the files of its iterations, also within one process."""

    def __init__(
        self,
        directory: Path,
        settings: ActiveLearningSettings,
        reference: Reference,
        starts: list[Atoms],
        larger: list[Atoms],
        progress: bool,
    ) -> None:
        self.directory, self.settings, self.reference = directory, settings, reference
        self.starts, self.larger, self.progress = starts, larger, progress
        self.store = references.LabelStore(settings.labels or directory / "labels")
        self.rows: list[IterationStatus] = []
        self.training: list[Atoms] = []
        self.potential: MomentTensorPotential | None = None
        self.active_set: ActiveSet | None = None
        self.converged = False
        if progress:
            print(StatusTable.header(), flush=True)
        while (self._folder(len(self.rows)) / "status.json").exists():
            self._enter(len(self.rows))
        for number in reversed(range(len(self.rows))):
            if (self._folder(number) / "fit.json").exists():
                self._load(self._folder(number))
                break

    @property
    def ended(self) -> bool:
        return self.converged or len(self.rows) > self.settings.max_iterations

    def iterate(self) -> None:
        """Do the next iteration, or what is left of it."""
        number = len(self.rows)
        folder = self._folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        row = self._seed(folder) if number == 0 else self._explore_and_learn(folder, number)
        atomic_write(folder / "status.json", json.dumps(row) + "\n")
        self._enter(number)

    def result(self) -> ActiveLearningResult:
        """The state after the last iteration."""
        number = len(self.rows) - 1
        if self.converged:
            first = number + 1 - self.settings.quiet_iterations
            which = f"iteration {number}" if first == number else f"iterations {first} to {number}"
            message = f"converged: no trajectory of {which} met anything new"
        elif self.ended:
            message = (
                f"not converged after iteration {number}, the last one allowed (max_iterations); raise it and run "
                "again to go on"
            )
        else:
            message = f"iteration {number} done"
        return ActiveLearningResult(
            self.directory,
            self.converged,
            message,
            StatusTable(self.rows),
            self.potential,
            self.active_set,
            list(self.training),
        )

    def publish(self, result: ActiveLearningResult) -> None:
        """Write the state where a user looks for it."""
        write_configurations(self.directory / "training_set.xyz", result.training_set)
        result.potential.save(self.directory / "potential.mtp")
        result.active_set.save(self.directory / "active_set.npz")
        atomic_write(self.directory / "status.csv", result.status.to_csv())
        atomic_write(self.directory / "status.json", result.status.to_json())

    def _folder(self, number: int) -> Path:
        return self.directory / f"iteration_{number:03d}"

    def _enter(self, number: int) -> None:
        """Take over an iteration that is complete."""
        folder = self._folder(number)
        record = json.loads((folder / "status.json").read_text())
        self.rows.append(IterationStatus(**record))
        last = self.rows[-self.settings.quiet_iterations :]
        # The seeding is not quiet: so many rows are so many iterations of exploration.
        self.converged = all(row.saved == 0 and set(row.stops) == {"completed"} for row in last)
        if (folder / "labelled.xyz").exists():
            self.training += read_configurations(folder / "labelled.xyz", labelled=True)
        if self.progress:
            print(StatusTable.line(self.rows[-1]), flush=True)

    def _load(self, folder: Path) -> None:
        from electrolyte_ml.potentials import load

        self.potential = load(folder / "potential.mtp")
        self.active_set = ActiveSet.load(folder / "active_set.npz", self.potential)

    def _seed(self, folder: Path) -> dict[str, Any]:
        """Iteration 0: dynamics with the reference, and the first fit."""
        sampling = _once(folder / "sampling.json", lambda: self._sample(folder))
        fit = _once(folder / "fit.json", lambda: self._fit(folder, number=0))
        self._load(folder)
        return {
            "iteration": 0,
            "saved": sampling["sampled"],
            "selected": sampling["sampled"],
            "failed": len(sampling["failed"]),
            "size": fit["size"],
            "max_grade": None,
            "energy_rmse": fit["energy_rmse"],
            "force_rmse": fit["force_rmse"],
            "seconds": sampling["seconds"] + fit["seconds"],
            "stops": sampling["stops"],
        }

    def _sample(self, folder: Path) -> dict[str, Any]:
        settings = self.settings
        walkers = sample_dynamics(
            self.starts,
            self.reference,
            self.store,
            temperature=settings.seeding_temperature,
            timestep_fs=settings.seeding_timestep_fs,
            steps=settings.seeding_steps,
            configurations=settings.seeding_configurations,
            seed=settings.seeding_seed,
            jobs=settings.jobs,
            progress=self.progress,
        )
        sampled = []
        for k, walker in enumerate(walkers):
            for n, atoms in enumerate(walker.samples):
                atoms.info |= {"iteration": 0, "parent": f"seeding/{k}/{n}"}
                sampled.append(atoms)
        failed = [f"seeding trajectory {k}: {walker.failure}" for k, walker in enumerate(walkers) if walker.failure]
        if not sampled:
            raise ElectrolyteError(f"{self.reference.name} gave no label at all in the seeding; {failed[0]}")
        write_configurations(folder / "labelled.xyz", sampled)
        stops = Counter("label failed" if walker.failure else "completed" for walker in walkers)
        return {"sampled": len(sampled), "failed": failed, "stops": stops}

    def _explore_and_learn(self, folder: Path, number: int) -> dict[str, Any]:
        """One iteration: trajectories, selection, labels, fit."""
        runs = _once(folder / "trajectories.json", lambda: self._explore(folder, number))
        row = {
            "iteration": number,
            "saved": runs["saved"],
            "selected": 0,
            "failed": 0,
            "size": len(self.training),
            "max_grade": runs["max_grade"],
            "energy_rmse": self.rows[-1].energy_rmse,
            "force_rmse": self.rows[-1].force_rmse,
            "seconds": runs["seconds"],
            "stops": runs["stops"],
        }
        if runs["saved"] == 0:
            return row
        labels = _once(folder / "labels.json", lambda: self._label(folder))
        row |= {"selected": labels["selected"], "failed": len(labels["failed"])}
        row["seconds"] += labels["seconds"]
        if (folder / "labelled.xyz").exists():
            fit = _once(folder / "fit.json", lambda: self._fit(folder, number))
            self._load(folder)
            row |= {name: fit[name] for name in ("size", "energy_rmse", "force_rmse")}
            row["seconds"] += fit["seconds"]
        return row

    def _explore(self, folder: Path, number: int) -> dict[str, Any]:
        """Run the trajectories from other configurations of the seeding, or new boxes, with velocities of their own."""
        settings = self.settings
        seeds = [atoms for atoms in self.training if atoms.info["iteration"] == 0]
        rng = np.random.default_rng([settings.seed, number])
        order = np.concatenate([rng.permutation(len(seeds)) for _ in range(-(-settings.trajectories // len(seeds)))])
        tasks = [
            (
                seeds[order[k]],
                folder / f"trajectory_{k:02d}",
                int(np.random.SeedSequence([settings.seed, number, k]).generate_state(1)[0]),
            )
            for k in range(settings.trajectories)
        ]
        if self.larger:
            places = range(0, settings.trajectories, LARGER_EVERY)
            for turn, k in enumerate(places, start=(number - 1) * len(places)):
                tasks[k] = (self.larger[turn % len(self.larger)], *tasks[k][1:])
        explore = partial(_trajectory, potential=self.potential, active_set=self.active_set, settings=settings)
        description = f"iteration {number}, trajectories"
        explored = map_progress(explore, tasks, settings.jobs, description, progress=self.progress)
        saved = [atoms for one in explored for atoms in one["saved"]]
        if saved:
            write_configurations(folder / "saved.xyz", saved)
        grades = [one["max_grade"] for one in explored]
        return {
            "saved": len(saved),
            "max_grade": max(grades, default=None),
            "stops": Counter(one["reason"] for one in explored),
            "details": [one["detail"] for one in explored],
        }

    def _label(self, folder: Path) -> dict[str, Any]:
        """Choose among what was saved, and have it labelled."""
        saved = read_configurations(folder / "saved.xyz")
        # What ended a trajectory though the potential felt sure of it is labelled whatever its grade.
        surprising = [k for k, atoms in enumerate(saved) if "stopped" in atoms.info]
        chosen = sorted({*self.active_set.select(saved, self.settings.swap_threshold).tolist(), *surprising})
        selected, failed = [], []
        for k in chosen:
            try:
                self.reference.check(saved[k])
                selected.append(saved[k])
            except InputError as error:
                failed.append({"parent": saved[k].info["parent"], "reason": str(error)})
        result = self.store.label_all(selected, self.reference, self.settings.jobs, progress=self.progress)
        failed += [{"parent": selected[one.index].info["parent"], "reason": one.reason} for one in result.failed]
        labelled = [atoms for atoms in result.labelled if atoms is not None]
        if labelled:
            write_configurations(folder / "labelled.xyz", labelled)
        return {"selected": len(chosen), "failed": failed}

    def _fit(self, folder: Path, number: int) -> dict[str, Any]:
        """Fit to everything labelled so far, from the last parameters, and span it anew."""
        from electrolyte_ml.potentials import MomentTensorPotential, load
        from electrolyte_ml.training import train

        settings = self.settings
        training = self.training + read_configurations(folder / "labelled.xyz", labelled=True)
        potential = self.potential
        if potential is None:
            elements = {int(number) for atoms in self.starts for number in atoms.numbers}
            potential = MomentTensorPotential.random(
                level=settings.level,
                species=tuple(Atoms(sorted(elements)).get_chemical_symbols()),
                cutoff=settings.cutoff,
                min_distance=settings.min_distance,
                radial_basis_size=settings.radial_basis_size,
                seed=settings.seed,
            )
        result = train(
            training,
            potential,
            energy_weight=settings.energy_weight,
            force_weight=settings.force_weight,
            stress_weight=settings.stress_weight,
            max_iterations=settings.seeding_fit_iterations if number == 0 else settings.fit_iterations,
            checkpoint=folder / "fit_checkpoint.npz",
            progress=self.progress,
        )
        result.potential.save(folder / "potential.mtp")
        # Read back: the set belongs to the parameters as the file has them.
        potential = load(folder / "potential.mtp")
        ActiveSet.build(potential, training, settings.mode).save(folder / "active_set.npz")
        return {
            "size": len(training),
            "energy_rmse": 1000 * result.errors.energy_rmse,
            "force_rmse": result.errors.force_rmse,
            "loss": [float(loss) for _, loss, _ in result.history],
            "message": result.message,
        }


def _trajectory(
    task: tuple[Atoms, Path, int],
    potential: MomentTensorPotential,
    active_set: ActiveSet,
    settings: ActiveLearningSettings,
) -> dict[str, Any]:
    """Run one trajectory, in its own folder and resumable there, and tell what it met."""
    start, folder, seed = task
    run = _explored(task, potential, active_set, settings, settings.grade_interval)
    if run.reason in NO_FORCES and settings.grade_interval > 1:
        # Atoms fell into each other between two looks at the grade: the same way again, with a look at every step.
        run = _explored((start, folder / "retraced", seed), potential, active_set, settings, 1)
    within = [one for one in run.saved if one[1] <= settings.grade_break]
    # The configuration that broke a trajectory is too far away to be a good label, unless it is all there is.
    kept = within or run.saved
    saved = [_remembered(atoms, start, folder, step, grade) for step, grade, atoms in kept]
    if run.reason not in ("completed", "grade", *NO_FORCES):
        last = _remembered(run.atoms, start, folder, run.steps, active_set.grade(run.atoms))
        last.info["stopped"] = run.reason
        saved.append(last)
    max_grade = float(np.nanmax(run.grades, initial=0.0))
    return {"saved": saved, "reason": run.reason, "detail": run.detail, "max_grade": max_grade}


def _explored(
    task: tuple[Atoms, Path, int],
    potential: MomentTensorPotential,
    active_set: ActiveSet,
    settings: ActiveLearningSettings,
    every: int,
) -> RunResult:
    """The trajectory itself, with a look at the grade every so many steps."""
    from electrolyte_ml.dynamics import GradeMonitor, MoleculeMonitor, TemperatureMonitor, run_md

    start, folder, seed = task
    monitors = [
        GradeMonitor(
            active_set,
            settings.grade_save,
            settings.grade_break,
            every=every,
            most=settings.most_saved,
        ),
        TemperatureMonitor(maximum=4 * settings.temperature),
    ]
    if settings.watch_molecules:
        monitors.append(MoleculeMonitor(start))
    return run_md(
        Atoms(start.numbers, start.positions, cell=start.cell, pbc=start.pbc),
        potential,
        ensemble="npt",
        temperature=settings.temperature,
        pressure_bar=settings.pressure_bar,
        time_ps=settings.time_ps,
        timestep_fs=settings.timestep_fs,
        directory=folder,
        monitors=monitors,
        seed=seed,
        log_interval_fs=max(settings.grade_interval_fs, settings.timestep_fs),
        frame_interval_fs=1000 * settings.time_ps,
        progress=False,
    )


def _remembered(atoms: Atoms, start: Atoms, folder: Path, step: int, grade: float) -> Atoms:
    """Copy what makes a configuration, and note where it comes from."""
    info = {
        "iteration": int(folder.parent.name.removeprefix("iteration_")),
        "grade": float(f"{grade:.6g}"),
        "parent": f"{folder.parent.name}/{folder.name}/{step}",
    }
    if "charge" in start.info:
        info["charge"] = start.info["charge"]
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=info)


def _once(record: Path, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do the work of a stage unless its record is there; the record is written after everything else."""
    if not record.exists():
        started = time.perf_counter()
        outcome = work()
        outcome["seconds"] = time.perf_counter() - started
        atomic_write(record, json.dumps(outcome) + "\n")
    return json.loads(record.read_text())


def _resolve_settings(
    directory: Path, settings: ActiveLearningSettings | str | os.PathLike | None
) -> tuple[ActiveLearningSettings, str]:
    """Return the settings and, for messages, the file they came from."""
    if isinstance(settings, ActiveLearningSettings):
        return settings, "settings"
    path = directory / "settings.toml" if settings is None else Path(settings)
    if settings is None and not path.exists():
        raise InputError(f"{path} does not exist: write the settings there")
    return ActiveLearningSettings.from_toml(path), str(path)


def _resolve_reference(settings: ActiveLearningSettings, given: Any, source: str) -> Reference:
    if given is not None:
        labeller = references.get(given)
    else:
        try:
            labeller = references.get(settings.reference, **settings.reference_settings)
        except (InputError, TypeError) as error:
            raise InputError(f"{source}: reference = {settings.reference!r}: {error}") from error
    labeller.require()
    return labeller


def _larger(settings: ActiveLearningSettings, source: str) -> list[Atoms]:
    """The larger boxes that are explored, at the mean density: the dense ones may not be packed with any seed."""
    if not settings.exploration_compositions:
        return []
    try:
        return packed_starts(
            settings.exploration_compositions, [float(np.mean(settings.densities))], LARGER_BOXES, settings.seeding_seed
        )
    except InputError as error:
        raise InputError(f"{source}: exploration_composition: {error}") from error


def _starts(settings: ActiveLearningSettings, reference: Reference, source: str) -> list[Atoms]:
    """One start for each seeding trajectory, of the file or packed, checked by the reference."""
    count = settings.seeding_trajectories
    if settings.start is not None:
        given = read_configurations(settings.start)
        starts = [given[k] for k in np.arange(count) * max(1, len(given) // count) % len(given)]
    else:
        try:
            starts = packed_starts(settings.compositions, settings.densities, count, settings.seeding_seed)
        except InputError as error:
            raise InputError(f"{source}: density: {error}") from error
    for k, atoms in enumerate(starts):
        reference.check(atoms, f"start of seeding trajectory {k}")
        if not atoms.pbc.all():
            raise InputError(f"start of seeding trajectory {k}: NPT needs a cell that is periodic in all directions")
    return starts


def _remember(directory: Path, settings: ActiveLearningSettings, reference: Reference) -> None:
    """Record what the run is begun with, or compare with what it was begun with."""
    record = directory / "iteration_000" / "settings.toml"
    identity = directory / "iteration_000" / "reference.json"
    key = json.loads(json.dumps({name: reference.key[name] for name in ("reference", "settings")}))
    if record.exists() and identity.exists():
        changed = ActiveLearningSettings.from_toml(record).changes(settings)
        if json.loads(identity.read_text()) != key and "reference" not in changed:
            changed.append("reference")
        if changed:
            raise InputError(
                f"{directory} was begun with other settings ({', '.join(changed)}): choose another directory; "
                f"the setting labels = {str(directory / 'labels')!r} there will reuse the labels of this one"
            )
    else:
        atomic_write(identity, json.dumps(key) + "\n")
        atomic_write(record, settings.to_toml())
    visible = directory / "settings.toml"
    if not visible.exists() or ActiveLearningSettings.from_toml(visible) != settings:
        atomic_write(visible, settings.to_toml())


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory; the system drops the lock when this process ends, in whatever way.

    Raises
    ------
    InputError
        Another process holds it.
    """
    import fcntl

    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is not a folder")
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise InputError(f"{directory} is in use by another process ({stream.read().strip()})") from None
        stream.truncate(0)
        stream.write(f"process {os.getpid()}")
        stream.flush()
        yield
