"""Fit of a potential: minimisation of the loss of eq. (10) over all parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.blocks import shifts_of
from electrolyte_ml.potentials.fixed import correction_on
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.threads import one_blas_thread
from electrolyte_ml.training.data import TrainingSet
from electrolyte_ml.training.loss import Errors, Loss, Weights, evaluate_each
from electrolyte_ml.training.minimise import METHODS, minimise
from electrolyte_ml.training.progress import Progress
from electrolyte_ml.training.restraint import ChargeRestraint

if TYPE_CHECKING:
    from ase import Atoms

SAME_ENERGY = 1e-6  # eV, largest difference between energies of the same isolated atom
# BFGS iterations from each of several starts. After 120 iterations, the losses of eight starts had a rank correlation
# of 0.64 with those after 300 (level 8 with charges, 60 liquids of 160 atoms); after 60, it was 0.42.
START_ITERATIONS = 120
MOST_STARTS = 1000


@dataclass(frozen=True)
class FitResult:
    """Result of a fit.

    Attributes
    ----------
    potential : Potential
        Potential with the best parameters found.
    errors : Errors
        Errors on the training set.
    history : list of (int, float, float)
        Iteration, loss (eq. 10 averaged over configurations) and seconds; iteration 0 is the start. While a sample or
        some of the terms are fitted, the loss is that of the sample or of these terms. For several starts, this is the
        history of the start that was continued; its seconds include the other starts.
    converged : bool
        Whether the loss stopped falling before the iterations ran out.
    message : str
    evaluations : int
        Number of evaluations of loss and gradient, including those of samples.
    checkpoint : Path or None
        File that still contains the complete fit.
    """

    potential: Potential
    errors: Errors
    history: list[tuple[int, float, float]] = field(repr=False)
    converged: bool
    message: str
    evaluations: int
    checkpoint: Path | None = None

    def save(self, path: str | Path) -> None:
        """Write the potential, and then remove the checkpoint.

        Raises
        ------
        OSError
            The potential cannot be written. The checkpoint is then kept: the same call of `train` returns this result
            at once.
        """
        self.potential.save(path)
        if self.checkpoint is not None:
            self.checkpoint.unlink(missing_ok=True)


@one_blas_thread()
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
    starts: int = 1,
    charge_restraint: ChargeRestraint | None = None,
    on_top_of: Potential | None = None,
    checkpoint: str | Path | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> FitResult:
    """Fit a potential to labelled configurations.

    Parameters
    ----------
    configurations : sequence of ase.Atoms
        Configurations with energy, forces and, optionally, stress in the results of their calculators. A configuration
        of a single atom fixes the shift of its element: the potential then reproduces the isolated atom exactly. A
        model without shifts is fitted to it as to any other configuration.
    potential : Potential
        Start of the fit; it is not changed.
    energy_weight, force_weight, stress_weight : float
        w_e, w_f and w_s, see `Loss`.
    max_iterations : int
        Most BFGS iterations, including those before an interruption, but not those of discarded starts.
    tolerance : float
        Stop when the loss falls by less than this fraction per 60 iterations, in a run of 400 iterations.
    method : {"default", "paper"}
        The method of the paper is plain BFGS, without linear solution and curvature.
    linear_start : bool
        Begin with the exact solution for the linear parameters (shifts and moment coefficients), unless the loss of
        `potential` is already small.
    starts : int
        Fit from several starts, at most 1000, for `START_ITERATIONS` each, and continue the one with the lowest loss.
        The first start is `potential`, the others are random, with seeds derived from its parameters.
    charge_restraint : ChargeRestraint, optional
        Weak restraint of the mean charges of species to given values; none by default.
    on_top_of : Potential, optional
        Potential of the same species, fitted to labels of another reference, that `potential` corrects. Its parameters
        are not changed; the result is the sum of both. The shifts of `potential` describe the differences of the
        energies of isolated atoms between the two references.
    checkpoint : path, optional
        File with the state of the fit, written while it runs and when it is interrupted. The same fit continues from
        it, with a bitwise identical result. After the fit, the file contains the complete result until `FitResult.save`
        has written the potential.
    threads : int, optional
        One per core by default; the result does not depend on it.
    progress : bool

    Returns
    -------
    FitResult

    Raises
    ------
    InputError
        A configuration has no labels, unknown species, overlapping atoms or labels that are not finite, energies of the
        same isolated atom differ, or labels are of two levels of theory (the message names the configuration, counted
        from 1); a setting is invalid; the checkpoint belongs to another fit; or the potential to be corrected has other
        species.
    """
    if method not in METHODS:
        raise InputError(f"method '{method}' is unknown: choose one of {', '.join(METHODS)}")
    if max_iterations < 1 or not tolerance >= 0:
        raise InputError("max_iterations must be at least 1, tolerance not negative")
    if not 1 <= starts <= MOST_STARTS:
        raise InputError(f"starts must be between 1 and {MOST_STARTS}, not {starts}")
    if on_top_of is not None:
        potential = correction_on(on_top_of, potential)
    weights = Weights(energy_weight, force_weight, stress_weight)
    require_one_reference(configurations)
    potential = potential.trained_on([])  # remove data about an earlier training set
    loss = Loss(potential, TrainingSet(configurations, potential), weights, threads, charge_restraint)
    if not loss.rows().any():
        raise InputError("nothing to fit: no configuration has a label with a weight above zero")
    parameters, fixed = _with_isolated_atoms(loss, potential.parameters)
    _check_finite(loss, parameters, configurations, "the loss of the first parameters is not finite")

    linear_start = linear_start and method == "default"
    settings = (method, linear_start, starts, max_iterations, tolerance, charge_restraint)
    identity = _identity(loss, parameters, settings)
    total = max_iterations + (starts - 1) * min(START_ITERATIONS, max_iterations)
    report = Progress(total, progress, Path(checkpoint) if checkpoint else None, identity, len(parameters))

    def fit(start: np.ndarray, limit: int) -> tuple[np.ndarray, bool]:
        return minimise(loss, start, ~fixed, method, linear_start, limit, tolerance, report)

    try:
        parameters = _best_start(loss, parameters, fixed, starts, min(START_ITERATIONS, max_iterations), fit, report)
        parameters, converged = fit(parameters, max_iterations)
    except BaseException:  # including Ctrl-C
        report.save()
        raise
    finally:
        report.bar.close()
    _check_finite(loss, parameters, configurations, "the fit ended with a loss that is not finite")
    report.save()
    customary = loss.data.term.customary(parameters)
    # A restraint may prefer the other sign of the charges.
    if charge_restraint is None or _value(loss, customary) <= (1 + 1e-6) * _value(loss, parameters):
        parameters = customary
    names = {atoms.info.get("reference") for atoms in configurations if len(atoms) > 1}
    reference = str(*names) if len(names) == 1 and None not in names else None
    systems = [System.of(atoms, potential.species) for atoms in configurations]
    fitted = potential.with_parameters(parameters).labelled_by(reference).trained_on(systems)
    reason = "the loss has stopped falling" if converged else "iterations ran out while the loss was still falling"
    message = f"{reason}: loss {report.loss:.5g} after {report.done} iterations"
    errors = loss.errors(parameters)
    return FitResult(fitted, errors, report.history, converged, message, report.evaluations, report.checkpoint)


def require_one_reference(configurations: Sequence[Atoms]) -> None:
    """Check that all configurations have the same level of theory in ``info["reference"]``.

    Raises
    ------
    InputError
        There are several levels; the message names them, and the first configuration of each.
    """
    first: dict[str, int] = {}
    counts: dict[str, int] = {}
    for number, atoms in enumerate(configurations, start=1):
        if (name := atoms.info.get("reference")) is not None:
            first.setdefault(str(name), number)
            counts[str(name)] = counts.get(str(name), 0) + 1
    if len(first) > 1:
        levels = [f"{name} ({counts[name]} configurations, the first is number {k})" for name, k in first.items()]
        raise InputError(
            f"the labels are of several levels of theory, whose energies have no common zero: {', '.join(levels)}; fit "
            "them separately, or one as a correction on top of the other"
        )


def _value(loss: Loss, parameters: np.ndarray) -> float:
    return loss.value(loss.residuals(parameters))


def _check_finite(loss: Loss, parameters: np.ndarray, configurations: Sequence[Atoms], message: str) -> None:
    """Check that the loss is finite.

    Raises
    ------
    InputError
        The loss is not finite; the message gives the error of the potential, if there is one.
    """
    if not np.isfinite(_value(loss, parameters)):
        evaluate_each(loss.potential.with_parameters(parameters), configurations)
        raise InputError(f"{message}: check the labels")


def _with_isolated_atoms(loss: Loss, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the parameters with shifts set from isolated atoms, and whether each parameter is fixed by them.

    In a sum, the first term with shifts gets the energies of isolated atoms; the shifts of the others are zero.

    Raises
    ------
    InputError
        Two energies of the same isolated atom differ.
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
            raise InputError(f"configuration {k + 1}: its energy of an isolated {symbol} atom is not the earlier one")
        if not fixed[place]:
            parameters[place], fixed[place] = target, True
            parameters[others], fixed[others] = 0.0, True
    return parameters, fixed


def _best_start(
    loss: Loss,
    parameters: np.ndarray,
    fixed: np.ndarray,
    starts: int,
    iterations: int,
    fit: Callable[[np.ndarray, int], tuple[np.ndarray, bool]],
    report: Progress,
) -> np.ndarray:
    """Fit from several starts for some iterations; return the best parameters and keep their history in `report`."""
    report.start(_value(loss, parameters), f"Fit, start 1 of {starts}" if starts > 1 else "Fit")
    if starts == 1:
        return parameters
    seed = int.from_bytes(hashlib.sha256(parameters.tobytes()).digest()[:8])
    fits = []
    for number in range(starts):
        if number:
            drawn = loss.potential.redrawn([seed, number]).parameters
            parameters = np.where(fixed, parameters, drawn)
            report.start(_value(loss, parameters), f"Fit, start {number + 1} of {starts}")
        fitted, _ = fit(parameters, iterations)
        fits.append((_value(loss, fitted), number, fitted, report.history))
    _, number, fitted, report.history = min(fits, key=lambda item: item[:2])
    report.bar.set_description_str(f"Fit, best start ({number + 1} of {starts})")
    return fitted


def _identity(loss: Loss, start: np.ndarray, settings: tuple[object, ...]) -> str:
    """Return a hash that identifies a fit: model, start, data and settings."""
    data = loss.data
    model = loss.potential.with_parameters(start).fingerprint
    digest = hashlib.sha256(repr((model, loss.weights, settings)).encode() + b"".join(data.digest))
    for array in (data.energies, data.forces, data.virials, data.weights):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
