"""The ASE calculator: a Verlet list with a skin, rebuilt when atoms or the cell have moved too far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from ..errors import InputError
from ..structures.neighbours import NeighbourList, check_geometry, neighbour_list
from .mtp import Evaluation, default_threads
from .neighbourhoods import species_indices

if TYPE_CHECKING:
    from ase import Atoms

    from .mtp import MomentTensorPotential
    from .shares import Shares


# Å. Between 0.7 and 1.5 the sum of making lists and reading them is flat: in 1000 atoms of liquid EC at 300 K and a
# time step of 1 fs a list lives for 12 steps.
SKIN = 1.0


class VerletList:
    """Pairs within cutoff + skin, good for as long as no pair can have come within the cutoff unseen.

    Let F be the cell's deformation since the list was made and u_i how far atom i moved beyond it. A pair now at
    distance r < cutoff was then at most |F^-1| r + 2 max |u| apart; while that stays below cutoff + skin the list
    holds it.
    """

    def __init__(self, cutoff: float, skin: float) -> None:
        self.cutoff, self.skin = cutoff, skin
        self.builds = 0
        self._made_for: tuple | None = None

    def __call__(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, species: np.ndarray, n_species: int
    ) -> NeighbourList:
        """The list, the same object for as long as it holds."""
        if not self._holds(positions, cell, pbc, species):
            self._pairs = neighbour_list(positions, cell, pbc, self.cutoff + self.skin, species, n_species)
            self._made_for = (positions.copy(), cell.copy(), pbc.copy(), species.copy())
            self.builds += 1
        return self._pairs

    def _holds(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, species: np.ndarray) -> bool:
        if self._made_for is None:
            return False
        old, old_cell, old_pbc, old_species = self._made_for
        if not (np.array_equal(species, old_species) and np.array_equal(pbc, old_pbc)):
            return False
        stretch = 1.0
        if not np.array_equal(cell, old_cell):
            if not pbc.all():
                return False
            check_geometry(positions, cell, pbc)
            back = np.linalg.solve(cell, old_cell)  # F^-1, row vectors
            stretch = np.linalg.norm(back, 2)
            positions = positions @ back
        with np.errstate(over="ignore"):  # positions may be anything yet
            moved = np.sqrt(((positions - old) ** 2).sum(1).max(initial=0.0))
        # Written so that NaN positions never count as unmoved.
        return bool(stretch * self.cutoff + 2 * moved <= self.cutoff + self.skin)


class PotentialCalculator(Calculator):
    """Energy, site energies, forces and stress of a potential for ASE.

    Parameters
    ----------
    potential : MomentTensorPotential
    skin : float, Å
        Extra reach of the Verlet list.
    threads : int, optional
        See `MomentTensorPotential.evaluate`.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "energies", "forces", "stress", "free_energy"]

    def __init__(self, potential: MomentTensorPotential, *, skin: float = SKIN, threads: int | None = None) -> None:
        super().__init__()
        if not 0 <= skin < np.inf:
            raise InputError(f"skin {skin} Å must not be negative")
        self.potential = potential
        self.threads = threads
        self.pairs = VerletList(potential.cutoff, skin)
        self._listed: NeighbourList | None = None
        self._shares: Shares | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Everything at once, into `results`, as ASE asks for it."""
        super().calculate(atoms, properties, system_changes)
        positions, cell = np.array(self.atoms.positions, float), np.array(self.atoms.cell, float)
        pbc = np.array(self.atoms.pbc)
        energies, forces, virial = self._evaluate(positions, cell, pbc)
        volume = abs(np.linalg.det(cell)) if pbc.all() else None
        result = Evaluation(float(energies.sum()), forces, energies, virial, volume)
        self.results = {
            "energy": result.energy,
            "free_energy": result.energy,
            "energies": result.energies,
            "forces": result.forces,
        }
        if volume is not None:
            self.results["stress"] = result.stress
        elif "stress" in properties:
            raise PropertyNotImplementedError("stress needs a cell that is periodic along all three axes")

    def _evaluate(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Site energies, forces and virial, in arrays of their own."""
        from ..kernels.evaluation import collect
        from .shares import Shares

        species = species_indices(self.atoms, self.potential.species)
        listed = self.pairs(positions, cell, pbc, species, len(self.potential.species))
        shares = self._shares
        if (
            shares is None
            or shares.potential is not self.potential
            or not np.array_equal(species, shares.sites.species)
        ):
            self._shares = Shares(self.potential, species, self.threads or default_threads(len(species)))
            self._listed = None
        if listed is self._listed:
            self._shares.place(positions, cell)
        else:
            self._shares.take(listed, positions, cell)
        self._listed = listed
        self._shares.evaluate()
        sites, forces = self._shares.sites, np.empty((len(species), 3))
        collect(sites, forces)
        return sites.energies.copy(), forces, sites.virial.copy()

    def __getstate__(self) -> dict:
        """Without the threads: a copy makes its own."""
        return self.__dict__ | {"_listed": None, "_shares": None}
