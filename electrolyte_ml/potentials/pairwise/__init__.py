"""Pair potentials: sums over pairs of atoms."""

from electrolyte_ml.potentials.pairwise.potential import PairPotential
from electrolyte_ml.potentials.pairwise.zbl import ZBL

__all__ = ["ZBL", "PairPotential"]
