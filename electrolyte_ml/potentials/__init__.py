"""What is learnt: potentials, their sums and files, and their ASE calculator."""

from electrolyte_ml.potentials.blocks import Block
from electrolyte_ml.potentials.fixed import Fixed, correction_on
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation, Prediction, Stepper, TrainingTerm
from electrolyte_ml.potentials.mtp import (
    Basis,
    Contraction,
    MomentTensorPotential,
    basis,
    contractions,
    read_mtp,
    write_mtp,
)
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.potentials.registry import kind, kinds, register
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.potentials.store import load
from electrolyte_ml.potentials.sum import Sum

__all__ = [
    "Basis",
    "Block",
    "Contraction",
    "Evaluation",
    "Fixed",
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
    "correction_on",
    "kind",
    "kinds",
    "load",
    "read_mtp",
    "register",
    "write_mtp",
]
