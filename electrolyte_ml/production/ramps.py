"""Temperature ramps: heating and cooling in steps of constant temperature."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

_STEP = 10.0  # K, largest change of temperature between two runs


class Ramp(NamedTuple):
    """One run of the annealing: K, ps."""

    temperature: float
    time_ps: float


def ramps(stages: Sequence[tuple[float, float, float]]) -> list[Ramp]:
    """Return the runs of an annealing; the temperature changes in equal steps of at most 10 K.

    Parameters
    ----------
    stages
        (initial temperature in K, final temperature in K, length in ps) of each stage.

    Examples
    --------
    >>> ramps([(300.0, 300.0, 5.0), (300.0, 320.0, 6.0)])
    [Ramp(temperature=300.0, time_ps=5.0), Ramp(temperature=305.0, time_ps=3.0), Ramp(temperature=315.0, time_ps=3.0)]
    """
    runs = []
    for first, last, time_ps in stages:
        steps = max(1, ceil(abs(last - first) / _STEP - 1e-9))
        middles = first + (last - first) * (np.arange(steps) + 0.5) / steps
        runs += [Ramp(float(temperature), time_ps / steps) for temperature in middles]
    return runs
