"""Input of potentials: a checked configuration with its pairs within a cutoff."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels.arrays import Neighbours
from electrolyte_ml.structures.charge import total_charge
from electrolyte_ml.structures.neighbours import OVERLAP, NeighbourList, neighbour_list

if TYPE_CHECKING:
    from ase import Atoms


class System(NamedTuple):
    """Properties of a configuration that do not change in dynamics.

    Attributes
    ----------
    symbols : tuple of str
        Chemical symbols of a potential, in its order.
    species : (N,) int64
        Index of the element of each atom in `symbols`.
    pbc : (3,) bool
    charge : float, e
        Total charge.
    """

    symbols: tuple[str, ...]
    species: np.ndarray
    pbc: np.ndarray
    charge: float

    @classmethod
    def of(cls, atoms: Atoms, symbols: tuple[str, ...]) -> System:
        """Return the system of a configuration.

        Raises
        ------
        InputError
            An element is not in `symbols`, or the total charge is not a whole number.
        """
        return cls(symbols, species_indices(atoms, symbols), np.array(atoms.pbc), total_charge(atoms))


class Geometry(NamedTuple):
    """Configuration with all pairs of its atoms within a cutoff.

    Attributes
    ----------
    system : System
    positions : (N, 3) Å
    cell : (3, 3) Å
        Vectors as rows.
    near : Neighbours
        Pairs within `cutoff`, each listed for both atoms.
    cutoff : float, Å
    """

    system: System
    positions: np.ndarray
    cell: np.ndarray
    near: Neighbours
    cutoff: float

    @classmethod
    def of(cls, atoms: Atoms, symbols: tuple[str, ...], cutoff: float) -> Geometry:
        """Find the pairs of a configuration.

        Raises
        ------
        InputError
            Species are unknown, positions are not finite, atoms overlap, the cell is singular, or the total charge is
            not a whole number.
        """
        system = System.of(atoms, symbols)
        positions, cell = np.ascontiguousarray(atoms.positions, float), np.array(atoms.cell, float)
        pairs = neighbour_list(positions, cell, system.pbc, cutoff, system.species, len(symbols))
        return cls.from_list(system, pairs, positions, cell, cutoff)

    @classmethod
    def from_list(
        cls, system: System, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray, cutoff: float
    ) -> Geometry:
        """Select the pairs of a neighbour list that are within the cutoff at the present positions.

        Raises
        ------
        InputError
            Two atoms overlap.
        """
        from electrolyte_ml.kernels.near_pairs import near_pairs

        near, closest, (i, j) = near_pairs(positions, cell, tuple(pairs), system.species, float(cutoff))
        if closest < OVERLAP:
            raise InputError(f"atoms {i + 1} and {j + 1} overlap: {closest:.3f} Å apart")
        return cls(system, positions, cell, near, cutoff)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.system.species)

    @property
    def volume(self) -> float | None:
        """Volume of the cell, Å^3; None if it is not periodic along all three axes."""
        return abs(float(np.linalg.det(self.cell))) if self.system.pbc.all() else None

    @property
    def centre(self) -> np.ndarray:
        """(P,) central atom of each pair, for a geometry without gaps."""
        return np.repeat(np.arange(self.n_atoms), self.near.segment[:, -1] - self.near.segment[:, 0])

    def compact(self) -> Geometry:
        """Return the same geometry with the pairs in the order of the atoms, without gaps.

        The arrays of a stepper have the order of its neighbour list, and unused entries between the pairs of two atoms.
        """
        species, segment, other, vector = self.near
        first, count = segment[:, 0], segment[:, -1] - segment[:, 0]
        end = np.cumsum(count)
        if len(other) == count.sum() and np.array_equal(first, end - count):
            return self
        places = np.arange(count.sum()) + np.repeat(first - (end - count), count)
        moved = segment - (first - (end - count))[:, None]
        near = Neighbours(species, moved, other[places], np.ascontiguousarray(vector[:, places]))
        return self._replace(near=near)

    def within(self, cutoff: float) -> Geometry:
        """Return the same configuration with the pairs within a shorter cutoff.

        Raises
        ------
        InputError
            The cutoff is longer than that of this geometry.
        """
        if cutoff == self.cutoff:
            return self
        if cutoff > self.cutoff:
            raise InputError(f"the pairs are known within {self.cutoff:g} Å, not within {cutoff:g} Å")
        species, segment, other, vector = self.compact().near
        kept = (vector**2).sum(0) < cutoff**2
        before = np.concatenate([[0], np.cumsum(kept)])  # number of kept pairs before each pair
        near = Neighbours(species, before[segment], other[kept], np.ascontiguousarray(vector[:, kept]))
        return self._replace(near=near, cutoff=cutoff)


def species_indices(atoms: Atoms, species: tuple[str, ...]) -> np.ndarray:
    """Return the index of the element of each atom in `species`, (N,) int64.

    Raises
    ------
    InputError
        An element is not in `species`.
    """
    from ase.data import atomic_numbers

    table = np.full(120, -1)
    for k, symbol in enumerate(species):
        table[atomic_numbers[symbol]] = k
    indices = table[atoms.numbers]
    if (indices < 0).any():
        i = int(np.argmax(indices < 0))
        raise InputError(
            f"atom {i + 1} is {atoms.symbols[i]}, but the potential has only the species {' '.join(species)}"
        )
    return indices
