"""Force fields within molecules: energy, forces, and time steps.

The energy is a sum of polynomials of single distances and of products of two distances that share an atom, see
:mod:`electrolyte_ml.dynamics.force_field`.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE
from electrolyte_ml.kernels.dynamics import ENERGY, after_forces, before_forces

DEGREE = 6  # of the polynomials


class Terms(NamedTuple):
    """Terms of one system with D distances of T types and M couplings, sorted by their first distance.

    Attributes
    ----------
    pair : (D, 2) int64
        Atoms of each distance.
    shift : (D, 3) float64
        Cell vectors to add to the second atom, so that its molecule is unbroken.
    type : (D,) int64
    length, shortest, longest : (T,) float64, Å
        Mean of the distances of a type, and the range in which the polynomial holds.
    coefficients : (T, 6) float64, eV/Å^n
        Of the powers n = 1 to 6 of the deviation from the mean.
    start : (D + 1,) int64
        The couplings of distance k are those numbered start[k] to start[k + 1] - 1.
    other : (M,) int32
        Distance, numbered above k, whose deviation is multiplied with that of k.
    constant : (M,) float64, eV/Å^2
    """

    pair: np.ndarray
    shift: np.ndarray
    type: np.ndarray
    length: np.ndarray
    shortest: np.ndarray
    longest: np.ndarray
    coefficients: np.ndarray
    start: np.ndarray
    other: np.ndarray
    constant: np.ndarray


class Work(NamedTuple):
    """Arrays of the kernels: deviation and derivative of the energy by each distance, and unit vector of its atoms."""

    deviation: np.ndarray  # (D,) Å
    slope: np.ndarray  # (D,) eV/Å
    unit: np.ndarray  # (D, 3)


def workspace(terms):
    """Return the arrays for some terms."""
    count = len(terms.pair)
    return Work(np.empty(count), np.empty(count), np.empty((count, 3)))


@njit(**PIECE)
def single(terms, kind, deviation):
    """Return energy and slope of the polynomial of a type; outside its range it continues as a parabola."""
    length = terms.length[kind]
    inside = min(max(deviation, terms.shortest[kind] - length), terms.longest[kind] - length)
    energy, slope, curvature = 0.0, 0.0, 0.0  # Horner's scheme for a polynomial and its first two derivatives
    for power in range(DEGREE - 1, -1, -1):
        curvature = curvature * inside + 2.0 * slope
        slope = slope * inside + energy
        energy = energy * inside + terms.coefficients[kind, power]
    curvature = curvature * inside + 2.0 * slope
    slope = slope * inside + energy
    energy *= inside
    outside, curvature = deviation - inside, max(curvature, 0.0)
    return energy + (slope + 0.5 * curvature * outside) * outside, slope + curvature * outside


@njit(cache=True, error_model="numpy")
def measure(terms, positions, cell, work):
    """Compute the deviations from the mean lengths, and the unit vectors from first to second atoms."""
    for k in range(len(terms.pair)):
        i, j = terms.pair[k, 0], terms.pair[k, 1]
        square = 0.0
        for axis in range(3):
            along = positions[j, axis] - positions[i, axis]
            for vector in range(3):
                along += terms.shift[k, vector] * cell[vector, axis]
            work.unit[k, axis] = along
            square += along * along
        length = np.sqrt(square)
        work.deviation[k] = length - terms.length[terms.type[k]]
        for axis in range(3):
            work.unit[k, axis] /= length


@njit(cache=True, error_model="numpy")
def evaluate(terms, positions, cell, work, forces):
    """Return the energy (eV), and replace `forces` (N, 3) eV/Å."""
    measure(terms, positions, cell, work)
    energy = 0.0
    for k in range(len(terms.pair)):
        of_one, work.slope[k] = single(terms, terms.type[k], work.deviation[k])
        energy += of_one
    for k in range(len(terms.pair)):
        own = 0.0
        for m in range(terms.start[k], terms.start[k + 1]):
            own += terms.constant[m] * work.deviation[terms.other[m]]
            work.slope[terms.other[m]] += terms.constant[m] * work.deviation[k]
        work.slope[k] += own
        energy += own * work.deviation[k]
    forces[:] = 0.0
    for k in range(len(terms.pair)):
        i, j = terms.pair[k, 0], terms.pair[k, 1]
        for axis in range(3):
            forces[i, axis] += work.slope[k] * work.unit[k, axis]
            forces[j, axis] -= work.slope[k] * work.unit[k, axis]
    return energy


@njit(cache=True, error_model="numpy")
def advance(ensemble, particles, stretch, draws, terms, work, steps):
    """Take several time steps at constant energy; see `dynamics.before_forces` for the arguments that it passes on."""
    for _ in range(steps):
        before_forces(ensemble, draws, particles, stretch)
        particles.scalars[ENERGY] = evaluate(terms, particles.positions, particles.cell, work, particles.forces)
        after_forces(ensemble, particles)
