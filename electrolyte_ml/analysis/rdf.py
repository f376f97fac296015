"""Partial radial distribution functions, running coordination numbers, and their first minimum.

With N_a centres in a volume V, and n(r) the mean number of other atoms within r of one of them,
g(r) = V / (N_b 4 pi r^2) dn/dr. A shell ends at the first minimum of g behind its first maximum; counting
errors distinguish both from noise, and no distance is preset.
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

_SMOOTHING = 0.06  # Å, the standard deviation of the Gaussian: a tenth of the narrowest shell, that of Li
_SEGMENTS = 200  # of a trajectory, in which pairs are counted
_SIGNIFICANT = 3.0  # standard errors
_CURVES = ("r", "g", "g_error", "coordination", "coordination_error")


@dataclass(frozen=True)
class FirstShell:
    """The first shell of a radial distribution function.

    Attributes
    ----------
    peak, minimum
        First maximum of g and the minimum behind it, Å. Where g is flat there, the middle of the flat part.
    error
        Standard error of the minimum, Å.
    coordination, coordination_error
        Atoms within the minimum of one centre.
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
        (n,) middles of the bins, Å.
    g, g_error
        (n,) and its standard error.
    coordination, coordination_error
        (n,) atoms within the outer edge of each bin, and its standard error.
    shell
        The first shell, or None when g has no maximum followed by a minimum beyond noise.
    """

    name: str
    r: np.ndarray
    g: np.ndarray
    g_error: np.ndarray
    coordination: np.ndarray
    coordination_error: np.ndarray
    shell: FirstShell | None

    def to_dict(self) -> dict[str, Any]:
        """Return numbers and texts that JSON can hold, curves to six digits; errors that are not known are None."""
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
    """Radial distribution functions between molecules, with running coordination numbers and block errors.

    Parameters
    ----------
    trajectories
        One or more runs of one system.
    pairs
        Name -> centres and others, each an MDAnalysis selection or indices of atoms; {"Li-O": ("element Li",
        "element O")}. By default the cation with the donors of every species that has some.
    r_max, bin_width
        Å. Beyond half of a cell all periodic images are counted.
    seed
        Of the bootstrap.

    Returns
    -------
    dict of str to RadialDistribution
        Pairs of one molecule are left out.

    Raises
    ------
    InputError
        A selection that finds nothing, or bad distances.
    """
    if not 0 < bin_width < r_max:
        raise InputError(f"bins of {bin_width} Å up to {r_max} Å cannot be counted")
    runs = as_runs(trajectories)
    if pairs is None:
        pairs = cation_pairs(runs[0])
    edges = bin_width * np.arange(round(r_max / bin_width) + 1)
    found = {}
    tallies = [_count(run, pairs, edges) for run in runs]
    for index, name in enumerate(pairs):
        counts = [tally.counts[:, index] for tally in tallies]
        # Correlation is judged by how many atoms are within a half, three quarters and the whole of the range.
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
        found[name] = _distribution(name, edges, sums, blocks)
    return found


def first_minimum(r: np.ndarray, g: np.ndarray, error: np.ndarray) -> tuple[float, float] | None:
    """Find the first maximum of a smooth g(r) and the minimum behind it.

    Parameters
    ----------
    r, g, error
        (n,) Å, the function, and its standard error.

    Returns
    -------
    (peak, minimum) or None
        None when g never falls by a third from a maximum and rises again, both by more than three standard errors.
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
    """Return the cation's centres with the donors of every species that has some, named "Li-EC" and so on."""
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
    """Pairs in the segments of one run: (segments, pairs, bins), and (segments, pairs) to normalise by."""

    counts: np.ndarray
    ideal: np.ndarray  # pairs per Å^3 that there would be without any structure
    centres: np.ndarray


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
            at = np.minimum((distance[between] / edges[1]).astype(np.int64), len(edges) - 2)
            np.add.at(counts[:, index], (segment[frame[between]], at), 1.0)
            others = (run.molecule[a][:, None] != run.molecule[b]).sum() if len(a) * len(b) < 10**7 else len(a) * len(b)
            ideal[:, index] += np.bincount(segment, weights=density * others, minlength=segments)
            centres[:, index] += np.bincount(segment, minlength=segments) * len(a)
        done += n
    return _Tally(counts, ideal, centres)


def _atoms(run: Trajectory, name: str, group: str | np.ndarray) -> np.ndarray:
    atoms = run.select(group) if isinstance(group, str) else np.asarray(group, dtype=np.int64)
    if not atoms.size:
        raise InputError(f"{run.name}: {name}: {group!r} finds no atom")
    return atoms.astype(np.int64)


def _distribution(name: str, edges: np.ndarray, sums: np.ndarray, blocks: Blocks) -> RadialDistribution:
    """sums: (n_blocks, bins + 2), the counts, the ideal density of pairs, and the centres."""
    r = 0.5 * (edges[1:] + edges[:-1])
    volumes = 4.0 / 3.0 * np.pi * np.diff(edges**3)

    def g_of(total: np.ndarray) -> np.ndarray:
        return total[:, :-2] / (total[:, -2:-1] * volumes)

    def running(total: np.ndarray) -> np.ndarray:
        return np.cumsum(total[:, :-2], axis=1) / total[:, -1:]

    def ends(total: np.ndarray) -> np.ndarray:
        """(R, 3) peak, minimum, coordination within it."""
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
    """Peak, minimum and coordination of one set of counts; NaN where there is no shell."""
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
    found = first_minimum(r, smooth, np.sqrt(variance))
    if found is None:
        return np.nan, np.nan, np.nan
    within = np.interp(found[1], edges, np.r_[0.0, np.cumsum(counts)]) / total[-1]
    return found[0], found[1], float(within)
