"""Default training term and stepper of any potential, based on its `evaluate` and `pullback`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation, Prediction, Stepper, TrainingTerm
from electrolyte_ml.structures.neighbours import NeighbourList
from electrolyte_ml.threads import run

if TYPE_CHECKING:
    from electrolyte_ml.potentials.potential import Potential


class EvaluatedTerm(TrainingTerm):
    """Training term that evaluates the configurations one by one."""

    def __init__(self, potential: Potential, geometries: Sequence[Geometry]) -> None:
        self.potential, self.geometries = potential, [potential.geometry(geometry) for geometry in geometries]
        self.bounds = list(pairwise(np.cumsum([0, *(geometry.n_atoms for geometry in self.geometries)])))

    def predict(self, theta: np.ndarray, threads: int = 1) -> Prediction:
        """Evaluate all configurations."""
        potential = self.potential.with_parameters(theta)
        results: list[Evaluation] = run(potential.evaluate, [(geometry, 1) for geometry in self.geometries], threads)
        return Prediction(
            np.array([result.energy for result in results]),
            np.concatenate([np.zeros((0, 3)), *(result.forces for result in results)]),
            np.array([(result.virial + result.virial.T) / 2 for result in results]).reshape(-1, 3, 3),
        )

    def pullback(
        self,
        theta: np.ndarray,
        by_energies: np.ndarray,
        by_forces: np.ndarray,
        by_virials: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Sum the derivatives of all configurations."""
        potential = self.potential.with_parameters(theta)
        calls = [
            (geometry, np.full(last - first, by_energies[k]), by_forces[first:last], by_virials[k])
            for k, (geometry, (first, last)) in enumerate(zip(self.geometries, self.bounds, strict=True))
        ]
        return np.sum([np.zeros(len(theta)), *run(potential.pullback, calls, threads)], axis=0)

    def subset(self, numbers: Sequence[int]) -> EvaluatedTerm:
        """Return the term of some of the configurations."""
        return EvaluatedTerm(self.potential, [self.geometries[k] for k in numbers])


class EvaluatedStepper(Stepper):
    """Stepper that calls `evaluate` of the potential."""

    pairs: NeighbourList
    evaluation: Evaluation
    last: Geometry

    def __init__(self, potential: Potential, system: System, threads: int) -> None:
        super().__init__(potential, system, threads)

    def renew(self, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray) -> None:
        """Set a new neighbour list."""
        super().renew(pairs, positions, cell)
        self.pairs = pairs

    def add(self, positions: np.ndarray, cell: np.ndarray, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Collect the pairs within the cutoff and evaluate the potential."""
        geometry = Geometry.from_list(self.system, self.pairs, positions, cell, self.potential.cutoff)
        return self._add(geometry, forces)

    def _add(self, geometry: Geometry, forces: np.ndarray) -> tuple[float, np.ndarray]:
        self.last, self.evaluation = geometry, self.evaluated(geometry)
        forces += self.evaluation.forces
        return self.evaluation.energy, self.evaluation.virial

    def evaluated(self, geometry: Geometry) -> Evaluation:
        """Evaluate the potential; a derived class may reuse data of earlier steps."""
        return self.potential.evaluate(geometry, self.threads)

    @property
    def energies(self) -> np.ndarray:
        """(N,) site energies, eV."""
        return self.evaluation.energies

    @property
    def charges(self) -> np.ndarray | None:
        """(N,) charges, e; None for models without charges."""
        return self.evaluation.charges

    def geometry(self) -> Geometry:
        """Return the configuration of the last evaluation."""
        return self.last
