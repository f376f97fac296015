"""Molecules as graphs of bonds, compared independently of the order of their atoms.

Two molecules are the same if an isomorphism maps the elements and bonds of one onto those of the other. Conformers are
the same molecule, constitutional isomers are not. Enantiomers, and cis and trans isomers, have the same graph.

References
----------
B. Yu. Weisfeiler, A. A. Leman, Nauchno-Tekhnicheskaya Informatsiya 2 (9), 12 (1968): colour refinement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

import numpy as np

_ROUNDS = 6  # rounds of colouring: atoms get the same colour if their surroundings agree up to this number of bonds


def neighbours(count: int, bonds: np.ndarray) -> list[list[int]]:
    """Return the atoms bonded to each of `count` atoms, given (n_bonds, 2) bonded pairs."""
    bonded: list[list[int]] = [[] for _ in range(count)]
    for i, j in np.asarray(bonds).tolist():
        bonded[i].append(j)
        bonded[j].append(i)
    return bonded


def members(molecule: np.ndarray) -> list[np.ndarray]:
    """Return the atoms of each molecule, given the (N,) molecule of each atom."""
    order = np.argsort(molecule, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(molecule[order])) + 1) if len(order) else []


class BondGraph:
    """Elements and bonds of one molecule.

    Parameters
    ----------
    numbers
        (n,) atomic numbers.
    bonds
        (n_bonds, 2) bonded pairs.

    Attributes
    ----------
    numbers, bonds
        The parameters.
    bonded
        Atoms bonded to each atom.
    """

    def __init__(self, numbers: np.ndarray, bonds: np.ndarray) -> None:
        self.numbers, self.bonds = np.asarray(numbers), np.reshape(bonds, (-1, 2))
        self.bonded = neighbours(len(numbers), self.bonds)
        colours = [hash((int(z),)) for z in numbers]
        for _ in range(_ROUNDS):
            colours = self._refined(colours)
        self._colours = colours

    @cached_property
    def fingerprint(self) -> tuple[int, ...]:
        """Sorted colours of the atoms: equal for equal molecules, and for a few different ones."""
        return tuple(sorted(self._colours))

    @cached_property
    def sites(self) -> np.ndarray:
        """Site of each atom, (n,); sites are numbered in the order of their first atoms.

        Atoms belong to the same site if they are equivalent: no round of colouring gives them different colours.
        """
        colours, count = self._colours, len(set(self._colours))
        while True:
            finer = self._refined(colours)
            if len(set(finer)) == count:
                break
            colours, count = finer, len(set(finer))
        order = {colour: number for number, colour in enumerate(dict.fromkeys(colours))}
        return np.array([order[colour] for colour in colours], dtype=int)

    def _refined(self, colours: list[int]) -> list[int]:
        """Return the colours after one more round, from the colour of each atom and those of its bonded atoms."""
        return [hash((colours[i], *sorted(colours[j] for j in beside))) for i, beside in enumerate(self.bonded)]

    def is_connected(self) -> bool:
        """Return whether bonds join all atoms into one molecule."""
        return len(self._in_reach([0])) == len(self.bonded)

    def mapping_to(self, other: BondGraph) -> np.ndarray | None:
        """Return the corresponding atom of another molecule for each atom, (n,); None if the molecules differ."""
        if self.fingerprint != other.fingerprint:
            return None
        frequency = Counter(self._colours)
        order = self._in_reach(sorted(range(len(self.bonded)), key=lambda atom: frequency[self._colours[atom]]))
        image: dict[int, int] = {}
        # Depth-first search; each level of the stack holds the remaining candidates in `other` for one atom.
        stack = [self._candidates(order[0], other, image)] if order else []
        while stack and len(image) < len(order):
            atom = order[len(stack) - 1]
            image.pop(atom, None)
            choice = next(stack[-1], None)
            if choice is None:
                stack.pop()
                continue
            image[atom] = choice
            if len(stack) < len(order):
                stack.append(self._candidates(order[len(stack)], other, image))
        return np.array([image[atom] for atom in range(len(order))]) if len(image) == len(order) else None

    def _candidates(self, atom: int, other: BondGraph, image: dict[int, int]) -> Iterator[int]:
        placed = [image[near] for near in self.bonded[atom] if near in image]
        pool = other.bonded[placed[0]] if placed else range(len(other.bonded))
        taken = set(image.values())
        for choice in pool:
            if choice in taken or other._colours[choice] != self._colours[atom]:
                continue
            # The candidate must be bonded to the images of the same atoms.
            near = [end for end in other.bonded[choice] if end in taken]
            if sorted(near) == sorted(placed):
                yield choice

    def _in_reach(self, starts: list[int]) -> list[int]:
        """Return the atoms reached from the starts along bonds, in breadth-first order."""
        seen: dict[int, None] = {}
        for start in starts:
            queue = [start]
            for atom in queue:
                if atom not in seen:
                    seen[atom] = None
                    queue += self.bonded[atom]
        return list(seen)
