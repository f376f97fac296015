"""Small systems of charges, and derivatives of a solver's energy by differences."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.potentials.geometry import Geometry


def geometry(atoms, cutoff=3.0):
    return Geometry.of(atoms, tuple(sorted(set(atoms.get_chemical_symbols()))), cutoff)


def strained(atoms, strain):
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ (np.eye(3) + strain).T, scale_atoms=True)
    if not atoms.pbc.any():
        copy.positions = atoms.positions @ (np.eye(3) + strain).T
    return copy


def slope(energy, step):
    """The derivative of energy(x) at 0, exact for polynomials of the sixth degree."""
    pairs = [(energy(k * step) - energy(-k * step)) * weight for k, weight in ((1, 45), (2, -9), (3, 1))]
    return sum(pairs) / (60 * step)


def derivatives(solver, atoms, charges, step=1e-3):
    """Potentials, forces and virial by differences of the energy."""

    def energy(atoms, charges=charges):
        return solver.solve(geometry(atoms), charges).energy

    def moved(i, axis, x):
        copy = atoms.copy()
        copy.positions[i, axis] += x
        return copy

    n = len(atoms)
    one = np.eye(n)
    potentials = [slope(lambda x, i=i: energy(atoms, charges + x * one[i]), 0.1) for i in range(n)]
    forces = [[-slope(lambda x, i=i, a=a: energy(moved(i, a, x)), step) for a in range(3)] for i in range(n)]
    virial = np.empty((3, 3))
    for a in range(3):
        for b in range(3):
            unit = np.outer(np.eye(3)[a], np.eye(3)[b])
            virial[a, b] = slope(lambda x, unit=unit: energy(strained(atoms, x * unit)), step)
    return np.array(potentials), np.array(forces), virial


def ions(n, total, seed=0, *, cell=(6.0, 6.5, 7.0), skew=0.0, apart=1.0):
    """`n` random charges in a cell, no two closer than `apart` (Å)."""
    rng = np.random.default_rng(seed)
    cell = np.diag(cell) + skew * np.diag(cell) @ rng.uniform(-1, 1, (3, 3))
    while True:
        atoms = Atoms("Li" * n, rng.uniform(0, 1, (n, 3)) @ cell, cell=cell, pbc=True)
        distances = atoms.get_all_distances(mic=True)[np.triu_indices(n, 1)]
        if n == 1 or distances.min() > apart:
            break
    charges = rng.uniform(-1, 1, n)
    return atoms, charges + (total - charges.sum()) / n


@pytest.fixture(scope="session")
def systems():
    """Name -> atoms and charges: neutral, charged, skewed, tiny, elongated, and a single ion."""
    return {
        "neutral": ions(6, 0.0),
        "charged": ions(5, 1.5, 1),
        "skewed": ions(5, -1.0, 2, skew=0.6),
        "tiny": ions(2, 0.5, 3, cell=(1.9, 2.1, 2.3), skew=0.3),
        "long": ions(4, 0.0, 4, cell=(2.5, 3.0, 19.0)),
        "single": ions(1, 1.0, 5, cell=(3.0, 3.2, 3.4), skew=0.2),
    }
