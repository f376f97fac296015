"""What the sums over periodic cells have in common."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.structures.neighbours import neighbour_list
from electrolyte_ml.threads import run

if TYPE_CHECKING:
    from electrolyte_ml.kernels.arrays import Neighbours

TAPER = 0.1  # of the cutoff: where the short-ranged part is switched off smoothly


def gaussian_alpha(width: float) -> float:
    """Return alpha (1/Å) of erf(alpha r)/r for a width in Å."""
    return 1.0 / (math.sqrt(2.0) * width)


def thread_ranges(n: int, threads: int) -> list[tuple[int, int]]:
    """Return the first and last atom of each thread."""
    return list(pairwise(np.linspace(0, n, max(1, threads) + 1).astype(int).tolist()))


def check_periodic(geometry: Geometry, name: str) -> None:
    """Refuse boundaries other than periodic along three axes.

    Raises
    ------
    InputError
        If an axis is not periodic.
    """
    periodic = int(geometry.system.pbc.sum())
    if periodic == 0:
        raise InputError(f"{name} needs a cell that is periodic along three axes: use BareSum without one")
    if periodic < 3:
        raise InputError(
            f"{name} needs a cell that is periodic along three axes, not along {periodic} (a slab or wire)"
        )


def inverse_of(cell: np.ndarray) -> np.ndarray:
    """Return the inverse (3, 3), 1/Å, of a cell with its vectors as rows.

    Raises
    ------
    InputError
        For a cell of no volume.
    """
    cell = np.asarray(cell, dtype=float)
    if not (np.isfinite(cell).all() and abs(np.linalg.det(cell)) > 1e-6):
        raise InputError("the cell has no volume")
    return np.linalg.inv(cell)


def fractional_of(positions: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Return fractional coordinates (N, 3) in [0, 1)."""
    fractional = np.ascontiguousarray(positions @ inverse)
    fractional -= np.floor(fractional)
    fractional[fractional >= 1.0] = 0.0  # a tiny negative number plus one
    return fractional


def pairs_within(geometry: Geometry, cutoff: float) -> Neighbours:
    """Return the pairs of a geometry, or those of a longer cutoff if it does not reach as far."""
    if cutoff <= geometry.cutoff:
        return geometry.near
    system, positions, cell = geometry.system, np.ascontiguousarray(geometry.positions), np.array(geometry.cell)
    pairs = neighbour_list(positions, cell, system.pbc, cutoff, system.species, geometry.near.segment.shape[1] - 1)
    return Geometry.from_list(system, pairs, positions, cell, cutoff).near


def add_near_part(
    near: Neighbours,
    charges: np.ndarray,
    alpha: float,
    cutoff: float,
    potentials: np.ndarray,
    forces: np.ndarray,
    threads: int,
) -> np.ndarray:
    """Add erfc(alpha r)/r of all pairs to `potentials` (N,) e/Å and `forces` (N, 3) e²/Å²; return the virial."""
    from electrolyte_ml.kernels.coulomb_real import near_part

    calls = [
        (*ends, near, charges, alpha, cutoff, TAPER * cutoff, potentials, forces)
        for ends in thread_ranges(len(charges), threads)
    ]
    return np.sum(run(near_part, calls, threads), axis=0)


def add_constants(
    charges: np.ndarray, alpha: float, volume: float, background: bool, potentials: np.ndarray, virial: np.ndarray
) -> None:
    """Take each charge's interaction with itself out of the long-ranged part; neutralise the short-ranged one.

    The long-ranged part has no wave of zero length: it is neutral by itself. The mean of erfc(alpha r)/r, pi/alpha² per
    charge, is the background's only where there is a short-ranged part.
    """
    potentials -= 2.0 * alpha / math.sqrt(math.pi) * charges
    if background:
        total = math.fsum(charges)
        shift = math.pi * total / (volume * alpha**2)
        potentials -= shift
        virial += 0.5 * shift * total * np.eye(3)
