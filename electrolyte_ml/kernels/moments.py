"""The basic moments, sums over one atom's neighbours of radial functions times monomials of the unit vector.

    M(mu; a, b, c) = sum_j f_mu(r_ij) u_x^a u_y^b u_z^c                                (eq. 4 of Chalykh et al.)

Because |u| = 1, a moment is the trace of the one of the same mu and two ranks more: of each mu only the two highest
ranks are summed over neighbours. The moments of an atom are one lane of `moments[node]`, as the graph wants them.
"""

from numba import njit

from electrolyte_ml.kernels.lanes import PIECE, at, load, put, spread, store, total, width
from electrolyte_ml.kernels.radial import RADIAL, X, Y, Z


@njit(**PIECE)
def monomials(graph, count, x, y, z, out):
    """The first `count` monomials of a vector of neighbours, into the rows of `out`: one flop each."""
    store(spread(1.0, out), out, 0)
    store(x, out, 1)
    store(y, out, 2)
    store(z, out, 3)
    for m in range(4, count):
        store(load(out, at(graph.monomial_left, m)) * load(out, at(graph.monomial_right, m)), out, m)


@njit(**PIECE)
def sum_moments(graph, n, pairs, base, powers, moments, lane):
    """The moments that are sums, two at a time that differ by one power of z: 5/2 flops a neighbour each.

    `powers` (3 n_powers, n) takes f_mu x^a, y^b and z^c. The sums stay in registers for all neighbours of the atom.
    """
    y_rows, z_rows = graph.n_powers, 2 * graph.n_powers
    for j in range(0, n, width(pairs)):
        y, z = load(pairs, base + Y, j), load(pairs, base + Z, j)
        yb, zc = spread(1.0, pairs), spread(1.0, pairs)
        for k in range(graph.n_powers):
            store(yb, powers, y_rows + k, j)
            store(zc, powers, z_rows + k, j)
            yb *= y
            zc *= z
    for mu in range(len(graph.column_first) - 1):
        for j in range(0, n, width(pairs)):
            x, fx = load(pairs, base + X, j), load(pairs, base + RADIAL + mu, j)
            for k in range(graph.column_powers[mu]):
                store(fx, powers, k, j)
                fx *= x
        for k in range(graph.column_first[mu], graph.column_first[mu + 1]):
            a, b, c = at(graph.column_x, k), y_rows + at(graph.column_y, k), z_rows + at(graph.column_z, k)
            above, below = spread(0.0, pairs), spread(0.0, pairs)
            for j in range(0, n, width(pairs)):
                part = load(powers, a, j) * load(powers, b, j)
                above += part * load(powers, c, j)
                below += part * load(powers, max(c - 1, z_rows), j)
            put(total(above), moments, at(graph.column_node, k), lane)
            put(total(below), moments, at(graph.column_below, k), lane)


@njit(**PIECE)
def fill_traces(trace, moments):
    """The moments that are traces, for LANES atoms: 2 flops each."""
    for t in range(len(trace)):
        xx, yy, zz = load(moments, trace[t, 0]), load(moments, trace[t, 1]), load(moments, trace[t, 2])
        store(xx + yy + zz, moments, trace[t, 3])


@njit(**PIECE)
def spread_traces(trace, adjoint):
    """The transpose of `fill_traces`: a derivative by a trace is one by each of its three terms."""
    for t in range(len(trace) - 1, -1, -1):
        a = load(adjoint, trace[t, 3])
        for k in range(3):
            store(load(adjoint, trace[t, k]) + a, adjoint, trace[t, k])


@njit(**PIECE)
def slope_coefficients(graph, adjoint, out):
    """The coefficients of grad P_mu by x, y and z, for LANES atoms: (3 n_terms, LANES)."""
    for t in range(len(graph.slope_monomial)):
        for axis in range(3):
            store(graph.slope_factor[t, axis] * load(adjoint, graph.slope_node[t, axis]), out, 3 * t + axis)


@njit(**PIECE)
def polynomial(graph, mu, coefficients, lane, power):
    """P_mu = sum_k c_k u^k of a vector of neighbours, c_k = coefficients[k, lane]: 2 flops a summed moment.

    Two sums, as each addition waits for the one before.
    """
    first, end = graph.sum_first[mu], graph.sum_first[mu + 1]
    half = (end - first) // 2
    one, other = spread(0.0, power), spread(0.0, power)
    for k in range(first, first + half):
        one += at(coefficients, k, lane) * load(power, at(graph.sum_monomial, k))
        other += at(coefficients, k + half, lane) * load(power, at(graph.sum_monomial, k + half))
    for k in range(first + 2 * half, end):
        one += at(coefficients, k, lane) * load(power, at(graph.sum_monomial, k))
    return one + other


@njit(**PIECE)
def polynomial_gradient(graph, group, slopes, lane, power):
    """The part of grad P_mu that comes from the moments of one degree, for a vector of neighbours: 6 flops a term."""
    px, py, pz = spread(0.0, power), spread(0.0, power), spread(0.0, power)
    for t in range(graph.slope_first[group], graph.slope_first[group + 1]):
        u = load(power, at(graph.slope_monomial, t))
        px += at(slopes, 3 * t, lane) * u
        py += at(slopes, 3 * t + 1, lane) * u
        pz += at(slopes, 3 * t + 2, lane) * u
    return px, py, pz
