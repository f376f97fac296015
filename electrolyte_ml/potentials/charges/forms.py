"""Coulomb energies as quadratic forms in the charges of the species, for charges that depend on the species alone.

With q_a the charge of species a, E = 1/2 sum_ab q_a q_b M_ab, and likewise the virial; the force on an atom i of
species z is F_i = q_z sum_a q_a f_a(i), where f_a(i) is the field at i if each atom of species a has a unit charge.
These coefficients depend on the positions only: for training they are computed once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from electrolyte_ml.potentials.coulomb import CoulombSolver
from electrolyte_ml.potentials.geometry import Geometry


class TypeForms(NamedTuple):
    """Coefficients of the quadratic forms of one configuration; zero for species that it has not.

    Attributes
    ----------
    energies : (S, S) eV/e^2
        M, symmetric.
    potentials : (N, S) eV/e^2
        Potential at each atom, by species of the unit charges that make it.
    fields : (N, S, 3) eV/Å/e^2
        The same for the field.
    virials : (S, S, 3, 3) eV/e^2
        Symmetric in both pairs of indices.
    """

    energies: np.ndarray
    potentials: np.ndarray
    fields: np.ndarray
    virials: np.ndarray


def type_potentials(geometry: Geometry, solver: CoulombSolver, threads: int = 1) -> np.ndarray:
    """Return the potential at each atom by species of the unit charges that make it, (N, S) eV/e^2."""
    species, n_species = geometry.system.species, len(geometry.system.symbols)
    potentials = np.zeros((geometry.n_atoms, n_species))
    for a in np.unique(species):
        potentials[:, a] = solver.solve(geometry, (species == a).astype(float), threads).potentials
    return potentials


def type_forms(geometry: Geometry, solver: CoulombSolver, threads: int = 1) -> TypeForms:
    """Return all coefficients, by one solution for each pair of species that are there."""
    species, n_species = geometry.system.species, len(geometry.system.symbols)
    n = geometry.n_atoms
    potentials, fields = np.zeros((n, n_species)), np.zeros((n, n_species, 3))
    virials = np.zeros((n_species, n_species, 3, 3))
    present = np.unique(species)
    member = {a: species == a for a in present}
    for a in present:
        alone = solver.solve(geometry, member[a].astype(float), threads)
        potentials[:, a] = alone.potentials
        fields[member[a], a] = alone.forces[member[a]]
        virials[a, a] = alone.virial + alone.virial.T
    for k, a in enumerate(present):
        for b in present[:k]:
            both = solver.solve(geometry, (member[a] | member[b]).astype(float), threads)
            # The field of both species less that of an atom's own species is that of the other.
            fields[member[a], b] = both.forces[member[a]] - fields[member[a], a]
            fields[member[b], a] = both.forces[member[b]] - fields[member[b], b]
            virials[a, b] = virials[b, a] = (both.virial + both.virial.T - virials[a, a] - virials[b, b]) / 2
    energies = np.array([potentials[species == a].sum(0) for a in range(n_species)])
    return TypeForms((energies + energies.T) / 2, potentials, fields, virials)
