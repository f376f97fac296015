"""Electrostatic energy of charges on atoms, for any model of the charges (paper, eq. 7)."""

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

MESH_ATOMS = 100  # atoms from which a cell is summed on a mesh, which is then 18 times faster than Ewald's sum


class Electrostatics(Potential):
    """Base class of charge models, with Coulomb energy E = k_e / 2 sum_ij q_i q_j / r_ij including bonded pairs.

    A cell that is periodic along all three axes is summed with a conducting boundary and, if the total charge is not
    zero, a neutralising background. Ewald's sum is used in training and for cells of fewer than 100 atoms, otherwise a
    mesh (`ParticleMesh`, rms error of the forces 2e-4 eV/Å). Without periodic axes, all pairs are summed directly. A
    derived class computes the charges. The energy of atom i is q_i phi_i / 2.

    Attributes
    ----------
    constant_charges : bool
        Whether the charges depend only on the species and the total charge, so that they are constant in a run.
    width : float or None, Å
        Width of Gaussian charges, which interact by erf(r / (sqrt(2) width)) / r instead of 1/r.
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
        """Return the solver for the interactions of a configuration.

        Parameters
        ----------
        geometry : Geometry
        exact : bool
            Whether to use Ewald's sum for large cells, too.

        Raises
        ------
        InputError
            The cell is periodic along one or two axes.
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
        """Return the same with a given solver, for a geometry that has been checked."""
        charges = self.charges(geometry)
        result = solver.solve(geometry, charges, threads)
        energies = 0.5 * charges * result.potentials
        return Evaluation(result.energy, result.forces, energies, result.virial, geometry.volume, charges)

    def stepper(self, system: System, threads: int = 1) -> ElectrostaticsStepper:
        """Return a stepper that keeps the mesh from step to step."""
        return ElectrostaticsStepper(self, system, threads)
