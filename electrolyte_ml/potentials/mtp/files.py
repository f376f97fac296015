"""Moment tensor potentials in `.mtp` files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential


def write_mtp(path: str | Path, potential: MomentTensorPotential) -> None:
    """Write a `.mtp` file, atomically."""
    potential.save(path)


def read_mtp(path: str | Path, species: Sequence[str] | None = None) -> MomentTensorPotential:
    """Read a potential from a `.mtp` file of MLIP's, motep's, LAMMPS's or our own.

    Parameters
    ----------
    path : path
    species : sequence of str, optional
        Chemical symbols in the file's order; needed for files of other programs, which carry none.

    Raises
    ------
    InputError
        Naming the line: another radial basis, counts that do not fit, a truncated or untrained file, no element names.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file") from None
    return MomentTensorPotential.from_text(text, str(path), tuple(species) if species else None)
