"""Gradient of a loss of energies, forces and stresses by all parameters: one tangent and one reverse sweep.

With alpha = dL/dE of the configuration, W = dL/dF, S = dL/dVirial and w_ij = W_i - W_j + S r_ij, the chain rule gives

    dL/dtheta = d/dtheta [ alpha E + D ],     D = sum_ij w_ij . dE_i/dr_ij,

because F_i = sum_j (dE_i/dr_ij - dE_j/dr_ji). D is the derivative of E along the displacements w_ij, so a forward sweep
of the moments M and their tangents dM gives dB_alpha = dD/dxi_alpha, and a reverse sweep of A = dE/dM and its tangent
dA gives the derivative by the radial functions. With P_mu = sum_k A_k u^k as for the forces,

    dL/df_mu(r_j) = sum_k (alpha A_k + dA_k) u^k + du . grad P_mu,      dL/df'_mu(r_j) = dr P_mu .

The Jacobian of the forces is never formed; memory grows with the number of pairs only. The blocks are those of
`energy_forces`. The derivatives by the radial tables are summed in vectors over all atoms of the range; at its end the
lanes are added, and derivatives by the tables are converted to derivatives by the coefficients of the potential.
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.lanes import KERNEL, LANES, PIECE, aligned, at, load, put, spread, store, total
from electrolyte_ml.kernels.moments import (
    fill_traces,
    monomials,
    polynomial,
    polynomial_gradient,
    slope_coefficients,
    spread_traces,
)
from electrolyte_ml.kernels.radial import (
    DISTANCE,
    INVERSE,
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

DX, DY, DZ, DR, MOVES = 0, 1, 2, 3, 4  # rows of the tangents of the pairs of an atom, and number of rows


@njit(**PIECE)
def load_moves(vector, index, weights, stretch, i, begin, end, n, pairs, base, moves, to):
    """Set the tangents of u and r along w_ij = W_i - W_j + S r_ij for the neighbours of atom i."""
    for p in range(begin, end):
        other, j = index[p], p - begin
        vx, vy, vz = vector[0, p], vector[1, p], vector[2, p]
        for axis in range(3):
            strain = stretch[i, axis, 0] * vx + stretch[i, axis, 1] * vy + stretch[i, axis, 2] * vz
            moves[to + axis, j] = weights[i, axis] - weights[other, axis] + strain
    for j in range(end - begin, n):
        moves[to + DX, j], moves[to + DY, j], moves[to + DZ, j] = 0.0, 0.0, 0.0
    for j in range(0, n, LANES):
        x, y, z = load(pairs, base + X, j), load(pairs, base + Y, j), load(pairs, base + Z, j)
        wx, wy, wz = load(moves, to + DX, j), load(moves, to + DY, j), load(moves, to + DZ, j)
        inverse, along = load(pairs, base + INVERSE, j), wx * x + wy * y + wz * z
        store((wx - along * x) * inverse, moves, to + DX, j)
        store((wy - along * y) * inverse, moves, to + DY, j)
        store((wz - along * z) * inverse, moves, to + DZ, j)
        store(along, moves, to + DR, j)


@njit(**PIECE)
def sum_tangents(graph, n, pairs, base, moves, to, powers, moments, dmoments, lane):
    """Sum M as in `sum_moments`, and dM = sum_j (f' dr u^k + f du^k): 15/2 flops per neighbour and moment.

    `powers` (6 n_powers, n) is overwritten by f_mu x^a, y^b, z^c, then by their tangents.
    """
    n_radial, rows = len(graph.sum_first) - 1, graph.n_powers
    y_rows, z_rows, tangent = rows, 2 * rows, 3 * rows
    for j in range(0, n, LANES):
        y, z, dy, dz = (
            load(pairs, base + Y, j),
            load(pairs, base + Z, j),
            load(moves, to + DY, j),
            load(moves, to + DZ, j),
        )
        yb, zc, dyb, dzc = spread(1.0, pairs), spread(1.0, pairs), spread(0.0, pairs), spread(0.0, pairs)
        for k in range(rows):
            store(yb, powers, y_rows + k, j)
            store(zc, powers, z_rows + k, j)
            store(dyb, powers, tangent + y_rows + k, j)
            store(dzc, powers, tangent + z_rows + k, j)
            dyb, dzc = dyb * y + yb * dy, dzc * z + zc * dz
            yb *= y
            zc *= z
    for mu in range(n_radial):
        for j in range(0, n, LANES):
            x, dx = load(pairs, base + X, j), load(moves, to + DX, j)
            fx = load(pairs, base + RADIAL + mu, j)
            dfx = load(pairs, base + RADIAL + n_radial + mu, j) * load(moves, to + DR, j)
            for k in range(graph.column_powers[mu]):
                store(fx, powers, k, j)
                store(dfx, powers, tangent + k, j)
                dfx = dfx * x + fx * dx
                fx *= x
        for k in range(graph.column_first[mu], graph.column_first[mu + 1]):
            a, b, c = at(graph.column_x, k), y_rows + at(graph.column_y, k), z_rows + at(graph.column_z, k)
            low = max(c - 1, z_rows)
            above, below = spread(0.0, pairs), spread(0.0, pairs)
            dabove, dbelow = spread(0.0, pairs), spread(0.0, pairs)
            for j in range(0, n, LANES):
                fx, yb = load(powers, a, j), load(powers, b, j)
                part = fx * yb
                dpart = load(powers, tangent + a, j) * yb + fx * load(powers, tangent + b, j)
                z_above, z_below = load(powers, c, j), load(powers, low, j)
                above += part * z_above
                below += part * z_below
                dabove += dpart * z_above + part * load(powers, tangent + c, j)
                dbelow += dpart * z_below + part * load(powers, tangent + low, j)
            node, other = at(graph.column_node, k), at(graph.column_below, k)
            put(total(above), moments, node, lane)
            put(total(below), moments, other, lane)
            put(total(dabove), dmoments, node, lane)
            put(total(dbelow), dmoments, other, lane)


@njit(**PIECE)
def forward_tangents(graph, moments, dmoments):
    """Compute traces, inner nodes and their tangents for LANES atoms: 8 LANES flops per product."""
    fill_traces(graph.trace, moments)
    fill_traces(graph.trace, dmoments)
    for t in range(graph.n_nodes - graph.n_basic):
        node, dnode = spread(0.0, moments), spread(0.0, moments)
        for p in range(graph.forward_first[t], graph.forward_first[t + 1]):
            a, b, factor = at(graph.forward_left, p), at(graph.forward_right, p), at(graph.forward_factor, p)
            left, right = factor * load(moments, a), load(moments, b)
            node += left * right
            dnode += left * load(dmoments, b) + factor * load(dmoments, a) * right
        store(node, moments, graph.n_basic + t)
        store(dnode, dmoments, graph.n_basic + t)


@njit(**PIECE)
def reverse_tangents(graph, linear, quad, moments, dmoments, adjoint, dadjoint):
    """Compute A and dA of every node for LANES atoms.

    Cost: 8 LANES flops per factor of a product, 4 LANES per term of the quadratic form.
    """
    for node in range(graph.n_nodes - 1, -1, -1):
        a, da = spread(linear[node], moments), spread(0.0, moments)
        for p in range(graph.quad_first[node], graph.quad_first[node + 1]):
            other = at(graph.quad_other, p)
            a += at(quad, p) * load(moments, other)
            da += at(quad, p) * load(dmoments, other)
        for p in range(graph.reverse_first[node], graph.reverse_first[node + 1]):
            target, other, factor = at(graph.reverse_target, p), at(graph.reverse_other, p), at(graph.reverse_factor, p)
            above, m = factor * load(adjoint, target), load(moments, other)
            a += above * m
            da += above * load(dmoments, other) + factor * load(dadjoint, target) * m
        store(a, adjoint, node)
        store(da, dadjoint, node)
    spread_traces(graph.trace, adjoint)
    spread_traces(graph.trace, dadjoint)


@njit(**PIECE)
def add_scalars(graph, alpha, moments, dmoments, by_node, by_pair):
    """Add alpha B + dB, summed over lanes, for basis functions that are nodes and for the products of the leaves."""
    for k in range(len(graph.linear_node)):
        node = graph.linear_node[k]
        by_node[k] += total(load(alpha, 0) * load(moments, node) + load(dmoments, node))
    for p in range(len(graph.pair_left)):
        a, b = graph.pair_left[p], graph.pair_right[p]
        left, right = load(moments, a), load(moments, b)
        value = (load(alpha, 0) * left + load(dmoments, a)) * right + left * load(dmoments, b)
        by_pair[p] += total(value)


@njit(**PIECE)
def blend(graph, alpha, adjoint, dadjoint, out):
    """Set `out` to alpha A + dA of the summed moments for LANES atoms."""
    for k in range(len(graph.sum_node)):
        node = graph.sum_node[k]
        store(load(alpha, 0) * load(adjoint, node) + load(dadjoint, node), out, k)


@njit(**PIECE)
def loss_weights(graph, n, high, pairs, base, moves, to, slopes, adjoint, blended, lane, power, weights):
    """Set the factors of U_k in dL/d(tables) for each neighbour, for the functions and their slopes: (2 R, n).

    Cost per neighbour: one flop per monomial, two per summed moment, six per term of grad P_mu and about twelve for
    each of its degrees.
    """
    n_radial = len(graph.sum_first) - 1
    for j in range(0, n, LANES):
        x, y, z = load(pairs, base + X, j), load(pairs, base + Y, j), load(pairs, base + Z, j)
        dx, dy, dz = load(moves, to + DX, j), load(moves, to + DY, j), load(moves, to + DZ, j)
        monomials(graph, len(graph.monomial_left), x, y, z, power)
        for mu in range(n_radial):
            store(polynomial(graph, mu, blended, lane, power), weights, mu, j)
            store(spread(0.0, pairs), weights, n_radial + mu, j)
        for k in range(len(graph.constant_mu)):
            row = n_radial + graph.constant_mu[k]
            store(load(weights, row, j) + adjoint[graph.constant_node[k], lane], weights, row, j)
        for group in range(len(graph.slope_mu)):
            px, py, pz = polynomial_gradient(graph, group, slopes, lane, power)
            mu = graph.slope_mu[group]
            store(load(weights, mu, j) + px * dx + py * dy + pz * dz, weights, mu, j)
            part = (px * x + py * y + pz * z) * graph.slope_share[group]
            store(load(weights, n_radial + mu, j) + part, weights, n_radial + mu, j)
        # f = gap^2 e . U and f' = gap^2 d . U - 2 gap e . U: the weight of the slope contributes to both tables.
        gap, dr = high - load(pairs, base + DISTANCE, j), load(moves, to + DR, j)
        for mu in range(n_radial):
            by_slope = dr * gap * load(weights, n_radial + mu, j)
            store(gap * gap * load(weights, mu, j) - 2.0 * by_slope, weights, mu, j)
            store(gap * by_slope, weights, n_radial + mu, j)


@njit(**KERNEL, nogil=True)
def training_gradient(begin, end, model, near, cotangents, gradient):
    """Add the contributions of the atoms begin:end to the derivatives of the loss, on the calling thread.

    Parameters
    ----------
    begin, end : int
    model : Model
        In double precision.
    near : Neighbours
    cotangents : Cotangents
    gradient : ModelGradient
    """
    graph, radial, low, high = model.graph, model.radial, model.low, model.high
    species, segment, index, vector = near.species, near.segment, near.other, near.vector
    n_species, n_radial, size = radial.shape[1], radial.shape[2], radial.shape[3]
    tables = radial_tables(radial, low, high, model.scaling)
    columns = columns_of(segment, begin, end, LANES)
    rows = RADIAL + 2 * n_radial
    vectors = columns // LANES + n_species  # per atom; the last vector of a species may be partly filled
    pairs, moves = aligned(LANES * rows, columns, radial), aligned(LANES * MOVES, columns, radial)
    polynomials, powers = aligned(LANES * vectors * size, LANES, radial), aligned(6 * graph.n_powers, columns, radial)
    moments, dmoments = aligned(graph.n_nodes + 1, LANES, radial), aligned(graph.n_nodes + 1, LANES, radial)
    adjoint, dadjoint = aligned(graph.n_nodes, LANES, radial), aligned(graph.n_nodes, LANES, radial)
    slopes, blended = aligned(3 * len(graph.slope_monomial), LANES, radial), aligned(len(graph.sum_node), LANES, radial)
    power, by_function = aligned(len(graph.monomial_left), LANES, radial), aligned(2 * n_radial, columns, radial)
    by_tables = np.zeros((n_species, n_species * n_radial * 2 * size, LANES))
    lane_alpha = aligned(1, LANES, radial)
    padded = np.zeros(LANES, np.int64)
    for block in range(begin, end, LANES):
        lanes = min(LANES, end - block)
        if lanes < LANES:
            moments[:] = 0.0  # empty lanes must contribute nothing
            dmoments[:] = 0.0
        for lane in range(lanes):
            i, base, to = block + lane, lane * rows, lane * MOVES
            first, last = segment[i, 0], segment[i, n_species]
            n = load_pairs(vector, first, last, high, pairs, base)
            padded[lane] = n
            lane_alpha[0, lane] = cotangents.energy[i]
            load_moves(vector, index, cotangents.force, cotangents.virial, i, first, last, n, pairs, base, moves, to)
            radial_values(n, segment[i], tables[species[i]], low, high, pairs, base, polynomials, lane * vectors * size)
            sum_tangents(graph, n, pairs, base, moves, to, powers, moments, dmoments, lane)
        forward_tangents(graph, moments, dmoments)
        reverse_tangents(graph, model.linear, model.quad, moments, dmoments, adjoint, dadjoint)
        add_scalars(graph, lane_alpha, moments, dmoments, gradient.node, gradient.pair)
        slope_coefficients(graph, adjoint, slopes)
        blend(graph, lane_alpha, adjoint, dadjoint, blended)
        for lane in range(lanes):
            i = block + lane
            loss_weights(
                graph, padded[lane], high, pairs, lane * rows, moves, lane * MOVES, slopes, adjoint, blended, lane,
                power, by_function,
            )  # fmt: skip
            sum_by_tables(
                padded[lane],
                segment[i],
                n_radial,
                size,
                by_function,
                polynomials,
                lane * vectors * size,
                by_tables[species[i]],
            )
    table_gradient = np.empty(2 * size)
    for a in range(n_species):
        for b in range(n_species):
            for mu in range(n_radial):
                for k in range(2 * size):
                    table_gradient[k] = total(load(by_tables[a], (b * n_radial + mu) * 2 * size + k))
                add_by_coefficients(table_gradient, low, high, model.scaling, gradient.radial[a, b, mu])
