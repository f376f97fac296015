"""Neighbour lists for any cell: skewed, smaller than the cutoff, periodic in any number of directions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError

OVERLAP = 0.3  # Å; shorter than any bond
FARTHEST = 1e8  # Å; farther positions lack the precision for distances
SKEWED = 0.5  # volume of the cell divided by that of a box with the same lengths; a reduced cell has at least 0.71


class NeighbourList(NamedTuple):
    """All pairs within a distance, listed for both atoms; the neighbours of an atom are sorted by species.

    The neighbours of species s of atom i are ``neighbour[listed[i, s]:listed[i, s + 1]]``: numbers of atoms and, from N
    on, of images. Entry m lies at ``positions[owner[m]] + shift[m] @ cell``; r_ij is the difference of two such
    positions.

    Attributes
    ----------
    listed : (N, S + 1) int64
    neighbour : (P,) uint32
    owner : (M,) uint32
    shift : (M, 3) int32
    """

    listed: np.ndarray
    neighbour: np.ndarray
    owner: np.ndarray
    shift: np.ndarray

    @property
    def centre(self) -> np.ndarray:
        """(P,) central atom of each entry of `neighbour`; atoms are in the order of their bins."""
        order = np.argsort(self.listed[:, 0], kind="stable")
        return np.repeat(order, (self.listed[:, -1] - self.listed[:, 0])[order])


def check_geometry(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
    """Check that a neighbour list can be made for a geometry.

    Raises
    ------
    InputError
        Positions are NaN, infinite or far too large; a periodic axis has no cell vector; or the cell has no volume.
    """
    if not np.isfinite(positions).all():
        i = int(np.argmax(~np.isfinite(positions).all(1)))
        raise InputError(f"the position of atom {i + 1} is not finite")
    if not np.isfinite(cell).all():
        raise InputError("the cell has entries that are not finite")
    if (np.abs(positions) > FARTHEST).any():
        i = int(np.argmax((np.abs(positions) > FARTHEST).any(1)))
        raise InputError(f"atom {i + 1} is more than {FARTHEST:g} Å away from the origin")
    lengths = np.linalg.norm(cell, axis=1)
    if (pbc & (lengths < OVERLAP)).any():
        axis = int(np.argmax(pbc & (lengths < OVERLAP)))
        size = "zero" if lengths[axis] == 0 else f"only {lengths[axis]:.3g} Å long, so that atoms overlap their images"
        raise InputError(f"the configuration is periodic along axis {axis}, but that cell vector is {size}")
    if pbc.any():
        unit = cell[pbc] / lengths[pbc, None]
        if np.sqrt(max(np.linalg.det(unit @ unit.T), 0.0)) < 1e-4:
            raise InputError("the cell vectors are not linearly independent")


def neighbour_list(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    cutoff: float,
    species: np.ndarray | None = None,
    n_species: int = 1,
) -> NeighbourList:
    """Find all pairs of atoms closer than the cutoff, in time linear in the number of atoms.

    There is no minimum-image rule: several images of the same atom, and images of the central atom, are all found.

    Parameters
    ----------
    positions : (N, 3) Å
        Wrapped or not.
    cell : (3, 3) Å
        Vectors as rows; those of axes that are not periodic are ignored.
    pbc : (3,) bool
    cutoff : Å
    species : (N,) int64, optional
        From 0 to n_species - 1; all 0 by default.
    n_species : int

    Raises
    ------
    InputError
        See `check_geometry`.
    """
    from electrolyte_ml.kernels import neighbours as kernel

    check_geometry(positions, cell, pbc)
    full, transformation = _completed_cell(cell, pbc), None
    if abs(np.linalg.det(full)) < SKEWED * np.linalg.norm(full, axis=1).prod():
        from ase.geometry import minkowski_reduce

        # Describe the same lattice by shorter vectors: a skewed cell has many images to search, and few of them near.
        full, transformation = minkowski_reduce(full, pbc)
    if species is None:
        species = np.zeros(len(positions), np.int64)
    pairs = NeighbourList(
        *kernel.neighbour_list(positions, full, np.linalg.inv(full), pbc, float(cutoff), species, n_species)
    )
    return pairs if transformation is None else pairs._replace(shift=(pairs.shift @ transformation).astype(np.int32))


def periodic_pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find all pairs of atoms closer than the cutoff, each once; otherwise like `neighbour_list`.

    Returns
    -------
    i, j, shift : (M,), (M,), (M, 3) int
        Distance vectors are ``positions[j] + shift @ cell - positions[i]``; i <= j, and of two opposite images of the
        atom itself only one is listed.

    Raises
    ------
    InputError
        See `check_geometry`.
    """
    positions = np.ascontiguousarray(positions, dtype=float).reshape(-1, 3)
    pairs = neighbour_list(positions, np.array(cell, dtype=float), np.array(pbc, dtype=bool), cutoff)
    i, j = pairs.centre, pairs.owner[pairs.neighbour].astype(np.int64)
    shift = (pairs.shift[pairs.neighbour] - pairs.shift[i]).astype(np.int64)
    # Every pair was found from both atoms: keep i < j, and for images of the atom itself the positive half of shifts.
    first = np.select([shift[:, 0] != 0, shift[:, 1] != 0], [shift[:, 0], shift[:, 1]], shift[:, 2])
    once = (i < j) | ((i == j) & (first > 0))
    return i[once], j[once], shift[once]


def _completed_cell(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """Return the cell with the vectors of non-periodic axes replaced by unit vectors normal to the periodic ones."""
    full = np.array(cell, dtype=float)
    if not pbc.all():
        full[~pbc] = np.linalg.svd(full[pbc])[2][pbc.sum() :] if pbc.any() else np.eye(3)
    return full
