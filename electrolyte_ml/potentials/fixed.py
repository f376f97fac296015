"""A potential that is not fitted any more, as a term of a sum: the base of a correction to a better reference."""

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
    """Another potential without its parameters.

    In a sum it is what other terms correct. A fit changes these alone, and predicts the fixed term once: it costs what
    the correction costs. MaxVol's rows are derivatives by the parameters of the correction, so that grades say where
    the correction, not the base, needs labels.

    Parameters
    ----------
    base : Potential
        Of any kind, a sum too.
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
            If the base has no such precision.
        """
        return Fixed(self.base.with_precision(precision))

    def bare(self) -> Fixed:
        """Return the same potential without what does not decide its results."""
        return Fixed(self.base.bare())

    def facts(self) -> dict[str, Any]:
        """Return the facts of this term, and those of the terms of the base under "terms"."""
        terms = [{"kind": part.kind, **part.facts()} for part in self.base.parts()]
        return {**super().facts(), "terms": terms}

    def caveats(self) -> tuple[str, ...]:
        """Return those of the base."""
        return self.base.caveats()

    def evaluate(self, atoms: Atoms | Geometry, threads: int | None = None) -> Evaluation:
        """Return energy, site energies, forces and virial of the base."""
        return self.base.evaluate(self.geometry(atoms), threads)

    def pullback(
        self, atoms: Atoms | Geometry, by_energies: np.ndarray, by_forces: np.ndarray, by_virial: np.ndarray
    ) -> np.ndarray:
        """Return (0,): there is no parameter."""
        return np.zeros(0)

    def site_energy_gradients(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return (N, 0)."""
        return np.zeros((self.geometry(atoms).n_atoms, 0))

    def prepare(self, geometries: Sequence[Geometry]) -> TrainingTerm:
        """Return what the base predicts, once and for all."""
        prediction = self.base.prepare(geometries).predict(self.base.parameters, available())
        return FixedTerm(prediction, [geometry.n_atoms for geometry in geometries])

    def stepper(self, system: System, threads: int = 1) -> Stepper:
        """Return the stepper of the base."""
        return self.base.stepper(system, threads)

    def check_saveable(self, source: str) -> None:
        """Refuse a base that a file would not bring back, see `Potential.check_saveable`."""
        super().check_saveable(source)
        self.base.check_saveable(source)

    def to_text(self) -> str:
        """Return the content of a file of the base."""
        return self.base.file_content()

    @classmethod
    def from_text(cls, text: str, source: str, species: tuple[str, ...] | None = None) -> Fixed:
        """Read back what `to_text` has written.

        Raises
        ------
        InputError
            Naming source and line.
        """
        return cls(from_content(text, source, species))

    @classmethod
    def from_spec(cls, spec: ModelSpec, species: tuple[str, ...], seed: int) -> Fixed:
        """Return the model that a `ModelSpec` asks for, with its parameters fixed at a random start."""
        return cls(spec.random(species, seed))


class FixedTerm(TrainingTerm):
    """A prediction that no parameter changes.

    Parameters
    ----------
    prediction : Prediction
        Of K configurations.
    sizes : sequence of int
        Their numbers of atoms.
    """

    def __init__(self, prediction: Prediction, sizes: Sequence[int]) -> None:
        self.prediction, self.sizes = prediction, np.array(sizes, dtype=int)

    def predict(self, theta: np.ndarray, threads: int = 1) -> Prediction:
        """Return the prediction, in arrays of the caller's own."""
        return Prediction(*(values.copy() for values in self.prediction))

    def pullback(
        self,
        theta: np.ndarray,
        by_energies: np.ndarray,
        by_forces: np.ndarray,
        by_virials: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Return (0,)."""
        return np.zeros(0)

    def subset(self, numbers: Sequence[int]) -> FixedTerm:
        """Return the same for some of the configurations."""
        energies, forces, virials = self.prediction
        chosen, first = np.asarray(numbers, dtype=int), np.concatenate([[0], np.cumsum(self.sizes)])
        atoms = np.concatenate([np.zeros(0, int), *(np.arange(first[k], first[k + 1]) for k in chosen)])
        return FixedTerm(Prediction(energies[chosen], forces[atoms], virials[chosen]), self.sizes[chosen].tolist())


def correction_on(base: Potential, correction: Potential) -> Sum:
    """Return the sum of a potential whose parameters are fixed and of a correction that is to be fitted.

    Raises
    ------
    InputError
        If their species differ.
    """
    if correction.species != base.species:
        raise InputError(
            f"the correction has the species {' '.join(correction.species)}, the potential that it corrects "
            f"{' '.join(base.species)}: they must be the same, in the same order"
        )
    return Sum((Fixed(base), *correction.parts()))
