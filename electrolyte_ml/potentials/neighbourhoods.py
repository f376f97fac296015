"""From an ASE configuration to the arrays that the kernels read, with every check on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

OVERLAP = 0.3  # Å; no two nuclei of any chemistry come this close
FARTHEST = 1e8  # Å; beyond it a position in double precision says little about distances
SKEWED = 0.5  # volume of the cell over that of a box of the same lengths; the most oblique reduced cell has 0.71


class Neighbourhoods(NamedTuple):
    """All pairs of a configuration within the cutoff, each atom's sorted by the neighbour's species.

    Attributes
    ----------
    species : (N,) int64
    segment : (N, S + 1) int64
        Neighbours of species s of atom i stand at segment[i, s]:segment[i, s + 1].
    index : (P,) int32
    vector : (3, P) float64, Å
    volume : float or None, Å^3
    """

    species: np.ndarray
    segment: np.ndarray
    index: np.ndarray
    vector: np.ndarray
    volume: float | None


def species_indices(atoms: Atoms, species: tuple[str, ...]) -> np.ndarray:
    """(N,) place of each atom's element in `species`.

    Raises
    ------
    InputError
        If an element is not among them.
    """
    from ase.data import atomic_numbers

    table = np.full(120, -1)
    for k, symbol in enumerate(species):
        table[atomic_numbers[symbol]] = k
    found = table[atoms.numbers]
    if (found < 0).any():
        i = int(np.argmax(found < 0))
        raise InputError(f"atom {i + 1} is {atoms.symbols[i]}, but the potential knows only {' '.join(species)}")
    return found


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


def completed_cell(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """The cell with unit vectors across the periodic ones in place of the others, which mean nothing."""
    full = np.array(cell, dtype=float)
    if not pbc.all():
        full[~pbc] = np.linalg.svd(full[pbc])[2][pbc.sum() :] if pbc.any() else np.eye(3)
    return full


def candidate_pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, species: np.ndarray, n_species: int, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbour list (first, neighbour, shift) within `cutoff`; see `kernels.neighbours`."""
    from ase.geometry import minkowski_reduce

    from ..kernels.neighbours import neighbour_list

    check_geometry(positions, cell, pbc)
    full, turn = completed_cell(cell, pbc), None
    if abs(np.linalg.det(full)) < SKEWED * np.linalg.norm(full, axis=1).prod():
        # The same lattice in shorter vectors: otherwise hardly any of the many images to be searched is near.
        full, turn = minkowski_reduce(full, pbc)
    first, neighbour, shift = neighbour_list(positions, full, np.linalg.inv(full), pbc, cutoff, species, n_species)
    return first, neighbour, shift if turn is None else (shift @ turn).astype(shift.dtype)


def pairs_within(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    species: np.ndarray,
    n_species: int,
    cutoff: float,
) -> Neighbourhoods:
    """Keep of a neighbour list what is within the cutoff now.

    Raises
    ------
    InputError
        If two atoms overlap.
    """
    from ..kernels.neighbours import pair_vectors

    segment, index, vector, closest, (i, j) = pair_vectors(positions, cell, *pairs, species, n_species, cutoff)
    if closest < OVERLAP:
        raise InputError(f"atoms {i + 1} and {j + 1} overlap: {closest:.3f} Å apart")
    volume = abs(np.linalg.det(cell)) if pbc.all() else None
    return Neighbourhoods(species, segment, index, vector, volume)


def neighbourhoods(atoms: Atoms, species: np.ndarray, n_species: int, cutoff: float) -> Neighbourhoods:
    """Everything the kernels need to know of a configuration."""
    positions, cell, pbc = (
        np.ascontiguousarray(atoms.positions, float),
        np.array(atoms.cell, float),
        np.array(atoms.pbc),
    )
    pairs = candidate_pairs(positions, cell, pbc, species, n_species, cutoff)
    return pairs_within(positions, cell, pbc, pairs, species, n_species, cutoff)
