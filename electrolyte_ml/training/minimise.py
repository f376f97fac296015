"""Minimisation of a loss by runs of BFGS.

The default method differs from plain BFGS in three ways.

Each run starts from the Gauss-Newton curvature J^T J of a sample of the configurations (Nocedal & Wright, ch. 6 and
10), because the loss is a sum of squares, the scales of its parameters differ by orders of magnitude, and R(R + 1)/2
directions of a moment tensor potential do not change the loss.

Far from the minimum, the loss of a sample is minimised. The sample is doubled when it is overfitted or its loss stops
falling, until it includes all configurations (Byrd, Chin, Nocedal and Wu, Math. Program. 134, 127 (2012)): at first,
about ten labels per parameter are as useful as hundreds. The first run starts from the exact solution for the linear
parameters (`linear`).

Terms of a sum with a later stage (`Potential.stage`) are left out at first. When a term joins, its parameters are first
fitted alone, with the linear parameters of the other terms solved again for each trial (`projection`), and then all
parameters together. For charges added to a moment tensor potential (60 liquids of 4 EC and 8 EMC), the mean errors of
forces on 60 other liquids were 0.351 eV/Å at level 8 (six starts) and 0.199 eV/Å at level 12 (three starts). Fits of
all terms at once gave 0.365 and 0.207 eV/Å in the same processor time, and one of the six ended in a bad minimum.

`method="paper"` is plain BFGS on all configurations, from the given parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from electrolyte_ml.potentials.blocks import linear_mask, shifts_of
from electrolyte_ml.training.bfgs import minimise_bfgs
from electrolyte_ml.training.linear import solve_linear
from electrolyte_ml.training.loss import Loss, weighted_residuals
from electrolyte_ml.training.progress import Progress
from electrolyte_ml.training.projection import project

METHODS = ("default", "paper")
RUN = 60  # BFGS iterations between two samples of the curvature, initially
LONGEST_RUN = 400
EARLY = 60  # most iterations before the terms of the next stage join
SLOW = 0.1  # a run that lowers the loss by less than this fraction is followed by a run of twice the length
CURVATURE_ROWS = 24  # labels in the sample for the curvature, as a multiple of the number of parameters
FIRST_ROWS = 12  # labels in the first sample that is fitted, as a multiple of the number of parameters
# A run that fits a sample and raises the loss of all configurations by more than this factor is undone: parameters may
# grow without limit along directions that the sample does not determine.
WORSE = 2.0
OVERFITTED = 0.1  # a sample grows when the loss of all configurations exceeds its own by more than this fraction
# Added to the curvature, which is scaled to a unit diagonal. The first steps are short along directions with a smaller
# curvature than this: far from the minimum along many, because the curvature there changes quickly, near it along few.
FIRST_DAMPING, DAMPING = 1e-3, 1e-6
UNSEEN = 1e-4  # fraction of the largest derivative below which a sample does not determine a parameter
DIFFERENCE = 1e-6
# Ridge of the first linear solution: huge coefficients that cancel each other are a bad start for the fit of the radial
# functions.
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
    """Repeat runs of BFGS until the loss falls too little; return the parameters and whether the fit converged."""
    if not free.any():
        return parameters, True
    if method == "paper":
        plain = np.eye(len(parameters))[:, free]
        result = _bfgs(loss, parameters, lambda: plain, max_iterations - report.done, report)
        return result, report.done < max_iterations
    rng = np.random.default_rng(0)
    if report.done == 0 and not _explains_most(loss, parameters):
        parameters = _in_stages(loss, parameters, free, rng, linear_start, max_iterations, report)
    return _descend(loss, parameters, free, rng, max_iterations, tolerance, report)


def _in_stages(
    loss: Loss,
    parameters: np.ndarray,
    free: np.ndarray,
    rng: np.random.Generator,
    linear_start: bool,
    max_iterations: int,
    report: Progress,
) -> np.ndarray:
    """Approach the minimum with samples: first with the terms of the first stage, then add the others by stage."""
    # A third of the iterations is reserved for the fit of all configurations.
    last = report.done + 2 * (max_iterations - report.done) // 3
    stages = stage_of_each(loss)
    first, *later = np.unique(stages)
    part = loss.joined(first) if later else loss
    begun = free & (stages == first)
    if begun.any() and not (later and _explains_most(part, parameters)):
        limit = min(last, report.done + EARLY) if later else last
        parameters = _approach(part, parameters, begun, rng, True, linear_start, limit, report)
    for stage in later:
        part = loss if stage == later[-1] else loss.joined(stage)
        joining = free & (stages == stage)
        solved = begun & linear_mask(loss.potential.blocks) if linear_start else np.zeros_like(begun)
        begun |= joining
        if joining.any():
            sample = part.sample(_sample_numbers(part, int(begun.sum()), rng))
            parameters = report.step(partial(project, sample, parameters, joining, solved))
        limit = last if stage == later[-1] else min(last, report.done + EARLY)
        if begun.any():
            parameters = _approach(part, parameters, begun, rng, False, False, limit, report)
    return parameters


def stage_of_each(loss: Loss) -> np.ndarray:
    """Return the stage at which each parameter joins the fit, (n_parameters,)."""
    parts = loss.potential.parts()
    return np.repeat([part.stage for part in parts], [part.n_parameters for part in parts])


def _descend(
    loss: Loss,
    parameters: np.ndarray,
    free: np.ndarray,
    rng: np.random.Generator,
    limit: int,
    tolerance: float,
    report: Progress,
) -> tuple[np.ndarray, bool]:
    """Fit all configurations until the loss falls too little; return the parameters and whether this happened."""
    converged, length = False, RUN
    while not converged and report.done < limit:
        before, begun = loss.value(loss.residuals(parameters)), report.done
        curvature = _sampled_curvature(loss, parameters, free, rng, DAMPING)
        parameters = _bfgs(loss, parameters, curvature, min(length, limit - report.done), report)
        # A run without a step (exactly at a minimum) reports no loss.
        gain = (before - report.loss) / before if report.done > begun else 0.0
        converged = length >= LONGEST_RUN and gain <= tolerance * length / RUN
        # When progress is slow, lengthen the run: the BFGS Hessian is then better than a fresh Gauss-Newton sample.
        length = min(2 * length, LONGEST_RUN) if gain < SLOW else length
    return parameters, converged


def _approach(
    loss: Loss,
    parameters: np.ndarray,
    free: np.ndarray,
    rng: np.random.Generator,
    begin: bool,
    linear_start: bool,
    last: int,
    report: Progress,
) -> np.ndarray:
    """Fit a sample of the configurations, which grows when its loss stops falling or it is overfitted.

    With `begin`, the parameters are first brought to the right scale, from a random start.
    """
    order = rng.permutation(np.flatnonzero(loss.rows()))
    labels = np.cumsum(loss.rows()[order])
    size, damping = FIRST_ROWS * free.sum(), FIRST_DAMPING

    def sample() -> Loss:
        return loss.sample(np.sort(order[: 1 + np.searchsorted(labels, size)]))

    part = sample()
    if begin:
        if linear_start:
            parameters = report.step(partial(solve_linear, part, parameters, ~free, RIDGE))
        # The curvature here differs from that near the minimum: the first run uses the scale of the parameters.
        plain = np.eye(len(free))[:, free]
        parameters = _bfgs(part, parameters, lambda: plain, min(RUN, last - report.done), report)
    whole = loss.value(loss.residuals(parameters))
    while size < labels[-1] and report.done < last:
        before, begun, previous, start = part.value(part.residuals(parameters)), report.done, whole, parameters
        curvature = _sampled_curvature(part, parameters, free, rng, damping)
        parameters = _bfgs(part, parameters, curvature, min(RUN, last - report.done), report)
        damping = max(0.1 * damping, DAMPING)
        whole = loss.value(loss.residuals(parameters))
        overfitted = whole > (1 + OVERFITTED) * report.loss
        if overfitted or report.done == begun or before - report.loss < SLOW * before:
            size *= 2
            part = sample()
        if whole > WORSE * previous:
            parameters, whole = start, previous
    return parameters


def _bfgs(
    loss: Loss, parameters: np.ndarray, transform: Callable[[], np.ndarray], iterations: int, report: Progress
) -> np.ndarray:
    """Minimise over u in theta = parameters + transform u, for the loss of all configurations or of a sample."""

    def run() -> np.ndarray:
        matrix = transform()

        def evaluated(u: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = loss(parameters + matrix @ u)
            return value, matrix.T @ gradient

        def function(u: np.ndarray) -> tuple[float, np.ndarray]:
            return report.evaluate(lambda: evaluated(u), len(u))

        return parameters + matrix @ minimise_bfgs(function, np.zeros(matrix.shape[1]), iterations, report)

    return report.step(run)


def _explains_most(loss: Loss, parameters: np.ndarray) -> bool:
    """Return whether the loss is below a tenth of the loss when only the shifts are fitted."""
    data, blocks = loss.data, loss.potential.blocks
    null = np.where(linear_mask(blocks), 0.0, parameters)
    shifts, labelled = shifts_of(blocks), np.isfinite(data.energies)
    if shifts and labelled.any():
        # Least squares also works if there are fewer compositions than species.
        rest = (data.energies - data.term.predict(null, loss.threads).energies)[labelled]
        null[shifts[0]] = np.linalg.lstsq(data.counts[labelled], rest, rcond=None)[0]
    return loss.value(loss.residuals(parameters)) < 0.1 * loss.value(loss.residuals(null))


def _sampled_curvature(
    loss: Loss, parameters: np.ndarray, free: np.ndarray, rng: np.random.Generator, damping: float
) -> Callable[[], np.ndarray]:
    """Draw a sample of the configurations; return a function that computes the transform from its curvature."""
    numbers = _sample_numbers(loss, int(free.sum()), rng)
    return lambda: _curvature_transform(loss.sample(numbers), parameters, free, damping)


def _sample_numbers(loss: Loss, n_parameters: int, rng: np.random.Generator) -> np.ndarray:
    """Draw configurations with enough labels for the curvature of `n_parameters` parameters."""
    rows = loss.rows()
    order = rng.permutation(np.flatnonzero(rows))
    enough = 1 + np.searchsorted(np.cumsum(rows[order]), CURVATURE_ROWS * n_parameters)
    return np.sort(order[:enough])


def _curvature_transform(sample: Loss, parameters: np.ndarray, free: np.ndarray, damping: float) -> np.ndarray:
    """Return T with T T^t = (J^T J + damping)^-1 over the free parameters: in u, the curvature is nearly uniform.

    J holds the derivatives of the weighted residuals of a sample of configurations, from finite differences.
    """
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
    # Parameters without effect on the sample may affect the other configurations: the first steps along them are short.
    transform = np.zeros((len(free), len(places)))
    transform[places, np.arange(len(places))] = 1 / (scale.max() or 1.0)
    correlation = curvature[np.ix_(seen, seen)] / (scale[seen, None] * scale[seen])
    values, vectors = np.linalg.eigh(correlation)
    whitened = vectors / np.sqrt(np.maximum(values, 0.0) + damping) / scale[seen, None]
    transform[np.ix_(places[seen], np.flatnonzero(seen))] = whitened
    return transform
