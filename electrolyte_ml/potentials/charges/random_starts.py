"""Changes of charges between compositions, for many random models.

The sum of the weights s is linear in the numbers of atoms. If it has different signs for two compositions, the charges
of some mixture of the two are infinite: the pole lies between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.charges.composition import read_composition, redistributed
from electrolyte_ml.potentials.spec import ChargeForm

if TYPE_CHECKING:
    from ase import Atoms

LIMIT = 0.5  # e, largest acceptable change of a charge


@dataclass(frozen=True)
class ChargeChanges:
    """Charges of many models at one composition, and their changes at others.

    Attributes
    ----------
    charges : (n, S), e
        Charges at the first composition; NaN for missing species.
    largest : (n, P), e
        Largest change of a charge among the species that occur in both compositions.
    crosses : (n, P) bool
        Whether the pole lies between the two compositions.
    """

    charges: np.ndarray
    largest: np.ndarray
    crosses: np.ndarray

    def failed(self, limit: float = LIMIT) -> np.ndarray:
        """Return whether a charge changes by more than a limit (e) or the pole lies between, (n, P)."""
        return np.asarray(self.crosses | ~(self.largest <= limit))  # NaN and infinity fail


class Share(NamedTuple):
    """Fraction of independent cases with its 95 % interval."""

    value: float
    low: float
    high: float


def share_of(cases: np.ndarray) -> Share:
    """Return the fraction of true cases (n,) bool, with the exact binomial interval (Clopper and Pearson, 1934)."""
    from scipy.stats import binomtest

    n, k = len(cases), int(np.sum(cases))
    interval = binomtest(k, n).proportion_ci(confidence_level=0.95, method="exact")
    return Share(k / n, float(interval.low), float(interval.high))


def draw_parameters(n: int, species: Sequence[str], seed: int = 0) -> np.ndarray:
    """Return random b and s of n starts, (n, 2 S) from U(-1, 1), before the gauge and the sign are fixed."""
    return np.random.default_rng(seed).uniform(-1, 1, (n, 2 * len(species)))


def charge_changes(
    parameters: np.ndarray,
    species: Sequence[str],
    form: ChargeForm,
    first: Atoms | str,
    others: Sequence[Atoms | str],
) -> ChargeChanges:
    """Compare the charges at one composition with those at others, for many models at once.

    Parameters
    ----------
    parameters : (n, 2 S)
        b and s, as in `QRd`.
    species
        Chemical symbols.
    form : {"positive", "raw"}
    first, others
        Configurations, or formulas, see `read_composition`.

    Raises
    ------
    InputError
        The parameters have a wrong shape, a species is unknown, or a text is not a formula.
    """
    symbols = tuple(species)
    theta = np.asarray(parameters, float)
    if theta.ndim != 2 or theta.shape[1] != 2 * len(symbols):
        raise InputError(f"{len(symbols)} species need parameters (n, {2 * len(symbols)}), not {theta.shape}")
    counts, total = read_composition(first, symbols, "the first composition")
    before = redistributed(theta, counts, total, form)
    largest = np.empty((len(theta), len(others)))
    crosses = np.empty(largest.shape, bool)
    for k, item in enumerate(others):
        planned, charge = read_composition(item, symbols, f"composition {k + 1}")
        after = redistributed(theta, planned, charge, form)
        both = (counts > 0) & (planned > 0)
        with np.errstate(invalid="ignore"):
            largest[:, k] = np.abs(after.charges - before.charges)[:, both].max(1, initial=0.0)
        crosses[:, k] = (before.total_weight * after.total_weight <= 0)[:, 0]
    return ChargeChanges(np.where(counts > 0, before.charges, np.nan), largest, crosses)
