"""How many labels a wanted error needs, at which level, cutoff and weights: measured on the user's own labels.

A fifth of the configurations is held out, whole groups of related ones at a time; potentials of each level are fitted
to nested random subsets of the rest, several times over with other splits and other random starts; a power law through
the errors on the configurations held out says how many are needed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.locks import hold_folder
from electrolyte_ml.parallel import map_progress, resolve_jobs
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.structures import species_of
from electrolyte_ml.training.data import TrainingSet
from electrolyte_ml.training.fit import require_one_reference
from electrolyte_ml.training.loss import Loss, Weights
from electrolyte_ml.training.power_law import FEWEST_SIZES, Interval, PowerLaw
from electrolyte_ml.training.splits import Groups, find_groups, hold_out
from electrolyte_ml.training.trials import Trial, TrialResult, digest_of, read_trial, run_trial, trial_file

if TYPE_CHECKING:
    from ase import Atoms

LEVELS = (8, 12, 16)
FORCE_WEIGHTS = (0.001, 0.01, 0.1)  # the second is the paper's
STRESS_WEIGHT = 0.1  # where there are stresses; that of active learning
_SIZES = 4  # each half of the next
_LABELS_PER_PARAMETER = 2  # with fewer the error follows no power law
_FAR = 10  # times the largest set fitted is as far as the power law is trusted
_ALIKE = 1.25  # ratio of set sizes below which the faster model is preferred
_TIMED_ATOMS = 1000


@dataclass(frozen=True)
class LearningCurve:
    """Errors of one model against the size of its training set.

    Attributes
    ----------
    model : ModelSpec
    parameters : int
    trials : tuple of (Trial, TrialResult)
        Fits at several sizes, with several splits.
    force_law, energy_law : PowerLaw or None
        Through the errors of forces (eV/Å) and energies (eV/atom); None if fewer than three sizes were fitted.
    microseconds : float
        Time of energy and forces for each atom, on one thread: a step of dynamics takes little more.
    target : float
        Wanted force error, eV/Å.
    """

    model: ModelSpec
    parameters: int
    trials: tuple[tuple[Trial, TrialResult], ...]
    force_law: PowerLaw | None
    energy_law: PowerLaw | None
    microseconds: float
    target: float

    @property
    def name(self) -> str:
        """Level and cutoff."""
        return f"level {self.model.level}, {self.model.cutoff:g} Å"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Set sizes that were fitted."""
        return tuple(sorted({trial.size for trial, _ in self.trials}))

    @property
    def needed(self) -> Interval | None:
        """Configurations that the wanted force error needs."""
        return None if self.force_law is None else self.force_law.needed(self.target)

    @property
    def reachable(self) -> float:
        """Probability that the wanted force error is reached with any number of configurations."""
        return 0.0 if self.force_law is None else self.force_law.reachable(self.target)

    def errors(self, quantity: str, size: int) -> np.ndarray:
        """Errors (n,) of a quantity, such as "force_rmse", at one set size: one for each split."""
        return np.array([getattr(result.errors, quantity) for trial, result in self.trials if trial.size == size])

    def answer(self) -> str:
        """Say in words how many configurations the wanted error needs."""
        law, needed = self.force_law, self.needed
        if law is None or needed is None:
            return f"not known: fits at fewer than {FEWEST_SIZES} set sizes"
        if self.reachable < 0.1:
            floor = law.lowest
            return (
                f"cannot be reached at this level: the floor is {floor.value:.3g} eV/Å "
                f"({floor.low:.3g} to {floor.high:.3g})"
            )
        if needed.high <= min(self.sizes):
            return f"fewer than {min(self.sizes)}, the smallest set fitted"
        if not self.within_reach:
            most = self.far
            least = "not with" if needed.low > most else f"more than {_round(needed.low)}, probably more than"
            return (
                f"{least} {most}, which would give {_from_to(law.error(most))} eV/Å; "
                f"{self.reachable:.0%} to be ever reached"
            )
        high = str(_round(needed.high)) if np.isfinite(needed.high) else "no end"
        doubt = f", {self.reachable:.0%} to be reached" if self.reachable < 0.95 else ""
        return f"{_round(needed.value)} ({_round(needed.low)} to {high}{doubt})"

    @property
    def far(self) -> int:
        """Ten times the largest set that was fitted: a guess about larger ones would be worth nothing."""
        return _FAR * max(self.sizes)

    @property
    def within_reach(self) -> bool:
        """Whether the wanted force error is more likely than not to be reached with `far` configurations."""
        return self.force_law is not None and self.force_law.reachable(self.target, self.far) >= 0.5


@dataclass(frozen=True)
class TradeOff:
    """Mean errors on the configurations held out with some weights of the loss, and their spread over the splits."""

    weights: Weights
    energy: tuple[float, float]  # eV/atom: mean and standard deviation, NaN with one split
    force: tuple[float, float]  # eV/Å
    pressure: tuple[float, float]  # GPa; NaN without stresses
    splits: int


@dataclass(frozen=True)
class Suggestion:
    """What a learning curve on the user's labels suggests; prints as a report.

    Attributes
    ----------
    target : float
        Wanted force error, eV/Å.
    configurations : int
        Labelled, without isolated atoms.
    groups : Groups
        Of related configurations.
    curves : tuple of LearningCurve
        One for each level and cutoff.
    weights_of_curves : Weights
        Of the fits of the curves.
    trade_offs : tuple of TradeOff
        One for each choice of weights, at the model and size of `weighed`, on the same splits. Empty if the time
        did not allow a comparison.
    weighed : str
        Model and set size of the trade-offs.
    left_out : int
        Fits that the time did not allow.
    minutes_missing : float
        Time that they would take, estimated.
    """

    target: float
    configurations: int
    groups: Groups
    curves: tuple[LearningCurve, ...]
    weights_of_curves: Weights
    trade_offs: tuple[TradeOff, ...]
    weighed: str
    left_out: int
    minutes_missing: float

    @property
    def chosen(self) -> LearningCurve | None:
        """The model that needs the fewest labels, or a faster one that needs at most a quarter more.

        Only models count for which the wanted error is within reach. None if there is none.
        """
        able = [(max(needed.value, min(c.sizes)), c) for c in self.curves if (needed := c.needed) and c.within_reach]
        if not able:
            return None
        fewest = min(size for size, _ in able)
        return min((curve for size, curve in able if size <= _ALIKE * fewest), key=lambda curve: curve.microseconds)

    @property
    def weights(self) -> Weights:
        """The weights whose worst error, relative to the best that any weights give, is the least.

        Those of the curves, if no others were compared with them.
        """
        if not self.trade_offs:
            return self.weights_of_curves
        columns = np.array([[t.energy[0], t.force[0], t.pressure[0]] for t in self.trade_offs])
        labelled = np.isfinite(columns).all(axis=0)
        worst = (columns[:, labelled] / columns[:, labelled].min(axis=0)).max(axis=1)
        return self.trade_offs[int(np.argmin(worst))].weights

    def __str__(self) -> str:
        return _report(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists and numbers, with None for what is not finite."""
        return _plain(self)


def suggest(
    configurations: Sequence[Atoms],
    *,
    target_force_error: float = 0.1,
    levels: Sequence[int] = LEVELS,
    cutoffs: Sequence[float] = (5.0,),
    model: ModelSpec | None = None,
    splits: int = 3,
    iterations: int = 300,
    minutes: float | None = None,
    directory: str | Path | None = None,
    jobs: int | None = None,
    progress: bool = True,
) -> Suggestion:
    """Measure learning curves on labelled configurations, and say what a wanted force error needs.

    Parameters
    ----------
    configurations
        With energies, forces and, where there are any, stresses. Isolated atoms are trained on in every fit.
    target_force_error
        Root mean square error of the components of forces, eV/Å, on configurations that were not trained on.
    levels, cutoffs
        Of the models to try, all with all; cutoffs in Å.
    model
        The other choices of the model; those of `ModelSpec` by default.
    splits
        Ways to hold configurations out, each with other subsets and another random start.
    iterations
        Of each fit, at most.
    minutes
        Wall time that the fits may take, about. Those of the first split and of lower levels come first; how many were
        left out is said.
    directory
        Folder in which every fit is a file: the same call goes on where it was. None keeps everything in memory.
    jobs
        Fits at once, each on one thread; one per core by default.
    progress
        Show progress lines with the remaining time.

    Raises
    ------
    InputError
        Fewer than eight configurations, a target or a model that makes no sense, labels that cannot be fitted or are
        of several levels of theory, or a directory that another process is using.
    """
    if not (np.isfinite(target_force_error) and target_force_error > 0):
        raise InputError(f"target_force_error must be above 0, not {target_force_error}")
    if minutes is not None and not minutes > 0:
        raise InputError(f"minutes must be above 0, not {minutes}")
    if min(len(levels), len(cutoffs), splits, iterations) < 1:
        raise InputError("a suggestion needs a level, a cutoff, a split and an iteration at least")
    base = model or ModelSpec()
    choices = product(sorted(set(levels)), sorted(set(cutoffs)))
    models = [replace(base, level=level, cutoff=cutoff) for level, cutoff in choices]
    for one in models:
        if fault := one.fault():
            raise InputError(f"{fault[0]} = {fault[1]!r}: {fault[2]}")
    require_one_reference(configurations)
    campaign = _Campaign(configurations, models, splits, iterations)
    if directory is None:
        campaign.run(None, minutes, resolve_jobs(jobs), progress)
    else:
        with hold_folder(Path(directory)):
            campaign.run(Path(directory), minutes, resolve_jobs(jobs), progress)
    return campaign.suggestion(target_force_error)


class _Campaign:
    """The trials of a suggestion: which there are, what they cost, and what they came to."""

    def __init__(
        self, configurations: Sequence[Atoms], models: Sequence[ModelSpec], splits: int, iterations: int
    ) -> None:
        self.isolated = [atoms for atoms in configurations if len(atoms) == 1]
        self.frames = [atoms for atoms in configurations if len(atoms) > 1]
        self.models = models
        self.species = species_of(configurations)
        self.digest = digest_of(configurations)
        self.groups = find_groups(self.frames)
        self.splits = [hold_out(self.groups, seed) for seed in range(splits)]
        stresses = any("stress" in atoms.calc.results for atoms in self.frames if atoms.calc is not None)
        default, *others = _weights(STRESS_WEIGHT if stresses else 0.0)
        self.mean_atoms = float(np.mean([len(atoms) for atoms in self.frames]))
        self.parameters = {one: one.random(self.species).n_parameters for one in models}
        sizes = {one: self._sizes(one) for one in models}
        if not any(sizes.values()):
            raise InputError(
                f"{len(self.frames)} configurations are too few for {self.parameters[models[0]]} parameters of level "
                f"{models[0].level}: choose a lower level, or label more"
            )
        # The weights are compared at a model and a size of middle cost.
        usable = [one for one in models if len(sizes[one]) >= FEWEST_SIZES] or [one for one in models if sizes[one]]
        self.weighed = usable[len(usable) // 2]
        self.weighed_size = sizes[self.weighed][-2:][0]
        self.curve_trials = [
            Trial(one, default, size, seed, iterations)
            for seed in range(splits)
            for one in models
            for size in sizes[one]
        ]
        self.weight_trials = [
            Trial(self.weighed, weights, self.weighed_size, seed, iterations)
            for seed in range(splits)
            for weights in (default, *others)
        ]
        self.results: dict[Trial, TrialResult] = {}
        self.left_out: list[Trial] = []
        self.minutes_missing = 0.0

    def _sizes(self, model: ModelSpec) -> list[int]:
        """Sizes of the sets of a model, the largest first halved and halved again while there are labels enough."""
        largest = min(len(train) for train, _ in self.splits)
        least = _LABELS_PER_PARAMETER * self.parameters[model] / (3 * self.mean_atoms + 1)
        sizes = {round(largest / 2**k) for k in range(_SIZES)}
        if sum(size >= least for size in sizes) < FEWEST_SIZES:  # closer sizes, where the set is hardly large enough
            sizes |= {round(largest / 2 ** (k / 2)) for k in range(_SIZES)}
        return sorted(size for size in sizes if size >= max(least, 2))

    def cost(self, trial: Trial) -> float:
        """Seconds on one thread, from fits of the same model; without them, a relative number."""
        known = [
            result.seconds / (other.size * max(result.iterations, 1))
            for other, result in self.results.items()
            if other.model == trial.model
        ]
        rate = max(known) if known else self.parameters[trial.model] * self.mean_atoms * 1e-7
        return rate * trial.size * trial.iterations

    def run(self, directory: Path | None, minutes: float | None, jobs: int, progress: bool) -> None:
        """Fit what is not on disk yet and what the time allows."""
        for model in self.models:  # compile every kernel before any fit is timed
            potential = model.random(self.species)
            Loss(potential, TrainingSet(self.frames[:1], potential), Weights(), 1)(potential.parameters)
        deadline = None if minutes is None else time.perf_counter() + 60 * minutes
        trials = list(dict.fromkeys(sorted([*self.curve_trials, *self.weight_trials], key=self._priority)))
        paths = {t: None if directory is None else trial_file(directory, t, self.digest) for t in trials}
        for trial, path in paths.items():
            if path is not None and (found := read_trial(path)) is not None:
                self.results[trial] = found
        missing = [trial for trial in trials if trial not in self.results]
        if deadline is not None:  # time the smallest fit of each model first
            timed = {trial.model for trial in self.results}
            smallest: dict[ModelSpec, Trial] = {}
            for trial in sorted(missing, key=lambda trial: trial.size):
                if trial.model not in timed:
                    smallest.setdefault(trial.model, trial)
            self._fit(list(smallest.values()), paths, jobs, progress, "timing fits")
            missing = self._affordable([t for t in missing if t not in self.results], deadline, jobs)
        self._fit(missing, paths, jobs, progress, "fits")

    def _priority(self, trial: Trial) -> tuple[int, int, float]:
        """Curves of a split come first, then weights on that split; cheap fits first."""
        of_weights = trial.weights != self.curve_trials[0].weights
        return trial.seed, int(of_weights), self.parameters[trial.model] * trial.size

    def _affordable(self, missing: list[Trial], deadline: float, jobs: int) -> list[Trial]:
        """Choose what the time left allows, and note what it does not."""
        left = deadline - time.perf_counter()
        chosen: list[Trial] = []

        def afford(trials: list[Trial]) -> bool:
            """Choose these trials if the time is enough for all of them."""
            total = sum(map(self.cost, [*chosen, *trials]))
            enough = total <= left * jobs and all(self.cost(trial) <= left for trial in trials)
            if enough:
                chosen.extend(trials)
            return enough

        # A curve of fewer than three sizes says nothing: a model has the time for three, or none at all.
        useful = []
        for model in self.models:
            first = [trial for trial in self.curve_trials if trial.model == model and trial.seed == 0][:FEWEST_SIZES]
            if afford([trial for trial in first if trial in missing]):
                useful.append(model)
        for trial in missing:
            if trial not in chosen and not (trial.model in useful and afford([trial])):
                self.left_out.append(trial)
        self.minutes_missing = sum(map(self.cost, self.left_out)) / 60 / jobs
        return chosen

    def _fit(
        self, trials: list[Trial], paths: dict[Trial, Path | None], jobs: int, progress: bool, description: str
    ) -> None:
        if not trials:
            return
        tasks = [(trial, *self._parts(trial), self.species, paths[trial]) for trial in trials]

        def note(index: int, result: TrialResult) -> None:
            self.results[trials[index]] = result

        map_progress(
            _run,
            tasks,
            jobs,
            description,
            weights=[self.cost(trial) for trial in trials],
            on_result=note,
            progress=progress,
        )

    def _parts(self, trial: Trial) -> tuple[list[Atoms], list[Atoms]]:
        """The configurations to train on and those held out."""
        train, held_out = self.splits[trial.seed]
        return [self.frames[k] for k in train[: trial.size]] + self.isolated, [self.frames[k] for k in held_out]

    def suggestion(self, target: float) -> Suggestion:
        """Return what the trials say."""
        curves = []
        for one in self.models:
            found = tuple((t, self.results[t]) for t in self.curve_trials if t.model == one and t in self.results)
            curves.append(
                LearningCurve(
                    one,
                    self.parameters[one],
                    found,
                    _law(found, "force_rmse"),
                    _law(found, "energy_rmse"),
                    _microseconds(one, self.species, max(self.frames, key=len)),
                    target,
                )
            )
        trade_offs = []
        unfinished = {trial.seed for trial in self.weight_trials if trial not in self.results}
        seeds = sorted({trial.seed for trial in self.weight_trials} - unfinished)
        for weights in dict.fromkeys(trial.weights for trial in self.weight_trials if seeds):
            chosen = [self.results[t] for t in self.weight_trials if t.weights == weights and t.seed in seeds]
            energy, force, pressure = (_mean([getattr(result.errors, name) for result in chosen]) for name in _WEIGHED)
            trade_offs.append(TradeOff(weights, energy, force, pressure, splits=len(seeds)))
        return Suggestion(
            target,
            len(self.frames),
            self.groups,
            tuple(curves),
            self.curve_trials[0].weights,
            tuple(trade_offs),
            f"level {self.weighed.level}, {self.weighed.cutoff:g} Å, {self.weighed_size} configurations",
            len(self.left_out),
            self.minutes_missing,
        )


_WEIGHED = ("energy_rmse", "force_rmse", "pressure_rmse")


def _run(task: tuple[Any, ...]) -> TrialResult:
    return run_trial(*task)


def _weights(stress: float) -> list[Weights]:
    """The weights of the curves, and others to compare them with."""
    default = Weights(force=FORCE_WEIGHTS[1], stress=stress)
    others = [Weights(force=force, stress=stress) for force in FORCE_WEIGHTS if force != default.force]
    return [default, *others, *([replace(default, stress=0.0)] if stress else [])]


def _law(found: Sequence[tuple[Trial, TrialResult]], quantity: str) -> PowerLaw | None:
    sizes = [trial.size for trial, _ in found]
    errors = [getattr(result.errors, quantity) for _, result in found]
    if len(set(sizes)) < FEWEST_SIZES or not np.isfinite(errors).all():
        return None
    return PowerLaw.fit(sizes, errors, [trial.seed for trial, _ in found])


def _mean(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _microseconds(model: ModelSpec, species: Sequence[str], atoms: Atoms) -> float:
    """Processor time of energy and forces for each atom (µs) on one thread.

    In about a thousand atoms if the cell is periodic. The parameters do not matter for it.
    """
    copies = max(1, round((_TIMED_ATOMS / len(atoms)) ** (1 / 3))) if atoms.pbc.all() else 1
    potential = model.random(species)
    cell = atoms.repeat(copies)
    if "charge" in atoms.info:
        cell.info["charge"] = copies**3 * atoms.info["charge"]
    geometry: Geometry = potential.geometry(cell)
    potential.evaluate(geometry, threads=1)
    times = []
    for _ in range(20):
        began = time.thread_time()
        potential.evaluate(geometry, threads=1)
        times.append(time.thread_time() - began)
    return 1e6 * min(times) / len(cell)  # the least disturbed by other programs


def _round(size: float) -> int:
    """Return a set size with two digits, upwards: more would claim too much."""
    if size < 100:
        return int(np.ceil(size))
    unit = 10 ** (int(np.log10(size)) - 1)
    return int(np.ceil(size / unit)) * unit


def _report(s: Suggestion) -> str:
    """Return the suggestion as text."""
    lines = [f"{s.configurations} configurations, {s.groups}", ""]
    lines.append(
        f"{'level':>5} {'cutoff':>6} {'parameters':>10} {'forces µs/atom':>14}  {'sets fitted':<16} "
        f"{'force RMSE eV/Å':<18} {'energy meV/atom':<16} set size for {s.target:g} eV/Å (90 %)"
    )
    for curve in s.curves:
        sizes = f"{curve.sizes[0]} to {curve.sizes[-1]}" if curve.sizes else "none"
        force = energy = "-"
        if curve.sizes:
            force, energy = (
                _shown(_mean(list(factor * curve.errors(name, curve.sizes[-1]))))
                for name, factor in (("force_rmse", 1.0), ("energy_rmse", 1e3))
            )
        lines.append(
            f"{curve.model.level:5d} {curve.model.cutoff:6g} {curve.parameters:10d} {curve.microseconds:14.2f}  "
            f"{sizes:<16} {force:<18} {energy:<16} {curve.answer()}"
        )
    lines.append("Errors on configurations held out, with the largest set: mean ± standard deviation over the splits.")
    trials = [result for curve in s.curves for _, result in curve.trials]
    if unfinished := sum(not result.converged for result in trials):
        lines.append(f"{unfinished} of {len(trials)} fits ran out of iterations: with more their errors may be lower.")
    if s.trade_offs:
        lines += ["", f"Weights of the loss, {s.weighed}, splits: {s.trade_offs[0].splits}"]
        lines.append(
            f"{'energy':>7} {'force':>7} {'stress':>7}  {'energy meV/atom':<18} {'force eV/Å':<18} pressure GPa"
        )
    for row in s.trade_offs:
        w = row.weights
        energy = _shown(tuple(1e3 * value for value in row.energy))
        lines.append(
            f"{w.energy:7g} {w.force:7g} {w.stress:7g}  {energy:<18} {_shown(row.force):<18} {_shown(row.pressure)}"
        )
    lines += ["", *_advice(s)]
    if s.left_out:
        lines.append(
            f"{s.left_out} fits were left out for want of time; they would take about {s.minutes_missing:.0f} minutes "
            "more. The same command goes on from here."
        )
    return "\n".join(lines)


def _advice(s: Suggestion) -> list[str]:
    """Return the suggestion proper."""
    curve = s.chosen
    if curve is None:
        weights = (
            f"Weights of energy, force and stress: {s.weights.energy:g}, {s.weights.force:g}, {s.weights.stress:g}."
        )
        known = [c for c in s.curves if c.force_law is not None]
        if not known:
            return ["Suggested: nothing yet, for want of fits."]
        most = max(c.far for c in known)
        forecasts = [(c.force_law.error(most), c.name) for c in known if c.force_law is not None]
        error, name = min(forecasts, key=lambda forecast: forecast[0][0])
        return [
            f"Suggested: none of these models is likely to reach {s.target:g} eV/Å with {most} configurations, ten "
            f"times the largest set fitted. The best, {name}, would then be at {_from_to(error)} eV/Å. Try a higher "
            "level, another cutoff or a larger error.",
            *([weights] if s.trade_offs else []),
        ]
    needed = curve.needed
    assert needed is not None  # as for every chosen curve
    w = s.weights
    lines = [
        f"Suggested: {curve.name}, weights of energy, force and stress {w.energy:g}, {w.force:g}, {w.stress:g}; "
        f"set size for {s.target:g} eV/Å: {curve.answer()}."
    ]
    if needed.value > s.configurations:
        lines.append(f"About {_round(needed.value - s.configurations)} configurations more than there are.")
    if w != s.weights_of_curves:
        lines.append(
            "The curves were fitted with the weights in the first line: with others errors differ as said there."
        )
    hours = curve.microseconds * _TIMED_ATOMS / 3600.0  # 1e-6 s for each atom and step, 1e6 steps of 1 fs
    lines.append(f"Dynamics of {_TIMED_ATOMS} atoms: about {hours:.1f} h for a ns on one thread, with steps of 1 fs.")
    return lines


def _from_to(quantiles: np.ndarray) -> str:
    middle, low, high = quantiles
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _shown(spread: tuple[float, ...]) -> str:
    mean, deviation = spread
    if mean != mean:
        return "-"
    return f"{mean:.3g}" if deviation != deviation else f"{mean:.3g} ± {deviation:.1g}"


def _plain(s: Suggestion) -> dict[str, Any]:
    def finite(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    def interval(found: Interval | None) -> list[float | None] | None:
        return None if found is None else [finite(value) for value in found]

    curves = [
        {
            "level": curve.model.level,
            "cutoff": curve.model.cutoff,
            "parameters": curve.parameters,
            "microseconds_per_atom": curve.microseconds,
            "fits": [
                {"size": t.size, "seed": t.seed, "force_rmse": r.errors.force_rmse, "energy_rmse": r.errors.energy_rmse,
                 "converged": r.converged, "seconds": r.seconds}
                for t, r in curve.trials
            ],
            "needed": interval(curve.needed),
            "reachable": curve.reachable,
            "floor": interval(curve.force_law.lowest) if curve.force_law else None,
            "exponent": interval(curve.force_law.slope) if curve.force_law else None,
        }
        for curve in s.curves
    ]  # fmt: skip
    weights = [
        {
            "weights": [row.weights.energy, row.weights.force, row.weights.stress],
            "energy_rmse": finite(row.energy[0]),
            "force_rmse": finite(row.force[0]),
            "pressure_rmse": finite(row.pressure[0]),
            "splits": row.splits,
        }
        for row in s.trade_offs
    ]
    chosen = s.chosen
    return {
        "target_force_error": s.target,
        "configurations": s.configurations,
        "groups": len(s.groups),
        "independent": s.groups.independent,
        "curves": curves,
        "weights": weights,
        "suggested": None
        if chosen is None
        else {
            "level": chosen.model.level,
            "cutoff": chosen.model.cutoff,
            "weights": [s.weights.energy, s.weights.force, s.weights.stress],
            "set_size": interval(chosen.needed),
        },
        "left_out": s.left_out,
    }
