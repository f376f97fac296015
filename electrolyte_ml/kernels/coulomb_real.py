"""The short-ranged part of an Ewald sum: pairs within a cutoff interact by erfc(alpha r)/r.

The last part of the interaction, of the width `taper`, is switched off smoothly: a pair that crosses the cutoff changes
neither the energy nor its first two derivatives by a jump.
"""

import math

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE


@njit(**PIECE)
def screened(r, alpha, cutoff, taper):
    """erfc(alpha r)/r, switched off between cutoff - taper and the cutoff, and its derivative by r."""
    value = math.erfc(alpha * r) / r
    slope = -(value + 2.0 / math.sqrt(math.pi) * alpha * math.exp(-alpha * alpha * r * r)) / r
    begin = cutoff - taper
    if r > begin:
        t = (r - begin) / taper
        switch = 1.0 - t * t * t * (10.0 - t * (15.0 - 6.0 * t))
        slope = slope * switch - value * 30.0 * t * t * (1.0 - t) * (1.0 - t) / taper
        value *= switch
    return value, slope


@njit(cache=True, error_model="numpy", nogil=True)
def near_part(first, last, near, charges, alpha, cutoff, taper, potentials, forces):
    """Add the short-ranged part of the potentials and forces of the atoms from `first` to `last`.

    Parameters
    ----------
    first, last : int
    near : Neighbours
        All pairs within `cutoff`, each seen from both ends; longer ones are passed over.
    charges : (N,) float64, e
    alpha : float, 1/Å
    cutoff, taper : float, Å
    potentials : (N,) float64, e/Å
    forces : (N, 3) float64, e²/Å²

    Returns
    -------
    virial : (3, 3) float64, e²/Å
        The share of these atoms, half of each pair's.
    """
    segment, other, vector = near.segment, near.other, near.vector
    virial = np.zeros((3, 3))
    for i in range(first, last):
        potential, fx, fy, fz = 0.0, 0.0, 0.0, 0.0
        for p in range(segment[i, 0], segment[i, segment.shape[1] - 1]):
            dx, dy, dz = vector[0, p], vector[1, p], vector[2, p]
            square = dx * dx + dy * dy + dz * dz
            if square >= cutoff * cutoff:
                continue
            r = math.sqrt(square)
            value, slope = screened(r, alpha, cutoff, taper)
            charge = charges[other[p]]
            potential += charge * value
            pull = charges[i] * charge * slope / r
            fx += pull * dx
            fy += pull * dy
            fz += pull * dz
            half = 0.5 * pull
            virial[0, 0] += half * dx * dx
            virial[1, 1] += half * dy * dy
            virial[2, 2] += half * dz * dz
            virial[1, 2] += half * dy * dz
            virial[0, 2] += half * dx * dz
            virial[0, 1] += half * dx * dy
        potentials[i] += potential
        forces[i, 0] += fx
        forces[i, 1] += fy
        forces[i, 2] += fz
    virial[2, 1], virial[2, 0], virial[1, 0] = virial[1, 2], virial[0, 2], virial[0, 1]
    return virial
