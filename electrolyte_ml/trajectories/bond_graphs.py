"""Molecules as graphs of bonds: neighbours, members, and fingerprints that are equal for equal graphs."""

from __future__ import annotations

import numpy as np

_ROUNDS = 6  # of colouring: atoms are alike when their surroundings are, up to so many bonds away


def neighbours(count: int, bonds: np.ndarray) -> list[list[int]]:
    """Return the atoms bonded to each of `count` atoms, given (n_bonds, 2) bonded pairs."""
    found: list[list[int]] = [[] for _ in range(count)]
    for i, j in np.asarray(bonds).tolist():
        found[i].append(j)
        found[j].append(i)
    return found


def members(molecule: np.ndarray) -> list[np.ndarray]:
    """Return the atoms of each molecule, given the (N,) molecule of each atom."""
    order = np.argsort(molecule, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(molecule[order])) + 1)


def fingerprints(numbers: np.ndarray, bonds: np.ndarray, molecule: np.ndarray) -> list[tuple[int, ...]]:
    """Return the colours of each molecule's atoms by Weisfeiler and Leman; the order of the atoms does not matter.

    Parameters
    ----------
    numbers, molecule
        (N,) atomic numbers; molecule of each atom, counted from 0.
    bonds
        (n_bonds, 2) bonded pairs.
    """
    bonded = neighbours(len(numbers), bonds)
    colours = [hash((int(z),)) for z in numbers]
    for _ in range(_ROUNDS):
        colours = [hash((colours[i], *sorted(colours[j] for j in beside))) for i, beside in enumerate(bonded)]
    return [tuple(sorted(colours[i] for i in atoms)) for atoms in members(molecule)]
