"""Learning curves on the user's labels: suggested level, cutoff, weights and number of labels for a target error.

A fifth of the configurations is held out, in whole groups of related ones. Potentials of each level are fitted to
nested random subsets of the others, with several splits and random starts. A power law through the errors on the
held-out configurations gives the number of configurations required.
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
FORCE_WEIGHTS = (0.001, 0.01, 0.1)  # the second is that of the paper
STRESS_WEIGHT = 0.1  # if there are stresses; the same as in active learning
_SIZES = 4  # number of set sizes, each half of the next
_LABELS_PER_PARAMETER = 2  # with fewer labels, the error follows no power law
_FAR = 10  # the power law is used up to this multiple of the largest fitted set
_ALIKE = 1.25  # ratio of set sizes below which the faster model is preferred
_TIMED_ATOMS = 1000


@dataclass(frozen=True)
class LearningCurve:
    """Errors of one model as a function of the size of its training set.

    Attributes
    ----------
    model : ModelSpec
    parameters : int
    trials : tuple of (Trial, TrialResult)
        Fits at several sizes, with several splits.
    force_law, energy_law : PowerLaw or None
        Power laws through the errors of forces (eV/Å) and energies (eV/atom); None if fewer than three sizes were
        fitted.
    microseconds : float
        Time per atom for energy and forces on one thread; a step of dynamics takes slightly longer.
    target : float
        Target force error, eV/Å.
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
        """Level and cutoff as text."""
        return f"level {self.model.level}, {self.model.cutoff:g} Å"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Set sizes that were fitted."""
        return tuple(sorted({trial.size for trial, _ in self.trials}))

    @property
    def needed(self) -> Interval | None:
        """Number of configurations required for the target force error."""
        return None if self.force_law is None else self.force_law.needed(self.target)

    @property
    def reachable(self) -> float:
        """Probability that the target force error can be reached with any number of configurations."""
        return 0.0 if self.force_law is None else self.force_law.reachable(self.target)

    def errors(self, quantity: str, size: int) -> np.ndarray:
        """Return the errors (n,) of a quantity such as "force_rmse" at one set size, one per split."""
        return np.array([getattr(result.errors, quantity) for trial, result in self.trials if trial.size == size])

    def answer(self) -> str:
        """Return the number of configurations required for the target error, as text."""
        law, needed = self.force_law, self.needed
        if law is None or needed is None:
            return f"not known: fits with fewer than {FEWEST_SIZES} set sizes"
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
            least = "more than" if needed.low > most else f"more than {_round(needed.low)}, probably more than"
            return (
                f"{least} {most}, which would give {_from_to(law.error(most))} eV/Å; "
                f"probability that it can be reached at all: {self.reachable:.0%}"
            )
        high = str(_round(needed.high)) if np.isfinite(needed.high) else "infinity"
        doubt = f", probability to be reached: {self.reachable:.0%}" if self.reachable < 0.95 else ""
        return f"{_round(needed.value)} ({_round(needed.low)} to {high}{doubt})"

    @property
    def far(self) -> int:
        """Ten times the largest fitted set: the limit of extrapolation."""
        return _FAR * max(self.sizes)

    @property
    def within_reach(self) -> bool:
        """Whether the target force error is reached with `far` configurations with a probability of at least 50 %."""
        return self.force_law is not None and self.force_law.reachable(self.target, self.far) >= 0.5


@dataclass(frozen=True)
class TradeOff:
    """Mean errors on held-out configurations for one choice of weights, and their spread over the splits."""

    weights: Weights
    energy: tuple[float, float]  # eV/atom: mean and standard deviation, NaN with one split
    force: tuple[float, float]  # eV/Å
    pressure: tuple[float, float]  # GPa; NaN without stresses
    splits: int


@dataclass(frozen=True)
class Suggestion:
    """Suggestion from learning curves on the user's labels; printed as a report.

    Attributes
    ----------
    target : float
        Target force error, eV/Å.
    configurations : int
        Number of labelled configurations, without isolated atoms.
    groups : Groups
        Groups of related configurations.
    curves : tuple of LearningCurve
        One curve for each level and cutoff.
    weights_of_curves : Weights
        Weights in the fits of the curves.
    trade_offs : tuple of TradeOff
        One entry for each choice of weights, for the model and size of `weighed` and the same splits. Empty if there
        was not enough time for a comparison.
    weighed : str
        Model and set size of the trade-offs.
    left_out : int
        Number of fits for which there was not enough time.
    minutes_missing : float
        Estimated time for these fits.
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
        """Model that needs the fewest labels, or a faster one that needs at most a quarter more.

        Only models for which the target error is within reach are considered; None if there are none.
        """
        able = [(max(needed.value, min(c.sizes)), c) for c in self.curves if (needed := c.needed) and c.within_reach]
        if not able:
            return None
        fewest = min(size for size, _ in able)
        return min((curve for size, curve in able if size <= _ALIKE * fewest), key=lambda curve: curve.microseconds)

    @property
    def weights(self) -> Weights:
        """Weights with the smallest worst error, where errors are relative to the best of all weights.

        If no weights were compared, these are the weights of the curves.
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
        """Return all data as plain lists and numbers, with None for values that are not finite."""
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
    """Measure learning curves on labelled configurations, and suggest a model and set size for a target force error.

    Parameters
    ----------
    configurations
        Configurations with energies, forces and, optionally, stresses. Isolated atoms are included in every fit.
    target_force_error
        Target root mean square error of force components, eV/Å, on configurations outside the training set.
    levels, cutoffs
        Levels and cutoffs (Å) of the models; all combinations are tried.
    model
        Other settings of the model; by default those of `ModelSpec`.
    splits
        Number of splits, each with its own held-out configurations, subsets and random start.
    iterations
        Most iterations of each fit.
    minutes
        Approximate wall time for all fits. Those of the first split and of lower levels are done first; the report
        gives the number of fits left out.
    directory
        Folder with one file per fit: the same call continues from them. With None, results are kept in memory only.
    jobs
        Number of simultaneous fits, each on one thread; by default one per core.
    progress
        Show progress lines with the remaining time.

    Raises
    ------
    InputError
        There are fewer than eight configurations, the target or a model is invalid, labels cannot be fitted or are of
        several levels of theory, or another process is using the directory.
    """
    if not (np.isfinite(target_force_error) and target_force_error > 0):
        raise InputError(f"target_force_error must be above 0, not {target_force_error}")
    if minutes is not None and not minutes > 0:
        raise InputError(f"minutes must be above 0, not {minutes}")
    if min(len(levels), len(cutoffs), splits, iterations) < 1:
        raise InputError("a suggestion needs at least one level, one cutoff, one split and one iteration")
    base = model or ModelSpec()
    choices = product(sorted(set(levels)), sorted(set(cutoffs)))
    models = [replace(base, level=level, cutoff=cutoff) for level, cutoff in choices]
    for candidate in models:
        if fault := candidate.fault():
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
    """Trials of a suggestion, with their costs and results."""

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
        self.parameters = {model: model.random(self.species).n_parameters for model in models}
        sizes = {model: self._sizes(model) for model in models}
        if not any(sizes.values()):
            raise InputError(
                f"{len(self.frames)} configurations are too few for {self.parameters[models[0]]} parameters of level "
                f"{models[0].level}: choose a lower level, or label more configurations"
            )
        # The weights are compared for a model and a set size of medium cost.
        usable = [model for model in models if len(sizes[model]) >= FEWEST_SIZES]
        usable = usable or [model for model in models if sizes[model]]
        self.weighed = usable[len(usable) // 2]
        self.weighed_size = sizes[self.weighed][-2:][0]
        self.curve_trials = [
            Trial(model, default, size, seed, iterations)
            for seed in range(splits)
            for model in models
            for size in sizes[model]
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
        """Return the set sizes for a model in ascending order: repeated halves of the largest, with enough labels."""
        largest = min(len(train) for train, _ in self.splits)
        least = _LABELS_PER_PARAMETER * self.parameters[model] / (3 * self.mean_atoms + 1)
        sizes = {round(largest / 2**k) for k in range(_SIZES)}
        if sum(size >= least for size in sizes) < FEWEST_SIZES:  # use closer sizes if there are too few
            sizes |= {round(largest / 2 ** (k / 2)) for k in range(_SIZES)}
        return sorted(size for size in sizes if size >= max(least, 2))

    def cost(self, trial: Trial) -> float:
        """Return the time (s) on one thread, from fits of the same model; without such fits, a relative number."""
        known = [
            result.seconds / (other.size * max(result.iterations, 1))
            for other, result in self.results.items()
            if other.model == trial.model
        ]
        rate = max(known) if known else self.parameters[trial.model] * self.mean_atoms * 1e-7
        return rate * trial.size * trial.iterations

    def run(self, directory: Path | None, minutes: float | None, jobs: int, progress: bool) -> None:
        """Run the trials that are not on disk yet, as far as the time allows."""
        for model in self.models:  # compile all kernels before fits are timed
            potential = model.random(self.species)
            Loss(potential, TrainingSet(self.frames[:1], potential), Weights(), 1)(potential.parameters)
        deadline = None if minutes is None else time.perf_counter() + 60 * minutes
        trials = list(dict.fromkeys(sorted([*self.curve_trials, *self.weight_trials], key=self._priority)))
        paths = {t: None if directory is None else trial_file(directory, t, self.digest) for t in trials}
        for trial, path in paths.items():
            if path is not None and (stored := read_trial(path)) is not None:
                self.results[trial] = stored
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
        """Return a sort key: by split, curves before weights, and cheap fits first."""
        of_weights = trial.weights != self.curve_trials[0].weights
        return trial.seed, int(of_weights), self.parameters[trial.model] * trial.size

    def _affordable(self, missing: list[Trial], deadline: float, jobs: int) -> list[Trial]:
        """Return the trials for which there is enough time, and store the others in `left_out`."""
        left = deadline - time.perf_counter()
        chosen: list[Trial] = []

        def afford(trials: list[Trial]) -> bool:
            """Choose these trials if there is enough time for all of them."""
            total = sum(map(self.cost, [*chosen, *trials]))
            enough = total <= left * jobs and all(self.cost(trial) <= left for trial in trials)
            if enough:
                chosen.extend(trials)
            return enough

        # A curve of fewer than three sizes is useless: a model gets at least three sizes, or none.
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
        """Return the training configurations and the held-out ones."""
        train, held_out = self.splits[trial.seed]
        return [self.frames[k] for k in train[: trial.size]] + self.isolated, [self.frames[k] for k in held_out]

    def suggestion(self, target: float) -> Suggestion:
        """Return the suggestion from the results of the trials."""
        curves = []
        for model in self.models:
            trials = tuple((t, self.results[t]) for t in self.curve_trials if t.model == model and t in self.results)
            curves.append(
                LearningCurve(
                    model,
                    self.parameters[model],
                    trials,
                    _law(trials, "force_rmse"),
                    _law(trials, "energy_rmse"),
                    _microseconds(model, self.species, max(self.frames, key=len)),
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
    """Return the weights of the curves, then others for the comparison."""
    default = Weights(force=FORCE_WEIGHTS[1], stress=stress)
    others = [Weights(force=force, stress=stress) for force in FORCE_WEIGHTS if force != default.force]
    return [default, *others, *([replace(default, stress=0.0)] if stress else [])]


def _law(trials: Sequence[tuple[Trial, TrialResult]], quantity: str) -> PowerLaw | None:
    sizes = [trial.size for trial, _ in trials]
    errors = [getattr(result.errors, quantity) for _, result in trials]
    if len(set(sizes)) < FEWEST_SIZES or not np.isfinite(errors).all():
        return None
    return PowerLaw.fit(sizes, errors, [trial.seed for trial, _ in trials])


def _mean(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _microseconds(model: ModelSpec, species: Sequence[str], atoms: Atoms) -> float:
    """Return the time per atom (µs) for energy and forces on one thread, for about a thousand atoms in a periodic cell.

    The parameters are random, because the time does not depend on them.
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
    """Return a set size rounded up to two digits, because it is not known more precisely."""
    if size < 100:
        return int(np.ceil(size))
    unit = 10 ** (int(np.log10(size)) - 1)
    return int(np.ceil(size / unit)) * unit


def _report(s: Suggestion) -> str:
    """Return the suggestion as text."""
    lines = [f"{s.configurations} configurations, {s.groups}", ""]
    lines.append(
        f"{'level':>5} {'cutoff':>6} {'parameters':>10} {'forces µs/atom':>14}  {'fitted sets':<16} "
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
    lines.append("Errors on held-out configurations, for the largest set: mean ± standard deviation over the splits.")
    trials = [result for curve in s.curves for _, result in curve.trials]
    if unfinished := sum(not result.converged for result in trials):
        lines.append(f"{unfinished} of {len(trials)} fits ran out of iterations: with more, their errors may be lower.")
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
            f"{s.left_out} fits were left out for lack of time; they would take about {s.minutes_missing:.0f} minutes "
            "more. Repeat the same command to continue."
        )
    return "\n".join(lines)


def _advice(s: Suggestion) -> list[str]:
    """Return the lines with the suggested model, weights and set size."""
    curve = s.chosen
    if curve is None:
        weights = (
            f"Weights of energy, force and stress: {s.weights.energy:g}, {s.weights.force:g}, {s.weights.stress:g}."
        )
        known = [c for c in s.curves if c.force_law is not None]
        if not known:
            return ["Suggested: nothing yet, because there are too few fits."]
        most = max(c.far for c in known)
        forecasts = [(c.force_law.error(most), c.name) for c in known if c.force_law is not None]
        error, name = min(forecasts, key=lambda forecast: forecast[0][0])
        return [
            f"Suggested: none of these models is likely to reach {s.target:g} eV/Å with {most} configurations, ten "
            f"times the largest fitted set. The best, {name}, would have an error of {_from_to(error)} eV/Å. Try a "
            "higher level, another cutoff or a larger target error.",
            *([weights] if s.trade_offs else []),
        ]
    needed = curve.needed
    assert needed is not None  # a chosen curve has a power law
    w = s.weights
    lines = [
        f"Suggested: {curve.name}, weights of energy, force and stress {w.energy:g}, {w.force:g}, {w.stress:g}; "
        f"set size for {s.target:g} eV/Å: {curve.answer()}."
    ]
    if needed.value > s.configurations:
        lines.append(f"These are about {_round(needed.value - s.configurations)} configurations more than now.")
    if w != s.weights_of_curves:
        lines.append(
            "The curves were fitted with the weights in the first row of the table; errors with other weights differ."
        )
    hours = curve.microseconds * _TIMED_ATOMS / 3600.0  # 1e-6 s per atom and step, 1e6 steps of 1 fs
    lines.append(f"Dynamics of {_TIMED_ATOMS} atoms: about {hours:.1f} h per ns on one thread, with steps of 1 fs.")
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

    def interval(quantiles: Interval | None) -> list[float | None] | None:
        return None if quantiles is None else [finite(value) for value in quantiles]

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
