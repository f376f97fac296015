"""The polynomial in the place of erf(alpha r)/r: how it ends, how near it is, and what it says of that."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erfc

from electrolyte_ml.potentials.coulomb.interactions import fitted

CASES = [(0.45, 5.0), (0.57, 5.0), (0.8, 5.0), (0.3, 9.0)]


def functions(alpha, cutoff):
    """f and its slope, and the slope of erfc(alpha r)/r."""
    p = np.poly1d(fitted(alpha, cutoff).interaction.polynomial)

    def f(r):
        return 1 / r - p(2 * (r / cutoff) ** 2 - 1)

    def slope(r):
        return -1 / r**2 - p.deriv()(2 * (r / cutoff) ** 2 - 1) * 4 * r / cutoff**2

    def exact_slope(r):
        return -(erfc(alpha * r) / r + 2 * alpha / math.sqrt(math.pi) * math.exp(-((alpha * r) ** 2))) / r

    return f, slope, exact_slope


@pytest.mark.parametrize("alpha, cutoff", CASES)
def test_value_slope_and_curvature_end_at_the_cutoff(alpha, cutoff):
    f, slope, exact = functions(alpha, cutoff)
    assert abs(f(cutoff)) < 1e-14 and abs(slope(cutoff)) < 1e-14
    p = np.poly1d(fitted(alpha, cutoff).interaction.polynomial)
    assert abs(2 / cutoff**3 - p.deriv(2)(1.0) * (4 / cutoff) ** 2 - p.deriv()(1.0) * 4 / cutoff**2) < 1e-11
    # Elsewhere it is as near to what it stands for as what is cut off is to zero.
    r = np.linspace(0.3, 0.9 * cutoff, 50)
    assert np.abs(slope(r) - [exact(x) for x in r]).max() < abs(exact(cutoff))


@pytest.mark.parametrize("alpha, cutoff", CASES)
def test_errors_and_means_are_integrals_over_space(alpha, cutoff):
    f, slope, exact = functions(alpha, cutoff)
    fit = fitted(alpha, cutoff)
    inside = quad(lambda r: 4 * math.pi * r**2 * (slope(r) - exact(r)) ** 2, 0, cutoff, limit=200, epsabs=0)[0]
    beyond = quad(lambda r: 4 * math.pi * r**2 * exact(r) ** 2, cutoff, 4 * cutoff, epsabs=0)[0]
    assert inside < beyond
    assert fit.force_error == pytest.approx(math.sqrt(inside + beyond), rel=1e-3)
    # Kolafa and Perram's estimate of what is cut off, which is good for large alpha times cutoff
    assert math.sqrt(beyond) == pytest.approx(2 / math.sqrt(cutoff) * math.exp(-((alpha * cutoff) ** 2)), rel=0.1)
    assert fit.mean == pytest.approx(quad(lambda r: 4 * math.pi * r**2 * f(r), 0, cutoff)[0], rel=1e-9)


def test_no_more_terms_than_needed():
    sizes = [len(fitted(alpha, 5.0).interaction.polynomial) for alpha in (0.45, 0.57, 0.8, 1.0)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1] < 30
