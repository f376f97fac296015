"""Stepper of charge models, with a mesh that is not chosen again when the cell changes a little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.potentials.coulomb import CoulombResult, CoulombSolver, MeshSum, ParticleMesh, useful_threads
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Stepper
from electrolyte_ml.structures.neighbours import OVERLAP, NeighbourList

if TYPE_CHECKING:
    from electrolyte_ml.kernels.coulomb_listed import HalfList
    from electrolyte_ml.potentials.charges.electrostatics import Electrostatics

STRETCH = 0.05  # relative change of the length of a cell vector beyond which the mesh loses its accuracy


class ElectrostaticsStepper(Stepper):
    """Stepper that keeps the mesh, and charges that depend only on the composition.

    At constant pressure, the energy would jump if the mesh were chosen for each cell. The mesh is chosen again when a
    cell vector has become longer or shorter by 5 %, and after `invalidate`: all later results then depend only on the
    configuration, and a resumed run is bitwise identical. The waves of Ewald's sum are chosen for each cell; the jumps
    of the energy are negligible.
    """

    potential: Electrostatics
    result: CoulombResult

    def __init__(self, potential: Electrostatics, system: System, threads: int) -> None:
        super().__init__(potential, system, threads)
        self._charges: np.ndarray | None = None
        self._solver: CoulombSolver | None = None
        self._mesh: MeshSum | None = None
        self._lengths = np.zeros(3)  # Å, lengths of the cell vectors for which the mesh was chosen
        self._half: HalfList | None = None

    def invalidate(self) -> None:
        """Discard the neighbour list and the mesh."""
        super().invalidate()
        self._mesh = None

    def renew(self, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray) -> None:
        """Set a new neighbour list."""
        super().renew(pairs, positions, cell)
        self.pairs, self._half = pairs, None

    def add(self, positions: np.ndarray, cell: np.ndarray, forces: np.ndarray) -> tuple[float, np.ndarray]:
        """Add the interactions of the charges."""
        self._positions, self._cell = positions, cell
        if self._charges is None or not self.potential.constant_charges:
            self._charges = self.potential.charges(self.geometry())
        if self._solver is None:
            self._solver = self.potential.solver(self.geometry())
        if isinstance(self._solver, ParticleMesh):
            self.result = self._on_mesh(self._solver, positions, cell, self._charges)
        else:
            self.result = self._solver.solve(self.geometry(), self._charges, self.threads)
        forces += self.result.forces
        return self.result.energy, self.result.virial

    def _on_mesh(
        self, solver: ParticleMesh, positions: np.ndarray, cell: np.ndarray, charges: np.ndarray
    ) -> CoulombResult:
        """Sum on the present mesh, or on a new one if the cell has changed too much."""
        from electrolyte_ml.kernels.coulomb_listed import halved

        lengths = np.sqrt((cell**2).sum(1))
        if self._mesh is None or (np.abs(lengths - self._lengths) > STRETCH * self._lengths).any():
            threads = useful_threads(len(charges), self.threads)
            self._mesh, self._lengths = MeshSum(solver.fixed_for(cell, charges), threads), lengths
        if self._half is None:
            self._half = halved(*self.pairs)
        result, closest = self._mesh.solve_listed(self._half, positions, cell, charges)
        if closest < OVERLAP:
            self.geometry()  # raises an error that names the atoms
        return result

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
        return Geometry.from_list(self.system, self.pairs, self._positions, self._cell, self.potential.cutoff)
