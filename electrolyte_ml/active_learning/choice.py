"""So many of the configurations that there are: those that span most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from electrolyte_ml.active_learning.active_set import ActiveSet, Mode, configuration_rows, part_graded
from electrolyte_ml.active_learning.maxvol import MaxVolResult, maxvol
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.potential import Potential


def choose(
    potential: Potential,
    configurations: Sequence[Atoms],
    count: int,
    mode: Mode = "neighbourhood",
    *,
    terms: Sequence[str] = (),
    known: ActiveSet | None = None,
) -> np.ndarray:
    """Return which `count` configurations are most worth a label, one after the other (indices, the first one first).

    Each is the one of the largest extrapolation grade against those taken before; the rows of all its atoms then enter
    MaxVol's matrix. The potential need not be fitted: rows at random parameters tell as well which configurations are
    alike.

    Parameters
    ----------
    potential
        Of a correction the rows are those of the correction alone.
    configurations
        Labels are not needed.
    count
        How many.
    mode
        Rows of atoms, "neighbourhood", or of whole configurations.
    terms
        As in :meth:`ActiveSet.build`.
    known : ActiveSet, optional
        Of the training set that the configurations would join, of the same potential, mode and terms.

    Raises
    ------
    InputError
        More than there are; and what :meth:`ActiveSet.build` refuses.
    """
    if not 1 <= count <= len(configurations):
        raise InputError(f"{count} configurations cannot be chosen among {len(configurations)}")
    rows, owner = configuration_rows(part_graded(potential, terms), configurations, mode)
    # With this threshold nothing enters: the matrix is the start, a small multiple of the scale of each column.
    result: MaxVolResult = known.result if known else maxvol(rows, threshold=np.inf)
    chosen: list[int] = []
    while len(chosen) < count:
        grades = result.grades(rows)
        grades[np.isin(owner, chosen)] = -1.0
        chosen.append(int(owner[np.argmax(grades)]))
        result = maxvol(rows[owner == chosen[-1]], start=result)
    return np.array(chosen)
