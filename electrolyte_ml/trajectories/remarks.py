"""Remark in the topology of a run that states the mass of heavy hydrogens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_HYDROGEN_MASS = "REMARK   1 HYDROGEN MASS"


def hydrogen_mass_remark(mass: float) -> str:
    """Return the line of a .pdb file that states the mass (amu) of all hydrogens in the dynamics."""
    return f"{_HYDROGEN_MASS} {mass:g} AMU"


def stated_hydrogen_mass(files: Any, topology: Any = None) -> float | None:
    """Return the mass of hydrogens (amu) in the dynamics of a run; None if it is the natural mass or not stated.

    Parameters
    ----------
    files, topology
        As for :func:`electrolyte_ml.trajectories.open_trajectory`. The .pdb file in the folder of a run states the
        mass.
    """
    several = isinstance(files, Sequence) and not isinstance(files, str)
    for place in [topology, *(files if several else [files])]:
        if isinstance(place, (str, os.PathLike)):
            path = Path(place)
            path = path / "topology.pdb" if path.is_dir() else path
            if path.suffix == ".pdb" and path.is_file():
                with open(path, errors="replace") as stream:
                    first = stream.readline()
                if first.startswith(_HYDROGEN_MASS):
                    return float(first.removeprefix(_HYDROGEN_MASS).split()[0])
    return None
