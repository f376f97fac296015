"""Donors: atoms that can coordinate a cation, found from bonds.

`RULES` is the table of kinds: the first rule that holds for an atom gives its kind; an atom without a rule is not a
donor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from electrolyte_ml.structures.graphs import neighbours


class Surroundings(NamedTuple):
    """Atoms bonded to an atom.

    Attributes
    ----------
    symbols
        Elements of the bonded atoms.
    terminal_oxygens
        For each bonded atom, the number of O atoms bonded to it that have no other bond.
    in_oxalate
        Whether a bonded atom is a C of an oxalate, O2C-CO2.
    """

    symbols: tuple[str, ...]
    terminal_oxygens: tuple[int, ...]
    in_oxalate: bool

    def only_on(self, symbol: str) -> bool:
        """Return whether the atom has exactly one bond, to this element."""
        return self.symbols == (symbol,)


class Rule(NamedTuple):
    """Rule for a kind of donor: its elements, and its condition in words and as a test."""

    kind: str
    elements: tuple[str, ...]
    words: str
    holds: Callable[[Surroundings], bool]


_HALOGENS = ("F", "Cl", "Br", "I")

RULES = (
    Rule("water", ("O",), "with two H", lambda s: s.symbols == ("H", "H")),
    Rule("hydroxyl", ("O",), "with one H, as in alcohols and acids", lambda s: s.symbols.count("H") == 1),
    Rule("oxalate", ("O",), "terminal, on a C of an oxalate (BOB, DFOB)", lambda s: s.only_on("C") and s.in_oxalate),
    Rule("carbonyl", ("O",), "terminal, on C: carbonates, esters, ketones, amides", lambda s: s.only_on("C")),
    Rule(
        "sulfonyl",
        ("O",),
        "terminal, on S with two or more of them: sulfones, TFSI, FSI, OTf",
        lambda s: s.only_on("S") and s.terminal_oxygens[0] > 1,
    ),
    Rule("sulfinyl", ("O",), "terminal, the only one on S: sulfoxides", lambda s: s.only_on("S")),
    Rule("phosphoryl", ("O",), "terminal, on P: phosphates", lambda s: s.only_on("P")),
    Rule("nitrate", ("O",), "terminal, on N: nitrate, nitro groups", lambda s: s.only_on("N")),
    Rule("perchlorate", ("O",), "terminal, on Cl", lambda s: s.only_on("Cl")),
    Rule("oxide", ("O",), "terminal, on any other element, or alone", lambda s: len(s.symbols) < 2),
    Rule(
        "borate", ("O",), "between B and another atom (BOB, DFOB)", lambda s: len(s.symbols) == 2 and "B" in s.symbols
    ),
    Rule("ether", ("O",), "between two other atoms: ethers, and the O of carbonates", lambda s: len(s.symbols) == 2),
    Rule("nitrile", ("N",), "with one bond", lambda s: len(s.symbols) == 1),
    Rule("imide", ("N",), "with two bonds, to S alone (TFSI, FSI)", lambda s: s.symbols == ("S", "S")),
    Rule(
        "amine",
        ("N",),
        "with two or three bonds: amines, amides, rings; not in nitrates or nitro groups",
        lambda s: len(s.symbols) in (2, 3) and s.symbols.count("O") < 2,
    ),
    Rule("fluoride", ("F",), "on P, B, As or Sb", lambda s: bool({"P", "B", "As", "Sb"} & {*s.symbols})),
    Rule("halide", _HALOGENS, "an ion of its own", lambda s: not s.symbols),
)
KINDS = tuple(rule.kind for rule in RULES)
_ELEMENTS = sorted({atomic_numbers[symbol] for rule in RULES for symbol in rule.elements})


def donor_kinds(numbers: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Return the kind of donor of each atom, from its bonds alone.

    S, C, and F on C or S are not donors: they hardly coordinate the cations of electrolytes.

    Parameters
    ----------
    numbers
        (N,) atomic numbers.
    bonds
        (n_bonds, 2) bonded pairs.

    Returns
    -------
    (N,) str
        One of `KINDS` by `RULES`; "" for an atom that is not a donor.
    """
    kinds = np.full(len(numbers), "", dtype=f"<U{max(map(len, KINDS))}")
    symbols = [chemical_symbols[z] for z in numbers]
    bonded = neighbours(len(numbers), bonds)
    terminal_oxygens = [sum(symbols[j] == "O" and len(bonded[j]) == 1 for j in beside) for beside in bonded]

    def is_carboxyl(atom: int) -> bool:
        return symbols[atom] == "C" and sum(symbols[j] == "O" for j in bonded[atom]) == 2

    for atom in np.flatnonzero(np.isin(numbers, _ELEMENTS)):
        beside = bonded[atom]
        surroundings = Surroundings(
            tuple(symbols[j] for j in beside),
            tuple(terminal_oxygens[j] for j in beside),
            any(is_carboxyl(j) and any(is_carboxyl(k) for k in bonded[j]) for j in beside),
        )
        for rule in RULES:
            if symbols[atom] in rule.elements and rule.holds(surroundings):
                kinds[atom] = rule.kind
                break
    return kinds
