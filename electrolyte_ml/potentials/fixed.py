"""Fixed potential as a term of a sum: the base of a correction to a better reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation, Prediction, Stepper, TrainingTerm
from electrolyte_ml.potentials.parameterless import Parameterless
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.potentials.store import from_content
from electrolyte_ml.potentials.sum import Sum
from electrolyte_ml.threads import available

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials.spec import ModelSpec


@dataclass(eq=False)
class Fixed(Parameterless):
    """Potential with fixed parameters.

    In a sum, the other terms correct it. A fit changes only these, and evaluates the fixed term once: its cost is that
    of the correction. The rows of the MaxVol matrix are derivatives by the parameters of the correction: grades
    therefore show where the correction, not the base, needs labels.

    Parameters
    ----------
    base : Potential
        Potential of any kind, including a sum.
    """

    kind: ClassVar[str] = "fixed"

    base: Potential

    @property
    def species(self) -> tuple[str, ...]:  # type: ignore[override]
        """Chemical symbols."""
        return self.base.species

    @property
    def reference(self) -> str | None:  # type: ignore[override]
        """Level of theory that labelled the training data of the base."""
        return self.base.reference

    @property
    def uses_charge(self) -> bool:  # type: ignore[override]
        """Whether energies of the base depend on the total charge."""
        return self.base.uses_charge

    @property
    def cutoff(self) -> float:
        """Cutoff of the base, Å."""
        return self.base.cutoff

    def with_reference(self, reference: str | None) -> Fixed:
        """Return the same potential with another reference of its base."""
        return Fixed(self.base.with_reference(reference))

    def with_precision(self, precision: str) -> Fixed:
        """Return the same potential with its base in another precision.

        Raises
        ------
        InputError
            The base does not support this precision.
        """
        return Fixed(self.base.with_precision(precision))

    def bare(self) -> Fixed:
        """Return the same potential without data that do not change its results."""
        return Fixed(self.base.bare())

    def facts(self) -> dict[str, Any]:
        """Return the facts of this term, and those of the terms of the base under "terms"."""
        terms = [{"kind": part.kind, **part.facts()} for part in self.base.parts()]
        return {**super().facts(), "terms": terms}

    def caveats(self) -> tuple[str, ...]:
        """Return the caveats of the base."""
        return self.base.caveats()

    def evaluate(self, atoms: Atoms | Geometry, threads: int | None = None) -> Evaluation:
        """Return energy, site energies, forces and virial of the base."""
        return self.base.evaluate(self.geometry(atoms), threads)

    def pullback(
        self, atoms: Atoms | Geometry, by_energies: np.ndarray, by_forces: np.ndarray, by_virial: np.ndarray
    ) -> np.ndarray:
        """Return an array (0,), because there is no parameter."""
        return np.zeros(0)

    def site_energy_gradients(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return an array (N, 0), because there is no parameter."""
        return np.zeros((self.geometry(atoms).n_atoms, 0))

    def prepare(self, geometries: Sequence[Geometry]) -> TrainingTerm:
        """Return the predictions of the base, which are computed once."""
        prediction = self.base.prepare(geometries).predict(self.base.parameters, available())
        return FixedTerm(prediction, [geometry.n_atoms for geometry in geometries])

    def stepper(self, system: System, threads: int = 1) -> Stepper:
        """Return the stepper of the base."""
        return self.base.stepper(system, threads)

    def check_saveable(self, source: str) -> None:
        """Check that the base can be restored from a file, see `Potential.check_saveable`."""
        super().check_saveable(source)
        self.base.check_saveable(source)

    def to_text(self) -> str:
        """Return the content of a file of the base."""
        return self.base.file_content()

    @classmethod
    def from_text(cls, text: str, source: str, species: tuple[str, ...] | None = None) -> Fixed:
        """Read a text written by `to_text`.

        Raises
        ------
        InputError
            The text cannot be read; the message names source and line.
        """
        return cls(from_content(text, source, species))

    @classmethod
    def from_spec(cls, spec: ModelSpec, species: tuple[str, ...], seed: int) -> Fixed:
        """Return the model of a `ModelSpec`, with its parameters fixed at a random start."""
        return cls(spec.random(species, seed))


class FixedTerm(TrainingTerm):
    """Training term with a constant prediction.

    Parameters
    ----------
    prediction : Prediction
        Prediction for K configurations.
    sizes : sequence of int
        Number of atoms of each configuration.
    """

    def __init__(self, prediction: Prediction, sizes: Sequence[int]) -> None:
        self.prediction, self.sizes = prediction, np.array(sizes, dtype=int)

    def predict(self, theta: np.ndarray, threads: int = 1) -> Prediction:
        """Return a copy of the prediction."""
        return Prediction(*(values.copy() for values in self.prediction))

    def pullback(
        self,
        theta: np.ndarray,
        by_energies: np.ndarray,
        by_forces: np.ndarray,
        by_virials: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Return an array (0,), because there is no parameter."""
        return np.zeros(0)

    def subset(self, numbers: Sequence[int]) -> FixedTerm:
        """Return the term of some of the configurations."""
        energies, forces, virials = self.prediction
        chosen, first = np.asarray(numbers, dtype=int), np.concatenate([[0], np.cumsum(self.sizes)])
        atoms = np.concatenate([np.zeros(0, int), *(np.arange(first[k], first[k + 1]) for k in chosen)])
        return FixedTerm(Prediction(energies[chosen], forces[atoms], virials[chosen]), self.sizes[chosen].tolist())


def correction_on(base: Potential, correction: Potential) -> Sum:
    """Return the sum of a potential with fixed parameters and a correction to be fitted.

    Raises
    ------
    InputError
        The species of the two potentials differ.
    """
    if correction.species != base.species:
        raise InputError(
            f"the species of the correction are {' '.join(correction.species)}, those of the corrected potential "
            f"{' '.join(base.species)}: they must be the same, in the same order"
        )
    return Sum((Fixed(base), *correction.parts()))
