"""Functions of the parameters of charge redistribution: charges by composition, their derivatives, gauge and sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from electrolyte_ml.potentials.charges.conservation import Redistribution, pull_back, redistribute

Form = Literal["positive", "raw"]


def anchor(species: Sequence[str]) -> tuple[int, int]:
    """Return the place of the species whose charge has a sign by convention, and that sign."""
    for symbol, sign in (("Li", 1), ("O", -1)):
        if symbol in species:
            return list(species).index(symbol), sign
    return 0, 1


def fix_gauge(theta: np.ndarray) -> np.ndarray:
    """Return parameters (2 S,) of the same charges with sum b = 0 and sum ln s = 0, in the form "positive"."""
    b, s = np.split(theta, 2)
    neutral = redistributed(theta, np.ones(len(b)), 0.0, "positive").charges
    return np.concatenate([neutral, s - s.mean()])


def redistributed(theta: np.ndarray, counts: np.ndarray, total: np.ndarray | float, form: Form) -> Redistribution:
    """Redistribute by species.

    Parameters
    ----------
    theta : (..., 2 S)
        b and s.
    counts : (..., S)
        Atoms of each species. The charge of a species that is not there means nothing.
    total : (...), e
    form : {"positive", "raw"}

    Returns
    -------
    Redistribution
        Not finite at the pole. In the form "positive" there is none: weights are scaled by the largest, whose atoms
        alone make the sum 1 or more.
    """
    b, s = np.split(theta, 2, axis=-1)
    if form == "positive":
        largest = np.where(counts > 0, s, -np.inf).max(-1, keepdims=True)
        s = np.exp(np.minimum(s - largest, 0.0))
    return redistribute(b, s, total, counts)


def by_parameters(shared: Redistribution, by_charges: np.ndarray, counts: np.ndarray, form: Form) -> np.ndarray:
    """Return dL/dtheta (..., 2 S) from dL/dq (..., S), summed over the atoms of each species."""
    by_b = pull_back(shared.shares, by_charges, counts)
    by_s = by_b * shared.excess * (shared.shares if form == "positive" else 1 / shared.total_weight)
    return np.concatenate([by_b, by_s], axis=-1)
