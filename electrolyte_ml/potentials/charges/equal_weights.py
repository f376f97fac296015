"""Of all parameters with the same charges in a set, those whose weights differ least.

A set fixes the charges of its own compositions, and rarely all parameters: along the directions that it leaves free a
fit ends anywhere, and with it the charges of other compositions. By convention it ends where the ln s differ least, so
that the excess is shared out as evenly as the set allows.
"""

from __future__ import annotations

import numpy as np

from electrolyte_ml.potentials.charges.composition import by_parameters, fix_gauge, redistributed
from electrolyte_ml.potentials.charges.conservation import Redistribution

ITERATIONS = 100
LONGEST = 2.0  # step of a ln s; the derivatives are those of one point
RANK = 1e-9  # of the largest singular value; smaller ones are zero
CONVERGED = 1e-13  # last step
SAME = 1e-12  # e, of charges


def equal_weights(theta: np.ndarray, counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return parameters of the same charges, in the form "positive", with the least sum of (ln s)^2.

    Each step goes to the least weights among the parameters that have, by the derivatives at the last ones, the same
    charges.

    Parameters
    ----------
    theta : (2 S,)
        b and ln s, the gauge fixed.
    counts : (K, S)
        Atoms of each species.
    totals : (K,), e

    Returns
    -------
    (2 S,)
        The gauge fixed. `theta` itself where the steps come to no end.
    """
    distinct = np.unique(np.column_stack([counts, totals]), axis=0)
    counts, totals = distinct[:, :-1], distinct[:, -1]
    present, n_species = counts > 0, counts.shape[1]

    def charges(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all charges, and their derivatives by the parameters."""
        shared = redistributed(x, counts, totals, "positive")
        each = Redistribution(*(part[:, None] for part in shared))
        slopes = by_parameters(each, np.eye(n_species)[None], counts[:, None], "positive")
        return shared.charges[present], slopes[present]

    wanted, x = charges(theta)[0], theta
    for _ in range(ITERATIONS):
        values, slopes = charges(x)
        u, s, vt = np.linalg.svd(slopes)
        rank = int((s > RANK * s.max(initial=0.0)).sum())
        step = vt[:rank].T @ ((u[:, :rank].T @ (wanted - values)) / s[:rank])
        free = vt[rank:].T
        step += free @ np.linalg.lstsq(free[n_species:], -(x + step)[n_species:], rcond=RANK)[0]
        step *= min(1.0, LONGEST / max(np.abs(step[n_species:]).max(), LONGEST))
        x = fix_gauge(x + step)
        if np.abs(step).max() < CONVERGED:
            break
    else:
        return theta
    return x if np.abs(charges(x)[0] - wanted).max() < SAME * max(1.0, np.abs(wanted).max()) else theta
