"""Sorting of atoms and their periodic images into bins, for searches in time linear in the number of atoms.

Each atom is wrapped into the cell, and every periodic image within the cutoff of the cell is appended as an atom of its
own. The later steps then need no periodic boundary conditions, and a narrow cell is no special case. Atoms and images
are sorted into bins whose width is at least half the cutoff. `place` moves atoms and images to new positions.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

# Options of functions that only kernels call: an entry point for Python would double their compile time.
PIECE = {"cache": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class Grid(NamedTuple):
    """M atoms and images, sorted into bins.

    Attributes
    ----------
    bins, reach : (3,) int64
        Number of bins along each axis, and number of neighbouring bins within the cutoff.
    start : (number of bins + 2,) int64
        Bin b holds the entries start[b]:start[b + 1] of the sorted arrays below.
    number, species : (M,) uint32
        Number and species of each sorted atom or image.
    x, y, z : (M,) float64, Å
        Position of each sorted atom or image.
    """

    bins: np.ndarray
    reach: np.ndarray
    start: np.ndarray
    number: np.ndarray
    species: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray


@njit(cache=True, error_model="numpy")
def resized(values, n, size):
    """Copy the first n of `values` to a new array of length `size`."""
    copy = np.empty(size, values.dtype)
    for p in range(n):
        copy[p] = values[p]
    return copy


@njit(cache=True, error_model="numpy")
def place(positions, cell, owner, shift, placed):
    """Fill `placed` (M, 3) with the positions positions[owner[m]] + shift[m] . cell of atoms and images."""
    for m in range(placed.shape[0]):
        i = owner[m]
        a, b, c = float(shift[m, 0]), float(shift[m, 1]), float(shift[m, 2])
        for axis in range(3):
            placed[m, axis] = positions[i, axis] + (a * cell[0, axis] + b * cell[1, axis] + c * cell[2, axis])


@njit(**PIECE)
def margins(inverse, cutoff):
    """Heights of the cell between opposite faces, Å, and the cutoff in fractional coordinates."""
    # Loops over elements, as in all of this file: array expressions compile five times more slowly and run no faster.
    height, margin = np.empty(3), np.empty(3)
    for axis in range(3):
        # Planes of constant fractional coordinate are 1 / |column of the inverse| apart.
        height[axis] = 1.0 / np.sqrt(inverse[0, axis] ** 2 + inverse[1, axis] ** 2 + inverse[2, axis] ** 2)
        margin[axis] = cutoff / height[axis] + 1e-9  # rounding at an edge must lose no pair
    return height, margin


@njit(**PIECE)
def with_images(positions, inverse, pbc, margin):
    """Wrap every atom into the cell, and append all images within `margin` (3,) of it in fractional coordinates.

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
        for counted in range(2):  # the first pass counts the images, the second writes them
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
    """Set the number of bins along each axis of length `extent` (Å), and the number of bins within the cutoff.

    With bins as wide as half the cutoff, a quarter of the candidates lie within the cutoff; with bins as wide as the
    cutoff, a seventh. Bins with fewer than one atom on average cost more to visit than they save.
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
    """Return the bin of a fractional coordinate along one axis; a coordinate outside belongs to the nearest bin."""
    return min(max(np.int64((value - low) * per), 0), bins - 1)


@njit(**PIECE)
def sort_into_bins(owner, fractional, placed, height, cutoff, species):
    """Sort atoms and images into a `Grid` by a counting sort.

    Returns
    -------
    grid : Grid
    low, per : (3,) float64
        Lowest fractional coordinate along each axis, and bins per unit of fractional coordinate.
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
