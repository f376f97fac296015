"""One set of atoms evaluated again and again: a Verlet list, and threads that share the atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from ..errors import InputError
from ..kernels import evaluation as kernels
from ..kernels.neighbours import place
from ..structures.neighbours import OVERLAP, NeighbourList
from ..threads import Team
from .neighbourhoods import Neighbourhoods

if TYPE_CHECKING:
    from .mtp import MomentTensorPotential


class Shares:
    """The arrays of an evaluation, kept from one to the next.

    Parameters
    ----------
    potential : MomentTensorPotential
        Or anything with `species` and `kernel_arrays`.
    species : (N,) int64
        Place of each atom's element among the potential's.
    threads : int
        The results are bitwise the same for the same number.

    Attributes
    ----------
    potential
        The one whose arrays these are.
    model, sites, pairs
        What the kernels read and fill.
    """

    def __init__(self, potential: MomentTensorPotential, species: np.ndarray, threads: int) -> None:
        n, n_species = len(species), len(potential.species)
        self.team, self.closest = Team(threads), np.empty(threads)
        self.potential, self.model = potential, kernels.Model(*potential.kernel_arrays)
        self.sites = kernels.Sites(
            species, np.empty(n), np.empty((n, 3, 3)), np.empty((3, 3)),
            np.array([n * k // threads for k in range(threads + 1)]), np.empty((threads, n, 3)),
        )  # fmt: skip
        nothing = np.empty(0, np.uint32)
        self.pairs = kernels.Pairs(
            np.zeros((n, n_species + 1), np.int64), nothing, nothing, np.zeros((0, 3), np.int32), np.empty((0, 3)),
            np.empty((n, 3)), np.empty(1), np.empty((n, n_species + 1), np.int64), np.empty(0, np.int32),
            np.empty((3, 0)),
        )  # fmt: skip

    def take(self, made: NeighbourList, positions: np.ndarray, cell: np.ndarray) -> None:
        """Go on with a new list, made for these positions."""
        if len(made.neighbour) > len(self.pairs.index) or len(made.owner) > len(self.pairs.owner):
            self._make_room(len(made.neighbour), len(made.owner))
        pairs = self.pairs
        # Into the arrays that there are: the other threads know them, and need not be sent away for new ones.
        pairs.listed[:] = made.listed
        pairs.neighbour[: len(made.neighbour)] = made.neighbour
        pairs.owner[: len(made.owner)], pairs.owner[len(made.owner) :] = made.owner, 0
        pairs.shift[: len(made.shift)] = made.shift
        pairs.origin[:] = positions
        pairs.stretch[0] = 1.0
        self.place(positions, cell)

    def _make_room(self, n_pairs: int, n_placed: int) -> None:
        """For so many pairs, atoms and images, and an eighth more."""
        self.team.dismiss()
        n_pairs, n_placed = n_pairs + n_pairs // 8, n_placed + n_placed // 8
        self.pairs = self.pairs._replace(
            neighbour=np.zeros(n_pairs, np.uint32),
            index=np.empty(n_pairs, np.int32),
            vector=np.empty((3, n_pairs)),
            owner=np.zeros(n_placed, np.uint32),
            shift=np.zeros((n_placed, 3), np.int32),
            placed=np.empty((n_placed, 3)),
        )

    def place(self, positions: np.ndarray, cell: np.ndarray) -> None:
        """Move atoms and images to where they are now; the list must still hold."""
        place(positions, cell, self.pairs.owner, self.pairs.shift, self.pairs.placed)

    def arguments(self) -> tuple:
        """What the kernels that evaluate take last, with the other threads ready to follow."""
        arguments = self.model, self.sites, self.pairs, self.closest
        self.team.assemble(kernels.follow, *arguments)
        return *arguments, self.team.words

    def evaluate(self) -> None:
        """Fill `sites`.

        Raises
        ------
        InputError
            If two atoms overlap.
        """
        if kernels.evaluate(*self.arguments()) < OVERLAP**2:
            self.refuse_overlap()

    def neighbourhoods(self, volume: float | None) -> Neighbourhoods:
        """The pairs within the cutoff at the last evaluation, in arrays that the next one changes."""
        return Neighbourhoods(self.sites.species, self.pairs.segment, self.pairs.index, self.pairs.vector, volume)

    def refuse_overlap(self) -> NoReturn:
        """Name the two nearest atoms.

        Raises
        ------
        InputError
            Always.
        """
        near = self.neighbourhoods(None)
        of_atom = [slice(first, last) for first, last in near.segment[:, [0, -1]]]
        squares = [(near.vector[:, pairs] ** 2).sum(axis=0) for pairs in of_atom]
        i = int(np.argmin([square.min(initial=np.inf) for square in squares]))
        j = near.index[of_atom[i]][squares[i].argmin()]
        raise InputError(f"atoms {i + 1} and {j + 1} overlap: {np.sqrt(squares[i].min()):.3f} Å apart")
