"""Sums over pairs of charges: potentials, forces and virial.

The interaction of two charges of 1 e has the form

    f(r) = direct / r - P(r^2) + screened erfc(alpha r) / r,    r < cutoff,

which includes 1/r, the erf(alpha r)/r of Gaussian charges, and the real-space part of an Ewald sum. In the last,
erfc(alpha r)/r is either computed directly, or as 1/r - P with a polynomial P that approximates erf(alpha r)/r and is
evaluated for vectors of pairs, see :mod:`electrolyte_ml.potentials.coulomb.interactions`.

Each pair is counted from both atoms; the pairs of an atom are first collected in contiguous arrays.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.lanes import KERNEL, LANES, PIECE, aligned, load, root, spread, store, total, width

X, Y, Z, CHARGE, VALUE, PULL = 0, 1, 2, 3, 4, 5  # rows of the pairs of an atom; PULL is f'(r)/r
ROWS = 6


class Interaction(NamedTuple):
    """Interaction of two charges of 1 e at the distance r, in e²/Å.

    Attributes
    ----------
    direct, screened : float
        Factors of 1/r and of erfc(alpha r)/r.
    alpha : float, 1/Å
    cutoff : float, Å
        Pairs beyond it are ignored; may be infinite.
    taper : float, Å
        Width of the interval below the cutoff in which erfc(alpha r)/r is switched off.
    polynomial : (n,) float64, 1/Å
        Coefficients of P as a polynomial of 2 r²/cutoff² - 1, the highest power first; n = 0 without P.
    """

    direct: float
    screened: float
    alpha: float
    cutoff: float
    taper: float
    polynomial: np.ndarray


@njit(**PIECE)
def screened(r, alpha, cutoff, taper):
    """Return erfc(alpha r)/r, switched off smoothly at the cutoff, and its derivative by r.

    Between cutoff - taper and the cutoff, the function is multiplied by a polynomial that falls from 1 to 0: the
    function and its first two derivatives are continuous.
    """
    value = math.erfc(alpha * r) / r
    slope = -(value + 2.0 / math.sqrt(math.pi) * alpha * math.exp(-alpha * alpha * r * r)) / r
    begin = cutoff - taper
    if r > begin:
        t = (r - begin) / taper
        switch = 1.0 - t * t * t * (10.0 - t * (15.0 - 6.0 * t))
        slope = slope * switch - value * 30.0 * t * t * (1.0 - t) * (1.0 - t) / taper
        value *= switch
    return value, slope


@njit(**PIECE)
def interact(n, interaction, pairs):
    """Set the rows VALUE and PULL of n pairs; n is a multiple of the vector width."""
    polynomial = interaction.polynomial
    scale = 2.0 / (interaction.cutoff * interaction.cutoff)
    for j in range(0, n, width(pairs)):
        x, y, z = load(pairs, X, j), load(pairs, Y, j), load(pairs, Z, j)
        square = x * x + y * y + z * z
        inverse = 1.0 / root(square)
        u = scale * square - 1.0
        p, slope = spread(0.0, pairs), spread(0.0, pairs)
        for k in range(len(polynomial)):
            slope = slope * u + p
            p = p * u + polynomial[k]
        store(interaction.direct * inverse - p, pairs, VALUE, j)
        store(-2.0 * scale * slope - interaction.direct * inverse * inverse * inverse, pairs, PULL, j)
    if interaction.screened != 0.0:
        for j in range(n):
            r = math.sqrt(pairs[X, j] * pairs[X, j] + pairs[Y, j] * pairs[Y, j] + pairs[Z, j] * pairs[Z, j])
            value, slope = screened(r, interaction.alpha, interaction.cutoff, interaction.taper)
            pairs[VALUE, j] += interaction.screened * value
            pairs[PULL, j] += interaction.screened * slope / r


@njit(**PIECE)
def sum_pairs(count, charge, interaction, pairs, virials):
    """Sum over the collected pairs of an atom with a charge.

    The vectors of the pairs are overwritten by the forces on the atom; the virials are added to `virials` (6, 8), with
    components xx, yy, zz, yz, xz, xy, and must still be summed over the second axis.

    Returns
    -------
    potential : float, e/Å
    fx, fy, fz : float, e²/Å²
    """
    lanes = width(pairs)
    n = (count + lanes - 1) // lanes * lanes
    for j in range(count, n):
        pairs[X, j], pairs[Y, j], pairs[Z, j], pairs[CHARGE, j] = 1.0, 0.0, 0.0, 0.0
    interact(n, interaction, pairs)
    potential, fx, fy, fz = spread(0.0, pairs), spread(0.0, pairs), spread(0.0, pairs), spread(0.0, pairs)
    xx, yy, zz = load(virials, 0), load(virials, 1), load(virials, 2)
    yz, xz, xy = load(virials, 3), load(virials, 4), load(virials, 5)
    for j in range(0, n, lanes):
        x, y, z, other = load(pairs, X, j), load(pairs, Y, j), load(pairs, Z, j), load(pairs, CHARGE, j)
        potential += other * load(pairs, VALUE, j)
        pull = charge * other * load(pairs, PULL, j)
        px, py, pz = pull * x, pull * y, pull * z
        store(px, pairs, X, j)
        store(py, pairs, Y, j)
        store(pz, pairs, Z, j)
        fx += px
        fy += py
        fz += pz
        xx += px * x
        yy += py * y
        zz += pz * z
        yz += py * z
        xz += px * z
        xy += px * y
    store(xx, virials, 0)
    store(yy, virials, 1)
    store(zz, virials, 2)
    store(yz, virials, 3)
    store(xz, virials, 4)
    store(xy, virials, 5)
    return total(potential), total(fx), total(fy), total(fz)


@njit(**PIECE)
def summed(virials, factor):
    """Return the virial (3, 3) from the sums of `sum_pairs`, times a factor."""
    virial = np.empty((3, 3))
    virial[0, 0] = factor * total(load(virials, 0))
    virial[1, 1] = factor * total(load(virials, 1))
    virial[2, 2] = factor * total(load(virials, 2))
    virial[1, 2] = virial[2, 1] = factor * total(load(virials, 3))
    virial[0, 2] = virial[2, 0] = factor * total(load(virials, 4))
    virial[0, 1] = virial[1, 0] = factor * total(load(virials, 5))
    return virial


@njit(**PIECE)
def set_results(i, count, interaction, charges, pairs, virials, potentials, forces):
    """Set the potential and the force of atom i from its collected pairs."""
    potential, fx, fy, fz = sum_pairs(count, charges[i], interaction, pairs, virials)
    potentials[i] = potential
    forces[i, 0], forces[i, 1], forces[i, 2] = fx, fy, fz


@njit(**PIECE)
def room(most, like):
    """Allocate the rows for at most `most` pairs of one atom."""
    lanes = width(like)
    return aligned(ROWS, (most + lanes) // lanes * lanes, like)


@njit(**PIECE)
def collect(begin, end, near, wide, charges, limit, pairs):
    """Copy the pairs begin:end to contiguous rows, if `wide` only those within the cutoff; return their number.

    The loop has no branch: each pair is written, and the next one overwrites it if it is too far away.
    """
    other, vector = near.other, near.vector
    if not wide:
        for axis in range(3):
            for p in range(begin, end):
                pairs[axis, p - begin] = vector[axis, p]
        for p in range(begin, end):
            pairs[CHARGE, p - begin] = charges[np.uint32(other[p])]
        return np.int64(end - begin)
    count = np.uint64(0)
    for p in range(begin, end):
        x, y, z = vector[0, p], vector[1, p], vector[2, p]
        pairs[X, count], pairs[Y, count], pairs[Z, count] = x, y, z
        pairs[CHARGE, count] = charges[np.uint32(other[p])]
        count += np.uint64(x * x + y * y + z * z < limit)
    return np.int64(count)


@njit(**KERNEL, nogil=True)
def near_pairs_sum(first, last, near, wide, charges, interaction, potentials, forces):
    """Set the potentials and forces of the atoms from `first` to `last` from the pairs within the cutoff.

    Parameters
    ----------
    first, last : int
    near : Neighbours
        At least all pairs within the cutoff, each counted from both atoms.
    wide : bool
        Whether `near` also contains pairs beyond the cutoff.
    charges : (N,) float64, e
    interaction : Interaction
    potentials : (N,) float64, e/Å
    forces : (N, 3) float64, e²/Å²

    Returns
    -------
    virial : (3, 3) float64, e²/Å
        Contribution of these atoms: half of the virial of each pair.
    """
    segment, species = near.segment, near.segment.shape[1] - 1
    most = 0
    for i in range(first, last):
        most = max(most, segment[i, species] - segment[i, 0])
    pairs, virials = room(most, charges), aligned(6, LANES, charges)
    limit = interaction.cutoff * interaction.cutoff
    for i in range(first, last):
        begin, end = np.uint64(segment[i, 0]), np.uint64(segment[i, species])
        count = collect(begin, end, near, wide, charges, limit, pairs)
        set_results(i, count, interaction, charges, pairs, virials, potentials, forces)
    return summed(virials, 0.5)


@njit(**KERNEL, nogil=True)
def all_pairs_sum(first, last, positions, charges, interaction, potentials, forces):
    """Do the same as `near_pairs_sum` for all pairs of atoms at `positions` (N, 3), Å, without periodic images."""
    n = positions.shape[0]
    pairs, virials = room(n, charges), aligned(6, LANES, charges)
    for i in range(first, last):
        count = np.uint64(0)
        for j in range(n):
            pairs[X, count] = positions[j, 0] - positions[i, 0]
            pairs[Y, count] = positions[j, 1] - positions[i, 1]
            pairs[Z, count] = positions[j, 2] - positions[i, 2]
            pairs[CHARGE, count] = charges[j]
            count += np.uint64(j != i)
        set_results(i, np.int64(count), interaction, charges, pairs, virials, potentials, forces)
    return summed(virials, 0.5)


@njit(cache=True, error_model="numpy", nogil=True)
def complete(charges, own, background, unit, potentials, forces, virial):
    """Add the terms that do not depend on positions, and convert all results to another unit.

    Parameters
    ----------
    charges : (N,) float64, e
    own : float, 1/Å
        Potential of a charge of 1 e at its own position, which is subtracted.
    background : float, 1/Å
        -1 times the potential of a uniform background that neutralises 1 e, in the real-space interaction.
    unit : float
        Factor by which all results, in e²/Å, are multiplied.
    potentials, forces, virial : (N,), (N, 3), (3, 3) float64
        Changed in place.

    Returns
    -------
    energy : float
        Half the sum of charges times potentials.
    """
    total, energy = 0.0, 0.0
    for i in range(len(charges)):
        total += charges[i]
    shift = background * total
    for i in range(len(charges)):
        potentials[i] = unit * (potentials[i] - own * charges[i] - shift)
        energy += charges[i] * potentials[i]
        for axis in range(3):
            forces[i, axis] *= unit
    for a in range(3):
        virial[a, a] += 0.5 * shift * total
        for b in range(3):
            virial[a, b] *= unit
    return 0.5 * energy
