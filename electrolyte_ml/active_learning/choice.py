"""Selection of a given number of configurations, in the order of their extrapolation grades."""

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
    """Return the `count` configurations that are most useful to label (indices, in the order of selection).

    Each step takes the configuration of the highest extrapolation grade relative to those taken before, and MaxVol
    then updates its matrix with the rows of that configuration. The potential need not be fitted: rows at random
    parameters distinguish configurations equally well.

    Parameters
    ----------
    potential
        The potential; the rows of a correction are those of the correction alone.
    configurations
        The candidates, without or with labels.
    count
        Number of configurations to select.
    mode
        Rows of atoms, "neighbourhood", or of whole configurations, "configuration".
    terms
        As in :meth:`ActiveSet.build`.
    known : ActiveSet, optional
        Active set of an existing training set, of the same potential, mode and terms.

    Raises
    ------
    InputError
        The count exceeds the number of configurations, or for a reason of :meth:`ActiveSet.build`.
    """
    if not 1 <= count <= len(configurations):
        raise InputError(f"{count} configurations cannot be chosen among {len(configurations)}")
    rows, owner = configuration_rows(part_graded(potential, terms), configurations, mode)
    # With this threshold no row enters: the matrix keeps its start, a small multiple of the scale of each column.
    result: MaxVolResult = known.result if known else maxvol(rows, threshold=np.inf)
    chosen: list[int] = []
    while len(chosen) < count:
        grades = result.grades(rows)
        grades[np.isin(owner, chosen)] = -1.0
        chosen.append(int(owner[np.argmax(grades)]))
        result = maxvol(rows[owner == chosen[-1]], start=result)
    return np.array(chosen)
