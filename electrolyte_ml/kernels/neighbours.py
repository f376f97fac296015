"""Neighbour list under any boundary conditions, in time linear in the number of atoms.

Each atom is taken in the image that lies inside the cell, `positions - wrap . cell`, and sorted into bins of half the
cutoff or more. For a few neighbouring bins at a time, all atoms of the bins around them are copied side by side, by
species; distances to these, and the choice of those that are near, are then plain loops over memory. A cell narrower
than the cutoff has its bins visited once per periodic image. The twin is `neighbour_list_reference` below: all pairs of
all images.

A list names the images of the cell that it needs by numbers: whoever uses it at other positions forms these few vectors
and the atoms inside the cell once, and a pair is then one difference,

    r_ij = inside[j] - inside[i] + offsets[image].
"""

from typing import NamedTuple

import numpy as np
from numba import njit


class Grid(NamedTuple):
    """Atoms sorted into bins, and which bins are around which.

    Attributes
    ----------
    bins, reach : (3,) int64
        Bins along each axis, and how many of them the cutoff reaches over.
    around, turn : (3, bins + 2 reach) int64
        Those around bin b of an axis are b:b + 2 reach + 1 of these: its number (-1 where there is none) and what its
        image adds to the image's row.
    start : (number of bins + 2,) int64
        The atoms of bin b are start[b]:start[b + 1] of those sorted.
    member, species : (N,) uint32
        Of the atoms sorted.
    x, y, z : (N,) float64, Å
        Of the atoms sorted, inside the cell.
    """

    bins: np.ndarray
    reach: np.ndarray
    around: np.ndarray
    turn: np.ndarray
    start: np.ndarray
    member: np.ndarray
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
    atom, image : (S * room,) uint32
    own : (N,) uint64
        Place of each of the atoms sorted itself, as against its images.
    """

    end: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    square: np.ndarray
    atom: np.ndarray
    image: np.ndarray
    own: np.ndarray


GROUP = 3  # bins along the third axis that share their candidates: few atoms for the copies, or many too far away


# Of the pieces that only kernels call: a way in from Python would take half of their time to compile.
PIECE = {"cache": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


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
def fold(positions, cell, wrap, images, inside, offsets):
    """Fill what a list's pairs are formed of: `inside` (N, 3) = positions - wrap . cell, `offsets` = images . cell."""
    for i in range(positions.shape[0]):
        for axis in range(3):
            inside[i, axis] = positions[i, axis] - (
                wrap[i, 0] * cell[0, axis] + wrap[i, 1] * cell[1, axis] + wrap[i, 2] * cell[2, axis]
            )
    for k in range(images.shape[0]):
        for axis in range(3):
            offsets[k, axis] = (
                images[k, 0] * cell[0, axis] + images[k, 1] * cell[1, axis] + images[k, 2] * cell[2, axis]
            )


@njit(**PIECE)
def choose_bins(extent, height, pbc, cutoff, n, bins, reach):
    """Bins along each axis, and how many of them the cutoff reaches over.

    Bins of half the cutoff leave a quarter of the candidates within it, whole ones a seventh; bins that hold less than
    an atom cost more to visit than they save.
    """
    volume = 1.0
    for axis in range(3):
        volume *= extent[axis] * height[axis]
    narrowest = max(0.5 * cutoff, (2.0 * volume / (n + 1)) ** (1.0 / 3.0))
    for axis in range(3):
        bins[axis] = max(1, min(1 + n, np.int64(extent[axis] * height[axis] / narrowest)))
    while bins[0] * bins[1] * bins[2] > 8 * (1 + n):  # few atoms in a flat or needle-like cell
        most = 0
        for axis in range(3):
            if bins[axis] > bins[most]:
                most = axis
        bins[most] //= 2
    for axis in range(3):
        reach[axis] = np.int64(np.ceil(cutoff * bins[axis] / (extent[axis] * height[axis])))
        if not pbc[axis]:
            reach[axis] = min(reach[axis], bins[axis] - 1)


@njit(**PIECE)
def room_for(n_species, n, room):
    """Candidates with room for so many of each species."""
    size = n_species * room
    return Candidates(
        np.empty(n_species, np.uint64), np.empty(size), np.empty(size), np.empty(size), np.empty(size),
        np.empty(size, np.uint32), np.empty(size, np.uint32), np.empty(n, np.uint64),
    )  # fmt: skip


@njit(**PIECE)
def collect_candidates(a, b, c, last, grid, offsets, candidates):
    """Copy the atoms around the bins (a, b, c) to (a, b, last); False where there is no room for them."""
    room, zero = np.uint64(len(candidates.square) // len(candidates.end)), offsets.shape[0] // 2
    for s in range(np.uint64(len(candidates.end))):
        candidates.end[s] = s * room
    for ka in range(a, a + 2 * grid.reach[0] + 1):
        for kb in range(b, b + 2 * grid.reach[1] + 1):
            if grid.around[0, ka] < 0 or grid.around[1, kb] < 0:
                continue
            column = (grid.around[0, ka] * grid.bins[1] + grid.around[1, kb]) * grid.bins[2]
            for kc in range(c, last + 2 * grid.reach[2] + 1):
                if grid.around[2, kc] < 0:
                    continue
                here, k = column + grid.around[2, kc], grid.turn[0, ka] + grid.turn[1, kb] + grid.turn[2, kc]
                dx, dy, dz = offsets[k, 0], offsets[k, 1], offsets[k, 2]
                for m in range(np.uint64(grid.start[here]), np.uint64(grid.start[here + 1])):
                    s = grid.species[m]
                    place = candidates.end[s]
                    if place == (s + np.uint64(1)) * room:
                        return False
                    candidates.end[s] = place + np.uint64(1)
                    candidates.x[place], candidates.y[place] = grid.x[m] + dx, grid.y[m] + dy
                    candidates.z[place] = grid.z[m] + dz
                    candidates.atom[place], candidates.image[place] = grid.member[m], k
                    if k == zero:
                        candidates.own[m] = place
    return True


@njit(**PIECE)
def choose_near(own, grid, candidates, limit, start, listed, neighbour, image):
    """Write the neighbours of one of the atoms sorted from place `start` on; returns the place after them.

    Without a branch, of which every fourth would be mispredicted: each candidate is written down, and overwritten by
    the next if it is too far. Unsigned places spare the test for negative ones.
    """
    total, n_species = np.uint64(start), np.uint64(len(candidates.end))
    room = np.uint64(len(candidates.square)) // n_species
    i, xi, yi, zi = grid.member[own], grid.x[own], grid.y[own], grid.z[own]
    for s in range(n_species):
        listed[i, s] = total
        for place in range(s * room, candidates.end[s]):
            dx, dy, dz = candidates.x[place] - xi, candidates.y[place] - yi, candidates.z[place] - zi
            candidates.square[place] = dx * dx + dy * dy + dz * dz
        if grid.species[own] == s:
            candidates.square[candidates.own[own]] = np.inf  # an atom is no neighbour of itself, but its images are
        for place in range(s * room, candidates.end[s]):
            neighbour[total], image[total] = candidates.atom[place], candidates.image[place]
            total += np.uint64(candidates.square[place] < limit)
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
    neighbour : (P,) int32
    image : (P,) int32
        Row of `images`.
    wrap : (N, 3) int32
        Cell in which each atom was given, 0 along axes that are not periodic.
    images : (n_images, 3) int32
        r_ij = (x_j - wrap_j . cell) - (x_i - wrap_i . cell) + images[image] . cell.
    """
    n = positions.shape[0]
    # Element by element throughout: array expressions would take five times as long to compile, and run no faster.
    fractional, wrap = np.empty((n, 3)), np.zeros((n, 3), np.int32)
    low, extent, height = np.zeros(3), np.ones(3), np.empty(3)  # of the atoms, in fractional coordinates
    for axis in range(3):
        # Planes of constant fractional coordinate are 1 / |column of the inverse| apart.
        height[axis] = 1.0 / np.sqrt(inverse[0, axis] ** 2 + inverse[1, axis] ** 2 + inverse[2, axis] ** 2)
        for i in range(n):
            fractional[i, axis] = (
                positions[i, 0] * inverse[0, axis]
                + positions[i, 1] * inverse[1, axis]
                + positions[i, 2] * inverse[2, axis]
            )
        if pbc[axis]:
            for i in range(n):
                turns = np.floor(fractional[i, axis])
                fractional[i, axis] -= turns
                wrap[i, axis] = np.int32(turns)
        elif n > 0:
            low[axis] = high = fractional[0, axis]
            for i in range(n):
                low[axis] = min(low[axis], fractional[i, axis])
                high = max(high, fractional[i, axis])
            extent[axis] = max(high - low[axis], 1e-9) * 1.000001
    bins, reach = np.empty(3, np.int64), np.empty(3, np.int64)
    choose_bins(extent, height, pbc, cutoff * (1 + 1e-9), n, bins, reach)  # an edge's rounding must lose no pair

    widest = max(bins[0] + 2 * reach[0], bins[1] + 2 * reach[1], bins[2] + 2 * reach[2])
    around, turn, most = np.empty((3, widest), np.int64), np.zeros((3, widest), np.int64), np.zeros(3, np.int64)
    for axis in range(3):
        for k in range(bins[axis] + 2 * reach[axis]):
            around[axis, k] = k - reach[axis]
            if pbc[axis]:
                turn[axis, k] = (k - reach[axis]) // bins[axis]
                around[axis, k] -= turn[axis, k] * bins[axis]
                most[axis] = max(most[axis], abs(turn[axis, k]))
            elif around[axis, k] >= bins[axis]:
                around[axis, k] = -1
    images = np.empty(((2 * most[0] + 1) * (2 * most[1] + 1) * (2 * most[2] + 1), 3), np.int32)
    stride = images.shape[0]
    for axis in range(3):
        period = stride
        stride //= 2 * most[axis] + 1
        for k in range(images.shape[0]):
            images[k, axis] = k % period // stride - most[axis]
        for k in range(widest):
            turn[axis, k] = (turn[axis, k] + most[axis]) * stride
    inside, offsets = np.empty((n, 3)), np.empty((images.shape[0], 3))
    fold(positions, cell, wrap, images, inside, offsets)

    # Counting sort of the atoms into bins.
    home = np.empty(n, np.int64)
    start = np.zeros(bins[0] * bins[1] * bins[2] + 2, np.int64)
    for i in range(n):
        home[i] = 0
        for axis in range(3):
            b = np.int64((fractional[i, axis] - low[axis]) / extent[axis] * bins[axis])
            home[i] = home[i] * bins[axis] + min(max(b, 0), bins[axis] - 1)
        start[home[i] + 2] += 1
    for b in range(2, len(start)):
        start[b] += start[b - 1]
    member, kind = np.empty(n, np.uint32), np.empty(n, np.uint32)
    x, y, z = np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        m = start[home[i] + 1]
        start[home[i] + 1] += 1
        member[m], kind[m] = i, species[i]
        x[m], y[m], z[m] = inside[i, 0], inside[i, 1], inside[i, 2]
    grid = Grid(bins, reach, around, turn, start, member, kind, x, y, z)

    room = 512
    candidates = room_for(n_species, n, room)
    listed = np.zeros((n, n_species + 1), np.int64)
    capacity = 96 * n + 64
    neighbour, image = np.empty(capacity, np.uint32), np.empty(capacity, np.uint32)
    total = 0
    for a in range(bins[0]):
        for b in range(bins[1]):
            for c in range(0, bins[2], GROUP):
                first, last = (a * bins[1] + b) * bins[2] + c, min(c + GROUP, bins[2]) - 1
                begin, end = start[first], start[first + last - c + 1]
                if begin == end:
                    continue
                while not collect_candidates(a, b, c, last, grid, offsets, candidates):
                    room *= 2
                    candidates = room_for(n_species, n, room)
                needed = total
                for s in range(n_species):
                    needed += (end - begin) * (np.int64(candidates.end[s]) - s * room)
                if needed >= capacity:
                    capacity = 2 * needed
                    neighbour, image = resized(neighbour, total, capacity), resized(image, total, capacity)
                for m in range(begin, end):
                    total = choose_near(m, grid, candidates, cutoff * cutoff, total, listed, neighbour, image)
    return listed, resized(neighbour, total, total), resized(image, total, total), wrap, images


@njit(**PIECE)
def gather_pairs(i, start, inside, offsets, listed, neighbour, image, cutoff, segment, index, vector):
    """Those of atom i's listed neighbours that are within the cutoff now, from place `start` on.

    Without a branch, as in `choose_near`: up to one place more is written for each neighbour read.

    Returns
    -------
    end : int
        The place after the last one.
    closest : float, Å^2
        The nearest one's squared distance (infinite if there is none).
    """
    count, closest, n_species = np.uint64(start), np.inf, listed.shape[1] - 1
    xi, yi, zi = inside[i, 0], inside[i, 1], inside[i, 2]
    for s in range(n_species):
        segment[i, s] = count
        for p in range(np.uint64(listed[i, s]), np.uint64(listed[i, s + 1])):
            j, k = neighbour[p], image[p]
            dx = inside[j, 0] - xi + offsets[k, 0]
            dy = inside[j, 1] - yi + offsets[k, 1]
            dz = inside[j, 2] - zi + offsets[k, 2]
            square = dx * dx + dy * dy + dz * dz
            index[count] = j
            vector[0, count], vector[1, count], vector[2, count] = dx, dy, dz
            count += np.uint64(square < cutoff * cutoff)
            closest = min(closest, square)
    segment[i, n_species] = count
    return np.int64(count), closest


@njit(cache=True, error_model="numpy")
def pair_vectors(positions, cell, listed, neighbour, image, wrap, images, cutoff):
    """Vectors to the neighbours that are within the cutoff now, from a list made with a larger one.

    Returns
    -------
    segment : (N, n_species + 1) int64
        Neighbours of species s of atom i stand at segment[i, s]:segment[i, s + 1].
    index : (P,) int32
        The neighbour's number.
    vector : (3, P) float64, Å
        r_ij = x_j + shift . cell - x_i.
    closest : float, Å
        The smallest distance (infinite if there is no pair).
    pair : (2,) int64
        The two atoms at that distance.
    """
    n = positions.shape[0]
    inside, offsets = np.empty((n, 3)), np.empty((images.shape[0], 3))
    fold(positions, cell, wrap, images, inside, offsets)
    segment = np.zeros(listed.shape, np.int64)
    index, vector = np.empty(len(neighbour), np.int32), np.empty((3, len(neighbour)))
    closest, pair = np.inf, np.zeros(2, np.int64)
    count = 0
    for i in range(n):
        begin = count
        count, square = gather_pairs(
            i, begin, inside, offsets, listed, neighbour, image, cutoff, segment, index, vector
        )
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
    return segment, resized(index, count, count), kept, np.sqrt(closest), pair
