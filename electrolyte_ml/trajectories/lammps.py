"""What LAMMPS files do not say themselves: units, and the columns of a data file."""

from __future__ import annotations

from pathlib import Path

from electrolyte_ml.errors import InputError

# Units -> Å/ps and ps of LAMMPS's units of velocity and time.
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
    """Return the factors that turn velocities into Å/ps and times into ps; None for both where `units` is None.

    Raises
    ------
    InputError
        For units other than "metal" and "real".
    """
    if units is None:
        return None, None
    if units not in _VELOCITY_AND_TIME:
        raise InputError(f"{name}: LAMMPS units must be one of {', '.join(_VELOCITY_AND_TIME)}, not {units!r}")
    return _VELOCITY_AND_TIME[units]


def atom_columns(path: Path) -> str:
    """Return the columns of the atoms in a data file, by the style named behind "Atoms"; "full" where none is.

    Raises
    ------
    InputError
        For an unknown style, or a file without atoms.
    """
    with open(path, errors="replace") as stream:  # what is not UTF-8 is named by the reader of the atoms
        for line in stream:
            if line.startswith("Atoms"):
                style = line.partition("#")[2].strip() or "full"
                if style not in _ATOM_STYLES:
                    raise InputError(f"{path}: atoms of style {style!r}; known are {', '.join(_ATOM_STYLES)}")
                return _ATOM_STYLES[style]
    raise InputError(f"{path}: a LAMMPS data file without atoms")
