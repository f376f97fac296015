"""Record of the pressure tensor of a run at constant volume, for the computation of the viscosity."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import read_json

STRESS_FILE = "pressure.f4"
COMPONENTS = ("xx", "yy", "zz", "yz", "xz", "xy")


@dataclass(frozen=True)
class StressRecord:
    """Pressure tensor of one run.

    Attributes
    ----------
    interval_ps : float
        Time between frames.
    volume : float, Å³
    pressures : (F, 6), bar
        Components in the order xx, yy, zz, yz, xz, xy.
    name : str
        Name for messages.
    """

    interval_ps: float
    volume: float
    pressures: np.ndarray
    name: str


def has_stress_record(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder contains a record of the pressure tensor of a run."""
    return (Path(folder) / STRESS_FILE).is_file()


def encode_pressures(pressures: np.ndarray) -> bytes:
    """Return the bytes of one frame of the file: six numbers in single precision, bar."""
    return np.asarray(pressures, "<f4").tobytes()


def read_stress_record(folder: str | os.PathLike[str]) -> StressRecord:
    """Read the pressure tensor of a run; a truncated last frame is left out.

    Parameters
    ----------
    folder
        Folder of a run with an :class:`electrolyte_ml.dynamics.StressRecorder`.

    Raises
    ------
    InputError
        There is no record, or it cannot be read.
    """
    path = Path(folder) / STRESS_FILE
    try:
        header = read_json(path.with_suffix(".json"))
        content = path.read_bytes()
        values = np.frombuffer(content, "<f4", len(content) // 24 * 6).astype(float).reshape(-1, 6)
        if not len(values):
            raise InputError(f"{path} holds no whole frame")
        return StressRecord(header.number("interval_ps"), header.number("volume"), values, str(path))
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: no such file") from None
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a record of the pressure ({error})") from error
