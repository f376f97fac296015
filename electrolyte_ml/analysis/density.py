"""Mean density of a run, its error, and a test for drift.

Densities of successive rows are correlated for picoseconds, so that the error of the mean without correlation is
several times too small. Averages over blocks much longer than the correlation time are independent, and their scatter
gives the error (`block_errors`). In a run of some tens of correlation times, however, long blocks are few, and the
plateau of this error is lost in noise. The error here is therefore computed from the autocorrelation function, summed
up to a window that balances noise and truncation (Wolff). On series with a known error it is right within 3 % on
average; automated blocking is 15 to 40 % too small there.

References
----------
H. Flyvbjerg, H. G. Petersen, J. Chem. Phys. 91, 461 (1989); U. Wolff, Comput. Phys. Commun. 156, 143 (2004);
J. D. Chodera, J. Chem. Theory Comput. 12, 1799 (2016).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from electrolyte_ml.dynamics import RunResult

MIN_ROWS = 20
_LARGEST = 1000.0  # g/cm³
FEWEST_INDEPENDENT = 5.0  # independent values; with fewer, "no drift" cannot be concluded


@dataclass(frozen=True)
class DensityResult:
    """Mean density over the equilibrated end of a run.

    Attributes
    ----------
    mean, error
        g/cm³; the error is one standard error of the mean.
    sigma
        Standard deviation of the instantaneous density, g/cm³.
    n_independent
        Number of independent values that would have the same error. Below about ten the error itself is uncertain.
    correlation_time_ps
        Integrated autocorrelation time.
    drift, drift_error
        Slope of the density, g/cm³ per ps, and its standard error.
    drifts
        Whether the slope differs from zero at the 1 % level (two-sided t test).
    begin_ps, end_ps
        Begin and end of the part of the run that was averaged.
    """

    mean: float
    error: float
    sigma: float
    n_independent: float
    correlation_time_ps: float
    drift: float
    drift_error: float
    drifts: bool
    begin_ps: float
    end_ps: float

    def __str__(self) -> str:
        at_rest = "no drift" if self.n_independent >= FEWEST_INDEPENDENT else "too few to tell a drift"
        verdict = "drifting" if self.drifts else at_rest
        return (
            f"{self.mean:.4f} ± {self.error:.4f} g/cm³ over {self.begin_ps:g}-{self.end_ps:g} ps "
            f"({self.n_independent:.0f} independent values, {verdict})"
        )


@dataclass(frozen=True)
class EnsembleDensity:
    """Mean density of an ensemble of potentials.

    Attributes
    ----------
    mean
        Mean over the members, g/cm³.
    sigma
        Standard deviation over the members, g/cm³: the effect of the random start of training. NaN for one member.
    members
        Result of each member.
    """

    mean: float
    sigma: float
    members: tuple[DensityResult, ...]

    def __str__(self) -> str:
        spread = "one member" if len(self.members) == 1 else f"{len(self.members)} members, σ = {self.sigma:.4f} g/cm³"
        return f"{self.mean:.4f} g/cm³ ({spread})"


def mean_density(
    run: RunResult | str | os.PathLike | tuple[Sequence[float], Sequence[float]], *, last_ps: float | None = None
) -> DensityResult:
    """Average the density of a run.

    Parameters
    ----------
    run
        A result of :func:`electrolyte_ml.dynamics.run_md`, its directory, or times (ps) and densities (g/cm³), evenly
        spaced.
    last_ps
        Average over this time at the end of the run, as in the paper. By default the averaged part begins so that it
        has the most independent values, which leaves out the relaxation at the start.

    Returns
    -------
    DensityResult

    Raises
    ------
    InputError
        There are fewer than 20 rows, densities are impossible, times are uneven, or the log cannot be read.
    """
    if isinstance(run, (str, os.PathLike)):
        log = Path(run, "log.csv") if Path(run).is_dir() else Path(run)
        try:
            return mean_density(_read_log(log), last_ps=last_ps)
        except InputError as reason:
            raise InputError(f"{log}: {reason}") from None
    times, densities = _series(run)
    if last_ps is None:
        first = _equilibrated_from(densities)
    else:
        if not 0 < last_ps <= times[-1] - times[0]:
            raise InputError(f"the run is {times[-1] - times[0]:g} ps long; the last {last_ps} ps cannot be averaged")
        first = int(np.searchsorted(times, times[-1] - last_ps, side="right"))
    times, densities = times[first:], densities[first:]
    if len(densities) < MIN_ROWS:
        raise InputError(f"a mean density needs at least {MIN_ROWS} rows of the log, got {len(densities)}")
    error, n_independent = mean_error(densities)
    drift, drift_error, drifts = _drift(times, densities)
    return DensityResult(
        mean=float(densities.mean()),
        error=error,
        sigma=float(densities.std(ddof=1)),
        n_independent=n_independent,
        correlation_time_ps=0.5 * float(times[1] - times[0]) * len(densities) / n_independent,
        drift=drift,
        drift_error=drift_error,
        drifts=drifts,
        begin_ps=float(times[0]),
        end_ps=float(times[-1]),
    )


def ensemble_density(members: Sequence[DensityResult]) -> EnsembleDensity:
    """Combine the densities by the members of an ensemble of potentials.

    Raises
    ------
    InputError
        There are no members.
    """
    if not members:
        raise InputError("an ensemble needs at least one member")
    means = np.array([member.mean for member in members])
    sigma = float(means.std(ddof=1)) if len(means) > 1 else float("nan")
    return EnsembleDensity(float(means.mean()), sigma, tuple(members))


def mean_error(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Return the standard error of the mean of a correlated series, and its number of independent values.

    Parameters
    ----------
    values
        (n,) evenly spaced, stationary; n is at least 2.

    Returns
    -------
    error, n_independent : float
        The number is the variance of a value over the squared error, at most n: anticorrelation is not taken to make
        the error smaller than that of independent values.
    """
    x = np.asarray(values, dtype=float)
    n, variance = len(x), float(x.var())
    if variance <= (1e-12 * abs(x.mean())) ** 2:  # a constant, apart from rounding
        return 0.0, float(n)
    spectrum = np.fft.rfft(x - x.mean(), 2 * n)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[:n] / np.arange(n, 0, -1)
    window = _window(covariance / covariance[0])
    # The mean of the sample was subtracted: covariances are too small by the variance of this mean.
    covariance += (covariance[0] + 2.0 * covariance[1 : window + 1].sum()) / n
    total = (covariance[0] + 2.0 * covariance[1 : window + 1].sum()) * (1.0 + (2 * window + 1) / n)
    squared = max(total, variance) / n
    return float(np.sqrt(squared)), float(variance / squared)


def block_errors(values: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the error of the mean from averages over blocks of increasing length; it rises to a plateau.

    Parameters
    ----------
    values
        (n,) evenly spaced, stationary.

    Returns
    -------
    lengths, errors, uncertainties : (m,) int, float, float
        Lengths 1, 2, 4, ... as long as there are four blocks; each error is uncertain by 1 / sqrt(2 (blocks - 1)).
    """
    x = np.asarray(values, dtype=float)
    lengths, errors, counts = [], [], []
    length = 1
    while len(x) >= 4:
        lengths.append(length)
        errors.append(x.std(ddof=1) / np.sqrt(len(x)))
        counts.append(len(x))
        x = x[len(x) % 2 :]
        x = 0.5 * (x[::2] + x[1::2])
        length *= 2
    errors_ = np.array(errors)
    return np.array(lengths, dtype=int), errors_, errors_ / np.sqrt(2.0 * (np.array(counts) - 1.0))


def _window(correlation: np.ndarray) -> int:
    """Return Wolff's window: the first lag W at which the noise, tau / sqrt(W n), exceeds the rest, exp(-W / tau)."""
    n = len(correlation)
    lags = np.arange(1, n)
    integrated = np.maximum(0.5 + np.cumsum(correlation[1:]), 0.5 + 1e-12)
    tau = 1.5 / np.log1p(2.0 / (2.0 * integrated - 1.0))
    noisy = np.flatnonzero(np.exp(-lags / tau) < tau / np.sqrt(lags * n))
    return int(lags[noisy[0]]) if noisy.size else n // 2


def _equilibrated_from(densities: np.ndarray) -> int:
    """Return the first row from which the rest has the most independent values; at least a third is kept."""
    n = len(densities)
    candidates = np.unique(np.linspace(0, max(0, min(2 * n // 3, n - MIN_ROWS)), 41).astype(int))
    independent = [mean_error(densities[first:])[1] for first in candidates]
    return int(candidates[int(np.argmax(independent))])


def _drift(times: np.ndarray, densities: np.ndarray) -> tuple[float, float, bool]:
    """Return the slope by least squares, its error with correlated residuals, and whether it is significant."""
    from scipy.stats import t as student

    centred = times - times.mean()
    slope = float(centred @ densities / (centred @ centred))
    residual = densities - densities.mean() - slope * centred
    _, n_independent = mean_error(residual)
    freedom = max(n_independent - 2.0, 1.0)
    # The squared error of uncorrelated values is residual.var() / (n centred.var()); here n is the degrees of freedom.
    error = float(np.sqrt(residual.var() / centred.var() / freedom))
    drifts = error > 0.0 and bool(2.0 * student.sf(abs(slope) / error, freedom) < 0.01)
    return slope, error, drifts


def _series(run: RunResult | tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return times (ps) and densities (g/cm³) of a run."""
    times, densities = run if isinstance(run, tuple) else (run.times_ps, run.densities)
    times, densities = np.asarray(times, float), np.asarray(densities, float)
    if times.shape != densities.shape or times.ndim != 1:
        raise InputError(
            f"times and densities must be two series of one length, not {times.shape} and {densities.shape}"
        )
    if len(times) < MIN_ROWS:
        raise InputError(f"a mean density needs at least {MIN_ROWS} rows of the log, got {len(times)}")
    if not np.isfinite(densities).all():
        raise InputError("the densities are not all finite: was the run periodic?")
    if not 0 < densities.min() <= densities.max() < _LARGEST:
        raise InputError(f"densities from {densities.min():.4g} to {densities.max():.4g} g/cm³ are none of a liquid")
    steps = np.diff(times)
    if steps[-1] < 0.999 * steps[0]:  # a run that was stopped ends with a row between two intervals
        times, densities, steps = times[:-1], densities[:-1], steps[:-1]
    if not np.isfinite(times).all() or not (steps > 0).all() or np.ptp(steps) > 1e-3 * steps.mean():
        raise InputError("the times are not evenly spaced")
    return times, densities


def _read_log(path: Path) -> tuple[list[float], list[float]]:
    try:
        with open(path, newline="") as stream:
            reader = csv.DictReader(stream)
            rows, columns = list(reader), reader.fieldnames or ()
        if len(set(columns)) < len(columns):
            raise ValueError
        times, densities = ([float(row[name]) for row in rows] for name in ("time_ps", "density_g_cm3"))
    except (KeyError, TypeError, ValueError, csv.Error):
        raise InputError("not the log of a run") from None
    return times, densities
