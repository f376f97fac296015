"""Charge models and their electrostatic energy."""

from electrolyte_ml.potentials.charges.electrostatics import Electrostatics
from electrolyte_ml.potentials.charges.identifiability import Identifiability, identifiability
from electrolyte_ml.potentials.charges.qrd import QRd
from electrolyte_ml.potentials.charges.random_starts import (
    ChargeChanges,
    Share,
    charge_changes,
    draw_parameters,
    share_of,
)

__all__ = [
    "ChargeChanges",
    "Electrostatics",
    "Identifiability",
    "QRd",
    "Share",
    "charge_changes",
    "draw_parameters",
    "identifiability",
    "share_of",
]
