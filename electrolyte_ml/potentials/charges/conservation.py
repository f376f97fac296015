"""Conservation of the total charge by redistribution, and its chain rule (paper, eq. 8).

The charges b proposed by a model rarely add up to the total charge Q. The excess Q - sum b is distributed in proportion
to weights s:

    q_i = b_i + s_i (Q - sum_j b_j) / (sum_j s_j)

The entries of the arrays are atoms, or species with the number of atoms of each (`counts`); leading axes are
configurations, or sets of parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Redistribution(NamedTuple):
    """Charges that add up to a total.

    Attributes
    ----------
    charges : (..., n), e
    shares : (..., n)
        Share of each atom in the excess, s_i / sum_j s_j.
    excess : (..., 1), e
        Q - sum_j b_j.
    total_weight : (..., 1)
        sum_j s_j.
    """

    charges: np.ndarray
    shares: np.ndarray
    excess: np.ndarray
    total_weight: np.ndarray


def redistribute(
    proposed: np.ndarray, weights: np.ndarray, total: np.ndarray | float, counts: np.ndarray | float = 1.0
) -> Redistribution:
    """Distribute the difference between the total charge and the proposed charges.

    Parameters
    ----------
    proposed : (..., n), e
        b.
    weights : (..., n)
        s.
    total : (...) or float, e
        Q.
    counts : (..., n) or float
        Number of atoms that each entry represents.

    Returns
    -------
    Redistribution
        Not finite at the pole, where the sum of the weights is zero.
    """
    excess = np.asarray(total)[..., None] - (counts * proposed).sum(-1, keepdims=True)
    total_weight = (counts * weights).sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shares = weights / total_weight
        return Redistribution(proposed + shares * excess, shares, excess, total_weight)


def pull_back(shares: np.ndarray, by_charges: np.ndarray, counts: np.ndarray | float = 1.0) -> np.ndarray:
    """Return dL/db from dL/dq.

    The derivative by a weight is ``pull_back(...) * excess / total_weight``, by its logarithm ``pull_back(...) * excess
    * shares``.

    Parameters
    ----------
    shares : (..., n)
        Shares from `redistribute`.
    by_charges : (..., n)
        dL/dq, summed over the atoms that an entry represents.
    counts : (..., n) or float
        As for `redistribute`.
    """
    by_proposed: np.ndarray = by_charges - counts * (shares * by_charges).sum(-1, keepdims=True)
    return by_proposed
