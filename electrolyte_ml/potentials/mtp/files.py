"""Reading and writing of `.mtp` files."""

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
    """Read a potential from a `.mtp` file of MLIP, motep, LAMMPS or this package.

    Parameters
    ----------
    path : path
    species : sequence of str, optional
        Chemical symbols in the order of the file; required for files of other programs, which contain none.

    Raises
    ------
    InputError
        The radial basis is not supported, counts do not agree, the file is truncated or untrained, or there are no
        element names. The message names the line.
    """
    return MomentTensorPotential.from_text(
        read_text(path, until=MARKER), str(path), tuple(species) if species else None
    )
