"""Weak restraint of charges to given values, as in RESP; off by default.

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
    """Term of the loss that restrains the mean charges of species to given values.

        L_q = w_q / K sum_k sum_z (q_kz - q_z)^2

    q_kz is the mean charge of the atoms of species z in configuration k; configurations of a single atom are left out,
    and z runs over the species with a given charge q_z. The restraint works for every model with charges.

    Parameters
    ----------
    charges : mapping of str to float, e
        q_z by chemical symbol, for some or all species.
    weight : float, eV^2/e^2
        w_q, to be compared with the energy weight w_e.

    Raises
    ------
    InputError
        There are no charges, charges are not finite, or the weight is not positive.
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
        """Return q_z (S,), NaN for species without a given charge.

        Raises
        ------
        InputError
            A species is not one of the potential.
        """
        if unknown := [symbol for symbol in self.charges if symbol not in species]:
            raise InputError(
                f"charge restraint of {unknown[0]}: the potential has only the species {' '.join(species)}"
            )
        return np.array([self.charges.get(symbol, np.nan) for symbol in species])
