"""Active sets in the files of MLIP-3 (``.almtp``), which LAMMPS's pair style `mtp/extrapolation` reads."""

from __future__ import annotations

import os

import numpy as np

from electrolyte_ml.active_learning.active_set import ActiveSet
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.potentials.mlip3 import Selection, selection_content
from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential


def almtp_content(active_set: ActiveSet) -> bytes:
    """Return the content of a file that holds a potential and its active set.

    The configurations that the rows came from are not in it: LAMMPS does not read them, programs of MLIP-3 that extend
    a set would.

    Raises
    ------
    InputError
        A set of mode "configuration", or of a potential that is not a moment tensor potential alone.
    """
    potential = active_set.potential
    if not isinstance(potential, MomentTensorPotential):
        raise InputError("a .almtp file holds a moment tensor potential alone, without further terms")
    if active_set.mode != "neighbourhood":
        raise InputError("only an active set of mode 'neighbourhood' is written to a .almtp file")
    result = active_set.result
    unknown = np.full(len(result.index), -1)
    selection = Selection(result.matrix, result.inverse, result.index >= 0, unknown)
    return potential.to_text().encode() + selection_content(selection)


def write_almtp(path: str | os.PathLike[str], active_set: ActiveSet) -> None:
    """Write a potential with its active set, atomically; parameters and errors as of :func:`almtp_content`."""
    atomic_write(path, almtp_content(active_set))
