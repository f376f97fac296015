"""Frames from ASE configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms, units

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.frames import Frame, VelocitySeries
from electrolyte_ml.trajectories.universes import plain_universe

if TYPE_CHECKING:
    from MDAnalysis import Universe


class AtomsFrames:
    """Frames from ASE configurations; `info["time_ps"]` is the time of a frame, if it is given.

    Parameters
    ----------
    configurations
        Configurations with the same atoms in the same order; a sequence that reads them on demand saves memory.
    name
        Name for messages.
    cut_short
        Description of the frame in which the file ends, if it is truncated.
    """

    unwrapped = False
    velocity_series: VelocitySeries | None = None
    hints: Mapping[str, str] = MappingProxyType({})

    def __init__(self, configurations: Sequence[Atoms], name: str = "the configurations", cut_short: str = "") -> None:
        first = configurations[0]
        self.name, self.n_frames, self.cut_short = name, len(configurations), cut_short
        self.numbers, self.masses = first.numbers.copy(), first.get_masses()
        self.bonds: np.ndarray | None = None
        self.times_known = "time_ps" in first.info
        self._configurations = configurations

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0.

        Raises
        ------
        InputError
            The atoms are not those of frame 1, or the frame is periodic in only one or two directions.
        """
        atoms = self._configurations[k]
        if not np.array_equal(atoms.numbers, self.numbers):
            raise InputError("its atoms are not those of frame 1 in the same order")
        if atoms.cell.rank == 3 and not atoms.pbc.all():
            raise InputError("it is not periodic in all three directions")
        velocities = atoms.get_velocities() * 1000.0 * units.fs if atoms.has("momenta") else None
        cell = atoms.cell.array.copy() if atoms.cell.rank == 3 else None
        return Frame(atoms.positions, cell, velocities, float(atoms.info.get("time_ps", np.nan)))

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return an MDAnalysis universe of the same atoms for selections by element, name, type or resid."""
        return plain_universe(self.numbers, molecule)
