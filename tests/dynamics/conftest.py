"""Cheap liquids: argon by ASE's Lennard-Jones, and stiff diatomic molecules that can break."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones


class Diatomic(Calculator):
    """Morse bonds between atoms 2 k and 2 k + 1, Lennard-Jones between all others, minimum image of any cell."""

    implemented_properties = ("energy", "forces", "stress")
    depth, width, bond = 4.0, 2.0, 1.2  # eV, 1/Å, Å
    epsilon, sigma, cutoff = 0.010, 3.2, 6.0  # eV, Å, Å

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        n, cell = len(atoms), atoms.cell.array
        i, j = np.triu_indices(n, 1)
        d = atoms.positions[j] - atoms.positions[i]
        d -= np.round(d @ np.linalg.inv(cell)) @ cell
        r = np.linalg.norm(d, axis=1)
        bonded = (i // 2 == j // 2) & (i % 2 == 0)
        pull = np.exp(-self.width * (r[bonded] - self.bond))
        slope = np.zeros(len(r))
        slope[bonded] = 2 * self.depth * self.width * (1 - pull) * pull
        close = ~bonded & (r < self.cutoff)
        s6, c6 = (self.sigma / r[close]) ** 6, (self.sigma / self.cutoff) ** 6
        slope[close] = 24 * self.epsilon * (s6 - 2 * s6**2) / r[close]
        energy = (self.depth * (1 - pull) ** 2).sum() + 4 * self.epsilon * (s6**2 - s6 - c6**2 + c6).sum()
        f = (slope / r)[:, None] * d
        forces = np.zeros((n, 3))
        np.add.at(forces, i, f)
        np.add.at(forces, j, -f)
        stress = (d.T @ f) / atoms.cell.volume
        self.results = {
            "energy": energy,
            "forces": forces,
            "stress": stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
        }


@pytest.fixture
def argon():
    """32 atoms of argon, slightly disordered."""
    atoms = bulk("Ar", "fcc", 5.6, cubic=True).repeat(2)
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.fixture
def lennard_jones():
    """A fresh calculator at every call."""
    return lambda: LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True)


@pytest.fixture
def diatomic():
    """20 diatomic molecules on a lattice, and their calculator."""
    corners = np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3)[:20] * 4.0 + 0.7
    turn = np.random.default_rng(2).normal(size=(20, 3))
    turn *= 0.6 / np.linalg.norm(turn, axis=1)[:, None]
    positions = np.stack([corners - turn, corners + turn], axis=1).reshape(-1, 3)
    return Atoms("N40", positions, cell=[12.0] * 3, pbc=True), Diatomic()
