"""Time steps of charges, with a mesh that does not change with the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.potentials.coulomb import CoulombSolver, MeshSum, ParticleMesh, useful_threads
from electrolyte_ml.potentials.defaults import EvaluatedStepper
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation

if TYPE_CHECKING:
    from electrolyte_ml.potentials.charges.electrostatics import Electrostatics

STRETCH = 0.05  # of a cell vector's length; beyond it the mesh no longer has the wanted accuracy


class ElectrostaticsStepper(EvaluatedStepper):
    """A stepper that keeps the mesh, and charges that depend on the composition alone.

    At constant pressure a mesh that is chosen for each cell makes the energy jump. It is chosen again when a cell
    vector has become longer or shorter by 5 %, and after `invalidate`: what follows then depends on the configuration
    alone, and a resumed run is the same to the last bit. The waves of Ewald's sum are chosen for each cell: its error
    is so small that its jumps do not matter.
    """

    potential: Electrostatics

    def __init__(self, potential: Electrostatics, system: System, threads: int) -> None:
        super().__init__(potential, system, threads)
        self._charges: np.ndarray | None = None
        self._solver: CoulombSolver | None = None
        self._mesh: MeshSum | None = None
        self._lengths = np.zeros(3)  # of the cell vectors for which the mesh was chosen, Å

    def invalidate(self) -> None:
        """Forget the neighbour list and the mesh."""
        super().invalidate()
        self._mesh = None

    def add_for(self, geometry: Geometry, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Evaluate on pairs that are gathered already; those beyond the cutoff are passed over."""
        return self._add(geometry, forces)

    def evaluated(self, geometry: Geometry) -> Evaluation:
        """Evaluate with the charges and the mesh that are kept."""
        if self._solver is None:
            self._solver = self.potential.solver(geometry)
        charges = self._charges
        if charges is None:
            charges = self.potential.charges(geometry)
            self._charges = charges if self.potential.constant_charges else None
        if isinstance(self._solver, ParticleMesh):
            result = self._mesh_for(self._solver, geometry.cell, charges).solve(geometry, charges)
        else:
            result = self._solver.solve(geometry, charges, self.threads)
        return self.potential.evaluation(geometry, charges, result)

    def _mesh_for(self, solver: ParticleMesh, cell: np.ndarray, charges: np.ndarray) -> MeshSum:
        """Return the mesh that is kept, or another where the cell has changed too much."""
        lengths = np.sqrt((cell**2).sum(1))
        if self._mesh is None or (np.abs(lengths - self._lengths) > STRETCH * self._lengths).any():
            threads = useful_threads(len(charges), self.threads)
            self._mesh, self._lengths = MeshSum(solver.fixed_for(cell, charges), threads), lengths
        return self._mesh
