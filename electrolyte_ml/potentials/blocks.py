"""Blocks of a parameter vector, linear or nonlinear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

SHIFTS = "shifts"  # name of a block that holds the energy of an isolated atom of each species


class Block(NamedTuple):
    """Part of the parameter vector.

    Attributes
    ----------
    name : str
        The block named `SHIFTS`, with one linear parameter per species, is set from isolated atoms.
    size : int
    role : {"linear", "nonlinear"}
        The energy is an affine function of all linear parameters together.
    """

    name: str
    size: int
    role: Literal["linear", "nonlinear"]


def slices(blocks: Sequence[Block]) -> Iterator[tuple[Block, slice]]:
    """Yield each block with its slice of the parameter vector."""
    start = 0
    for block in blocks:
        yield block, slice(start, start + block.size)
        start += block.size


def linear_mask(blocks: Sequence[Block]) -> np.ndarray:
    """Return whether each parameter is linear, (m,)."""
    return np.concatenate([np.zeros(0, bool), *(np.full(block.size, block.role == "linear") for block in blocks)])


def shifts_of(blocks: Sequence[Block]) -> list[slice]:
    """Return the slices of all blocks of shifts (energies of isolated atoms), one for each term that has them."""
    return [place for block, place in slices(blocks) if block.name.rpartition(".")[2] == SHIFTS]
