"""The energy of point charges on atoms, for any model of the charges (paper, eq. 7)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.charges.stepper import ElectrostaticsStepper
from electrolyte_ml.potentials.coulomb import BareSum, CoulombSolver, Ewald, ParticleMesh
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.threads import default_threads

if TYPE_CHECKING:
    from ase import Atoms

MESH_ATOMS = 100  # from which on cells are summed on a mesh, then 18 times as fast as by Ewald's method


class Electrostatics(Potential):
    """A charge model whose charges interact by Coulomb's law: E = k_e / 2 sum_ij q_i q_j / r_ij, bonded pairs included.

    A cell that is periodic along all three axes is summed with a conducting boundary and, where the total charge is not
    zero, a neutralising background: by Ewald's method in training and for cells of fewer than 100 atoms, else on a mesh
    (`ParticleMesh`, rms error of the forces 2e-4 eV/Å). A configuration without periodic axes is summed pair by pair. A
    derived class gives the charges. Half of q_i phi_i is the energy of atom i.

    Attributes
    ----------
    constant_charges : bool
        Whether the charges depend on nothing but the species and the total charge: then they stay in a run.
    width : float or None, Å
        For Gaussian charges of this width, which interact by erf(r / (sqrt(2) width)) / r in place of 1/r.
    """

    constant_charges: ClassVar[bool] = False
    width: float | None

    @abstractmethod
    def charges(self, geometry: Geometry) -> np.ndarray:
        """Return the charges (N,), e."""

    @property
    def cutoff(self) -> float:
        """Distance up to which pairs of atoms are needed, Å."""
        return ParticleMesh.cutoff

    def solver(self, geometry: Geometry, *, exact: bool = False) -> CoulombSolver:
        """Return what sums the interactions of a configuration.

        Parameters
        ----------
        geometry : Geometry
        exact : bool
            Whether large cells are summed by Ewald's method, too.

        Raises
        ------
        InputError
            For a cell that is periodic along one or two axes.
        """
        pbc = geometry.system.pbc
        if pbc.all():
            mesh = geometry.n_atoms >= MESH_ATOMS and not exact
            return ParticleMesh(width=self.width) if mesh else Ewald(width=self.width)
        if not pbc.any():
            return BareSum(width=self.width)
        axes = " and ".join(np.array(["a", "b", "c"])[pbc])
        raise InputError(
            f"the cell is periodic along {axes} only: Coulomb sums need a cell that is periodic along all three axes, "
            "or along none"
        )

    def evaluate(self, atoms: Atoms | Geometry, threads: int | None = None) -> Evaluation:
        """Return energy, site energies, forces, virial and charges."""
        geometry = self.geometry(atoms)
        return self.evaluated(geometry, self.solver(geometry), threads or default_threads(geometry.n_atoms))

    def evaluated(self, geometry: Geometry, solver: CoulombSolver, threads: int) -> Evaluation:
        """Return the same from a given solver, for a geometry that is checked."""
        charges = self.charges(geometry)
        result = solver.solve(geometry, charges, threads)
        energies = 0.5 * charges * result.potentials
        return Evaluation(result.energy, result.forces, energies, result.virial, geometry.volume, charges)

    def stepper(self, system: System, threads: int = 1) -> ElectrostaticsStepper:
        """Return what evaluates one system again and again, with one mesh."""
        return ElectrostaticsStepper(self, system, threads)
