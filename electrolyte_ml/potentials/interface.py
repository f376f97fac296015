"""Results of potentials: evaluations, terms for training, steppers for dynamics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.kernels import dynamics
from electrolyte_ml.potentials.geometry import Geometry, System

if TYPE_CHECKING:
    from electrolyte_ml.potentials.potential import Potential
    from electrolyte_ml.structures.neighbours import NeighbourList

VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # xx yy zz yz xz xy


@dataclass(frozen=True)
class Evaluation:
    """Energy and its derivatives for one configuration.

    Attributes
    ----------
    energy : float, eV
    forces : (N, 3), eV/Å
    energies : (N,), eV
        Site energies; their sum is the energy.
    virial : (3, 3), eV
        Derivative of the energy by a strain of all positions and of the cell; volume times stress tensor.
    volume : float or None, Å^3
        None if the cell is not periodic along all three axes.
    charges : (N,) or None, e
        None for models without charges.
    """

    energy: float
    forces: np.ndarray
    energies: np.ndarray
    virial: np.ndarray
    volume: float | None
    charges: np.ndarray | None = None

    @property
    def stress(self) -> np.ndarray | None:
        """(6,) eV/Å^3 in ASE's sign and order (xx yy zz yz xz xy), or None without a volume."""
        return None if self.volume is None else stress_of(self.virial, self.volume)


def stress_of(virial: np.ndarray, volume: float) -> np.ndarray:
    """Return the stress (6,) eV/Å^3 in ASE's sign and order from a virial (3, 3) eV and a volume in Å^3."""
    return ((virial + virial.T) / (2 * volume))[VOIGT]


class Prediction(NamedTuple):
    """Energies (K,) eV, forces (N, 3) eV/Å and virials (K, 3, 3) eV of K configurations with N atoms in all."""

    energies: np.ndarray
    forces: np.ndarray
    virials: np.ndarray


class TrainingTerm(ABC):
    """Set of configurations prepared for one model, for predictions with any parameters and derivatives by them."""

    @abstractmethod
    def predict(self, theta: np.ndarray, threads: int = 1) -> Prediction:
        """Return energies, forces and virials of all configurations for the parameters `theta` (m,)."""

    @abstractmethod
    def pullback(
        self,
        theta: np.ndarray,
        by_energies: np.ndarray,
        by_forces: np.ndarray,
        by_virials: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Return dL/dtheta (m,) from dL/dE (K,), dL/dF (N, 3) and dL/dVirial (K, 3, 3), symmetric.

        These are reverse-mode derivatives of `predict`; no Jacobian of the forces is stored.
        """

    def mean_charges(self, theta: np.ndarray) -> np.ndarray | None:
        """Return the mean charge of each species in each configuration, (K, S) in e, NaN for missing species.

        Models without charges return None.
        """
        return None

    def pull_back_charges(self, theta: np.ndarray, by_mean_charges: np.ndarray) -> np.ndarray:
        """Return dL/dtheta (m,) from the derivatives of L by `mean_charges` (K, S), zero for missing species."""
        return np.zeros(len(theta))

    @abstractmethod
    def subset(self, numbers: Sequence[int]) -> TrainingTerm:
        """Return the term of some of the configurations (numbered from 0)."""

    def joined(self, stage: int) -> TrainingTerm:
        """Return the term with only those parts that have joined the fit by a stage; see `Potential.stage`.

        The predictions of the other parts, and derivatives by their parameters, are zero.
        """
        return self

    def customary(self, theta: np.ndarray) -> np.ndarray:
        """Return the conventional choice among all parameters with the predictions of `theta`, for the end of a fit."""
        return theta


class Stepper(ABC):
    """Repeated evaluation of one system, with arrays and lists that are reused.

    The caller makes a neighbour list with at least the cutoff of the potential, passes it to `renew`, and calls `add`
    or `advance` as long as the list is valid.

    Attributes
    ----------
    potential : Potential
    system : System
    threads : int
    origin : (N, 3) float64, Å
        Positions for which the list was made.
    stretch : (3,) float64
        Growth factors of lengths along x, y and z since then; NaN without a list.
    failure : Exception or None
        Exception that ended the last call of `advance` with the status FAILED.
    """

    def __init__(self, potential: Potential, system: System, threads: int) -> None:
        self.potential, self.system, self.threads = potential, system, threads
        self.origin, self.stretch = np.empty((len(system.species), 3)), np.full(3, np.nan)
        self.failure: Exception | None = None

    def renew(self, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray) -> None:
        """Set a new neighbour list, made for these positions; derived classes extend this method."""
        self.origin[:] = positions
        self.stretch[:] = 1.0

    def invalidate(self) -> None:
        """Discard the neighbour list: the next call of `advance` returns the status SPENT."""
        self.stretch[:] = np.nan

    @abstractmethod
    def add(self, positions: np.ndarray, cell: np.ndarray, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Add the forces of the potential to `forces` (N, 3); return its energy (eV) and virial (3, 3) (eV).

        Raises
        ------
        InputError
            Two atoms overlap.
        """

    @property
    @abstractmethod
    def energies(self) -> np.ndarray:
        """(N,) site energies of the last evaluation, eV; the next evaluation may overwrite the array."""

    @property
    def charges(self) -> np.ndarray | None:
        """(N,) charges of the last evaluation, e; None for models without charges."""
        return None

    @abstractmethod
    def geometry(self) -> Geometry:
        """Return the configuration of the last evaluation; the next evaluation may overwrite its arrays."""

    def advance(
        self, ensemble: dynamics.Ensemble, draws: np.ndarray, particles: dynamics.Particles, limits: dynamics.Limits
    ) -> tuple[int, int]:
        """Take several time steps, with one call of `add` per step.

        Parameters and results are those of :func:`electrolyte_ml.kernels.dynamics.advance`. For the status FAILED,
        `failure` holds the exception.
        """
        cutoff = self.potential.cutoff
        for step, row in enumerate(draws):
            dynamics.begin_step(ensemble, row, particles, self.stretch)
            if not dynamics.holds(particles.positions, self.origin, self.stretch, cutoff, limits.skin):
                return dynamics.SPENT, step
            particles.forces[:] = 0.0
            try:
                energy, particles.virial[:] = self.add(particles.positions, particles.cell, particles.forces)
            except Exception as error:
                self.failure = error
                return dynamics.FAILED, step
            particles.scalars[dynamics.ENERGY] = energy
            particles.scalars[dynamics.VIRIAL] = np.trace(particles.virial)
            if not dynamics.end_step(ensemble, particles):
                return dynamics.NOT_FINITE, step + 1
        return dynamics.DONE, len(draws)
