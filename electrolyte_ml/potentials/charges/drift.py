"""How far charges at a composition may be from what a training set fixes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.potentials.charges.directions import charge_derivatives

if TYPE_CHECKING:
    from electrolyte_ml.potentials.charges.qrd import QRd

SPREAD = 1 / np.sqrt(3)  # standard deviation of U(-1, 1), from which starts are drawn


def expected_drift(qrd: QRd, free: np.ndarray, counts: np.ndarray, total: float) -> np.ndarray:
    """Return the standard deviation (S,) of the charges in e, if free directions are as random as in starts of a fit.

    Parameters
    ----------
    qrd
        At whose parameters the charges are differentiated: the result is of first order.
    free : (n, 2 S)
        Directions that the training set leaves free.
    counts : (S,)
        Atoms of each species. Those that are not there have NaN.
    total : float, e
    """
    moved = charge_derivatives(qrd, counts, total) @ free.T
    return np.where(counts > 0, SPREAD * np.linalg.norm(moved, axis=1), np.nan)
