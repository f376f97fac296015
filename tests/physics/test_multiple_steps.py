"""What multiple time steps must conserve and sample, from theory and by comparison with single steps."""

import numpy as np
import pytest
from ase import Atoms, units
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.dynamics.barostat import MolecularBarostat
from electrolyte_ml.dynamics.ensembles import build
from electrolyte_ml.kernels import dynamics as kernels


def weaker(potential, factor):
    """The potential of the spheres with forces multiplied by a factor."""
    return potential.with_parameters(np.array([1.0, 0.0, factor]))


def thermal(atoms, temperature=300, seed=0):
    atoms = atoms.copy()
    momenta = np.random.default_rng(seed).normal(size=(len(atoms), 3)) * np.sqrt(
        temperature * units.kB * atoms.get_masses()[:, None]
    )
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    return atoms


def block_error(values, blocks=20):
    means = np.array_split(values, blocks)
    return np.std([block.mean() for block in means]) / np.sqrt(blocks - 1)


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(0.3, 0.9), seed=st.integers(0, 1000))
def test_the_error_grows_with_the_square_of_the_outer_step(spheres, factor, seed):
    """At inner steps of 1 fs in all cases, compared with single steps of 1 fs.

    The curvature of the forces jumps where a pair crosses the cutoff, so that the order is exact only on average.
    """

    def positions(timestep, **inner):
        result = run_md(
            thermal(spheres[0], seed=seed), spheres[1], ensemble="nve", timestep_fs=timestep, time_ps=0.16,
            log_interval_fs=160, frame_interval_fs=160, progress=False, **inner,
        )  # fmt: skip
        return result.atoms.positions

    exact, inner = positions(1.0), weaker(spheres[1], factor)
    errors = [np.linalg.norm(positions(float(n), inner=inner, inner_steps=n) - exact) for n in (4, 16)]
    assert errors[1] / errors[0] == pytest.approx(16, rel=0.45)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_momenta_lack_what_inner_and_outer_forces_take(spheres, share):
    """As in single steps of the outer length without inner forces, of the inner length with nothing else."""
    atoms = thermal(spheres[0], seed=3)
    atoms.rattle(0.5, seed=3)
    inner = weaker(spheres[1], share)
    multiple = build(
        atoms, spheres[1], ensemble="nvt", temperature=300, timestep_fs=8, inner_potential=inner, inner_steps=4
    )
    missing = {}
    for length in (2, 8):
        single = build(atoms, spheres[1], ensemble="nvt", temperature=300, timestep_fs=length)
        single.evaluate()
        missing[length] = single.missing_energy
    multiple.evaluate()
    expected = share * missing[2] + (1 - share) * missing[8]
    assert missing[8] > 1e-4 and multiple.missing_energy == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("steps", [1, 5])
def test_time_can_be_turned_round(spheres, steps):
    atoms = thermal(spheres[0])
    integrator = build(
        atoms, spheres[1], ensemble="nve", temperature=300, timestep_fs=8, inner_potential=weaker(spheres[1], 0.7),
        inner_steps=steps,
    )  # fmt: skip
    integrator.evaluate()
    begin = atoms.positions.copy()
    integrator.advance(75)
    assert np.abs(atoms.positions - begin).max() > 0.5
    atoms.arrays["momenta"] *= -1
    integrator.advance(150)
    np.testing.assert_allclose(atoms.positions, begin, atol=1e-6)


def test_energy_does_not_drift(spheres):
    """In 40 ps less than a thousandth of kT an atom."""
    result = run_md(
        *spheres, ensemble="nve", temperature=300, time_ps=40, timestep_fs=8, inner=weaker(spheres[1], 0.8),
        inner_steps=2, log_interval_fs=80, frame_interval_fs=1e6, restart_interval_fs=1e6, progress=False,
    )  # fmt: skip
    slope = np.polyfit(result.times_ps, result.conserved_energies, 1)[0]  # eV/ps
    assert abs(slope) * 40 < 1e-3 * len(spheres[0]) * units.kB * 300


@pytest.mark.slow
def test_averages_are_those_of_single_steps(spheres):
    options = {
        "ensemble": "nvt", "temperature": 300, "time_ps": 200,
        "log_interval_fs": 40, "frame_interval_fs": 1e6, "restart_interval_fs": 1e6, "progress": False,
    }  # fmt: skip
    single = run_md(*spheres, timestep_fs=2, seed=1, **options)
    multiple = run_md(*spheres, timestep_fs=8, inner=weaker(spheres[1], 0.7), inner_steps=4, seed=2, **options)
    freedom = 3 * len(spheres[0]) - 3
    late = len(single.times_ps) // 10
    error = block_error(multiple.temperatures[late:])
    assert error < 3
    assert multiple.temperatures[late:].mean() == pytest.approx(300, abs=3 * error)
    assert multiple.temperatures[late:].std() == pytest.approx(300 * np.sqrt(2 / freedom), rel=0.1)
    values = [result.energies[late:] for result in (single, multiple)]
    errors = [block_error(value) for value in values]
    assert max(errors) < 0.02 * abs(values[0].mean())
    assert values[0].mean() == pytest.approx(values[1].mean(), abs=3.5 * np.hypot(*errors))
    total = multiple.energies + multiple.kinetic_energies
    assert multiple.conserved_energies.std() < 0.05 * total.std()


@pytest.mark.slow
@pytest.mark.parametrize("anisotropic", [False, True])
def test_volumes_are_those_of_single_steps(spheres, anisotropic):
    """Mean and fluctuation at constant pressure, although the cell changes in every tenth step only."""
    options = {
        "ensemble": "npt", "temperature": 300, "pressure_bar": 300, "time_ps": 400, "pdamp_fs": 500,
        "compressibility_per_bar": 1e-3, "anisotropic": anisotropic, "log_interval_fs": 80, "frame_interval_fs": 1e6,
        "restart_interval_fs": 1e6, "progress": False,
    }  # fmt: skip
    single = run_md(*spheres, timestep_fs=2, seed=1, **options)
    multiple = run_md(*spheres, timestep_fs=4, inner=weaker(spheres[1], 0.7), inner_steps=2, seed=2, **options)
    late = len(single.times_ps) // 10
    volumes = [1 / result.densities[late:] for result in (single, multiple)]
    errors = [block_error(values) for values in volumes]
    assert max(errors) < 0.02 * volumes[0].mean()
    assert volumes[0].mean() == pytest.approx(volumes[1].mean(), abs=3.5 * np.hypot(*errors))
    # A standard deviation of n independent values is known to 1 / sqrt(2 n); n is the squared ratio of both spreads.
    unknown = np.hypot(*(error / values.std() for values, error in zip(volumes, errors, strict=True))) / np.sqrt(2)
    assert unknown < 0.12
    assert volumes[1].std() == pytest.approx(volumes[0].std(), rel=3.5 * unknown)
    total = multiple.energies + multiple.kinetic_energies
    assert multiple.conserved_energies.std() < 0.05 * total.std()


@pytest.mark.parametrize("molecules", [3, 8])
def test_changes_of_the_cell_sample_the_volumes_of_an_ideal_gas(molecules):
    """p(V) ~ V^M exp(-PV/kT) for M molecules of two atoms: mean and variance are M + 1 in kT/P."""
    rng = np.random.default_rng(molecules)
    kT, count = 300 * units.kB, 2 * molecules
    pressure = kT / 100.0  # so that the unit of volume is 100 Å^3
    places = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3)[:molecules] * 4.0
    positions = np.repeat(places, 2, axis=0)
    positions[1::2] += [1.1, 0, 0]
    atoms = Atoms("CO" * molecules, positions, cell=[(100.0 * (molecules + 1)) ** (1 / 3)] * 3, pbc=True)
    barostat, masses = MolecularBarostat(atoms), atoms.get_masses()
    particles = kernels.Particles(
        masses, atoms.positions, np.zeros((count, 3)), np.zeros((count, 3)), atoms.cell.array,
        np.zeros(kernels.N_SCALARS), np.zeros((3, 3)),
    )  # fmt: skip
    ensemble = kernels.Ensemble(kernels.NO_THERMOSTAT, 1.0, 1.0, kT, 3.0 * count - 3, pressure, 0.01 / pressure, False)
    volumes = np.empty(60_000)
    for step in range(len(volumes)):
        momenta = rng.normal(size=(count, 3)) * np.sqrt(kT * masses)[:, None]
        particles.momenta[:] = momenta - np.outer(masses / masses.sum(), momenta.sum(axis=0))
        barostat.change(ensemble, rng.normal(size=3), particles)
        volumes[step] = abs(np.linalg.det(particles.cell)) / 100.0
    error = block_error(volumes)
    assert error < 0.06 * (molecules + 1)
    assert volumes.mean() == pytest.approx(molecules + 1, abs=3.5 * error)
    assert volumes.std() == pytest.approx(np.sqrt(molecules + 1), rel=0.15)
