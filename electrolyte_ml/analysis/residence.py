"""Residence times of bonds, ps: a solvent in a shell, a pair of ions, a link of a network.

Let h(t) be 1 while a bond exists, and 0 otherwise.

- The continuous time is the lifetime of an unbroken bond. Between two frames a bond breaks with probability p, the
  number of breaks over the number of bonds that have a next frame; hence tau = -dt / ln(1 - p). Bonds need not be
  observed from their beginning to their end. The time depends on the interval between frames: a bond that breaks and
  forms again between two frames counts as unbroken.
- For the intermittent time a bond may break and form again. c(t) = (<h(0) h(t)> / <h> - b) / (1 - b), with b the
  probability that a possible bond exists, falls from 1 to 0. For bonds that break at the rate 1/tau and form at random
  it is exp(-t / (tau (1 - b))), so that tau = t_e / (1 - b) with c(t_e) = 1/e.

References
----------
D. C. Rapaport, Mol. Phys. 50, 1151 (1983); R. W. Impey, P. A. Madden, I. R. McDonald, J. Phys. Chem. 87, 5071 (1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks, Estimate, as_json

_LAGS = 80


@dataclass(frozen=True, eq=False)
class Residence:
    """Residence times of the bonds of one kind.

    Attributes
    ----------
    continuous, intermittent
        ps. Infinite if no bond breaks; NaN if there is no bond. The interval has no upper end if that of the inverse
        contains 0.
    extrapolated
        Whether c(t) does not fall to 1/e within half of the run. The intermittent time is then longer than half of the
        run, and computed from the last value of c(t) as if c(t) were an exponential.
    times_ps
        (n,) times of the curves.
    survival, correlation
        (n,) fraction of bonds that are unbroken after a time, and c(t).
    """

    continuous: Estimate
    intermittent: Estimate
    extrapolated: bool
    times_ps: np.ndarray
    survival: np.ndarray
    correlation: np.ndarray

    def is_extrapolated(self, which: str) -> bool:
        """Return whether the ``"continuous"`` or the ``"intermittent"`` time is longer than what was seen."""
        if which == "intermittent":
            return self.extrapolated
        return bool(self.continuous.value > self.times_ps[-1])

    def to_dict(self) -> dict[str, Any]:
        """Return the times as values that JSON can hold."""
        times = {"continuous": self.continuous, "intermittent": self.intermittent}
        return as_json(times) | {"extrapolated": self.extrapolated}


@dataclass(frozen=True, eq=False)
class Bonds:
    """The frames in which each bond of one run exists.

    Attributes
    ----------
    bond, frame
        (P,) number of a bond and a frame in which it exists, each pair once.
    n_pairs
        Number of possible bonds, such as ions times molecules.
    n_frames
        Number of frames of the run.
    """

    bond: np.ndarray
    frame: np.ndarray
    n_pairs: int
    n_frames: int


def residence_times(
    runs: Sequence[Bonds],
    timestep_ps: float,
    blocks: Blocks,
    *,
    band: tuple[Sequence[Bonds], Sequence[Bonds]] | None = None,
) -> Residence:
    """Measure the residence times of the bonds of one kind.

    Parameters
    ----------
    runs
        Bonds of each trajectory, which has at least two frames.
    timestep_ps
        Time between frames.
    blocks
        Blocks of the frames of the same trajectories.
    band
        The bonds with shorter and with longer cutoffs.

    Returns
    -------
    Residence
    """
    longest = max(1, min(run.n_frames for run in runs) // 2)
    lags = np.unique(np.r_[0, 1, np.geomspace(1, longest, _LAGS).round()].astype(np.int64))
    times = lags * timestep_ps

    def rates_of(total: np.ndarray) -> np.ndarray:
        """Return (R, 2) inverses of the continuous and intermittent times, 1/ps."""
        survival, correlation, chance = _curves(total)
        with np.errstate(invalid="ignore", divide="ignore"):
            continuous = 0.0 - np.log(survival[:, 1]) / timestep_ps  # 0, not -0, for bonds that never break
            intermittent = (1.0 - chance) / np.array([_fall(times, row)[0] for row in correlation])
        return np.where(total[:, :1] > 0, np.stack([continuous, intermittent], axis=1), np.nan)

    sums = _sums(runs, lags, blocks)
    edges = None
    if band is not None:
        less, more = (rates_of(_sums(other, lags, blocks).sum(axis=0)[None])[0] for other in band)
        edges = (less, more)
    survival, correlation, _ = (curve[0] for curve in _curves(sums.sum(axis=0)[None]))
    # The rates scatter symmetrically also where bonds of some replicates never break, whose times are infinite.
    continuous, intermittent = map(_inverse, blocks.estimate(rates_of, sums, bounds=(0.0, np.inf), band=edges))
    return Residence(continuous, intermittent, _fall(times, correlation)[1], times, survival, correlation)


def _inverse(rate: Estimate) -> Estimate:
    """Return the time of a rate; its error is not known where the interval of the rate contains 0."""
    with np.errstate(divide="ignore"):
        value, low, high, *band = 1.0 / np.array([rate.value, *rate.interval[::-1], *rate.band])
    error = rate.error * value**2 if np.isfinite(high) else np.nan
    return Estimate(float(value), float(error), (float(low), float(high)), (float(band[0]), float(band[1])))


def _sums(runs: Sequence[Bonds], lags: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Return (n_blocks, 3 L + 2) numbers of bonds: origins, existing and unbroken ones per lag, all, and possible."""
    from electrolyte_ml.kernels.lifetimes import survivals

    sums = np.zeros((len(blocks), 3 * len(lags) + 2))
    for index, run in enumerate(runs):
        own = sums[blocks.first[index] : blocks.first[index + 1]]
        of_frame = blocks.of_frame[index]
        own[:, -1] = np.bincount(of_frame, minlength=len(own)) * run.n_pairs
        if not len(run.bond):
            continue
        order = np.lexsort((run.frame, run.bond))
        bond, frame = run.bond[order], run.frame[order].astype(np.int64)
        first = np.r_[0, np.flatnonzero(np.diff(bond)) + 1, len(bond)].astype(np.int64)
        own[:, :-2] = np.concatenate(survivals(first, frame, run.n_frames, lags, of_frame), axis=1)
        own[:, -2] = np.bincount(of_frame[frame], minlength=len(own))
    return sums


def _curves(total: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (R, L) survival, (R, L) c(t) and (R,) b from sums of R replicates."""
    with np.errstate(invalid="ignore", divide="ignore"):
        origins, existing, unbroken = np.moveaxis(total[:, :-2].reshape(len(total), 3, -1), 1, 0)
        chance = total[:, -2] / total[:, -1]
        b = chance[:, None]
        correlation = np.where(b < 1.0, (existing / origins - b) / (1.0 - b), 1.0)
        return unbroken / origins, correlation, chance


def _fall(times: np.ndarray, correlation: np.ndarray) -> tuple[float, bool]:
    """Return the time at which c(t) is 1/e, by exponential interpolation, and whether it is beyond the last lag."""
    if not np.isfinite(correlation).all():
        return np.nan, False
    below = np.flatnonzero(correlation < np.exp(-1.0))
    if not below.size:
        last = correlation[-1]
        return (float(-times[-1] / np.log(last)) if last < 1.0 else np.inf), True
    k = below[0]
    high, low = correlation[k - 1], max(correlation[k], 1e-6)
    share = (np.log(high) + 1.0) / (np.log(high) - np.log(low))
    return float(times[k - 1] + share * (times[k] - times[k - 1])), False
