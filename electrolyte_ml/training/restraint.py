"""A weak pull of the charges to given values, off by default, as in the fit of charges by RESP.

Bayly, Cieplak, Cornell and Kollman, J. Phys. Chem. 97, 10269 (1993).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from electrolyte_ml.checks import number
from electrolyte_ml.errors import InputError


@dataclass(frozen=True)
class ChargeRestraint:
    """A term of the loss that pulls the mean charge of species to given values.

        L_q = w_q / K sum_k sum_z (q_kz - q_z)^2

    q_kz is the mean charge of the atoms of species z in configuration k, of those that have several atoms; z runs over
    the species with a given charge q_z. It works for every model that has charges.

    Parameters
    ----------
    charges : mapping of str to float, e
        q_z by chemical symbol, of some species or of all.
    weight : float, eV^2/e^2
        w_q, beside the energy weight w_e.

    Raises
    ------
    InputError
        No charges, charges that are not finite numbers, a weight that is not positive.
    """

    charges: Mapping[str, float]
    weight: float = 0.01

    def __post_init__(self) -> None:
        if not self.charges:
            raise InputError("a charge restraint needs the charge of one species or more")
        for symbol, charge in self.charges.items():
            number(f"charge restraint of {symbol}", charge, "e", least=-np.inf)
        number("weight of the charge restraint", self.weight)

    def targets(self, species: tuple[str, ...]) -> np.ndarray:
        """Return q_z (S,), NaN for species without one.

        Raises
        ------
        InputError
            A species that the potential does not know.
        """
        if unknown := [symbol for symbol in self.charges if symbol not in species]:
            raise InputError(
                f"charge restraint of {unknown[0]}: the potential has only the species {' '.join(species)}"
            )
        return np.array([self.charges.get(symbol, np.nan) for symbol in species])
