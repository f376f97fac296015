"""Fitting: minimise the loss of eq. (10) over all parameters of a potential."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.blocks import shifts_of
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.training.data import TrainingSet
from electrolyte_ml.training.loss import Errors, Loss, Weights
from electrolyte_ml.training.minimise import METHODS, minimise
from electrolyte_ml.training.progress import Progress

if TYPE_CHECKING:
    from ase import Atoms

SAME_ENERGY = 1e-6  # eV, of an isolated atom computed twice


@dataclass(frozen=True)
class FitResult:
    """What a fit came to.

    Attributes
    ----------
    potential : Potential
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

    potential: Potential
    errors: Errors
    history: list[tuple[int, float, float]] = field(repr=False)
    converged: bool
    message: str
    evaluations: int


def train(
    configurations: Sequence[Atoms],
    potential: Potential,
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
        single atom fixes that element's shift at its energy: the potential then reproduces isolated atoms exactly. A
        model without shifts is fitted to it as to any other configuration.
    potential : Potential
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
    report = Progress(max_iterations, progress, Path(checkpoint) if checkpoint else None, identity)
    resumed = report.resume()
    if resumed is not None:
        parameters = resumed
        report.start(parameters)
    else:
        report.start(parameters, loss.value(loss.residuals(parameters)))
    try:
        parameters, converged = minimise(
            loss, parameters, ~fixed, method, linear_start, max_iterations, tolerance, report
        )
    except BaseException:  # Ctrl-C above all
        report.save()
        raise
    finally:
        report.bar.close()
    if report.checkpoint is not None:
        report.checkpoint.unlink(missing_ok=True)
    parameters = loss.data.term.customary(parameters)
    names = {atoms.info.get("reference") for atoms in configurations if len(atoms) > 1}
    reference = str(*names) if len(names) == 1 and None not in names else None
    fitted = potential.with_parameters(parameters).with_reference(reference)
    reason = "the loss has stopped falling" if converged else "ran out of iterations while the loss was still falling"
    message = f"{reason}: loss {report.loss:.5g} after {report.done} iterations"
    return FitResult(fitted, loss.errors(parameters), report.history, converged, message, report.evaluations)


def _with_isolated_atoms(loss: Loss, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the parameters with shifts set from isolated atoms, and which parameters that fixes.

    In a sum the first term that has shifts gets the energies of isolated atoms, the others get zero.

    Raises
    ------
    InputError
        Two energies of the same isolated atom.
    """
    data, shifts = loss.data, shifts_of(loss.potential.blocks)
    fixed = np.zeros(len(parameters), bool)
    if not shifts or not len(data.isolated):
        return parameters, fixed
    isolated = data.subset(data.isolated)
    bare = parameters.copy()
    for block in shifts:
        bare[block] = 0.0
    targets = isolated.energies - isolated.term.predict(bare, loss.threads).energies
    for k, species, target in zip(data.isolated, isolated.species, targets, strict=True):
        place, *others = (block.start + species for block in shifts)
        if fixed[place] and abs(parameters[place] - target) > SAME_ENERGY:
            symbol = loss.potential.species[species]
            raise InputError(f"configuration {k + 1}: another energy of an isolated {symbol} atom than before")
        if not fixed[place]:
            parameters[place], fixed[place] = target, True
            parameters[others], fixed[others] = 0.0, True
    return parameters, fixed


def _identity(loss: Loss, start: np.ndarray, method: str, linear_start: bool) -> str:
    """Return a hash of what a checkpoint belongs to: model, start, data and settings."""
    data = loss.data
    model = loss.potential.with_parameters(start).fingerprint
    digest = hashlib.sha256(repr((model, loss.weights, method, linear_start)).encode() + b"".join(data.digest))
    for array in (data.energies, data.forces, data.virials):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
