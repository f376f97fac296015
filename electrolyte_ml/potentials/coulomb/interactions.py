"""Interactions of two charges for the kernels of pairs."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from electrolyte_ml.kernels.coulomb_pairs import Interaction

TAPER = 0.1  # last fraction of the cutoff, in which erfc(alpha r)/r is switched off
TERMS = range(7, 33)  # numbers of free coefficients; further ones are determined by the conditions at the cutoff
STIFFNESS = 5.0  # weight of the errors of the values, in units of the inverse cutoff


def point_charges() -> Interaction:
    """Return 1/r."""
    from electrolyte_ml.kernels.coulomb_pairs import Interaction

    return Interaction(1.0, 0.0, 0.0, math.inf, 0.0, np.zeros(0))


def gaussian_charges(alpha: float) -> Interaction:
    """Return erf(alpha r)/r."""
    from electrolyte_ml.kernels.coulomb_pairs import Interaction

    return Interaction(1.0, -1.0, alpha, math.inf, 0.0, np.zeros(0))


def tapered(alpha: float, cutoff: float) -> Interaction:
    """Return erfc(alpha r)/r, switched off by a polynomial over the last tenth of the cutoff."""
    from electrolyte_ml.kernels.coulomb_pairs import Interaction

    return Interaction(0.0, 1.0, alpha, cutoff, TAPER * cutoff, np.zeros(0))


class Fitted(NamedTuple):
    """Interaction f = 1/r - P(r²) that replaces erfc(alpha r)/r, and its error.

    Attributes
    ----------
    interaction : Interaction
    force_error : float, Å^-0.5
        Square root of the integral of (f' - (erfc(alpha r)/r)')² over all space, including the part beyond the cutoff.
    mean : float, Å²
        Integral of f over all space.
    """

    interaction: Interaction
    force_error: float
    mean: float


class _Sphere(NamedTuple):
    """Data common to all fits: quadrature points in a sphere of radius 1, and the basis functions of R there.

    Attributes
    ----------
    r, weights, u : (Q,)
        Distances, weights of an integral over the sphere, and 2 r² - 1.
    slopes : (Q, T)
        Derivatives of (1 - r²)³ times Legendre polynomials of u, times square roots of the weights.
    factor, triangle : (2 Q, T), (T, T)
        QR factors of a matrix with these slopes in its upper half and the weighted functions in its lower half.
    """

    r: np.ndarray
    weights: np.ndarray
    u: np.ndarray
    slopes: np.ndarray
    factor: np.ndarray
    triangle: np.ndarray


@cache
def _sphere() -> _Sphere:
    from numpy.polynomial import legendre

    x, weights = legendre.leggauss(6 * TERMS[-1])
    r = 0.5 * (x + 1.0)
    weights, u = 2.0 * math.pi * weights * r**2, 2.0 * r**2 - 1.0
    gap = 0.5 * (1.0 - u)[:, None]  # 1 - r²
    basis = legendre.legvander(u, TERMS[-1] - 1)
    rates = np.stack([legendre.legval(u, legendre.legder(row)) for row in np.eye(TERMS[-1])], axis=1)
    roots = np.sqrt(weights)[:, None]
    slopes = roots * 4.0 * r[:, None] * (gap**3 * rates - 1.5 * gap**2 * basis)
    factor, triangle = np.linalg.qr(np.concatenate([slopes, STIFFNESS * roots * gap**3 * basis]))
    return _Sphere(r, weights, u, slopes, factor, triangle)


@cache
def fitted(alpha: float, cutoff: float) -> Fitted:
    """Fit a polynomial P to erf(alpha r)/r, so that f = 1/r - P(r²) ends smoothly at the cutoff.

    f and its first two derivatives are zero at the cutoff: P(s) = T(s) + (1 - s/cutoff²)³ R(s), with T from the Taylor
    series of 1/r at the cutoff and R in Legendre polynomials of u = 2 s/cutoff² - 1. R is a least-squares fit of the
    slopes, and of the values times 5/cutoff, over the volume of the sphere. The number of its terms is the smallest for
    which the error of the slopes is below the error due to the cutoff.

    Parameters
    ----------
    alpha : float, 1/Å
    cutoff : float, Å
    """
    from numpy.polynomial import Polynomial, legendre
    from scipy.special import erfc

    from electrolyte_ml.kernels.coulomb_pairs import Interaction

    r, weights, u, slopes, factor, triangle = _sphere()  # in units of the cutoff
    decay = alpha * cutoff
    value = erfc(decay * r) / r
    slope = -(value + 2.0 * decay / math.sqrt(math.pi) * np.exp(-((decay * r) ** 2))) / r
    gap = Polynomial([0.5, -0.5])  # 1 - r²
    taylor = 1.0 + 0.5 * gap + 0.375 * gap**2
    wanted = np.sqrt(weights) * (-1.0 / r**2 - slope - 4.0 * r * taylor.deriv()(u))
    values = np.sqrt(weights) * (1.0 / r - value - taylor(u))
    projected = factor.T @ np.concatenate([wanted, STIFFNESS * values])
    cut_off = _beyond(decay)
    for terms in TERMS:
        coefficients = np.linalg.solve(triangle[:terms, :terms], projected[:terms])
        inside = float(np.linalg.norm(slopes[:, :terms] @ coefficients - wanted))
        if inside < cut_off:
            break
    polynomial = taylor + gap**3 * Polynomial(legendre.leg2poly(coefficients))
    mean = cutoff**2 * float((weights * (1.0 / r - polynomial(u))).sum())
    coefficients = np.array(polynomial.coef[::-1], dtype=float) / cutoff
    interaction = Interaction(1.0, 0.0, alpha, cutoff, 0.0, coefficients)
    return Fitted(interaction, math.hypot(inside, cut_off) / math.sqrt(cutoff), mean)


def _beyond(decay: float) -> float:
    """Return the square root of the integral of the squared slope of erfc(decay r)/r beyond r = 1."""
    from numpy.polynomial import legendre
    from scipy.special import erfcx

    x, weights = legendre.leggauss(40)
    width = 6.0 / decay**2  # the squared slope decays as exp(-2 decay² (r² - 1))
    r = 1.0 + 0.5 * width * (x + 1.0)
    slope = np.exp(decay**2 * (1.0 - r**2)) * (erfcx(decay * r) / r + 2.0 * decay / math.sqrt(math.pi)) / r
    return math.sqrt(float((2.0 * math.pi * width * weights * (r * slope) ** 2).sum())) * math.exp(-(decay**2))
