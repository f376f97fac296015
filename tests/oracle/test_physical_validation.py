"""What the ensembles sample, judged by physical_validation: Merz and Shirts, PLoS ONE 13, e0202764 (2018)."""

import pytest
from ase import units
from ase.build import bulk

from electrolyte_ml.dynamics import run_md

TEMPERATURE, PRESSURE = 300.0, 3000.0  # K, bar
ENSEMBLES = [("nvt", "bussi"), ("nvt", "nose-hoover"), ("npt", "bussi")]


@pytest.fixture(scope="module")
def validation():
    """The oracle."""
    return pytest.importorskip("physical_validation", reason="physical_validation is not installed")


@pytest.fixture(scope="module")
def sampled(validation, spheres):
    """Run an ensemble once and hand the second half and more to the oracle."""
    known = {}

    def run(ensemble, thermostat="bussi", temperature=TEMPERATURE, pressure=PRESSURE):
        key = ensemble, thermostat, temperature, pressure
        if key not in known:
            result = run_md(
                *spheres, ensemble=ensemble, thermostat=thermostat, temperature=temperature, pressure_bar=pressure,
                time_ps=200, timestep_fs=5, log_interval_fs=50, tdamp_fs=100, pdamp_fs=300,
                compressibility_per_bar=1e-4, frame_interval_fs=1e5, restart_interval_fs=1e5, seed=len(known),
                progress=False,
            )  # fmt: skip
            assert result.completed
            known[key] = to_oracle(validation, result, begin=200)
        return known[key]

    return run


def to_oracle(validation, result, begin=0):
    """A run in the oracle's terms; from row `begin` on."""
    atoms, settings = result.atoms, result.settings
    kinetic, potential = result.kinetic_energies[begin:], result.energies[begin:]
    npt = settings["ensemble"] == "npt"
    return validation.data.SimulationData(
        units=validation.data.UnitData(
            kb=units.kB, energy_str="eV", energy_conversion=96.48533212, length_str="Å", length_conversion=0.1,
            volume_str="Å^3", volume_conversion=1e-3, temperature_str="K", temperature_conversion=1,
            pressure_str="bar", pressure_conversion=1, time_str="ps", time_conversion=1,
        ),
        ensemble=validation.data.EnsembleData(
            "NPT" if npt else "NVT", natoms=len(atoms), temperature=settings["temperature"],
            **({"pressure": settings["pressure_bar"]} if npt else {"volume": atoms.cell.volume}),
        ),
        system=validation.data.SystemData(
            natoms=len(atoms), nconstraints=0, ndof_reduction_tra=3, ndof_reduction_rot=0, mass=atoms.get_masses()
        ),
        observables=validation.data.ObservableData(
            kinetic_energy=kinetic, potential_energy=potential, total_energy=kinetic + potential,
            volume=atoms.get_masses().sum() / units._Nav * 1e24 / result.densities[begin:],
            constant_of_motion=result.conserved_energies[begin:],
        ),
        dt=settings["timestep_fs"] / 1000,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("ensemble, thermostat", ENSEMBLES)
def test_kinetic_energies_are_those_of_maxwell_and_boltzmann(validation, sampled, ensemble, thermostat):
    """Temperatures of the mean and of the width, in standard errors by bootstrap."""
    off = validation.kinetic_energy.distribution(
        sampled(ensemble, thermostat), strict=False, verbosity=0, bootstrap_seed=0
    )
    assert max(map(abs, off)) < 3.5


@pytest.mark.slow
@pytest.mark.parametrize("ensemble, thermostat", ENSEMBLES[:2])
def test_energies_at_two_temperatures_have_the_ratio_of_boltzmann(validation, sampled, ensemble, thermostat):
    off = validation.ensemble.check(
        sampled(ensemble, thermostat), sampled(ensemble, thermostat, temperature=345.0), verbosity=0, bootstrap_seed=0
    )
    assert max(map(abs, off)) < 3.5


@pytest.mark.slow
def test_volumes_at_two_pressures_have_the_ratio_of_boltzmann(validation, sampled):
    off = validation.ensemble.check(sampled("npt"), sampled("npt", pressure=3300.0), verbosity=0, bootstrap_seed=0)
    assert max(map(abs, off)) < 3.5


@pytest.mark.parametrize("ensemble, thermostat", [("nve", "bussi"), ("nvt", "nose-hoover")])
def test_what_is_conserved_fluctuates_with_the_square_of_the_time_step(validation, spheres, ensemble, thermostat):
    """In a cold crystal, where no pair crosses the cutoff; a scheme of first order would be off by 0.5."""
    crystal = bulk("Ar", "fcc", 5.4, cubic=True).repeat(2)
    options = {"ensemble": ensemble, "thermostat": thermostat, "temperature": 30, "progress": False}
    start = run_md(crystal, spheres[1], **options, time_ps=10, timestep_fs=4).atoms
    runs = [
        run_md(start, spheres[1], **options, time_ps=4, timestep_fs=step, log_interval_fs=step)
        for step in (4.0, 2.0, 1.0)
    ]
    off = validation.integrator.convergence([to_oracle(validation, run) for run in runs], verbose=False)
    assert abs(off) < 0.2
