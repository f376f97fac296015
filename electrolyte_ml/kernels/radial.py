"""Unit vectors, distances and radial functions f_mu of the neighbours of one atom.

    f_mu(r) = sum_beta c[z_i, z_j, mu, beta] phi_beta(r),   phi_beta(r) = scaling (Rcut - r)^2 T_beta(xi(r))

(eq. 5 of Chalykh et al.). The columns are neighbours. They are sorted by species, so that a coefficient is the same for
a whole vector, and padded to whole vectors by points at r = Rcut, where f and f' are exactly 0.

T_b = (U_b - U_(b-2)) / 2 and T'_b = b U_(b-1) with the Chebyshev polynomials U of the second kind: one recursion gives
the functions and their slopes. `tables` holds the coefficients in U of gap^-2 f and of its derivative by r, with gap =
Rcut - r.

Flops are counted per neighbour, for R radial functions of `size` terms.
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.lanes import LANES, PIECE, aligned, load, root, spread, store, width

X, Y, Z, DISTANCE, INVERSE, RADIAL = 0, 1, 2, 3, 4, 5  # rows of an atom's pairs; from RADIAL on f_mu, then all f'_mu


@njit(**PIECE)
def columns_of(segment, begin, end, lanes):
    """Return the number of columns for the neighbours of any of the atoms begin:end, padded by one more vector."""
    most = 0
    for i in range(begin, end):
        most = max(most, segment[i, -1] - segment[i, 0])
    return (most + lanes - 1) // lanes * lanes + lanes


@njit(**PIECE)
def load_pairs(vector, begin, end, cutoff, pairs, base):
    """Set the rows from `base` on to unit vectors and distances of the pairs begin:end; return their padded number."""
    n, lanes = end - begin, width(pairs)
    padded = (n + lanes - 1) // lanes * lanes
    for axis in range(3):
        for j in range(n):
            pairs[base + axis, j] = vector[axis, begin + j]
        for j in range(n, padded):
            pairs[base + axis, j] = cutoff if axis == 0 else 0.0
    for j in range(0, padded, lanes):
        x, y, z = load(pairs, base + X, j), load(pairs, base + Y, j), load(pairs, base + Z, j)
        r = root(x * x + y * y + z * z)
        inverse = 1.0 / r
        store(x * inverse, pairs, base + X, j)
        store(y * inverse, pairs, base + Y, j)
        store(z * inverse, pairs, base + Z, j)
        store(r, pairs, base + DISTANCE, j)
        store(inverse, pairs, base + INVERSE, j)
    return padded


@njit(**PIECE)
def radial_tables(radial, low, high, scaling):
    """Convert coefficients c (S, S, R, size) to those of the functions and their slopes in U_k: (S, S, R, 2 size)."""
    n_species, _, n_radial, size = radial.shape
    tables = np.zeros((n_species, n_species, n_radial, 2 * size), radial.dtype)
    for a in range(n_species):
        for b in range(n_species):
            for mu in range(n_radial):
                for k in range(size):
                    c = scaling * radial[a, b, mu, k]
                    tables[a, b, mu, k] += c if k == 0 else 0.5 * c
                    if k > 1:
                        tables[a, b, mu, k - 2] -= 0.5 * c
                    if k > 0:
                        tables[a, b, mu, size + k - 1] = 2.0 * k / (high - low) * c
    return tables


@njit(**PIECE)
def add_by_coefficients(by_tables, low, high, scaling, out):
    """Apply the transpose of `radial_tables` for one pair of species and one mu: (2 size,) adds to `out` (size,)."""
    size = len(out)
    for k in range(size):
        total = by_tables[k] if k == 0 else 0.5 * by_tables[k]
        if k > 1:
            total -= 0.5 * by_tables[k - 2]
        if k > 0:
            total += 2.0 * k / (high - low) * by_tables[size + k - 1]
        out[k] += scaling * total


@njit(**PIECE)
def vectors_of(segment, s, n):
    """Return the first column and the end of the neighbours of species s, from the bounds `segment` (S + 1,).

    The last vector of a species may write beyond the end; the next species overwrites this. The range of the last
    species includes the padding.
    """
    return segment[s] - segment[0], segment[s + 1] - segment[0] if s < len(segment) - 2 else n


@njit(**PIECE)
def radial_values(n, segment, tables, low, high, pairs, base, polynomials, top):
    """Set f_mu, f'_mu and the U_k of each vector of neighbours: about (2 + 4 R) size flops.

    `tables` (S, R, 2 size) belongs to the species of the central atom. U_k is written to the rows of `polynomials` from
    `top` on.
    """
    n_species, n_radial, size = tables.shape[0], tables.shape[1], tables.shape[2] // 2
    to_xi = 2.0 / (high - low)
    for s in range(n_species):
        begin, end = vectors_of(segment, s, n)
        for j in range(begin, end, width(pairs)):
            r = load(pairs, base + DISTANCE, j)
            twice = 2.0 * ((r - low) * to_xi - 1.0)
            before, u = spread(0.0, pairs), spread(1.0, pairs)
            for k in range(size):
                store(u, polynomials, top + k)
                before, u = u, twice * u - before
            gap = high - r
            for mu in range(n_radial):
                f, df = spread(0.0, pairs), spread(0.0, pairs)
                for k in range(size):
                    u = load(polynomials, top + k)
                    f += tables[s, mu, k] * u
                    df += tables[s, mu, size + k] * u
                store(gap * gap * f, pairs, base + RADIAL + mu, j)
                store(gap * (gap * df - 2.0 * f), pairs, base + RADIAL + n_radial + mu, j)
            top += size


@njit(**PIECE)
def sum_by_tables(n, segment, n_radial, size, weights, polynomials, top, out):
    """Add to the derivatives by the tables of the species of the central atom: 4 R size flops.

    `weights` (2 R, n) are the factors of U_k; the caller sums `out` (S R 2 size, LANES) over lanes, once for many
    atoms. The last vector of a species contains neighbours of the next species: `mask` excludes them.
    """
    mask = aligned(1, 2 * LANES, weights)
    for k in range(LANES):
        mask[0, k] = 1.0
    for s in range(len(segment) - 1):
        begin, end = vectors_of(segment, s, n)
        for j in range(begin, end, LANES):
            inside = load(mask, 0, LANES - min(LANES, end - j))
            for mu in range(n_radial):
                value = inside * load(weights, mu, j)
                slope = inside * load(weights, n_radial + mu, j)
                row = (s * n_radial + mu) * 2 * size
                for k in range(size):
                    u = load(polynomials, top + k)
                    store(load(out, row + k) + value * u, out, row + k)
                    store(load(out, row + size + k) + slope * u, out, row + size + k)
            top += size
