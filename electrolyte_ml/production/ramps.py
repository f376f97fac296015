"""Heating and cooling in steps of constant temperature."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

_STEP = 10.0  # K, the largest


class Ramp(NamedTuple):
    """One run of the annealing: K, ps."""

    temperature: float
    time_ps: float


def ramps(stages: Sequence[tuple[float, float, float]]) -> list[Ramp]:
    """Return the runs of an annealing: changes of temperature go in equal steps of at most 10 K.

    Parameters
    ----------
    stages
        (from K, to K, ps).

    Examples
    --------
    >>> ramps([(300.0, 300.0, 5.0), (300.0, 320.0, 6.0)])
    [Ramp(temperature=300.0, time_ps=5.0), Ramp(temperature=305.0, time_ps=3.0), Ramp(temperature=315.0, time_ps=3.0)]
    """
    found = []
    for first, last, time_ps in stages:
        steps = max(1, ceil(abs(last - first) / _STEP - 1e-9))
        middles = first + (last - first) * (np.arange(steps) + 0.5) / steps
        found += [Ramp(float(temperature), time_ps / steps) for temperature in middles]
    return found
