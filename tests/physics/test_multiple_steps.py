"""What multiple time steps must conserve and sample, from theory and by comparison with single steps."""

import numpy as np
import pytest
from ase import Atoms, units
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.dynamics import distil, distillation, run_md, sample
from electrolyte_ml.dynamics.barostat import MolecularBarostat
from electrolyte_ml.dynamics.ensembles import build
from electrolyte_ml.dynamics.force_field import MolecularForceField
from electrolyte_ml.dynamics.integrators import Noise
from electrolyte_ml.dynamics.multiple_steps import MolecularIntegrator, bonds_with_hydrogen
from electrolyte_ml.kernels import dynamics as kernels
from electrolyte_ml.kernels import multiple_steps
from electrolyte_ml.potentials import load
from electrolyte_ml.structures import pack
from electrolyte_ml.structures.topology import Topology


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


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), molecules=st.integers(1, 5))
def test_friction_changes_neither_momentum_nor_angular_momentum_of_a_molecule(seed, molecules):
    """And what it adds to the kinetic energy is what it counts."""
    rng = np.random.default_rng(seed)
    water = np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    cell = 4.0 * molecules
    positions = np.concatenate([water + [4.0 * k, 0, 0] for k in range(molecules)]) + rng.uniform(0, cell, 3)
    atoms = Atoms("OHH" * molecules, positions, cell=[cell] * 3, pbc=True)
    whole = atoms.positions.copy()
    atoms.wrap()
    masses = atoms.get_masses()
    momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(0.03 * masses)[:, None]
    forces = rng.normal(size=(len(atoms), 3))
    particles = kernels.Particles(
        masses, atoms.positions, momenta.copy(), forces, atoms.cell.array, np.zeros(kernels.N_SCALARS),
        np.zeros((3, 3)),
    )  # fmt: skip
    bonds = bonds_with_hydrogen(atoms, damping=3.0)
    assert len(bonds.pair) == 2 * molecules
    ensemble = kernels.Ensemble(kernels.RESCALING, 0.3, np.inf, 0.03, 3.0 * len(atoms) - 3, 0.0, 0.0, False)
    before = kernels.kinetic_energy(particles)
    multiple_steps.begin_outer(  # without a difference of forces, and a thermostat that never acts
        ensemble, np.zeros(5), particles, forces, 0.1, bonds, rng.normal(size=len(bonds.pair))
    )
    change = particles.momenta - momenta
    assert np.abs(change).max() > 1e-3
    for k in range(molecules):
        own = slice(3 * k, 3 * k + 3)
        np.testing.assert_allclose(change[own].sum(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(np.cross(whole[own], change[own]).sum(axis=0), 0, atol=1e-11)
    added = kernels.kinetic_energy(particles) - before
    assert particles.scalars[kernels.GIVEN] == pytest.approx(added, rel=1e-9, abs=1e-12)


def test_friction_samples_the_canonical_distribution_of_a_bond():
    """Harmonic H-Cl without other forces: <k x^2> is kT (1 + (w dt)^2 / 12), as velocity Verlet with any thermostat."""
    count, kT, constant = 1000, 300 * units.kB, 30.0
    rng = np.random.default_rng(1)
    positions = np.repeat(np.arange(count)[:, None] * [5.0, 0, 0], 2, axis=0)
    positions[1::2, 0] += 1.3
    atoms = Atoms("ClH" * count, positions)
    masses = atoms.get_masses()
    momenta = rng.normal(size=positions.shape) * np.sqrt(kT * masses)[:, None]
    momenta[:, 1:] = 0.0  # no rotation: all bonds stay along x
    centre = momenta[::2] + momenta[1::2]
    share = masses[:2] / masses[:2].sum()
    momenta[::2] -= share[0] * centre
    momenta[1::2] -= share[1] * centre
    atoms.set_momenta(momenta)
    field = MolecularForceField(
        (([17, 1], [[0, 1]]),), np.array([[0, 0, 1, 1]]), np.array([[1.3, 0.8, 1.8]]),
        np.array([[0, constant / 2, 0, 0]]), np.zeros((0, 3), dtype=int), np.zeros(0),
    )  # fmt: skip
    step, inner_steps = 3.0 * units.fs, 3
    ensemble = kernels.Ensemble(kernels.RESCALING, step, np.inf, kT, 6.0 * count - 3, 0.0, 0.0, False)
    alone = ensemble._replace(thermostat=kernels.NO_THERMOSTAT, timestep=step / inner_steps)
    inner = MolecularIntegrator(atoms, alone, Noise(0, 1), field)
    inner.evaluate()
    bonds = bonds_with_hydrogen(atoms, damping=60 * units.fs)
    squares = []
    for number in range(4000):
        multiple_steps.begin_outer(
            ensemble, np.zeros(5), inner.particles, inner.forces, step / inner_steps, bonds, rng.normal(size=count)
        )
        inner.advance(inner.step + inner_steps)
        if number >= 200:
            squares.append((atoms.positions[1::2, 0] - atoms.positions[::2, 0] - 1.3) ** 2)
    found = constant * np.mean(squares, axis=1) / kT
    frequency = np.sqrt(constant * (1 / masses[0] + 1 / masses[1]))
    expected = 1 + (frequency * alone.timestep) ** 2 / 12
    error = block_error(found)
    assert expected - 1 > 0.02 and error < 0.004
    assert found.mean() == pytest.approx(expected, abs=3.5 * error)


def test_hot_bonds_with_hydrogen_cool_down():
    """A bond with 1.5 eV more than its thermal energy: kicks every 3 fs do not heat it, but the friction cools it.

    With a force field that is fitted to the sampling alone, 13 of these 16 runs end early.
    """
    potential = load("ec-emc")
    frames = sample(potential, pack({"EC": 2, "EMC": 2}, 1.1, seed=1), relax=100, progress=False)
    inner = distil(potential, frames).inner
    topology = Topology.of(frames[0])
    bonds = topology.bonds[(topology.numbers[topology.bonds] == 1).any(axis=1)]
    amplitudes = []
    for number in range(16):
        start = frames[-1 - 3 * number].copy()
        start.set_momenta(frames[-1 - 3 * number].get_momenta() * np.sqrt(1 / distillation.HOTTER))
        i, j = bonds[number % len(bonds)]
        mass = 1 / (1 / start.get_masses()[[i, j]]).sum()
        along = start.get_distance(i, j, mic=True, vector=True)
        push = np.sqrt(2 * mass * 1.5) * along / np.linalg.norm(along)
        start.arrays["momenta"][j] += push
        start.arrays["momenta"][i] -= push
        result = run_md(
            start, potential, ensemble="nvt", temperature=300, time_ps=2.001, timestep_fs=3, tdamp_fs=1000, inner=inner,
            seed=number, frame_interval_fs=3, log_interval_fs=30, progress=False,
        )  # fmt: skip
        lengths = [frame.get_distance(i, j, mic=True) for frame in result.frames()[-60:]]
        amplitudes.append(np.ptp(lengths) if result.completed else np.inf)
    assert max(amplitudes) < 0.4  # Å; thermal ones have up to 0.25
