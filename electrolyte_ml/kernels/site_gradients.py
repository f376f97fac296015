"""Derivatives of each site energy by the parameters: the rows of the MaxVol matrix.

    dE_i/dxi_alpha = B_alpha(n_i),    dE_i/dc[z_i, s, mu, beta] = sum_{j of species s} phi_beta(r_ij) sum_k A_k u_ij^k,

with A = dE_i/dM from the same sweeps as for the forces. The cost is about that of one evaluation of energy and forces.
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.contractions import forward, reverse
from electrolyte_ml.kernels.lanes import KERNEL, LANES, PIECE, aligned, load, spread, store, total
from electrolyte_ml.kernels.moments import monomials, polynomial, sum_moments
from electrolyte_ml.kernels.radial import (
    DISTANCE,
    RADIAL,
    X,
    Y,
    Z,
    add_by_coefficients,
    columns_of,
    load_pairs,
    radial_tables,
    radial_values,
    sum_by_tables,
)


@njit(**PIECE)
def energy_weights(graph, n, high, pairs, base, summed, lane, power, weights):
    """Set the factors of U_k in dE_i/d(tables) for each neighbour: gap^2 P_mu, and 0 for the slopes; (2 R, n).

    Cost per neighbour: one flop per monomial and two per summed moment.
    """
    n_radial = len(graph.sum_first) - 1
    for j in range(0, n, LANES):
        x, y, z = load(pairs, base + X, j), load(pairs, base + Y, j), load(pairs, base + Z, j)
        gap = high - load(pairs, base + DISTANCE, j)
        monomials(graph, len(graph.monomial_left), x, y, z, power)
        for mu in range(n_radial):
            store(gap * gap * polynomial(graph, mu, summed, lane, power), weights, mu, j)
            store(spread(0.0, pairs), weights, n_radial + mu, j)


@njit(**KERNEL, nogil=True)
def site_gradients(model, near):
    """Compute the rows of all atoms on the calling thread.

    Parameters
    ----------
    model : Model
        In double precision.
    near : Neighbours

    Returns
    -------
    by_radial : (N, S, R, size)
        dE_i/dc[z_i, s, mu, beta]; derivatives by coefficients of other central species are zero and not stored.
    by_scalar : (N, n_scalars)
    """
    graph, radial, low, high = model.graph, model.radial, model.low, model.high
    species, segment, vector = near.species, near.segment, near.vector
    n_atoms = len(species)
    n_species, n_radial, size = radial.shape[1], radial.shape[2], radial.shape[3]
    by_radial = np.zeros((n_atoms, n_species, n_radial, size))
    by_scalar = np.zeros((n_atoms, len(graph.linear_scalar) + len(graph.leaf_scalar)))
    tables = radial_tables(radial, low, high, model.scaling)
    columns = columns_of(segment, 0, n_atoms, LANES)
    rows = RADIAL + 2 * n_radial
    vectors = columns // LANES + n_species  # per atom; the last vector of a species may be partly filled
    pairs, polynomials = aligned(LANES * rows, columns, radial), aligned(LANES * vectors * size, LANES, radial)
    powers = aligned(3 * graph.n_powers, columns, radial)
    moments, adjoint = aligned(graph.n_nodes + 1, LANES, radial), aligned(graph.n_nodes, LANES, radial)
    power, weights = aligned(len(graph.monomial_left), LANES, radial), aligned(2 * n_radial, columns, radial)
    by_tables = aligned(n_species * n_radial * 2 * size, LANES, radial)
    summed = aligned(len(graph.sum_node), LANES, radial)
    table_gradient = np.empty(2 * size)
    padded = np.zeros(LANES, np.int64)
    for block in range(0, n_atoms, LANES):
        lanes = min(LANES, n_atoms - block)
        for lane in range(lanes):
            i, base = block + lane, lane * rows
            n = load_pairs(vector, segment[i, 0], segment[i, n_species], high, pairs, base)
            padded[lane] = n
            radial_values(n, segment[i], tables[species[i]], low, high, pairs, base, polynomials, lane * vectors * size)
            sum_moments(graph, n, pairs, base, powers, moments, lane)
        forward(graph, moments)
        reverse(graph, model.linear, model.quad, moments, adjoint)
        for k in range(len(graph.sum_node)):
            store(load(adjoint, graph.sum_node[k]), summed, k)
        for lane in range(lanes):
            i = block + lane
            for k in range(len(graph.linear_node)):
                by_scalar[i, graph.linear_scalar[k]] = moments[graph.linear_node[k], lane]
            for leaf in range(len(graph.leaf_scalar)):
                b = 0.0
                for t in range(graph.leaf_first[leaf], graph.leaf_first[leaf + 1]):
                    pair = graph.leaf_pair[t]
                    b += graph.leaf_factor[t] * (
                        moments[graph.pair_left[pair], lane] * moments[graph.pair_right[pair], lane]
                    )
                by_scalar[i, graph.leaf_scalar[leaf]] = b
            energy_weights(graph, padded[lane], high, pairs, lane * rows, summed, lane, power, weights)
            for k in range(len(by_tables)):
                store(spread(0.0, radial), by_tables, k)
            sum_by_tables(
                padded[lane], segment[i], n_radial, size, weights, polynomials, lane * vectors * size, by_tables
            )
            for s in range(n_species):
                for mu in range(n_radial):
                    for k in range(2 * size):
                        table_gradient[k] = total(load(by_tables, (s * n_radial + mu) * 2 * size + k))
                    add_by_coefficients(table_gradient, low, high, model.scaling, by_radial[i, s, mu])
    return by_radial, by_scalar
