"""The energy of point charges on atoms, for any model of the charges (paper, eq. 7)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb import BareSum, CoulombSolver, Ewald
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.potentials.interface import Evaluation
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.threads import default_threads

if TYPE_CHECKING:
    from ase import Atoms

REACH = 1.0  # Å; pairs are only needed to find atoms that overlap: a solver makes the lists that it needs


class Electrostatics(Potential):
    """A charge model whose charges interact by Coulomb's law: E = k_e / 2 sum_ij q_i q_j / r_ij, bonded pairs included.

    A cell that is periodic along all three axes is summed by Ewald's method, with a conducting boundary and, where the
    total charge is not zero, a neutralising background; a configuration without periodic axes by the bare sum. A
    derived class gives the charges. Half of q_i phi_i is the energy of atom i.

    Attributes
    ----------
    width : float or None, Å
        For Gaussian charges of this width, which interact by erf(r / (sqrt(2) width)) / r in place of 1/r.
    """

    width: float | None

    @abstractmethod
    def charges(self, geometry: Geometry) -> np.ndarray:
        """Return the charges (N,), e."""

    @property
    def cutoff(self) -> float:
        """Distance up to which pairs of atoms are needed, Å."""
        return REACH

    def solver(self, geometry: Geometry) -> CoulombSolver:
        """Return what sums the interactions of a configuration.

        Raises
        ------
        InputError
            For a cell that is periodic along one or two axes.
        """
        pbc = geometry.system.pbc
        if pbc.all():
            return Ewald(width=self.width)
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
        charges = self.charges(geometry)
        result = self.solver(geometry).solve(geometry, charges, threads or default_threads(geometry.n_atoms))
        energies = 0.5 * charges * result.potentials
        return Evaluation(result.energy, result.forces, energies, result.virial, geometry.volume, charges)
