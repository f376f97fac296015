"""The power law through learning curves: known laws are found, and the intervals cover what they should."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.training import PowerLaw

SIZES = np.array([20, 40, 80, 160])


def measured(scale, exponent, floor, scatter, shared, rng, series=3):
    """Errors at all sizes for several series, that scatter by a factor, in part shared by a series."""
    n = np.tile(SIZES, series)
    who = np.repeat(np.arange(series), len(SIZES))
    factor = np.exp(shared * rng.normal(size=series)[who] + scatter * rng.normal(size=len(n)))
    return n, (scale * n**-exponent + floor) * factor, who


def test_an_exact_power_law_is_found():
    n, errors, who = measured(1.0, 0.4, 0.0, 0.0, 0.0, np.random.default_rng(0))
    law = PowerLaw.fit(n, errors, who)
    wanted = 500.0**-0.4
    needed = law.needed(wanted)
    assert needed.low < 500 < needed.high
    assert needed.value == pytest.approx(500, rel=0.1)
    assert law.slope.value == pytest.approx(0.4, abs=0.05)
    low, high = law.error(80.0)[1:]
    assert low < 80.0**-0.4 < high and high / low < 1.02


def test_a_floor_cannot_be_passed():
    n, errors, who = measured(1.0, 1.0, 0.1, 0.005, 0.005, np.random.default_rng(0))
    law = PowerLaw.fit(n, errors, who)
    assert law.lowest.low < 0.1 < law.lowest.high
    assert law.reachable(0.05) < 0.05 and np.isinf(law.needed(0.05).value)
    assert law.reachable(0.15) > 0.99
    assert law.needed(0.15).low < 20 < law.needed(0.15).high * 1.2  # 1 / N = 0.05


@pytest.mark.parametrize("exponent, floor", [(0.5, 0.0), (0.3, 0.0), (1.0, 0.5), (0.5, 0.3)])
def test_intervals_cover_the_truth_in_nine_of_ten(exponent, floor):
    """Over many noisy curves of one law: 90 % of the intervals hold the true size, within the binomial error.

    100 curves: a share of 0.90 has a standard error of 0.03; three of them are allowed below. Above,
    the interval may be wider than it needs to be.
    """
    rng = np.random.default_rng(1)
    at_largest = 0.2
    scale, c = at_largest * (1 - floor) * 160**exponent, at_largest * floor
    covered = []
    for k in range(100):
        ratio = (0.6, 0.7, 0.85)[k % 3]
        law = PowerLaw.fit(*measured(scale, exponent, c, 0.03, 0.05, rng))
        needed = law.needed(ratio * at_largest)
        true = ((ratio * at_largest - c) / scale) ** (-1 / exponent)
        covered.append(needed.low <= true <= needed.high)
    assert np.mean(covered) > 0.90 - 3 * 0.03


def test_more_data_narrow_the_interval():
    widths = []
    for series in (2, 12):
        law = PowerLaw.fit(*measured(1.0, 0.4, 0.0, 0.03, 0.03, np.random.default_rng(3), series))
        low, high = law.error(640.0)[1:]
        widths.append(high / low)
    assert widths[1] < widths[0]


def test_hard_held_out_sets_do_not_narrow_the_interval():
    """Scatter that the sizes of a series share does not average out over the sizes."""
    rng = np.random.default_rng(4)
    law = PowerLaw.fit(*measured(1.0, 0.4, 0.0, 0.002, 0.2, rng))
    low, high = law.error(80.0)[1:]
    assert high / low > 1.2


def test_the_unit_of_errors_does_not_matter():
    n, errors, who = measured(1.0, 0.4, 0.05, 0.02, 0.02, np.random.default_rng(5))
    small, large = PowerLaw.fit(n, errors, who), PowerLaw.fit(n, 1000 * errors, who)
    assert large.needed(200.0).value == pytest.approx(small.needed(0.2).value)


@pytest.mark.parametrize(
    "sizes, errors",
    [([10, 20, 10, 20], [1.0, 0.8, 1.1, 0.7]), ([10, 20, 40], [1.0, 0.0, 0.5]), ([10, 20, 40], [1.0, np.nan, 0.5])],
)
def test_bad_input(sizes, errors):
    with pytest.raises(InputError):
        PowerLaw.fit(sizes, errors, list(range(len(sizes))))
