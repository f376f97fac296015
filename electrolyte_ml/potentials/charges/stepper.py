"""Time steps of charges, with a mesh that does not change with the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.potentials.coulomb import CoulombSolver, ParticleMesh
from electrolyte_ml.potentials.defaults import EvaluatedStepper
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation

if TYPE_CHECKING:
    from electrolyte_ml.potentials.charges.electrostatics import Electrostatics

STRETCH = 0.05  # of a cell vector's length; beyond it the mesh no longer has the wanted accuracy


class ElectrostaticsStepper(EvaluatedStepper):
    """A stepper that keeps the mesh of the first cell.

    At constant pressure a mesh that is chosen for each cell makes the energy jump. It is chosen again when a cell
    vector has become longer or shorter by 5 %. The waves of Ewald's sum are chosen for each cell: its error is so small
    that its jumps do not matter.
    """

    potential: Electrostatics

    def __init__(self, potential: Electrostatics, system: System, threads: int) -> None:
        super().__init__(potential, system, threads)
        self._kept: tuple[np.ndarray, CoulombSolver] | None = None

    def evaluated(self, geometry: Geometry) -> Evaluation:
        """Evaluate with the solver that is kept."""
        lengths = np.linalg.norm(geometry.cell, axis=1)
        if self._kept is None or (np.abs(lengths - self._kept[0]) > STRETCH * self._kept[0]).any():
            solver = self.potential.solver(geometry)
            fixed = isinstance(solver, ParticleMesh)
            self._kept = lengths, solver.fixed_for(geometry.cell, geometry.n_atoms) if fixed else solver
        return self.potential.evaluated(geometry, self._kept[1], self.threads)
