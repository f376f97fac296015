"""Loss of eq. (10) over labelled configurations, and its exact gradient."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.interface import VOIGT
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.threads import available
from electrolyte_ml.training.data import TrainingSet
from electrolyte_ml.training.restraint import ChargeRestraint
from electrolyte_ml.units import GPA

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Weights:
    """Weights of eq. (10) for energies, forces and virials (the last is zero in the paper)."""

    energy: float = 1.0
    force: float = 0.01
    stress: float = 0.0

    def __post_init__(self) -> None:
        values = (self.energy, self.force, self.stress)
        if not all(np.isfinite(values)) or min(values) < 0 or max(values) == 0:
            raise InputError(f"weights {values} must be finite, not negative, and not all zero")


@dataclass(frozen=True)
class Errors:
    """Errors on a set of configurations.

    Energies per atom are in eV, force components in eV/Å, stress components in GPa; NaN without labels. `pressure_rmse`
    and `pressure_bias` are the root mean square and the mean of the pressure of the potential minus that of the
    reference, in GPa. Where both have the same molecules, the bias shifts the density by compressibility times bias:
    that of a liquid by 4 to 5 % for 0.1 GPa. Bonds that differ in length change the pressure of the atoms more than the
    density: :func:`electrolyte_ml.analysis.audit_reference` also compares the pressure of the molecules as they are.
    """

    energy_rmse: float
    energy_mae: float
    force_rmse: float
    force_mae: float
    stress_rmse: float
    stress_mae: float
    pressure_rmse: float
    pressure_bias: float
    n_configurations: int

    def __str__(self) -> str:
        parts = [
            f"energy {1e3 * self.energy_rmse:.2f} meV/atom RMSE ({1e3 * self.energy_mae:.2f} MAE)",
            f"forces {self.force_rmse:.4f} eV/Å RMSE ({self.force_mae:.4f} MAE)",
            f"stress {self.stress_rmse:.3f} GPa RMSE ({self.stress_mae:.3f} MAE)",
            f"pressure {self.pressure_rmse:.3f} GPa RMSE (bias {self.pressure_bias:+.3f})",
        ]
        labelled = np.isfinite([self.energy_rmse, self.force_rmse, self.stress_rmse, self.pressure_rmse])
        shown = [part for part, is_labelled in zip(parts, labelled, strict=True) if is_labelled]
        return ", ".join([*shown, f"{self.n_configurations} configurations"])


@dataclass(frozen=True)
class Residuals:
    """Prediction minus label of every configuration and atom, zero without a label."""

    energy: np.ndarray  # (K,)
    forces: np.ndarray  # (N, 3)
    virial: np.ndarray  # (K, 3, 3)
    charges: np.ndarray | None = None  # (K, S) for a charge restraint


class Loss:
    """Loss of eq. (10), averaged over the K configurations, as a function of the parameters.

        L = 1/K sum_k [ w_e/N_k (E_k - E_k^ref)^2 + w_f sum_i |F_i - F_i^ref|^2
                        + w_s/N_k sum_ab (V sigma - V sigma^ref)^2_ab ]

    plus the term of a charge restraint, if there is one. Weights of single configurations in the data multiply w_e, w_f
    and w_s.

    Parameters
    ----------
    potential : Potential
        Model; the loss uses only the layout of its parameters.
    data : TrainingSet
        Training set made for the same model.
    weights : Weights
    threads : int, optional
        One per core by default; the result is bitwise independent of it.
    restraint : ChargeRestraint, optional

    Raises
    ------
    InputError
        A species of the restraint is not one of the potential, or the model has no charges.
    """

    def __init__(
        self,
        potential: Potential,
        data: TrainingSet,
        weights: Weights,
        threads: int | None = None,
        restraint: ChargeRestraint | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        self.potential, self.data, self.weights = potential, data, weights
        self.threads = threads or available()
        self.restraint = restraint
        if restraint is not None:
            self._targets = restraint.targets(potential.species)
            if data.term.mean_charges(potential.parameters) is None:
                raise InputError("a charge restraint needs a charge model, which this potential does not have")

    def sample(self, numbers: Sequence[int] | np.ndarray) -> Loss:
        """Return the loss over some of the configurations."""
        return self._with(self.data.subset(numbers))

    def _with(self, data: TrainingSet) -> Loss:
        """Return the loss for other data, or for fewer terms."""
        other = copy(self)
        other.data = data
        return other

    def joined(self, stage: int) -> Loss:
        """Return the loss of the terms that have joined the fit by a stage, see `Potential.stage`."""
        return self._with(self.data.joined(stage))

    def rows(self) -> np.ndarray:
        """Return the number of labels with a weight above zero of each configuration, (K,)."""
        data = self.data
        energy, force, stress = (self.factors > 0).T
        forces = np.add.reduceat(np.isfinite(data.forces).sum(1), data.first[:-1])
        rows = np.isfinite(data.energies) * energy + forces * force
        return rows + np.isfinite(data.virials).sum((1, 2)) * stress

    @property
    def factors(self) -> np.ndarray:
        """(K, 3) w_e, w_f and w_s of each configuration."""
        return self.data.weights * (self.weights.energy, self.weights.force, self.weights.stress)

    def residuals(self, parameters: np.ndarray) -> Residuals:
        """Return prediction minus label, zero without a label."""
        data = self.data
        energies, forces, virials = data.term.predict(parameters, self.threads)
        return Residuals(
            np.where(np.isfinite(data.energies), energies - data.energies, 0.0),
            np.where(np.isfinite(data.forces), forces - data.forces, 0.0),
            np.where(np.isfinite(data.virials), virials - data.virials, 0.0),
            self._charge_residuals(parameters),
        )

    def _charge_residuals(self, parameters: np.ndarray) -> np.ndarray | None:
        """Return mean charges minus those of the restraint, zero for other species; None without a restraint."""
        charges = None if self.restraint is None else self.data.term.mean_charges(parameters)
        if charges is None:
            return None
        wanted = np.isfinite(self._targets) & (self.data.counts > 0) & (self.data.sizes > 1)[:, None]
        return np.where(wanted, charges - self._targets, 0.0)

    def value(self, residuals: Residuals) -> float:
        """Return the loss of given residuals."""
        data = self.data
        energy, force, stress = self.factors.T
        with np.errstate(over="ignore"):  # the loss of a step that is too long may be infinite
            total = (energy * residuals.energy**2 / data.sizes).sum()
            total += (np.repeat(force, data.sizes) * (residuals.forces**2).sum(1)).sum()
            total += (stress * (residuals.virial**2).sum((1, 2)) / data.sizes).sum()
            if self.restraint is not None and residuals.charges is not None:
                total += self.restraint.weight * (residuals.charges**2).sum()
        return float(total / len(data))

    def __call__(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return loss and gradient (n_parameters,)."""
        data, k = self.data, len(self.data)
        energy, force, stress = self.factors.T
        residuals = self.residuals(parameters)
        value = self.value(residuals)
        if not np.isfinite(value):
            return np.inf, np.zeros_like(parameters)
        by_energies = 2 / k * energy * residuals.energy / data.sizes
        by_forces = 2 / k * np.repeat(force, data.sizes)[:, None] * residuals.forces
        by_virials = 2 / k * (stress / data.sizes)[:, None, None] * residuals.virial
        gradient = data.term.pullback(parameters, by_energies, by_forces, by_virials, self.threads)
        if self.restraint is not None and residuals.charges is not None:
            by_charges = 2 * self.restraint.weight / k * residuals.charges
            gradient = gradient + data.term.pull_back_charges(parameters, by_charges)
        return value, gradient

    def errors(self, parameters: np.ndarray) -> Errors:
        """Return RMSE and MAE of energies per atom, forces and stresses, and RMSE and bias of the pressure."""
        return self.errors_of(self.residuals(parameters))

    def squares(self, residuals: Residuals) -> np.ndarray:
        """Return the sum of all squared residuals of each configuration, (K,), without weights."""
        data = self.data
        forces = np.add.reduceat((residuals.forces**2).sum(axis=1), data.first[:-1])
        return residuals.energy**2 + forces + (residuals.virial**2).sum(axis=(1, 2))

    def errors_of(self, residuals: Residuals) -> Errors:
        """Return the errors from given residuals."""
        data = self.data
        energy = (residuals.energy / data.sizes)[np.isfinite(data.energies)]
        forces = residuals.forces[np.isfinite(data.forces)]
        labelled = np.isfinite(data.virials).all((1, 2))
        stress = (residuals.virial[labelled] / data.volumes[labelled, None, None])[:, VOIGT[0], VOIGT[1]] * GPA
        pressure = -stress[:, :3].mean(axis=1)
        return Errors(
            energy_rmse=_rmse(energy),
            energy_mae=_mae(energy),
            force_rmse=_rmse(forces),
            force_mae=_mae(forces),
            stress_rmse=_rmse(stress),
            stress_mae=_mae(stress),
            pressure_rmse=_rmse(pressure),
            pressure_bias=float(pressure.mean()) if len(pressure) else float("nan"),
            n_configurations=len(data),
        )


def weighted_residuals(loss: Loss, residuals: Residuals) -> np.ndarray:
    """Return all residuals in one vector, weighted so that half of its squared norm is the loss.

    Its length is the sum of `Loss.rows`, plus the number of charges if there is a restraint.
    """
    data, k = loss.data, len(loss.data)
    energy, force, stress = np.sqrt(2 / k * loss.factors).T
    per_atom = np.sqrt(data.sizes)
    by_atom, by_virial = np.repeat(force, data.sizes)[:, None], (stress / per_atom)[:, None, None]
    parts = [
        (energy / per_atom * residuals.energy)[np.isfinite(data.energies) & (energy > 0)],
        (by_atom * residuals.forces)[np.isfinite(data.forces) & (by_atom > 0)],
        (by_virial * residuals.virial)[np.isfinite(data.virials) & (by_virial > 0)],
    ]
    if loss.restraint is not None and residuals.charges is not None:
        parts.append(np.sqrt(2 * loss.restraint.weight / k) * residuals.charges.ravel())
    return np.concatenate(parts)


def _rmse(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")


def _mae(values: np.ndarray) -> float:
    return float(np.mean(np.abs(values))) if values.size else float("nan")


def evaluate_errors(potential: Potential, configurations: Sequence[Atoms]) -> Errors:
    """Return the errors of a potential on labelled configurations.

    Raises
    ------
    InputError
        A configuration has no labels or is not valid for the potential, or predictions or their squares are not finite;
        the message names the configuration.
    """
    loss = Loss(potential, TrainingSet(configurations, potential), Weights())
    with np.errstate(over="ignore", invalid="ignore"):
        residuals = loss.residuals(potential.parameters)
        squares = loss.squares(residuals)
        if not np.isfinite(squares).all():
            evaluate_each(potential, configurations)
            first = int(np.argmin(np.isfinite(squares))) + 1
            raise InputError(
                f"configuration {first}: energy, forces or stress of the potential are not finite: check its "
                "coefficients"
            )
        return loss.errors_of(residuals)


def evaluate_each(potential: Potential, configurations: Sequence[Atoms]) -> None:
    """Evaluate a potential on the configurations one by one, to find one for which it raises an error.

    Raises
    ------
    InputError
        The error of the first such configuration, with its number.
    """
    for number, atoms in enumerate(configurations, start=1):
        try:
            potential.evaluate(atoms)
        except InputError as error:
            raise InputError(f"configuration {number}: {error}") from None
