"""Choice of a particle mesh: splitting, spline order and mesh points of the lowest cost.

For charges with uncorrelated positions, the rms error of the forces has two parts: that of the real-space part and that
of the mesh. Both follow from the moments of the charges and the density of atoms.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb.interactions import fitted
from electrolyte_ml.units import COULOMB

ORDERS = (5, 6, 7, 8)
# Error of the forces by a mesh: k_e alpha² x^order c exp(b x) sqrt(<q^4> + PAIRS <q²>² density/alpha³), x = alpha times
# the distance between points. The first term is the force of a charge on itself, the second that of other charges. c
# and b were fitted to random liquids of 0.02 to 0.1 atoms/Å³ and a molecular one, for alpha 0.4 to 0.7 1/Å and x up to
# 0.7.
SPLINE_ERROR = {5: (0.043, 0.51), 6: (0.025, 1.04), 7: (0.0095, 2.79), 8: (0.005, 3.91)}
PAIRS = 2.25
MARGIN = 1.1  # factor by which real errors may be larger
# Costs in ns on one core of an EPYC (Zen 3): per mesh point for both transforms and all passes, and per atom for each
# of its order² rows.
POINT_COST, ROW_COST = 11.0, 2.7
# The input of the choice is rounded up to powers of RATIO: similar cells, charges and densities get the same mesh.
RATIO = 1.02
ALPHA_RATIO = 1.01  # ratio of successive trial values of alpha
LARGEST = 0.75  # largest alpha h for which the errors are known
MOST_POINTS = 4096  # most points along a cell vector


class MeshSplitting(NamedTuple):
    """Splitting of an Ewald sum on a mesh.

    Attributes
    ----------
    alpha : float, 1/Å
        Splitting parameter of erfc(alpha r)/r.
    order : int
        Order of the B-splines.
    shape : tuple of three int
        Number of mesh points along the cell vectors.
    """

    alpha: float
    order: int
    shape: tuple[int, int, int]


def choose_splitting(
    cell: np.ndarray, charges: np.ndarray, accuracy: float, cutoff: float, alpha: float | None
) -> MeshSplitting:
    """Choose the splitting of the lowest cost with a required accuracy.

    Parameters
    ----------
    cell : (3, 3) Å
        Vectors as rows.
    charges : (N,) e
    accuracy : float, eV/Å
        Required rms error of the forces.
    cutoff : float, Å
        Cutoff of the real-space part.
    alpha : float or None, 1/Å
        Fixed splitting parameter of Gaussian charges, for which there is no real-space part.

    Raises
    ------
    InputError
        No mesh of up to 4096 points along each vector has the accuracy.
    """
    squares = np.asarray(charges) ** 2
    lengths = np.linalg.norm(cell, axis=1)
    density = len(squares) / abs(float(np.linalg.det(cell)))
    moments = float(np.mean(squares)), float(np.mean(squares**2))
    if not moments[1] > 0.0:  # charges are zero or tiny: any mesh is accurate enough
        moments, accuracy = (1.0, 1.0), 0.1
    rounded = [RATIO ** math.ceil(math.log(value) / math.log(RATIO)) for value in (*lengths, density, *moments)]
    return _cheapest(tuple(rounded[:3]), rounded[3], (rounded[4], rounded[5]), len(squares), accuracy, cutoff, alpha)


@cache
def _cheapest(
    lengths: tuple[float, ...],
    density: float,
    moments: tuple[float, float],
    n_atoms: int,
    accuracy: float,
    cutoff: float,
    alpha: float | None,
) -> MeshSplitting:
    choices, wanted = {}, accuracy / MARGIN
    for a in [alpha] if alpha is not None else _alphas(cutoff):
        short = 0.0 if alpha is not None else short_error(a, cutoff, density, moments)
        if short >= wanted:
            continue
        for order in ORDERS:
            spacing = _spacing(a, order, density, moments, math.sqrt(wanted**2 - short**2))
            if max(lengths) > MOST_POINTS * spacing:
                continue
            sizes = [_fast_size(max(order + 1, math.ceil(length / spacing))) for length in lengths]
            cost = POINT_COST * math.prod(sizes) + ROW_COST * n_atoms * order**2
            long = mesh_error(a, order, [length / size for length, size in zip(lengths, sizes)], density, moments)
            choices[cost, math.hypot(short, long)] = MeshSplitting(a, order, (sizes[0], sizes[1], sizes[2]))
        if short < 0.1 * wanted:
            break
    if not choices:
        raise InputError(
            f"no mesh gives the forces of these charges an accuracy of {accuracy:g} eV/Å for a cutoff of {cutoff:g} Å"
        )
    return choices[min(choices)]


def _alphas(cutoff: float) -> list[float]:
    """Return the trial values of alpha, from 1 to 6 divided by the cutoff; erfc(6) is below rounding errors."""
    return [ALPHA_RATIO**k / cutoff for k in range(round(math.log(6.0) / math.log(ALPHA_RATIO)))]


def short_error(alpha: float, cutoff: float, density: float, moments: tuple[float, float]) -> float:
    """Return the rms error (eV/Å) of the forces by the real-space part, including its cutoff.

    Kolafa and Perram, Mol. Simul. 9, 351 (1992), with an integral that equals theirs in the limit of a long cutoff.
    """
    return COULOMB * moments[0] * math.sqrt(density) * fitted(alpha, cutoff).force_error


def mesh_error(
    alpha: float, order: int, spacings: Sequence[float], density: float, moments: tuple[float, float]
) -> float:
    """Return the rms error (eV/Å) of the forces by a mesh with distances `spacings` (3,) Å between points."""
    c, b = SPLINE_ERROR[order]
    parts = [(alpha * spacing) ** order * math.exp(b * alpha * spacing) for spacing in spacings]
    return c * _mesh_scale(alpha, density, moments) * math.sqrt(math.fsum(part**2 for part in parts) / 3.0)


def _mesh_scale(alpha: float, density: float, moments: tuple[float, float]) -> float:
    return COULOMB * alpha**2 * math.sqrt(moments[1] + PAIRS * moments[0] ** 2 * density / alpha**3)


def _spacing(alpha: float, order: int, density: float, moments: tuple[float, float], error: float) -> float:
    """Return the distance between points (Å) at which a mesh has a given error."""
    c, b = SPLINE_ERROR[order]
    x, wanted = LARGEST, error / (c * _mesh_scale(alpha, density, moments))
    if wanted < x**order * math.exp(b * x):
        for _ in range(8):  # x^order exp(b x) = wanted; each step leaves a fraction b x/order < 0.4 of the error
            x = (wanted * math.exp(-b * x)) ** (1.0 / order)
    return x / alpha


def _fast_size(least: int) -> int:
    """Return the smallest number of points, at least `least`, for which Fourier transforms are fast."""
    sizes = _fast_sizes()
    return sizes[bisect.bisect_left(sizes, least)]


@cache
def _fast_sizes() -> list[int]:
    """Return all products of 2, 3, 5 and 7 up to 4096."""
    sizes = {1}
    for factor in (2, 3, 5, 7):
        for size in sorted(sizes):
            while size <= MOST_POINTS // factor:
                size *= factor
                sizes.add(size)
    return sorted(sizes)
