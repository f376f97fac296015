"""Heavy hydrogen changes the times of motions, and no average over configurations."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.dynamics.ensembles import build
from electrolyte_ml.dynamics.masses import heavy_hydrogen_masses

STIFFNESS, LENGTH = 30.0, 1.1  # eV/Å^2 and Å: a C-H bond, 2940 1/cm


class Bonds(Calculator):
    """Harmonic bonds between atoms 2 k and 2 k + 1, and nothing else."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        d = atoms.positions[1::2] - atoms.positions[::2]
        r = np.linalg.norm(d, axis=1)[:, None]
        pull = STIFFNESS * (r - LENGTH) / r * d
        forces = np.empty_like(atoms.positions)
        forces[::2], forces[1::2] = pull, -pull
        self.results = {"energy": 0.5 * STIFFNESS * ((r - LENGTH) ** 2).sum(), "forces": forces}


def gas(count=8):
    """CH radicals far apart."""
    atoms = Atoms("CH" * count, np.zeros((2 * count, 3)), cell=[100.0] * 3, pbc=True)
    atoms.positions += np.repeat(10.0 * np.arange(count), 2)[:, None]
    atoms.positions[1::2, 2] += LENGTH
    return atoms


def exact_bond_energy(temperature):
    """Mean energy of a bond: r^2 exp(-V/kT) over all lengths."""
    r = np.linspace(0.3, 2.5, 20001)
    energy = 0.5 * STIFFNESS * (r - LENGTH) ** 2
    weight = r**2 * np.exp(-energy / (units.kB * temperature))
    return (weight * energy).sum() / weight.sum()


@pytest.mark.parametrize("timestep_fs, hydrogen_mass", [(0.5, None), (1.0, 3.0)])
def test_the_mean_energy_of_bonds_is_exact_whatever_the_masses(timestep_fs, hydrogen_mass):
    """Velocities are drawn anew every 40 steps: molecules that never meet would keep their energies for ever."""
    atoms, kT = gas(), 300 * units.kB
    if hydrogen_mass is not None:
        atoms.set_masses(heavy_hydrogen_masses(atoms, hydrogen_mass))
        assert atoms.get_masses()[:2] == pytest.approx([13.019 - 3.0, 3.0])
    rng = np.random.default_rng(1)
    atoms.set_momenta(np.zeros((len(atoms), 3)))
    integrator = build(atoms, Bonds(), ensemble="nve", temperature=300, timestep_fs=timestep_fs)
    integrator.evaluate()
    energies = np.empty(400)
    for block in range(-20, len(energies)):
        masses = atoms.get_masses()[:, None]
        momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(kT * masses)
        atoms.arrays["momenta"][:] = momenta - masses * momenta.sum(axis=0) / masses.sum()
        integrator.advance(integrator.step + 40 + int(rng.integers(20)))
        if block >= 0:
            energies[block] = integrator.energy / 8
    error = np.std([part.mean() for part in np.array_split(energies, 20)]) / np.sqrt(19)
    assert error < 0.06 * exact_bond_energy(300)
    assert energies.mean() == pytest.approx(exact_bond_energy(300), abs=4 * error)


def test_three_times_the_mass_conserves_the_energy_at_longer_steps():
    """The error of velocity Verlet is (omega dt)^2, over the reduced mass: 0.930 amu, and 2.31 with heavy hydrogen."""

    def spread(timestep_fs, hydrogen_mass):
        result = run_md(
            gas(), Bonds(), ensemble="nve", temperature=300, time_ps=1.0, timestep_fs=timestep_fs,
            hydrogen_mass=hydrogen_mass, log_interval_fs=timestep_fs, progress=False,
        )  # fmt: skip
        return result.conserved_energies.std() / result.energies.std()

    plain, heavy = spread(1.0, None), spread(1.0, 3.0)
    assert plain / heavy == pytest.approx(2.31 / 0.930, rel=0.15)
    assert spread(1.5, 3.0) < plain
