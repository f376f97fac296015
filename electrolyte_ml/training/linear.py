"""Exact solution for the linear parameters of a fit, for given nonlinear ones.

Energies, forces and virials are affine functions of all linear parameters together: for given nonlinear parameters, eq.
(10) is a linear least-squares problem. In a moment tensor potential, the shifts and the moment coefficients are linear.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from electrolyte_ml.potentials.blocks import linear_mask
from electrolyte_ml.training.loss import Loss, weighted_residuals

ROWS = 20_000  # rows of the design matrix in one batch


def solve_linear(loss: Loss, parameters: np.ndarray, fixed: np.ndarray | None = None, ridge: float = 0.0) -> np.ndarray:
    """Return the parameters with the linear ones at the minimum of the loss, for given nonlinear ones.

    Directions that the data do not determine keep their values in `parameters`.

    Parameters
    ----------
    loss : Loss
    parameters : (n_parameters,) array
    fixed : (n_parameters,) array of bool, optional
        Parameters that are not changed.
    ridge : float
        Tikhonov regularisation of the change, as a fraction of the largest eigenvalue of the normal matrix (with its
        diagonal scaled to one).
    """
    free = linear_mask(loss.potential.blocks)
    if fixed is not None:
        free &= ~fixed
    matrix, right = least_squares(loss, parameters, free)
    scale = np.linalg.norm(matrix, axis=0)
    scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    u, s, vt = np.linalg.svd(matrix * scale, full_matrices=False)
    largest = s.max(initial=0.0)
    seen = s > len(scale) * np.finfo(float).eps * largest
    inverse = np.divide(s, s**2 + ridge * largest**2, out=np.zeros_like(s), where=seen)
    best = parameters.copy()
    best[free] += scale * (vt.T @ (inverse * (u.T @ right)))
    return best


def least_squares(loss: Loss, parameters: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return A and b such that the loss is 1/2 |A d - b|^2 + constant if the free parameters change by d.

    A QR factorisation after every batch of configurations limits their sizes to the number of unknowns, for any number
    of labels. Unlike the normal equations, it does not square the condition number.

    Parameters
    ----------
    loss : Loss
    parameters : (n_parameters,) array
    free : (n_parameters,) array of bool
        Linear parameters.

    Returns
    -------
    A : (at most n + 1, n) for n free parameters
    b : (at most n + 1,)
    """
    # Differences from the point at which the free parameters are zero are exact for parameters of any size.
    zero = parameters.copy()
    zero[free] = 0.0
    places = np.flatnonzero(free)
    n = len(places)
    triangle = np.zeros((0, n + 1))
    for numbers in _batches(loss):
        part = loss.sample(numbers)
        base = weighted_residuals(part, part.residuals(zero))
        rows = np.empty((len(base), n + 1))
        rows[:, n] = -base
        for column, place in enumerate(places):
            unit = zero.copy()
            unit[place] = 1.0
            rows[:, column] = weighted_residuals(part, part.residuals(unit)) - base
        rows *= np.sqrt(len(numbers) / len(loss.data))  # the mean is over all configurations, not over this batch
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, rows]), mode="r"))
    matrix, right = triangle[:, :n], triangle[:, n]
    return matrix, right - matrix @ parameters[places]


def _batches(loss: Loss) -> Iterator[np.ndarray]:
    """Yield batches of configurations with about `ROWS` rows each."""
    batch = np.cumsum(loss.rows()) // ROWS
    return (np.flatnonzero(batch == number) for number in np.unique(batch))
