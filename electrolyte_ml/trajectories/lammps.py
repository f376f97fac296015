"""Properties that LAMMPS files do not state: units, and columns of data files."""

from __future__ import annotations

from pathlib import Path

from electrolyte_ml.errors import InputError

# Units -> velocity unit in Å/ps and time unit in ps.
_VELOCITY_AND_TIME = {"metal": (1.0, 1.0), "real": (1000.0, 0.001)}
_ATOM_STYLES = {
    "atomic": "id type x y z",
    "charge": "id type charge x y z",
    "bond": "id resid type x y z",
    "angle": "id resid type x y z",
    "molecular": "id resid type x y z",
    "full": "id resid type charge x y z",
}


def unit_factors(units: str | None, name: str) -> tuple[float | None, float | None]:
    """Return the factors that convert velocities to Å/ps and times to ps; both are None if `units` is None.

    Raises
    ------
    InputError
        The units are neither "metal" nor "real".
    """
    if units is None:
        return None, None
    if units not in _VELOCITY_AND_TIME:
        raise InputError(f"{name}: LAMMPS units must be one of {', '.join(_VELOCITY_AND_TIME)}, not {units!r}")
    return _VELOCITY_AND_TIME[units]


def atom_columns(path: Path) -> str:
    """Return the columns of the atoms in a data file, by the style named after "Atoms"; by default "full".

    Raises
    ------
    InputError
        The style is unknown, or the file has no atoms.
    """
    with open(path, errors="replace") as stream:  # the reader of the atoms reports bytes that are not UTF-8
        for line in stream:
            if line.startswith("Atoms"):
                style = line.partition("#")[2].strip() or "full"
                if style not in _ATOM_STYLES:
                    raise InputError(f"{path}: unknown atom style {style!r}; known are {', '.join(_ATOM_STYLES)}")
                return _ATOM_STYLES[style]
    raise InputError(f"{path} is a LAMMPS data file without atoms")
