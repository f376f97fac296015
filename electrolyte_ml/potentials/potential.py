"""One idea of a potential: what calculators, dynamics, training and active learning ask of any model.

A model derives from `Potential` and gives `cutoff`, `blocks`, `parameters`, `with_parameters`, `evaluate`, `pullback`
and `from_spec`. Everything else has a default made from these. A model that can do better overrides
`site_energy_gradients` (rows of all atoms in one sweep), `prepare` (what training can compute once) and `stepper`
(arrays and lists that live from step to step). `stage` says when a term joins a fit, `redrawn` from where a fit may
start as well, and `trained_on` what a potential keeps of its training set.
:func:`electrolyte_ml.conformance.check` tells whether a model keeps all promises.
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


# Methods with a default made of another, by that other.
_FASTER = {"evaluate": ("prepare", "stepper"), "pullback": ("prepare", "energy_gradient", "site_energy_gradients")}


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
    uses_charge : bool
        Whether energies depend on the total charge of a configuration.
    stage : int
        When the term joins a fit of a sum from a random start: terms of the lowest stage are fitted first, those of
        later ones are added to what has been fitted. By default all are fitted at once.
    species : tuple of str
        Chemical symbols; the order is that of the parameters.
    reference : str or None
        Level of theory that labelled the training data; figures show it.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str] = ".pot"
    uses_charge: ClassVar[bool] = False
    stage: ClassVar[int] = 0
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

    def checked(self, parameters: np.ndarray) -> np.ndarray:
        """Return parameters as float64.

        Raises
        ------
        InputError
            If their number is not `n_parameters`.
        """
        theta = np.asarray(parameters, dtype=np.float64)
        if theta.shape != (self.n_parameters,):
            raise InputError(f"{theta.shape} parameters do not fit a potential of {self.n_parameters}")
        return theta

    def parts(self) -> tuple[Potential, ...]:
        """Return the terms of a sum; of any other potential, itself."""
        return (self,)

    def redrawn(self, seed: int | Sequence[int]) -> Self:
        """Return the same model with the parameters of another random start, by default from U(-1, 1)."""
        return self.with_parameters(np.random.default_rng(seed).uniform(-1, 1, self.n_parameters))

    # -- what follows from it ------------------------------------------------------------------------------------------

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return sum(block.size for block in self.blocks)

    @property
    def gauge_directions(self) -> np.ndarray:
        """(g, m) directions of the parameters along which no energy changes, for any configuration; none by default."""
        return np.zeros((0, self.n_parameters))

    def undetermined(self, systems: Sequence[System]) -> tuple[str, ...]:
        """Name what a set of systems leaves undetermined, whatever the positions of their atoms; nothing by default."""
        return ()

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides the results of this potential."""
        content = compose([(part.kind, part.to_text()) for part in self.bare().parts()], None)
        return hashlib.sha256(content.encode()).hexdigest()

    def bare(self) -> Self:
        """Return the same potential without what does not decide its results: reference and training set."""
        return self.with_reference(None).trained_on([])

    def facts(self) -> dict[str, Any]:
        """Return what the model consists of, by name, in values that JSON has: the output of `electrolyte-ml info`."""
        return {
            "kind": self.kind,
            "species": list(self.species),
            "parameters": self.n_parameters,
            "cutoff": self.cutoff,
            "reference": self.reference,
        }

    def caveats(self) -> tuple[str, ...]:
        """Return what a user of this potential must know, a line each: by default nothing."""
        return ()

    def with_reference(self, reference: str | None) -> Self:
        """Return the same potential with another name of what labelled its training data."""
        return replace(cast(Any, self), reference=reference)

    def labelled_by(self, reference: str | None) -> Self:
        """Return the same potential after a fit to labels of a level of theory, see `with_reference`.

        By default the reference is the name of that level, None where it is not known.
        """
        return self.with_reference(reference)

    def trained_on(self, systems: Sequence[System]) -> Self:
        """Return the same potential with what it remembers of its training set: by default nothing."""
        return self

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
        return EvaluatedTerm(self, geometries)

    def stepper(self, system: System, threads: int = 1) -> Stepper:
        """Return what evaluates one system again and again."""
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
        """Write the potential to a file that :func:`electrolyte_ml.potentials.load` reads, atomically.

        Raises
        ------
        InputError
            If `load` would not bring back the same potential: a class, in a sum too, that is not registered.
        """
        self.check_saveable(str(path))
        atomic_write(path, self.file_content())

    def check_saveable(self, source: str) -> None:
        """Refuse a potential that a file would not bring back.

        Raises
        ------
        InputError
            Naming `source`, the file.
        """
        check_registered(type(self), source)

    # -- files ---------------------------------------------------------------------------------------------------------

    def file_content(self) -> str:
        """Return the whole content of a file of this potential."""
        return compose([(part.kind, part.to_text()) for part in self.parts()], self.reference)

    def to_text(self) -> str:
        """Return the lines that stand for this potential in a file, with every digit: by default its fields as JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(cast(Any, self))}
        content = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}
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
