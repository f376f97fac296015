"""Frames, and the interface of every reader of them. Random access keeps memory at one frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from MDAnalysis import Universe


class Frame(NamedTuple):
    """One frame.

    Attributes
    ----------
    positions
        (N, 3) Å.
    cell
        (3, 3) Å, vectors as rows; None when the file has none.
    velocities
        (N, 3) Å/ps or None.
    time
        In ps when the reader's `times_known` is true; else any number that grows evenly with the frames, or NaN.
    """

    positions: np.ndarray
    cell: np.ndarray | None
    velocities: np.ndarray | None
    time: float


class VelocitySeries(Protocol):
    """Velocities at times of their own.

    Attributes
    ----------
    times_ps
        (F,) ps.
    alone
        Whether no frame has positions: those of the reader are the ones of its topology.
    """

    times_ps: np.ndarray
    alone: bool

    def read(self, k: int) -> np.ndarray:
        """Return velocities k, counted from 0, (N, 3) Å/ps."""


class Frames(Protocol):
    """A reader of frames.

    Attributes
    ----------
    name
        File name or another name, for messages.
    n_frames
        Number of whole frames.
    cut_short
        Description of the frame in which the file ends; empty for a complete file.
    numbers, masses
        (N,) atomic numbers; amu.
    bonds
        (n_bonds, 2) bonded atoms; None when the file has none.
    times_known
        Whether the times of the frames are in ps.
    unwrapped
        Whether the positions cross the faces of the cell without being wrapped back.
    velocity_series
        Velocities of other frames than those with positions; None when every frame has both, or none has velocities.
    hints
        "times" or "velocities" -> why they are not known, or what would make them known, where the reader can tell.
    """

    name: str
    n_frames: int
    cut_short: str
    numbers: np.ndarray
    masses: np.ndarray
    bonds: np.ndarray | None
    times_known: bool
    unwrapped: bool

    velocity_series: VelocitySeries | None
    hints: Mapping[str, str]

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return an MDAnalysis universe of the same atoms, to select from.

        Parameters
        ----------
        molecule
            (N,) molecule of each atom, counted from 0.
        """


class Identity(NamedTuple):
    """Elements, masses and bonds of the atoms of a trajectory.

    Attributes
    ----------
    numbers, masses
        (N,) atomic numbers; amu.
    bonds
        (n_bonds, 2) or None when they are not known.
    universe
        To select from; None when only the elements are known.
    """

    numbers: np.ndarray
    masses: np.ndarray
    bonds: np.ndarray | None
    universe: Universe | None
