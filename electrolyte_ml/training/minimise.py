"""Stages of BFGS that minimise a loss.

The default method differs from plain BFGS in two ways.

Each stage starts from the Gauss-Newton curvature J^T J of a sample of the configurations (Nocedal & Wright, ch. 6 and
10): the loss is a sum of squares, the scales of its parameters differ by orders of magnitude, and R(R + 1)/2 directions
of a moment tensor potential change nothing at all.

Far from a fit the loss of a sample is minimised; the sample doubles whenever its loss falls below that of all, until
all configurations take part (Byrd, Chin, Nocedal and Wu, Math. Program. 134, 127 (2012)). A dozen labels for each
parameter show the way to a fit as well as hundreds do. The first stage starts from the exact solution for the linear
parameters (`linear`).

`method="paper"` is plain BFGS on all configurations, from the given parameters.
"""

from __future__ import annotations

import numpy as np

from electrolyte_ml.potentials.blocks import linear_mask, shifts_of
from electrolyte_ml.training.linear import solve_linear
from electrolyte_ml.training.loss import Loss, weighted_residuals
from electrolyte_ml.training.progress import Progress

METHODS = ("default", "paper")
STAGE = 60  # BFGS iterations between two samples of the curvature, at first
LONGEST_STAGE = 400
SLOW = 0.1  # a stage that lowers the loss by less than this fraction is followed by one of twice the length
CURVATURE_ROWS = 24  # labels in the sample that gives the curvature, as a multiple of the number of parameters
FIRST_ROWS = 12  # and in the first sample that is fitted
OVERFITTED = 0.1  # a sample grows when the loss of all exceeds its own by more than this fraction
# Added to the curvature, scaled to a unit diagonal. Along directions of less curvature than this a stage begins
# cautiously: far from a fit many, since the curvature there is soon another, and near it few.
FIRST_DAMPING, DAMPING = 1e-3, 1e-6
UNSEEN = 1e-4  # of the largest derivative: below it a sample says nothing of a parameter
DIFFERENCE = 1e-6
# Of the first solution of the linear part: huge coefficients that cancel each other are a bad start for the radial
# functions, which are fitted next.
RIDGE = 1e-4


def minimise(
    loss: Loss,
    parameters: np.ndarray,
    free: np.ndarray,
    method: str,
    linear_start: bool,
    max_iterations: int,
    tolerance: float,
    report: Progress,
) -> tuple[np.ndarray, bool]:
    """Stages of BFGS until one gains too little: the parameters, and whether that happened."""
    if not free.any():
        return parameters, True
    plain = np.eye(len(parameters))[:, free]
    if method == "paper":
        return _bfgs(loss, parameters, plain, max_iterations - report.done, report), report.done < max_iterations
    rng = np.random.default_rng(0)
    if not _explains_most(loss, parameters, report.loss):
        parameters = _approach(loss, parameters, free, rng, linear_start, max_iterations, report)
    converged, length = False, STAGE
    while not converged and report.done < max_iterations:
        before = loss.value(loss.residuals(parameters))
        transform = _curvature_transform(loss, parameters, free, rng, DAMPING)
        parameters = _bfgs(loss, parameters, transform, min(length, max_iterations - report.done), report)
        gain = (before - report.loss) / before if before > 0 else 0.0
        converged = length >= LONGEST_STAGE and gain <= tolerance * length / STAGE
        # When progress is slow, lengthen the stage: the BFGS Hessian is then better than a fresh Gauss-Newton sample.
        length = min(2 * length, LONGEST_STAGE) if gain < SLOW else length
    return parameters, converged


def _approach(
    loss: Loss,
    parameters: np.ndarray,
    free: np.ndarray,
    rng: np.random.Generator,
    linear_start: bool,
    max_iterations: int,
    report: Progress,
) -> np.ndarray:
    """Come near a fit on a sample of the configurations, which grows when it gains no more or is overfitted.

    A third of the iterations is left for all configurations.
    """
    order = rng.permutation(np.flatnonzero(loss.rows()))
    labels = np.cumsum(loss.rows()[order])
    size, damping = FIRST_ROWS * free.sum(), FIRST_DAMPING
    last = report.done + 2 * (max_iterations - report.done) // 3

    def sample() -> Loss:
        return loss.sample(np.sort(order[: 1 + np.searchsorted(labels, size)]))

    part = sample()
    if linear_start and report.done == 0:
        parameters = solve_linear(part, parameters, ~free, RIDGE)
    # The curvature here differs from that at the fit: the first steps keep to the scale of the parameters.
    parameters = _bfgs(part, parameters, np.eye(len(free))[:, free], min(STAGE, last - report.done), report)
    while size < labels[-1] and report.done < last:
        before = part.value(part.residuals(parameters))
        transform = _curvature_transform(part, parameters, free, rng, damping)
        parameters = _bfgs(part, parameters, transform, min(STAGE, last - report.done), report)
        damping = max(0.1 * damping, DAMPING)
        overfitted = loss.value(loss.residuals(parameters)) > (1 + OVERFITTED) * report.loss
        if overfitted or before - report.loss < SLOW * before:
            size *= 2
            part = sample()
    return parameters


def _bfgs(loss: Loss, parameters: np.ndarray, transform: np.ndarray, iterations: int, report: Progress) -> np.ndarray:
    """Minimise over u in theta = parameters + transform u, with a loss of all configurations or of some."""
    from scipy.optimize import OptimizeResult, minimize

    def function(u: np.ndarray) -> tuple[float, np.ndarray]:
        report.evaluations += 1
        value, gradient = loss(parameters + transform @ u)
        return value, transform.T @ gradient

    def callback(intermediate_result: OptimizeResult) -> None:
        report(parameters + transform @ intermediate_result.x, intermediate_result.fun)

    result = minimize(
        function,
        np.zeros(transform.shape[1]),
        jac=True,
        method="BFGS",
        callback=callback,
        options={"maxiter": iterations, "gtol": 1e-10},
    )
    return parameters + transform @ result.x


def _explains_most(loss: Loss, parameters: np.ndarray, value: float) -> bool:
    """Whether the loss is under a tenth of what it is when only the shifts are fitted."""
    data, blocks = loss.data, loss.potential.blocks
    null = np.where(linear_mask(blocks), 0.0, parameters)
    shifts, labelled = shifts_of(blocks), np.isfinite(data.energies)
    if shifts and labelled.any():
        # The mean energy of every composition: least squares, whatever the number of compositions.
        rest = (data.energies - data.term.predict(null, loss.threads).energies)[labelled]
        null[shifts[0]] = np.linalg.lstsq(data.counts[labelled], rest, rcond=None)[0]
    return value < 0.1 * loss.value(loss.residuals(null))


def _curvature_transform(
    loss: Loss, parameters: np.ndarray, free: np.ndarray, rng: np.random.Generator, damping: float
) -> np.ndarray:
    """T with T T^t = (J^T J + damping)^-1 over the free parameters: in u the loss curves alike in all directions.

    J are the derivatives of the weighted residuals of a sample of the configurations, by differences.
    """
    rows = loss.rows()
    order = rng.permutation(np.flatnonzero(rows))
    enough = 1 + np.searchsorted(np.cumsum(rows[order]), CURVATURE_ROWS * free.sum())
    sample = loss.sample(np.sort(order[:enough]))
    base = weighted_residuals(sample, sample.residuals(parameters))
    places = np.flatnonzero(free)
    jacobian = np.empty((len(base), len(places)))
    for column, place in enumerate(places):
        moved = parameters.copy()
        step = DIFFERENCE * max(1.0, abs(parameters[place]))
        moved[place] += step
        jacobian[:, column] = (weighted_residuals(sample, sample.residuals(moved)) - base) / step
    curvature = jacobian.T @ jacobian
    scale = np.sqrt(np.diag(curvature))
    seen = scale > UNSEEN * scale.max()
    # Parameters without effect on the sample may matter to the other configurations: short first steps along them.
    transform = np.zeros((len(free), len(places)))
    transform[places, np.arange(len(places))] = 1 / (scale.max() or 1.0)
    correlation = curvature[np.ix_(seen, seen)] / (scale[seen, None] * scale[seen])
    values, vectors = np.linalg.eigh(correlation)
    whitened = vectors / np.sqrt(np.maximum(values, 0.0) + damping) / scale[seen, None]
    transform[np.ix_(places[seen], np.flatnonzero(seen))] = whitened
    return transform
