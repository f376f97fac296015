"""Neighbour list under any boundary conditions, in time linear in the number of atoms.

Each atom is taken in the image that lies inside the cell, `positions - wrap . cell`, and sorted into bins of half the
cutoff or more; what is near is in the bins around it, of which those along the third axis stand side by side in memory.
A cell narrower than the cutoff has its bins visited once per periodic image. The twin is `neighbour_list_reference`
below: all pairs of all images.

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
    place : (N, 3) int64
        Each atom's bin.
    rank : (N,) int64
        Each atom's number among those sorted.
    member : (N,) int32
        The reverse.
    x, y, z : (N,) float64, Å
        Of the atoms sorted, inside the cell.
    """

    bins: np.ndarray
    reach: np.ndarray
    around: np.ndarray
    turn: np.ndarray
    start: np.ndarray
    place: np.ndarray
    rank: np.ndarray
    member: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray


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
def search(i, grid, inside, offsets, square, found, code):
    """Write the sorted numbers of the atoms near atom i to `found`, their images to `code`; returns how many.

    Without a branch, of which every fourth would be mispredicted: each candidate is written down, and overwritten by
    the next if it is too far. Unsigned places spare the test for negative ones. Returns minus the room that is needed
    where there is too little: an array that is made anew inside this loop would have its references counted there.
    """
    a, b, c = grid.place[i, 0], grid.place[i, 1], grid.place[i, 2]
    last = c + 2 * grid.reach[2]
    count = np.uint64(0)
    for ka in range(a, a + 2 * grid.reach[0] + 1):
        if grid.around[0, ka] < 0:
            continue
        for kb in range(b, b + 2 * grid.reach[1] + 1):
            if grid.around[1, kb] < 0:
                continue
            column = (grid.around[0, ka] * grid.bins[1] + grid.around[1, kb]) * grid.bins[2]
            kc = c
            while kc <= last:
                first = grid.around[2, kc]
                if first < 0:
                    kc += 1
                    continue
                end = min(first + last - kc, grid.bins[2] - 1)  # as far as the bins of this image go
                k = grid.turn[0, ka] + grid.turn[1, kb] + grid.turn[2, kc]
                kc += end - first + 1
                lo, hi = grid.start[column + first], grid.start[column + end + 1]
                if np.int64(count) + hi - lo > len(found):
                    return -2 * (np.int64(count) + hi - lo)
                # An atom is no neighbour of itself, but its images are.
                own = np.uint64(grid.rank[i] if k == offsets.shape[0] // 2 else len(grid.rank))
                x, y, z = inside[i, 0] - offsets[k, 0], inside[i, 1] - offsets[k, 1], inside[i, 2] - offsets[k, 2]
                for m in range(np.uint64(lo), np.uint64(hi)):
                    dx, dy, dz = grid.x[m] - x, grid.y[m] - y, grid.z[m] - z
                    found[count] = m
                    code[count] = k
                    count += np.uint64((dx * dx + dy * dy + dz * dz < square) & (m != own))
    return np.int64(count)


@njit(**PIECE)
def sort_by_species(i, start, count, member, species, found, code, listed, neighbour, image):
    """Stable counting sort of atom i's neighbours, from place `start` on."""
    n_species = listed.shape[1] - 1
    for p in range(count):
        found[p] = member[found[p]]
        listed[i, species[found[p]]] += 1
    for s in range(n_species + 1):
        start, listed[i, s] = start + listed[i, s], start
    for p in range(count):
        s = species[found[p]]
        neighbour[listed[i, s]], image[listed[i, s]] = found[p], code[p]
        listed[i, s] += 1
    for s in range(n_species, 0, -1):  # each stands at its end, where the next one begins
        listed[i, s] = listed[i, s - 1]
    listed[i, 0] = start - count


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
    place, home = np.empty((n, 3), np.int64), np.empty(n, np.int64)
    start = np.zeros(bins[0] * bins[1] * bins[2] + 2, np.int64)
    for i in range(n):
        for axis in range(3):
            b = np.int64((fractional[i, axis] - low[axis]) / extent[axis] * bins[axis])
            place[i, axis] = min(max(b, 0), bins[axis] - 1)
        home[i] = (place[i, 0] * bins[1] + place[i, 1]) * bins[2] + place[i, 2]
        start[home[i] + 2] += 1
    for b in range(2, len(start)):
        start[b] += start[b - 1]
    member, rank = np.empty(n, np.uint32), np.empty(n, np.int64)
    x, y, z = np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        m = start[home[i] + 1]
        start[home[i] + 1] += 1
        member[m], rank[i] = i, m
        x[m], y[m], z[m] = inside[i, 0], inside[i, 1], inside[i, 2]
    grid = Grid(bins, reach, around, turn, start, place, rank, member, x, y, z)

    listed = np.zeros((n, n_species + 1), np.int64)
    capacity = 96 * n + 64
    neighbour, image = np.empty(capacity, np.uint32), np.empty(capacity, np.uint32)
    found, code = np.empty(512, np.uint32), np.empty(512, np.uint32)
    total = 0
    for i in range(n):
        count = search(i, grid, inside, offsets, cutoff * cutoff, found, code)
        while count < 0:
            found, code = np.empty(-count, np.uint32), np.empty(-count, np.uint32)
            count = search(i, grid, inside, offsets, cutoff * cutoff, found, code)
        if total + count > capacity:
            capacity = 2 * (total + count)
            neighbour, image = resized(neighbour, total, capacity), resized(image, total, capacity)
        sort_by_species(i, total, count, member, species, found, code, listed, neighbour, image)
        total += count
    return listed, resized(neighbour, total, total), resized(image, total, total), wrap, images


@njit(**PIECE)
def gather_pairs(i, start, inside, offsets, listed, neighbour, image, cutoff, segment, index, vector):
    """Those of atom i's listed neighbours that are within the cutoff now, from place `start` on.

    Without a branch, as in `search`; `start` may not be behind listed[i, 0], so that nothing is written beyond a place
    whose candidate has been read.

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
