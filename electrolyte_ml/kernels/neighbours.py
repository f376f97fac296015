"""Neighbour list under any boundary conditions, in time linear in the number of atoms.

Atoms are sorted into bins of at least the cutoff's width along each axis; a cell narrower than the cutoff is one bin
that is visited once per periodic image. The twin is `neighbour_list_reference` below: all pairs of all images.
"""

import numpy as np
from numba import njit


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
    copy = np.empty(size, np.int32)
    for p in range(n):
        copy[p] = values[p]
    return copy


@njit(cache=True, error_model="numpy")
def resized_rows(values, n, size):
    """The first n rows of `values` in a new array of `size` rows."""
    copy = np.empty((size, 3), np.int32)
    for p in range(n):
        for axis in range(3):
            copy[p, axis] = values[p, axis]
    return copy


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
    first : (N + 1,) int64
        Neighbours of atom i stand at first[i]:first[i + 1].
    neighbour : (P,) int32
    shift : (P, 3) int32
        The neighbour's image: r_ij = x_j + shift . cell - x_i.
    """
    n = positions.shape[0]
    # Element by element throughout: array expressions would take five times as long to compile, and run no faster.
    fractional = np.empty((n, 3))
    for i in range(n):
        for axis in range(3):
            fractional[i, axis] = (
                positions[i, 0] * inverse[0, axis]
                + positions[i, 1] * inverse[1, axis]
                + positions[i, 2] * inverse[2, axis]
            )
    wrap = np.zeros((n, 3), np.int32)
    bins = np.ones(3, np.int64)
    reach = np.ones(3, np.int64)
    low = np.zeros(3)
    extent = np.ones(3)  # of the atoms, in fractional coordinates
    height = np.ones(3)
    range_ = cutoff * (1 + 1e-9)  # a pair must not be lost to the rounding of a bin's edge
    for axis in range(3):
        # Planes of constant fractional coordinate are 1 / |column of the inverse| apart.
        height[axis] = 1.0 / np.sqrt(inverse[0, axis] ** 2 + inverse[1, axis] ** 2 + inverse[2, axis] ** 2)
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
        bins[axis] = max(1, min(1 + n, np.int64(extent[axis] * height[axis] / range_)))
    while bins[0] * bins[1] * bins[2] > 8 * (1 + n):  # few atoms in a huge cell
        most = 0
        for axis in range(3):
            if bins[axis] > bins[most]:
                most = axis
        bins[most] //= 2
    width = np.empty(3)
    for axis in range(3):
        width[axis] = extent[axis] / bins[axis]
        reach[axis] = np.int64(np.ceil(range_ / (width[axis] * height[axis])))
        if not pbc[axis]:
            reach[axis] = min(reach[axis], bins[axis] - 1)

    # Counting sort of the atoms into bins.
    place = np.empty((n, 3), np.int64)
    start = np.zeros(bins[0] * bins[1] * bins[2] + 1, np.int64)
    home = np.empty(n, np.int64)
    for i in range(n):
        for axis in range(3):
            place[i, axis] = min(max(np.int64((fractional[i, axis] - low[axis]) / width[axis]), 0), bins[axis] - 1)
        home[i] = (place[i, 0] * bins[1] + place[i, 1]) * bins[2] + place[i, 2]
        start[home[i] + 1] += 1
    for b in range(len(start) - 1):
        start[b + 1] += start[b]
    fill = np.empty(len(start), np.int64)
    for b in range(len(start)):
        fill[b] = start[b]
    members = np.empty(n, np.int64)
    inside = np.empty((n, 3))
    for i in range(n):
        members[fill[home[i]]] = i
        fill[home[i]] += 1
        for axis in range(3):
            inside[i, axis] = (
                positions[i, axis]
                - wrap[i, 0] * cell[0, axis]
                - wrap[i, 1] * cell[1, axis]
                - wrap[i, 2] * cell[2, axis]
            )

    open_ = np.zeros(3, np.int64)  # a number, so that the compiler does not make the loops anew for each case
    for axis in range(3):
        open_[axis] = 0 if pbc[axis] else 1
    first = np.zeros(n + 1, np.int64)
    capacity = 64 * n + 64
    neighbour = np.empty(capacity, np.int32)
    shift = np.empty((capacity, 3), np.int32)
    count = 0
    per_species = np.zeros(n_species + 1, np.int64)
    own, own_shift = np.empty(128, np.int32), np.empty((128, 3), np.int32)
    for i in range(n):
        begin = count
        xi, yi, zi = inside[i, 0], inside[i, 1], inside[i, 2]
        for da in range(-reach[0], reach[0] + 1):
            a = place[i, 0] + da
            turn_a = a // bins[0]
            if turn_a * open_[0] != 0:
                continue
            a -= turn_a * bins[0]
            for db in range(-reach[1], reach[1] + 1):
                b = place[i, 1] + db
                turn_b = b // bins[1]
                if turn_b * open_[1] != 0:
                    continue
                b -= turn_b * bins[1]
                for dc in range(-reach[2], reach[2] + 1):
                    c = place[i, 2] + dc
                    turn_c = c // bins[2]
                    if turn_c * open_[2] != 0:
                        continue
                    c -= turn_c * bins[2]
                    ox = turn_a * cell[0, 0] + turn_b * cell[1, 0] + turn_c * cell[2, 0] - xi
                    oy = turn_a * cell[0, 1] + turn_b * cell[1, 1] + turn_c * cell[2, 1] - yi
                    oz = turn_a * cell[0, 2] + turn_b * cell[1, 2] + turn_c * cell[2, 2] - zi
                    here = (a * bins[1] + b) * bins[2] + c
                    for m in range(start[here], start[here + 1]):
                        j = members[m]
                        dx, dy, dz = inside[j, 0] + ox, inside[j, 1] + oy, inside[j, 2] + oz
                        if dx * dx + dy * dy + dz * dz >= cutoff * cutoff:
                            continue
                        if i == j and turn_a == 0 and turn_b == 0 and turn_c == 0:
                            continue
                        if count == capacity:
                            capacity *= 2
                            neighbour, shift = resized(neighbour, count, capacity), resized_rows(shift, count, capacity)
                        neighbour[count] = j
                        shift[count, 0] = turn_a - wrap[j, 0] + wrap[i, 0]
                        shift[count, 1] = turn_b - wrap[j, 1] + wrap[i, 1]
                        shift[count, 2] = turn_c - wrap[j, 2] + wrap[i, 2]
                        count += 1
        # Stable counting sort of this atom's neighbours by species.
        for s in range(n_species + 1):
            per_species[s] = 0
        for p in range(begin, count):
            per_species[species[neighbour[p]] + 1] += 1
        for s in range(n_species):
            per_species[s + 1] += per_species[s]
        if count - begin > len(own):
            own, own_shift = np.empty(2 * (count - begin), np.int32), np.empty((2 * (count - begin), 3), np.int32)
        for p in range(count - begin):
            own[p] = neighbour[begin + p]
            for axis in range(3):
                own_shift[p, axis] = shift[begin + p, axis]
        for p in range(count - begin):
            s = species[own[p]]
            target = begin + per_species[s]
            per_species[s] += 1
            neighbour[target] = own[p]
            for axis in range(3):
                shift[target, axis] = own_shift[p, axis]
        first[i + 1] = count
    return first, resized(neighbour, count, count), resized_rows(shift, count, count)


@njit(cache=True, error_model="numpy")
def gather_pairs(
    i, start, positions, cell, first, neighbour, shift, species, n_species, cutoff, segment, index, vector
):  # fmt: skip
    """Those of atom i's listed neighbours that are within the cutoff now, from place `start` on.

    Returns
    -------
    end : int
        The place after the last one.
    square : float, Å^2
        The nearest one's squared distance (infinite if there is none).
    nearest : int
    """
    count = start
    current = 0
    segment[i, 0] = start
    closest, nearest = np.inf, i
    for p in range(first[i], first[i + 1]):
        j = neighbour[p]
        a, b, c = shift[p, 0], shift[p, 1], shift[p, 2]
        dx = positions[j, 0] - positions[i, 0] + a * cell[0, 0] + b * cell[1, 0] + c * cell[2, 0]
        dy = positions[j, 1] - positions[i, 1] + a * cell[0, 1] + b * cell[1, 1] + c * cell[2, 1]
        dz = positions[j, 2] - positions[i, 2] + a * cell[0, 2] + b * cell[1, 2] + c * cell[2, 2]
        square = dx * dx + dy * dy + dz * dz
        if square >= cutoff * cutoff:
            continue
        while current < species[j]:
            current += 1
            segment[i, current] = count
        index[count] = j
        vector[0, count], vector[1, count], vector[2, count] = dx, dy, dz
        count += 1
        if square < closest:
            closest, nearest = square, np.int64(j)
    while current < n_species:
        current += 1
        segment[i, current] = count
    return count, closest, nearest


@njit(cache=True, error_model="numpy")
def pair_vectors(positions, cell, first, neighbour, shift, species, n_species, cutoff):
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
    segment = np.zeros((n, n_species + 1), np.int64)
    index = np.empty(len(neighbour), np.int32)
    vector = np.empty((3, len(neighbour)))
    closest, pair = np.inf, np.zeros(2, np.int64)
    count = 0
    for i in range(n):
        count, square, j = gather_pairs(
            i, count, positions, cell, first, neighbour, shift, species, n_species, cutoff, segment, index, vector
        )
        if square < closest:
            closest = square
            pair[0], pair[1] = i, j
    kept = np.empty((3, count))
    for axis in range(3):
        for p in range(count):
            kept[axis, p] = vector[axis, p]
    return segment, resized(index, count, count), kept, np.sqrt(closest), pair
