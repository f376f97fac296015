"""Moment tensor potentials in `.mtp` files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from electrolyte_ml.files import read_text
from electrolyte_ml.potentials.mlip3 import MARKER
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
    return MomentTensorPotential.from_text(
        read_text(path, until=MARKER), str(path), tuple(species) if species else None
    )
