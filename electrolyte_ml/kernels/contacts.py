"""Pairs of a few centres and many other atoms within a distance, frame by frame, in any triclinic cell.

The others are counting-sorted into bins about as wide as the cutoff, so that the time is linear in the number of atoms;
a cell narrower than the cutoff is one bin that is visited once per periodic image. The twin is `contacts_reference`.
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.neighbours import resized


def contacts_reference(positions, cells, centres, others, cutoff):
    """Every pair of every frame by brute force over all images: the kernel's plain twin.

    Returns
    -------
    list of (frame, centre, other, distance)
        `centre` and `other` count within `centres` and `others`; sorted.
    """
    found = []
    for frame, (x, cell) in enumerate(zip(positions, cells)):
        inverse = np.linalg.inv(cell)
        spread = np.ptp(x @ inverse, axis=0)
        # A vector shorter than the cutoff has fractional coordinates below cutoff * |column of the inverse|.
        reach = np.ceil(cutoff * np.linalg.norm(inverse, axis=0) + spread).astype(int)
        ranges = [range(-n, n + 1) for n in reach]
        images = np.array([(a, b, c) for a in ranges[0] for b in ranges[1] for c in ranges[2]]) @ cell
        for i, centre in enumerate(centres):
            for j, other in enumerate(others):
                if centre == other:
                    continue
                distance = np.linalg.norm(x[other] - x[centre] + images, axis=1)
                found.extend((frame, i, j, float(d)) for d in np.sort(distance[distance < cutoff]))
    return sorted(found)


@njit(cache=True, error_model="numpy")
def resized_floats(values, n, size):
    """The first n of `values` in a new array of `size`."""
    copy = np.empty(size, np.float64)
    for p in range(n):
        copy[p] = values[p]
    return copy


@njit(cache=True, error_model="numpy")
def contacts(positions, cells, inverses, centres, others, cutoff):
    """Pairs of centres and others that are closer than the cutoff, all images counted.

    Parameters
    ----------
    positions : (F, N, 3) float64, Å
        Need not lie inside the cell.
    cells, inverses : (F, 3, 3) float64
        Row vectors, and the inverse matrices.
    centres : (C,) int64
    others : (M,) int64
    cutoff : float, Å

    Returns
    -------
    frame, centre, other : (P,) int32
        `centre` and `other` count within `centres` and `others`; sorted by frame, then by centre.
    distance : (P,) float64, Å
    """
    n = len(others)
    size = 64 + 8 * len(centres) * len(positions)
    frame_ = np.empty(size, np.int32)
    centre_ = np.empty(size, np.int32)
    other_ = np.empty(size, np.int32)
    distance_ = np.empty(size, np.float64)
    count = 0
    fractional = np.empty((n, 3))
    wrapped = np.empty((n, 3))
    home = np.empty(n, np.int64)
    order = np.empty(n, np.int64)
    bins = np.empty(3, np.int64)
    reach = np.empty(3, np.int64)
    own = np.empty(3)
    place = np.empty(3, np.int64)
    target = np.empty(3, np.int64)
    turn = np.empty(3, np.int64)
    range_ = cutoff * (1 + 1e-9)  # a pair must not be lost to the rounding of a bin's edge
    for f in range(len(positions)):
        cell, inverse = cells[f], inverses[f]
        for axis in range(3):
            # Planes of constant fractional coordinate are 1 / |column of the inverse| apart.
            height = 1.0 / np.sqrt(inverse[0, axis] ** 2 + inverse[1, axis] ** 2 + inverse[2, axis] ** 2)
            bins[axis] = max(1, min(np.int64(height / range_), 1 + n))
            while bins[axis] > 1 and bins[axis] ** 3 > 8 * (1 + n):  # few atoms in a huge cell
                bins[axis] -= 1
            reach[axis] = np.int64(np.ceil(range_ * bins[axis] / height))
        start = np.zeros(bins[0] * bins[1] * bins[2] + 1, np.int64)
        for j in range(n):
            x = positions[f, others[j]]
            for axis in range(3):
                s = x[0] * inverse[0, axis] + x[1] * inverse[1, axis] + x[2] * inverse[2, axis]
                fractional[j, axis] = s - np.floor(s)
                place[axis] = min(np.int64(fractional[j, axis] * bins[axis]), bins[axis] - 1)
            home[j] = (place[0] * bins[1] + place[1]) * bins[2] + place[2]
            start[home[j] + 1] += 1
        for b in range(len(start) - 1):
            start[b + 1] += start[b]
        fill = start.copy()
        for j in range(n):
            p = fill[home[j]]
            fill[home[j]] += 1
            order[p] = j
            s0, s1, s2 = fractional[j, 0], fractional[j, 1], fractional[j, 2]
            for k in range(3):
                wrapped[p, k] = s0 * cell[0, k] + s1 * cell[1, k] + s2 * cell[2, k]
        for i in range(len(centres)):
            x = positions[f, centres[i]]
            for axis in range(3):
                s = x[0] * inverse[0, axis] + x[1] * inverse[1, axis] + x[2] * inverse[2, axis]
                own[axis] = s - np.floor(s)
                place[axis] = min(np.int64(own[axis] * bins[axis]), bins[axis] - 1)
            for a in range(-reach[0], reach[0] + 1):
                for b in range(-reach[1], reach[1] + 1):
                    for c in range(-reach[2], reach[2] + 1):
                        target[0], target[1], target[2] = place[0] + a, place[1] + b, place[2] + c
                        for axis in range(3):
                            turn[axis] = target[axis] // bins[axis]
                            target[axis] -= turn[axis] * bins[axis]
                        at = (target[0] * bins[1] + target[1]) * bins[2] + target[2]
                        # The image of the bin is displaced by whole cells, and so, the other way, is the centre.
                        s0, s1, s2 = own[0] - turn[0], own[1] - turn[1], own[2] - turn[2]
                        x0 = s0 * cell[0, 0] + s1 * cell[1, 0] + s2 * cell[2, 0]
                        x1 = s0 * cell[0, 1] + s1 * cell[1, 1] + s2 * cell[2, 1]
                        x2 = s0 * cell[0, 2] + s1 * cell[1, 2] + s2 * cell[2, 2]
                        for p in range(start[at], start[at + 1]):
                            d2 = (wrapped[p, 0] - x0) ** 2 + (wrapped[p, 1] - x1) ** 2 + (wrapped[p, 2] - x2) ** 2
                            if d2 < cutoff * cutoff and others[order[p]] != centres[i]:
                                if count == size:
                                    size *= 2
                                    frame_ = resized(frame_, count, size)
                                    centre_ = resized(centre_, count, size)
                                    other_ = resized(other_, count, size)
                                    distance_ = resized_floats(distance_, count, size)
                                frame_[count], centre_[count], other_[count] = f, i, order[p]
                                distance_[count] = np.sqrt(d2)
                                count += 1
    return frame_[:count], centre_[:count], other_[:count], distance_[:count]
