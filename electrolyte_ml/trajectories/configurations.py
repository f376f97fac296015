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


_OF_CP2K = {"i", "time", "E"}  # in the comments of the frames of CP2K, whose times are in fs


class AtomsFrames:
    """Frames from ASE configurations.

    The time of a frame is `info["time_ps"]`, or that of a comment of CP2K ("i = 5, time = 2.5, E = -1.0", fs). The unit
    of any other "time" or "Time" is not known.

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
        self._key, self._unit_ps = ("time", 1e-3) if first.info.keys() >= _OF_CP2K else ("time_ps", 1.0)
        self.times_known = self._key in first.info
        self._configurations = configurations
        self.stated_step = None if self.times_known else _stated_step(configurations)
        charges = first.get_initial_charges()
        self.atomic_charges = charges if charges.any() else None

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
        try:
            time = self._unit_ps * float(atoms.info.get(self._key, np.nan))
        except (TypeError, ValueError):
            raise InputError(f"its {self._key} is not a number") from None
        return Frame(atoms.positions, cell, velocities, time)

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return an MDAnalysis universe of the same atoms for selections by element, name, type or resid."""
        return plain_universe(self.numbers, molecule)


def _stated_step(configurations: Sequence[Atoms]) -> float | None:
    """Return the difference of "time" or "Time" between the first two configurations, if the last one agrees with it.

    Other numbers of this name, such as the duration of a calculation, do not grow evenly.
    """
    n = len(configurations)
    if n < 3:
        return None
    for key in ("time", "Time"):
        try:
            first, second, last = (float(configurations[k].info[key]) for k in (0, 1, n - 1))
        except (KeyError, TypeError, ValueError, InputError):
            continue
        step = second - first
        if step > 0 and abs(last - first - (n - 1) * step) < 1e-3 * step * n:
            return step
    return None
