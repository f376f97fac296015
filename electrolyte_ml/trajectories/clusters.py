"""Clusters of molecules across periodic boundaries, for drawing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

_NO_ION_PAIR = 1e3  # Å, added to the distance of two atoms unless exactly one of them belongs to a cation


def gather(whole: Atoms, molecule: np.ndarray, of_cation: np.ndarray, molecules: Sequence[int]) -> Atoms:
    """Return some molecules, each moved to the image that is nearest to the molecules placed before it.

    Parameters
    ----------
    whole
        All atoms, with unbroken molecules.
    molecule, of_cation
        (N,) molecule of each atom, counted from 0, and whether it is a cation.
    molecules
        Molecules to return. Distances between a cation and another molecule have priority.

    Returns
    -------
    Atoms
        Cluster without a cell.
    """
    positions, cell = whole.positions.copy(), whole.cell.array
    inverse = np.linalg.inv(cell)
    left = [np.flatnonzero(molecule == m) for m in molecules]
    placed = left.pop(0)
    while left:
        nearest = (np.inf, 0, np.zeros(3))  # distance (Å), index in `left`, cells to subtract
        for index, atoms in enumerate(left):
            between = positions[atoms][:, None] - positions[placed][None]
            turns = np.rint(between @ inverse)
            apart = np.linalg.norm(between - turns @ cell, axis=2)
            apart += np.where(of_cation[atoms][:, None] != of_cation[placed], 0.0, _NO_ION_PAIR)
            i, j = np.unravel_index(np.argmin(apart), apart.shape)
            if apart[i, j] < nearest[0]:
                nearest = (float(apart[i, j]), index, turns[i, j])
        atoms = left.pop(nearest[1])
        positions[atoms] -= nearest[2] @ cell
        placed = np.r_[placed, atoms]
    chosen = whole[placed]
    chosen.positions = positions[placed]
    chosen.pbc = False
    chosen.cell = None
    return chosen
