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

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.potentials.charges.composition import by_parameters, redistributed
from electrolyte_ml.potentials.charges.qrd import QRd
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.potential import Potential

if TYPE_CHECKING:
    from ase import Atoms

TOLERANCE = 1e-8  # of the largest singular value; smaller ones are zero
INDEPENDENT = 1e-6  # of the largest difference: what is less follows from differences named before
SPREAD = 1 / np.sqrt(3)  # standard deviation of U(-1, 1), from which starts are drawn


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
            Configurations, or formulas of neutral ones such as "LiPF6(C3H4O3)12".

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
        drifts = []
        for number, item in enumerate(compositions, start=1):
            counts, total = read_composition(item, self.model.species, f"composition {number}")
            moved = _derivative(self.model, counts, total) @ self.free.T
            drifts.append(np.where(counts > 0, SPREAD * np.linalg.norm(moved, axis=1), np.nan))
        return np.array(drifts).reshape(-1, len(self.model.species))


def identifiability(model: Potential | Sequence[str], configurations: Sequence[Atoms | str]) -> Identifiability:
    """Find out what a set of configurations fixes of the charge parameters.

    Parameters
    ----------
    model
        A potential with charge redistribution; or chemical symbols, for parameters in general position.
    configurations
        The set, or formulas of neutral configurations.

    Raises
    ------
    InputError
        A potential without charge redistribution, an empty set, a configuration with an unknown species.

    Examples
    --------
    >>> print(identifiability(("Li", "Cl"), ["LiCl", "Li2Cl2"]))
    this set fixes 1 of 2 directions of the charge parameters; it does not fix the difference Cl - Li of ln s
    """
    qrd = _model(model)
    if len(configurations) == 0:
        raise InputError("identifiability needs at least one configuration")
    found = [
        read_composition(item, qrd.species, f"configuration {number}")
        for number, item in enumerate(configurations, start=1)
    ]
    distinct = {(tuple(counts.tolist()), total): (counts, total) for counts, total in found}
    rows = np.concatenate([_derivative(qrd, counts, total)[counts > 0] for counts, total in distinct.values()])
    _, values, vectors = np.linalg.svd(rows)
    rank = int((values > TOLERANCE * values.max(initial=0.0)).sum())
    null = vectors[rank:]  # the gauge directions among them
    gauge = np.linalg.qr(qrd.gauge_directions.T)[0]
    apart = null - (null @ gauge) @ gauge.T
    n_free = len(null) - gauge.shape[1]
    free = np.linalg.svd(apart)[2][:n_free]
    return Identifiability(qrd, rank, qrd.n_parameters - gauge.shape[1], free, _statements(qrd, free))


def _model(model: Potential | Sequence[str]) -> QRd:
    if not isinstance(model, Potential):
        return QRd.random(tuple(model))
    for part in model.parts():
        if isinstance(part, QRd):
            return part
    raise InputError(f"a potential of the kind {model.kind} has no charge redistribution")


def read_composition(item: Atoms | str, species: tuple[str, ...], where: str) -> tuple[np.ndarray, float]:
    """Return the number of atoms of each species (S,), and the total charge in e.

    Parameters
    ----------
    item
        A configuration, or the formula of a neutral one.
    species
        Chemical symbols.
    where
        Name of the item in messages.

    Raises
    ------
    InputError
        An unknown species, or something that is no formula.
    """
    if isinstance(item, str):
        from ase.formula import Formula

        try:
            numbers = Formula(item).count()
        except ValueError as error:
            raise InputError(f"{where}: {item!r} is no formula: {first_line(error)}") from None
        if unknown := [symbol for symbol in numbers if symbol not in species]:
            raise InputError(f"{where}: {unknown[0]} is not among the species {' '.join(species)}")
        return np.array([numbers.get(symbol, 0) for symbol in species], float), 0.0
    try:
        system = System.of(item, species)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return np.bincount(system.species, minlength=len(species)).astype(float), system.charge


def _derivative(qrd: QRd, counts: np.ndarray, total: float) -> np.ndarray:
    """Return the derivative of the charge of each species by the parameters, (S, 2 S)."""
    shared = redistributed(qrd.parameters, counts, total, qrd.form)
    return by_parameters(shared, np.eye(len(counts)), counts, qrd.form)


def _statements(qrd: QRd, free: np.ndarray) -> tuple[str, ...]:
    """Name as many differences between species as there are free directions, none of which follows from the others.

    They are of ln s, and of b / s, which no gauge changes but for a factor.
    """
    by_b, by_s = np.split(free, 2, axis=1)
    if qrd.form == "raw":
        by_s = by_s / qrd.s
    by_ratio = (by_b - by_s * qrd.b) / qrd.weights
    statements: list[str] = []
    known = np.zeros((0, len(free)))
    for name, along in (("ln s", by_s), ("b / s", by_ratio)):
        scale = np.abs(along).max(initial=0.0) or 1.0
        for a in range(1, len(qrd.species)):
            difference = (along[:, a] - along[:, 0]) / scale
            rest = difference - known.T @ (known @ difference)
            if np.linalg.norm(rest) > INDEPENDENT:
                known = np.vstack([known, rest / np.linalg.norm(rest)])
                statements.append(f"it does not fix the difference {qrd.species[a]} - {qrd.species[0]} of {name}")
    return tuple(statements)
