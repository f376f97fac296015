"""Verlet list: a neighbour list with a skin, rebuilt only when atoms or the cell have moved too far."""

from __future__ import annotations

import numpy as np

from electrolyte_ml.structures.neighbours import NeighbourList, check_geometry, neighbour_list


class VerletList:
    """Pairs within cutoff + skin, valid as long as they certainly include all pairs within the cutoff.

    Let F be the deformation of the cell since the list was made and u_i the displacement of atom i relative to it. A
    pair now at a distance r < cutoff was then at most |F^-1| r + 2 max |u| apart; the list contains the pair as long as
    this is below cutoff + skin.
    """

    def __init__(self, cutoff: float, skin: float) -> None:
        self.cutoff, self.skin = cutoff, skin
        self.builds = 0
        self._made_for: tuple | None = None

    def __call__(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, species: np.ndarray, n_species: int
    ) -> NeighbourList:
        """Return the list: the same object as long as it is valid, otherwise a new one."""
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
            stretch = float(np.linalg.norm(back, 2))
            positions = positions @ back
        with np.errstate(over="ignore"):  # positions are not checked yet
            moved = np.sqrt(((positions - old) ** 2).sum(1).max(initial=0.0))
        # The comparison is false for NaN positions.
        return bool(stretch * self.cutoff + 2 * moved <= self.cutoff + self.skin)
