"""One idea of a potential: what calculators, dynamics, training and active learning ask of any model.

A model derives from `Potential` and gives `cutoff`, `blocks`, `parameters`, `with_parameters`, `evaluate` and
`pullback`. Everything else has a default made from these. A model that can do better overrides `site_energy_gradients`
(rows of all atoms in one sweep), `prepare` (what training can compute once) and `stepper` (arrays and lists that live
from step to step). :func:`electrolyte_ml.conformance.check` tells whether a model keeps all promises.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.potentials.geometry import Geometry, System

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from electrolyte_ml.kernels.dynamics import Ensemble, Limits, Particles
    from electrolyte_ml.potentials.calculator import PotentialCalculator
    from electrolyte_ml.potentials.spec import ModelSpec
    from electrolyte_ml.structures.neighbours import NeighbourList

SHIFTS = "shifts"  # name of a block that holds the energy of an isolated atom of each species
VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # xx yy zz yz xz xy
# Methods with a default that is made of others: what each of the others stands behind.
_FASTER = {"evaluate": ("prepare", "stepper"), "pullback": ("prepare", "energy_gradient", "site_energy_gradients")}


class Block(NamedTuple):
    """A part of the parameter vector.

    Attributes
    ----------
    name : str
        The block `SHIFTS`, of one linear parameter for each species, is set from isolated atoms.
    size : int
    role : {"linear", "nonlinear"}
        Energies are affine in all linear parameters of a potential together.
    """

    name: str
    size: int
    role: Literal["linear", "nonlinear"]


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
        Derivative of the energy by a strain of all positions and of the cell; V times the stress tensor.
    volume : float or None, Å^3
        None where the cell is not periodic along all three axes.
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
    """Return the stress (6,) eV/Å^3 in ASE's sign and order from a virial (3, 3) eV and a volume Å^3."""
    return ((virial + virial.T) / (2 * volume))[VOIGT]


class Prediction(NamedTuple):
    """Energies (K,) eV, forces (N, 3) eV/Å and virials (K, 3, 3) eV of K configurations with N atoms in all."""

    energies: np.ndarray
    forces: np.ndarray
    virials: np.ndarray


class TrainingTerm(ABC):
    """A set of configurations prepared for one model: predictions for any parameters, and derivatives by them."""

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

        No Jacobian of the forces is stored: reverse-mode derivatives of `predict`.
        """

    @abstractmethod
    def subset(self, numbers: Sequence[int]) -> TrainingTerm:
        """Return the same for some of the configurations (numbered from 0)."""


class Potential(ABC):
    """A model of the energy of a configuration, with parameters.

    Instances are not changed: `with_parameters` and `with_reference` return new ones. Derived classes are dataclasses
    with at least the fields `species` and `reference`.

    Attributes
    ----------
    kind : str
        Name in the registry and in files.
    suffix : str
        Customary end of a file's name.
    standalone : bool
        Whether `to_text` is the whole content of a file, in a format of other programs.
    species : tuple of str
        Chemical symbols; the order is that of the parameters.
    reference : str or None
        Level of theory that labelled the training data; figures show it.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str] = ".pot"
    standalone: ClassVar[bool] = False
    species: tuple[str, ...]
    reference: str | None

    def __init_subclass__(cls, **options: Any) -> None:
        """Keep what is derived from `evaluate` and `pullback` in step with them.

        A class that changes one of them, itself or by a mixin, but inherits faster ways to the same numbers gets the
        defaults in their place, which call it: no calculator, dynamics, fit or grade can then leave its change out.
        """
        super().__init_subclass__(**options)

        def depth(name: str) -> int:
            return next(k for k, base in enumerate(cls.__mro__) if name in base.__dict__)

        for method, faster in _FASTER.items():
            for name in faster:
                if depth(method) < depth(name):
                    setattr(cls, name, Potential.__dict__[name])

    # -- what every model gives ----------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def cutoff(self) -> float:
        """Distance (Å) up to which pairs of atoms are needed."""

    @property
    @abstractmethod
    def blocks(self) -> tuple[Block, ...]:
        """The parts of `parameters`, in order."""

    @property
    @abstractmethod
    def parameters(self) -> np.ndarray:
        """(m,) all parameters, a copy."""

    @abstractmethod
    def with_parameters(self, parameters: np.ndarray) -> Self:
        """Return the same model with other parameters.

        Raises
        ------
        InputError
            If their number is not `n_parameters`.
        """

    @abstractmethod
    def evaluate(self, atoms: Atoms | Geometry, threads: int | None = None) -> Evaluation:
        """Return energy, site energies, forces and virial.

        Parameters
        ----------
        atoms : ase.Atoms or Geometry
        threads : int, optional
            All cores by default, where the atoms are enough. The same number gives the same bits.
        """

    @abstractmethod
    def pullback(
        self, atoms: Atoms | Geometry, by_energies: np.ndarray, by_forces: np.ndarray, by_virial: np.ndarray
    ) -> np.ndarray:
        """Return dL/dtheta (m,) from dL/dE_i (N,), dL/dF (N, 3) and dL/dVirial (3, 3), symmetric."""

    # -- what follows from it ------------------------------------------------------------------------------------------

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return sum(block.size for block in self.blocks)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides the results of this potential."""
        from electrolyte_ml.potentials.store import to_text

        return hashlib.sha256(to_text(self.with_reference(None)).encode()).hexdigest()

    def with_reference(self, reference: str | None) -> Self:
        """Return the same potential with another name of what labelled its training data."""
        return replace(self, reference=reference)  # type: ignore[type-var]  # derived classes are dataclasses

    def with_precision(self, precision: str) -> Self:
        """Return the same potential with energies, forces and stresses in "double" or "mixed" precision.

        Raises
        ------
        InputError
            If this model has no such precision.
        """
        if precision != "double":
            raise InputError(f"{self.kind} has no {precision} precision, only double")
        return self

    def geometry(self, atoms: Atoms | Geometry) -> Geometry:
        """Return a configuration with its pairs within the cutoff, checked and without gaps.

        Raises
        ------
        InputError
            Unknown species, NaN, overlapping atoms, a singular cell; a geometry made for other species or for a
            shorter cutoff.
        """
        if not isinstance(atoms, Geometry):
            return Geometry.of(atoms, self.species, self.cutoff)
        if atoms.system.symbols != self.species:
            raise InputError(
                f"a geometry of the species {' '.join(atoms.system.symbols)} is given to a potential of "
                f"{' '.join(self.species)}"
            )
        return atoms.within(self.cutoff).compact()

    def energy_gradient(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE/dtheta (m,): a configuration's row in MaxVol (eq. 12)."""
        geometry = self.geometry(atoms)
        n = geometry.n_atoms
        return self.pullback(geometry, np.ones(n), np.zeros((n, 3)), np.zeros((3, 3)))

    def site_energy_gradients(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE_i/dtheta of each atom, (N, m); their sum is `energy_gradient`."""
        geometry = self.geometry(atoms)
        n = geometry.n_atoms
        no_forces, no_virial = np.zeros((n, 3)), np.zeros((3, 3))
        rows = [self.pullback(geometry, site, no_forces, no_virial) for site in np.eye(n)]
        return np.array(rows).reshape(n, self.n_parameters)

    def prepare(self, geometries: Sequence[Geometry]) -> TrainingTerm:
        """Return the configurations prepared for training."""
        from electrolyte_ml.potentials.defaults import EvaluatedTerm

        return EvaluatedTerm(self, geometries)

    def stepper(self, system: System, threads: int = 1) -> Stepper:
        """Return what evaluates one system again and again."""
        from electrolyte_ml.potentials.defaults import EvaluatedStepper

        return EvaluatedStepper(self, system, threads)

    def calculator(self, *, skin: float | None = None, threads: int | None = None) -> PotentialCalculator:
        """Return an ASE calculator of this potential.

        Parameters
        ----------
        skin : float, Å, optional
            Extra reach of its Verlet list.
        threads : int, optional
            As in `evaluate`.
        """
        from electrolyte_ml.potentials.calculator import SKIN, PotentialCalculator

        return PotentialCalculator(self, skin=SKIN if skin is None else skin, threads=threads)

    def save(self, path: str | Path) -> None:
        """Write the potential to a file that :func:`electrolyte_ml.potentials.load` reads, atomically."""
        from electrolyte_ml.potentials.store import save

        save(self, path)

    # -- files ---------------------------------------------------------------------------------------------------------

    def to_text(self) -> str:
        """Return the lines that stand for this potential in a file, with every digit: by default its fields as JSON."""
        content = {
            name: np.asarray(value).tolist() if isinstance(value, np.ndarray) else value
            for name, value in ((field.name, getattr(self, field.name)) for field in fields(self))
        }  # type: ignore[arg-type]
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str, source: str, species: tuple[str, ...] | None = None) -> Self:
        """Read back what `to_text` has written.

        Parameters
        ----------
        text
        source
            Name of the file, for messages.
        species
            Chemical symbols, for texts that carry none.

        Raises
        ------
        InputError
            Naming source and line.
        """
        try:
            content = json.loads(text)
            content["species"] = tuple(content["species"])
            return cls(**content)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{source}: not a potential of the kind {cls.kind}: {first_line(error)}") from error

    @classmethod
    @abstractmethod
    def from_spec(cls, spec: ModelSpec, species: tuple[str, ...], seed: int) -> Self:
        """Return the model that a `ModelSpec` asks for, with the parameters from which a fit starts."""


class Stepper(ABC):
    """One system evaluated again and again, with arrays and lists that live from one evaluation to the next.

    The owner makes a neighbour list that reaches at least the potential's cutoff, hands it to `renew`, and calls `add`
    or `advance` for as long as the list holds.

    Attributes
    ----------
    potential : Potential
    system : System
    threads : int
    origin : (N, 3) float64, Å
        Positions for which the list was made.
    stretch : (1,) float64
        Factor by which lengths have grown since then; NaN where there is no list.
    failure : Exception or None
        What ended the last call of `advance` with the status FAILED.
    """

    def __init__(self, potential: Potential, system: System, threads: int) -> None:
        self.potential, self.system, self.threads = potential, system, threads
        self.origin, self.stretch = np.empty((len(system.species), 3)), np.full(1, np.nan)
        self.failure: Exception | None = None

    def renew(self, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray) -> None:
        """Take a new neighbour list, made for these positions; derived classes add what is theirs."""
        self.origin[:] = positions
        self.stretch[0] = 1.0

    def invalidate(self) -> None:
        """Forget the neighbour list: the next call of `advance` asks for a new one."""
        self.stretch[0] = np.nan

    @abstractmethod
    def add(self, positions: np.ndarray, cell: np.ndarray, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Add this potential's forces to `forces` (N, 3); return its energy (eV) and virial (3, 3) (eV).

        Raises
        ------
        InputError
            If two atoms overlap.
        """

    @property
    @abstractmethod
    def energies(self) -> np.ndarray:
        """(N,) site energies of the last evaluation, eV, in an array that the next one may change."""

    @property
    def charges(self) -> np.ndarray | None:
        """(N,) charges of the last evaluation, e; None for models without charges."""
        return None

    @abstractmethod
    def geometry(self) -> Geometry:
        """Return the configuration of the last evaluation, in arrays that the next one may change."""

    def advance(self, ensemble: Ensemble, draws: np.ndarray, particles: Particles, limits: Limits) -> tuple[int, int]:
        """Take several time steps, one call of `add` each.

        Parameters, status and steps are those of :func:`electrolyte_ml.kernels.dynamics.advance`. The status FAILED
        comes with the exception in `failure`.
        """
        from electrolyte_ml.kernels import dynamics as kernels

        cutoff = self.potential.cutoff
        for step, row in enumerate(draws):
            kernels.begin_step(ensemble, row, particles, self.stretch)
            if not kernels.holds(particles.positions, self.origin, self.stretch, cutoff, limits.skin):
                return kernels.SPENT, step
            particles.forces[:] = 0.0
            try:
                energy, particles.virial[:] = self.add(particles.positions, particles.cell, particles.forces)
            except Exception as error:
                self.failure = error
                return kernels.FAILED, step
            particles.scalars[kernels.ENERGY] = energy
            particles.scalars[kernels.VIRIAL] = np.trace(particles.virial)
            if not kernels.end_step(ensemble, particles):
                return kernels.NOT_FINITE, step + 1
        return kernels.DONE, len(draws)


def slices(blocks: Sequence[Block]) -> Iterator[tuple[Block, slice]]:
    """Yield each block with its place in the parameter vector."""
    start = 0
    for block in blocks:
        yield block, slice(start, start + block.size)
        start += block.size


def linear_mask(blocks: Sequence[Block]) -> np.ndarray:
    """(m,) which parameters are linear."""
    return np.concatenate([np.zeros(0, bool), *(np.full(block.size, block.role == "linear") for block in blocks)])


def shifts_of(blocks: Sequence[Block]) -> list[slice]:
    """Return the places of all blocks of shifts, the energies of isolated atoms: one for each term that has them."""
    return [place for block, place in slices(blocks) if block.name.rpartition(".")[2] == SHIFTS]
