"""The linear part of the fit: moment coefficients and shifts, exactly, for given radial functions.

E and F are linear in xi and in the shifts, so for given radial coefficients eq. (10) is a linear least-squares problem.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .loss import Loss, weighted_residuals

ROWS = 20_000  # of the design matrix at a time


def solve_linear(loss: Loss, parameters: np.ndarray, fixed: np.ndarray | None = None, ridge: float = 0.0) -> np.ndarray:
    """Parameters with shifts and moment coefficients at the minimum of the loss for these radial functions.

    Directions that the data do not fix keep what `parameters` say of them.

    Parameters
    ----------
    loss : Loss
    parameters : (n_parameters,) array
    fixed : (n_parameters,) array of bool, optional
        Marks shifts that are known.
    ridge : float
        Tikhonov's term that holds back from far away, as a fraction of the largest eigenvalue of the normal matrix
        (its diagonal scaled to one).
    """
    n_radial = loss.potential.radial.size
    free = np.ones(len(parameters), bool) if fixed is None else ~fixed
    free[:n_radial] = False
    matrix, right = least_squares(loss, parameters)
    matrix, right = matrix[:, free[n_radial:]], right - matrix @ parameters[n_radial:]
    scale = np.linalg.norm(matrix, axis=0)
    scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    u, s, vt = np.linalg.svd(matrix * scale, full_matrices=False)
    largest = s.max(initial=0.0)
    seen = s > len(scale) * np.finfo(float).eps * largest
    inverse = np.divide(s, s**2 + ridge * largest**2, out=np.zeros_like(s), where=seen)
    best = parameters.copy()
    best[free] += scale * (vt.T @ (inverse * (u.T @ right)))
    return best


def least_squares(loss: Loss, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A and b such that the loss is 1/2 |A v - b|^2 in v = (shifts, xi), with the radial functions of `parameters`.

    A QR factorisation after every batch of configurations keeps both as small as the number of unknowns, whatever the
    number of labels, and unlike the normal equations does not square the condition number.

    Returns
    -------
    A : (at most n + 1, n) with n = S + n_scalars
    b : (at most n + 1,)
    """
    n_radial = loss.potential.radial.size
    zero = parameters.copy()
    zero[n_radial:] = 0.0
    n = len(parameters) - n_radial
    triangle = np.zeros((0, n + 1))
    for numbers in _batches(loss):
        part = loss.sample(numbers)
        # Residuals at zero are minus the labels; a unit coefficient adds its basis function.
        base = weighted_residuals(part, part.residuals(zero))
        rows = np.empty((len(base), n + 1))
        rows[:, n] = -base
        for column in range(n):
            unit = zero.copy()
            unit[n_radial + column] = 1.0
            rows[:, column] = weighted_residuals(part, part.residuals(unit)) - base
        rows *= np.sqrt(len(numbers) / len(loss.data))  # a mean over all configurations, not over those of this part
        triangle = np.linalg.qr(np.vstack([triangle, rows]), mode="r")
    return triangle[:, :n], triangle[:, n]


def _batches(loss: Loss) -> Iterator[np.ndarray]:
    """Runs of configurations with about `ROWS` rows each."""
    batch = np.cumsum(loss.rows()) // ROWS
    return (np.flatnonzero(batch == number) for number in np.unique(batch))
