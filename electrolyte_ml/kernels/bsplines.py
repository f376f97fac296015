"""Cardinal B-splines: weights that divide a charge among the points of a mesh.

A B-spline consists of `order` pieces, each a polynomial of degree order - 1. For a charge at t in [0, 1) beyond a mesh
point, every piece is evaluated at the same t: each lane of a vector holds one piece, so that one polynomial evaluation
gives the weights of up to eight points.
"""

from numba import njit

from electrolyte_ml.kernels.lanes import PIECE, load, spread, store


@njit(**PIECE)
def fill_splines(t, table, axis, weights):
    """Set row 2 axis of `weights` to the splines at t in [0, 1), and row 2 axis + 1 to their derivatives.

    Parameters
    ----------
    t : float
    table : (order, 8) float64
        See :func:`electrolyte_ml.potentials.coulomb.splines.spline_table`.
    axis : int
    weights : (6, 8) float64
        Weights of the `order` points in ascending order, then zeros.
    """
    u = t - 0.5
    value, slope = load(table, 0), spread(0.0, table)
    for k in range(1, table.shape[0]):
        slope = slope * u + value
        value = value * u + load(table, k)
    store(value, weights, 2 * axis)
    store(slope, weights, 2 * axis + 1)
