"""From an ASE configuration to the arrays that the kernels read, with every check on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import InputError
from ..structures.neighbours import OVERLAP, NeighbourList, neighbour_list

if TYPE_CHECKING:
    from ase import Atoms


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


def pairs_within(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, pairs: NeighbourList, species: np.ndarray, cutoff: float
) -> Neighbourhoods:
    """Keep of a neighbour list what is within the cutoff now.

    Raises
    ------
    InputError
        If two atoms overlap.
    """
    from ..kernels.neighbours import pair_vectors

    segment, index, vector, closest, (i, j) = pair_vectors(positions, cell, *pairs, cutoff)
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
    pairs = neighbour_list(positions, cell, pbc, cutoff, species, n_species)
    return pairs_within(positions, cell, pbc, pairs, species, cutoff)
