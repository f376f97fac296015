"""Reciprocal-space part of an Ewald sum, summed over wave vectors.

The waves are exp(2 pi i n.x) with integer vectors n and fractional coordinates x. They are grouped in rows: n[0] and
n[1] are constant in a row, and n[2] runs through an interval. Only one of n and -n is listed.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE


class Waves(NamedTuple):
    """K wave vectors in R rows.

    Attributes
    ----------
    head : (R, 2) int64
        n[0] >= 0 and n[1] of each row.
    low : (R,) int64
        First n[2] of each row.
    start : (R + 1,) int64
        Row r holds the waves start[r]:start[r + 1].
    most : (3,) int64
        Largest |n| along each axis.
    """

    head: np.ndarray
    low: np.ndarray
    start: np.ndarray
    most: np.ndarray


@njit(**PIECE)
def fill_powers(x, most, real, imaginary):
    """Set real[most + n], imaginary[most + n] to exp(2 pi i n x) for all |n| <= most."""
    c, s = math.cos(2.0 * math.pi * x), math.sin(2.0 * math.pi * x)
    real[most], imaginary[most] = 1.0, 0.0
    for n in range(1, most + 1):
        a, b = real[most + n - 1], imaginary[most + n - 1]
        real[most + n], imaginary[most + n] = a * c - b * s, a * s + b * c
        real[most - n], imaginary[most - n] = real[most + n], -imaginary[most + n]


@njit(cache=True, error_model="numpy", nogil=True)
def structure_factors(first, last, fractional, charges, waves):
    """Sum q exp(2 pi i n.x) over the atoms from `first` to `last`.

    Parameters
    ----------
    first, last : int
    fractional : (N, 3) float64
        Within [0, 1): larger values would lose digits.
    charges : (N,) float64, e
    waves : Waves

    Returns
    -------
    factors : (2, K) float64, e
        Real and imaginary parts.
    """
    head, low, start, most = waves.head, waves.low, waves.start, waves.most
    factors = np.zeros((2, start[len(start) - 1]))
    longest = 2 * max(most[0], most[1], most[2]) + 1
    real, imaginary = np.empty((3, longest)), np.empty((3, longest))
    for i in range(first, last):
        for axis in range(3):
            fill_powers(fractional[i, axis], most[axis], real[axis], imaginary[axis])
        for row in range(len(low)):
            a, b = most[0] + head[row, 0], most[1] + head[row, 1]
            c = charges[i] * (real[0, a] * real[1, b] - imaginary[0, a] * imaginary[1, b])
            s = charges[i] * (real[0, a] * imaginary[1, b] + imaginary[0, a] * real[1, b])
            shift = most[2] + low[row] - start[row]
            for k in range(start[row], start[row + 1]):
                factors[0, k] += c * real[2, k + shift] - s * imaginary[2, k + shift]
                factors[1, k] += c * imaginary[2, k + shift] + s * real[2, k + shift]
    return factors


@njit(cache=True, error_model="numpy", nogil=True)
def far_part(first, last, fractional, charges, waves, weighted, potentials, slopes):
    """Add the reciprocal-space part of the potentials of the atoms from `first` to `last`, and set its slopes.

    Parameters
    ----------
    first, last : int
    fractional : (N, 3) float64
    charges : (N,) float64, e
    waves : Waves
    weighted : (2, K) float64, e/Å
        Structure factors times the weight of their wave in the energy, E = sum_k weight |S|^2.
    potentials : (N,) float64, e/Å
    slopes : (N, 3) float64, e²/Å
        Derivatives of the energy by the fractional coordinates.
    """
    head, low, start, most = waves.head, waves.low, waves.start, waves.most
    longest = 2 * max(most[0], most[1], most[2]) + 1
    real, imaginary = np.empty((3, longest)), np.empty((3, longest))
    for i in range(first, last):
        for axis in range(3):
            fill_powers(fractional[i, axis], most[axis], real[axis], imaginary[axis])
        potential, sx, sy, sz = 0.0, 0.0, 0.0, 0.0
        for row in range(len(low)):
            a, b = most[0] + head[row, 0], most[1] + head[row, 1]
            c = real[0, a] * real[1, b] - imaginary[0, a] * imaginary[1, b]
            s = real[0, a] * imaginary[1, b] + imaginary[0, a] * real[1, b]
            shift = most[2] + low[row] - start[row]
            even, odd, odd_z = 0.0, 0.0, 0.0
            for k in range(start[row], start[row + 1]):
                wave_real = c * real[2, k + shift] - s * imaginary[2, k + shift]
                wave_imaginary = c * imaginary[2, k + shift] + s * real[2, k + shift]
                even += weighted[0, k] * wave_real + weighted[1, k] * wave_imaginary
                phase = weighted[1, k] * wave_real - weighted[0, k] * wave_imaginary
                odd += phase
                odd_z += (low[row] + k - start[row]) * phase
            potential += even
            sx += head[row, 0] * odd
            sy += head[row, 1] * odd
            sz += odd_z
        potentials[i] += 2.0 * potential
        factor = 4.0 * math.pi * charges[i]
        slopes[i, 0], slopes[i, 1], slopes[i, 2] = factor * sx, factor * sy, factor * sz
