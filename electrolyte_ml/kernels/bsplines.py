"""Cardinal B-splines: weights by which a charge is shared among the points of a mesh.

The B-spline of `order` pieces is a polynomial of degree order - 1 on each. A charge at t in [0, 1) beyond a mesh point
meets all pieces at the same place t: the lanes of a vector hold one piece each, and the weights of up to eight points
come from one evaluation of a polynomial.
"""

from numba import njit

from electrolyte_ml.kernels.lanes import PIECE, load, spread, store


@njit(**PIECE)
def fill_splines(t, table, axis, weights):
    """Set row 2 axis of `weights` to the splines at t in [0, 1), and row 2 axis + 1 to their derivatives by t.

    Parameters
    ----------
    t : float
    table : (order, 8) float64
        See :func:`electrolyte_ml.potentials.coulomb.splines.spline_table`.
    axis : int
    weights : (6, 8) float64
        Of the points from the first to the last, and zero behind these.
    """
    u = t - 0.5
    value, slope = load(table, 0), spread(0.0, table)
    for k in range(1, table.shape[0]):
        slope = slope * u + value
        value = value * u + load(table, k)
    store(value, weights, 2 * axis)
    store(slope, weights, 2 * axis + 1)
