"""Parameters with the most equal weights among those that give the same charges in a set.

A set fixes the charges of its own compositions, but rarely all parameters: along the free directions, a fit could end
anywhere, and the charges at other compositions would be arbitrary. By convention, it ends where the ln s differ least,
so that the excess charge is distributed as evenly as the set allows.
"""

from __future__ import annotations

import numpy as np

from electrolyte_ml.potentials.charges.composition import by_parameters, fix_gauge, redistributed
from electrolyte_ml.potentials.charges.conservation import Redistribution

ITERATIONS = 100
LONGEST = 2.0  # longest step of a ln s, because derivatives are local
RANK = 1e-9  # singular values below this fraction of the largest count as zero
CONVERGED = 1e-13  # size of the last step
SAME = 1e-12  # e, largest difference of equal charges


def equal_weights(theta: np.ndarray, counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return parameters with the same charges, in the form "positive", and the smallest sum of (ln s)^2.

    Each step minimises this sum among the parameters that have the same charges in the linear approximation.

    Parameters
    ----------
    theta : (2 S,)
        b and ln s in the fixed gauge.
    counts : (K, S)
        Number of atoms of each species.
    totals : (K,), e

    Returns
    -------
    (2 S,)
        b and ln s in the fixed gauge; `theta` if the iteration does not converge.
    """
    distinct = np.unique(np.column_stack([counts, totals]), axis=0)
    counts, totals = distinct[:, :-1], distinct[:, -1]
    present, n_species = counts > 0, counts.shape[1]

    def charges(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all charges and their derivatives by the parameters."""
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
