"""Neighbour list under any boundary conditions, in time linear in the number of atoms.

For a few adjacent bins at a time, the atoms of the surrounding bins are copied into contiguous arrays, by species.
Distances, and the selection of near atoms, are then plain loops over memory. The twin is `neighbour_list_reference`,
which tests all pairs of all images.

A list can be used for other positions: `place` moves the images with their atoms, and the vector of a pair is the
difference of two placed positions.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import PIECE, margins, place, resized, sort_into_bins, with_images

GROUP = 3  # bins along the third axis that share their candidates: fewer copies, but more candidates too far away
FIRST_ROOM = 512  # initial capacity, candidates per species


class Candidates(NamedTuple):
    """Atoms around a few bins; the entries s * room:end[s] belong to species s.

    Attributes
    ----------
    end : (S,) uint64
    x, y, z : (S * room,) float64, Å
    square : (S * room,) float64, Å^2
        Squared distances from one central atom.
    number : (S * room,) uint32
        Numbers of atoms and images.
    own : (M,) uint64
        Index among the candidates of each sorted atom or image.
    """

    end: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    square: np.ndarray
    number: np.ndarray
    own: np.ndarray


def neighbour_list_reference(positions, cell, pbc, cutoff):
    """Find every (i, j, shift) with |x_j + shift . cell - x_i| < cutoff by brute force: the twin of the kernel.

    Returns
    -------
    list of (i, j, (a, b, c))
        Unsorted.
    """
    positions, cell = np.asarray(positions, float), np.asarray(cell, float)
    inverse = np.linalg.pinv(cell)
    spread = positions @ inverse
    reach = np.zeros(3, int)
    for axis in range(3):
        if pbc[axis] and len(positions):
            # Two points closer than the cutoff differ in this fractional coordinate by at most cutoff * |column of the
            # inverse|.
            reach[axis] = int(np.ceil(cutoff * np.linalg.norm(inverse[:, axis]) + np.ptp(spread[:, axis])))
    ranges = [range(-n, n + 1) for n in reach]
    found = []
    for a in ranges[0]:
        for b in ranges[1]:
            for c in ranges[2]:
                moved = positions + np.array([a, b, c]) @ cell
                distance = np.linalg.norm(moved[None, :] - positions[:, None], axis=2)
                for i, j in zip(*np.nonzero(distance < cutoff), strict=True):
                    if i != j or (a, b, c) != (0, 0, 0):
                        found.append((int(i), int(j), (a, b, c)))
    return found


@njit(**PIECE)
def room_for(n_species, m, room):
    """Allocate `Candidates` with a capacity of `room` per species."""
    size = n_species * room
    return Candidates(
        np.empty(n_species, np.uint64), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        np.empty(size, np.uint32), np.empty(m, np.uint64),
    )  # fmt: skip


@njit(**PIECE)
def collect_candidates(a, b, first, last, grid, candidates):
    """Copy the atoms around the bins (a, b, first) to (a, b, last); return False if the capacity is too small."""
    room = np.uint64(len(candidates.square) // len(candidates.end))
    for s in range(np.uint64(len(candidates.end))):
        candidates.end[s] = s * room
    lowest, highest = max(0, first - grid.reach[2]), min(grid.bins[2] - 1, last + grid.reach[2])
    for ka in range(max(0, a - grid.reach[0]), min(grid.bins[0], a + grid.reach[0] + 1)):
        for kb in range(max(0, b - grid.reach[1]), min(grid.bins[1], b + grid.reach[1] + 1)):
            column = (ka * grid.bins[1] + kb) * grid.bins[2]
            for m in range(np.uint64(grid.start[column + lowest]), np.uint64(grid.start[column + highest + 1])):
                s = grid.species[m]
                p = candidates.end[s]
                if p == (s + np.uint64(1)) * room:
                    return False
                candidates.end[s] = p + np.uint64(1)
                candidates.x[p], candidates.y[p], candidates.z[p] = grid.x[m], grid.y[m], grid.z[m]
                candidates.number[p] = grid.number[m]
                candidates.own[m] = p
    return True


@njit(**PIECE)
def choose_near(m, grid, candidates, limit, start, listed, neighbour):
    """Write the neighbours of the m-th sorted atom to the list from index `start` on; return the index after them.

    The loop has no branch, because a quarter of the branches would be mispredicted: each candidate is written, and the
    next one overwrites it if it is too far away. Unsigned indices avoid numba's test for negative ones.
    """
    total, n_species = np.uint64(start), np.uint64(len(candidates.end))
    room = np.uint64(len(candidates.square)) // n_species
    i, x, y, z = grid.number[m], grid.x[m], grid.y[m], grid.z[m]
    for s in range(n_species):
        listed[i, s] = total
        for p in range(s * room, candidates.end[s]):
            dx, dy, dz = candidates.x[p] - x, candidates.y[p] - y, candidates.z[p] - z
            candidates.square[p] = dx * dx + dy * dy + dz * dz
        if grid.species[m] == s:
            candidates.square[candidates.own[m]] = np.inf  # exclude the atom itself, but not its images
        for p in range(s * room, candidates.end[s]):
            neighbour[total] = candidates.number[p]
            total += np.uint64(candidates.square[p] < limit)
    listed[i, n_species] = total
    return np.int64(total)


@njit(cache=True, error_model="numpy")
def neighbour_list(positions, cell, inverse, pbc, cutoff, species, n_species):
    """Build the full neighbour list; the neighbours of each atom are sorted by species.

    Parameters
    ----------
    positions : (N, 3) float64, Å
        Inside or outside the cell.
    cell, inverse : (3, 3) float64
        Cell vectors as rows (missing ones are completed to three independent vectors), and the inverse matrix.
    pbc : (3,) bool
    cutoff : float, Å
    species : (N,) int64
    n_species : int

    Returns
    -------
    listed : (N, n_species + 1) int64
        The neighbours of species s of atom i are the entries listed[i, s]:listed[i, s + 1] of `neighbour`.
    neighbour : (P,) uint32
        Numbers of atoms and images.
    owner : (M,) uint32
        Atom of each entry: the first N entries are the atoms themselves, the others are images.
    shift : (M, 3) int32
        The position of each entry is positions[owner] + shift . cell; the first N lie inside the cell.
    """
    n = positions.shape[0]
    height, margin = margins(inverse, cutoff)
    owner, shift, fractional = with_images(positions, inverse, pbc, margin)
    m = len(owner)
    placed = np.empty((m, 3))
    place(positions, cell, owner, shift, placed)

    grid, _, _ = sort_into_bins(owner, fractional, placed, height, cutoff, species)
    bins, start, number = grid.bins, grid.start, grid.number

    # Typed integers: numba would compile the called functions again for literal ones.
    room, total = np.int64(FIRST_ROOM), np.int64(0)
    candidates = room_for(n_species, m, room)
    listed = np.zeros((n, n_species + 1), np.int64)
    capacity = 96 * n + 64
    neighbour = np.empty(capacity, np.uint32)
    for a in range(bins[0]):
        for b in range(bins[1]):
            for c in range(0, bins[2], GROUP):
                last = min(c + GROUP, bins[2]) - 1
                column = (a * bins[1] + b) * bins[2]
                begin, end = start[column + c], start[column + last + 1]
                real = 0
                for p in range(begin, end):
                    real += number[p] < n
                if real == 0:
                    continue
                while not collect_candidates(a, b, c, last, grid, candidates):
                    room *= 2
                    candidates = room_for(n_species, m, room)
                needed = total
                for s in range(n_species):
                    needed += real * (np.int64(candidates.end[s]) - s * room)
                if needed >= capacity:
                    capacity = 2 * needed
                    neighbour = resized(neighbour, total, capacity)
                for p in range(begin, end):
                    if number[p] < n:
                        total = choose_near(p, grid, candidates, cutoff * cutoff, total, listed, neighbour)
    return listed, resized(neighbour, total, total), owner, shift
