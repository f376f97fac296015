"""What is learnt: potentials, their sums and files, and their ASE calculator."""

from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import (
    Block,
    Evaluation,
    Potential,
    Prediction,
    Stepper,
    TrainingTerm,
)
from electrolyte_ml.potentials.mtp import (
    Basis,
    Contraction,
    MomentTensorPotential,
    basis,
    contractions,
    read_mtp,
    write_mtp,
)
from electrolyte_ml.potentials.registry import kind, kinds, register
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.potentials.store import load, save
from electrolyte_ml.potentials.sum import Sum

__all__ = [
    "Basis",
    "Block",
    "Contraction",
    "Evaluation",
    "Geometry",
    "ModelSpec",
    "MomentTensorPotential",
    "Potential",
    "Prediction",
    "Stepper",
    "Sum",
    "System",
    "TrainingTerm",
    "basis",
    "contractions",
    "kind",
    "kinds",
    "load",
    "read_mtp",
    "register",
    "save",
    "write_mtp",
]
