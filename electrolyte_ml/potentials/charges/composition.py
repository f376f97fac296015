"""Functions of the parameters of charge redistribution: charges by composition, their derivatives, gauge and sign."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.potentials.charges.conservation import Redistribution, pull_back, redistribute
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.spec import ChargeForm

if TYPE_CHECKING:
    from ase import Atoms


def anchor(species: Sequence[str]) -> tuple[int, int]:
    """Return the place of the species whose charge has a sign by convention, and that sign."""
    for symbol, sign in (("Li", 1), ("O", -1)):
        if symbol in species:
            return list(species).index(symbol), sign
    return 0, 1


def fix_gauge(theta: np.ndarray) -> np.ndarray:
    """Return parameters (2 S,) of the same charges with sum b = 0 and sum ln s = 0, in the form "positive"."""
    b, s = np.split(theta, 2)
    neutral = redistributed(theta, np.ones(len(b)), 0.0, "positive").charges
    return np.concatenate([neutral, s - s.mean()])


def redistributed(theta: np.ndarray, counts: np.ndarray, total: np.ndarray | float, form: ChargeForm) -> Redistribution:
    """Redistribute by species.

    Parameters
    ----------
    theta : (..., 2 S)
        b and s.
    counts : (..., S)
        Atoms of each species. The charge of a species that is not there means nothing.
    total : (...), e
    form : {"positive", "raw"}

    Returns
    -------
    Redistribution
        Not finite at the pole. In the form "positive" there is none: weights are scaled by the largest, whose atoms
        alone make the sum 1 or more.
    """
    b, s = np.split(theta, 2, axis=-1)
    if form == "positive":
        largest = np.where(counts > 0, s, -np.inf).max(-1, keepdims=True)
        s = np.exp(np.minimum(s - largest, 0.0))
    return redistribute(b, s, total, counts)


def by_parameters(shared: Redistribution, by_charges: np.ndarray, counts: np.ndarray, form: ChargeForm) -> np.ndarray:
    """Return dL/dtheta (..., 2 S) from dL/dq (..., S), summed over the atoms of each species."""
    by_b = pull_back(shared.shares, by_charges, counts)
    by_s = by_b * shared.excess * (shared.shares if form == "positive" else 1 / shared.total_weight)
    return np.concatenate([by_b, by_s], axis=-1)


def read_composition(item: Atoms | str, species: Sequence[str], where: str) -> tuple[np.ndarray, float]:
    """Return the number of atoms of each species (S,), and the total charge (e).

    Parameters
    ----------
    item
        A configuration, or a formula such as "LiPF6(C3H4O3)12", with a total charge behind it unless it is 0:
        "Li(C3H4O3)4 +1".
    species
        Chemical symbols.
    where
        Name of the item, for messages.

    Raises
    ------
    InputError
        An unknown species, or something that is no formula.
    """
    if not isinstance(item, str):
        try:
            system = System.of(item, tuple(species))
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        return np.bincount(system.species, minlength=len(species)).astype(float), system.charge
    from ase.formula import Formula

    formula, _, charge = item.partition(" ")
    try:
        numbers, total = Formula(formula).count(), int(charge or 0)
    except ValueError as error:
        raise InputError(f"{where}: {item!r} is no formula: {first_line(error)}") from None
    if unknown := [symbol for symbol in numbers if symbol not in species]:
        raise InputError(f"{where}: {unknown[0]} is not among the species {' '.join(species)}")
    return np.array([numbers.get(symbol, 0) for symbol in species], float), total


def ratio(counts: np.ndarray, total: float, species: Sequence[str]) -> str:
    """Return the ratio of the species and the total charge as a formula: "C11H20O9", "C12H16LiO12 +1".

    Numbers of atoms and charge have no common divisor: their multiples have the same charges. `read_composition` reads
    it back.
    """
    from ase.formula import Formula

    numbers, charge = [round(n) for n in counts], round(total)
    divisor = math.gcd(*numbers, charge) or 1
    reduced = {symbol: n // divisor for symbol, n in zip(species, numbers, strict=True) if n}
    formula = f"{Formula.from_dict(reduced):hill}"
    return f"{formula} {charge // divisor:+d}" if charge else formula


def ratios(systems: Iterable[System]) -> tuple[str, ...]:
    """Return the distinct ratios of systems, in the order in which they come first.

    Those of a single species are left out: its charge is Q/N whatever the parameters.
    """
    counted = [(np.bincount(one.species, minlength=len(one.symbols)), one) for one in systems]
    return tuple(
        dict.fromkeys(ratio(counts, one.charge, one.symbols) for counts, one in counted if (counts > 0).sum() > 1)
    )
