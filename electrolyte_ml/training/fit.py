"""Fitting: minimise the loss of eq. (10) over all parameters of a potential."""

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
from electrolyte_ml.training.data import TrainingSet
from electrolyte_ml.training.loss import Errors, Loss, Weights, evaluate_each
from electrolyte_ml.training.minimise import METHODS, minimise
from electrolyte_ml.training.progress import Progress
from electrolyte_ml.training.restraint import ChargeRestraint

if TYPE_CHECKING:
    from ase import Atoms

SAME_ENERGY = 1e-6  # eV, of an isolated atom computed twice
# Of BFGS from each of several starts. After so many, the losses of eight starts had a rank correlation of 0.64 with
# those after 300 (level 8 with charges, 60 liquids of 160 atoms); after 60 it was 0.42.
START_ITERATIONS = 120


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
        Iteration, loss (eq. 10 averaged over configurations), seconds; 0 is the start of BFGS. While a sample or some
        of the terms are fitted, the loss is that of the sample or of these terms. Of several starts this is the history
        of the one that was continued; its seconds include the others.
    converged : bool
        The loss had stopped falling before the iterations ran out.
    message : str
    evaluations : int
        Of loss and gradient together, those of samples included.
    checkpoint : Path or None
        File that still holds the whole fit.
    """

    potential: Potential
    errors: Errors
    history: list[tuple[int, float, float]] = field(repr=False)
    converged: bool
    message: str
    evaluations: int
    checkpoint: Path | None = None

    def save(self, path: str | Path) -> None:
        """Write the potential, and only then remove the checkpoint.

        Raises
        ------
        OSError
            The potential cannot be written. The checkpoint is then still there: the same call of `train` returns this
            result at once.
        """
        self.potential.save(path)
        if self.checkpoint is not None:
            self.checkpoint.unlink(missing_ok=True)


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
        With energy, forces and, where there are any, stress among their calculators' results. A configuration of a
        single atom fixes that element's shift at its energy: the potential then reproduces isolated atoms exactly. A
        model without shifts is fitted to it as to any other configuration.
    potential : Potential
        The start; it is not changed.
    energy_weight, force_weight, stress_weight : float
        w_e, w_f and w_s, see `Loss`.
    max_iterations : int
        Of BFGS, those before a checkpoint included, and those of discarded starts not.
    tolerance : float
        Stop when the loss falls by less than this fraction in 50 iterations.
    method : {"default", "paper"}
        The paper's is plain BFGS with neither linear solution nor curvature.
    linear_start : bool
        Begin with the exact solution for shifts and moment coefficients, unless the given ones already explain most of
        what the labels say.
    starts : int
        Fit from so many starts for `START_ITERATIONS` each, and continue the one of the lowest loss. The first start is
        `potential`, the others are random, with seeds that follow from its parameters.
    charge_restraint : ChargeRestraint, optional
        A weak pull of the mean charges of species to given values; none by default.
    on_top_of : Potential, optional
        A potential of the same species, fitted to labels of another reference, that `potential` shall correct. Its
        parameters are not changed; the result is the sum of both. The shifts of `potential` take up by how much the
        energies of the two references differ for each element.
    checkpoint : path, optional
        File that keeps the state of the fit while it runs and when it is interrupted; the same fit that finds it goes
        on from there, to the same result bit for bit. When the fit has ended it holds the whole of it, until
        `FitResult.save` has written the potential.
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
        not numbers, another energy of the same isolated atom, labels of two levels of theory; settings that make no
        sense; a checkpoint of another fit; a potential to be corrected that has other species.
    """
    if method not in METHODS:
        raise InputError(f"method '{method}' is unknown: choose one of {', '.join(METHODS)}")
    if max_iterations < 1 or starts < 1 or not tolerance >= 0:
        raise InputError("max_iterations and starts must be at least 1, tolerance not negative")
    if on_top_of is not None:
        potential = correction_on(on_top_of, potential)
    weights = Weights(energy_weight, force_weight, stress_weight)
    require_one_reference(configurations)
    potential = potential.trained_on([])  # whatever it was trained on before
    loss = Loss(potential, TrainingSet(configurations, potential), weights, threads, charge_restraint)
    if not loss.rows().any():
        raise InputError("nothing to fit: no configuration carries a label whose weight is not zero")
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
    except BaseException:  # Ctrl-C above all
        report.save()
        raise
    finally:
        report.bar.close()
    _check_finite(loss, parameters, configurations, "the fit has ended with a loss that is not finite")
    report.save()
    customary = loss.data.term.customary(parameters)
    # A restraint may ask for the other sign of the charges.
    if charge_restraint is None or _value(loss, customary) <= (1 + 1e-6) * _value(loss, parameters):
        parameters = customary
    names = {atoms.info.get("reference") for atoms in configurations if len(atoms) > 1}
    reference = str(*names) if len(names) == 1 and None not in names else None
    systems = [System.of(atoms, potential.species) for atoms in configurations]
    fitted = potential.with_parameters(parameters).labelled_by(reference).trained_on(systems)
    reason = "the loss has stopped falling" if converged else "ran out of iterations while the loss was still falling"
    message = f"{reason}: loss {report.loss:.5g} after {report.done} iterations"
    errors = loss.errors(parameters)
    return FitResult(fitted, errors, report.history, converged, message, report.evaluations, report.checkpoint)


def require_one_reference(configurations: Sequence[Atoms]) -> None:
    """Refuse configurations that name more than one level of theory under ``info["reference"]``.

    Raises
    ------
    InputError
        Naming the levels, and the first configuration of each.
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
            "them apart, or one as a correction on top of the other"
        )


def _value(loss: Loss, parameters: np.ndarray) -> float:
    return loss.value(loss.residuals(parameters))


def _check_finite(loss: Loss, parameters: np.ndarray, configurations: Sequence[Atoms], message: str) -> None:
    """Refuse parameters without a finite loss, for the reason that the potential gives, if it gives one.

    Raises
    ------
    InputError
    """
    if not np.isfinite(_value(loss, parameters)):
        evaluate_each(loss.potential.with_parameters(parameters), configurations)
        raise InputError(f"{message}: are the labels sensible?")


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


def _best_start(
    loss: Loss,
    parameters: np.ndarray,
    fixed: np.ndarray,
    starts: int,
    iterations: int,
    fit: Callable[[np.ndarray, int], tuple[np.ndarray, bool]],
    report: Progress,
) -> np.ndarray:
    """Fit from several starts for some iterations: the parameters and, in `report`, the history of the best of them."""
    report.start(_value(loss, parameters), f"Fit, start 1 of {starts}" if starts > 1 else "Fit")
    if starts == 1:
        return parameters
    seed = int.from_bytes(hashlib.sha256(parameters.tobytes()).digest()[:8])
    found = []
    for number in range(starts):
        if number:
            drawn = loss.potential.redrawn([seed, number]).parameters
            parameters = np.where(fixed, parameters, drawn)
            report.start(_value(loss, parameters), f"Fit, start {number + 1} of {starts}")
        fitted, _ = fit(parameters, iterations)
        found.append((_value(loss, fitted), number, fitted, report.history))
    _, number, fitted, report.history = min(found, key=lambda one: one[:2])
    report.bar.set_description_str(f"Fit, best start ({number + 1} of {starts})")
    return fitted


def _identity(loss: Loss, start: np.ndarray, settings: tuple[object, ...]) -> str:
    """Return a hash of what a checkpoint belongs to: model, start, data and settings."""
    data = loss.data
    model = loss.potential.with_parameters(start).fingerprint
    digest = hashlib.sha256(repr((model, loss.weights, settings)).encode() + b"".join(data.digest))
    for array in (data.energies, data.forces, data.virials, data.weights):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
