"""Energy, forces and virial of a moment tensor potential: one forward and one reverse sweep, no stored Jacobian.

E_i = shift + sum_alpha xi_alpha B_alpha. The reverse sweep gives A = dE_i/dM for every basic moment; then, a neighbour
at a time,

    dE_i/dr_ij = u sum_k A_k f'_mu u^k + (1 - u u^T)/r . d/du [ sum_k A_k f_mu u^k ],

where the derivative of the polynomial in u is taken by running back through the recursion that made the monomials.
"""

import numpy as np
from numba import njit

from .moments import (
    FAST,
    LANES,
    chebyshev,
    fill_traces,
    gather_linear,
    gather_products,
    load_neighbours,
    monomials,
    radial_functions,
    spread_traces,
    sum_moments,
)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def forward(graph, moments):
    """Inner nodes from the basic moments, for LANES atoms."""
    fill_traces(graph.trace, moments)
    for t in range(graph.n_nodes - graph.n_basic):
        node = graph.n_basic + t
        for lane in range(LANES):
            moments[node, lane] = 0.0
        gather_products(
            moments, moments, graph.forward_left, graph.forward_right, graph.forward_factor,
            graph.forward_first[t], graph.forward_first[t + 1], moments, node,
        )  # fmt: skip


@njit(cache=True, error_model="numpy", fastmath=FAST)
def reverse(graph, linear, quad, moments, adjoint, energy):
    """A = dE/dM of every node, and the energy of each lane, which costs nothing more.

    `linear` (n_nodes,) are the coefficients of functions that are nodes, `quad` those of the leaves' quadratic form.
    """
    for lane in range(LANES):
        energy[lane] = 0.0
    for node in range(graph.n_nodes - 1, -1, -1):
        for lane in range(LANES):
            adjoint[node, lane] = 0.0
        gather_linear(
            moments, graph.quad_other, quad, graph.quad_first[node], graph.quad_first[node + 1], adjoint, node
        )
        for lane in range(LANES):
            energy[lane] += moments[node, lane] * (linear[node] + 0.5 * adjoint[node, lane])
            adjoint[node, lane] += linear[node]
        gather_products(
            adjoint, moments, graph.reverse_target, graph.reverse_other, graph.reverse_factor,
            graph.reverse_first[node], graph.reverse_first[node + 1], adjoint, node,
        )  # fmt: skip
    spread_traces(graph.trace, adjoint)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def pair_forces(graph, n, x, y, z, r, f, df, power, adjoint, lane, back, radial, gx, gy, gz):
    """dE_i/dr_ij of one atom's neighbours, into gx, gy, gz: about (8 K + 4 m) n flops."""
    n_monomials = len(graph.parent)
    for m in range(n_monomials):
        for j in range(n):
            back[m, j] = 0.0
    for j in range(n):
        radial[j] = 0.0
        gx[j], gy[j], gz[j] = 0.0, 0.0, 0.0
    for k in range(len(graph.sum_mu)):
        mu, m = graph.sum_mu[k], graph.sum_monomial[k]
        a = adjoint[graph.sum_node[k], lane]
        for j in range(n):
            back[m, j] += a * f[mu, j]
            radial[j] += a * df[mu, j] * power[m, j]
    for m in range(n_monomials - 1, 0, -1):
        p = graph.parent[m]
        if graph.axis[m] == 0:
            for j in range(n):
                gx[j] += back[m, j] * power[p, j]
                back[p, j] += back[m, j] * x[j]
        elif graph.axis[m] == 1:
            for j in range(n):
                gy[j] += back[m, j] * power[p, j]
                back[p, j] += back[m, j] * y[j]
        else:
            for j in range(n):
                gz[j] += back[m, j] * power[p, j]
                back[p, j] += back[m, j] * z[j]
    for j in range(n):
        inverse = 1.0 / r[j]
        along = radial[j] - (gx[j] * x[j] + gy[j] * y[j] + gz[j] * z[j]) * inverse
        gx[j] = gx[j] * inverse + along * x[j]
        gy[j] = gy[j] * inverse + along * y[j]
        gz[j] = gz[j] * inverse + along * z[j]


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def energy_forces(
    begin, end, graph, linear, quad, radial, shifts, low, high, scaling, species, segment, index, vector,
    energies, forces, virials,
):  # fmt: skip
    """Atoms begin:end, on the calling thread: add to `forces` and to their own `virials`, set their `energies`.

    Parameters
    ----------
    begin, end : int
        Shares of different threads need forces of their own: neighbours feel the reaction. The rest they may share.
    graph : Graph
    linear : (n_nodes,) float64
        Coefficients of the basis functions that are nodes.
    quad : float64
        Factor of every term of `graph.quad_other`: quad_factor * w[quad_pair].
    radial : (S, S, R, size) float64
        c[centre, neighbour, mu, beta].
    shifts : (S,) float64, eV
    low, high : float, Å
        The interval [min_distance, cutoff] that xi maps to [-1, 1].
    scaling : float
    species, segment, index, vector
        From `neighbours.pair_vectors`.
    energies : (N,) float64, eV
    forces : (N, 3) float64, eV/Å
    virials : (N, 3, 3) float64, eV
        sum_j r_ij (x) dE_i/dr_ij of each atom.
    """
    n_species, n_radial, size = radial.shape[1], radial.shape[2], radial.shape[3]
    most = 0
    for i in range(begin, end):
        most = max(most, segment[i, n_species] - segment[i, 0])
    most = (most + LANES - 1) // LANES * LANES
    x, y, z, r = (np.empty((LANES, most)), np.empty((LANES, most)), np.empty((LANES, most)), np.empty((LANES, most)))
    f, df = np.empty((LANES, n_radial, most)), np.empty((LANES, n_radial, most))
    value, slope = np.empty((size, most)), np.empty((size, most))
    power, back = np.empty((len(graph.parent), most)), np.empty((len(graph.parent), most))
    along, gx, gy, gz = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    moments, adjoint = np.zeros((graph.n_nodes, LANES)), np.zeros((graph.n_nodes, LANES))
    energy = np.zeros(LANES)
    padded = np.zeros(LANES, np.int64)
    for block in range(begin, end, LANES):
        lanes = min(LANES, end - block)
        for lane in range(lanes):
            i = block + lane
            first = segment[i, 0]
            n = load_neighbours(vector, first, segment[i, n_species], high, x[lane], y[lane], z[lane], r[lane])
            padded[lane] = n
            chebyshev(n, r[lane], low, high, scaling, value, slope)
            radial_functions(n, segment[i], first, radial[species[i]], value, slope, f[lane], df[lane])
            monomials(n, x[lane], y[lane], z[lane], graph.parent, graph.axis, power)
            sum_moments(n, f[lane], power, graph.sum_mu, graph.sum_monomial, graph.sum_node, moments, lane)
        forward(graph, moments)
        reverse(graph, linear, quad, moments, adjoint, energy)
        for lane in range(lanes - 1, -1, -1):
            i = block + lane
            n = padded[lane]
            energies[i] = energy[lane] + shifts[species[i]]
            if lane < lanes - 1:  # the last atom's still stand there
                monomials(n, x[lane], y[lane], z[lane], graph.parent, graph.axis, power)
            pair_forces(
                graph, n, x[lane], y[lane], z[lane], r[lane], f[lane], df[lane], power, adjoint, lane,
                back, along, gx, gy, gz,
            )  # fmt: skip
            first = segment[i, 0]
            for j in range(segment[i, n_species] - first):
                other = index[first + j]
                forces[i, 0] += gx[j]
                forces[i, 1] += gy[j]
                forces[i, 2] += gz[j]
                forces[other, 0] -= gx[j]
                forces[other, 1] -= gy[j]
                forces[other, 2] -= gz[j]
                dx, dy, dz = vector[0, first + j], vector[1, first + j], vector[2, first + j]
                virials[i, 0, 0] += dx * gx[j]
                virials[i, 0, 1] += dx * gy[j]
                virials[i, 0, 2] += dx * gz[j]
                virials[i, 1, 0] += dy * gx[j]
                virials[i, 1, 1] += dy * gy[j]
                virials[i, 1, 2] += dy * gz[j]
                virials[i, 2, 0] += dz * gx[j]
                virials[i, 2, 1] += dz * gy[j]
                virials[i, 2, 2] += dz * gz[j]
