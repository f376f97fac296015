"""Learning curve as a power law, error(N) = a N^-b + c, and the set size required for an error.

A few measurements over one decade of N can hardly distinguish a slow power law from a floor c. The result is therefore
a distribution, by Bayesian inference: b is uniform between 0.05 and 1.5; the share of the floor in the error at the
largest set is 0 with a probability of one half, otherwise uniform up to 1; the error at the largest set and the scatter
are scale parameters. Errors scatter by a factor (normal in the logarithm). A part of this factor is common to all sizes
of a series, because its held-out configurations may be difficult or easy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError

EXPONENTS = (0.05, 1.5)
FEWEST_SIZES = 3
_GRID = 40  # number of cells for exponent and for floor
_ZOOMS = 2  # number of times that the grid is narrowed to the range of significant probability
_NEGLIGIBLE = 1e-4  # negligible probability, relative to the highest
_SHARED = (0.0, 0.5, 2.0, 8.0, 32.0)  # ratio of the variances of the common factor of a series and of single errors
_SMALLEST_SCATTER = 0.003  # of the logarithm: accounts for rounding, and excludes fits without scatter
_DRAWS = 8000


class Interval(NamedTuple):
    """Median and quantiles 0.05 and 0.95; infinite if the error cannot be reached."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """Distribution of power laws that agree with measured errors.

    Attributes
    ----------
    sizes, errors : (n,)
        Measured set sizes and errors.
    scale, exponent, floor : (draws,)
        Random draws of a, b and c, in the unit of the errors.
    """

    sizes: np.ndarray
    errors: np.ndarray
    scale: np.ndarray
    exponent: np.ndarray
    floor: np.ndarray

    @classmethod
    def fit(cls, sizes: Sequence[float], errors: Sequence[float], series: Sequence[int]) -> PowerLaw:
        """Fit measured errors.

        Parameters
        ----------
        sizes, errors
            (n,) numbers of configurations and errors, above 0.
        series
            (n,) series number of each error: errors of a series have nested sets and the same held-out configurations.

        Raises
        ------
        InputError
            There are fewer than three different sizes, or values are not above 0.
        """
        n, e, group = np.asarray(sizes, float), np.asarray(errors, float), np.asarray(series)
        if not (n.shape == e.shape == group.shape and np.isfinite(e).all() and (n > 0).all() and (e > 0).all()):
            raise InputError("a power law needs equal numbers of sizes and errors, all of them above 0")
        if len(np.unique(n)) < FEWEST_SIZES:
            raise InputError(f"a power law needs errors at {FEWEST_SIZES} set sizes or more")
        largest = n.max()
        posterior = _Posterior(np.log(e), n / largest, group)
        exponents, shares = EXPONENTS, (0.0, 1.0)
        for _ in range(_ZOOMS):
            grid = posterior.on_grid(exponents, shares)
            exponents, shares = grid.exponents(), grid.shares()
        at_largest, b, f = posterior.on_grid(exponents, shares).draw(np.random.default_rng(len(n)))
        return cls(n, e, at_largest * (1 - f) * largest**b, b, at_largest * f)

    def error(self, size: float | np.ndarray) -> np.ndarray:
        """Return the median and the 5 % and 95 % quantiles of the error at set sizes, (3, ...)."""
        size = np.asarray(size, float)
        values = self.scale * size[..., None] ** -self.exponent + self.floor
        return np.quantile(values, [0.5, 0.05, 0.95], axis=-1)

    def needed(self, error: float) -> Interval:
        """Return the set size at which an error is reached."""
        above = error - self.floor
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sizes = np.where(above > 0, (self.scale / np.maximum(above, 1e-300)) ** (1 / self.exponent), np.inf)
        return Interval(*_quantiles(sizes))

    def reachable(self, error: float, most: float = np.inf) -> float:
        """Return the probability that an error is reached with at most `most` configurations."""
        if most == np.inf:
            return float(np.mean(self.floor < error))
        return float(np.mean(self.scale * most**-self.exponent + self.floor <= error))

    @property
    def lowest(self) -> Interval:
        """Floor c: the error that remains for any set size."""
        return Interval(*_quantiles(self.floor))

    @property
    def slope(self) -> Interval:
        """Exponent b."""
        return Interval(*_quantiles(self.exponent))


class _Posterior:
    """Distribution of exponent, floor and error at the largest set, for measured errors.

    Parameters
    ----------
    logs
        (n,) logarithms of the errors.
    sizes
        (n,) set sizes divided by the largest.
    series
        (n,) series numbers.
    """

    def __init__(self, logs: np.ndarray, sizes: np.ndarray, series: np.ndarray) -> None:
        self.logs, self.sizes = logs, sizes
        together = (series[:, None] == series).astype(float)
        self.covariances = [np.eye(len(logs)) + shared * together for shared in _SHARED]

    def on_grid(self, exponents: tuple[float, float], shares: tuple[float, float]) -> _Grid:
        """Evaluate the distribution at the centres of cells of exponent and share of the floor, and without a floor."""
        middle = (np.arange(_GRID) + 0.5) / _GRID
        b = exponents[0] + (exponents[1] - exponents[0]) * middle
        f = np.append(0.0, shares[0] + (shares[1] - shares[0]) * middle)
        exponent, share = (values.ravel() for values in np.meshgrid(b, f, indexing="ij"))  # (m,)
        # All shares above 0 together have the same prior probability as the share 0.
        prior = np.where(share > 0, np.log((shares[1] - shares[0]) / _GRID), 0.0)
        shape = np.log((1 - share[:, None]) * self.sizes ** -exponent[:, None] + share[:, None])  # (m, n)
        rest = self.logs - shape
        count = len(self.logs)
        weights, centres, widths = [], [], []
        for covariance in self.covariances:
            inverse = np.linalg.inv(covariance)
            precision = inverse.sum()
            centre = rest @ inverse.sum(axis=0) / precision  # (m,) logarithm of the error at the largest size
            away = rest - centre[:, None]
            squares = np.einsum("mi,ij,mj->m", away, inverse, away) + count * _SMALLEST_SCATTER**2
            logdet = np.linalg.slogdet(covariance)[1]
            weights.append(prior - 0.5 * (logdet + np.log(precision) + (count - 1) * np.log(squares)))
            centres.append(centre)
            widths.append(np.sqrt(squares / (count - 1) / precision))
        logs = np.stack(weights)
        weight = np.exp(logs - logs.max())
        cells = (exponents[1] - exponents[0]) / _GRID, (shares[1] - shares[0]) / _GRID
        return _Grid(exponent, share, cells, weight / weight.sum(), np.stack(centres), np.stack(widths), count - 1)


class _Grid(NamedTuple):
    """Distribution on a grid of m cells, for k covariances; log errors in a cell follow Student's t distribution."""

    exponent: np.ndarray  # (m,)
    share: np.ndarray  # (m,)
    cells: tuple[float, float]  # widths
    weight: np.ndarray  # (k, m)
    centre: np.ndarray  # (k, m)
    width: np.ndarray  # (k, m)
    freedom: int

    def exponents(self) -> tuple[float, float]:
        """Return the range of exponents with significant probability."""
        low, high = self._range(self.exponent, self.cells[0])
        return max(low, EXPONENTS[0]), min(high, EXPONENTS[1])

    def shares(self) -> tuple[float, float]:
        """Return the range of shares above 0 with significant probability."""
        low, high = self._range(np.where(self.share > 0, self.share, np.nan), self.cells[1])
        return max(low, 0.0), min(high, 1.0)

    def _range(self, values: np.ndarray, cell: float) -> tuple[float, float]:
        weight = self.weight.sum(axis=0)
        known = np.isfinite(values)
        unique, index = np.unique(values[known], return_inverse=True)
        marginal = np.bincount(index, weights=weight[known])
        kept = unique[marginal > _NEGLIGIBLE * marginal.max()]
        return float(kept.min() - 1.5 * cell), float(kept.max() + 1.5 * cell)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw errors at the largest size, exponents and shares, (draws,) each; uniform within a cell."""
        chosen = rng.choice(self.weight.size, _DRAWS, p=self.weight.ravel())
        cell = chosen % len(self.share)
        logs = self.centre.ravel()[chosen] + self.width.ravel()[chosen] * rng.standard_t(self.freedom, _DRAWS)
        exponent = self.exponent[cell] + (rng.uniform(size=_DRAWS) - 0.5) * self.cells[0]
        share = self.share[cell]
        share = share + np.where(share > 0, rng.uniform(size=_DRAWS) - 0.5, 0.0) * self.cells[1]
        return np.exp(logs), exponent, share


def _quantiles(values: np.ndarray) -> list[float]:
    """Return the quantiles 0.5, 0.05 and 0.95 without interpolation, because values may be infinite."""
    return [float(value) for value in np.quantile(values, [0.5, 0.05, 0.95], method="nearest")]
