"""Estimates of transport coefficients with errors.

All estimates are weighted integrals of a correlation function (:mod:`electrolyte_ml.analysis.correlation`). One theory
therefore gives all errors: estimates are scaled chi-squared, with degrees of freedom that follow from the window and
the length of the runs. From five trajectories on, their scatter also gives an error (Student's t). The wider of the two
intervals is reported: the scatter includes differences between trajectories that the theory neglects, but is itself
uncertain because trajectories are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from electrolyte_ml.analysis.correlation import (
    Plateau,
    correlation,
    find_plateau,
    mean_squared_displacement,
    relative_variance,
    running_integral,
    window_average,
)
from electrolyte_ml.checks import number
from electrolyte_ml.errors import InputError

MIN_FRAMES = 20
_POINTS = 1000  # number of points of a curve, enough for a plot
MIN_SCATTER = 5  # fewest trajectories whose scatter gives an error
GIVEN = "given"  # reason of a window that the user gave
_SEARCH = 1.2  # factor by which the choice of the window from the same data raises the variance, for synthetic ions
_FEW_DEGREES = 8.0  # degrees of freedom; with fewer, the standard error is more than half of the value
_FEWEST_DEGREES = 2.5  # degrees of freedom; with fewer, the 95 % interval spans more than a factor of forty


@dataclass(frozen=True)
class Curve:
    """A curve with a plateau, such as a running integral against its upper limit.

    Attributes
    ----------
    times_ps
        (n,) lags.
    mean, error
        (n,) mean over the trajectories and its standard error, by theory for fewer than five trajectories; in the unit
        of the estimate.
    """

    times_ps: np.ndarray
    mean: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class TransportEstimate:
    """A transport coefficient with its error and the method of its estimation.

    Attributes
    ----------
    quantity, unit, method
        Quantity, unit and estimator.
    value, error
        The error is one standard error: from the scatter of five or more trajectories, as in the paper, otherwise by
        theory.
    low, high
        95 % interval.
    expected_error
        Error by theory for this number and length of runs: the value times sqrt(4 tau / (3 T)) for a conductivity.
    basis
        Source of the interval.
    trajectories, total_ps
        Number of runs, and their total length.
    plateau
        The window of the plateau and the reason for it; None if the method has none.
    curve
        The curve of the plateau; None if the method has none.
    notes
        Warnings.
    """

    quantity: str
    unit: str
    method: str
    value: float
    error: float
    low: float
    high: float
    expected_error: float
    basis: str
    trajectories: int
    total_ps: float
    plateau: Plateau | None = None
    curve: Curve | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.quantity} {self.value:.4g} ± {self.error:.2g} {self.unit}".rstrip()
            + f", 95 % {self.low:.4g} to {self.high:.4g} ({self.method})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate without its curve, as values that JSON can hold."""
        plain = {name: value for name, value in vars(self).items() if name not in ("curve", "plateau", "notes")}
        if self.plateau is not None:
            plain["window_ps"] = [self.plateau.start_ps, self.plateau.end_ps]
            plain["window_reason"] = self.plateau.reason
        return plain | {"notes": list(self.notes)}

    def scaled(self, factor: float, unit: str, quantity: str | None = None) -> TransportEstimate:
        """Return the estimate multiplied by a positive factor."""
        curve = self.curve and replace(self.curve, mean=factor * self.curve.mean, error=factor * self.curve.error)
        numbers = {name: factor * getattr(self, name) for name in ("value", "error", "low", "high", "expected_error")}
        return replace(self, **numbers, unit=unit, quantity=quantity or self.quantity, curve=curve)


def check_series(series: Sequence[np.ndarray], columns: int | None, what: str) -> Sequence[np.ndarray]:
    """Check that the series of an estimator have the same length, enough frames and finite values; return them."""
    if isinstance(series, np.ndarray) and series.ndim == (2 if columns else 3):
        raise InputError(f"pass a list of trajectories, one array of {what} each: [array] for a single one")
    if not len(series):
        raise InputError("there is no trajectory")
    shapes = [np.shape(run) for run in series]
    for index, shape in enumerate(shapes, 1):
        if (columns and (len(shape) != 2 or shape[1] != columns)) or (not columns and len(shape) != 3):
            expected = f"(frames, {columns})" if columns else "(frames, ions, 3)"
            raise InputError(f"trajectory {index}: {what} must be {expected}, not {shape}")
        if shape[0] < MIN_FRAMES:
            few = "one frame: nothing moves in it" if shape[0] == 1 else f"{shape[0]} frames"
            raise InputError(f"trajectory {index} has {few}; transport needs at least {MIN_FRAMES}")
        if shape != shapes[0]:
            raise InputError(
                f"trajectories 1 and {index} have {shapes[0][0]} and {shape[0]} frames: their curves cannot be "
                "averaged; cut them to one length or leave the short ones out"
                if shape[1:] == shapes[0][1:]
                else f"trajectories 1 and {index} hold different numbers of ions"
            )
    for index, run in enumerate(series, 1):
        if not np.isfinite(run).all():
            raise InputError(f"trajectory {index}: {what} not finite in frame {_first_not_finite(run)}")
    return series


def _first_not_finite(values: np.ndarray) -> int:
    return int(np.argmax(~np.isfinite(values).reshape(len(values), -1).all(axis=1))) + 1


def length_of(series: Sequence[np.ndarray], timestep_ps: float) -> tuple[int, float]:
    """Return the number of trajectories and the length of one, ps."""
    return len(series), len(series[0]) * timestep_ps


def describe_runs(length: tuple[int, float], count: int) -> str:
    """Return the number and length of trajectories as text, such as "3 trajectories of 100 ps"."""
    return f"{count} trajector{'y' if count == 1 else 'ies'} of {length[1]:.4g} ps"


def plateau_of(
    series: Sequence[np.ndarray], timestep_ps: float, window_ps: tuple[float, float] | None, components: float
) -> Plateau:
    """Return the given window, or find the plateau of the mean correlation function of series (F, 1, K)."""
    number("the time between frames", timestep_ps, "ps")
    frames = len(series[0])
    length = frames * timestep_ps
    if window_ps is not None:
        start, end = window_ps
        if not timestep_ps <= start < end <= 0.9 * length:
            raise InputError(
                f"a window of {start:g}-{end:g} ps does not fit runs of {length:.4g} ps with frames every "
                f"{timestep_ps:g} ps: it must lie between one frame and 0.9 of the run"
            )
        return Plateau(float(start), float(end), float("nan"), GIVEN)
    function = np.sum([correlation(run, frames)[:, 0, 0] for run in series], axis=0) / len(series)
    if not function[0] > 0:
        raise InputError("nothing moves: the correlation function is zero")
    plateau = find_plateau(function, timestep_ps, length, components * len(series))
    if plateau is not None and plateau.start_ps <= 0.5 * length:
        return replace(plateau, end_ps=min(plateau.end_ps, 0.9 * length))
    problem = (
        "is still above its noise"
        if plateau is None
        else f"is within its noise only from {plateau.memory_ps:.3g} ps on"
    )
    raise InputError(
        f"no plateau within {describe_runs((0, length), len(series))}: the correlation {problem}; longer runs are "
        "needed, or a window that is known from elsewhere"
    )


def integrate(
    series: Sequence[np.ndarray],
    timestep_ps: float,
    window_ps: tuple[float, float] | None,
    quantity: str,
    method: str,
) -> TransportEstimate:
    """Integrate the correlation function of each series (F, 1, K), per component, and average over the plateau."""
    components = series[0].shape[2]
    plateau = plateau_of(series, timestep_ps, window_ps, components)
    first, last = round(plateau.start_ps / timestep_ps), round(plateau.end_ps / timestep_ps)
    functions = np.array([correlation(run, last + 1)[:, 0, 0] for run in series])  # (M, n)
    curves = running_integral(functions.T, timestep_ps)  # (n, M)
    values = window_average(curves, timestep_ps, plateau.start_ps, plateau.end_ps)
    coarse = window_average(
        running_integral(functions.mean(axis=0)[::2], 2 * timestep_ps),
        2 * timestep_ps,
        plateau.start_ps,
        plateau.end_ps,
    )
    # The error of the trapezoid rule is four times as large for twice the step.
    if abs(coarse - values.mean()) / 3.0 > 0.05 * abs(values.mean()):
        instead = ", or use the displacements (Einstein-Helfand)" if quantity == "conductivity" else ""
        raise InputError(
            f"frames {timestep_ps:g} ps apart are too far apart to integrate the correlation; save them more "
            f"often{instead}"
        )
    length = length_of(series, timestep_ps)
    relative = relative_variance(plateau.start_ps, plateau.end_ps, length[1], components * len(series))
    scatter = None
    shown = np.unique(np.linspace(0, last, min(last + 1, _POINTS)).astype(int))
    if len(series) >= MIN_SCATTER:
        error = curves.std(axis=1, ddof=1) / np.sqrt(len(series))
        scatter = float(error[first : last + 1].mean())
        error = error[shown]
    else:
        cut = timestep_ps * shown[1:]
        variances = [relative_variance(0.999 * t, t, length[1], components * len(series)) for t in cut]
        error = abs(values.mean()) * np.sqrt([0.0, *variances])
    estimate = judge(values, relative, quantity, method, length, plateau, scatter)
    return replace(estimate, curve=Curve(timestep_ps * shown, curves.mean(axis=1)[shown], error))


def slopes_of(series: Sequence[np.ndarray], timestep_ps: float, plateau: Plateau) -> tuple[np.ndarray, float, Curve]:
    """Fit straight lines to the mean squared displacements of each series (F, S, K) over the plateau.

    Returns
    -------
    slopes, relative_variance, curve
        (M, S, S) half the slopes per component; the relative variance of their mean; half the local slope of the
        element [0, 0].
    """
    last = round(plateau.end_ps / timestep_ps)
    first = min(round(plateau.start_ps / timestep_ps), last - 1)
    frames, components = len(series[0]), series[0].shape[2]
    displaced = np.array([mean_squared_displacement(run - run[0], last + 1) for run in series])  # (M, n, S, S)
    lags = timestep_ps * np.arange(first, last + 1)
    centred = lags - lags.mean()
    slopes = np.einsum("n,mnab->mab", centred, displaced[:, first:]) / (2.0 * centred @ centred)
    relative = relative_variance(
        first * timestep_ps, last * timestep_ps, frames * timestep_ps, components * len(series)
    )
    local = np.diff(displaced[:, :, 0, 0], axis=1).T / (2.0 * timestep_ps)  # (n - 1, M)
    error = np.full(last, abs(slopes[:, 0, 0].mean()) * np.sqrt(relative))
    if len(series) >= MIN_SCATTER:
        error = local.std(axis=1, ddof=1) / np.sqrt(len(series))
    shown = np.unique(np.linspace(0, last - 1, min(last, _POINTS)).astype(int))
    return slopes, relative, Curve(timestep_ps * (shown + 0.5), local.mean(axis=1)[shown], error[shown])


def degrees_of(relative: float, plateau: Plateau) -> float:
    """Return the degrees of freedom for a relative variance: fewer if the window was chosen from the same data."""
    return 2.0 / (relative if plateau.reason == GIVEN else _SEARCH * relative)


def judge(
    values: np.ndarray,
    relative: float,
    quantity: str,
    method: str,
    length: tuple[int, float],
    plateau: Plateau,
    scatter: float | None = None,
) -> TransportEstimate:
    """Return the mean of the values of the trajectories, with its error and interval.

    Parameters
    ----------
    values
        (M,) one value per trajectory.
    relative
        Relative variance of the mean by theory.
    quantity, method
        Names for the estimate and for messages.
    length
        Number of trajectories, and the length of one, ps.
    plateau
        Window of the estimate.
    scatter
        Standard error by the scatter; by default that of the values.

    Raises
    ------
    InputError
        There are too few degrees of freedom, or the mean is not positive.
    """
    from scipy.stats import chi2
    from scipy.stats import t as student

    count = len(values)
    value, degrees = float(np.mean(values)), degrees_of(relative, plateau)
    if degrees < _FEWEST_DEGREES:
        raise InputError(
            f"{quantity} by {method}: {describe_runs(length, count)} give {degrees:.1f} degrees of freedom, too few "
            "for an interval; longer or more runs are needed"
        )
    if not value > 0:
        raise InputError(
            f"{quantity} by {method} is {value:.3g}, which is noise: {describe_runs(length, count)} are too short"
        )
    expected = value * float(np.sqrt(relative))
    low, high = (degrees * value / chi2.ppf([0.975, 0.025], degrees)).tolist()
    error, basis = expected, f"chi-squared, {degrees:.0f} degrees of freedom"
    notes: tuple[str, ...] = ()
    if degrees < _FEW_DEGREES:
        notes = (
            f"{describe_runs(length, count)}: only {degrees:.0f} independent samples, and thus a standard error of "
            f"{np.sqrt(2.0 / degrees):.0%}",
        )
    if count >= MIN_SCATTER:
        own = float(np.std(values, ddof=1) / np.sqrt(count))
        error = own if scatter is None else scatter
        half = float(student.ppf(0.975, count - 1)) * error
        if 2.0 * half > high - low:
            low, high, basis = value - half, value + half, f"scatter of {count} trajectories, Student's t"
        if chi2.sf((count - 1) * (own / expected) ** 2, count - 1) < 0.01:
            notes += (
                f"the trajectories differ {own / expected:.1f} times as much as their length explains: they may not be "
                "equilibrated, or not long compared with the slowest process",
            )
    elif count > 1:
        basis += f"; {count} trajectories are too few to show their scatter"
    return TransportEstimate(
        quantity, "", method, value, error, low, high, expected, basis, count, count * length[1], plateau, notes=notes
    )
