"""What a set of configurations fixes of the charge redistribution, and what it leaves free.

Energies and forces see the parameters through the charges alone. All compositions of one ratio, if neutral, have the
same charges: a set of one ratio fixes S - 1 of the 2 S - 2 directions of the parameters of S species. Along the others
the charges of the set do not change, and those of another composition do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.charges.composition import (
    by_parameters,
    composition,
    fix_gauge,
    gauge_directions,
    redistributed,
)
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.potentials.spec import ChargeForm

if TYPE_CHECKING:
    from ase import Atoms

TOLERANCE = 1e-8  # of the largest singular value; smaller ones are zero
INDEPENDENT = 1e-6  # of the largest difference: what is less follows from differences named before
SPREAD = 1 / np.sqrt(3)  # standard deviation of U(-1, 1), from which starts are drawn


@runtime_checkable
class Redistributing(Protocol):
    """A model of charges by species that add up to a total, with its parameters b and s."""

    species: tuple[str, ...]
    form: ChargeForm
    compositions: tuple[str, ...]

    @property
    def parameters(self) -> np.ndarray:
        """(2 S,) b, then s."""


@dataclass(frozen=True)
class Identifiability:
    """What a set fixes of a model's charge parameters.

    Attributes
    ----------
    species : tuple of str
    parameters : (2 S,)
        At which the charges were differentiated.
    form : {"positive", "raw"}
    rank : int
        Number of directions of the parameters that change a charge in the set.
    directions : int
        Number of directions that change a charge in some composition: 2 S - 2.
    free : (directions - rank, 2 S)
        Orthonormal directions that change no charge in the set; the gauge directions are not among them.
    differences : tuple of str
        Differences between species that are free, none of which follows from the others; empty if nothing is.
    """

    species: tuple[str, ...]
    parameters: np.ndarray
    form: ChargeForm
    rank: int
    directions: int
    free: np.ndarray
    differences: tuple[str, ...]

    @property
    def statements(self) -> tuple[str, ...]:
        """What is free, as sentences."""
        return tuple(f"it does not fix {difference}" for difference in self.differences)

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
            self.drift_at(*composition(item, self.species, f"composition {number}"))
            for number, item in enumerate(compositions, start=1)
        ]
        return np.array(drifts).reshape(-1, len(self.species))

    def drift_at(self, counts: np.ndarray, total: float) -> np.ndarray:
        """Return the drift (S,) at one composition, given by the number of atoms of each species and the charge."""
        moved = _derivative(self.parameters, counts, total, self.form) @ self.free.T
        return np.where(counts > 0, SPREAD * np.linalg.norm(moved, axis=1), np.nan)


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
        on, which its file tells.

    Raises
    ------
    InputError
        A potential without charge redistribution, or one that does not tell its compositions when none are given; an
        empty set; a configuration with an unknown species.

    Examples
    --------
    >>> print(identifiability(("Li", "Cl"), ["LiCl", "Li2Cl2"]))
    this set fixes 1 of 2 directions of the charge parameters; it does not fix the difference Cl - Li of ln s
    """
    if isinstance(model, Potential):
        found = next((part for part in model.parts() if isinstance(part, Redistributing)), None)
        if found is None:
            raise InputError(f"a potential of the kind {model.kind} has no charge redistribution")
        species, parameters, form = found.species, found.parameters, found.form
        if configurations is None:
            configurations = found.compositions
            if not configurations:
                raise InputError("the potential does not tell the compositions that it was trained on: give the set")
    else:
        species, form = tuple(model), "positive"
        parameters = np.random.default_rng(0).uniform(-1, 1, 2 * len(species))
    if form == "positive":
        parameters = fix_gauge(parameters)  # the drift does not depend on where a fit has left it
    if not configurations:
        raise InputError("identifiability needs at least one configuration")
    compositions = [
        composition(item, species, f"configuration {number}") for number, item in enumerate(configurations, start=1)
    ]
    distinct = {(tuple(counts.tolist()), total): (counts, total) for counts, total in compositions}
    rows = [_derivative(parameters, counts, total, form)[counts > 0] for counts, total in distinct.values()]
    _, values, vectors = np.linalg.svd(np.concatenate(rows))
    rank = int((values > TOLERANCE * values.max(initial=0.0)).sum())
    null = vectors[rank:]  # the gauge directions among them
    gauge = np.linalg.qr(gauge_directions(parameters, form).T)[0]
    apart = null - (null @ gauge) @ gauge.T
    n_free = len(null) - gauge.shape[1]
    free = np.linalg.svd(apart)[2][:n_free]
    differences = _differences(species, parameters, form, free)
    return Identifiability(species, parameters, form, rank, len(parameters) - gauge.shape[1], free, differences)


def _derivative(parameters: np.ndarray, counts: np.ndarray, total: float, form: ChargeForm) -> np.ndarray:
    """Return the derivative of the charge of each species by the parameters, (S, 2 S)."""
    return by_parameters(redistributed(parameters, counts, total, form), np.eye(len(counts)), counts, form)


def _differences(
    species: tuple[str, ...], parameters: np.ndarray, form: ChargeForm, free: np.ndarray
) -> tuple[str, ...]:
    """Name as many differences between species as there are free directions, none of which follows from the others.

    They are of ln s, and of b / s, which no gauge changes but for a factor.
    """
    b, s = np.split(parameters, 2)
    by_b, by_s = np.split(free, 2, axis=1)
    weights = np.exp(s) if form == "positive" else s
    if form == "raw":
        by_s = by_s / s
    by_ratio = (by_b - by_s * b) / weights
    differences: list[str] = []
    known = np.zeros((0, len(free)))
    for name, along in (("ln s", by_s), ("b / s", by_ratio)):
        scale = np.abs(along).max(initial=0.0) or 1.0
        for a in range(1, len(species)):
            difference = (along[:, a] - along[:, 0]) / scale
            rest = difference - known.T @ (known @ difference)
            if np.linalg.norm(rest) > INDEPENDENT:
                known = np.vstack([known, rest / np.linalg.norm(rest)])
                differences.append(f"the difference {species[a]} - {species[0]} of {name}")
    return tuple(differences)
