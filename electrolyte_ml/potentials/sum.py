"""Sums of potentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.blocks import Block
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation, Prediction, Stepper, TrainingTerm
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.structures.neighbours import NeighbourList

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials.spec import ModelSpec


@dataclass(eq=False)
class Sum(Potential):
    """Sum of several potentials of the same species.

    Its parameters are those of all terms in order. The name of a block begins with the kind of its term, such as
    "mtp.radial"; several terms of one kind are numbered.

    Parameters
    ----------
    terms : tuple of Potential
        Two or more potentials, none of them a sum.
    reference : str or None
        Level of theory that labelled the training data.

    Raises
    ------
    InputError
        There are fewer than two terms, one of them is a sum, or their species differ.
    """

    kind: ClassVar[str] = "sum"

    terms: tuple[Potential, ...]
    reference: str | None = None

    def __post_init__(self) -> None:
        self.terms = tuple(self.terms)
        if len(self.terms) < 2 or any(isinstance(term, Sum) for term in self.terms):
            raise InputError("a sum has two or more terms, none of them a sum")
        for term in self.terms[1:]:
            if term.species != self.terms[0].species:
                raise InputError(
                    f"terms of different species cannot be added: {' '.join(self.terms[0].species)} and "
                    f"{' '.join(term.species)}"
                )

    @property
    def species(self) -> tuple[str, ...]:  # type: ignore[override]
        """Chemical symbols."""
        return self.terms[0].species

    @property
    def uses_charge(self) -> bool:  # type: ignore[override]
        """Whether the energy of any term depends on the total charge."""
        return any(term.uses_charge for term in self.terms)

    @property
    def cutoff(self) -> float:
        """Largest cutoff of the terms, Å."""
        return max(term.cutoff for term in self.terms)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Blocks of all terms."""
        return tuple(
            block._replace(name=f"{name}.{block.name}")
            for name, term in zip(term_names([term.kind for term in self.terms]), self.terms, strict=True)
            for block in term.blocks
        )

    def facts(self) -> dict[str, Any]:
        """Return the facts of the sum, and those of each term under "terms"."""
        return {**super().facts(), "terms": [{"kind": term.kind, **term.facts()} for term in self.terms]}

    def caveats(self) -> tuple[str, ...]:
        """Return the caveats of all terms."""
        return tuple(line for term in self.terms for line in term.caveats())

    @property
    def parameters(self) -> np.ndarray:
        """(m,) parameters of all terms, a copy."""
        return np.concatenate([term.parameters for term in self.terms])

    @property
    def gauge_directions(self) -> np.ndarray:
        """(g, m) gauge directions of all terms."""
        from scipy.linalg import block_diag

        return np.asarray(block_diag(*(term.gauge_directions for term in self.terms)))

    def undetermined(self, systems: Sequence[System]) -> tuple[str, ...]:
        """Name the quantities of each term that a set of systems leaves undetermined."""
        return tuple(text for term in self.terms for text in term.undetermined(systems))

    @cached_property
    def places(self) -> list[slice]:
        """Slice of the parameters of each term."""
        return places([term.n_parameters for term in self.terms])

    def with_parameters(self, parameters: np.ndarray) -> Sum:
        """Return the same model with other parameters.

        Raises
        ------
        InputError
            The number of parameters is not `n_parameters`.
        """
        theta = self.checked(parameters)
        terms = (term.with_parameters(theta[place]) for term, place in zip(self.terms, self.places, strict=True))
        return Sum(tuple(terms), self.reference)

    def redrawn(self, seed: int | Sequence[int]) -> Sum:
        """Return the same sum with each term at another random start."""
        return Sum(tuple(term.redrawn(seed) for term in self.terms), self.reference)

    def trained_on(self, systems: Sequence[System]) -> Sum:
        """Return the same sum with the data that each term stores about the training set."""
        return Sum(tuple(term.trained_on(systems) for term in self.terms), self.reference)

    def bare(self) -> Sum:
        """Return the same sum without data that do not change its results."""
        return Sum(tuple(term.bare() for term in self.terms))

    @property
    def label_reference(self) -> str | None:
        """Level of theory of the labels of the training set: of a correction its own, not that of its base."""
        fitted = (term.reference for term in self.terms if term.n_parameters and term.reference)
        return self.reference and next(fitted, self.reference)

    def labelled_by(self, reference: str | None) -> Sum:
        """Return the same sum with the reference after a fit to labels of a level of theory.

        If a term without parameters has its own reference, the fit was a correction to it: the sum then names both
        references, and the fitted terms name that of their labels.
        """
        bases = [term.reference for term in self.terms if term.reference and not term.n_parameters]
        if reference is None or not bases:
            return self.with_reference(reference)
        terms = tuple(term.with_reference(reference) if term.n_parameters else term for term in self.terms)
        return Sum(terms, f"{reference}, as a correction to {' and '.join(bases)}")

    def check_saveable(self, source: str) -> None:
        """Check that all terms can be restored from a file, see `Potential.check_saveable`."""
        for term in self.terms:
            term.check_saveable(source)

    def with_precision(self, precision: str) -> Sum:
        """Return the same potential in another precision; terms that do not support it are not changed.

        Raises
        ------
        InputError
            No term supports the precision.
        """
        terms, failures = [], []
        for term in self.terms:
            try:
                terms.append(term.with_precision(precision))
            except InputError as error:
                terms.append(term)
                failures.append(error)
        if len(failures) == len(terms):
            raise failures[0]
        return Sum(tuple(terms), self.reference)

    def evaluate(self, atoms: Atoms | Geometry, threads: int | None = None) -> Evaluation:
        """Return energy, site energies, forces and virial."""
        geometry = self.geometry(atoms)
        results = [term.evaluate(geometry, threads) for term in self.terms]
        return Evaluation(
            sum(result.energy for result in results),
            np.sum([result.forces for result in results], axis=0),
            np.sum([result.energies for result in results], axis=0),
            np.sum([result.virial for result in results], axis=0),
            geometry.volume,
            next((result.charges for result in results if result.charges is not None), None),
        )

    def pullback(
        self, atoms: Atoms | Geometry, by_energies: np.ndarray, by_forces: np.ndarray, by_virial: np.ndarray
    ) -> np.ndarray:
        """Return dL/dtheta (m,) from dL/dE_i (N,), dL/dF (N, 3) and dL/dVirial (3, 3), symmetric."""
        geometry = self.geometry(atoms)
        return np.concatenate([term.pullback(geometry, by_energies, by_forces, by_virial) for term in self.terms])

    def energy_gradient(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE/dtheta (m,): the row of a configuration in the MaxVol matrix (eq. 12)."""
        geometry = self.geometry(atoms)
        return np.concatenate([term.energy_gradient(geometry) for term in self.terms])

    def site_energy_gradients(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE_i/dtheta of each atom, (N, m)."""
        geometry = self.geometry(atoms)
        return np.concatenate([term.site_energy_gradients(geometry) for term in self.terms], axis=1)

    def prepare(self, geometries: Sequence[Geometry]) -> TrainingTerm:
        """Return the training term with the configurations prepared by each term."""
        stages = [term.stage for term in self.terms]
        return SumTerm([term.prepare(geometries) for term in self.terms], self.places, stages)

    def stepper(self, system: System, threads: int = 1) -> Stepper:
        """Return a stepper that combines those of the terms."""
        return SumStepper(self, system, threads)

    def to_text(self) -> str:
        """Return the content of a file, because a sum is never a term of another sum."""
        return self.file_content()

    def parts(self) -> tuple[Potential, ...]:
        """Return the terms."""
        return self.terms

    @classmethod
    def from_spec(cls, spec: ModelSpec, species: tuple[str, ...], seed: int) -> Sum:
        """Return the sum of a `ModelSpec`.

        Raises
        ------
        InputError
            The model has a single term.
        """
        potential = spec.random(species, seed)
        if not isinstance(potential, cls):
            raise InputError("a model of one term is not a sum")
        return potential


def total(terms: Sequence[Potential]) -> Potential:
    """Return the sum of potentials; a single potential is returned unchanged."""
    return terms[0] if len(terms) == 1 else Sum(tuple(terms))


def term_names(kinds: Sequence[str]) -> list[str]:
    """Return the names of terms: their kinds, numbered if a kind occurs more than once."""
    return [f"{kind}{kinds[:k].count(kind) + 1}" if kinds.count(kind) > 1 else kind for k, kind in enumerate(kinds)]


def named_terms(potential: Potential) -> dict[str, Potential]:
    """Return the terms of a potential by name; a potential that is not a sum has one term, itself."""
    parts = potential.parts()
    return dict(zip(term_names([part.kind for part in parts]), parts, strict=True))


def sum_of(potential: Potential, names: Sequence[str]) -> Potential:
    """Return the sum of some terms of a potential, in their order in the potential.

    Raises
    ------
    InputError
        No name is given, or there is no term with a name.
    """
    terms = named_terms(potential)
    if not names:
        raise InputError(f"name one of the terms {', '.join(terms)}")
    if unknown := [name for name in names if name not in terms]:
        raise InputError(f"there is no term {unknown[0]!r}: the potential consists of {', '.join(terms)}")
    return total([term for name, term in terms.items() if name in names])


def places(sizes: Sequence[int]) -> list[slice]:
    """Return the slices of consecutive parts of a vector with these sizes."""
    return [slice(first, last) for first, last in pairwise(np.cumsum([0, *sizes]).tolist())]


class SumTerm(TrainingTerm):
    """Training terms of a sum.

    The prediction of each term is kept until its parameters change, because finite differences in fits change the
    parameters of one term at a time.

    Parameters
    ----------
    terms : sequence of TrainingTerm
    places : sequence of slice
        Slice of the parameters of each term.
    stages : sequence of int
        Stage at which each term joins a fit.
    last : int, optional
        Last stage; the predictions of terms of later stages are zero.
    """

    def __init__(
        self, terms: Sequence[TrainingTerm], places: Sequence[slice], stages: Sequence[int], last: int | None = None
    ) -> None:
        self.terms, self.places, self.stages, self.last = list(terms), list(places), list(stages), last
        self._kept: list[tuple[np.ndarray, Prediction] | None] = [None] * len(self.terms)
        self._active = [k for k, stage in enumerate(self.stages) if last is None or stage <= last]

    def predict(self, theta: np.ndarray, threads: int = 1) -> Prediction:
        """Add the predictions of all terms."""
        parts = [self._predict(k, theta[self.places[k]], threads) for k in self._active]
        return Prediction(*(np.sum(values, axis=0) for values in zip(*parts, strict=True)))

    def _predict(self, k: int, theta: np.ndarray, threads: int) -> Prediction:
        kept = self._kept[k]
        if kept is None or not np.array_equal(kept[0], theta):
            kept = self._kept[k] = theta.copy(), self.terms[k].predict(theta, threads)
        return kept[1]

    def pullback(
        self,
        theta: np.ndarray,
        by_energies: np.ndarray,
        by_forces: np.ndarray,
        by_virials: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Return the derivatives by the parameters of all terms."""
        gradient = np.zeros(len(theta))
        for k in self._active:
            place = self.places[k]
            gradient[place] = self.terms[k].pullback(theta[place], by_energies, by_forces, by_virials, threads)
        return gradient

    def mean_charges(self, theta: np.ndarray) -> np.ndarray | None:
        """Return the mean charges of the term that has charges."""
        by_term = (self.terms[k].mean_charges(theta[self.places[k]]) for k in self._active)
        return next((charges for charges in by_term if charges is not None), None)

    def pull_back_charges(self, theta: np.ndarray, by_mean_charges: np.ndarray) -> np.ndarray:
        """Return the derivatives by the parameters of the term that has charges; all others are zero."""
        gradient = np.zeros(len(theta))
        for k in self._active:
            place = self.places[k]
            gradient[place] = self.terms[k].pull_back_charges(theta[place], by_mean_charges)
        return gradient

    def customary(self, theta: np.ndarray) -> np.ndarray:
        """Return the conventional parameters of each term."""
        parts = [term.customary(theta[place]) for term, place in zip(self.terms, self.places, strict=True)]
        return np.concatenate(parts)

    def subset(self, numbers: Sequence[int]) -> SumTerm:
        """Return the term of some of the configurations."""
        return SumTerm([term.subset(numbers) for term in self.terms], self.places, self.stages, self.last)

    def joined(self, stage: int) -> SumTerm:
        """Return the term with only the parts of this stage and earlier ones."""
        return SumTerm(self.terms, self.places, self.stages, stage)


class SumStepper(Stepper):
    """Steppers of all terms of a sum, with a common neighbour list."""

    def __init__(self, potential: Sum, system: System, threads: int) -> None:
        super().__init__(potential, system, threads)
        self.parts = [term.stepper(system, threads) for term in potential.terms]
        self.longest = max(self.parts, key=lambda part: part.potential.cutoff)

    def renew(self, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray) -> None:
        """Set a new neighbour list for all terms."""
        super().renew(pairs, positions, cell)
        for part in self.parts:
            part.renew(pairs, positions, cell)

    def invalidate(self) -> None:
        """Discard the neighbour lists of all terms."""
        super().invalidate()
        for part in self.parts:
            part.invalidate()

    def add(self, positions: np.ndarray, cell: np.ndarray, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Add the forces of all terms."""
        results = [part.add(positions, cell, forces) for part in self.parts]
        return sum(energy for energy, _ in results), np.sum([virial for _, virial in results], axis=0)

    @property
    def energies(self) -> np.ndarray:
        """(N,) site energies, eV."""
        return np.sum([part.energies for part in self.parts], axis=0)

    @property
    def charges(self) -> np.ndarray | None:
        """(N,) charges, e, of the term that has charges; None without such a term."""
        return next((part.charges for part in self.parts if part.charges is not None), None)

    def geometry(self) -> Geometry:
        """Return the configuration of the last evaluation, with the pairs of the longest cutoff."""
        return self.longest.geometry()
