"""Base class of potentials E = 1/2 sum_ij phi(r_ij; z_i, z_j): derived classes define phi and its derivatives."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.potentials.interface import Evaluation
from electrolyte_ml.potentials.potential import Potential

if TYPE_CHECKING:
    from ase import Atoms


class PairPotential(Potential):
    """Sum over pairs; the energy of a pair is divided equally between its atoms."""

    @abstractmethod
    def pair_energy(self, r: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return phi (P,) eV and dphi/dr (P,) eV/Å at the distances `r` (P,) Å between species `a` and `b` (P,)."""

    def pair_gradient(self, r: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivatives of phi and dphi/dr by the parameters, (m, P) each; by default m = 0."""
        return np.zeros((0, len(r))), np.zeros((0, len(r)))

    def evaluate(self, atoms: Atoms | Geometry, threads: int | None = None) -> Evaluation:
        """Return energy, site energies, forces and virial."""
        geometry = self.geometry(atoms)
        pairs = _Pairs.of(geometry)
        n = geometry.n_atoms
        phi, slope = self.pair_energy(pairs.r, pairs.a, pairs.b)
        push = 0.5 * slope * pairs.unit  # (3, P) derivative of the energy of the central atom by r_ij
        forces = np.stack([np.bincount(pairs.i, axis, n) - np.bincount(pairs.j, axis, n) for axis in push], axis=1)
        energies = np.bincount(pairs.i, 0.5 * phi, n)
        return Evaluation(float(energies.sum()), forces, energies, (pairs.r * pairs.unit) @ push.T, geometry.volume)

    def pullback(
        self, atoms: Atoms | Geometry, by_energies: np.ndarray, by_forces: np.ndarray, by_virial: np.ndarray
    ) -> np.ndarray:
        """Return dL/dtheta (m,) from dL/dE_i (N,), dL/dF (N, 3) and dL/dVirial (3, 3), symmetric."""
        pairs = _Pairs.of(self.geometry(atoms))
        by_phi, by_slope = self.pair_gradient(pairs.r, pairs.a, pairs.b)
        along = ((by_forces[pairs.i] - by_forces[pairs.j]).T * pairs.unit).sum(0)
        along += pairs.r * (pairs.unit * (by_virial @ pairs.unit)).sum(0)
        return 0.5 * (by_phi @ by_energies[pairs.i] + by_slope @ along)

    def site_energy_gradients(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE_i/dtheta of each atom, (N, m)."""
        geometry = self.geometry(atoms)
        pairs = _Pairs.of(geometry)
        by_phi, _ = self.pair_gradient(pairs.r, pairs.a, pairs.b)
        rows = [np.bincount(pairs.i, 0.5 * row, geometry.n_atoms) for row in by_phi]
        return np.array(rows).reshape(-1, geometry.n_atoms).T


class _Pairs(NamedTuple):
    """Pairs listed for both atoms: atoms i and j, their species a and b, distance r (P,) and unit vector (3, P)."""

    i: np.ndarray
    j: np.ndarray
    a: np.ndarray
    b: np.ndarray
    r: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, geometry: Geometry) -> _Pairs:
        near, species = geometry.near, geometry.system.species
        i, j = geometry.centre, near.other
        r = np.sqrt((near.vector**2).sum(0))
        return cls(i, j, species[i], species[j], r, near.vector / r)
