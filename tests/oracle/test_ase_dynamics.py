"""Means and variances of the compiled ensembles against those of ASE's own integrators, on the same soft spheres."""

import numpy as np
import pytest
from ase import units
from ase.constraints import FixCom
from ase.md.bussi import Bussi
from ase.md.nose_hoover_chain import IsotropicMTKNPT, NoseHooverChainNVT
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

from electrolyte_ml.dynamics import run_md

TEMPERATURE, PRESSURE, STEP = 300.0, 3000.0, 8.0  # K, bar, fs
STEPS, EVERY = 20_000, 10  # of ASE


def statistics(values, blocks=20):
    """Mean and variance with their standard errors from blocks."""
    values = np.asarray(values)[len(values) // 10 :]

    def average(quantity):
        means = [block.mean() for block in np.array_split(quantity, blocks)]
        return quantity.mean(), np.std(means) / np.sqrt(blocks - 1)

    return (*average(values), *average((values - values.mean()) ** 2))


def of_ase(spheres, make, read):
    """Run one of ASE's integrators and sample a quantity."""
    atoms = spheres[0].copy()
    atoms.calc = spheres[1].calculator(threads=1)
    MaxwellBoltzmannDistribution(atoms, temperature_K=TEMPERATURE, rng=np.random.default_rng(0))
    Stationary(atoms)
    values = []
    dynamics = make(atoms)
    dynamics.attach(lambda: values.append(read(atoms)), interval=EVERY)
    dynamics.run(STEPS)
    return statistics(values)


def of_ours(spheres, ensemble, thermostat, read):
    """Five times as long: what is compared has mostly the error of ASE's run."""
    result = run_md(
        *spheres, ensemble=ensemble, thermostat=thermostat, temperature=TEMPERATURE, pressure_bar=PRESSURE,
        timestep_fs=STEP, time_ps=5 * STEPS * STEP / 1000, log_interval_fs=EVERY * STEP, tdamp_fs=200, pdamp_fs=300,
        compressibility_per_bar=1e-4, frame_interval_fs=1e6, restart_interval_fs=1e6, seed=5, progress=False,
    )  # fmt: skip
    assert result.completed
    return statistics(read(result))


def agree(ours, theirs, precise):
    """Compare within 3.5 standard errors; `precise` is what the errors of mean and variance must stay below."""
    for k in (0, 2):
        error = np.hypot(ours[k + 1], theirs[k + 1])
        assert error < precise[k // 2]
        assert abs(ours[k] - theirs[k]) < 3.5 * error


@pytest.mark.slow
@pytest.mark.parametrize("thermostat", ["bussi", "nose-hoover"])
def test_potential_energy_at_constant_volume(spheres, thermostat):
    def theirs(atoms):
        if thermostat == "bussi":
            atoms.set_constraint(FixCom())  # 3 N - 3 degrees of freedom
            rng = np.random.default_rng(1)
            return Bussi(atoms, STEP * units.fs, temperature_K=TEMPERATURE, taut=200 * units.fs, rng=rng)
        # It puts kT / 2 for each of 3 N coordinates into the 3 N - 3 that move.
        colder = TEMPERATURE * (len(atoms) - 1) / len(atoms)
        return NoseHooverChainNVT(atoms, STEP * units.fs, temperature_K=colder, tdamp=200 * units.fs)

    ours = of_ours(spheres, "nvt", thermostat, lambda result: result.energies)
    other = of_ase(spheres, theirs, lambda atoms: atoms.get_potential_energy())
    agree(ours, other, (0.02 * ours[0], 0.2 * ours[2]))


@pytest.mark.slow
def test_volume_at_constant_pressure(spheres):
    def theirs(atoms):
        colder = TEMPERATURE * (len(atoms) - 1) / len(atoms)
        return IsotropicMTKNPT(
            atoms, STEP * units.fs, temperature_K=colder, pressure_au=PRESSURE * units.bar, tdamp=200 * units.fs,
            pdamp=600 * units.fs,
        )  # fmt: skip

    mass = spheres[0].get_masses().sum()
    ours = of_ours(spheres, "npt", "bussi", lambda result: mass / units._Nav * 1e24 / result.densities)
    other = of_ase(spheres, theirs, lambda atoms: atoms.get_volume())
    agree(ours, other, (0.02 * ours[0], 0.2 * ours[2]))
