"""Compact record of a run: only its ions, written much more often than complete frames."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import read_json
from electrolyte_ml.trajectories.ions import IonTrajectory, refuse_heavy_hydrogen
from electrolyte_ml.trajectories.remarks import stated_hydrogen_mass
from electrolyte_ml.trajectories.trr import decode

ION_FILE = "ions.trr"


def has_ion_record(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder contains a record of the ions of a run."""
    return (Path(folder) / ION_FILE).is_file()


def read_ion_record(folder: str | os.PathLike[str], *, heavy_hydrogen: bool = False) -> IonTrajectory:
    """Read the ions of a run from its compact record, relative to the centre of mass of the whole system.

    Parameters
    ----------
    folder
        Folder of a run with an :class:`electrolyte_ml.dynamics.IonRecorder`.
    heavy_hydrogen
        As for :func:`electrolyte_ml.trajectories.read_ions`.

    Raises
    ------
    InputError
        There is no record, it cannot be read or has fewer than two frames, or the run has heavy hydrogen.
    """
    path = Path(folder) / ION_FILE
    mass = stated_hydrogen_mass(folder)
    if mass is not None and not heavy_hydrogen:
        refuse_heavy_hydrogen(str(path), mass)
    try:
        header = read_json(path.with_suffix(".json"))
        frames = decode(path.read_bytes(), len(header["charges"]) + 1)
        if not len(frames.steps):
            raise InputError("it holds no whole frame")
        steps = np.diff(frames.steps)
        if len(steps) and (steps != steps[0]).any():
            raise InputError("its frames are not evenly spaced in time")
        return IonTrajectory(
            timestep_ps=header.number("interval_ps"),
            positions=frames.positions[:, :-1] - frames.positions[:, -1:],
            velocities=frames.velocities[:, :-1] - frames.velocities[:, -1:],
            species=np.array(header["species"], dtype=str),
            charges=np.array(header["charges"], dtype=float),
            masses=np.array(header["masses"], dtype=float),
            volume=header.number("volume"),
            solvent_mass=header.number("solvent_mass") or None,
            hydrogen_mass=mass,
            cell=frames.cells[0],
            name=str(path),
        )
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: no such file") from None
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise InputError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
        raise InputError(f"{path} is not a record of ions ({error})") from error
