"""Charge redistribution as functions of its parameters: charges at a composition, derivatives, gauge and sign."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.charges.conservation import Redistribution, pull_back, redistribute
from electrolyte_ml.potentials.geometry import System
from electrolyte_ml.potentials.spec import ChargeForm

if TYPE_CHECKING:
    from ase import Atoms


def anchor(species: Sequence[str]) -> tuple[int, int]:
    """Return the index of the species whose charge has a conventional sign, and this sign."""
    for symbol, sign in (("Li", 1), ("O", -1)):
        if symbol in species:
            return list(species).index(symbol), sign
    return 0, 1


def fix_gauge(theta: np.ndarray) -> np.ndarray:
    """Return parameters (2 S,) with the same charges, sum b = 0 and sum ln s = 0, in the form "positive"."""
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
        Number of atoms of each species. The charge of a missing species has no meaning.
    total : (...), e
    form : {"positive", "raw"}

    Returns
    -------
    Redistribution
        Not finite at the pole. The form "positive" has no pole: weights are divided by the largest one, so that their
        sum is at least 1.
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
        Configuration, or formula such as "LiPF6(C3H4O3)12", followed by a total charge unless it is 0: "Li(C3H4O3)4
        +1".
    species
        Chemical symbols.
    where
        Name of the item, for messages.

    Raises
    ------
    InputError
        A species is unknown, or the text is not a formula.
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
    except ValueError:
        raise InputError(f"{where}: {item!r} is not a formula") from None
    if unknown := [symbol for symbol in numbers if symbol not in species]:
        raise InputError(f"{where}: {unknown[0]} is not one of the species {' '.join(species)}")
    return np.array([numbers.get(symbol, 0) for symbol in species], float), total


def ratio(counts: np.ndarray, total: float, species: Sequence[str]) -> str:
    """Return the ratio of species and total charge as a formula: "C11H20O9", "C12H16LiO12 +1".

    Common divisors of the numbers of atoms and the charge are removed, because all multiples of a composition have the
    same charges. `read_composition` can read the formula.
    """
    from ase.formula import Formula

    numbers, charge = [round(n) for n in counts], round(total)
    divisor = math.gcd(*numbers, charge) or 1
    reduced = {symbol: n // divisor for symbol, n in zip(species, numbers, strict=True) if n}
    formula = f"{Formula.from_dict(reduced):hill}"
    return f"{formula} {charge // divisor:+d}" if charge else formula


def ratios(systems: Iterable[System]) -> tuple[str, ...]:
    """Return the distinct ratios of systems, in the order of their first occurrence.

    Systems of a single species are left out, because their charges are Q/N for any parameters.
    """
    counted = [(np.bincount(system.species, minlength=len(system.symbols)), system) for system in systems]
    return tuple(
        dict.fromkeys(
            ratio(counts, system.charge, system.symbols) for counts, system in counted if (counts > 0).sum() > 1
        )
    )
