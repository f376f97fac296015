"""Sites of a molecule (atoms that are equivalent by their bonds) and their chemical names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols

from electrolyte_ml.structures.donors import donor_kinds
from electrolyte_ml.structures.graphs import BondGraph


def site_names(numbers: np.ndarray, bonds: np.ndarray) -> list[str]:
    """Return the name of the site of each atom in one molecule.

    O and N are named by their kind of donor ("carbonyl O", "ether O"), C by its number of H ("CH3"), or "carbonyl C" if
    a carbonyl O is bonded to it, H by the atom it is bonded to ("H of CH3"), and any other atom by its element. If two
    sites would have the same name, bonded atoms that only one of them has are added, as in "CH3 by ether O"; if there
    are none, a number is added.

    Parameters
    ----------
    numbers
        (n,) atomic numbers.
    bonds
        (n_bonds, 2) bonded pairs.
    """
    graph = BondGraph(numbers, bonds)
    kinds: list[str] = donor_kinds(numbers, bonds).tolist()
    symbols = [chemical_symbols[z] for z in numbers]
    plain = [_plain_name(atom, symbols, graph.bonded, kinds) for atom in range(len(symbols))]
    heavy = [atom for atom, symbol in enumerate(symbols) if not _is_carried(atom, symbols, graph.bonded)]
    names = list(plain)
    for name in dict.fromkeys(plain[atom] for atom in heavy):
        atoms = [atom for atom in heavy if plain[atom] == name]
        for atom, full in zip(atoms, _distinct_names(name, atoms, graph, plain)):
            names[atom] = full
    for atom in set(range(len(symbols))) - set(heavy):
        names[atom] = f"H of {names[graph.bonded[atom][0]]}"
    return names


def _is_carried(atom: int, symbols: Sequence[str], bonded: Sequence[Sequence[int]]) -> bool:
    """Return whether an atom is an H with one bond, to an atom other than H."""
    return symbols[atom] == "H" and len(bonded[atom]) == 1 and symbols[bonded[atom][0]] != "H"


def _plain_name(atom: int, symbols: Sequence[str], bonded: Sequence[Sequence[int]], kinds: Sequence[str]) -> str:
    symbol, beside = symbols[atom], bonded[atom]
    hydrogens = sum(symbols[other] == "H" for other in beside)
    if symbol == "C":
        if any(kinds[other] in ("carbonyl", "oxalate") for other in beside):
            return "carbonyl C"
        return "C" + ("H" if hydrogens else "") + (str(hydrogens) if hydrogens > 1 else "")
    return f"{kinds[atom]} {symbol}" if symbol in ("O", "N") and kinds[atom] else symbol


def _distinct_names(name: str, atoms: Sequence[int], graph: BondGraph, plain: Sequence[str]) -> list[str]:
    """Return distinct names for the sites of atoms that share a plain name."""
    sites = list(dict.fromkeys(graph.sites[atom] for atom in atoms))
    if len(sites) == 1:
        return [name] * len(atoms)
    beside = {
        graph.sites[atom]: Counter(plain[other] for other in graph.bonded[atom] if plain[other] != "H")
        for atom in atoms
    }
    common = set.intersection(*(set(counter) for counter in beside.values()))
    own = {site: sorted(set(counter) - common) for site, counter in beside.items()}
    texts = {site: f"{name} by {', '.join(found)}" if found else name for site, found in own.items()}
    if len(set(texts.values())) < len(sites):
        texts = {site: f"{name} {number}" for number, site in enumerate(sites, start=1)}
    return [texts[graph.sites[atom]] for atom in atoms]
