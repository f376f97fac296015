"""Sum over pairs of charges from a neighbour list made with a larger cutoff, each pair counted once.

Many steps of a run use one list, which is halved when it is made. The pairs of an atom within the cutoff are collected
in contiguous arrays and computed in vectors; the reactions are then added to the other atoms one by one. Each thread
adds to a result array of its own.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.coulomb_pairs import CHARGE, VALUE, X, Y, Z, room, sum_pairs, summed
from electrolyte_ml.kernels.lanes import KERNEL, LANES, aligned


class HalfList(NamedTuple):
    """Neighbour list that contains each pair once.

    Attributes
    ----------
    start : (N + 1,) int64
        The neighbours of atom i are the entries start[i]:start[i + 1] of `neighbour`.
    neighbour, owner, shift
        As in :class:`electrolyte_ml.structures.neighbours.NeighbourList`.
    placed : (M, 4) float64
        Position (Å) and charge (e) of atoms and images, from `place_charges`.
    """

    start: np.ndarray
    neighbour: np.ndarray
    owner: np.ndarray
    shift: np.ndarray
    placed: np.ndarray


@njit(cache=True, error_model="numpy")
def halved(listed, neighbour, owner, shift):
    """Return the `HalfList` of a list that contains each pair from both atoms.

    A pair is kept at the atom with the lower number. Of two opposite images of the atom itself, one is kept.

    Parameters
    ----------
    listed, neighbour, owner, shift
        See :class:`electrolyte_ml.structures.neighbours.NeighbourList`.
    """
    n, end = listed.shape[0], listed.shape[1] - 1
    start, kept = np.zeros(n + 1, np.int64), np.empty(len(neighbour) // 2 + 1, np.uint32)
    count = np.uint64(0)
    for i in range(n):
        for p in range(np.uint64(listed[i, 0]), np.uint64(listed[i, end])):
            m = neighbour[p]
            j = owner[m]
            later = j > i
            if j == i:
                a, b, c = shift[m, 0] - shift[i, 0], shift[m, 1] - shift[i, 1], shift[m, 2] - shift[i, 2]
                later = a > 0 or (a == 0 and (b > 0 or (b == 0 and c > 0)))
            kept[count] = m
            count += np.uint64(later)
        start[i + 1] = count
    return HalfList(start, kept, owner, shift, np.empty((len(owner), 4)))


@njit(**KERNEL)
def place_charges(positions, cell, charges, pairs):
    """Set `placed` of a half list for positions (N, 3) and a cell (3, 3) in Å and charges (N,) in e."""
    owner, shift, placed = pairs.owner, pairs.shift, pairs.placed
    for m in range(len(owner)):
        i = owner[m]
        a, b, c = float(shift[m, 0]), float(shift[m, 1]), float(shift[m, 2])
        for axis in range(3):
            placed[m, axis] = positions[i, axis] + (a * cell[0, axis] + b * cell[1, axis] + c * cell[2, axis])
        placed[m, 3] = charges[i]


@njit(**KERNEL, nogil=True)
def listed_pairs_sum(first, last, listed, interaction, results):
    """Sum the pairs of the atoms from `first` to `last` that are within the cutoff at the present positions.

    Parameters
    ----------
    first, last : int
    listed : HalfList
        After `place_charges`.
    interaction : Interaction
    results : (N, 4) float64
        Overwritten by forces (e²/Å²) and potentials (e/Å) of these pairs on all atoms.

    Returns
    -------
    virial : (3, 3) float64, e²/Å
    closest : float, Å²
        The smallest squared distance; infinite without pairs.
    """
    start, neighbour, owner, placed = listed.start, listed.neighbour, listed.owner, listed.placed
    for i in range(results.shape[0]):
        for k in range(4):
            results[i, k] = 0.0
    most, closest, limit = 0, np.inf, interaction.cutoff * interaction.cutoff
    for i in range(first, last):
        most = max(most, start[i + 1] - start[i])
    pairs, virials, near = room(most, placed), aligned(6, LANES, placed), np.empty(most + 1, np.uint32)
    for i in range(first, last):
        count = np.uint64(0)
        x, y, z, charge = placed[i, 0], placed[i, 1], placed[i, 2], placed[i, 3]
        # No branch: each number is written, and the next one overwrites it if it is too far away.
        for p in range(np.uint64(start[i]), np.uint64(start[i + 1])):
            m = neighbour[p]
            dx, dy, dz = placed[m, 0] - x, placed[m, 1] - y, placed[m, 2] - z
            square = dx * dx + dy * dy + dz * dz
            near[count] = m
            count += np.uint64(square < limit)
            closest = min(closest, square)
        for k in range(count):
            m = near[k]
            pairs[X, k], pairs[Y, k], pairs[Z, k] = placed[m, 0] - x, placed[m, 1] - y, placed[m, 2] - z
            pairs[CHARGE, k] = placed[m, 3]
        potential, fx, fy, fz = sum_pairs(np.int64(count), charge, interaction, pairs, virials)
        results[i, 0] += fx
        results[i, 1] += fy
        results[i, 2] += fz
        results[i, 3] += potential
        for k in range(count):
            j = owner[near[k]]
            results[j, 0] -= pairs[X, k]
            results[j, 1] -= pairs[Y, k]
            results[j, 2] -= pairs[Z, k]
            results[j, 3] += charge * pairs[VALUE, k]
    return summed(virials, 1.0), closest


@njit(cache=True, error_model="numpy")
def collect_results(results, potentials, forces):
    """Set potentials (N,) and forces (N, 3) to the sums over the results (threads, N, 4) of all threads."""
    for i in range(len(potentials)):
        for axis in range(3):
            forces[i, axis] = results[0, i, axis]
        potentials[i] = results[0, i, 3]
        for thread in range(1, results.shape[0]):
            for axis in range(3):
                forces[i, axis] += results[thread, i, axis]
            potentials[i] += results[thread, i, 3]
