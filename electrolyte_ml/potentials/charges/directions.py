"""Free directions of the parameters of charge redistribution: no charge of given compositions changes along them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.potentials.charges.composition import by_parameters, redistributed

if TYPE_CHECKING:
    from electrolyte_ml.potentials.charges.qrd import QRd

TOLERANCE = 1e-8  # singular values below this fraction of the largest count as zero
INDEPENDENT = 1e-6  # relative size below which a difference counts as a combination of those named before


class FreeDirections(NamedTuple):
    """Directions of the charge parameters that compositions leave free.

    Attributes
    ----------
    rank : int
        Number of directions of the parameters that change a charge.
    directions : (n, 2 S)
        Orthonormal directions that change no charge, without the gauge directions.
    """

    rank: int
    directions: np.ndarray


def charge_derivatives(qrd: QRd, counts: np.ndarray, total: float) -> np.ndarray:
    """Return the derivative of the charge of each species by the parameters, (S, 2 S).

    Parameters
    ----------
    qrd
    counts : (S,)
        Number of atoms of each species.
    total : float, e
    """
    shared = redistributed(qrd.parameters, counts, total, qrd.form)
    return by_parameters(shared, np.eye(len(counts)), counts, qrd.form)


def free_directions(qrd: QRd, compositions: Sequence[tuple[np.ndarray, float]]) -> FreeDirections:
    """Find the directions along which no charge of any of the compositions (counts, total charge) changes."""
    distinct = {(tuple(counts.tolist()), total): (counts, total) for counts, total in compositions}
    rows = [charge_derivatives(qrd, counts, total)[counts > 0] for counts, total in distinct.values()]
    _, values, vectors = np.linalg.svd(np.concatenate([np.zeros((1, qrd.n_parameters)), *rows]))
    rank = int((values > TOLERANCE * values.max(initial=0.0)).sum())
    null = vectors[rank:]  # includes the gauge directions
    gauge = np.linalg.qr(qrd.gauge_directions.T)[0]
    apart = null - (null @ gauge) @ gauge.T
    return FreeDirections(rank, np.linalg.svd(apart)[2][: len(null) - gauge.shape[1]])


def free_differences(qrd: QRd, free: np.ndarray) -> tuple[str, ...]:
    """Name as many independent differences between species as there are free directions.

    They are differences of ln s and of b / s, which the gauge changes only by a factor.

    Parameters
    ----------
    qrd
    free : (n, 2 S)
        Directions of `free_directions`.
    """
    by_b, by_s = np.split(free, 2, axis=1)
    if qrd.form == "raw":
        by_s = by_s / qrd.s
    by_ratio = (by_b - by_s * qrd.b) / qrd.weights
    names: list[str] = []
    known = np.zeros((0, len(free)))
    for name, along in (("ln s", by_s), ("b / s", by_ratio)):
        scale = np.abs(along).max(initial=0.0) or 1.0
        for a in range(1, len(qrd.species)):
            difference = (along[:, a] - along[:, 0]) / scale
            rest = difference - known.T @ (known @ difference)
            if np.linalg.norm(rest) > INDEPENDENT:
                known = np.vstack([known, rest / np.linalg.norm(rest)])
                names.append(f"the difference {qrd.species[a]} - {qrd.species[0]} of {name}")
    return tuple(names)
