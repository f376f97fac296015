"""Partial radial distribution functions, running coordination numbers, and their first minimum.

With N_b other atoms in a volume V, and n(r) the mean number of them within r of a centre,
g(r) = V / (N_b 4 pi r^2) dn/dr. A shell ends at the first minimum of g after its first maximum. Both must exceed the
counting errors; no distance is preset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks, plain
from electrolyte_ml.analysis.runs import as_runs
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.trajectory import Trajectory

_SMOOTHING = 0.06  # Å, standard deviation of the Gaussian: a tenth of the narrowest shell, that of Li
_SEGMENTS = 200  # largest number of segments of a trajectory in which pairs are counted
_SIGNIFICANT = 3.0  # standard errors
_CURVES = ("r", "g", "g_error", "coordination", "coordination_error")


@dataclass(frozen=True)
class FirstShell:
    """The first shell of a radial distribution function.

    Attributes
    ----------
    peak, minimum
        First maximum of g and the minimum after it, Å. If g is flat around the minimum, the middle of the flat part.
    error
        Standard error of the minimum, Å.
    coordination, coordination_error
        Mean number of atoms within the minimum around a centre, and its standard error.
    """

    peak: float
    minimum: float
    error: float
    coordination: float
    coordination_error: float


@dataclass(frozen=True, eq=False)
class RadialDistribution:
    """g(r) of one kind of pair.

    Attributes
    ----------
    name
        Name of the pair, such as "Li-EC".
    r
        (n,) centres of the bins, Å.
    g, g_error
        (n,) values of g(r) and their standard errors.
    coordination, coordination_error
        (n,) mean number of atoms within the outer edge of each bin, and its standard error.
    shell
        The first shell, or None if g has no significant maximum followed by a minimum.
    """

    name: str
    r: np.ndarray
    g: np.ndarray
    g_error: np.ndarray
    coordination: np.ndarray
    coordination_error: np.ndarray
    shell: FirstShell | None

    def to_dict(self) -> dict[str, Any]:
        """Return values that JSON can hold, curves with six digits, and None for values that are not finite."""
        values: dict[str, Any] = {"name": self.name, "shell": None}
        for name in _CURVES:
            curve = getattr(self, name)
            values[name] = [float(f"{value:.6g}") if np.isfinite(value) else None for value in curve]
        if self.shell is not None:
            values["shell"] = {name: plain(value) for name, value in vars(self.shell).items()}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RadialDistribution:
        """Return the distribution that `to_dict` wrote."""
        curves = {name: np.array(values[name], dtype=float) for name in _CURVES}
        shell = values["shell"]
        if shell is not None:
            shell = FirstShell(**{name: np.nan if value is None else value for name, value in shell.items()})
        return cls(name=values["name"], shell=shell, **curves)


def radial_distributions(
    trajectories: Trajectory | Sequence[Trajectory],
    pairs: Mapping[str, tuple[str | np.ndarray, str | np.ndarray]] | None = None,
    *,
    r_max: float = 8.0,
    bin_width: float = 0.02,
    seed: int = 0,
) -> dict[str, RadialDistribution]:
    """Return radial distribution functions between molecules, with running coordination numbers and block errors.

    Parameters
    ----------
    trajectories
        One or more runs of one system.
    pairs
        Name -> centres and other atoms, each an MDAnalysis selection or indices of atoms, such as {"Li-O": ("element
        Li", "element O")}. By default the cation with the donors of every species that has donors.
    r_max, bin_width
        Range and width of the bins, Å. Beyond half of a cell all periodic images are counted.
    seed
        Seed of the bootstrap.

    Returns
    -------
    dict of str to RadialDistribution
        Functions by name; pairs within one molecule are left out.

    Raises
    ------
    InputError
        A selection finds no atom, or the bin width is not between 0 and `r_max`.
    """
    if not 0 < bin_width < r_max:
        raise InputError(f"bins of {bin_width} Å up to {r_max} Å cannot be counted")
    runs = as_runs(trajectories)
    if pairs is None:
        pairs = cation_pairs(runs[0])
    edges = bin_width * np.arange(round(r_max / bin_width) + 1)
    distributions = {}
    tallies = [_count(run, pairs, edges) for run in runs]
    for index, name in enumerate(pairs):
        counts = [tally.counts[:, index] for tally in tallies]
        # The numbers of atoms within a half, three quarters and all of the range give the correlation time.
        marks = [len(edges) // 2, 3 * len(edges) // 4, len(edges) - 1]
        series = [np.stack([tally[:, :mark].sum(axis=1) for mark in marks]) for tally in counts]
        blocks = Blocks([len(tally) for tally in counts], series, seed)
        sums = np.concatenate(
            [
                blocks.sums(counts),
                blocks.sums([tally.ideal[:, index, None] for tally in tallies]),
                blocks.sums([tally.centres[:, index, None] for tally in tallies]),
            ],
            axis=1,
        )
        distributions[name] = _distribution(name, edges, sums, blocks)
    return distributions


def first_minimum(r: np.ndarray, g: np.ndarray, error: np.ndarray) -> tuple[float, float] | None:
    """Find the first maximum of a smooth g(r) and the minimum after it.

    Parameters
    ----------
    r, g, error
        (n,) distance (Å), the function, and its standard error.

    Returns
    -------
    (peak, minimum) or None
        None if g never falls by a third from a maximum and rises again, both by more than three standard errors.
    """
    top = bottom = 0
    falling = False
    for k in range(1, len(r)):
        if not falling:
            if g[k] >= g[top]:
                top = k
            elif g[k] < 0.67 * g[top] and g[top] - g[k] > _SIGNIFICANT * np.hypot(error[top], error[k]):
                falling, bottom = True, k
        elif g[k] <= g[bottom]:
            bottom = k
        elif g[k] - g[bottom] > max(_SIGNIFICANT * np.hypot(error[k], error[bottom]), 0.005 * g[top]):
            flat = g <= g[bottom] + max(error[bottom], 0.002 * g[top])
            low = high = bottom
            while flat[low - 1] and low - 1 > top:
                low -= 1
            while high + 1 < k and flat[high + 1]:
                high += 1
            return float(r[top]), float(0.5 * (r[low] + r[high]))
    return None


def cation_pairs(trajectory: Trajectory, cation: str | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the cation's centres with the donors of every species that has donors, under names such as "Li-EC"."""
    ion = trajectory.only("cation", cation)
    pairs = {
        f"{ion.name}-{name}": (ion.centres, np.unique(np.concatenate(list(species.donors.values()))))
        for name, species in trajectory.roles.items()
        if species.donors
    }
    if not pairs:
        raise InputError(f"{trajectory.name}: no species has donors that could coordinate {ion.name}")
    return pairs


@dataclass(frozen=True, eq=False)
class _Tally:
    """Counts of pairs in the segments of one run, and their normalisation."""

    counts: np.ndarray  # (segments, pairs, bins)
    ideal: np.ndarray  # (segments, pairs) density of pairs without any structure, 1/Å^3, summed over frames
    centres: np.ndarray  # (segments, pairs) number of centres, summed over frames


def _count(run: Trajectory, pairs: Mapping[str, tuple], edges: np.ndarray) -> _Tally:
    from electrolyte_ml.kernels.contacts import contacts

    atoms = [tuple(_atoms(run, name, group) for group in pair) for name, pair in pairs.items()]
    segments = min(_SEGMENTS, run.n_frames)
    counts = np.zeros((segments, len(atoms), len(edges) - 1))
    ideal, centres = np.zeros((2, segments, len(atoms)))
    done = 0
    for chunk in run.chunks():
        n = len(chunk.positions)
        segment = (done + np.arange(n)) * segments // run.n_frames
        density = 1.0 / np.abs(np.linalg.det(chunk.cells))
        inverses = np.linalg.inv(chunk.cells)
        for index, (a, b) in enumerate(atoms):
            frame, i, j, distance = contacts(chunk.positions, chunk.cells, inverses, a, b, float(edges[-1]))
            between = run.molecule[a[i]] != run.molecule[b[j]]
            bins = np.minimum((distance[between] / edges[1]).astype(np.int64), len(edges) - 2)
            np.add.at(counts[:, index], (segment[frame[between]], bins), 1.0)
            n_pairs = (
                (run.molecule[a][:, None] != run.molecule[b]).sum() if len(a) * len(b) < 10**7 else len(a) * len(b)
            )
            ideal[:, index] += np.bincount(segment, weights=density * n_pairs, minlength=segments)
            centres[:, index] += np.bincount(segment, minlength=segments) * len(a)
        done += n
    return _Tally(counts, ideal, centres)


def _atoms(run: Trajectory, name: str, group: str | np.ndarray) -> np.ndarray:
    atoms = run.select(group) if isinstance(group, str) else np.asarray(group, dtype=np.int64)
    if not atoms.size:
        raise InputError(f"{run.name}: {name}: {group!r} finds no atom")
    return atoms.astype(np.int64)


def _distribution(name: str, edges: np.ndarray, sums: np.ndarray, blocks: Blocks) -> RadialDistribution:
    """Return the distribution from sums over blocks (n_blocks, bins + 2): counts, ideal density of pairs, centres."""
    r = 0.5 * (edges[1:] + edges[:-1])
    volumes = 4.0 / 3.0 * np.pi * np.diff(edges**3)

    def g_of(total: np.ndarray) -> np.ndarray:
        return total[:, :-2] / (total[:, -2:-1] * volumes)

    def running(total: np.ndarray) -> np.ndarray:
        return np.cumsum(total[:, :-2], axis=1) / total[:, -1:]

    def ends(total: np.ndarray) -> np.ndarray:
        """Return (R, 3) peak, minimum and coordination number within the minimum."""
        return np.array([_shell(edges, row) for row in total])

    total = sums.sum(axis=0)[None]
    peak, minimum, coordination = ends(total)[0]
    shell = None
    if np.isfinite(minimum):
        _, error, coordination_error = blocks.scatter(ends, sums)
        shell = FirstShell(peak, minimum, float(error), coordination, float(coordination_error))
    return RadialDistribution(
        name, r, g_of(total)[0], blocks.scatter(g_of, sums), running(total)[0], blocks.scatter(running, sums), shell
    )


def _shell(edges: np.ndarray, total: np.ndarray) -> tuple[float, float, float]:
    """Return peak, minimum and coordination number of one set of counts; NaN if there is no shell."""
    from scipy.ndimage import convolve1d, gaussian_filter1d

    width = edges[1]
    r = 0.5 * (edges[1:] + edges[:-1])
    counts = total[:-2]
    ideal = total[-2] * 4.0 * np.pi * r**2 * width
    sigma = max(_SMOOTHING / width, 1e-6)
    smooth = gaussian_filter1d(counts / ideal, sigma, mode="nearest")
    reach = int(4 * sigma + 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    variance = convolve1d(np.maximum(counts, 1.0 / len(weights)) / ideal**2, weights**2, mode="nearest")
    extrema = first_minimum(r, smooth, np.sqrt(variance))
    if extrema is None:
        return np.nan, np.nan, np.nan
    peak, minimum = extrema
    coordination = np.interp(minimum, edges, np.r_[0.0, np.cumsum(counts)]) / total[-1]
    return peak, minimum, float(coordination)
