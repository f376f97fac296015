"""Pressure tensors in tables of other programs: GROMACS's .xvg, and text with column names in its header."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import numpy as np

from electrolyte_ml.checks import one_of
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import read_text
from electrolyte_ml.trajectories.stress_record import COMPONENTS, StressRecord
from electrolyte_ml.units import PRESSURE_UNITS

_LEGEND = re.compile(r'@\s+s(\d+)\s+legend\s+"([^"]*)"')
_COMPONENT = re.compile(r"(?:p|pres|press|pressure|stress|s|sigma)?[-_]?([xyz])[-_]?([xyz])", re.IGNORECASE)
_EVENNESS = 1e-3  # largest relative variation of the time step


def read_stress_table(
    path: str | os.PathLike[str], volume: float, *, unit: str | None = None, interval_ps: float | None = None
) -> StressRecord:
    """Read a pressure tensor over time from a table.

    Parameters
    ----------
    path
        An .xvg file of ``gmx energy`` with Pres-XX to Pres-ZZ (in ps and bar), or a text file. The header of a text
        file, its last line before the numbers, names the columns Pxx Pyy Pzz Pyz Pxz Pxy in any order and optionally
        time_ps, among others, as in the thermo output of LAMMPS.
    volume
        Volume of the cell, Å³.
    unit
        Unit of the pressures, one of :data:`electrolyte_ml.units.PRESSURE_UNITS`; required for a text file.
    interval_ps
        Time between rows; replaces the times in the file.

    Raises
    ------
    InputError
        Columns are missing, rows have different lengths, values are not finite, times are not evenly spaced, or the
        unit or the time between rows is unknown. The message names the file.
    """
    if unit is not None:
        one_of("unit of pressure", unit, tuple(PRESSURE_UNITS))
    lines = read_text(path).splitlines()
    matches = [match for line in lines if (match := _LEGEND.match(line.strip()))]
    legends = {int(match[1]): match[2] for match in matches}
    rows = [line.split() for line in lines if _is_data(line)]
    if not rows:
        raise InputError(f"{path} contains no row of numbers")
    names = ["time_ps", *(legends[key] for key in sorted(legends))] if legends else _header(lines)
    place = {quantity: k for k, name in enumerate(names) if (quantity := _quantity(name))}
    if missing := [name for name in COMPONENTS if name not in place]:
        raise InputError(f"{path}: its header names no column P{missing[0]} (it has {' '.join(names) or 'no header'})")
    if bad := next((k for k, row in enumerate(rows, 1) if len(row) != len(names)), 0):
        raise InputError(f"{path}: row {bad} has {len(rows[bad - 1])} numbers, not {len(names)}")
    values = np.array(rows, dtype=float)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: row {int(np.argmax(~np.isfinite(values).all(axis=1))) + 1} is not finite")
    if unit is None and not legends:
        raise InputError(f"{path} does not state the unit of its pressures: give it (unit=, --pressure-unit)")
    if interval_ps is None:
        interval_ps = _interval(path, values[:, place["time"]] if "time" in place else None)
    pressures = PRESSURE_UNITS[unit or "bar"] * values[:, [place[name] for name in COMPONENTS]]
    return StressRecord(interval_ps, volume, pressures, str(path))


def _interval(path: str | os.PathLike[str], times: np.ndarray | None) -> float:
    """Return the time between rows, ps."""
    if times is None:
        raise InputError(
            f"{path} has no column time_ps: give the time between its rows (interval_ps=, --pressure-interval)"
        )
    steps = np.diff(times)
    if not len(steps) or not (steps > 0).all() or np.ptp(steps) > _EVENNESS * steps.mean():
        raise InputError(f"{path}: its times are not evenly spaced")
    return float(steps.mean())


def _is_data(line: str) -> bool:
    """Return whether a line consists only of numbers."""
    words = line.split()
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def _header(lines: Sequence[str]) -> list[str]:
    """Return the words of the last line before the numbers, without a comment sign."""
    first = next(k for k, line in enumerate(lines) if _is_data(line))
    return lines[first - 1].lstrip("#").split() if first else []


def _quantity(name: str) -> str:
    """Return the pressure component or "time" for the name of a column; empty for other columns."""
    plain = name.strip().removeprefix("c_").removeprefix("v_")
    if re.fullmatch(r"time[_(\[]?ps[)\]]?", plain, re.IGNORECASE):
        return "time"
    match = _COMPONENT.fullmatch(plain)
    return "".join(sorted(match[1].lower() + match[2].lower())) if match else ""
