"""Pairs of centres and other atoms within a cutoff, for each frame of a trajectory in any triclinic cell.

The other atoms and their images are sorted into bins as for a neighbour list, but only the bins around the centres are
searched; the time is linear in the number of atoms. The twin is `contacts_reference`.
"""

import numpy as np
from numba import njit

from electrolyte_ml.kernels.bins import bin_of, margins, place, resized, sort_into_bins, with_images


def contacts_reference(positions, cells, centres, others, cutoff):
    """Find every pair of every frame by brute force over all images: the twin of the kernel `contacts`.

    Returns
    -------
    list of (frame, centre, other, distance)
        Sorted; `centre` and `other` are indices into `centres` and `others`.
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
def contacts(positions, cells, inverses, centres, others, cutoff):
    """Find pairs of centres and other atoms that are closer than the cutoff, including all images.

    Parameters
    ----------
    positions : (F, N, 3) float64, Å
        Inside or outside the cell.
    cells, inverses : (F, 3, 3) float64
        Cell vectors as rows, and the inverse matrices.
    centres : (C,) int64
    others : (M,) int64
    cutoff : float, Å

    Returns
    -------
    frame, centre, other : (P,) int32
        Sorted by frame, then by centre; `centre` and `other` are indices into `centres` and `others`.
    distance : (P,) float64, Å
    """
    n_frames, n_centres, n = len(positions), len(centres), len(others)
    size = 64 + 8 * n_centres * n_frames
    frame_, centre_, other_ = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    square_ = np.empty(size)
    count = 0
    here, there = np.empty((n_centres, 3)), np.empty((n, 3))
    seat, home = np.empty((n_centres, 3)), np.empty(3, np.int64)
    pbc, kind, nowhere = np.ones(3, np.bool_), np.zeros(n, np.int64), np.zeros(3)
    for f in range(n_frames):
        for axis in range(3):
            for i in range(n_centres):
                here[i, axis] = positions[f, centres[i], axis]
            for j in range(n):
                there[j, axis] = positions[f, others[j], axis]
        height, margin = margins(inverses[f], cutoff)
        owner, shift, fractional = with_images(there, inverses[f], pbc, margin)
        placed = np.empty((len(owner), 3))
        place(there, cells[f], owner, shift, placed)
        grid, lowest, per = sort_into_bins(owner, fractional, placed, height, cutoff, kind)
        owner_, shift_, fractional_ = with_images(here, inverses[f], pbc, nowhere)  # into the cell
        place(here, cells[f], owner_, shift_, seat)
        for i in range(n_centres):
            first = count
            for axis in range(3):
                home[axis] = bin_of(fractional_[i, axis], lowest[axis], per[axis], grid.bins[axis])
            a, b, c = home[0], home[1], home[2]
            low, high = max(0, c - grid.reach[2]), min(grid.bins[2] - 1, c + grid.reach[2])
            for ka in range(max(0, a - grid.reach[0]), min(grid.bins[0], a + grid.reach[0] + 1)):
                for kb in range(max(0, b - grid.reach[1]), min(grid.bins[1], b + grid.reach[1] + 1)):
                    column = (ka * grid.bins[1] + kb) * grid.bins[2]
                    begin, end = grid.start[column + low], grid.start[column + high + 1]
                    if count + end - begin >= size:
                        size = 2 * (count + end - begin)
                        frame_, centre_ = resized(frame_, count, size), resized(centre_, count, size)
                        other_, square_ = resized(other_, count, size), resized(square_, count, size)
                    for m in range(begin, end):  # no branch: the next pair overwrites one that is too far
                        dx, dy, dz = grid.x[m] - seat[i, 0], grid.y[m] - seat[i, 1], grid.z[m] - seat[i, 2]
                        square = dx * dx + dy * dy + dz * dz
                        j = owner[grid.number[m]]
                        other_[count], square_[count] = j, square
                        count += np.int64(square < cutoff * cutoff) & np.int64(others[j] != centres[i])
            for p in range(first, count):
                frame_[p], centre_[p] = f, i
    for p in range(count):
        square_[p] = np.sqrt(square_[p])
    return frame_[:count], centre_[:count], other_[:count], square_[:count]
