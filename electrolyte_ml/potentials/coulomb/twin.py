"""Twins of the Coulomb kernels: each part of the sums in plain NumPy, term by term as in the formulas.

Energies are in e²/Å, potentials in e/Å, forces in e²/Å². The arrays are dense: for small systems only.
"""

from __future__ import annotations

import math

import numpy as np


def pair_part(
    vectors: np.ndarray, i: np.ndarray, j: np.ndarray, charges: np.ndarray, value: np.ndarray, slope: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return potentials (N,), forces (N, 3) and virial (3, 3) of pairs that are listed for both atoms.

    Parameters
    ----------
    vectors : (P, 3) Å
        Vectors from atom i to atom j.
    i, j : (P,) int
    charges : (N,) e
    value, slope : (P,)
        Interaction of unit charges at the distances of the pairs, and its derivative by the distance.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    pull = (charges[i] * charges[j] * slope)[:, None] * unit
    potentials, forces = np.zeros(len(charges)), np.zeros((len(charges), 3))
    np.add.at(potentials, i, charges[j] * value)
    np.add.at(forces, i, pull)
    return potentials, forces, 0.5 * pull.T @ vectors


def erf_over_r(r: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return erf(alpha r)/r and its derivative by r (P,)."""
    value = np.array([math.erf(alpha * x) / x for x in r])
    return value, (2.0 * alpha / math.sqrt(math.pi) * np.exp(-((alpha * r) ** 2)) - value) / r


def erfc_over_r(r: np.ndarray, alpha: float, cutoff: float, taper: float) -> tuple[np.ndarray, np.ndarray]:
    """Return erfc(alpha r)/r, switched off by a polynomial between cutoff - taper and cutoff, and its derivative."""
    value = np.array([math.erfc(alpha * x) / x for x in r])
    slope = -(2.0 * alpha / math.sqrt(math.pi) * np.exp(-((alpha * r) ** 2)) + value) / r
    t = np.clip((r - cutoff + taper) / taper, 0.0, 1.0)
    switch, rate = 1 - 10 * t**3 + 15 * t**4 - 6 * t**5, -30 * t**2 * (1 - t) ** 2 / taper
    return value * switch, slope * switch + value * rate


def polynomial_over_r(r: np.ndarray, cutoff: float, polynomial: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 1/r - P(2 r²/cutoff² - 1) and its derivative, for coefficients of P with the highest power first."""
    u, p = 2.0 * (r / cutoff) ** 2 - 1.0, np.poly1d(polynomial)
    return 1.0 / r - p(u), -1.0 / r**2 - p.deriv()(u) * 4.0 * r / cutoff**2


def wave_part(
    positions: np.ndarray, cell: np.ndarray, charges: np.ndarray, alpha: float, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return potentials (N,), forces (N, 3) and virial (3, 3) of waves with integers `numbers` (K, 3).

    Both n and -n must be given. The interaction of charges with themselves is included.
    """
    k = 2.0 * np.pi * numbers @ np.linalg.inv(cell).T
    square = (k**2).sum(1)
    weights = 4.0 * np.pi / abs(np.linalg.det(cell)) / square * np.exp(-square / (4.0 * alpha**2))
    waves = np.exp(1j * positions @ k.T)  # (N, K)
    factors = charges @ waves
    potentials = (waves.conj() @ (weights * factors)).real
    forces = -charges[:, None] * ((-1j * waves.conj() * (weights * factors)) @ k).real
    shares = 0.5 * weights * np.abs(factors) ** 2
    virial = np.einsum("k,ka,kb->ab", shares * (2.0 / square + 0.5 / alpha**2), k, k) - shares.sum() * np.eye(3)
    return potentials, forces, virial


def spline(u: np.ndarray, order: int) -> np.ndarray:
    """Return the cardinal B-spline on [0, order] from truncated powers."""
    u = np.maximum(np.minimum(u, order - u), 0.0)  # symmetric; fewer terms lose fewer digits
    terms = [(-1) ** k * math.comb(order, k) * np.maximum(u - k, 0.0) ** (order - 1) for k in range(order + 1)]
    return np.sum(terms, axis=0) / math.factorial(order - 1)


def mesh_charges(fractional: np.ndarray, charges: np.ndarray, order: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the charges of atoms on the points of a mesh, (X, Y, Z)."""
    axes = []
    for axis, size in enumerate(shape):
        images = np.arange(-order - 1, order + 2) * size  # a spline may extend over more points than the mesh has
        u = size * fractional[:, axis, None, None] - np.arange(size)[:, None] - images
        axes.append(spline(u, order).sum(-1))
    return np.einsum("i,ia,ib,ic->abc", charges, *axes)


def mesh_energy(mesh: np.ndarray, cell: np.ndarray, alpha: float, order: int) -> float:
    """Return the energy of a mesh of charges by a sum over all waves except the shortest ones of even meshes.

    The influence of a wave minimises the error of the energy; its aliases are shorter waves.
    """
    spectrum = np.fft.fftn(mesh)
    axes = [np.rint(np.fft.fftfreq(size) * size).astype(int) for size in mesh.shape]
    kept = np.ones(mesh.shape, bool)
    factors = np.ones(mesh.shape)
    for axis, (size, n) in enumerate(zip(mesh.shape, axes, strict=True)):
        along = [-1 if a == axis else 1 for a in range(3)]
        alike = np.sinc((n[:, None] + size * np.arange(-100, 101)) / size) ** (2 * order)
        kept &= (2 * np.abs(n) < size).reshape(along)
        factors = factors * (np.sinc(n / size) ** (2 * order) / alike.sum(1) ** 2).reshape(along)
    numbers = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    square = ((2 * np.pi * numbers @ np.linalg.inv(cell).T) ** 2).sum(-1)
    kept &= square > 0
    green = 4.0 * np.pi / abs(np.linalg.det(cell)) / square[kept] * np.exp(-square[kept] / (4.0 * alpha**2))
    return float(0.5 * (green * factors[kept] * np.abs(spectrum[kept]) ** 2).sum())
