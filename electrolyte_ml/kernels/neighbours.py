"""Neighbour list under any boundary conditions, in time linear in the number of atoms.

Each atom is brought into the cell, and every image of an atom that lies within the cutoff of the cell becomes an atom
of its own behind the real ones; from there on nothing is periodic, and a narrow cell is no special case.
All are sorted into bins of half the cutoff or more. For a few neighbouring bins at a time, the atoms of the bins around
them are copied side by side, by species; distances to these, and the choice of those that are near, are then plain
loops over memory. The twin is `neighbour_list_reference` below: all pairs of all images.

A list is good for other positions, too: `place` moves the images along, and a pair is one difference of two of them.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from electrolyte_ml.kernels.arrays import Neighbours, VerletArrays

# Of the pieces that only kernels call: a way in from Python would take half of their time to compile.
PIECE = {"cache": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

GROUP = 3  # bins along the third axis that share their candidates: fewer copies, but more of them are too far away
FIRST_ROOM = 512  # candidates of each species


class Grid(NamedTuple):
    """Atoms and images, M together, sorted into bins.

    Attributes
    ----------
    bins, reach : (3,) int64
        Bins along each axis, and how many of them the cutoff reaches over.
    start : (number of bins + 2,) int64
        The atoms of bin b are start[b]:start[b + 1] of those sorted.
    number, species : (M,) uint32
        Of those sorted.
    x, y, z : (M,) float64, Å
        Of those sorted.
    """

    bins: np.ndarray
    reach: np.ndarray
    start: np.ndarray
    number: np.ndarray
    species: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray


class Candidates(NamedTuple):
    """The atoms around a few bins; those of species s stand at s * room:end[s].

    Attributes
    ----------
    end : (S,) uint64
    x, y, z : (S * room,) float64, Å
    square : (S * room,) float64, Å^2
        Distances from one atom.
    number : (S * room,) uint32
    own : (M,) uint64
        Place of each of those sorted.
    """

    end: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    square: np.ndarray
    number: np.ndarray
    own: np.ndarray


def neighbour_list_reference(positions, cell, pbc, cutoff):
    """Every (i, j, shift) with |x_j + shift . cell - x_i| < cutoff, by brute force: the kernel's plain twin.

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
            # A point at distance < cutoff differs in this fractional coordinate by at most cutoff * |row of the
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


@njit(cache=True, error_model="numpy")
def resized(values, n, size):
    """The first n of `values` in a new array of `size`."""
    copy = np.empty(size, values.dtype)
    for p in range(n):
        copy[p] = values[p]
    return copy


@njit(cache=True, error_model="numpy")
def place(positions, cell, owner, shift, placed):
    """Fill `placed` (M, 3): atom m stands at positions[owner[m]] + shift[m] . cell."""
    for m in range(placed.shape[0]):
        i = owner[m]
        a, b, c = float(shift[m, 0]), float(shift[m, 1]), float(shift[m, 2])
        for axis in range(3):
            placed[m, axis] = positions[i, axis] + (a * cell[0, axis] + b * cell[1, axis] + c * cell[2, axis])


@njit(**PIECE)
def margins(inverse, cutoff):
    """Distances between planes of whole fractional coordinates, Å, and the cutoff in fractional coordinates."""
    # Element by element, as everywhere here: array expressions take five times as long to compile, and run no faster.
    height, margin = np.empty(3), np.empty(3)
    for axis in range(3):
        # Planes of constant fractional coordinate are 1 / |column of the inverse| apart.
        height[axis] = 1.0 / np.sqrt(inverse[0, axis] ** 2 + inverse[1, axis] ** 2 + inverse[2, axis] ** 2)
        margin[axis] = cutoff / height[axis] + 1e-9  # an edge's rounding must lose no pair
    return height, margin


@njit(**PIECE)
def with_images(positions, inverse, pbc, margin):
    """Every atom inside the cell, and all images no further than `margin` (3,) from it in fractional coordinates.

    Returns
    -------
    owner : (M,) uint32
    shift : (M, 3) int32
    fractional : (M, 3) float64
    """
    n = positions.shape[0]
    owner, shift, fractional = np.empty(n, np.uint32), np.zeros((n, 3), np.int32), np.empty((n, 3))
    for i in range(n):
        owner[i] = i
        for axis in range(3):
            value = (
                positions[i, 0] * inverse[0, axis]
                + positions[i, 1] * inverse[1, axis]
                + positions[i, 2] * inverse[2, axis]
            )
            turns = np.floor(value) if pbc[axis] else 0.0
            fractional[i, axis] = value - turns
            shift[i, axis] = -np.int32(turns)
    for axis in range(3):
        if not pbc[axis]:
            continue
        reach = np.int64(np.ceil(margin[axis]))
        m = count = len(owner)
        for counted in range(2):  # first how many, then which
            if counted:
                old_owner, old_shift, old_fractional = owner, shift, fractional
                owner = resized(old_owner, m, count)
                shift, fractional = np.empty((count, 3), np.int32), np.empty((count, 3))
                for i in range(m):
                    for other in range(3):
                        shift[i, other], fractional[i, other] = old_shift[i, other], old_fractional[i, other]
                count = m
            for i in range(m):
                for turn in range(-reach, reach + 1):
                    value = fractional[i, axis] + turn
                    if turn == 0 or value < -margin[axis] or value > 1.0 + margin[axis]:
                        continue
                    if counted:
                        owner[count] = owner[i]
                        for other in range(3):
                            shift[count, other], fractional[count, other] = shift[i, other], fractional[i, other]
                        shift[count, axis] += turn
                        fractional[count, axis] = value
                    count += 1
    return owner, shift, fractional


@njit(**PIECE)
def choose_bins(extent, cutoff, m, bins, reach):
    """Bins along each axis of length `extent` (Å, between planes), and how many of them the cutoff reaches over.

    Bins of half the cutoff leave a quarter of the candidates within it, whole ones a seventh; bins that hold less than
    an atom cost more to visit than they save.
    """
    narrowest = max(0.5 * cutoff, (2.0 * extent[0] * extent[1] * extent[2] / (m + 1)) ** (1.0 / 3.0))
    for axis in range(3):
        bins[axis] = max(1, min(1 + m, np.int64(extent[axis] / narrowest)))
    while bins[0] * bins[1] * bins[2] > 8 * (1 + m):  # few atoms in a flat or needle-like cell
        most = 0
        for axis in range(3):
            if bins[axis] > bins[most]:
                most = axis
        bins[most] //= 2
    for axis in range(3):
        reach[axis] = min(np.int64(np.ceil(cutoff * bins[axis] / extent[axis])), bins[axis] - 1)


@njit(**PIECE)
def bin_of(value, low, per, bins):
    """The bin along one axis of a fractional coordinate, the first or the last one for those outside."""
    return min(max(np.int64((value - low) * per), 0), bins - 1)


@njit(**PIECE)
def sort_into_bins(owner, fractional, placed, height, cutoff, species):
    """The `Grid` of atoms and images, by a counting sort.

    Returns
    -------
    grid : Grid
    low, per : (3,) float64
        The lowest fractional coordinates, and bins per unit of them.
    """
    m = len(owner)
    low, per, extent = np.zeros(3), np.empty(3), np.ones(3)
    for axis in range(3):
        if m > 0:
            low[axis] = high = fractional[0, axis]
            for k in range(m):
                low[axis] = min(low[axis], fractional[k, axis])
                high = max(high, fractional[k, axis])
            extent[axis] = max(high - low[axis], 1e-9) * 1.000001 * height[axis]
    bins, reach = np.empty(3, np.int64), np.empty(3, np.int64)
    choose_bins(extent, cutoff * (1 + 1e-9), m, bins, reach)
    for axis in range(3):
        per[axis] = height[axis] / extent[axis] * bins[axis]

    start = np.zeros(bins[0] * bins[1] * bins[2] + 2, np.int64)
    number, kind = np.empty(m, np.uint32), np.empty(m, np.uint32)
    x, y, z = np.empty(m), np.empty(m), np.empty(m)
    home = np.empty(m, np.int64)
    for k in range(m):
        home[k] = 0
        for axis in range(3):
            home[k] = home[k] * bins[axis] + bin_of(fractional[k, axis], low[axis], per[axis], bins[axis])
        start[home[k] + 2] += 1
    for b in range(2, len(start)):
        start[b] += start[b - 1]
    for k in range(m):
        p = start[home[k] + 1]
        start[home[k] + 1] += 1
        number[p], kind[p] = k, species[owner[k]]
        x[p], y[p], z[p] = placed[k, 0], placed[k, 1], placed[k, 2]
    return Grid(bins, reach, start, number, kind, x, y, z), low, per


@njit(**PIECE)
def room_for(n_species, m, room):
    """Candidates with room for so many of each species."""
    size = n_species * room
    return Candidates(
        np.empty(n_species, np.uint64), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        np.empty(size, np.uint32), np.empty(m, np.uint64),
    )  # fmt: skip


@njit(**PIECE)
def collect_candidates(a, b, first, last, grid, candidates):
    """Copy the atoms around the bins (a, b, first) to (a, b, last); False where there is no room for them."""
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
    """Write the neighbours of the m-th of the atoms sorted from place `start` on; returns the place after them.

    Without a branch, of which every fourth would be mispredicted: each candidate is written down, and overwritten by
    the next if it is too far. Unsigned places spare the test for negative ones.
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
            candidates.square[candidates.own[m]] = np.inf  # an atom is no neighbour of itself, but its images are
        for p in range(s * room, candidates.end[s]):
            neighbour[total] = candidates.number[p]
            total += np.uint64(candidates.square[p] < limit)
    listed[i, n_species] = total
    return np.int64(total)


@njit(cache=True, error_model="numpy")
def neighbour_list(positions, cell, inverse, pbc, cutoff, species, n_species):
    """The full neighbour list, each atom's neighbours sorted by species.

    Parameters
    ----------
    positions : (N, 3) float64, Å
        Need not lie inside the cell.
    cell, inverse : (3, 3) float64
        Row vectors, completed to three independent ones along axes that have none, and the inverse matrix.
    pbc : (3,) bool
    cutoff : float, Å
    species : (N,) int64
    n_species : int

    Returns
    -------
    listed : (N, n_species + 1) int64
        Neighbours of species s of atom i stand at listed[i, s]:listed[i, s + 1].
    neighbour : (P,) uint32
        Numbers of atoms and images.
    owner : (M,) uint32
        The atom itself for the first N, then those whose images the others are.
    shift : (M, 3) int32
        Each stands at positions[owner] + shift . cell; the first N in the cell.
    """
    n = positions.shape[0]
    height, margin = margins(inverse, cutoff)
    owner, shift, fractional = with_images(positions, inverse, pbc, margin)
    m = len(owner)
    placed = np.empty((m, 3))
    place(positions, cell, owner, shift, placed)

    grid, _, _ = sort_into_bins(owner, fractional, placed, height, cutoff, species)
    bins, start, number = grid.bins, grid.start, grid.number

    # Typed, or the functions that take them would be compiled once more for a literal number.
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


@njit(**PIECE)
def gather_pairs(i, start, verlet, cutoff, near):
    """Write those of atom i's listed neighbours that are within the cutoff now into `near`, from place `start` on.

    Without a branch, as in `choose_near`: up to one place more is written for each neighbour read.

    Returns
    -------
    end : int
        The place after the last one.
    closest : float, Å^2
        The nearest one's squared distance (infinite if there is none).
    """
    placed, owner, listed, neighbour = verlet.placed, verlet.owner, verlet.listed, verlet.neighbour
    segment, index, vector = near.segment, near.index, near.vector
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
    """Pairs that are within the cutoff now, from a neighbour list made with a larger one.

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
