"""The long-ranged part of an Ewald sum on a mesh (smooth particle-mesh Ewald).

Charges are spread over the points of a mesh by B-splines, the mesh of charges becomes one of potentials by Fourier
transforms, and potentials at the atoms and their slopes are read from it by the same B-splines and their derivatives.
The mesh is fixed to fractional coordinates. NumPy's transforms compile by `rocket_fft`.
"""

import math

import numpy as np
import rocket_fft  # noqa: F401
from numba import njit

from electrolyte_ml.kernels.bins import PIECE
from electrolyte_ml.kernels.bsplines import fill_splines


@njit(**PIECE)
def locate(fractional, order, shape, points, values, slopes):
    """Fill the mesh points (3, order) of an atom at `fractional` (3,) in [0, 1), and its splines (3, order)."""
    for axis in range(3):
        size = shape[axis]
        u = fractional[axis] * size
        whole = math.floor(u)
        fill_splines(u - whole, order, values[axis], slopes[axis])
        point = np.int64(whole) % size
        for k in range(order):
            points[axis, k] = point
            point = point - 1 if point > 0 else size - 1


@njit(cache=True, error_model="numpy", nogil=True)
def spread(first, last, fractional, charges, order, shape):
    """Spread the charges of the atoms from `first` to `last`.

    Parameters
    ----------
    first, last : int
    fractional : (N, 3) float64
        Within [0, 1).
    charges : (N,) float64, e
    order : int
        Of the B-splines.
    shape : tuple of three int

    Returns
    -------
    mesh : shape, float64, e
    """
    mesh = np.zeros(shape)
    points, values, slopes = np.empty((3, order), np.int64), np.empty((3, order)), np.empty((3, order))
    for i in range(first, last):
        locate(fractional[i], order, shape, points, values, slopes)
        for a in range(order):
            for b in range(order):
                weight = charges[i] * values[0, a] * values[1, b]
                line = mesh[points[0, a], points[1, b]]
                for c in range(order):
                    line[points[2, c]] += weight * values[2, c]
    return mesh


@njit(cache=True, error_model="numpy", nogil=True)
def convolve(mesh, inverse, alpha, moduli_x, moduli_y, moduli_z):
    """Turn a mesh of charges into one of potentials.

    Parameters
    ----------
    mesh : (X, Y, Z) float64, e
    inverse : (3, 3) float64, 1/Å
        Of the cell with its vectors as rows.
    alpha : float, 1/Å
    moduli_x, moduli_y, moduli_z : (X,), (Y,), (Z,) float64
        See :func:`electrolyte_ml.potentials.coulomb.mesh.spline_moduli`; zero where a wave is left out.

    Returns
    -------
    potential : (X, Y, Z) float64, e/Å
        Derivative of the energy by the charge of each point.
    energy : float, e²/Å
    virial : (3, 3) float64, e²/Å
    """
    x, y, z = mesh.shape
    spectrum = np.fft.rfftn(mesh)
    volume = 1.0 / abs(np.linalg.det(inverse))
    twice_pi, scale = 2.0 * math.pi, 4.0 * math.pi / volume * (x * y * z)
    width = 0.25 / (alpha * alpha)
    energy, virial = 0.0, np.zeros((3, 3))
    for a in range(x):
        na = a if 2 * a <= x else a - x
        for b in range(y):
            nb = b if 2 * b <= y else b - y
            moduli = moduli_x[a] * moduli_y[b]
            px = twice_pi * (inverse[0, 0] * na + inverse[0, 1] * nb)
            py = twice_pi * (inverse[1, 0] * na + inverse[1, 1] * nb)
            pz = twice_pi * (inverse[2, 0] * na + inverse[2, 1] * nb)
            for c in range(spectrum.shape[2]):
                factor = moduli * moduli_z[c]
                if factor == 0.0 or (a == 0 and b == 0 and c == 0):
                    spectrum[a, b, c] = 0.0
                    continue
                kx = px + twice_pi * inverse[0, 2] * c
                ky = py + twice_pi * inverse[1, 2] * c
                kz = pz + twice_pi * inverse[2, 2] * c
                square = kx * kx + ky * ky + kz * kz
                factor *= scale * math.exp(-width * square) / square
                value = spectrum[a, b, c]
                spectrum[a, b, c] = factor * value
                # Waves n and -n share an entry, but for those with n[2] = 0; the ones at the edge are left out.
                share = factor * (value.real * value.real + value.imag * value.imag)
                if c == 0:
                    share *= 0.5
                energy += share
                along = share * (2.0 / square + 2.0 * width)
                virial[0, 0] += along * kx * kx
                virial[1, 1] += along * ky * ky
                virial[2, 2] += along * kz * kz
                virial[1, 2] += along * ky * kz
                virial[0, 2] += along * kx * kz
                virial[0, 1] += along * kx * ky
    points = float(x * y * z)
    energy /= points
    for a in range(3):
        for b in range(a, 3):
            virial[a, b] /= points
            virial[b, a] = virial[a, b]
        virial[a, a] -= energy
    return np.fft.irfftn(spectrum, mesh.shape), energy, virial


@njit(cache=True, error_model="numpy", nogil=True)
def gather(first, last, fractional, charges, order, mesh, potentials, slopes):
    """Set the long-ranged part of the potentials and slopes of the atoms from `first` to `last`.

    Parameters
    ----------
    first, last : int
    fractional : (N, 3) float64
        Within [0, 1).
    charges : (N,) float64, e
    order : int
        Of the B-splines.
    mesh : (X, Y, Z) float64, e/Å
        Potentials.
    potentials : (N,) float64, e/Å
    slopes : (N, 3) float64, e²/Å
        Derivative of the energy by the fractional coordinates.
    """
    shape = mesh.shape
    points, values, rates = np.empty((3, order), np.int64), np.empty((3, order)), np.empty((3, order))
    for i in range(first, last):
        locate(fractional[i], order, shape, points, values, rates)
        potential, sx, sy, sz = 0.0, 0.0, 0.0, 0.0
        for a in range(order):
            for b in range(order):
                line = mesh[points[0, a], points[1, b]]
                level, rise = 0.0, 0.0
                for c in range(order):
                    level += values[2, c] * line[points[2, c]]
                    rise += rates[2, c] * line[points[2, c]]
                potential += values[0, a] * values[1, b] * level
                sx += rates[0, a] * values[1, b] * level
                sy += values[0, a] * rates[1, b] * level
                sz += values[0, a] * values[1, b] * rise
        potentials[i] = potential
        slopes[i, 0] = charges[i] * shape[0] * sx
        slopes[i, 1] = charges[i] * shape[1] * sy
        slopes[i, 2] = charges[i] * shape[2] * sz
