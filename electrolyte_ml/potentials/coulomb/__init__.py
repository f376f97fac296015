"""Coulomb sums: energy, potentials, forces and virial of charges from any model."""

from electrolyte_ml.potentials.coulomb.bare import BareSum
from electrolyte_ml.potentials.coulomb.ewald import Ewald
from electrolyte_ml.potentials.coulomb.interface import CoulombResult, CoulombSolver
from electrolyte_ml.potentials.coulomb.mesh import MeshSum, ParticleMesh, useful_threads
from electrolyte_ml.potentials.coulomb.splitting import MeshSplitting

__all__ = [
    "BareSum",
    "CoulombResult",
    "CoulombSolver",
    "Ewald",
    "MeshSplitting",
    "MeshSum",
    "ParticleMesh",
    "useful_threads",
]
