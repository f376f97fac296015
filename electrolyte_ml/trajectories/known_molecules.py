"""The commonest ions and solvents of electrolytes, recognised by their bonds."""

from __future__ import annotations

from functools import cache

import numpy as np
from ase.data import atomic_numbers

from electrolyte_ml.structures.molecules import MOLECULES
from electrolyte_ml.trajectories.bond_graphs import fingerprints

# Name -> charge, heavy atoms, bonds among them (two hexadecimal indices each), and how many H are on each.
_GRAPHS = {
    "DMC": (0, "C O O O C C", "01 02 03 24 35", "000033"),
    "DEC": (0, "C O O O C C C C", "01 02 03 24 35 46 57", "00002233"),
    "PC": (0, "C O O O C C C", "01 02 03 24 35 45 46", "0000123"),
    "FEC": (0, "C O O O C C F", "01 02 03 24 35 45 46", "0000120"),
    "VC": (0, "C O O O C C", "01 02 03 24 35 45", "000011"),
    "DME": (0, "C O C C O C", "01 12 23 34 45", "302203"),
    "DOL": (0, "C O C C O", "01 12 23 34 40", "20220"),
    "Na": (1, "Na", "", "0"),
    "K": (1, "K", "", "0"),
    "BF4": (-1, "B F F F F", "01 02 03 04", "00000"),
    "ClO4": (-1, "Cl O O O O", "01 02 03 04", "00000"),
    "FSI": (-1, "N S S O O O O F F", "01 02 13 14 25 26 17 28", "000000000"),
    "TFSI": (-1, "N S S O O O O C C F F F F F F", "01 02 13 14 25 26 17 28 79 7a 7b 8c 8d 8e", "0" * 15),
}
CHARGES = {name: m.charge for name, m in MOLECULES.items()} | {name: graph[0] for name, graph in _GRAPHS.items()}  # e
KNOWN = tuple(CHARGES)


@cache
def known_fingerprints() -> dict[tuple[int, ...], str]:
    """Return the name of every fingerprint of a known molecule."""
    found = {}
    for name in KNOWN:
        symbols, bonds = bond_graph(name)
        numbers = np.array([atomic_numbers[s] for s in symbols])
        found[fingerprints(numbers, bonds, np.zeros(len(numbers), int))[0]] = name
    return found


def bond_graph(name: str) -> tuple[list[str], np.ndarray]:
    """Return the elements of a known molecule's atoms and its (n_bonds, 2) bonds."""
    if name in MOLECULES:
        return list(MOLECULES[name].symbols), np.array(MOLECULES[name].bonds, dtype=int).reshape(-1, 2)
    _, heavy, bonded, hydrogens = _GRAPHS[name]
    symbols = heavy.split()
    bonds = [(int(pair[0], 16), int(pair[1], 16)) for pair in bonded.split()]
    for atom, count in enumerate(hydrogens):
        bonds += [(atom, len(symbols) + k) for k in range(int(count))]
        symbols += ["H"] * int(count)
    return symbols, np.array(bonds, dtype=int).reshape(-1, 2)
