"""Fitting: minimise the loss of eq. (10) over all parameters.

The default method works in stages of BFGS, and each stage does two things that plain BFGS does not.

It starts from the Gauss-Newton curvature J^T J of a sample of the configurations (Nocedal & Wright, ch. 6 and 10): the
loss is a sum of squares, its parameters differ in scale by orders of magnitude, and R(R + 1)/2 of their directions
change nothing at all.

Far from a fit it minimises the loss of a sample only, which doubles whenever its loss falls below that of all, until
all configurations take part (Byrd, Chin, Nocedal and Wu, Math. Program. 134, 127 (2012)): a dozen labels a parameter
tell the way to a fit as well as hundreds do. There the first stage starts from the exact solution for shifts and moment
coefficients (`linear`).

`method="paper"` is plain BFGS on everything, from the given parameters.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..files import atomic_write
from ..potentials.mtp import MomentTensorPotential
from .linear import solve_linear
from .loss import Errors, Loss, TrainingSet, Weights, weighted_residuals

if TYPE_CHECKING:
    from ase import Atoms

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
SAME_ENERGY = 1e-6  # eV, of an isolated atom computed twice
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
        Iteration, loss (eq. 10 averaged over configurations), seconds; 0 is the start of BFGS. While a sample is fitted
        the loss is that of the sample.
    converged : bool
        The loss had stopped falling before the iterations ran out.
    message : str
    evaluations : int
        Of loss and gradient together, those of samples included.
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
        self.total, self.shown, self.checkpoint, self.identity = total, shown, checkpoint, identity
        self.history: list[tuple[int, float, float]] = []
        self.evaluations = 0
        self.began = time.perf_counter()

    def start(self, parameters: np.ndarray, loss: float | None = None) -> None:
        """From the first value of the loss, or (None) from a history that was resumed."""
        from tqdm import tqdm

        if loss is None:
            self.began -= self.history[-1][2]
        else:
            self.history = [(0, loss, time.perf_counter() - self.began)]
        self.bar = tqdm(total=self.total, initial=self.done, desc="Fit", unit="it", disable=not self.shown)
        self.latest = parameters
        self.save()

    @property
    def done(self) -> int:
        return self.history[-1][0]

    @property
    def loss(self) -> float:
        return self.history[-1][1]

    def __call__(self, parameters: np.ndarray, loss: float) -> None:
        now = time.perf_counter()
        self.latest = parameters
        self.history.append((self.done + 1, float(loss), now - self.began))
        self.bar.set_postfix_str(f"loss {loss:.5g}", refresh=False)
        self.bar.update()
        if now - self.saved > CHECKPOINT_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the checkpoint, if there is to be one."""
        self.saved = time.perf_counter()
        if self.checkpoint is not None:
            buffer = io.BytesIO()
            np.savez(buffer, parameters=self.latest, identity=self.identity, history=np.array(self.history))
            atomic_write(self.checkpoint, buffer.getvalue())

    def resume(self) -> np.ndarray | None:
        """Parameters of the checkpoint, if there is one."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return None
        try:
            with np.load(self.checkpoint) as saved:
                identity, parameters, history = str(saved["identity"]), saved["parameters"], saved["history"]
        except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile):
            raise InputError(f"{self.checkpoint}: not a checkpoint of a fit; remove it to start anew") from None
        if identity != self.identity:
            raise InputError(
                f"{self.checkpoint}: belongs to another potential, other data or other settings; "
                "remove it to start anew"
            )
        self.history = [(int(iteration), float(loss), float(seconds)) for iteration, loss, seconds in history]
        return parameters


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
        Of BFGS, those before a checkpoint included.
    tolerance : float
        Stop when the loss falls by less than this fraction in 50 iterations.
    method : {"default", "paper"}
        The paper's is plain BFGS with neither linear solution nor curvature.
    linear_start : bool
        Begin with the exact solution for shifts and moment coefficients, unless the given ones already explain most of
        what the labels say.
    checkpoint : path, optional
        File that keeps parameters and history while the fit runs and when it is interrupted; the same fit that finds
        it goes on from there. It is removed when the fit has ended.
    threads : int, optional
        All cores by default; the result does not depend on it.
    progress : bool

    Returns
    -------
    FitResult

    Raises
    ------
    InputError
        Naming the configuration (the first is number 1): no labels, unknown species, overlapping atoms, labels that are
        not numbers, another energy of the same isolated atom; settings that make no sense; a checkpoint of another fit.
    """
    if method not in METHODS:
        raise InputError(f"method '{method}' is unknown: choose one of {', '.join(METHODS)}")
    if max_iterations < 1 or not tolerance >= 0:
        raise InputError("max_iterations must be at least 1, tolerance not negative")
    weights = Weights(energy_weight, force_weight, stress_weight)
    loss = Loss(potential, TrainingSet(configurations, potential), weights, threads)
    if not loss.rows().any():
        raise InputError("nothing to fit: no configuration carries a label whose weight is not zero")
    parameters, fixed = _with_isolated_atoms(loss, potential.parameters)
    if not np.isfinite(loss.value(loss.residuals(parameters))):
        raise InputError("the loss of the first parameters is not finite: are the labels sensible?")

    linear_start = linear_start and method == "default"
    identity = _identity(loss, parameters, method, linear_start)
    report = _Progress(max_iterations, progress, Path(checkpoint) if checkpoint else None, identity)
    resumed = report.resume()
    if resumed is not None:
        parameters = resumed
        report.start(parameters)
    else:
        report.start(parameters, loss.value(loss.residuals(parameters)))
    try:
        parameters, converged = _minimise(
            loss, parameters, ~fixed, method, linear_start, max_iterations, tolerance, report
        )
    except BaseException:  # Ctrl-C above all
        report.save()
        raise
    finally:
        report.bar.close()
    if report.checkpoint is not None:
        report.checkpoint.unlink(missing_ok=True)
    fitted = potential.with_parameters(parameters)
    names = {atoms.info.get("reference") for atoms in configurations if len(atoms) > 1}
    fitted.reference = str(*names) if len(names) == 1 and None not in names else None
    reason = "the loss has stopped falling" if converged else "ran out of iterations while the loss was still falling"
    message = f"{reason}: loss {report.loss:.5g} after {report.done} iterations"
    return FitResult(fitted, loss.errors(parameters), report.history, converged, message, report.evaluations)


def _with_isolated_atoms(loss: Loss, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shifts set to the energies of isolated atoms, and which parameters that fixes.

    An atom without neighbours has no moments: its energy is its shift.
    """
    data, n_radial = loss.data, loss.potential.radial.size
    fixed = np.zeros(len(parameters), bool)
    for k in data.isolated:
        place = n_radial + data.species[data.first[k]]
        if fixed[place] and abs(parameters[place] - data.energies[k]) > SAME_ENERGY:
            symbol = loss.potential.species[data.species[data.first[k]]]
            raise InputError(f"configuration {k + 1}: another energy of an isolated {symbol} atom than before")
        if not fixed[place]:
            parameters[place], fixed[place] = data.energies[k], True
    return parameters, fixed


def _minimise(
    loss: Loss,
    parameters: np.ndarray,
    free: np.ndarray,
    method: str,
    linear_start: bool,
    max_iterations: int,
    tolerance: float,
    report: _Progress,
) -> tuple[np.ndarray, bool]:
    """Stages of BFGS until one gains too little: the parameters, and whether that happened."""
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
        # In a valley what BFGS has gathered is worth more than a sample: leave it the more time the less is gained.
        length = min(2 * length, LONGEST_STAGE) if gain < SLOW else length
    return parameters, converged


def _approach(
    loss: Loss,
    parameters: np.ndarray,
    free: np.ndarray,
    rng: np.random.Generator,
    linear_start: bool,
    max_iterations: int,
    report: _Progress,
) -> np.ndarray:
    """Come near a fit on a sample of the configurations, which grows when it has told what it can.

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
    # The curvature here says nothing of that at the fit: the first steps keep to the parameters' scale.
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


def _bfgs(loss: Loss, parameters: np.ndarray, transform: np.ndarray, iterations: int, report: _Progress) -> np.ndarray:
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
    data = loss.data
    null = parameters.copy()
    null[loss.potential.radial.size :] = 0.0
    labelled = np.isfinite(data.energies)
    if labelled.any():
        # Of every composition its mean energy: least squares, whatever the number of compositions.
        shifts = np.linalg.lstsq(data.counts[labelled], data.energies[labelled], rcond=None)[0]
        null[loss.potential.radial.size :][: data.n_species] = shifts
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
    # What the sample does not see may matter to the other configurations: first steps along it are short, not endless.
    transform = np.zeros((len(free), len(places)))
    transform[places, np.arange(len(places))] = 1 / (scale.max() or 1.0)
    correlation = curvature[np.ix_(seen, seen)] / (scale[seen, None] * scale[seen])
    values, vectors = np.linalg.eigh(correlation)
    whitened = vectors / np.sqrt(np.maximum(values, 0.0) + damping) / scale[seen, None]
    transform[np.ix_(places[seen], np.flatnonzero(seen))] = whitened
    return transform


def _identity(loss: Loss, start: np.ndarray, method: str, linear_start: bool) -> str:
    """Tells whether a checkpoint belongs to this fit: model, start, data and settings."""
    data, p = loss.data, loss.potential
    text = repr((p.species, p.cutoff, p.min_distance, p.scaling, p.radial.shape, loss.weights, method, linear_start))
    digest = hashlib.sha256(text.encode())
    tables = (p.basis.basic, p.basis.products, p.basis.scalars)
    for array in (*tables, start, data.first, data.species, data.vector, data.energies, data.forces, data.virials):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
