"""The linear part of the fit: moment coefficients and shifts, exactly, for given radial functions.

E and F are linear in xi and in the shifts, so for given radial coefficients eq. (10) is a linear least-squares problem.
"""

from __future__ import annotations

import numpy as np

from .loss import Loss, weighted_residuals

# Of the largest eigenvalue of the scaled normal matrix. Directions that the data do not fix stay put; and a start with
# huge coefficients that cancel each other is a bad one for the radial functions, which are fitted next.
RIDGE = 1e-4


def normal_equations(loss: Loss, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal matrix H and right-hand side g of the least-squares problem in (shifts, xi).

    The loss is 1/2 v^T H v - g^T v + constant in v = (shifts, xi), with the radial functions of `parameters`.

    Returns
    -------
    H : (S + n_scalars, S + n_scalars)
    g : (S + n_scalars,)
    """
    n_radial = loss.potential.radial.size
    zero = parameters.copy()
    zero[n_radial:] = 0.0
    # Residuals at zero are minus the labels; a unit coefficient adds its basis function.
    base = weighted_residuals(loss, loss.residuals(zero))
    design = np.zeros((len(base), len(parameters) - n_radial))
    for column in range(design.shape[1]):
        unit = zero.copy()
        unit[n_radial + column] = 1.0
        design[:, column] = weighted_residuals(loss, loss.residuals(unit)) - base
    return design.T @ design, -design.T @ base


def solve(matrix: np.ndarray, right: np.ndarray, fixed: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Minimise 1/2 v^T H v - g^T v over what is not fixed, staying at `start` where H says nothing."""
    free = ~fixed
    if not free.any():
        return start.copy()
    residual = (right - matrix @ start)[free]
    h = matrix[np.ix_(free, free)]
    scale = 1 / np.sqrt(np.maximum(np.diag(h), np.finfo(float).tiny))
    scale[np.diag(h) == 0] = 0.0
    values, vectors = np.linalg.eigh(h * scale[:, None] * scale)
    floor = RIDGE * max(values[-1], np.finfo(float).tiny)
    step = vectors @ ((vectors.T @ (scale * residual)) / (np.maximum(values, 0.0) + floor))
    solution = start.copy()
    solution[free] += scale * step
    return solution


def solve_linear(loss: Loss, parameters: np.ndarray, fixed: np.ndarray | None = None) -> np.ndarray:
    """Parameters with shifts and moment coefficients at the minimum of the loss for these radial functions.

    `fixed` (n_parameters,) marks shifts that are known.
    """
    matrix, right = normal_equations(loss, parameters)
    n_radial = loss.potential.radial.size
    known = np.zeros(len(right), bool) if fixed is None else fixed[n_radial:]
    best = parameters.copy()
    best[n_radial:] = solve(matrix, right, known, parameters[n_radial:])
    return best
