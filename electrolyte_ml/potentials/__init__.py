"""Potentials: models, their sums and files, and their ASE calculator.

The module can be called: ``electrolyte_ml.potentials()`` lists the potentials that come with the package.
"""

import sys
from types import ModuleType

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
from electrolyte_ml.potentials.shipped import ShippedPotential, ShippedPotentials, shipped_potentials
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
    "ShippedPotential",
    "ShippedPotentials",
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
    "shipped_potentials",
    "write_mtp",
]


class _Callable(ModuleType):
    """Module that lists the shipped potentials when it is called."""

    def __call__(self) -> ShippedPotentials:
        """Return the potentials that come with the package; see `shipped_potentials`."""
        return shipped_potentials()


sys.modules[__name__].__class__ = _Callable
