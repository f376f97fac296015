"""Identification of elements, masses and bonds of the atoms of a file, by element, mass or name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.frames import Identity

if TYPE_CHECKING:
    from MDAnalysis import Universe

GIVE_ELEMENTS = "name a topology (--topology) or the elements (elements=, --elements)"
_IN_MOLECULES = ["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "Sb", "I"]
_ALWAYS_BONDED = ["H", "B", "C", "N", "O", "P", "S"]
_LARGEST_MASS_ERROR = 0.1  # amu


def numbers_of(symbols: Sequence[str], name: str) -> np.ndarray:
    """Return the (N,) atomic numbers of chemical symbols.

    Raises
    ------
    InputError
        A symbol is not an element; the message names the file and the atom.
    """
    for index, symbol in enumerate(symbols):
        if symbol not in atomic_numbers or symbol == "X":
            raise InputError(f"{name}: the element {symbol!r} of atom {index + 1} is not known: {GIVE_ELEMENTS}")
    return np.array([atomic_numbers[symbol] for symbol in symbols])


def identify(universe: Universe, name: str, elements: Mapping[str, str] | None) -> Identity:
    """Find elements, masses and bonds of the atoms of an MDAnalysis universe.

    Parameters
    ----------
    universe
        Universe with a topology.
    name
        Name of its file, for messages.
    elements
        Type or name of an atom -> element; takes precedence over the file.

    Raises
    ------
    InputError
        The element of an atom is unknown.
    """
    atoms = universe.atoms
    masses: np.ndarray | None = np.asarray(atoms.masses, float) if hasattr(atoms, "masses") else None
    if masses is not None and not (masses > 0).all():
        masses = None
    if elements is not None:
        labels = [str(t) for t in (atoms.types if hasattr(atoms, "types") else atoms.names)]
        numbers = numbers_of([str(elements.get(label, label)) for label in labels], name)
    elif hasattr(atoms, "elements") and all(str(e).strip() for e in atoms.elements):
        numbers = numbers_of([str(e).strip().capitalize() for e in atoms.elements], name)
    elif masses is not None:
        numbers = _numbers_of_masses(masses, name)
    elif hasattr(atoms, "names"):
        numbers = numbers_of(_elements_of_names(atoms), name)
    else:
        raise InputError(f"{name} does not state the elements of its atoms: {GIVE_ELEMENTS}")
    if masses is None:
        masses = atomic_masses[numbers]
    return Identity(numbers, masses, _bonds(universe, numbers), universe)


def _numbers_of_masses(masses: np.ndarray, name: str) -> np.ndarray:
    numbers = np.abs(atomic_masses[None, 1:] - masses[:, None]).argmin(axis=1) + 1
    off = np.abs(atomic_masses[numbers] - masses) > _LARGEST_MASS_ERROR
    if off.any():
        wrong = int(np.argmax(off))
        raise InputError(f"{name}: no element has the mass of atom {wrong + 1}, {masses[wrong]:g}: {GIVE_ELEMENTS}")
    return numbers


def _elements_of_names(atoms: Any) -> list[str]:
    """Guess elements from names of atoms such as "LI1", "CT2", "O03"; metals only in residues of a single atom."""
    from MDAnalysis.guesser.default_guesser import DefaultGuesser

    guess = DefaultGuesser(None).guess_atom_element
    _, index, size = np.unique(atoms.resindices, return_inverse=True, return_counts=True)
    elements = []
    for label, alone in zip(atoms.names, size[index] == 1):
        letters = str(label).strip("0123456789+-*'\"")
        element = str(guess(letters)).capitalize()
        first = letters[:1].upper()
        # "CS" of a solvent is carbon; there is no element "L".
        elements.append(element if alone or element in _IN_MOLECULES or first not in atomic_numbers else first)
    return elements


def _bonds(universe: Universe, numbers: np.ndarray) -> np.ndarray | None:
    """Return the bonds of the file if they are complete: every atom of an element that is always bonded has one."""
    if not hasattr(universe, "bonds") or not len(universe.bonds):
        return None
    bonds = np.asarray(universe.bonds.indices, dtype=int)
    unbonded = numbers[np.setdiff1d(np.arange(len(numbers)), bonds)]
    return None if np.isin(unbonded, [atomic_numbers[s] for s in _ALWAYS_BONDED]).any() else bonds
