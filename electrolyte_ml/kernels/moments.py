"""The pieces that every moment tensor kernel is made of, for one atom or one block of atoms.

Equations (Chalykh et al. 4.1), with unit vectors u = r_ij / r_ij:

    f_mu(r) = sum_beta c[z_i, z_j, mu, beta] phi_beta(r),   phi_beta(r) = scaling (Rcut - r)^2 T_beta(xi(r))
    M(mu; a, b, c) = sum_j f_mu(r_ij) u_x^a u_y^b u_z^c

One atom's neighbours are the fast axis of every array here, sorted by species (the radial coefficients are then
scalars of the inner loop) and padded to a multiple of LANES with points at r = Rcut, where f and f' are exactly 0.
After that, LANES atoms go through the graph of products together: `moments[node, lane]`.

Counts below are per atom with n neighbours; R radial functions, m monomials, K summed moments.
"""

import numpy as np
from numba import njit

LANES = 8  # one AVX-512 register of doubles, two AVX2 ones

# Sums may be reassociated (that is what lets them be vectorised) but a NaN must stay a NaN.
FAST = {"reassoc", "contract", "nsz", "arcp"}


@njit(cache=True, error_model="numpy", fastmath=FAST)
def load_neighbours(vector, begin, end, cutoff, x, y, z, r):
    """Unit vectors and distances of the pairs begin:end, padded; returns the padded number."""
    n = end - begin
    for j in range(n):
        dx, dy, dz = vector[0, begin + j], vector[1, begin + j], vector[2, begin + j]
        distance = np.sqrt(dx * dx + dy * dy + dz * dz)
        inverse = 1.0 / distance
        r[j] = distance
        x[j], y[j], z[j] = dx * inverse, dy * inverse, dz * inverse
    padded = (n + LANES - 1) // LANES * LANES
    for j in range(n, padded):
        r[j] = cutoff
        x[j], y[j], z[j] = 1.0, 0.0, 0.0
    return padded


@njit(cache=True, error_model="numpy", fastmath=FAST)
def chebyshev(n, r, low, high, scaling, value, slope):
    """phi_beta(r) and phi'_beta(r) of `n` distances (eq. 5): (size, n) each, about 8 n flops a function."""
    size = value.shape[0]
    to_xi = 2.0 / (high - low)
    for j in range(n):
        value[0, j] = 1.0
        slope[0, j] = 0.0
    if size > 1:
        for j in range(n):
            value[1, j] = (r[j] - low) * to_xi - 1.0
            slope[1, j] = 1.0
    for b in range(2, size):
        for j in range(n):
            xi2 = 2.0 * value[1, j]
            value[b, j] = xi2 * value[b - 1, j] - value[b - 2, j]
            slope[b, j] = 2.0 * value[b - 1, j] + xi2 * slope[b - 1, j] - slope[b - 2, j]
    for b in range(size):
        for j in range(n):
            gap = high - r[j]
            t = value[b, j]
            value[b, j] = scaling * gap * gap * t
            slope[b, j] = scaling * gap * (gap * to_xi * slope[b, j] - 2.0 * t)


@njit(cache=True, error_model="numpy", fastmath=FAST)
def radial_functions(n, segment, begin, coefficients, value, slope, f, df):
    """f_mu and f'_mu of each neighbour: (R, n) each, 4 R n size flops.

    `coefficients` (S, R, size) belong to the central atom's species; `segment` (S + 1,) bounds the neighbours of each
    species, offset by `begin`.
    """
    n_species, n_radial, size = coefficients.shape
    real = segment[n_species] - begin
    for mu in range(n_radial):
        for s in range(n_species):
            lo, hi = segment[s] - begin, segment[s + 1] - begin
            for j in range(lo, hi):
                f[mu, j] = 0.0
                df[mu, j] = 0.0
            for b in range(size):
                c = coefficients[s, mu, b]
                for j in range(lo, hi):
                    f[mu, j] += c * value[b, j]
                    df[mu, j] += c * slope[b, j]
        for j in range(real, n):
            f[mu, j] = 0.0
            df[mu, j] = 0.0


@njit(cache=True, error_model="numpy", fastmath=FAST)
def monomials(n, x, y, z, parent, axis, out):
    """u_x^a u_y^b u_z^c of each neighbour: (m, n), one product each."""
    for j in range(n):
        out[0, j] = 1.0
    for m in range(1, len(parent)):
        p = parent[m]
        if axis[m] == 0:
            for j in range(n):
                out[m, j] = out[p, j] * x[j]
        elif axis[m] == 1:
            for j in range(n):
                out[m, j] = out[p, j] * y[j]
        else:
            for j in range(n):
                out[m, j] = out[p, j] * z[j]


@njit(cache=True, error_model="numpy", fastmath=FAST)
def sum_moments(n, f, power, sum_mu, sum_monomial, sum_node, moments, lane):
    """M = sum_j f_mu(r_j) u_j^abc for the moments that need a sum: 2 K n flops."""
    for k in range(len(sum_mu)):
        mu, m = sum_mu[k], sum_monomial[k]
        total = 0.0
        for j in range(n):
            total += f[mu, j] * power[m, j]
        moments[sum_node[k], lane] = total


@njit(cache=True, error_model="numpy", fastmath=FAST)
def fill_traces(trace, moments):
    """Because |u| = 1, a moment is the trace of the one of the same mu and two ranks more."""
    for t in range(trace.shape[0]):
        a, b, c, node = trace[t, 0], trace[t, 1], trace[t, 2], trace[t, 3]
        for lane in range(LANES):
            moments[node, lane] = moments[a, lane] + moments[b, lane] + moments[c, lane]


@njit(cache=True, error_model="numpy", fastmath=FAST)
def spread_traces(trace, adjoint):
    """The transpose of `fill_traces`: a derivative by a trace is one by each of its three terms."""
    for t in range(trace.shape[0] - 1, -1, -1):
        a, b, c, node = trace[t, 0], trace[t, 1], trace[t, 2], trace[t, 3]
        for lane in range(LANES):
            adjoint[a, lane] += adjoint[node, lane]
            adjoint[b, lane] += adjoint[node, lane]
            adjoint[c, lane] += adjoint[node, lane]


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def gather_products(left, right, i, j, factor, first, last, out, node):
    """out[node] += sum over terms of factor * left[i] * right[j], for LANES atoms: 3 LANES flops a term.

    Written out by lane: the sums stay in registers and one store ends them, so the compiler need not prove that `out`
    is neither `left` nor `right`.
    """
    s0, s1, s2, s3 = out[node, 0], out[node, 1], out[node, 2], out[node, 3]
    s4, s5, s6, s7 = out[node, 4], out[node, 5], out[node, 6], out[node, 7]
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
    out[node, 0], out[node, 1], out[node, 2], out[node, 3] = s0, s1, s2, s3
    out[node, 4], out[node, 5], out[node, 6], out[node, 7] = s4, s5, s6, s7


@njit(cache=True, error_model="numpy", fastmath=FAST, inline="always")
def gather_linear(source, j, factor, first, last, out, node):
    """out[node] += sum over terms of factor * source[j], for LANES atoms."""
    s0, s1, s2, s3 = out[node, 0], out[node, 1], out[node, 2], out[node, 3]
    s4, s5, s6, s7 = out[node, 4], out[node, 5], out[node, 6], out[node, 7]
    for t in range(first, last):
        b, c = j[t], factor[t]
        s0 += c * source[b, 0]
        s1 += c * source[b, 1]
        s2 += c * source[b, 2]
        s3 += c * source[b, 3]
        s4 += c * source[b, 4]
        s5 += c * source[b, 5]
        s6 += c * source[b, 6]
        s7 += c * source[b, 7]
    out[node, 0], out[node, 1], out[node, 2], out[node, 3] = s0, s1, s2, s3
    out[node, 4], out[node, 5], out[node, 6], out[node, 7] = s4, s5, s6, s7
