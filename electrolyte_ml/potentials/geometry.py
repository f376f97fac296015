"""What potentials are evaluated on: a configuration and its pairs within a cutoff, checked on the way."""

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
    """What does not change while atoms move.

    Attributes
    ----------
    symbols : tuple of str
        Chemical symbols of a potential, in its order.
    species : (N,) int64
        Place of each atom's element in `symbols`.
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
            An element that is not among `symbols`; a total charge that is no whole number.
        """
        return cls(symbols, species_indices(atoms, symbols), np.array(atoms.pbc), total_charge(atoms))


class Geometry(NamedTuple):
    """A configuration and all pairs of its atoms within a cutoff.

    Attributes
    ----------
    system : System
    positions : (N, 3) Å
    cell : (3, 3) Å
        Vectors as rows.
    near : Neighbours
        The pairs within `cutoff`, each seen from both ends.
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
            Unknown species, NaN, overlapping atoms, a singular cell, a total charge that is no whole number.
        """
        system = System.of(atoms, symbols)
        positions, cell = np.ascontiguousarray(atoms.positions, float), np.array(atoms.cell, float)
        pairs = neighbour_list(positions, cell, system.pbc, cutoff, system.species, len(symbols))
        return cls.from_list(system, pairs, positions, cell, cutoff)

    @classmethod
    def from_list(
        cls, system: System, pairs: NeighbourList, positions: np.ndarray, cell: np.ndarray, cutoff: float
    ) -> Geometry:
        """Keep of a neighbour list the pairs that are within the cutoff now.

        Raises
        ------
        InputError
            If two atoms overlap.
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
        """Volume of the cell, Å^3; None where it is not periodic along all three axes."""
        return abs(float(np.linalg.det(self.cell))) if self.system.pbc.all() else None

    @property
    def centre(self) -> np.ndarray:
        """(P,) atom number of the central atom of each pair, of a geometry without gaps."""
        return np.repeat(np.arange(self.n_atoms), self.near.segment[:, -1] - self.near.segment[:, 0])

    def compact(self) -> Geometry:
        """Return the same with the pairs in the order of the atoms, without gaps.

        A stepper's arrays have unused places between the pairs of two atoms, and the order of its neighbour list.
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
            For a longer cutoff: its pairs are not known.
        """
        if cutoff == self.cutoff:
            return self
        if cutoff > self.cutoff:
            raise InputError(f"the pairs are known within {self.cutoff:g} Å, not within {cutoff:g} Å")
        species, segment, other, vector = self.compact().near
        kept = (vector**2).sum(0) < cutoff**2
        before = np.concatenate([[0], np.cumsum(kept)])  # pairs kept before each place
        near = Neighbours(species, before[segment], other[kept], np.ascontiguousarray(vector[:, kept]))
        return self._replace(near=near, cutoff=cutoff)


def species_indices(atoms: Atoms, species: tuple[str, ...]) -> np.ndarray:
    """Return the place of each atom's element in `species`, (N,) int64.

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
