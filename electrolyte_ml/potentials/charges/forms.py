"""Coulomb energies as quadratic forms in the charges of the species, if all atoms of a species have the same charge.

With the charge q_a of species a, E = 1/2 sum_ab q_a q_b M_ab, and the virial has the same form. The force on an atom i
of species z is F_i = q_z sum_a q_a f_a(i), where f_a(i) is the field at i if each atom of species a has a unit charge.
The coefficients depend only on the positions: for training they are computed once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from electrolyte_ml.potentials.coulomb import CoulombSolver
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.structures.neighbours import neighbour_list


class TypeForms(NamedTuple):
    """Coefficients of the quadratic forms of one configuration; zero for missing species.

    Attributes
    ----------
    energies : (S, S) eV/e^2
        M, symmetric.
    potentials : (N, S) eV/e^2
        Potential at each atom due to unit charges on all atoms of each species.
    fields : (N, S, 3) eV/Å/e^2
        Field at each atom due to unit charges on all atoms of each species.
    virials : (S, S, 3, 3) eV/e^2
        Symmetric in both pairs of indices.
    """

    energies: np.ndarray
    potentials: np.ndarray
    fields: np.ndarray
    virials: np.ndarray


def type_potentials(geometry: Geometry, solver: CoulombSolver, threads: int = 1) -> np.ndarray:
    """Return the potential at each atom due to unit charges on all atoms of each species, (N, S) eV/e^2."""
    species, n_species = geometry.system.species, len(geometry.system.symbols)
    solver = solver.fixed_for(geometry.cell, np.ones(geometry.n_atoms))
    potentials = np.zeros((geometry.n_atoms, n_species))
    for a in np.unique(species):
        potentials[:, a] = solver.solve(geometry, (species == a).astype(float), threads).potentials
    return potentials


def type_forms(geometry: Geometry, solver: CoulombSolver, threads: int = 1) -> TypeForms:
    """Return all coefficients, from one solution for each species and each pair of species, with only their atoms.

    The total time is about that of one solution with all atoms per species.
    """
    species, n_species = geometry.system.species, len(geometry.system.symbols)
    solver = solver.fixed_for(geometry.cell, np.ones(geometry.n_atoms))
    n = geometry.n_atoms
    potentials, fields = np.zeros((n, n_species)), np.zeros((n, n_species, 3))
    virials = np.zeros((n_species, n_species, 3, 3))
    present = np.unique(species)
    for a in present:
        atoms = np.flatnonzero(species == a)
        alone = solver.solve(_part(geometry, atoms), np.ones(len(atoms)), threads)
        potentials[atoms, a], fields[atoms, a] = alone.potentials, alone.forces
        virials[a, a] = alone.virial + alone.virial.T
    for k, a in enumerate(present):
        for b in present[:k]:
            atoms = np.flatnonzero((species == a) | (species == b))
            both = solver.solve(_part(geometry, atoms), np.ones(len(atoms)), threads)
            # The contribution of the other species is that of both minus that of the atom's own species.
            own = species[atoms]
            other = np.where(own == a, b, a)
            potentials[atoms, other] = both.potentials - potentials[atoms, own]
            fields[atoms, other] = both.forces - fields[atoms, own]
            virials[a, b] = virials[b, a] = (both.virial + both.virial.T - virials[a, a] - virials[b, b]) / 2
    energies = np.array([potentials[species == a].sum(0) for a in range(n_species)])
    return TypeForms((energies + energies.T) / 2, potentials, fields, virials)


def _part(geometry: Geometry, atoms: np.ndarray) -> Geometry:
    """Return the configuration of some of the atoms."""
    if len(atoms) == geometry.n_atoms:
        return geometry
    system = geometry.system._replace(species=geometry.system.species[atoms])
    positions, n_species = geometry.positions[atoms], len(system.symbols)
    pairs = neighbour_list(positions, geometry.cell, system.pbc, geometry.cutoff, system.species, n_species)
    return Geometry.from_list(system, pairs, positions, geometry.cell, geometry.cutoff)
