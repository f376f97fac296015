"""Identifiability of the parameters of charge redistribution: directions that a data set fixes or leaves free.

Energies and forces depend on the parameters only through the charges. Neutral compositions with the same ratio of
species have the same charges: a set with one ratio fixes S - 1 of the 2 S - 2 directions of the parameters of S
species. Along the other directions, the charges of the set do not change, but those of other compositions do.
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
    """Directions of the charge parameters of a model that a set fixes or leaves free.

    Attributes
    ----------
    model : QRd
        Model whose charges were differentiated at its parameters.
    rank : int
        Number of directions of the parameters that change a charge in the set.
    directions : int
        Number of directions that change a charge in some composition: 2 S - 2.
    free : (directions - rank, 2 S)
        Orthonormal directions that change no charge in the set, without the gauge directions.
    statements : tuple of str
        Description of the free directions; empty if there are none.
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
        """Return the expected drift of charges at planned compositions, because the set does not fix all directions.

        Parameters
        ----------
        compositions
            Configurations, or formulas such as "LiPF6(C3H4O3)12" and "Li(C3H4O3)4 +1".

        Returns
        -------
        (n, S), e
            Standard deviation of the charge of each species, to first order, if the parameters along the free
            directions are as random as at the start of a fit; NaN for species that are not in a composition.

        Raises
        ------
        InputError
            A species is unknown, or an item is not a formula.
        """
        drifts = [
            expected_drift(self.model, self.free, *read_composition(item, self.model.species, f"composition {number}"))
            for number, item in enumerate(compositions, start=1)
        ]
        return np.array(drifts).reshape(-1, len(self.model.species))


def identifiability(
    model: Potential | Sequence[str], configurations: Sequence[Atoms | str] | None = None
) -> Identifiability:
    """Find the directions of the charge parameters that a set of configurations fixes.

    Parameters
    ----------
    model
        Potential with charge redistribution; or chemical symbols, for parameters in general position.
    configurations
        Configurations or formulas, see `Identifiability.drift`. By default the compositions of the training set, which
        are stored in the file of the potential.

    Raises
    ------
    InputError
        The potential has no charge redistribution, or stores no compositions and none are given; the set is empty; or a
        species of a configuration is unknown.

    Examples
    --------
    >>> print(identifiability(("Li", "Cl"), ["LiCl", "Li2Cl2"]))
    this set fixes 1 of 2 directions of the charge parameters; it does not fix the difference Cl - Li of ln s
    """
    qrd = _model(model)
    if configurations is None:
        configurations = qrd.compositions
        if not configurations:
            raise InputError("the potential does not store the compositions of its training set: give the set")
    if len(configurations) == 0:
        raise InputError("identifiability needs at least one configuration")
    compositions = [
        read_composition(item, qrd.species, f"configuration {number}")
        for number, item in enumerate(configurations, start=1)
    ]
    rank, free = free_directions(qrd, compositions)
    statements = tuple(f"it does not fix {name}" for name in free_differences(qrd, free))
    return Identifiability(qrd, rank, rank + len(free), free, statements)


def _model(model: Potential | Sequence[str]) -> QRd:
    if not isinstance(model, Potential):
        return QRd.random(tuple(model))
    for part in model.parts():
        if isinstance(part, QRd):
            return part
    raise InputError(f"a potential of the kind {model.kind} has no charge redistribution")
