"""Time steps of charges, with a mesh that does not change with the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.potentials.coulomb import CoulombResult, CoulombSolver, MeshSum, ParticleMesh, useful_threads
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Stepper
from electrolyte_ml.structures.neighbours import NeighbourList

if TYPE_CHECKING:
    from electrolyte_ml.potentials.charges.electrostatics import Electrostatics

STRETCH = 0.05  # of a cell vector's length; beyond it the mesh no longer has the wanted accuracy


class ElectrostaticsStepper(Stepper):
    """A stepper that keeps the mesh, and charges that depend on the composition alone.

    At constant pressure a mesh that is chosen for each cell makes the energy jump. It is chosen again when a cell
    vector has become longer or shorter by 5 %, and after `invalidate`: what follows then depends on the configuration
    alone, and a resumed run is the same to the last bit. The waves of Ewald's sum are chosen for each cell: its error
    is so small that its jumps do not matter.
    """

    potential: Electrostatics
    pairs: NeighbourList
    last: Geometry
    result: CoulombResult

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

    def renew(self, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray) -> None:
        """Take a new neighbour list."""
        super().renew(pairs, positions, cell)
        self.pairs = pairs

    def add(self, positions: np.ndarray, cell: np.ndarray, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Gather the pairs within the cutoff and sum the charges' interactions."""
        return self.add_for(Geometry.from_list(self.system, self.pairs, positions, cell, self.potential.cutoff), forces)

    def add_for(self, geometry: Geometry, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Sum the interactions on pairs that are gathered already; those beyond the cutoff are passed over."""
        if self._charges is None or not self.potential.constant_charges:
            self._charges = self.potential.charges(geometry)
        if self._solver is None:
            self._solver = self.potential.solver(geometry)
        if isinstance(self._solver, ParticleMesh):
            self.result = self._mesh_for(self._solver, geometry.cell).solve(geometry, self._charges)
        else:
            self.result = self._solver.solve(geometry, self._charges, self.threads)
        self.last = geometry
        forces += self.result.forces
        return self.result.energy, self.result.virial

    def _mesh_for(self, solver: ParticleMesh, cell: np.ndarray) -> MeshSum:
        """Return the mesh that is kept, or another where the cell has changed too much."""
        lengths = np.sqrt((cell**2).sum(1))
        if self._mesh is None or (np.abs(lengths - self._lengths) > STRETCH * self._lengths).any():
            assert self._charges is not None
            threads = useful_threads(len(self._charges), self.threads)
            self._mesh, self._lengths = MeshSum(solver.fixed_for(cell, self._charges), threads), lengths
        return self._mesh

    @property
    def energies(self) -> np.ndarray:
        """(N,) site energies, eV."""
        return 0.5 * self.charges * self.result.potentials

    @property
    def charges(self) -> np.ndarray:
        """(N,) charges, e."""
        assert self._charges is not None
        return self._charges

    def geometry(self) -> Geometry:
        """Return the configuration of the last evaluation."""
        return self.last
