"""Expected drift of charges at a composition that the training set does not fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.potentials.charges.directions import charge_derivatives

if TYPE_CHECKING:
    from electrolyte_ml.potentials.charges.qrd import QRd

SPREAD = 1 / np.sqrt(3)  # standard deviation of U(-1, 1), the distribution of random starts


def expected_drift(qrd: QRd, free: np.ndarray, counts: np.ndarray, total: float) -> np.ndarray:
    """Return the standard deviation (S,) of the charges in e for random parameters along the free directions.

    The parameters have the spread of random starts of a fit. The result is of first order.

    Parameters
    ----------
    qrd
        Model whose charges are differentiated at its parameters.
    free : (n, 2 S)
        Directions that the training set leaves free.
    counts : (S,)
        Number of atoms of each species. The result is NaN for missing species.
    total : float, e
    """
    moved = charge_derivatives(qrd, counts, total) @ free.T
    return np.where(counts > 0, SPREAD * np.linalg.norm(moved, axis=1), np.nan)
