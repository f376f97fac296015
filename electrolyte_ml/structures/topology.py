"""Molecules of a configuration under any periodic boundary conditions, and changes of their bonds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.structures.bonding import (
    LONGEST,
    MADE,
    bonded_pairs,
    broken_limits,
    close_pairs,
    ring_limits,
    share_a_neighbour,
)
from electrolyte_ml.structures.graphs import members
from electrolyte_ml.structures.library import recognise
from electrolyte_ml.structures.molecules import Molecule


@dataclass(frozen=True, eq=False)
class Topology:
    """Molecules of one configuration.

    Attributes
    ----------
    bonds
        (n_bonds, 2) atoms i <= j.
    labels
        (N,) molecule of each atom; molecules are numbered in the order of their first atoms.
    formulas
        Hill formula of every molecule.
    unwrapped
        (N, 3) Å, positions with every molecule unbroken and its first atom at its given position.
    endless
        (n_molecules,) whether a molecule is bonded to an image of itself; it can then not be unwrapped.
    numbers
        (N,) atomic numbers.
    """

    bonds: np.ndarray
    labels: np.ndarray
    formulas: tuple[str, ...]
    unwrapped: np.ndarray
    endless: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, atoms: Atoms) -> Topology:
        """Find bonds and molecules, in time linear in the number of atoms.

        Parameters
        ----------
        atoms
            Wrapped or not, periodic in any number of directions, any cell.

        Raises
        ------
        InputError
            Positions or cell are not finite, or a periodic cell has no volume.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        i, j, shift = bonded_pairs(atoms)
        count = len(atoms)
        graph = coo_array((np.ones(len(i), bool), (i, j)), shape=(count, count))
        n_molecules, labels = connected_components(graph, directed=False)
        image = _images(i, j, shift, labels)
        torn = (image[j] != image[i] + shift).any(axis=1)
        return cls(
            bonds=np.stack([i, j], axis=1),
            labels=labels,
            formulas=_formulas(atoms.numbers, labels, n_molecules),
            unwrapped=atoms.positions + image @ atoms.cell.array,
            endless=np.bincount(labels[i[torn]], minlength=n_molecules) > 0,
            numbers=atoms.numbers.copy(),
        )

    @classmethod
    def of_bonds(cls, atoms: Atoms, bonds: np.ndarray) -> Topology:
        """Find the molecules of a periodic configuration from given bonds, (n_bonds, 2)."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        count = len(atoms)
        graph = coo_array((np.ones(len(bonds), bool), tuple(np.transpose(bonds))), shape=(count, count))
        n_molecules, labels = connected_components(graph, directed=False)
        formulas = _formulas(atoms.numbers, labels, n_molecules)
        endless = np.zeros(n_molecules, dtype=bool)
        topology = cls(np.sort(bonds, axis=1), labels, formulas, atoms.positions, endless, atoms.numbers.copy())
        return replace(topology, unwrapped=topology.whole(atoms))

    def whole(self, atoms: Atoms) -> np.ndarray:
        """Return positions (N, 3) Å of another configuration with every molecule unbroken; first atoms do not move.

        Bonds must be shorter than half of the cell.
        """
        i, j = self.bonds.T
        between = (atoms.positions[j] - atoms.positions[i]) @ np.linalg.inv(atoms.cell.array)
        return atoms.positions + _images(i, j, -np.rint(between).astype(int), self.labels) @ atoms.cell.array

    def centres(self, masses: np.ndarray) -> np.ndarray:
        """Return the centres of mass (n_molecules, 3) Å of the unbroken molecules; `masses` are those (N,) of atoms."""
        weighted = [np.bincount(self.labels, masses * x) for x in self.unwrapped.T]
        return np.stack(weighted, axis=1) / np.bincount(self.labels, masses)[:, None]

    def counts(self) -> Counter[str]:
        """Return the number of molecules of each formula."""
        return Counter(self.formulas)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of every molecule, or its formula if it is not in the library."""
        found = recognise(self.numbers, self.bonds, self.labels)
        return tuple(name or formula for name, formula in zip(found, self.formulas))

    def known(self, own_molecules: Mapping[str, Molecule] | None = None) -> list[str | None]:
        """Return the name of every known molecule, None for any other.

        An unknown molecule may be a fragment, or two molecules that have fused. A molecule that is bonded to its own
        image counts as unknown.

        Parameters
        ----------
        own_molecules
            Molecules by name; they take precedence over the library.
        """
        found = recognise(self.numbers, self.bonds, self.labels, own_molecules)
        return [None if endless else name for name, endless in zip(found, self.endless)]

    def name(self, atom: int) -> str:
        """Return element and number of an atom, counted from 1, such as "C12"."""
        return f"{Atoms(numbers=[self.numbers[atom]]).symbols[0]}{atom + 1}"

    def place(self, atom: int) -> str:
        """Return element and number of an atom with its molecule, such as "C12 of EC (molecule 2)"."""
        molecule = self.labels[atom]
        return f"{self.name(atom)} of {self.names[molecule]} (molecule {molecule + 1})"


def molecules(atoms: Atoms) -> list[Atoms]:
    """Return every molecule in vacuum, with its geometry in the configuration.

    The molecules state no total charge, because only the sum of their charges is known from the configuration.

    Returns
    -------
    list of Atoms
        Unbroken molecules in the order of their first atoms, without a cell; the array `index` (n,) holds the numbers
        of their atoms in the configuration.
    """
    topology = Topology.of(atoms)
    found = []
    for indices in members(topology.labels):
        found.append(Atoms(numbers=atoms.numbers[indices], positions=topology.unwrapped[indices]))
        found[-1].set_array("index", indices)
    return found


def changes(reference: Topology, atoms: Atoms) -> str | None:
    """Describe the broken and made bonds in one line; return None if there are none.

    Parameters
    ----------
    reference
        The expected molecules.
    atoms
        The same atoms in the same order, in any cell, wrapped or not.

    Raises
    ------
    InputError
        The atoms differ from those of the reference, or positions are not finite.
    """
    broken, made = changed_bonds(reference, atoms)
    return describe_bonds(reference, broken, made)


def describe_bonds(reference: Topology, broken: np.ndarray, made: np.ndarray) -> str | None:
    """Describe broken and made bonds, (n, 2) atoms each, in one line; return None if there are none."""
    parts = []
    for what, found in (("broken", broken), ("new", made)):
        if len(found):
            atom, other = found[0].tolist()
            owners = sorted({int(reference.labels[atom]), int(reference.labels[other])})
            named = " and ".join(f"{reference.names[k]} (molecule {k + 1})" for k in owners)
            more = f", {len(found) - 1} more" if len(found) > 1 else ""
            parts.append(f"{what} bond {reference.name(atom)}-{reference.name(other)} of {named}{more}")
    return "; ".join(parts) or None


def changed_bonds(reference: Topology, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Return the broken and the made bonds, (n, 2) atoms each; the arguments and errors are those of `changes`."""
    if not np.array_equal(atoms.numbers, reference.numbers):
        raise InputError("molecules can only be compared between configurations of the same atoms in the same order")
    i, j, _, stretch = close_pairs(atoms, LONGEST)
    count = len(atoms)
    known = np.unique(reference.bonds @ [count, 1])
    near = stretch < broken_limits(atoms.numbers[i], atoms.numbers[j])
    i, j, stretch = i[near], j[near], stretch[near]
    pairs = i * count + j
    broken = np.setdiff1d(known, pairs)
    new = np.flatnonzero((stretch < MADE) & ~np.isin(pairs, known))
    loose = stretch[new] > ring_limits(atoms.numbers[i[new]], atoms.numbers[j[new]])
    bent = loose & share_a_neighbour(i[new], j[new], reference.bonds)
    made = np.unique(pairs[new[~bent]])
    return np.stack(np.divmod(broken, count), axis=1), np.stack(np.divmod(made, count), axis=1)


def _images(i: np.ndarray, j: np.ndarray, shift: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the image (N, 3) of each atom for which its molecule is unbroken; first atoms keep image zero."""
    image = np.zeros((len(labels), 3), dtype=int)
    placed = np.zeros(len(labels), dtype=bool)
    placed[np.unique(labels, return_index=True)[1]] = True
    starts, ends, steps = np.r_[i, j], np.r_[j, i], np.r_[shift, -shift]
    while True:
        frontier = np.flatnonzero(placed[starts] & ~placed[ends])
        if not frontier.size:
            return image
        image[ends[frontier]] = image[starts[frontier]] + steps[frontier]
        placed[ends[frontier]] = True


def _formulas(numbers: np.ndarray, labels: np.ndarray, n_molecules: int) -> tuple[str, ...]:
    elements, column = np.unique(numbers, return_inverse=True)
    table = np.zeros((n_molecules, len(elements)), dtype=int)
    np.add.at(table, (labels, column), 1)
    kinds, kind = np.unique(table, axis=0, return_inverse=True)
    names = [Atoms(numbers=np.repeat(elements, row)).get_chemical_formula("hill") for row in kinds]
    return tuple(names[k] for k in kind)
