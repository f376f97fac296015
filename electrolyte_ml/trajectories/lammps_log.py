"""Thermodynamic output in log files of LAMMPS."""

from __future__ import annotations

import os

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import read_text


def read_log(path: str | os.PathLike[str]) -> list[dict[str, np.ndarray]]:
    """Read the tables of a log of LAMMPS, one for each run.

    Parameters
    ----------
    path
        Of a log with the thermo style "one" or "custom".

    Returns
    -------
    list of dict of str to (n,) float
        Columns by the names in the file, such as Step, Time (ps in units "metal"), Temp, Density (g/cm³); only whole
        rows of a run that was cut short.

    Raises
    ------
    InputError
        A file without such a table.

    Examples
    --------
    >>> from electrolyte_ml.analysis.density import mean_density  # doctest: +SKIP
    >>> table = read_log("equilibration.log")[-1]  # doctest: +SKIP
    >>> mean_density((table["Time"], table["Density"]))  # doctest: +SKIP
    """
    tables: list[dict[str, np.ndarray]] = []
    names: list[str] | None = None
    rows: list[list[float]] = []
    for line in [*read_text(path).splitlines(), ""]:
        words = line.split()
        if words[:1] == ["Step"]:
            names, rows = words, []
        elif names is not None and len(words) == len(names) and (row := _numbers(words)) is not None:
            rows.append(row)
        elif names is not None and not line.startswith("WARNING"):
            tables.append(dict(zip(names, np.array(rows).reshape(-1, len(names)).T)))
            names = None
    if not tables:
        raise InputError(f"{path}: it holds no thermo output of LAMMPS")
    return tables


def _numbers(words: list[str]) -> list[float] | None:
    try:
        return [float(word) for word in words]
    except ValueError:
        return None
