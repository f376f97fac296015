"""Fitting: minimise the loss of eq. (10) over all parameters.

The default method works in stages. Each takes the Gauss-Newton curvature J^T J of a sample of the configurations as the
initial curvature of BFGS (Nocedal & Wright, ch. 6 and 10): the loss is a sum of squares, its parameters differ in scale
by orders of magnitude, and R(R + 1)/2 of their directions change nothing at all. A sample gives the scales at the price
of a few evaluations. The first stage starts from the exact solution for shifts and moment coefficients (`linear`).
`method="paper"` is plain BFGS from the given parameters.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ElectrolyteError, InputError
from ..files import atomic_write
from ..potentials.mtp import MomentTensorPotential
from .linear import solve_linear
from .loss import Errors, Loss, TrainingSet, Weights, weighted_residuals

if TYPE_CHECKING:
    from ase import Atoms

METHODS = ("default", "paper")
STAGE = 50  # BFGS iterations between two samples of the curvature
SAMPLE_ROWS = 24  # force components in the sample, as a multiple of the number of parameters
DAMPING = (
    1e-3  # added to the curvature, scaled to a unit diagonal: it is a sample's, and not to be trusted to the last digit
)
DIFFERENCE = 1e-6
CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True)
class FitResult:
    """What a fit came to.

    Attributes
    ----------
    potential : MomentTensorPotential
        With the best parameters found.
    errors : Errors
        On the training set.
    history : list of (int, float, float)
        Iteration, loss (eq. 10 averaged over configurations), seconds.
    converged : bool
        The loss had stopped falling before the iterations ran out.
    message : str
    evaluations : int
        Of loss and gradient together.
    """

    potential: MomentTensorPotential
    errors: Errors
    history: list[tuple[int, float, float]] = field(repr=False)
    converged: bool
    message: str
    evaluations: int


class _Progress:
    """History, progress bar and checkpoint of a fit."""

    def __init__(self, total: int, shown: bool, checkpoint: Path | None, identity: str) -> None:
        from tqdm.auto import tqdm

        self.began = self.saved = time.perf_counter()
        self.history: list[tuple[int, float, float]] = []
        self.checkpoint, self.identity = checkpoint, identity
        self.bar = tqdm(total=total, desc="Fit", unit="it", disable=not shown, leave=True)

    def __call__(self, parameters: np.ndarray, loss: float) -> None:
        now = time.perf_counter()
        self.history.append((len(self.history) + 1, float(loss), now - self.began))
        self.bar.set_postfix_str(f"loss {loss:.5g}", refresh=False)
        self.bar.update()
        if self.checkpoint is not None and now - self.saved > CHECKPOINT_SECONDS:
            self.save(parameters)

    def save(self, parameters: np.ndarray) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, parameters=parameters, identity=self.identity)
        atomic_write(self.checkpoint, buffer.getvalue())
        self.saved = time.perf_counter()


def train(
    configurations: Sequence[Atoms],
    potential: MomentTensorPotential,
    *,
    energy_weight: float = 1.0,
    force_weight: float = 0.01,
    stress_weight: float = 0.0,
    max_iterations: int = 1000,
    tolerance: float = 1e-3,
    method: str = "default",
    linear_start: bool = True,
    checkpoint: str | Path | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> FitResult:
    """Fit a potential to labelled configurations.

    Parameters
    ----------
    configurations : sequence of ase.Atoms
        With energy, forces and, where there are any, stress among their calculators' results. A configuration of a
        single atom fixes that element's shift at its energy: the potential then reproduces isolated atoms exactly.
    potential : MomentTensorPotential
        The start; it is not changed.
    energy_weight, force_weight, stress_weight : float
        w_e, w_f and w_s, see `Loss`.
    max_iterations : int
        Of BFGS.
    tolerance : float
        Stop when a stage of 50 iterations lowers the loss by less than this fraction.
    method : {"default", "paper"}
        The paper's is plain BFGS with neither linear solution nor curvature.
    linear_start : bool
        Begin with the exact solution for shifts and moment coefficients.
    checkpoint : path, optional
        File that keeps the parameters while the fit runs; a fit of the same data that finds it goes on from there. It
        is removed when the fit has ended.
    threads : int, optional
        All cores by default; the result does not depend on it.
    progress : bool

    Returns
    -------
    FitResult

    Raises
    ------
    InputError
        Naming the configuration: no labels, unknown species, overlapping atoms, labels that are not numbers; or
        settings that make no sense.
    """
    if method not in METHODS:
        raise InputError(f"method '{method}' is unknown: choose one of {', '.join(METHODS)}")
    if max_iterations < 1 or tolerance < 0:
        raise InputError("max_iterations must be at least 1, tolerance not negative")
    weights = Weights(energy_weight, force_weight, stress_weight)
    loss = Loss(potential, TrainingSet(configurations, potential), weights, threads)
    parameters, fixed = _with_isolated_atoms(loss, potential.parameters)

    checkpoint = Path(checkpoint) if checkpoint else None
    identity = _identity(loss)
    report = _Progress(max_iterations, progress, checkpoint, identity)
    resumed = _resume(checkpoint, identity)
    if resumed is not None:
        parameters = resumed
    elif linear_start and method == "default":
        parameters = solve_linear(loss, parameters, fixed)
    start = loss.value(loss.residuals(parameters))
    report.history.append((0, start, time.perf_counter() - report.began))
    try:
        parameters, converged, message = _minimise(loss, parameters, ~fixed, method, max_iterations, tolerance, report)
    finally:
        report.bar.close()
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    errors = loss.errors(parameters)
    if not np.isfinite(errors.energy_rmse) and not np.isfinite(errors.force_rmse):
        raise ElectrolyteError("the fit did not reach finite errors: are the labels sensible?")
    fitted = potential.with_parameters(parameters)
    names = {atoms.info.get("reference") for atoms in configurations if len(atoms) > 1}
    if len(names) == 1 and None not in names:
        fitted.reference = str(names.pop())
    return FitResult(fitted, errors, report.history, converged, message, loss.evaluations)


def _with_isolated_atoms(loss: Loss, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shifts set to the energies of isolated atoms, and which parameters that fixes.

    An atom without neighbours has no moments: its energy is its shift.
    """
    data, n_radial = loss.data, loss.potential.radial.size
    fixed = np.zeros(len(parameters), bool)
    for k in data.isolated:
        place = n_radial + data.species[data.first[k]]
        if fixed[place] and parameters[place] != data.energies[k]:
            symbol = loss.potential.species[data.species[data.first[k]]]
            raise InputError(f"configuration {k}: another energy of an isolated {symbol} atom than before")
        parameters[place] = data.energies[k]
        fixed[place] = True
    return parameters, fixed


def _minimise(
    loss: Loss,
    parameters: np.ndarray,
    free: np.ndarray,
    method: str,
    max_iterations: int,
    tolerance: float,
    report: _Progress,
) -> tuple[np.ndarray, bool, str]:
    """Stages of BFGS until one gains too little: the parameters, whether that happened, and why it ended."""
    rng = np.random.default_rng(0)
    done = len(report.history) - 1
    plain = np.eye(len(parameters))[:, free]
    # Far from a fit the curvature here says nothing of that there: the first steps keep to the parameters' scale.
    near = method == "default" and _explains_most(loss, parameters, report.history[0][1])
    while True:
        if method == "paper":
            transform, length = plain, max_iterations
        else:
            transform = _curvature_transform(loss, parameters, free, rng) if near else plain
            length = min(STAGE, max_iterations - done)
        before = report.history[-1][1]
        parameters = _bfgs(loss, parameters, transform, length, report)
        after = report.history[-1][1]
        iterations = len(report.history) - 1 - done
        done += iterations
        if (
            method == "default"
            and near
            and iterations
            and before - after > tolerance * before
            and done < max_iterations
        ):
            continue
        if method == "default" and not near and done < max_iterations:
            near = True
            continue
        stopped = done < max_iterations or before - after <= tolerance * before
        reason = "the loss has stopped falling" if stopped else "ran out of iterations while the loss was still falling"
        return parameters, stopped, f"{reason}: loss {after:.5g} after {done} iterations"


def _bfgs(loss: Loss, parameters: np.ndarray, transform: np.ndarray, iterations: int, report: _Progress) -> np.ndarray:
    """Minimise over u in theta = parameters + transform u."""
    from scipy.optimize import OptimizeResult, minimize

    def function(u: np.ndarray) -> tuple[float, np.ndarray]:
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
    data = loss.data
    null = parameters.copy()
    null[loss.potential.radial.size :] = 0.0
    labelled = np.isfinite(data.energies)
    if labelled.any():
        # Of every composition its mean energy: least squares, whatever the number of compositions.
        shifts = np.linalg.lstsq(data.counts[labelled], data.energies[labelled], rcond=None)[0]
        null[loss.potential.radial.size :][: data.n_species] = shifts
    return value < 0.1 * loss.value(loss.residuals(null))


def _curvature_transform(loss: Loss, parameters: np.ndarray, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """T with T T^t = (J^T J + damping)^-1 over the free parameters: in u the loss curves alike in all directions.

    J are the derivatives of the weighted residuals of a sample of the configurations, by differences.
    """
    rows, chosen = 0, []
    for k in rng.permutation(len(loss.data)):
        chosen.append(int(k))
        rows += 3 * loss.data.sizes[k] + 1
        if rows > SAMPLE_ROWS * free.sum():
            break
    sample = loss.sample(sorted(chosen))
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
    scale = np.maximum(scale, 1e-12 * scale.max())
    values, vectors = np.linalg.eigh(curvature / (scale[:, None] * scale))
    transform = np.zeros((len(free), len(places)))
    transform[places] = vectors / np.sqrt(np.maximum(values, 0.0) + DAMPING) / scale[:, None]
    return transform


def _identity(loss: Loss) -> str:
    """Tells whether a checkpoint belongs to this model and these data."""
    data, p = loss.data, loss.potential
    digest = hashlib.sha256(
        repr((p.species, p.cutoff, p.min_distance, p.scaling, p.radial.shape, loss.weights)).encode()
    )
    for array in (p.basis.basic, p.basis.products, p.basis.scalars, data.vector, data.energies, data.forces):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _resume(checkpoint: Path | None, identity: str) -> np.ndarray | None:
    if checkpoint is None or not checkpoint.exists():
        return None
    try:
        with np.load(checkpoint) as saved:
            if str(saved["identity"]) != identity:
                raise InputError(f"{checkpoint}: belongs to another potential or other data; remove it to start anew")
            return saved["parameters"]
    except (OSError, KeyError, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{checkpoint}: not a checkpoint of a fit; remove it to start anew") from None
