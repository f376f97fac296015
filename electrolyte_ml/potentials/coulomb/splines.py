"""Tables of B-splines: their polynomial pieces, and their factors for the waves of a mesh."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

PIECES = 8  # number of pieces for the highest order


@cache
def spline_table(order: int) -> np.ndarray:
    """Return the pieces of the cardinal B-spline of an order as polynomials in t - 1/2, (order, 8).

    Rows are powers in descending order. Column k gives the weight of the k-th mesh point of a charge that lies at t in
    [0, 1) beyond a mesh point; columns from `order` on are zero.
    """
    u = np.polynomial.Polynomial([0.5, 1.0])  # t
    pieces = [u**0]  # M(t + k) for k = 0, 1, ...
    for n in range(2, order + 1):
        below = [np.polynomial.Polynomial([0.0]), *pieces, np.polynomial.Polynomial([0.0])]
        # M_n(x) = (x M_(n-1)(x) + (n - x) M_(n-1)(x - 1)) / (n - 1), x = t + k
        pieces = [((u + k) * below[k + 1] + (n - k - u) * below[k]) / (n - 1) for k in range(n)]
    table = np.zeros((order, PIECES))
    for k, piece in enumerate(reversed(pieces)):  # the first mesh point has the last piece
        coefficients = piece.coef
        table[order - len(coefficients) :, k] = coefficients[::-1]
    table.setflags(write=False)
    return table


@cache
def wave_factors(size: int, order: int) -> np.ndarray:
    """Return the factors of B-splines of an order in the influence of each wave along a mesh axis, (size,).

    The factor is U²/(sum of U² over all aliases of the wave)², where U is the Fourier transform of a spline. It is the
    influence with the smallest error of the energy (Hockney and Eastwood, Computer Simulation Using Particles, 8-22),
    if only the longest of all aliases is included in the reference force. The factor of the shortest wave of an even
    mesh is zero, because the direction of this wave is not determined.
    """
    n = np.arange(size)
    n = np.where(2 * n > size, n - size, n)
    transform = np.sinc(n / size) ** order
    # By Poisson summation, the coefficients of the sum of U² are values of the spline of twice the order at integers.
    shifts = np.arange(1, order)
    alike = spline_at_whole(2 * order)
    total = alike[order] + 2.0 * np.cos(2.0 * math.pi * np.outer(n, shifts) / size) @ alike[order + shifts]
    factors = (transform / total) ** 2
    if size % 2 == 0:
        factors[size // 2] = 0.0
    factors.setflags(write=False)
    return np.asarray(factors)


def spline_at_whole(order: int) -> np.ndarray:
    """Return the values of a B-spline at the integers 0, 1, ... order, (order + 1,)."""
    values = np.array([0.0, 1.0, 0.0])  # order 2
    for n in range(3, order + 1):
        x = np.arange(n + 1.0)
        before, after = np.append(values, 0.0), np.insert(values, 0, 0.0)
        values = (x * before + (n - x) * after) / (n - 1)
    return values
