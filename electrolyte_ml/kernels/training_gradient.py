"""The gradient of a loss in energies, forces and stresses by all parameters: one tangent and one reverse sweep.

With alpha = dL/dE of an atom's configuration, W = dL/dF, S = dL/dVirial and w_ij = W_i - W_j + S r_ij, the chain rule:

    dL/dtheta = d/dtheta [ alpha E + D ],     D = sum_ij w_ij . dE_i/dr_ij,

because F_i = sum_j (dE_i/dr_ij - dE_j/dr_ji). D is the derivative of E along the displacements w_ij, so a forward sweep
that carries the tangents dM beside the moments M gives dB_alpha = dD/dxi_alpha, and a reverse sweep that carries
A = dE/dM and its tangent dA gives the derivative by the radial coefficients,

    dL/dc[mu, beta] = sum_j phi_beta sum_k ( (alpha A_k + dA_k) u^k + A_k du^k ) + phi'_beta dr sum_k A_k u^k .

No Jacobian of the forces is ever formed; memory is that of the pairs.
"""

import numpy as np
from numba import njit

from .moments import (
    FAST,
    LANES,
    chebyshev,
    fill_traces,
    load_neighbours,
    monomials,
    radial_functions,
    spread_traces,
)


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def gather_tangents(left, dleft, right, dright, i, j, factor, first, last, out, dout, node):
    """Products and their tangents, LANES atoms: out += f l r, dout += f (dl r + l dr); 8 LANES flops a term."""
    s0, s1, s2, s3 = out[node, 0], out[node, 1], out[node, 2], out[node, 3]
    s4, s5, s6, s7 = out[node, 4], out[node, 5], out[node, 6], out[node, 7]
    t0, t1, t2, t3 = dout[node, 0], dout[node, 1], dout[node, 2], dout[node, 3]
    t4, t5, t6, t7 = dout[node, 4], dout[node, 5], dout[node, 6], dout[node, 7]
    for t in range(first, last):
        a, b, c = i[t], j[t], factor[t]
        s0 += c * left[a, 0] * right[b, 0]
        s1 += c * left[a, 1] * right[b, 1]
        s2 += c * left[a, 2] * right[b, 2]
        s3 += c * left[a, 3] * right[b, 3]
        s4 += c * left[a, 4] * right[b, 4]
        s5 += c * left[a, 5] * right[b, 5]
        s6 += c * left[a, 6] * right[b, 6]
        s7 += c * left[a, 7] * right[b, 7]
        t0 += c * (dleft[a, 0] * right[b, 0] + left[a, 0] * dright[b, 0])
        t1 += c * (dleft[a, 1] * right[b, 1] + left[a, 1] * dright[b, 1])
        t2 += c * (dleft[a, 2] * right[b, 2] + left[a, 2] * dright[b, 2])
        t3 += c * (dleft[a, 3] * right[b, 3] + left[a, 3] * dright[b, 3])
        t4 += c * (dleft[a, 4] * right[b, 4] + left[a, 4] * dright[b, 4])
        t5 += c * (dleft[a, 5] * right[b, 5] + left[a, 5] * dright[b, 5])
        t6 += c * (dleft[a, 6] * right[b, 6] + left[a, 6] * dright[b, 6])
        t7 += c * (dleft[a, 7] * right[b, 7] + left[a, 7] * dright[b, 7])
    out[node, 0], out[node, 1], out[node, 2], out[node, 3] = s0, s1, s2, s3
    out[node, 4], out[node, 5], out[node, 6], out[node, 7] = s4, s5, s6, s7
    dout[node, 0], dout[node, 1], dout[node, 2], dout[node, 3] = t0, t1, t2, t3
    dout[node, 4], dout[node, 5], dout[node, 6], dout[node, 7] = t4, t5, t6, t7


@njit(cache=True, error_model="numpy", fastmath=FAST)
def tangent_monomials(n, x, y, z, dx, dy, dz, power, parent, axis, out):
    """The tangents of the monomials along (dx, dy, dz): (m, n)."""
    for j in range(n):
        out[0, j] = 0.0
    for m in range(1, len(parent)):
        p = parent[m]
        if axis[m] == 0:
            for j in range(n):
                out[m, j] = out[p, j] * x[j] + power[p, j] * dx[j]
        elif axis[m] == 1:
            for j in range(n):
                out[m, j] = out[p, j] * y[j] + power[p, j] * dy[j]
        else:
            for j in range(n):
                out[m, j] = out[p, j] * z[j] + power[p, j] * dz[j]


@njit(cache=True, error_model="numpy", fastmath=FAST)
def load_directions(vector, index, weights, stretch, i, begin, end, padded, x, y, z, r, dx, dy, dz, dr):
    """Tangents of u and r of atom i's neighbours along w_ij = W_i - W_j + S r_ij."""
    for j in range(end - begin):
        p = begin + j
        other = index[p]
        wx, wy, wz = (
            weights[i, 0] - weights[other, 0],
            weights[i, 1] - weights[other, 1],
            weights[i, 2] - weights[other, 2],
        )
        vx, vy, vz = vector[0, p], vector[1, p], vector[2, p]
        wx += stretch[i, 0, 0] * vx + stretch[i, 0, 1] * vy + stretch[i, 0, 2] * vz
        wy += stretch[i, 1, 0] * vx + stretch[i, 1, 1] * vy + stretch[i, 1, 2] * vz
        wz += stretch[i, 2, 0] * vx + stretch[i, 2, 1] * vy + stretch[i, 2, 2] * vz
        along = wx * x[j] + wy * y[j] + wz * z[j]
        inverse = 1.0 / r[j]
        dr[j] = along
        dx[j], dy[j], dz[j] = (
            (wx - along * x[j]) * inverse,
            (wy - along * y[j]) * inverse,
            (wz - along * z[j]) * inverse,
        )
    for j in range(end - begin, padded):
        dr[j], dx[j], dy[j], dz[j] = 0.0, 0.0, 0.0, 0.0


@njit(cache=True, error_model="numpy", fastmath=FAST)
def sum_tangents(n, f, fdr, power, dpower, graph, moments, dmoments, lane):
    """M = sum_j f u^k and dM = sum_j (f' dr u^k + f du^k)."""
    for k in range(len(graph.sum_mu)):
        mu, m = graph.sum_mu[k], graph.sum_monomial[k]
        total, tangent = 0.0, 0.0
        for j in range(n):
            total += f[mu, j] * power[m, j]
            tangent += fdr[mu, j] * power[m, j] + f[mu, j] * dpower[m, j]
        moments[graph.sum_node[k], lane] = total
        dmoments[graph.sum_node[k], lane] = tangent


@njit(cache=True, error_model="numpy", fastmath=FAST)
def sweep_graph(graph, linear, quad, moments, dmoments, adjoint, dadjoint):
    """Forward with tangents, then reverse with tangents, for LANES atoms."""
    fill_traces(graph.trace, moments)
    fill_traces(graph.trace, dmoments)
    for t in range(graph.n_nodes - graph.n_basic):
        node = graph.n_basic + t
        for lane in range(LANES):
            moments[node, lane] = 0.0
            dmoments[node, lane] = 0.0
        gather_tangents(
            moments, dmoments, moments, dmoments, graph.forward_left, graph.forward_right, graph.forward_factor,
            graph.forward_first[t], graph.forward_first[t + 1], moments, dmoments, node,
        )  # fmt: skip
    for node in range(graph.n_nodes - 1, -1, -1):
        for lane in range(LANES):
            adjoint[node, lane] = linear[node]
            dadjoint[node, lane] = 0.0
        for t in range(graph.quad_first[node], graph.quad_first[node + 1]):
            other = graph.quad_other[t]
            for lane in range(LANES):
                adjoint[node, lane] += quad[t] * moments[other, lane]
                dadjoint[node, lane] += quad[t] * dmoments[other, lane]
        gather_tangents(
            adjoint, dadjoint, moments, dmoments, graph.reverse_target, graph.reverse_other, graph.reverse_factor,
            graph.reverse_first[node], graph.reverse_first[node + 1], adjoint, dadjoint, node,
        )  # fmt: skip
    spread_traces(graph.trace, adjoint)
    spread_traces(graph.trace, dadjoint)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def add_scalars(graph, alpha, moments, dmoments, by_node, by_pair):
    """Sums alpha B + dB of the functions that are nodes and of the products of the leaves, summed over lanes."""
    for k in range(len(graph.linear_node)):
        node = graph.linear_node[k]
        total = 0.0
        for lane in range(LANES):
            total += alpha[lane] * moments[node, lane] + dmoments[node, lane]
        by_node[k] += total
    for p in range(len(graph.pair_left)):
        a, b = graph.pair_left[p], graph.pair_right[p]
        total = 0.0
        for lane in range(LANES):
            total += (alpha[lane] * moments[a, lane] + dmoments[a, lane]) * moments[b, lane]
            total += moments[a, lane] * dmoments[b, lane]
        by_pair[p] += total


@njit(cache=True, error_model="numpy", fastmath=FAST)
def add_radial(graph, alpha, n, power, dpower, dr, adjoint, dadjoint, lane, value, slope, segment, sums, slopes, out):
    """Add one atom's derivatives by its radial coefficients to `out` (S, R, size)."""
    n_species, n_radial, size = out.shape
    for mu in range(n_radial):
        for j in range(n):
            sums[mu, j] = 0.0
            slopes[mu, j] = 0.0
    for k in range(len(graph.sum_mu)):
        mu, m, node = graph.sum_mu[k], graph.sum_monomial[k], graph.sum_node[k]
        a = adjoint[node, lane]
        b = alpha * a + dadjoint[node, lane]
        for j in range(n):
            sums[mu, j] += b * power[m, j] + a * dpower[m, j]
            slopes[mu, j] += a * power[m, j]
    for mu in range(n_radial):
        for j in range(n):
            slopes[mu, j] *= dr[j]
    for s in range(n_species):
        lo, hi = segment[s] - segment[0], segment[s + 1] - segment[0]
        for mu in range(n_radial):
            for b in range(size):
                total = 0.0
                for j in range(lo, hi):
                    total += value[b, j] * sums[mu, j] + slope[b, j] * slopes[mu, j]
                out[s, mu, b] += total


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def training_gradient(
    begin, end, graph, linear, quad, radial, low, high, scaling, species, segment, index, vector,
    alpha, weights, stretch, by_radial, by_node, by_pair,
):  # fmt: skip
    """Add the atoms begin:end to the derivatives of the loss, on the calling thread.

    Parameters
    ----------
    begin, end : int
    alpha : (N,) float64
        dL/dE of the atom's configuration.
    weights : (N, 3) float64
        dL/dF.
    stretch : (N, 3, 3) float64
        dL/dVirial of the atom's configuration, symmetric.
    by_radial : (S, S, R, size) float64
    by_node : (n_linear,) float64
        By the functions that are nodes of the graph.
    by_pair : (n_pairs,) float64
        By the products of the leaves.
    others
        As in `energy_forces`.
    """
    n_species, n_radial, size = radial.shape[1], radial.shape[2], radial.shape[3]
    n_monomials = len(graph.parent)
    most = 0
    for i in range(begin, end):
        most = max(most, segment[i, n_species] - segment[i, 0])
    most = (most + LANES - 1) // LANES * LANES
    x, y, z, r = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    dx, dy, dz, dr = np.empty(most), np.empty(most), np.empty(most), np.empty((LANES, most))
    f, df = np.empty((n_radial, most)), np.empty((n_radial, most))
    value, slope = np.empty((LANES, size, most)), np.empty((LANES, size, most))
    power, dpower = np.empty((LANES, n_monomials, most)), np.empty((LANES, n_monomials, most))
    sums, slopes = np.empty((n_radial, most)), np.empty((n_radial, most))
    moments, dmoments = np.zeros((graph.n_nodes, LANES)), np.zeros((graph.n_nodes, LANES))
    adjoint, dadjoint = np.zeros((graph.n_nodes, LANES)), np.zeros((graph.n_nodes, LANES))
    lane_alpha = np.zeros(LANES)
    padded = np.zeros(LANES, np.int64)
    for block in range(begin, end, LANES):
        lanes = min(LANES, end - block)
        if lanes < LANES:
            moments[:] = 0.0  # an empty lane must add nothing
            dmoments[:] = 0.0
        for lane in range(lanes):
            i = block + lane
            first, last = segment[i, 0], segment[i, n_species]
            n = load_neighbours(vector, first, last, high, x, y, z, r)
            padded[lane] = n
            lane_alpha[lane] = alpha[i]
            load_directions(vector, index, weights, stretch, i, first, last, n, x, y, z, r, dx, dy, dz, dr[lane])
            chebyshev(n, r, low, high, scaling, value[lane], slope[lane])
            radial_functions(n, segment[i], first, radial[species[i]], value[lane], slope[lane], f, df)
            for mu in range(n_radial):
                for j in range(n):
                    df[mu, j] *= dr[lane, j]
            monomials(n, x, y, z, graph.parent, graph.axis, power[lane])
            tangent_monomials(n, x, y, z, dx, dy, dz, power[lane], graph.parent, graph.axis, dpower[lane])
            sum_tangents(n, f, df, power[lane], dpower[lane], graph, moments, dmoments, lane)
        sweep_graph(graph, linear, quad, moments, dmoments, adjoint, dadjoint)
        add_scalars(graph, lane_alpha, moments, dmoments, by_node, by_pair)
        for lane in range(lanes):
            i = block + lane
            add_radial(
                graph, alpha[i], padded[lane], power[lane], dpower[lane], dr[lane], adjoint, dadjoint, lane,
                value[lane], slope[lane], segment[i], sums, slopes, by_radial[species[i]],
            )  # fmt: skip
