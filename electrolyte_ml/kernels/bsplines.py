"""Cardinal B-splines: weights by which a charge is shared among the points of a mesh."""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE


@njit(**PIECE)
def fill_splines(t, order, values, slopes):
    """Set values[k] = M(t + k) and slopes[k] = M'(t + k) for k from 0 to order - 1 and t in [0, 1).

    M is the B-spline of `order` pieces on [0, order], a polynomial of degree order - 1 on each.
    """
    values[0], values[1] = t, 1.0 - t
    for n in range(3, order + 1):
        if n == order:
            slopes[0] = values[0]
            for k in range(1, order - 1):
                slopes[k] = values[k] - values[k - 1]
            slopes[order - 1] = -values[order - 2]
        scale = 1.0 / (n - 1)
        values[n - 1] = scale * (1.0 - t) * values[n - 2]
        for k in range(n - 2, 0, -1):
            values[k] = scale * ((t + k) * values[k] + (n - t - k) * values[k - 1])
        values[0] *= scale * t


@njit(cache=True)
def knots(order):
    """Values of the B-spline at 1, 2, ... order - 1, (order - 1,) float64."""
    values, slopes = np.zeros(order), np.zeros(order)
    fill_splines(0.0, order, values, slopes)
    return values[1:].copy()
