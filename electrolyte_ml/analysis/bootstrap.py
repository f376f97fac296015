"""Errors of averages over correlated frames, by resampling blocks of frames and whole trajectories.

Frames close in time are correlated; blocks of several correlation times are nearly independent. A statistic of blocks
drawn with replacement therefore scatters as it would between new runs. Blocks do not show differences between runs that
persist for longer than a run: from three trajectories on, whole trajectories are drawn as well, and the larger of both
errors is taken.

References
----------
H. Flyvbjerg, H. G. Petersen, J. Chem. Phys. 91, 461 (1989); B. Efron, R. J. Tibshirani, An Introduction to the
Bootstrap (1993); U. Wolff, Comput. Phys. Commun. 156, 143 (2004), for the correlation times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electrolyte_ml.analysis.density import mean_error

MIN_BLOCKS, MAX_BLOCKS = 5, 40
_BLOCK_IN_CORRELATIONS = 4.0  # length of a block in statistical inefficiencies (2 tau): the error is 6 % too small
_REPLICATES = 400


@dataclass(frozen=True)
class Estimate:
    """A number with its error, and its values for slightly different cutoffs.

    Attributes
    ----------
    value
        Value; NaN if there was nothing to average.
    error
        One standard error; NaN for a single block, such as one frame, and if nothing fluctuated.
    interval
        95 % confidence interval: Student's t with one degree of freedom less than blocks or runs, whichever were drawn
        for the error. If a fraction is 0 or 1, or a number 0, the interval is that of the rule of three.
    band
        The value with every cutoff 0.2 Å shorter and longer; NaN if there is no cutoff.
    """

    value: float
    error: float = float("nan")
    interval: tuple[float, float] = (float("nan"), float("nan"))
    band: tuple[float, float] = (float("nan"), float("nan"))

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f} ({self.band[0]:.3f} to {self.band[1]:.3f})"


class Blocks:
    """Blocks of the frames of one or several trajectories, and their resampling.

    Parameters
    ----------
    lengths
        Number of frames of each trajectory.
    series
        For each trajectory (k, n_frames): k averages over the ions of a frame. The slowest of them gives the
        correlation time.
    seed
        Seed of the resampling.

    Attributes
    ----------
    of_frame : list of (n_frames,) int64
        Block of each frame of each trajectory, counted from 0 within it.
    first : (n_trajectories + 1,) int
        Index of the first block of each trajectory, and the number of all blocks.
    frames : (n_blocks,) int
        Number of frames in each block.
    independent : bool
        Whether the blocks are long enough; if not, the run is too short and errors are underestimated.
    frozen : (n_trajectories,) bool
        Whether a series is constant in a trajectory, or the blocks are not independent. How long a state lives that was
        never seen there is then not known, so that its frames count as one observation.
    """

    def __init__(self, lengths: Sequence[int], series: Sequence[np.ndarray], seed: int = 0) -> None:
        inefficiency = 1.0
        for n, values in zip(lengths, series):
            if n >= MIN_BLOCKS:
                inefficiency = max(inefficiency, *(n / mean_error(row)[1] for row in values))
        # Each uncorrelated frame is a block; only correlated frames are joined to longer blocks.
        shortest = 1 if inefficiency < 1.2 else int(np.ceil(_BLOCK_IN_CORRELATIONS * inefficiency))
        self.of_frame, counts = [], []
        self.independent = True
        for n in lengths:
            blocks = min(n // shortest, MAX_BLOCKS)
            if blocks < MIN_BLOCKS:
                self.independent = self.independent and (n // shortest) * len(lengths) >= 2 * MIN_BLOCKS
                blocks = min(MIN_BLOCKS, n)
            self.of_frame.append(np.arange(n, dtype=np.int64) * blocks // n)
            counts.append(blocks)
        constant = [bool((np.ptp(values, axis=-1) == 0.0).any()) for values in series]
        self.frozen = np.array(constant) | (not self.independent)
        self.first = np.r_[0, np.cumsum(counts)]
        self.frames = np.concatenate([np.bincount(blocks) for blocks in self.of_frame])
        self._draws = self._draw(np.random.default_rng(seed))

    def __len__(self) -> int:
        return int(self.first[-1])

    def sums(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Sum counts over the frames of each block.

        Parameters
        ----------
        values
            Counts in each frame, (n_frames, ...) for each trajectory.

        Returns
        -------
        (n_blocks, ...)
        """
        parts = []
        for counted, block in zip(values, self.of_frame):
            starts = np.flatnonzero(np.diff(block, prepend=-1))
            parts.append(np.add.reduceat(np.asarray(counted, dtype=float), starts, axis=0))
        return np.concatenate(parts)

    def scatter(self, statistic: Callable[[np.ndarray], np.ndarray], sums: np.ndarray) -> np.ndarray:
        """Return the standard error of a statistic computed from sums over all blocks.

        Parameters
        ----------
        statistic
            Function that turns (R, ...) sums of R replicates into (R, ...) values.
        sums
            (n_blocks, ...) sums over the frames of each block.

        Returns
        -------
        (...)
            Errors; NaN for a single block, or if the value is not finite in at least half of the replicates.
        """
        return self._errors(statistic, sums)[0]

    def observations(self, counted: np.ndarray) -> float:
        """Return the number of independent observations behind counts, for the rule of three.

        Parameters
        ----------
        counted
            (n_blocks,) number of observed objects, such as ions times frames. The objects of one frame are independent,
            and all frames of a block, or of a trajectory that is frozen, count as one frame.
        """
        total = 0.0
        for run, frozen in enumerate(self.frozen):
            own = slice(self.first[run], self.first[run + 1])
            counts, frames = counted[own], self.frames[own]
            total += np.ceil(counts.sum() / frames.sum()) if frozen else np.ceil(counts / frames).sum()
        return float(total)

    def _errors(self, statistic: Callable[[np.ndarray], np.ndarray], sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the errors of :meth:`scatter`, and the degrees of freedom of the draw that gave each."""
        errors = []
        for weights, correction, _ in self._draws:
            drawn = statistic(np.tensordot(weights, sums, axes=1))
            good = np.isfinite(drawn)
            count = good.sum(axis=0)
            filled = np.where(good, drawn, 0.0)
            mean = filled.sum(axis=0) / np.maximum(count, 1)
            variance = (np.where(good, (drawn - mean) ** 2, 0.0)).sum(axis=0) / np.maximum(count - 1, 1)
            errors.append(np.where(count > 0.5 * len(weights), correction * np.sqrt(variance), np.nan))
        if not errors:
            unknown = np.full(np.shape(statistic(sums[:1]))[1:], np.nan)
            return unknown, unknown
        found = np.array(errors)
        known = np.where(np.isnan(found), -1.0, found)
        degrees = np.array([degrees for *_, degrees in self._draws])[known.argmax(axis=0)]
        return np.fmax.reduce(found), degrees

    def estimate(
        self,
        statistic: Callable[[np.ndarray], np.ndarray],
        sums: np.ndarray,
        *,
        band: tuple[np.ndarray, np.ndarray] | None = None,
        bounds: tuple[float, float] = (-np.inf, np.inf),
        observations: float | None = None,
    ) -> np.ndarray:
        """Return estimates of a statistic computed from sums over all blocks.

        Parameters
        ----------
        statistic, sums
            As for :meth:`scatter`.
        band
            The values with shorter and longer cutoffs.
        bounds
            Limits of the value: (0, 1) for a fraction.
        observations
            Number of independent observations behind a fraction of 0 or 1, or a number of 0, for the rule of three.

        Returns
        -------
        (...) array of Estimate
        """
        from scipy.stats import t as student

        values = np.asarray(statistic(sums.sum(axis=0)[None])[0], dtype=float)
        errors, degrees = (np.broadcast_to(found, values.shape) for found in self._errors(statistic, sums))
        half_widths = student.ppf(0.975, degrees) * errors
        less, more = band if band is not None else (np.full(values.shape, np.nan),) * 2
        result = np.empty(values.shape, dtype=object)
        for index in np.ndindex(values.shape):
            value, error, half = float(values[index]), float(errors[index]), float(half_widths[index])
            low, high = np.clip([value - half, value + half], *bounds)
            if observations and value in bounds and np.isfinite(value):
                rare = 1.0 - 0.05 ** (1.0 / observations) if bounds[1] == 1.0 else -np.log(0.05) / observations
                low, high = (0.0, rare) if value == bounds[0] else (1.0 - rare, 1.0)
            elif error == 0.0:  # nothing fluctuated: how far the value is from that of other runs is not known
                error = low = high = np.nan
            result[index] = Estimate(value, error, (float(low), float(high)), (float(less[index]), float(more[index])))
        return result

    def _draw(self, rng: np.random.Generator) -> list[tuple[np.ndarray, float, int]]:
        """Return how often each block is drawn in each replicate, the correction sqrt(n / (n - 1)), and n - 1."""
        draws = []
        n = len(self)
        if n > 1:
            counts = np.diff(self.first)
            parts = [rng.multinomial(m, np.full(m, 1.0 / m), _REPLICATES) for m in counts]
            # Blocks are drawn within each run, so that each run keeps its weight; runs of one block are pooled.
            alone = counts == 1
            if alone.any():
                parts = [rng.multinomial(n, np.full(n, 1.0 / n), _REPLICATES)]
                correction, degrees = np.sqrt(n / (n - 1.0)), n - 1
            else:
                correction, degrees = np.sqrt((counts / (counts - 1.0)).mean()), n - len(counts)
            draws.append((np.concatenate(parts, axis=1).astype(float), float(correction), degrees))
        runs = len(self.first) - 1
        if runs >= 3:
            chosen = rng.multinomial(runs, np.full(runs, 1.0 / runs), _REPLICATES)
            weights = np.repeat(chosen, np.diff(self.first), axis=1).astype(float)
            draws.append((weights, float(np.sqrt(runs / (runs - 1.0))), runs - 1))
        return draws


def as_json(values: Any) -> Any:
    """Return estimates, and dictionaries of them, as values that JSON can hold."""
    if isinstance(values, Estimate):
        return {
            "value": plain(values.value),
            "error": plain(values.error),
            "interval_95": [plain(x) for x in values.interval],
            "cutoff_band": [plain(x) for x in values.band],
        }
    return {str(key): as_json(value) for key, value in values.items()}


def plain(x: float) -> float | None:
    """Return a number, or None for NaN and infinity, which JSON does not have."""
    return float(x) if np.isfinite(x) else None
