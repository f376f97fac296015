"""Residence times and errors on processes whose answers are known."""

import numpy as np
import pytest

from electrolyte_ml.analysis.bootstrap import Blocks
from electrolyte_ml.analysis.residence import Bonds, residence_times


def telegraph(n_frames, tau, dt, seed, n_pairs=120, share=0.15):
    """Pairs that part at the rate 1/tau and meet at random, seen every dt."""
    rng = np.random.default_rng(seed)
    # Exact propagator of the two-state process over dt.
    relax = 1 - np.exp(-dt / (tau * (1 - share)))
    break_, form = relax * (1 - share), relax * share
    h = np.empty((n_frames, n_pairs), bool)
    h[0] = rng.uniform(size=n_pairs) < share
    for t in range(1, n_frames):
        draw = rng.uniform(size=n_pairs)
        h[t] = np.where(h[t - 1], draw > break_, draw < form)
    frame, bond = np.nonzero(h)
    return Bonds(bond, frame, n_pairs, n_frames), h.sum(axis=1).astype(float)[None]


def measure(runs, dt):
    blocks = Blocks([bonds.n_frames for bonds, _ in runs], [series for _, series in runs])
    return residence_times([bonds for bonds, _ in runs], dt, blocks)


@pytest.mark.slow
def test_intervals_cover_the_exact_times():
    """tau = 10 ps in 40 runs of 60 tau: the 95 % interval holds it in most of them, for both times."""
    covered = np.zeros(2)
    for seed in range(40):
        stay = measure([telegraph(1200, 10.0, 0.5, seed)], 0.5)
        # Seen every 0.5 ps, a bond that broke and formed again in between never broke.
        unseen = 0.5 / -np.log(1 - (1 - np.exp(-0.5 / 8.5)) * 0.85)
        for k, (estimate, exact) in enumerate(((stay.continuous, unseen), (stay.intermittent, 10.0))):
            covered[k] += estimate.interval[0] <= exact <= estimate.interval[1]
    assert (covered >= 33).all()


def test_several_runs_count_together():
    runs = [telegraph(600, 10.0, 0.5, seed) for seed in range(4)]
    stay = measure(runs, 0.5)
    assert stay.intermittent.value == pytest.approx(10.0, rel=0.2)
    assert 0 < stay.intermittent.error < 2.0


def test_edges():
    always = Bonds(np.zeros(20, int), np.arange(20), 1, 20)
    series = np.ones((1, 20))
    stay = measure([(always, series)], 1.0)
    assert stay.continuous.value == stay.intermittent.value == np.inf
    assert stay.extrapolated and stay.is_extrapolated("continuous")
    never = Bonds(np.zeros(0, int), np.zeros(0, int), 5, 20)
    stay = measure([(never, series)], 1.0)
    assert np.isnan(stay.continuous.value) and np.isnan(stay.intermittent.value)


def test_a_short_break_counts_for_one_time_only():
    """One bond of fifty that is away for single frames: it breaks, and is the same bond afterwards."""
    frame = np.setdiff1d(np.arange(400), np.arange(9, 400, 10))
    stay = measure([(Bonds(np.zeros(len(frame), int), frame, 50, 400), np.ones((1, 400)))], 1.0)
    assert stay.continuous.value == pytest.approx(-1 / np.log(8 / 9), rel=0.02)
    assert stay.intermittent.value > 100
    assert stay.extrapolated and stay.is_extrapolated("intermittent")
    assert not stay.is_extrapolated("continuous")  # 8.5 of 200 ps


def correlated(n, tau, seed):
    rng = np.random.default_rng(seed)
    x = np.empty(n)
    x[0] = rng.normal()
    keep = np.exp(-1 / tau)
    for k in range(1, n):
        x[k] = keep * x[k - 1] + np.sqrt(1 - keep**2) * rng.normal()
    return x


@pytest.mark.parametrize("tau", [0.1, 5.0])
def test_intervals_of_a_mean_cover_it(tau):
    inside = 0
    for seed in range(100):
        x = correlated(1500, tau, seed)
        blocks = Blocks([len(x)], [x[None]])
        sums = blocks.sums([np.stack([x, np.ones_like(x)], axis=1)])
        estimate = blocks.estimate(lambda total: total[:, 0] / total[:, 1], sums)[()]
        inside += estimate.interval[0] <= 0.0 <= estimate.interval[1]
    assert 88 <= inside <= 100


def test_what_differs_from_run_to_run_is_seen():
    """Six runs with means of their own: their scatter is the error, not that within the runs."""
    rng = np.random.default_rng(0)
    runs = [rng.normal() + 0.01 * rng.normal(size=400) for _ in range(6)]
    blocks = Blocks([400] * 6, [x[None] for x in runs])
    sums = blocks.sums([np.stack([x, np.ones_like(x)], axis=1) for x in runs])
    estimate = blocks.estimate(lambda total: total[:, 0] / total[:, 1], sums)[()]
    expected = np.std([x.mean() for x in runs], ddof=1) / np.sqrt(6)
    assert estimate.error == pytest.approx(expected, rel=0.15)


def test_never_seen_is_not_never():
    blocks = Blocks([200], [np.random.default_rng(0).normal(size=(1, 200))])
    sums = np.stack([np.zeros(len(blocks)), np.ones(len(blocks))], axis=1)
    estimate = blocks.estimate(lambda total: total[:, 0] / total[:, 1], sums, bounds=(0.0, 1.0), observations=100.0)[()]
    assert estimate.value == 0.0
    assert estimate.interval[1] == pytest.approx(0.03, abs=0.001)  # the rule of three: 3 / n
