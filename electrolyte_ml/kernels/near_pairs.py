"""Pairs within a cutoff at the present positions, from a neighbour list made with a larger cutoff."""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.arrays import Neighbours, VerletArrays
from electrolyte_ml.kernels.bins import PIECE, place, resized


@njit(**PIECE)
def gather_pairs(i, start, verlet, cutoff, near):
    """Write the listed neighbours of atom i that are within the cutoff to `near`, from index `start` on.

    The loop has no branch, as in `choose_near`: it may write one entry beyond the last neighbour.

    Returns
    -------
    end : int
        Index after the last neighbour.
    closest : float, Å^2
        Squared distance of the nearest neighbour (infinite if there is none).
    """
    placed, owner, listed, neighbour = verlet.placed, verlet.owner, verlet.listed, verlet.neighbour
    segment, index, vector = near.segment, near.other, near.vector
    count, closest, n_species = np.uint64(start), np.inf, listed.shape[1] - 1
    x, y, z = placed[i, 0], placed[i, 1], placed[i, 2]
    for s in range(n_species):
        segment[i, s] = count
        for p in range(np.uint64(listed[i, s]), np.uint64(listed[i, s + 1])):
            m = neighbour[p]
            dx, dy, dz = placed[m, 0] - x, placed[m, 1] - y, placed[m, 2] - z
            square = dx * dx + dy * dy + dz * dz
            index[count] = owner[m]
            vector[0, count], vector[1, count], vector[2, count] = dx, dy, dz
            count += np.uint64(square < cutoff * cutoff)
            closest = min(closest, square)
    segment[i, n_species] = count
    return np.int64(count), closest


@njit(cache=True, error_model="numpy")
def near_pairs(positions, cell, pairs, species, cutoff):
    """Select the pairs within the cutoff from a neighbour list made with a larger one.

    Parameters
    ----------
    positions, cell : (N, 3), (3, 3) float64, Å
    pairs : tuple
        (listed, neighbour, owner, shift) from `neighbour_list`.
    species : (N,) int64
    cutoff : float, Å

    Returns
    -------
    near : Neighbours
    closest : float, Å
        The smallest distance (infinite if there is no pair).
    pair : (2,) int64
        The two atoms at that distance.
    """
    listed, neighbour, owner, shift = pairs
    n = positions.shape[0]
    placed = np.empty((len(owner), 3))
    place(positions, cell, owner, shift, placed)
    verlet = VerletArrays(listed, neighbour, owner, shift, placed, positions, np.ones(1))
    segment = np.zeros(listed.shape, np.int64)
    index, vector = np.empty(len(neighbour), np.int32), np.empty((3, len(neighbour)))
    wide = Neighbours(species, segment, index, vector)
    closest, pair = np.inf, np.zeros(2, np.int64)
    count = np.int64(0)
    for i in range(n):
        count, square = gather_pairs(i, count, verlet, cutoff, wide)
        if square < closest:
            closest, pair[0] = square, i
    if n > 0:
        nearest = np.inf
        for p in range(segment[pair[0], 0], segment[pair[0], -1]):
            square = vector[0, p] ** 2 + vector[1, p] ** 2 + vector[2, p] ** 2
            if square < nearest:
                nearest, pair[1] = square, index[p]
    kept = np.empty((3, count))
    for axis in range(3):
        for p in range(count):
            kept[axis, p] = vector[axis, p]
    return Neighbours(species, segment, resized(index, count, count), kept), np.sqrt(closest), pair
