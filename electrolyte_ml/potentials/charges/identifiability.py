"""What a set of configurations fixes of the charge redistribution, and what it leaves free.

Energies and forces see the parameters through the charges alone. All compositions of one ratio, if neutral, have the
same charges: a set of one ratio fixes S - 1 of the 2 S - 2 directions of the parameters of S species. Along the others
the charges of the set do not change, and those of another composition do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.charges.composition import read_composition
from electrolyte_ml.potentials.charges.directions import free_differences, free_directions
from electrolyte_ml.potentials.charges.drift import expected_drift
from electrolyte_ml.potentials.charges.qrd import QRd
from electrolyte_ml.potentials.potential import Potential

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Identifiability:
    """What a set fixes of a model's charge parameters.

    Attributes
    ----------
    model : QRd
        At whose parameters the charges were differentiated.
    rank : int
        Number of directions of the parameters that change a charge in the set.
    directions : int
        Number of directions that change a charge in some composition: 2 S - 2.
    free : (directions - rank, 2 S)
        Orthonormal directions that change no charge in the set; the gauge directions are not among them.
    statements : tuple of str
        What is free, in words; empty if nothing is.
    """

    model: QRd
    rank: int
    directions: int
    free: np.ndarray
    statements: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"this set fixes {self.rank} of {self.directions} directions of the charge parameters"
        return "; ".join([fixed, *self.statements])

    def drift(self, compositions: Sequence[Atoms | str]) -> np.ndarray:
        """Return how far the charges of planned compositions are from being fixed by the set.

        Parameters
        ----------
        compositions
            Configurations, or formulas such as "LiPF6(C3H4O3)12" and "Li(C3H4O3)4 +1".

        Returns
        -------
        (n, S), e
            Standard deviation of each species' charge, to first order, if the free directions are as random as in the
            starts of a fit; NaN for species that a composition has not.

        Raises
        ------
        InputError
            An unknown species, or something that is no formula.
        """
        drifts = [
            expected_drift(self.model, self.free, *read_composition(item, self.model.species, f"composition {number}"))
            for number, item in enumerate(compositions, start=1)
        ]
        return np.array(drifts).reshape(-1, len(self.model.species))


def identifiability(
    model: Potential | Sequence[str], configurations: Sequence[Atoms | str] | None = None
) -> Identifiability:
    """Find out what a set of configurations fixes of the charge parameters.

    Parameters
    ----------
    model
        A potential with charge redistribution; or chemical symbols, for parameters in general position.
    configurations
        The set; or formulas, see `Identifiability.drift`. By default the compositions that the potential was trained
        on, which its file keeps.

    Raises
    ------
    InputError
        A potential without charge redistribution, or without compositions where none are given; an empty set; a
        configuration with an unknown species.

    Examples
    --------
    >>> print(identifiability(("Li", "Cl"), ["LiCl", "Li2Cl2"]))
    this set fixes 1 of 2 directions of the charge parameters; it does not fix the difference Cl - Li of ln s
    """
    qrd = _model(model)
    if configurations is None:
        configurations = qrd.compositions
        if not configurations:
            raise InputError("the compositions that the potential was trained on are not in its file: give the set")
    if len(configurations) == 0:
        raise InputError("identifiability needs at least one configuration")
    found = [
        read_composition(item, qrd.species, f"configuration {number}")
        for number, item in enumerate(configurations, start=1)
    ]
    rank, free = free_directions(qrd, found)
    statements = tuple(f"it does not fix {name}" for name in free_differences(qrd, free))
    return Identifiability(qrd, rank, rank + len(free), free, statements)


def _model(model: Potential | Sequence[str]) -> QRd:
    if not isinstance(model, Potential):
        return QRd.random(tuple(model))
    for part in model.parts():
        if isinstance(part, QRd):
            return part
    raise InputError(f"a potential of the kind {model.kind} has no charge redistribution")
