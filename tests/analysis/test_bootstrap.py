"""Errors of averages over blocks of frames: runs that differ, and states that were never seen."""

import numpy as np
import pytest

from electrolyte_ml.analysis.bootstrap import Blocks
from electrolyte_ml.analysis.counts import ratio_of


def mean(total):
    return total[:, 0] / total[:, 1]


@pytest.mark.parametrize("runs", [3, 4, 5, 8])
def test_intervals_hold_where_runs_differ_for_longer_than_they_last(runs):
    """White noise with an offset for each run: the runs are the sample, not their frames."""
    rng = np.random.default_rng(100 + runs)
    held, trials = 0, 300
    for _ in range(trials):
        series = rng.normal(size=(runs, 100)) + rng.normal(size=(runs, 1))
        blocks = Blocks([100] * runs, [row[None] for row in series])
        sums = blocks.sums([np.stack([row, np.ones(100)], axis=1) for row in series])
        low, high = blocks.estimate(mean, sums).item().interval
        held += low < 0.0 < high
    assert held >= 0.92 * trials


@pytest.mark.parametrize(("fluctuates", "observations"), [(True, 8 * 40 * 2), (False, 8 * 2)])
def test_a_state_that_was_never_seen_has_the_observations_that_are_known_to_be_independent(fluctuates, observations):
    """Two ions in each of eight runs. Where nothing changes in a run, its frames are one observation."""
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(1, 400)) if fluctuates else np.full((1, 400), float(k)) for k in range(8)]
    blocks = Blocks([400] * 8, series)
    counted = blocks.sums([np.full(400, 2.0)] * 8)
    assert blocks.observations(counted) == observations
    counts = {"ions": {(): counted}}
    never = ratio_of(blocks, [counts] * 3, ("ions", ("never",)), ("ions", ()))
    assert never.value == 0.0 and never.interval == pytest.approx((0.0, 1.0 - 0.05 ** (1.0 / observations)))
    number = ratio_of(blocks, [counts] * 3, ("ions", ("never",)), ("ions", ()), fraction=False)
    assert number.interval == pytest.approx((0.0, -np.log(0.05) / observations))


def test_what_did_not_fluctuate_has_no_error():
    blocks = Blocks([100] * 3, [np.random.default_rng(k).normal(size=(1, 100)) for k in range(3)])
    counts = {"ions": {(): blocks.sums([np.full(100, 2.0)] * 3)}, "bound": {(): blocks.sums([np.full(100, 1.0)] * 3)}}
    half = ratio_of(blocks, [counts] * 3, ("bound", ()), ("ions", ()))
    assert half.value == 0.5 and np.isnan([half.error, *half.interval]).all()
