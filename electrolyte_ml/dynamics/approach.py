"""Configurations that led to the collapse of a run, from a replay of its last steps.

Molecules that fall into a hole of the potential do so within some ten femtoseconds, between two frames. A run is
reproducible from its restart file: when it has ended, the steps since the last restart file are run again, and the
configurations before the end are kept. A reference that labels them shows the potential what it does not know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.structures.charge import bare_configuration
from electrolyte_ml.structures.neighbours import periodic_pairs

if TYPE_CHECKING:
    from ase import Atoms

APPROACH = "approach.xyz"
COLLAPSES = ("broken molecule", "overlap", "temperature", "nan", "calculator")  # reasons of runs that are replayed
_INTERVAL_FS, _LENGTH_FS = 5.0, 200.0  # monitors of molecules may notice a collapse 0.1 ps later
_CLOSEST = 0.7  # Å; configurations with closer atoms are no use as labels


class LatestConfigurations:
    """Recorder that keeps the configurations of the last 200 fs in memory, 5 fs apart, and writes nothing.

    Parameters
    ----------
    timestep_fs
        Time step of the run, fs.
    """

    file = "latest"
    constant_volume = False

    def __init__(self, timestep_fs: float) -> None:
        self.every = max(1, round(_INTERVAL_FS / timestep_fs))
        self._frames: deque[Atoms] = deque(maxlen=round(_LENGTH_FS / (self.every * timestep_fs)))

    def header(self, atoms: Atoms, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return no header."""
        return {}

    def frame(self, step: int, time_ps: float, atoms: Atoms, results: Mapping[str, Any]) -> bytes:
        """Keep the configuration, with its step in `info`."""
        kept = bare_configuration(atoms)
        kept.info["step"] = step
        self._frames.append(kept)
        return b""

    def usable(self) -> Sequence[Atoms]:
        """Return the kept configurations up to the first one with atoms closer than 0.7 Å."""
        count = next((k for k, atoms in enumerate(self._frames) if _has_collapsed(atoms)), len(self._frames))
        return list(self._frames)[:count]


def _has_collapsed(atoms: Atoms) -> bool:
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return True
    return bool(len(periodic_pairs(atoms.positions, atoms.cell.array, atoms.pbc, _CLOSEST)[0]))
