"""Models of the charges of atoms, and the energy of these charges."""

from electrolyte_ml.potentials.charges.electrostatics import Electrostatics
from electrolyte_ml.potentials.charges.identifiability import Identifiability, identifiability
from electrolyte_ml.potentials.charges.qrd import QRd

__all__ = ["Electrostatics", "Identifiability", "QRd", "identifiability"]
