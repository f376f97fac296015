"""Atoms that can coordinate a cation, found from bonds."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from electrolyte_ml.trajectories.bond_graphs import neighbours

_OF_ONE_BOND = {"C": "carbonyl", "S": "sulfonyl", "P": "phosphoryl"}  # O with one bond, by the element it is on


def donor_kinds(numbers: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Return the kind of donor that each atom is, from its bonds alone.

    Parameters
    ----------
    numbers
        (N,) atomic numbers.
    bonds
        (n_bonds, 2) bonded pairs.

    Returns
    -------
    (N,) str
        For O "carbonyl" (on one C), "sulfonyl" (on one S), "phosphoryl" (on one P), "hydroxyl" (with H), "oxide" (on
        one of another element), "ether" (between two); for N "nitrile" (on one atom) or "amine"; for F "fluoride" (on
        P, B, As, Sb; F on carbon hardly coordinates); "" for any other atom.
    """
    kinds = np.full(len(numbers), "", dtype="<U10")
    bonded = neighbours(len(numbers), bonds)
    for atom in np.flatnonzero(np.isin(numbers, (7, 8, 9))):
        beside = [chemical_symbols[numbers[other]] for other in bonded[atom]]
        symbol = chemical_symbols[numbers[atom]]
        if symbol == "O":
            if "H" in beside:
                kinds[atom] = "hydroxyl"
            else:
                kinds[atom] = _OF_ONE_BOND.get(beside[0], "oxide") if len(beside) == 1 else "ether"
        elif symbol == "N":
            kinds[atom] = "nitrile" if len(beside) == 1 else "amine"
        elif set(beside) & {"P", "B", "As", "Sb"}:
            kinds[atom] = "fluoride"
    return kinds
