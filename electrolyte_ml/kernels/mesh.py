"""Reciprocal-space part of an Ewald sum on a mesh (smooth particle-mesh Ewald).

Charges are spread over the points of a mesh by B-splines; Fourier transforms turn the charges into potentials; the same
B-splines and their derivatives interpolate the potentials and their slopes at the atoms. The mesh is fixed to
fractional coordinates.

Rows along the third axis have eight points more than the mesh: a charge is always written to eight points of a row, and
the points beyond the edge are later added to the points whose periodic images they are. `spread_charges` and
`gather_potentials` take the range of atoms of one thread; `transform` runs between them for all atoms.
"""

import math
from typing import NamedTuple

import numpy as np
import rocket_fft
from numba import config, njit

from electrolyte_ml.kernels.bsplines import fill_splines
from electrolyte_ml.kernels.lanes import KERNEL, LANES, PIECE, aligned, load, spread, store, total


class Mesh(NamedTuple):
    """Mesh of (X, Y, Z) points, and arrays that are reused by every sum.

    A row holds W waves: Z // 2 + 1 of the mesh, then zeros up to a whole number of SIMD vectors. Real and imaginary
    parts alternate; `influence`, `stretch` and `number` repeat each value for both parts.

    Attributes
    ----------
    shape : tuple of three int
        Each is at least the order of the splines.
    alpha : float, 1/Å
    table : (order, 8) float64
        See :func:`electrolyte_ml.potentials.coulomb.splines.spline_table`.
    factors_x, factors_y, factors_z : (X,), (Y,), (1, 2 W) float64
        See :func:`electrolyte_ml.potentials.coulomb.splines.wave_factors`.
    number : (1, 2 W) float64
        0, 0, 1, 1, 2, 2, ...
    lines : (threads, X * Y, Z + 8) float64
        Charges (e) of each thread; after `transform`, `lines[0]` holds potentials (e/Å).
    waves : (X * Y, 2 W) float64, e
        Fourier transform of the charges.
    spectrum : (X, Y, Z // 2 + 1) complex128
        View of `waves`.
    influence : (X * Y, 2 W) float64, 1/Å
        Potential per charge of each wave, for the cell of `inverse`.
    stretch : (X * Y, 2 W) float64, Å²
        -2 times the derivative of the influence by the square of the wave vector, divided by the influence.
    inverse : (3, 3) float64, 1/Å
        Inverse of the cell (vectors as rows) for which `influence` was made; initially NaN.
    """

    shape: tuple
    alpha: float
    table: np.ndarray
    factors_x: np.ndarray
    factors_y: np.ndarray
    factors_z: np.ndarray
    number: np.ndarray
    lines: np.ndarray
    waves: np.ndarray
    spectrum: np.ndarray
    influence: np.ndarray
    stretch: np.ndarray
    inverse: np.ndarray


@njit(**PIECE)
def locate(position, inverse, mesh, point, weights):
    """Set the first mesh point (3,) of an atom, and its spline weights and their slopes (6, 8)."""
    for axis in range(3):
        x = position[0] * inverse[0, axis] + position[1] * inverse[1, axis] + position[2] * inverse[2, axis]
        size = mesh.shape[axis]
        u = (x - math.floor(x)) * size
        # The fraction of a tiny negative number rounds to 1. A NaN position leads to NaN results through the splines.
        whole = max(min(np.int64(u), size - 1), 0)
        point[axis] = whole
        fill_splines(u - whole, mesh.table, axis, weights)


@njit(**PIECE)
def wrapped(place, size):
    """Wrap an index that lies at most one period beyond the end of a mesh axis."""
    return place - size if place >= size else place


@njit(**PIECE)
def add_to_lines(order, charge, point, weights, column, mesh, lines):
    """Add one charge to the mesh. If `order` is a literal number, the compiler unrolls the inner loop."""
    nx, ny, _ = mesh.shape
    z = point[2]
    along = charge * load(weights, 4)
    for b in range(order):
        column[b] = wrapped(point[1] + b, ny)
    for a in range(order):
        row = wrapped(point[0] + a, nx) * ny
        share = weights[0, a] * along
        for b in range(order):
            line = row + column[b]
            store(load(lines, line, z) + weights[2, b] * share, lines, line, z)


@njit(**KERNEL, nogil=True)
def spread_charges(thread, first, last, positions, inverse, charges, mesh):
    """Spread the charges of the atoms from `first` to `last` over the mesh of one thread.

    Parameters
    ----------
    thread, first, last : int
    positions : (N, 3) float64, Å
    inverse : (3, 3) float64, 1/Å
        Inverse of the cell (vectors as rows).
    charges : (N,) float64, e
    mesh : Mesh
    """
    lines, order = mesh.lines[thread], mesh.table.shape[0]
    point, weights, column = np.empty(3, np.int64), aligned(6, LANES, charges), np.empty(LANES, np.int64)
    for row in range(lines.shape[0]):
        for z in range(lines.shape[1]):
            lines[row, z] = 0.0
    for i in range(first, last):
        locate(positions[i], inverse, mesh, point, weights)
        if order == 5:
            add_to_lines(5, charges[i], point, weights, column, mesh, lines)
        elif order == 6:
            add_to_lines(6, charges[i], point, weights, column, mesh, lines)
        elif order == 7:
            add_to_lines(7, charges[i], point, weights, column, mesh, lines)
        else:
            add_to_lines(8, charges[i], point, weights, column, mesh, lines)


@njit(**PIECE)
def wave_number(place, size):
    """Return the integer wave number at an index along an axis of the spectrum."""
    return place if 2 * place <= size else place - size


@njit(**PIECE)
def fill_influence(inverse, volume, mesh):
    """Set `influence` and `stretch` for a new cell.

    exp(-x) is the power series at x / 2^n <= 0.7, squared n times: this needs only arithmetic, which works on vectors.
    """
    nx, ny, _ = mesh.shape
    influence, stretch, number = mesh.influence, mesh.stretch, mesh.number
    twice_pi = 2.0 * math.pi
    scale, width = 4.0 * math.pi / volume, 0.25 / (mesh.alpha * mesh.alpha)
    zx, zy, zz = twice_pi * inverse[0, 2], twice_pi * inverse[1, 2], twice_pi * inverse[2, 2]
    longest = 0.0
    for axis in range(3):
        of_axis = inverse[0, axis] ** 2 + inverse[1, axis] ** 2 + inverse[2, axis] ** 2
        longest += math.pi * (mesh.shape[axis] + 2 * LANES) * math.sqrt(of_axis)  # includes the padding of a row
    halvings = max(0, math.ceil(math.log2(width * longest * longest / 0.7)))
    fraction = -width * 0.5**halvings
    for a in range(nx):
        for b in range(ny):
            na, nb, row = wave_number(a, nx), wave_number(b, ny), a * ny + b
            px = twice_pi * (inverse[0, 0] * na + inverse[0, 1] * nb)
            py = twice_pi * (inverse[1, 0] * na + inverse[1, 1] * nb)
            pz = twice_pi * (inverse[2, 0] * na + inverse[2, 1] * nb)
            factor = scale * mesh.factors_x[a] * mesh.factors_y[b]
            for j in range(0, number.shape[1], LANES):
                c = load(number, 0, j)
                kx, ky, kz = c * zx + px, c * zy + py, c * zz + pz
                square = kx * kx + ky * ky + kz * kz
                x = square * fraction
                e = x * (1 / 39916800) + 1 / 3628800
                e = e * x + 1 / 362880
                e = e * x + 1 / 40320
                e = e * x + 1 / 5040
                e = e * x + 1 / 720
                e = e * x + 1 / 120
                e = e * x + 1 / 24
                e = e * x + 1 / 6
                e = e * x + 0.5
                e = e * x + 1.0
                e = e * x + 1.0
                for _ in range(halvings):
                    e = e * e
                over = 1.0 / (square + 1e-300)
                store(load(mesh.factors_z, 0, j) * factor * e * over, influence, row, j)
                store(2.0 * over + 2.0 * width, stretch, row, j)
    for j in range(2):  # the wave k = 0 is left out
        influence[0, j], stretch[0, j] = 0.0, 0.0
    for a in range(3):
        for b in range(3):
            mesh.inverse[a, b] = inverse[a, b]


@njit(**PIECE)
def multiply(inverse, mesh, virial):
    """Multiply the spectrum by the influence, set the virial (3, 3), e²/Å, and return the energy, e²/Å."""
    nx, ny, _ = mesh.shape
    waves, influence, stretch, number = mesh.waves, mesh.influence, mesh.stretch, mesh.number
    twice_pi = 2.0 * math.pi
    zx, zy, zz = twice_pi * inverse[0, 2], twice_pi * inverse[1, 2], twice_pi * inverse[2, 2]
    energy, v_xx, v_yy, v_zz, v_yz, v_xz, v_xy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for a in range(nx):
        for b in range(ny):
            na, nb, row = wave_number(a, nx), wave_number(b, ny), a * ny + b
            first = -0.5 * influence[row, 0] * (waves[row, 0] ** 2 + waves[row, 1] ** 2)
            shares, weights = spread(0.0, waves), spread(0.0, waves)
            moments, seconds = spread(0.0, waves), spread(0.0, waves)
            for j in range(0, number.shape[1], LANES):
                value, c = load(waves, row, j), load(number, 0, j)
                potential = load(influence, row, j) * value
                store(potential, waves, row, j)
                share = potential * value
                weight = share * load(stretch, row, j)
                moment = weight * c
                shares += share
                weights += weight
                moments += moment
                seconds += moment * c
            # An entry represents the waves n and -n, except for n[2] = 0, where each has its own entry.
            energy += total(shares) + first
            weight, moment, second = total(weights) + first * stretch[row, 0], total(moments), total(seconds)
            # Sums over c of weight k k^T, k = p + c z.
            px = twice_pi * (inverse[0, 0] * na + inverse[0, 1] * nb)
            py = twice_pi * (inverse[1, 0] * na + inverse[1, 1] * nb)
            pz = twice_pi * (inverse[2, 0] * na + inverse[2, 1] * nb)
            v_xx += weight * px * px + 2.0 * moment * px * zx + second * zx * zx
            v_yy += weight * py * py + 2.0 * moment * py * zy + second * zy * zy
            v_zz += weight * pz * pz + 2.0 * moment * pz * zz + second * zz * zz
            v_yz += weight * py * pz + moment * (py * zz + pz * zy) + second * zy * zz
            v_xz += weight * px * pz + moment * (px * zz + pz * zx) + second * zx * zz
            v_xy += weight * px * py + moment * (px * zy + py * zx) + second * zx * zy
    virial[0, 0], virial[1, 1], virial[2, 2] = v_xx - energy, v_yy - energy, v_zz - energy
    virial[1, 2], virial[0, 2], virial[0, 1] = v_yz, v_xz, v_xy
    virial[2, 1], virial[2, 0], virial[1, 0] = v_yz, v_xz, v_xy
    return energy


if config.DISABLE_JIT:

    def forward(points, spectrum, workers):
        """Fourier transform of a real array (half of the waves)."""
        spectrum[:] = np.fft.rfftn(points)

    def backward(spectrum, points, workers):
        """Inverse transform without normalisation: the sum over all waves at each point."""
        points[:] = np.fft.irfftn(spectrum, points.shape, norm="forward")

else:

    @njit(**PIECE)
    def forward(points, spectrum, workers):
        """Fourier transform of a real array (half of the waves)."""
        rocket_fft.r2c(points, spectrum, np.arange(3), True, 1.0, workers)

    @njit(**PIECE)
    def backward(spectrum, points, workers):
        """Inverse transform without normalisation: the sum over all waves at each point."""
        rocket_fft.c2r(spectrum, points, np.arange(3), False, 1.0, workers)


@njit(**KERNEL, nogil=True)
def transform(inverse, volume, mesh):
    """Turn the charges on the meshes of all threads into potentials, which are stored in `mesh.lines[0]`.

    Parameters
    ----------
    inverse : (3, 3) float64, 1/Å
    volume : float, Å³
    mesh : Mesh

    Returns
    -------
    energy : float, e²/Å
    virial : (3, 3) float64, e²/Å
    """
    nx, ny, nz = mesh.shape
    lines, threads = mesh.lines[0], mesh.lines.shape[0]
    for row in range(nx * ny):
        line = lines[row]
        for thread in range(1, threads):
            for z in range(nz + LANES):
                line[z] += mesh.lines[thread, row, z]
        for z in range(nz + LANES - 1, nz - 1, -1):
            line[z - nz] += line[z]
    same = True
    for a in range(3):
        for b in range(3):
            same = same and mesh.inverse[a, b] == inverse[a, b]
    if not same:
        fill_influence(inverse, volume, mesh)
    points = lines.reshape(nx, ny, nz + LANES)[:, :, :nz]
    forward(points, mesh.spectrum, threads)
    virial = np.empty((3, 3))
    energy = multiply(inverse, mesh, virial)
    backward(mesh.spectrum, points, threads)
    for row in range(nx * ny):
        line = lines[row]
        for z in range(nz, nz + LANES):
            line[z] = line[z - nz]
    return energy, virial


@njit(**KERNEL, nogil=True)
def gather_potentials(first, last, positions, inverse, charges, mesh, potentials, forces):
    """Add the reciprocal-space part of the potentials and forces of the atoms from `first` to `last`.

    Parameters
    ----------
    first, last : int
    positions, inverse, charges, mesh
        As in `spread_charges`, after `transform`.
    potentials : (N,) float64, e/Å
    forces : (N, 3) float64, e²/Å²
    """
    lines, order = mesh.lines[0], mesh.table.shape[0]
    nx, ny, nz = mesh.shape
    point, weights, column = np.empty(3, np.int64), aligned(6, LANES, charges), np.empty(LANES, np.int64)
    for i in range(first, last):
        locate(positions[i], inverse, mesh, point, weights)
        z = point[2]
        for b in range(order):
            column[b] = wrapped(point[1] + b, ny)
        level, rise_x, rise_y = spread(0.0, charges), spread(0.0, charges), spread(0.0, charges)
        for a in range(order):
            row = wrapped(point[0] + a, nx) * ny
            row_level, row_rise = spread(0.0, charges), spread(0.0, charges)
            for b in range(order):
                line = load(lines, row + column[b], z)
                row_level += weights[2, b] * line
                row_rise += weights[3, b] * line
            level += weights[0, a] * row_level
            rise_x += weights[1, a] * row_level
            rise_y += weights[0, a] * row_rise
        along, slope = load(weights, 4), load(weights, 5)
        potentials[i] += total(level * along)
        # Derivatives by fractional coordinates.
        sx = -charges[i] * nx * total(rise_x * along)
        sy = -charges[i] * ny * total(rise_y * along)
        sz = -charges[i] * nz * total(level * slope)
        for axis in range(3):
            forces[i, axis] += inverse[axis, 0] * sx + inverse[axis, 1] * sy + inverse[axis, 2] * sz
