"""Pairs of atoms within a distance, for any cell: skewed, smaller than the distance, partly or not periodic."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError

OVERLAP = 0.3  # Å; no two nuclei of any chemistry come this close
FARTHEST = 1e8  # Å; beyond it a position in double precision says little about distances
SKEWED = 0.5  # volume of the cell over that of a box of the same lengths; the most oblique reduced cell has 0.71


class NeighbourList(NamedTuple):
    """All pairs within a distance, seen from both ends, each atom's sorted by the neighbour's species.

    The neighbours of species s of atom i are ``neighbour[listed[i, s]:listed[i, s + 1]]``: numbers of atoms and, from N
    on, of images. Each stands at ``positions[owner] + shift @ cell``, and r_ij is the difference of two such places.

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
        """(P,) atom to which each of `neighbour` belongs; atoms stand in the order of their bins."""
        order = np.argsort(self.listed[:, 0], kind="stable")
        return np.repeat(order, (self.listed[:, -1] - self.listed[:, 0])[order])


def check_geometry(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
    """Refuse what no neighbour list can be made of.

    Raises
    ------
    InputError
        NaN, infinite or far too large positions; a periodic axis without a vector, or a cell of no volume.
    """
    if not np.isfinite(positions).all():
        i = int(np.argmax(~np.isfinite(positions).all(1)))
        raise InputError(f"atom {i + 1} has a position that is not a number")
    if not np.isfinite(cell).all():
        raise InputError("the cell has entries that are not numbers")
    if (np.abs(positions) > FARTHEST).any():
        i = int(np.argmax((np.abs(positions) > FARTHEST).any(1)))
        raise InputError(f"atom {i + 1} is more than {FARTHEST:g} Å away from the origin")
    lengths = np.linalg.norm(cell, axis=1)
    if (pbc & (lengths < OVERLAP)).any():
        axis = int(np.argmax(pbc & (lengths < OVERLAP)))
        what = "zero" if lengths[axis] == 0 else f"only {lengths[axis]:.3g} Å long, so that atoms overlap their images"
        raise InputError(f"the configuration is periodic along axis {axis}, but that cell vector is {what}")
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
    """All pairs of atoms closer than the cutoff, in time linear in the number of atoms.

    There is no minimum-image rule: several images of one atom, and an atom's own images, count as they should.

    Parameters
    ----------
    positions : (N, 3) Å
        Wrapped or not.
    cell : (3, 3) Å
        Vectors as rows; those of axes that are not periodic mean nothing.
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
    full, turn = _completed_cell(cell, pbc), None
    if abs(np.linalg.det(full)) < SKEWED * np.linalg.norm(full, axis=1).prod():
        from ase.geometry import minkowski_reduce

        # The same lattice in shorter vectors: otherwise hardly any of the many images to be searched is near.
        full, turn = minkowski_reduce(full, pbc)
    if species is None:
        species = np.zeros(len(positions), np.int64)
    found = NeighbourList(
        *kernel.neighbour_list(positions, full, np.linalg.inv(full), pbc, float(cutoff), species, n_species)
    )
    return found if turn is None else found._replace(shift=(found.shift @ turn).astype(np.int32))


def periodic_pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of atoms closer than the cutoff, each once; otherwise as `neighbour_list`.

    Returns
    -------
    i, j, shift : (M,), (M,), (M, 3) int
        Distance vectors are ``positions[j] + shift @ cell - positions[i]``; i <= j, and of the two ways to
        say that an atom meets its own image only one is given.

    Raises
    ------
    InputError
        See `check_geometry`.
    """
    positions = np.ascontiguousarray(positions, dtype=float).reshape(-1, 3)
    found = neighbour_list(positions, np.array(cell, dtype=float), np.array(pbc, dtype=bool), cutoff)
    i, j = found.centre, found.owner[found.neighbour].astype(np.int64)
    shift = (found.shift[found.neighbour] - found.shift[i]).astype(np.int64)
    # Every pair was found from both of its ends: keep i < j, and for own images the positive half space of shifts.
    first = np.select([shift[:, 0] != 0, shift[:, 1] != 0], [shift[:, 0], shift[:, 1]], shift[:, 2])
    once = (i < j) | ((i == j) & (first > 0))
    return i[once], j[once], shift[once]


def _completed_cell(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """The cell with unit vectors across the periodic ones in place of the others, which mean nothing."""
    full = np.array(cell, dtype=float)
    if not pbc.all():
        full[~pbc] = np.linalg.svd(full[pbc])[2][pbc.sum() :] if pbc.any() else np.eye(3)
    return full
