"""What is learnt: the moment tensor potential, its basis, its files and its ASE calculator."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from .basis import Basis, Contraction, basis, contractions
from .files import read_mtp, write_mtp
from .mtp import Evaluation, MomentTensorPotential

__all__ = [
    "Basis",
    "Contraction",
    "Evaluation",
    "MomentTensorPotential",
    "basis",
    "contractions",
    "load",
    "read_mtp",
    "write_mtp",
]


def load(path: str | Path, species: tuple[str, ...] | list[str] | None = None) -> MomentTensorPotential:
    """Load a potential from a file.

    Parameters
    ----------
    path : path
        An `.mtp` file of this package, MLIP, motep or LAMMPS.
    species : sequence of str, optional
        Chemical symbols in the file's order, for files that carry none.

    Raises
    ------
    InputError
        Naming the file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return read_mtp(path, species)
