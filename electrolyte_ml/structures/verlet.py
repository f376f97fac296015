"""A neighbour list with a skin, made anew only when atoms or the cell have moved too far."""

from __future__ import annotations

import numpy as np

from electrolyte_ml.structures.neighbours import NeighbourList, check_geometry, neighbour_list


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
            stretch = float(np.linalg.norm(back, 2))
            positions = positions @ back
        with np.errstate(over="ignore"):  # positions may be anything yet
            moved = np.sqrt(((positions - old) ** 2).sum(1).max(initial=0.0))
        # Written so that NaN positions never count as unmoved.
        return bool(stretch * self.cutoff + 2 * moved <= self.cutoff + self.skin)
