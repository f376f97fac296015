"""Energy, forces and virial of a moment tensor potential: one forward and one reverse sweep, no stored Jacobian.

E_i = shift + sum_alpha xi_alpha B_alpha. The reverse sweep gives A = dE_i/dM for every basic moment. Then, for each
neighbour, with P_mu(u) = sum_k A_k u^k over the moments k of this mu,

    dE_i/dr_ij = u sum_mu f'_mu P_mu + (1 - u u^T)/r . sum_mu f_mu grad P_mu .

The coefficients of the polynomial grad P_mu are entries of A times an exponent, and are the same for all neighbours.
P_mu costs nothing more: it is a sum of homogeneous parts, and u . grad of a part of degree d is d times the part.

Eight atoms form a block. In the sums over neighbours and in the forces, the lanes of a vector are neighbours of one
atom; in the graph of products between them, the lanes are the eight atoms. The unit vectors, f_mu and f'_mu are kept
for the forces (about 5 KB per atom); the monomials are computed again, which is cheaper than reading them.
`electrolyte_ml._benchmarks.pairs.energy_forces_flops` counts the flops.
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.contractions import forward, reverse
from electrolyte_ml.kernels.lanes import KERNEL, LANES, PIECE, aligned, load, spread, store, total, width
from electrolyte_ml.kernels.moments import monomials, polynomial_gradient, slope_coefficients, sum_moments
from electrolyte_ml.kernels.radial import (
    DISTANCE,
    INVERSE,
    RADIAL,
    X,
    Y,
    Z,
    columns_of,
    load_pairs,
    radial_tables,
    radial_values,
)


@njit(**PIECE)
def pair_forces(graph, n_radial, n, pairs, base, slopes, adjoint, lane, power, out):
    """Set `out` (3, n) to dE_i/dr_ij for the neighbours of one atom: about (6 terms + 20 groups) n flops."""
    for j in range(0, n, width(pairs)):
        x, y, z = load(pairs, base + X, j), load(pairs, base + Y, j), load(pairs, base + Z, j)
        monomials(graph, graph.n_lower, x, y, z, power)
        gx, gy, gz, along = spread(0.0, pairs), spread(0.0, pairs), spread(0.0, pairs), spread(0.0, pairs)
        for k in range(len(graph.constant_mu)):
            df = load(pairs, base + RADIAL + n_radial + graph.constant_mu[k], j)
            along += adjoint[graph.constant_node[k], lane] * df
        for group in range(len(graph.slope_mu)):
            px, py, pz = polynomial_gradient(graph, group, slopes, lane, power)
            f = load(pairs, base + RADIAL + graph.slope_mu[group], j)
            df = load(pairs, base + RADIAL + n_radial + graph.slope_mu[group], j)
            along += df * graph.slope_share[group] * (px * x + py * y + pz * z)
            gx += f * px
            gy += f * py
            gz += f * pz
        inverse = load(pairs, base + INVERSE, j)
        along -= (gx * x + gy * y + gz * z) * inverse
        store(gx * inverse + along * x, out, 0, j)
        store(gy * inverse + along * y, out, 1, j)
        store(gz * inverse + along * z, out, 2, j)


@njit(**PIECE)
def add_to_atom(n, pairs, base, gradient, force, virial):
    """Add sum_j dE_i/dr_ij to `force` (3,) and sum_j r_ij (x) dE_i/dr_ij to `virial` (3, 3).

    The virial is symmetric because E_i is invariant to rotations: 6 of 9 components are summed.
    """
    fx, fy, fz = spread(0.0, pairs), spread(0.0, pairs), spread(0.0, pairs)
    xx, yy, zz = spread(0.0, pairs), spread(0.0, pairs), spread(0.0, pairs)
    yz, xz, xy = spread(0.0, pairs), spread(0.0, pairs), spread(0.0, pairs)
    for j in range(0, n, width(pairs)):
        gx, gy, gz = load(gradient, 0, j), load(gradient, 1, j), load(gradient, 2, j)
        r = load(pairs, base + DISTANCE, j)
        x, y, z = r * load(pairs, base + X, j), r * load(pairs, base + Y, j), r * load(pairs, base + Z, j)
        fx += gx
        fy += gy
        fz += gz
        xx += x * gx
        yy += y * gy
        zz += z * gz
        yz += y * gz
        xz += x * gz
        xy += x * gy
    force[0] += total(fx)
    force[1] += total(fy)
    force[2] += total(fz)
    off_yz, off_xz, off_xy = total(yz), total(xz), total(xy)
    virial[0, 0] += total(xx)
    virial[1, 1] += total(yy)
    virial[2, 2] += total(zz)
    virial[1, 2] += off_yz
    virial[2, 1] += off_yz
    virial[0, 2] += off_xz
    virial[2, 0] += off_xz
    virial[0, 1] += off_xy
    virial[1, 0] += off_xy


@njit(**KERNEL, nogil=True)
def energy_forces(begin, end, model, near, energies, forces, virials):
    """Compute the atoms begin:end on the calling thread: add to `forces` and `virials`, set `energies`.

    Parameters
    ----------
    begin, end : int
        Threads with different ranges need separate arrays `forces`, which also receive the reaction on neighbours; they
        may share all other arrays.
    model : Model
    near : Neighbours
    energies : (N,) float64, eV
    forces : (N, 3) float64, eV/Å
    virials : (N, 3, 3) float64, eV
        sum_j r_ij (x) dE_i/dr_ij of each atom.
    """
    graph, radial, low, high = model.graph, model.radial, model.low, model.high
    species, segment, index, vector = near.species, near.segment, near.other, near.vector
    n_species, n_radial, size = radial.shape[1], radial.shape[2], radial.shape[3]
    tables = radial_tables(radial, low, high, model.scaling)
    lanes = width(radial)
    columns = columns_of(segment, begin, end, lanes)
    rows = RADIAL + 2 * n_radial
    pairs = aligned(LANES * rows, columns, radial)
    polynomials = aligned((columns // lanes + n_species) * size, lanes, radial)
    powers = aligned(3 * graph.n_powers, columns, radial)
    linear = model.linear
    moments, adjoint = aligned(graph.n_nodes + 1, LANES, linear), aligned(graph.n_nodes, LANES, linear)
    slopes = aligned(3 * len(graph.slope_monomial), LANES, radial)
    power = aligned(graph.n_lower, lanes, radial)
    gradient = aligned(3, columns, radial)
    energy = aligned(1, LANES, linear)
    padded = np.zeros(LANES, np.int64)
    for block in range(begin, end, LANES):
        atoms = min(LANES, end - block)
        for lane in range(atoms):
            i = block + lane
            first, base = segment[i, 0], lane * rows
            n = load_pairs(vector, first, segment[i, n_species], high, pairs, base)
            padded[lane] = n
            radial_values(n, segment[i], tables[species[i]], low, high, pairs, base, polynomials, 0)
            sum_moments(graph, n, pairs, base, powers, moments, lane)
        forward(graph, moments)
        store(reverse(graph, linear, model.quad, moments, adjoint), energy, 0)
        slope_coefficients(graph, adjoint, slopes)
        for lane in range(atoms):
            i = block + lane
            n, base, first = padded[lane], lane * rows, segment[i, 0]
            energies[i] = energy[0, lane] + model.shifts[species[i]]
            pair_forces(graph, n_radial, n, pairs, base, slopes, adjoint, lane, power, gradient)
            add_to_atom(n, pairs, base, gradient, forces[i], virials[i])
            for j in range(segment[i, n_species] - first):
                other = np.uint32(index[first + j])  # avoids numba's test for negative indices
                forces[other, 0] -= gradient[0, j]
                forces[other, 1] -= gradient[1, j]
                forces[other, 2] -= gradient[2, j]
