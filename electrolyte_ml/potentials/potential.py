"""Base class of all potentials: the interface for calculators, dynamics, training and active learning.

A model derives from `Potential` and defines `cutoff`, `blocks`, `parameters`, `with_parameters`, `evaluate`, `pullback`
and `from_spec`. All other methods have a default based on these. For speed, a model can override
`site_energy_gradients` (rows of all atoms in one sweep), `prepare` (quantities that training computes once) and
`stepper` (arrays and lists that are reused in every step). `stage` is the stage of a fit at which a term is added,
`redrawn` gives another random start, and `trained_on` stores data about the training set.
:func:`electrolyte_ml.conformance.check` tests whether a model satisfies the interface.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.files import atomic_write
from electrolyte_ml.potentials.blocks import Block
from electrolyte_ml.potentials.defaults import EvaluatedStepper, EvaluatedTerm
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation, Stepper, TrainingTerm
from electrolyte_ml.potentials.registry import check_registered
from electrolyte_ml.potentials.text import compose

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from electrolyte_ml.potentials.calculator import PotentialCalculator
    from electrolyte_ml.potentials.spec import ModelSpec


# Faster methods that must agree with `evaluate` and `pullback`, by the method on which their defaults are based.
_FASTER = {"evaluate": ("prepare", "stepper"), "pullback": ("prepare", "energy_gradient", "site_energy_gradients")}


class Potential(ABC):
    """Model of the energy of a configuration, with parameters.

    Instances are immutable: `with_parameters` and `with_reference` return new ones. Derived classes are dataclasses
    with at least the fields `species` and `reference`.

    Attributes
    ----------
    kind : str
        Name in the registry and in files.
    suffix : str
        Usual suffix of file names.
    uses_charge : bool
        Whether energies depend on the total charge of a configuration.
    stage : int
        Stage at which the term joins a fit of a sum from a random start: terms of the lowest stage are fitted first,
        then those of later stages are added. By default all terms are fitted at once.
    species : tuple of str
        Chemical symbols in the order of the parameters.
    reference : str or None
        Level of theory that labelled the training data, shown in figures.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str] = ".pot"
    uses_charge: ClassVar[bool] = False
    stage: ClassVar[int] = 0
    species: tuple[str, ...]
    reference: str | None

    def __init_subclass__(cls, **options: Any) -> None:
        """Replace inherited fast methods that do not belong to the `evaluate` or `pullback` of a class.

        If a class (or a mixin) overrides one of these two but inherits faster methods for the same numbers, the
        defaults replace the faster methods, because the defaults call the new version. Calculators, dynamics, fits and
        grades then all use it.
        """
        super().__init_subclass__(**options)

        def depth(name: str) -> int:
            return next(k for k, base in enumerate(cls.__mro__) if name in base.__dict__)

        for method, faster in _FASTER.items():
            for name in faster:
                if depth(method) < depth(name):
                    setattr(cls, name, Potential.__dict__[name])

    # -- defined by every model ----------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def cutoff(self) -> float:
        """Distance (Å) up to which pairs of atoms are needed."""

    @property
    @abstractmethod
    def blocks(self) -> tuple[Block, ...]:
        """Blocks of `parameters`, in order."""

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
            The number of parameters is not `n_parameters`.
        """

    @abstractmethod
    def evaluate(self, atoms: Atoms | Geometry, threads: int | None = None) -> Evaluation:
        """Return energy, site energies, forces and virial.

        Parameters
        ----------
        atoms : ase.Atoms or Geometry
        threads : int, optional
            By default one per core, if there are enough atoms. The same number of threads gives bitwise identical
            results.
        """

    @abstractmethod
    def pullback(
        self, atoms: Atoms | Geometry, by_energies: np.ndarray, by_forces: np.ndarray, by_virial: np.ndarray
    ) -> np.ndarray:
        """Return dL/dtheta (m,) from dL/dE_i (N,), dL/dF (N, 3) and dL/dVirial (3, 3), symmetric."""

    def checked(self, parameters: np.ndarray) -> np.ndarray:
        """Return parameters as a float64 array.

        Raises
        ------
        InputError
            The number of parameters is not `n_parameters`.
        """
        theta = np.asarray(parameters, dtype=np.float64)
        if theta.shape != (self.n_parameters,):
            raise InputError(f"parameters of shape {theta.shape} do not fit a potential with {self.n_parameters}")
        return theta

    def parts(self) -> tuple[Potential, ...]:
        """Return the terms of a sum; any other potential returns itself as the only term."""
        return (self,)

    def redrawn(self, seed: int | Sequence[int]) -> Self:
        """Return the same model with the parameters of another random start, by default from U(-1, 1)."""
        return self.with_parameters(np.random.default_rng(seed).uniform(-1, 1, self.n_parameters))

    # -- defaults ------------------------------------------------------------------------------------------------------

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return sum(block.size for block in self.blocks)

    @property
    def gauge_directions(self) -> np.ndarray:
        """(g, m) directions of the parameters along which no energy of any configuration changes; by default g = 0."""
        return np.zeros((0, self.n_parameters))

    def undetermined(self, systems: Sequence[System]) -> tuple[str, ...]:
        """Name quantities that a set of systems leaves undetermined for any positions; by default none."""
        return ()

    @property
    def fingerprint(self) -> str:
        """Hash of all data that determine the results of this potential."""
        content = compose([(part.kind, part.to_text()) for part in self.bare().parts()], None)
        return hashlib.sha256(content.encode()).hexdigest()

    def bare(self) -> Self:
        """Return the same potential without data that do not change its results: reference and training set."""
        return self.with_reference(None).trained_on([])

    def facts(self) -> dict[str, Any]:
        """Return the properties of the model by name, as JSON values: the output of `electrolyte-ml info`."""
        return {
            "kind": self.kind,
            "species": list(self.species),
            "parameters": self.n_parameters,
            "cutoff": self.cutoff,
            "reference": self.reference,
        }

    def caveats(self) -> tuple[str, ...]:
        """Return warnings for users of this potential, one line each; by default none."""
        return ()

    @property
    def label_reference(self) -> str | None:
        """Level of theory of the labels of the training set: of a correction its own, not that of its base."""
        return self.reference

    def with_reference(self, reference: str | None) -> Self:
        """Return the same potential with another name of the level of theory that labelled its training data."""
        return replace(cast(Any, self), reference=reference)

    def labelled_by(self, reference: str | None) -> Self:
        """Return the same potential with the reference after a fit to labels of a level of theory.

        By default the reference is the name of this level, or None if it is not known.
        """
        return self.with_reference(reference)

    def trained_on(self, systems: Sequence[System]) -> Self:
        """Return the same potential with stored data about its training set; by default there are none."""
        return self

    def with_precision(self, precision: str) -> Self:
        """Return the same potential with energies, forces and stresses in "double" or "mixed" precision.

        Raises
        ------
        InputError
            The model does not support this precision.
        """
        if precision != "double":
            raise InputError(f"{self.kind} has no {precision} precision, only double")
        return self

    def geometry(self, atoms: Atoms | Geometry) -> Geometry:
        """Return a configuration with its pairs within the cutoff, checked and without gaps.

        Raises
        ------
        InputError
            Species are unknown, positions are not finite, atoms overlap, or the cell is singular; a geometry was made
            for other species or a shorter cutoff.
        """
        if not isinstance(atoms, Geometry):
            return Geometry.of(atoms, self.species, self.cutoff)
        if atoms.system.symbols != self.species:
            raise InputError(
                f"a geometry with the species {' '.join(atoms.system.symbols)} is given to a potential with "
                f"{' '.join(self.species)}"
            )
        return atoms.within(self.cutoff).compact()

    def energy_gradient(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE/dtheta (m,): the row of a configuration in the MaxVol matrix (eq. 12)."""
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
        """Return the training term of configurations."""
        return EvaluatedTerm(self, geometries)

    def stepper(self, system: System, threads: int = 1) -> Stepper:
        """Return a stepper for repeated evaluation of one system."""
        return EvaluatedStepper(self, system, threads)

    def calculator(self, *, skin: float | None = None, threads: int | None = None) -> PotentialCalculator:
        """Return an ASE calculator of this potential.

        Parameters
        ----------
        skin : float, Å, optional
            Skin of the Verlet list.
        threads : int, optional
            As in `evaluate`.
        """
        from electrolyte_ml.potentials.calculator import SKIN, PotentialCalculator

        return PotentialCalculator(self, skin=SKIN if skin is None else skin, threads=threads)

    def save(self, path: str | Path) -> None:
        """Write the potential to a file that :func:`electrolyte_ml.potentials.load` reads, atomically.

        Raises
        ------
        InputError
            `load` could not restore the potential, because its class or that of a term is not registered.
        """
        self.check_saveable(str(path))
        atomic_write(path, self.file_content())

    def check_saveable(self, source: str) -> None:
        """Check that the potential can be restored from a file.

        Raises
        ------
        InputError
            The class is not registered; the message names `source`, the file.
        """
        check_registered(type(self), source)

    # -- files ---------------------------------------------------------------------------------------------------------

    def file_content(self) -> str:
        """Return the complete content of a file of this potential."""
        return compose([(part.kind, part.to_text()) for part in self.parts()], self.reference)

    def to_text(self) -> str:
        """Return the text of this potential in a file, with all digits; by default its fields as JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(cast(Any, self))}
        content = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str, source: str, species: tuple[str, ...] | None = None) -> Self:
        """Read a text written by `to_text`.

        Parameters
        ----------
        text
        source
            Name of the file, for messages.
        species
            Chemical symbols, for texts without element names.

        Raises
        ------
        InputError
            The text cannot be read; the message names source and line.
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
        """Return the model of a `ModelSpec` with random parameters for the start of a fit."""
