"""The active-learning loop: explore with the potential, label configurations of high grade, refit (paper, section 4.4).

The whole state of a run is in its directory, whose files are listed in `records`. With these files, the label store and
seeds that depend on (seed, iteration, trajectory) alone, a killed run continues with the results of an uninterrupted
one.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ase import Atoms

from electrolyte_ml import reference as references
from electrolyte_ml.active_learning.active_set import ActiveSet, part_graded
from electrolyte_ml.active_learning.exploration import explore, larger_boxes, plan_trajectories
from electrolyte_ml.active_learning.inheritance import continued_potential, inherit, read_sets
from electrolyte_ml.active_learning.page import status_page
from electrolyte_ml.active_learning.records import (
    ACTIVE_SET,
    LABELLED,
    SAVED,
    SETTINGS,
    STATUS,
    iteration_folder,
    load_potential,
    once,
    record_start,
    save_fit,
    save_potential,
)
from electrolyte_ml.active_learning.result import ActiveLearningResult
from electrolyte_ml.active_learning.rounds import seed_in_rounds
from electrolyte_ml.active_learning.seeding import Start, seeding_starts
from electrolyte_ml.active_learning.settings import ActiveLearningSettings
from electrolyte_ml.active_learning.status import IterationStatus, StatusTable
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.locks import hold_folder
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.structures import Topology, read_configurations, species_of, write_configurations
from electrolyte_ml.threads import one_blas_thread

if TYPE_CHECKING:
    from electrolyte_ml.potentials import Potential
    from electrolyte_ml.reference import Reference

SAMPLING = "sampling.json"  # record of the first training set
PRELIMINARY = "preliminary"  # folder of the fit for the choice among inherited configurations
# Values that a fit records for the status table; runs of older versions lack the last three.
_OF_FIT = ("size", "energy_rmse", "force_rmse", "ranks", "species_ranks", "undetermined")


@one_blas_thread()
def active_learn(
    directory: str | os.PathLike,
    settings: ActiveLearningSettings | str | os.PathLike | None = None,
    *,
    reference: Any = None,
    on_iteration: Callable[[ActiveLearningResult], None] | None = None,
    progress: bool = True,
) -> ActiveLearningResult:
    """Train a potential by active learning: seed, fit, then explore, select, label and refit until convergence.

    The same call on the same directory continues a run that was interrupted. The result of a converged run is returned
    at once; a run that has used up its iterations continues if `stopping.max_iterations` is raised.

    Parameters
    ----------
    directory
        Folder of all files of the run; made if it is missing.
    settings
        Settings, or a TOML file of them; by default ``settings.toml`` in the directory.
    reference
        A `Reference` or an ASE calculator for the labels, in place of the one named in the settings.
    on_iteration
        Function called after each iteration with the present state, for example to update a plot.
    progress
        Whether to print the status table line by line, and progress lines of the stages.

    Returns
    -------
    ActiveLearningResult

    Raises
    ------
    InputError
        Raised before the first calculation: settings that are not valid (the message names file and key), a reference
        that is missing, a directory with other settings or in use by another process.
    ElectrolyteError
        The reference failed for every label of the seeding.

    Examples
    --------
    >>> settings = ActiveLearningSettings(composition="EC=4", density=1.3)
    >>> result = active_learn("runs/ec", settings)  # doctest: +SKIP
    >>> result.potential.save("ec.mtp")  # doctest: +SKIP
    """
    directory = Path(directory)
    settings, source = _resolve_settings(directory, settings)
    labeller = _resolve_reference(settings, reference, source)
    rounds, larger = seeding_starts(settings, labeller, source), larger_boxes(settings, source)
    first = next(rounds)
    species = species_of(start.atoms for start in first)
    _check_model(settings, species, source)
    chosen = (iteration_folder(directory, 0) / SAMPLING).exists()  # inherited sets are then no longer needed
    inherited = [] if chosen else _inherited(settings, species, labeller)
    if progress:
        print(labeller.limits(), file=sys.stderr, flush=True)
    with hold_folder(directory), status_page(directory):
        record_start(directory, settings, labeller)
        run = _Run(directory, settings, labeller, species, chain([first], rounds), larger, progress=progress)
        run.inherited, run.boxes = inherited, [start.atoms for start in first]
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


def _resolve_settings(
    directory: Path, settings: ActiveLearningSettings | str | os.PathLike | None
) -> tuple[ActiveLearningSettings, str]:
    """Return the settings, and the name of their file for messages."""
    if isinstance(settings, ActiveLearningSettings):
        return settings.located(Path.cwd()), "settings"
    path = directory / SETTINGS if settings is None else Path(settings)
    if settings is None and not path.exists():
        raise InputError(f"{path} does not exist: write the settings there")
    return ActiveLearningSettings.from_toml(path), str(path)


def _resolve_reference(settings: ActiveLearningSettings, reference: Any, source: str) -> Reference:
    if reference is not None:
        labeller = references.get(reference)
    else:
        try:
            labeller = settings.reference.make()
        except (InputError, TypeError) as error:
            raise InputError(f"{source}: reference.name = {settings.reference.name!r}: {error}") from error
    labeller.require()
    return labeller


def _reference_of(potential: Potential) -> Reference:
    """Return a potential as a reference, for the seeding of a correction to it."""
    name = potential.reference or potential.kind
    calculator = potential.calculator()
    return references.get(calculator, name=name, charge_in_info=True, potential=potential.fingerprint)


def _check_model(settings: ActiveLearningSettings, species: tuple[str, ...], source: str) -> None:
    """Refuse a base potential that the model cannot correct, and terms in the settings that cannot be graded."""
    try:
        model = settings.model.random(species, settings.seed)
    except InputError as error:
        raise InputError(f"{source}: model: {error}") from error
    try:
        part_graded(model, settings.grades.terms)
    except InputError as error:
        raise InputError(f"{source}: grades.terms: {error}") from error


def _inherited(settings: ActiveLearningSettings, species: tuple[str, ...], labeller: Reference) -> list[Atoms]:
    """Return the configurations of the inherited sets; a run that cannot be continued is refused."""
    if settings.inheritance.run is not None:
        continued_potential(settings.inheritance.run, settings.model.random(species, settings.seed))
    return read_sets(settings.inheritance.paths, species, labeller)


class _Run:
    """State of a run in memory, always read from the files of its iterations, also within one process."""

    def __init__(
        self,
        directory: Path,
        settings: ActiveLearningSettings,
        reference: Reference,
        species: tuple[str, ...],
        starts: Iterable[list[Start]],
        larger: list[Atoms],
        *,
        progress: bool,
    ) -> None:
        self.directory, self.settings, self.reference = directory, settings, reference
        self.species, self.starts, self.larger, self.progress = species, starts, larger, progress
        self.inherits = bool(settings.inheritance.paths)  # whether inherited sets replace the seeding
        self.inherited: list[Atoms] = []  # their configurations, empty once the first training set is chosen
        self.boxes: list[Atoms] = []  # starts of the exploration after an inheritance
        self.store = references.LabelStore(settings.labels or directory / "labels", retry_failed=True)
        self.rows: list[IterationStatus] = []
        self.training: list[Atoms] = []
        self.model: tuple[Potential, ActiveSet] | None = None
        self.converged = False
        if progress:
            print(StatusTable.header(), flush=True)
        while (self._folder(len(self.rows)) / STATUS).exists():
            self._enter(len(self.rows))
        for number in reversed(range(len(self.rows))):
            if (self._folder(number) / "fit.json").exists():
                self._load(self._folder(number))
                break

    @property
    def ended(self) -> bool:
        return self.converged or len(self.rows) > self.settings.stopping.max_iterations

    @property
    def fitted(self) -> tuple[Potential, ActiveSet]:
        """The potential of the last fit and its active set."""
        assert self.model is not None, "the seeding is fitted before the exploration"
        return self.model

    def iterate(self) -> None:
        """Run the next iteration, or the stages of it that are missing."""
        number = len(self.rows)
        folder = self._folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        row = self._seed(folder) if number == 0 else self._explore_and_learn(folder, number)
        atomic_write(folder / STATUS, json.dumps(row) + "\n")
        self._enter(number)

    def result(self) -> ActiveLearningResult:
        """Return the state after the last iteration."""
        number = len(self.rows) - 1
        if self.converged:
            first = number + 1 - self.settings.stopping.quiet_iterations
            which = f"iteration {number}" if first == number else f"iterations {first} to {number}"
            message = f"converged: no trajectory of {which} met anything new"
        elif self.ended:
            message = (
                f"not converged after iteration {number}, the last one allowed (stopping.max_iterations); raise it and "
                "run again to continue"
            )
        else:
            message = f"iteration {number} done"
        potential, active_set = self.fitted
        return ActiveLearningResult(
            self.directory,
            self.converged,
            message,
            StatusTable(self.rows),
            potential,
            active_set,
            list(self.training),
        )

    def publish(self, result: ActiveLearningResult) -> None:
        """Write the state to the top of the run's directory."""
        write_configurations(self.directory / "training_set.xyz", result.training_set)
        save_potential(result.potential, self.directory)
        result.active_set.save(self.directory / ACTIVE_SET)
        atomic_write(self.directory / "status.csv", result.status.to_csv())
        atomic_write(self.directory / STATUS, result.status.to_json())

    def _folder(self, number: int) -> Path:
        return iteration_folder(self.directory, number)

    def _enter(self, number: int) -> None:
        """Add the files of a complete iteration to the state."""
        folder = self._folder(number)
        self.rows.append(IterationStatus.read(folder / STATUS))
        last = self.rows[-self.settings.stopping.quiet_iterations :]
        # The seeding always has saved configurations: quiet rows are iterations of exploration.
        self.converged = all(row.saved == 0 and set(row.stops) == {"completed"} for row in last)
        if (folder / LABELLED).exists():
            self.training += read_configurations(folder / LABELLED, labelled=True)
        if self.progress:
            print(StatusTable.line(self.rows[-1]), flush=True)
            if self.rows[-1].least_certain:
                print(f"least certain: {self.rows[-1].least_certain}", flush=True)
            text = self.rows[-1].undetermined_text
            if self.rows[-1].shortage:
                print(self.rows[-1].shortage, flush=True)
            if text and not (number and self.rows[-2].undetermined_text == text):
                print(text, flush=True)

    def _load(self, folder: Path) -> None:
        potential = load_potential(folder)
        self.model = potential, ActiveSet.load(folder / ACTIVE_SET, potential)

    def _seed(self, folder: Path) -> dict[str, Any]:
        """Run iteration 0: dynamics with the reference, or the choice among inherited sets, and the first fit."""
        make_first_set = self._inherit if self.inherits else self._sample
        sampling = once(folder / SAMPLING, lambda: make_first_set(folder))
        fit = once(folder / "fit.json", lambda: self._fit(folder))
        self._load(folder)
        return {
            "iteration": 0,
            "saved": sampling.get("labels", sampling["sampled"]),
            "selected": sampling["sampled"],
            "failed": len(sampling.entries("failed")),
            "max_grade": None,
            "seconds": sampling.number("seconds") + fit.number("seconds"),
            "stops": sampling["stops"],
            "shortage": sampling.get("shortage", ""),
            **{name: fit[name] for name in _OF_FIT if name in fit},
        }

    def _sample(self, folder: Path) -> dict[str, Any]:
        settings, base = self.settings, self.settings.model.base()
        # The reference of a correction is expensive: the dynamics use the potential that is corrected.
        driver = self.reference if base is None else _reference_of(base)
        seeds = seed_in_rounds(
            self.starts,
            cast("Potential", part_graded(self._random_model(), settings.grades.terms)),
            settings.grades.mode,
            driver,
            self.store,
            settings.seeding,
            jobs=settings.jobs,
            progress=self.progress,
        )
        chosen, failed = seeds.chosen, list(seeds.failures)
        if base is not None:
            result = self.store.label_all(chosen, self.reference, settings.jobs, progress=self.progress)
            failed += [f"{chosen[failure.index].info['parent']}: {failure.reason}" for failure in result.failed]
            chosen = [atoms for atoms in result.labelled if atoms is not None]
        if not chosen:
            raise ElectrolyteError(f"{self.reference.name} gave no label at all in the seeding; {failed[0]}")
        for atoms in chosen:
            atoms.info["iteration"] = 0
        write_configurations(folder / LABELLED, chosen)
        return {
            "labels": seeds.labels,
            "sampled": len(chosen),
            "failed": failed,
            "stops": seeds.stops,
            "ranks": seeds.ranks,
            "grades": seeds.grades,
            "shortage": seeds.shortage(settings.seeding),
        }

    def _inherit(self, folder: Path) -> dict[str, Any]:
        inherited = inherit(
            folder / PRELIMINARY, self.inherited, self._random_model(), self.settings, progress=self.progress
        )
        for atoms in inherited.chosen:
            atoms.info["iteration"] = 0
        write_configurations(folder / LABELLED, inherited.chosen)
        return {
            "labels": inherited.available,
            "sampled": len(inherited.chosen),
            "failed": [],
            "stops": {},
            "uniform": inherited.uniform,
            "inherited": inherited.counts,
        }

    def _random_model(self) -> Potential:
        """Return the random potential from which the first fit starts."""
        return self.settings.model.random(self.species, self.settings.seed)

    def _explore_and_learn(self, folder: Path, number: int) -> dict[str, Any]:
        """Run one iteration: trajectories, selection, labels, fit."""
        runs = once(folder / "trajectories.json", lambda: self._explore(folder, number))
        row = {
            "iteration": number,
            "saved": runs["saved"],
            "selected": 0,
            "failed": 0,
            "size": len(self.training),
            "max_grade": runs["max_grade"],
            "energy_rmse": self.rows[-1].energy_rmse,
            "force_rmse": self.rows[-1].force_rmse,
            "seconds": runs.number("seconds"),
            "stops": runs["stops"],
            "least_certain": runs.get("least_certain", ""),  # absent in files of older versions
            "ranks": self.rows[-1].ranks,
            "species_ranks": self.rows[-1].species_ranks,
            "undetermined": self.rows[-1].undetermined,
        }
        if runs["saved"] == 0:
            return row
        labels = once(folder / "labels.json", lambda: self._label(folder))
        row |= {"selected": labels["selected"], "failed": len(labels.entries("failed"))}
        row["seconds"] += labels.number("seconds")
        if (folder / LABELLED).exists():
            fit = once(folder / "fit.json", lambda: self._fit(folder))
            self._load(folder)
            row |= {name: fit[name] for name in _OF_FIT if name in fit}
            row["seconds"] += fit.number("seconds")
        return row

    def _explore(self, folder: Path, number: int) -> dict[str, Any]:
        """Run the trajectories, and write the configurations that they saved."""
        potential, active_set = self.fitted
        if self.inherits:
            seeds = self.boxes
        else:
            seeds = [atoms for atoms in self.training if atoms.info["iteration"] == 0]
            # Trajectories explore the compositions of the settings; rich cells are only for the first fit.
            seeds = [atoms for atoms in seeds if "rich_cell" not in atoms.info] or seeds
        explored = map_progress(
            partial(explore, potential=potential, active_set=active_set, settings=self.settings),
            plan_trajectories(self.settings, seeds, self.larger, folder),
            self.settings.jobs,
            f"iteration {number}, trajectories",
            progress=self.progress,
        )
        saved = [atoms for run in explored for atoms in run.saved]
        if saved:
            write_configurations(folder / SAVED, saved)
        return {
            "saved": len(saved),
            "max_grade": max((run.max_grade for run in explored), default=None),
            "least_certain": _least_certain(saved),
            "stops": Counter(run.reason for run in explored),
            "details": [run.detail for run in explored],
        }

    def _label(self, folder: Path) -> dict[str, Any]:
        """Select among the saved configurations, and label the selected ones."""
        _, active_set = self.fitted
        saved = read_configurations(folder / SAVED)
        # A configuration that ended a trajectory for another reason than its grade is always labelled.
        stopped = [k for k, atoms in enumerate(saved) if "stopped" in atoms.info]
        try:
            chosen = sorted({*active_set.select(saved, self.settings.grades.swap_threshold).tolist(), *stopped})
        except InputError as error:
            raise InputError(f"{folder / SAVED}: {error}") from None
        selected, failed = [], []
        for k in chosen:
            try:
                self.reference.check(saved[k])
                selected.append(saved[k])
            except InputError as error:
                failed.append({"parent": saved[k].info["parent"], "reason": str(error)})
        result = self.store.label_all(selected, self.reference, self.settings.jobs, progress=self.progress)
        failed += [
            {"parent": selected[failure.index].info["parent"], "reason": failure.reason} for failure in result.failed
        ]
        labelled = [atoms for atoms in result.labelled if atoms is not None]
        if failed and not labelled:
            raise ElectrolyteError(
                f"{folder}: {self.reference.name} gave none of {len(chosen)} labels, the first: "
                f"{failed[0]['reason']}. Start the run again to continue from here"
            )
        if labelled:
            write_configurations(folder / LABELLED, labelled)
        return {"selected": len(chosen), "failed": failed}

    def _whole(self, configurations: list[Atoms]) -> list[Atoms]:
        """Return the configurations without broken or unknown molecules, and print the number of the others."""
        own_molecules = self.settings.own_molecules()
        whole = [atoms for atoms in configurations if None not in Topology.of(atoms).known(own_molecules)]
        if not whole:
            raise ElectrolyteError("fit.leave_out: every configuration has broken or unknown molecules")
        if self.progress and len(whole) < len(configurations):
            left_out = len(configurations) - len(whole)
            print(f"{left_out} of {len(configurations)} configurations have broken or unknown molecules: not fitted")
        return whole

    def _fit(self, folder: Path) -> dict[str, Any]:
        """Fit the potential to the whole training set, from the last parameters, and build a new active set."""
        from electrolyte_ml.training import train

        settings = self.settings
        training = self.training + read_configurations(folder / LABELLED, labelled=True)
        size = len(training)
        if settings.fit.leave_out == "broken":
            training = self._whole(training)
        options = settings.fit.options(refit=bool(self.model or self.inherits))
        if self.model:
            start, _ = self.model
        elif self.inherits:
            start = load_potential(folder / PRELIMINARY)
            if settings.inheritance.run is None:  # the set is much larger than that of the preliminary fit
                options["max_iterations"] = settings.fit.iterations
        else:
            start = self._random_model()
        result = train(
            training,
            start,
            **options,
            checkpoint=folder / "fit_checkpoint.npz",
            progress=self.progress,
        )
        save_fit(result, folder)
        # The potential is read from its file, so that the active set belongs to exactly the stored parameters.
        potential = load_potential(folder)
        active_set = ActiveSet.build(potential, training, settings.grades.mode, terms=settings.grades.terms)
        active_set.save(folder / ACTIVE_SET)
        return {
            "size": size,
            "left_out": size - len(training),
            "ranks": active_set.ranks(),
            "species_ranks": active_set.species_ranks(),
            "undetermined": potential.undetermined([System.of(atoms, potential.species) for atoms in training]),
            "energy_rmse": 1000 * result.errors.energy_rmse,
            "force_rmse": result.errors.force_rmse,
            "loss": [float(loss) for _, loss, _ in result.history],
            "message": result.message,
        }


def _least_certain(saved: list[Atoms]) -> str:
    """Return the atom of the highest grade among saved configurations; empty if single atoms are not graded."""
    graded = [atoms for atoms in saved if "least_certain" in atoms.info]
    if not graded:
        return ""
    worst = max(graded, key=lambda atoms: float(atoms.info["grade"]))
    return f"{worst.info['least_certain']}, grade {worst.info['grade']:.3g}, in {worst.info['parent']}"
