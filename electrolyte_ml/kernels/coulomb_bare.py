"""The Coulomb sum over all pairs of an isolated set of charges: 1/r, or erf(alpha r)/r."""

import math

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy", nogil=True)
def all_pairs(first, last, positions, charges, alpha, potentials, forces):
    """Set the potentials and forces of the atoms from `first` to `last`.

    Parameters
    ----------
    first, last : int
    positions : (N, 3) float64, Å
    charges : (N,) float64, e
    alpha : float, 1/Å
        Of erf(alpha r)/r; 0 for 1/r.
    potentials : (N,) float64, e/Å
    forces : (N, 3) float64, e²/Å²

    Returns
    -------
    virial : (3, 3) float64, e²/Å
        The share of these atoms, half of each pair's.
    """
    virial = np.zeros((3, 3))
    for i in range(first, last):
        potential, fx, fy, fz = 0.0, 0.0, 0.0, 0.0
        for j in range(positions.shape[0]):
            if j == i:
                continue
            dx = positions[j, 0] - positions[i, 0]
            dy = positions[j, 1] - positions[i, 1]
            dz = positions[j, 2] - positions[i, 2]
            square = dx * dx + dy * dy + dz * dz
            r = math.sqrt(square)
            value = 1.0 / r
            slope = -1.0 / square
            if alpha > 0.0:
                value *= math.erf(alpha * r)
                slope = (2.0 / math.sqrt(math.pi) * alpha * math.exp(-alpha * alpha * square) - value) / r
            potential += charges[j] * value
            pull = charges[i] * charges[j] * slope / r
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
        potentials[i] = potential
        forces[i, 0], forces[i, 1], forces[i, 2] = fx, fy, fz
    virial[2, 1], virial[2, 0], virial[1, 0] = virial[1, 2], virial[0, 2], virial[0, 1]
    return virial
