"""Derivatives of each site energy by the parameters: the rows of MaxVol.

    dE_i/dxi_alpha = B_alpha(n_i),    dE_i/dc[z_i, s, mu, beta] = sum_{j of species s} phi_beta(r_ij) sum_k A_k u_ij^k,

with A = dE_i/dM from the same sweeps as the forces; about the cost of one energy-force evaluation.
"""

import numpy as np
from numba import njit

from .energy_forces import forward, reverse
from .moments import FAST, LANES, chebyshev, load_neighbours, monomials, radial_functions, sum_moments


@njit(cache=True, error_model="numpy", fastmath=FAST)
def radial_sums(graph, n, power, adjoint, lane, total):
    """total[mu, j] = sum of A_k u_j^k over the summed moments k of this mu."""
    total[:, :n] = 0.0
    for k in range(len(graph.sum_mu)):
        mu, m = graph.sum_mu[k], graph.sum_monomial[k]
        a = adjoint[graph.sum_node[k], lane]
        for j in range(n):
            total[mu, j] += a * power[m, j]


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def site_gradients(graph, linear, quad, radial, xi, low, high, scaling, species, segment, vector):
    """Rows of all atoms, on the calling thread.

    Parameters
    ----------
    graph, linear, quad, radial, low, high, scaling, species, segment, vector
        As in `energy_forces`.
    xi : (n_scalars,) float64
        Only its length is used.

    Returns
    -------
    by_radial : (N, S, R, size)
        dE_i/dc[z_i, s, mu, beta]; by the coefficients of other central species it is zero.
    by_scalar : (N, n_scalars)
    """
    n_atoms = len(species)
    n_species, n_radial, size = radial.shape[1], radial.shape[2], radial.shape[3]
    by_radial = np.zeros((n_atoms, n_species, n_radial, size))
    by_scalar = np.zeros((n_atoms, len(xi)))
    most = 0
    for i in range(n_atoms):
        most = max(most, segment[i, n_species] - segment[i, 0])
    most = (most + LANES - 1) // LANES * LANES
    x, y, z, r = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    f, df = np.empty((n_radial, most)), np.empty((n_radial, most))
    value, slope = np.empty((LANES, size, most)), np.empty((size, most))
    power = np.empty((LANES, len(graph.parent), most))
    total = np.empty((n_radial, most))
    moments, adjoint = np.zeros((graph.n_nodes, LANES)), np.zeros((graph.n_nodes, LANES))
    energy = np.zeros(LANES)
    padded = np.zeros(LANES, np.int64)
    for block in range(0, n_atoms, LANES):
        lanes = min(LANES, n_atoms - block)
        for lane in range(lanes):
            i = block + lane
            first = segment[i, 0]
            n = load_neighbours(vector, first, segment[i, n_species], high, x, y, z, r)
            padded[lane] = n
            chebyshev(n, r, low, high, scaling, value[lane], slope)
            radial_functions(n, segment[i], first, radial[species[i]], value[lane], slope, f, df)
            monomials(n, x, y, z, graph.parent, graph.axis, power[lane])
            sum_moments(n, f, power[lane], graph.sum_mu, graph.sum_monomial, graph.sum_node, moments, lane)
        forward(graph, moments)
        reverse(graph, linear, quad, moments, adjoint, energy)
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
            n = padded[lane]
            radial_sums(graph, n, power[lane], adjoint, lane, total)
            for s in range(n_species):
                lo, hi = segment[i, s] - segment[i, 0], segment[i, s + 1] - segment[i, 0]
                for mu in range(n_radial):
                    for b in range(size):
                        g = 0.0
                        for j in range(lo, hi):
                            g += value[lane, b, j] * total[mu, j]
                        by_radial[i, s, mu, b] = g
    return by_radial, by_scalar
