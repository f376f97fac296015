"""Frames, and the interface of all readers of frames; with random access, only one frame is in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from MDAnalysis import Universe


class Frame(NamedTuple):
    """Frame of a trajectory.

    Attributes
    ----------
    positions
        (N, 3) Å.
    cell
        (3, 3) Å, vectors as rows; None if the file has none.
    velocities
        (N, 3) Å/ps or None.
    time
        Time in ps if `times_known` of the reader is true; otherwise a number that is linear in time, or NaN.
    """

    positions: np.ndarray
    cell: np.ndarray | None
    velocities: np.ndarray | None
    time: float


class VelocitySeries(Protocol):
    """Velocities at other times than the positions.

    Attributes
    ----------
    times_ps
        (F,) ps.
    alone
        Whether no frame has positions: the positions of the reader are then those of its topology.
    """

    times_ps: np.ndarray
    alone: bool

    def read(self, k: int) -> np.ndarray:
        """Return the k-th velocities, counted from 0, (N, 3) Å/ps."""


class Frames(Protocol):
    """Reader of frames.

    Attributes
    ----------
    name
        File name or another name, for messages.
    n_frames
        Number of complete frames.
    cut_short
        Description of the frame in which the file ends; empty for a complete file.
    numbers, masses
        (N,) atomic numbers; masses in amu.
    bonds
        (n_bonds, 2) bonded atoms; None if the file has none.
    times_known
        Whether the times of the frames are in ps.
    unwrapped
        Whether the positions are unwrapped.
    velocity_series
        Velocities of other frames than those with positions; None if every frame has both, or no frame has velocities.
    stated_step
        Time between frames that the file states without a unit; None if it states none, or its unit.
    atomic_charges
        (N,) charges of the atoms, e, such as those of a force field; None if the file has none.
    hints
        "times" or "velocities" -> reason why they are not known, or advice, if the reader has any.
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
    stated_step: float | None
    atomic_charges: np.ndarray | None
    hints: Mapping[str, str]

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return an MDAnalysis universe of the same atoms, for selections.

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
        (N,) atomic numbers; masses in amu.
    bonds
        (n_bonds, 2) bonded atoms, or None if they are not known.
    universe
        Universe for selections; None if only the elements are known.
    """

    numbers: np.ndarray
    masses: np.ndarray
    bonds: np.ndarray | None
    universe: Universe | None
