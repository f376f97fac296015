"""Moment tensor potentials: basis, parameters, files, and compiled training and dynamics."""

from electrolyte_ml.potentials.mtp.basis import Basis, Contraction, basis, contractions
from electrolyte_ml.potentials.mtp.files import read_mtp, write_mtp
from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential

__all__ = ["Basis", "Contraction", "MomentTensorPotential", "basis", "contractions", "read_mtp", "write_mtp"]
