"""From an ASE configuration to the arrays that the kernels read, with every check on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

OVERLAP = 0.3  # Å; no two nuclei of any chemistry come this close


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
        raise InputError(f"atom {i} is {atoms.symbols[i]}, but the potential knows only {' '.join(species)}")
    return found


def check_geometry(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> None:
    """Refuse what no neighbour list can be made of.

    Raises
    ------
    InputError
        NaN or infinite positions or cell; a periodic axis without a vector, or a cell of no volume.
    """
    if not np.isfinite(positions).all():
        raise InputError(f"atom {int(np.argmax(~np.isfinite(positions).all(1)))} has a position that is not a number")
    if not np.isfinite(cell).all():
        raise InputError("the cell has entries that are not numbers")
    lengths = np.linalg.norm(cell, axis=1)
    if (pbc & (lengths == 0)).any():
        raise InputError(f"the configuration is periodic along axis {int(np.argmax(pbc & (lengths == 0)))}, but that "
                         "cell vector is zero")  # fmt: skip
    present = lengths > 0
    if present.any() and pbc.any():
        unit = cell[present] / lengths[present, None]
        if np.sqrt(max(np.linalg.det(unit @ unit.T), 0.0)) < 1e-4:
            raise InputError("the cell vectors are not linearly independent")


def completed_cell(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """The cell with unit vectors across in place of vectors that are missing or of no use."""
    full = np.array(cell, dtype=float)
    lengths = np.linalg.norm(full, axis=1)
    keep = [k for k in range(3) if lengths[k] > 0 and (pbc[k] or pbc.any())]
    if len(keep) < 3:
        across = np.linalg.svd(full[keep])[2][len(keep) :] if keep else np.eye(3)
        for k, vector in zip([k for k in range(3) if k not in keep], across, strict=True):
            full[k] = vector
    if abs(np.linalg.det(full)) < 1e-12:
        return completed_cell(np.where(pbc[:, None], cell, 0.0), pbc)
    return full


def candidate_pairs(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, species: np.ndarray, n_species: int, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbour list (first, neighbour, shift) within `cutoff`; see `kernels.neighbours`."""
    from ..kernels.neighbours import neighbour_list

    check_geometry(positions, cell, pbc)
    full = completed_cell(cell, pbc)
    return neighbour_list(positions, full, np.linalg.inv(full), pbc, cutoff, species, n_species)


def pairs_within(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, pairs, species: np.ndarray, n_species: int, cutoff: float
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
        raise InputError(f"atoms {i} and {j} overlap: {closest:.3f} Å apart")
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
