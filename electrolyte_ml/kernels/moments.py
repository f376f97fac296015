"""Basic moments: sums over the neighbours of an atom of radial functions times monomials of the unit vector.

    M(mu; a, b, c) = sum_j f_mu(r_ij) u_x^a u_y^b u_z^c                                (eq. 4 of Chalykh et al.)

Because |u| = 1, a moment is a trace of the moment with the same mu and a rank higher by two: only the two highest ranks
of each mu are summed over neighbours. The moments of an atom are one lane of `moments[node]`, the layout of the graph.
"""

from numba import njit

from electrolyte_ml.kernels.lanes import PIECE, at, load, put, spread, store, total, width
from electrolyte_ml.kernels.radial import RADIAL, X, Y, Z


@njit(**PIECE)
def monomials(graph, count, x, y, z, out):
    """Set the rows of `out` to the first `count` monomials of a vector of neighbours: one flop each."""
    store(spread(1.0, out), out, 0)
    store(x, out, 1)
    store(y, out, 2)
    store(z, out, 3)
    for m in range(4, count):
        store(load(out, at(graph.monomial_left, m)) * load(out, at(graph.monomial_right, m)), out, m)


@njit(**PIECE)
def sum_moments(graph, n, pairs, base, powers, moments, lane):
    """Sum moments over neighbours, in pairs that differ by one power of z: 5/2 flops per neighbour and moment.

    `powers` (3 n_powers, n) is overwritten by f_mu x^a, y^b and z^c. The sums stay in registers.
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
    """Set the moments that are traces, for LANES atoms: 2 flops per trace and atom."""
    for t in range(len(trace)):
        xx, yy, zz = load(moments, trace[t, 0]), load(moments, trace[t, 1]), load(moments, trace[t, 2])
        store(xx + yy + zz, moments, trace[t, 3])


@njit(**PIECE)
def spread_traces(trace, adjoint):
    """Apply the transpose of `fill_traces`: add the derivative by a trace to those by its three terms."""
    for t in range(len(trace) - 1, -1, -1):
        a = load(adjoint, trace[t, 3])
        for k in range(3):
            store(load(adjoint, trace[t, k]) + a, adjoint, trace[t, k])


@njit(**PIECE)
def slope_coefficients(graph, adjoint, out):
    """Set `out` (3 n_terms, LANES) to the coefficients of grad P_mu (x, y and z components) for LANES atoms."""
    for t in range(len(graph.slope_monomial)):
        for axis in range(3):
            store(graph.slope_factor[t, axis] * load(adjoint, graph.slope_node[t, axis]), out, 3 * t + axis)


@njit(**PIECE)
def polynomial(graph, mu, coefficients, lane, power):
    """Return P_mu = sum_k c_k u^k for a vector of neighbours, c_k = coefficients[k, lane]: 2 flops per summed moment.

    Two independent sums hide the latency of the additions.
    """
    first, end = graph.sum_first[mu], graph.sum_first[mu + 1]
    half = (end - first) // 2
    sum_a, sum_b = spread(0.0, power), spread(0.0, power)
    for k in range(first, first + half):
        sum_a += at(coefficients, k, lane) * load(power, at(graph.sum_monomial, k))
        sum_b += at(coefficients, k + half, lane) * load(power, at(graph.sum_monomial, k + half))
    for k in range(first + 2 * half, end):
        sum_a += at(coefficients, k, lane) * load(power, at(graph.sum_monomial, k))
    return sum_a + sum_b


@njit(**PIECE)
def polynomial_gradient(graph, group, slopes, lane, power):
    """Return the part of grad P_mu from moments of one degree, for a vector of neighbours: 6 flops per term."""
    px, py, pz = spread(0.0, power), spread(0.0, power), spread(0.0, power)
    for t in range(graph.slope_first[group], graph.slope_first[group + 1]):
        u = load(power, at(graph.slope_monomial, t))
        px += at(slopes, 3 * t, lane) * u
        py += at(slopes, 3 * t + 1, lane) * u
        pz += at(slopes, 3 * t + 2, lane) * u
    return px, py, pz
