"""Correlation functions and displacements against sums that a reader can check, and the theory of their windows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.analysis import correlation as module
from electrolyte_ml.analysis.correlation import (
    correlation,
    find_plateau,
    mean_squared_displacement,
    relative_variance,
    running_integral,
    window_average,
)
from electrolyte_ml.errors import InputError


def direct(series, n_lags):
    frames, count, components = series.shape
    out = np.zeros((n_lags, count, count))
    for lag in range(n_lags):
        for a in range(count):
            for b in range(count):
                one = np.mean(np.sum(series[: frames - lag, a] * series[lag:, b], axis=1))
                other = np.mean(np.sum(series[: frames - lag, b] * series[lag:, a], axis=1))
                out[lag, a, b] = 0.5 * (one + other) / components
    return out


@given(st.integers(2, 40), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**31), st.integers(3, 64))
@settings(max_examples=40, deadline=None)
def test_correlation_is_the_plain_sum_however_it_is_cut_into_blocks(frames, count, components, seed, block):
    rng = np.random.default_rng(seed)
    series = rng.normal(size=(frames, count, components))
    n_lags = int(rng.integers(1, frames + 1))
    whole = module._BLOCK
    module._BLOCK = block
    try:
        found = correlation(series, n_lags)
    finally:
        module._BLOCK = whole
    np.testing.assert_allclose(found, direct(series, n_lags), atol=1e-10)


@given(st.integers(3, 40), st.integers(1, 3), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_displacement_is_the_plain_sum(frames, count, seed):
    positions = np.cumsum(np.random.default_rng(seed).normal(size=(frames, count, 3)), axis=0)
    found = mean_squared_displacement(positions, frames - 1)
    for lag in range(frames - 1):
        moved = positions[lag:] - positions[: frames - lag]
        expected = np.einsum("fac,fbc->ab", moved, moved) / (3 * len(moved))
        np.testing.assert_allclose(found[lag], expected, atol=1e-9)


def test_too_many_lags_are_refused():
    with pytest.raises(InputError, match="11 lags of 10 frames"):
        correlation(np.zeros((10, 1, 3)), 11)


@pytest.mark.parametrize("step", [0.01, 0.05])
def test_integral_of_an_exponential(step):
    times = step * np.arange(round(12 / step) + 1)
    level = window_average(running_integral(np.exp(-times), step), step, 8.0, 12.0)
    assert level == pytest.approx(1.0, rel=step**2 / 12 + 1e-3)


def test_averaging_the_integral_weighs_lags_as_the_slope_of_the_displacement_does():
    """The identity on which the one error theory stands: both are sums of w(t) c(t) with the same w."""
    rng = np.random.default_rng(1)
    velocity = rng.normal(size=(4000, 1, 3))
    positions = np.concatenate([np.zeros((1, 1, 3)), np.cumsum(velocity, axis=0)])
    a, b = 20, 60
    displaced = mean_squared_displacement(positions, b + 1)[:, 0, 0]
    slope = (displaced[b] - displaced[a]) / (2 * (b - a))
    function = correlation(velocity, b + 1)[:, 0, 0]
    lags = np.arange(b + 1)
    weights = np.clip((b - lags) / (b - a), 0, 1)
    weighted = 0.5 * function[0] + np.sum(weights[1:] * function[1:])
    assert slope == pytest.approx(weighted, abs=0.02 * function[0])


def test_error_is_that_of_the_papers_runs():
    # 10 x 2.5 ns read off 200-500 ps: about 13 %; 14 x 200 ps off 80-100 ps: about 20 % (infinitely long runs)
    mtp = np.sqrt(relative_variance(200.0, 500.0, 1e9, 3) * 1e9 / 25000.0)
    qrd = np.sqrt(relative_variance(80.0, 100.0, 1e9, 3) * 1e9 / 2800.0)
    assert mtp == pytest.approx(np.sqrt(4 * 300 / (3 * 25000)), rel=1e-3)
    assert round(mtp, 2) == 0.13 and round(qrd, 2) == 0.20


def test_error_counts_that_long_lags_have_few_pairs():
    # int w² / (5 - t) dt with w = 1 up to 2 and (4 - t) / 2 from there to 4, by hand
    by_hand = np.log(5 / 3) + (np.log(3.0) + (9 - 1) / 2 - 2 * (3 - 1)) / 4
    assert relative_variance(2.0, 4.0, 5.0, 3) == pytest.approx(4 / 3 * by_hand, rel=1e-3)


def test_plateau_starts_where_the_memory_ends():
    step, length, components = 0.05, 1000.0, 30
    times = step * np.arange(4000)
    for tau in (0.5, 2.0):
        found = find_plateau(np.exp(-times / tau), step, length, components)
        sunk = tau * np.log(1 / (2 * np.sqrt(tau / (components * length))))  # two standard errors, Bartlett
        assert 0.6 * sunk < found.memory_ps < 1.6 * sunk
        assert found.start_ps == pytest.approx(1.5 * found.memory_ps, rel=0.05)
        assert "within its noise" in found.reason
        assert np.exp(-found.start_ps / tau) < 0.02  # what is cut off


def test_slow_tail_behind_fast_rattling_is_found():
    step = 0.02
    times = step * np.arange(4000)
    fast = 50.0 * np.exp(-times / 0.1) * np.cos(20 * times)
    found = find_plateau(fast + np.exp(-times / 4.0), step, 20000.0, 30)
    assert found.start_ps > 10.0


def test_what_lies_between_two_windows_has_the_variance_of_their_difference():
    from scipy.integrate import quad

    def difference(t):
        return np.clip((9 - t) / 3, 0, 1) - np.clip((4 - t) / 2, 0, 1)

    exact = 4 / 6 * quad(lambda t: difference(t) ** 2 / (50 - t), 0, 9, points=[2, 4, 6])[0]
    assert relative_variance(6.0, 9.0, 50.0, 6, less=(2.0, 4.0)) == pytest.approx(exact, rel=1e-3)
    assert relative_variance(2.0, 4.0, 50.0, 6, less=(2.0, 4.0)) == 0.0


def test_window_is_stretched_while_the_integral_still_rises():
    """30 % of the integral come at 10 ps, behind 70 % at 0.1 ps; and without these nothing is stretched."""
    step, length, components = 0.02, 500.0, 30
    times = step * np.arange(12000)
    fast, slow = 7.0 * np.exp(-times / 0.1), 0.03 * np.exp(-times / 10.0)
    rng = np.random.default_rng(2)
    noise = np.sqrt(7.0 * 0.7 / (components * length)) * rng.normal(size=len(times))  # Bartlett's, of the fast part
    found = find_plateau(fast + slow + noise, step, length, components)
    assert found.memory_ps < 10.0 < found.start_ps
    assert "still changes" in found.reason
    alone = find_plateau(fast + 0.01 * noise, step, length, components)
    assert alone.start_ps == pytest.approx(1.5 * alone.memory_ps, rel=0.1)
    assert "still changes" not in alone.reason and "would change by" in alone.reason


def test_function_that_does_not_decay_has_no_plateau():
    assert find_plateau(np.ones(200), 0.1, 20.0, 3000) is None
