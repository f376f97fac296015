"""What the ensembles must sample, from theory alone."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.dynamics.ensembles import build
from electrolyte_ml.kernels import dynamics as kernels


class Argon(Calculator):
    """Lennard-Jones with force and energy going to zero at the cutoff; minimum image in a cubic cell."""

    implemented_properties = ("energy", "free_energy", "forces", "stress")
    epsilon, sigma, cutoff = 0.0104, 3.4, 5.0  # eV, Å, Å

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        edge = atoms.cell.array[0, 0]
        assert edge > 2 * self.cutoff * 0.9, "the minimum image needs a wider box"
        d = atoms.positions[None] - atoms.positions[:, None]
        d -= edge * np.round(d / edge)
        r2 = (d**2).sum(2)
        np.fill_diagonal(r2, np.inf)
        r2[r2 > self.cutoff**2] = np.inf
        # (r^2 - cutoff^2)^2 is smooth at the cutoff; the constant makes the factor of order one at contact.
        gap = np.where(np.isfinite(r2), 1 - r2 / self.cutoff**2, 0.0)
        s6 = self.sigma**6 / r2**3
        bare, slope = 4 * self.epsilon * (s6**2 - s6), 24 * self.epsilon * (s6 - 2 * s6**2) / r2  # slope: dE/dr / r
        pull = (slope * gap**2 - 4 * bare * gap / self.cutoff**2)[:, :, None] * d  # (N, N, 3)
        stress = 0.5 * np.einsum("ijk,ijl->kl", d, pull) / atoms.cell.volume
        energy = 0.5 * (bare * gap**2).sum()
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": pull.sum(1),
            "stress": stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
        }


class IdealGas(Calculator):
    """An ideal gas of atoms, or of diatomic molecules."""

    implemented_properties = ("energy", "forces", "stress")
    spring = 1.0  # eV/Å^2

    def __init__(self, per_molecule):
        super().__init__()
        self.per_molecule = per_molecule

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        forces, stress, energy = np.zeros((len(atoms), 3)), np.zeros(6), 0.0
        if self.per_molecule == 2:
            d = atoms.positions[1::2] - atoms.positions[::2]
            r = np.linalg.norm(d, axis=1)[:, None]
            pull = self.spring * (r - 1.2) / r * d
            forces[::2], forces[1::2] = pull, -pull
            stress[:3] = (d * pull).sum(0) / atoms.cell.volume
            energy = 0.5 * self.spring * ((r - 1.2) ** 2).sum()
        self.results = {"energy": energy, "forces": forces, "stress": stress}


def liquid(seed=0):
    atoms = bulk("Ar", "fcc", 5.7, cubic=True).repeat(2)
    atoms.rattle(0.1, seed=seed)
    return atoms


def draw_momenta(atoms, kT, rng):
    momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(kT * atoms.get_masses()[:, None])
    atoms.set_momenta(momenta - momenta.mean(axis=0))


def block_error(values, blocks=20):
    means = np.array_split(values, blocks)
    return np.std([block.mean() for block in means]) / np.sqrt(blocks - 1)


def test_the_test_liquid_has_forces_and_stress_of_its_energy():
    from ase.calculators.fd import calculate_numerical_forces

    atoms = liquid()
    atoms.calc = Argon()
    np.testing.assert_allclose(atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4), atol=1e-6)
    pressure, volume = -atoms.get_stress()[:3].mean(), atoms.get_volume()
    energies = []
    for strain in (1e-5, -1e-5):
        scaled = atoms.copy()
        scaled.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
        scaled.calc = Argon()
        energies.append(scaled.get_potential_energy())
    assert pressure == pytest.approx((energies[1] - energies[0]) / (6e-5 * volume), rel=1e-5)


def test_energy_is_conserved_with_the_square_of_the_time_step():
    spread = []
    for timestep in (2.0, 4.0, 8.0):
        options = {"ensemble": "nve", "temperature": 150, "time_ps": 2, "log_interval_fs": timestep}
        result = run_md(liquid(), Argon(), timestep_fs=timestep, progress=False, **options)
        spread.append(result.conserved_energies.std())
        assert spread[-1] < 0.02 * result.kinetic_energies.std()
    assert spread[1] / spread[0] == pytest.approx(4, rel=0.25)
    assert spread[2] / spread[1] == pytest.approx(4, rel=0.25)


def test_energy_does_not_drift(spheres):
    """100 ps of compiled steps, through a thousand lists, gain or lose less than a ten-thousandth of kT an atom."""
    options = {"ensemble": "nve", "temperature": 300, "timestep_fs": 2, "log_interval_fs": 40, "progress": False}
    result = run_md(*spheres, time_ps=100, frame_interval_fs=1e6, restart_interval_fs=1e6, **options)
    slope = np.polyfit(result.times_ps, result.conserved_energies, 1)[0]  # eV/ps
    assert abs(slope) * 100 < 1e-4 * len(spheres[0]) * units.kB * 300


@pytest.mark.parametrize("ensemble, thermostat", [("nve", "bussi"), ("nvt", "nose-hoover")])
def test_time_can_be_turned_round(spheres, ensemble, thermostat):
    """With all momenta reversed, the chain's too, the way leads back."""
    atoms, potential = spheres[0].copy(), spheres[1]
    draw_momenta(atoms, 300 * units.kB, np.random.default_rng(0))
    integrator = build(atoms, potential, ensemble=ensemble, thermostat=thermostat, temperature=300, timestep_fs=4)
    integrator.evaluate()
    begin = atoms.positions.copy()
    integrator.advance(150)
    assert np.abs(atoms.positions - begin).max() > 0.5
    atoms.arrays["momenta"] *= -1
    integrator.scalars[kernels.P_ETA :] *= -1
    integrator.advance(300)
    np.testing.assert_allclose(atoms.positions, begin, atol=1e-6)


class Wells(Calculator):
    """Harmonic wells of one frequency, one for each atom."""

    implemented_properties = ("energy", "forces")

    def __init__(self, stiffness, centres):
        super().__init__()
        self.stiffness, self.centres = stiffness, centres

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        d = atoms.positions - self.centres
        self.results = {"energy": 0.5 * self.stiffness * (d**2).sum(), "forces": -self.stiffness * d}


@pytest.mark.parametrize("phase", [0.1, 0.4, 0.6])
def test_long_steps_leave_the_temperature_right(phase):
    """Wells of frequency w with w dt = phase: both energies are those of the shadow Hamiltonian at 300 K.

    Velocity Verlet conserves p^2/2m + (1 - e) k x^2/2 with e = (w dt / 2)^2, and turns the phase by 2 asin(sqrt(e)) in
    a step. Its shadow Hamiltonian, which has equal shares in all motions, is therefore the conserved sum times
    asin(sqrt(e)) / sqrt(e (1 - e)).
    """
    count, e = 64, (phase / 2) ** 2
    centres = np.random.default_rng(1).uniform(0, 50, (count, 3))
    atoms = Atoms(f"H{count}", centres, masses=np.full(count, 2.0))
    stiffness = 2.0 * (phase / units.fs) ** 2
    result = run_md(
        atoms, Wells(stiffness, centres), ensemble="nvt", temperature=300, timestep_fs=1, time_ps=20, tdamp_fs=30,
        log_interval_fs=7, frame_interval_fs=1e6, progress=False,
    )  # fmt: skip
    late, share = len(result.times_ps) // 20, 0.5 * (3 * count - 3) * units.kB
    shadow = np.sqrt(e * (1 - e)) / np.arcsin(np.sqrt(e))
    expected = {"log": 300.0, "momenta": 300 * shadow, "positions": 300 * shadow / (1 - e)}
    found = {
        "log": result.temperatures,
        "momenta": result.kinetic_energies / share,
        "positions": result.energies / share,
    }
    for name, values in found.items():
        error = block_error(values[late:])
        assert error < 2.5
        assert values[late:].mean() == pytest.approx(expected[name], abs=3 * error + 300 * e**2), name
    assert expected["positions"] - expected["momenta"] == pytest.approx(300 * e, rel=0.1)


@settings(max_examples=50, deadline=None)
@given(scale=st.floats(0, 12), heat=st.floats(-3, 3), seed=st.integers(0, 1000))
def test_what_momenta_lack_is_bounded(scale, heat, seed):
    """Overlapping atoms have forces of any size; the thermostat must stay a thermostat."""
    rng = np.random.default_rng(seed)
    atoms = Atoms("H8", rng.uniform(0, 9, (8, 3)))
    draw_momenta(atoms, 300 * 10**heat * units.kB, rng)
    integrator = build(atoms, Argon(), ensemble="nvt", temperature=300, timestep_fs=1, tdamp_fs=20)
    integrator.forces[:] = rng.normal(size=(8, 3)) * 10**scale
    before = integrator.kinetic_energy
    missing = integrator.missing_energy
    exact = (units.fs**2 * integrator.forces**2).sum() / (12 * atoms.get_masses()[0])
    mean = 0.5 * integrator.ensemble.freedom * integrator.ensemble.kT
    assert missing == pytest.approx(min(exact, 0.1 * before, 0.1 * mean), rel=1e-9)
    kernels.before_forces(integrator.ensemble, integrator.noise.rows(0, 1)[0], integrator.particles, np.ones(3))
    assert np.isfinite(atoms.arrays["momenta"]).all() and integrator.given > -before


@pytest.mark.slow
@pytest.mark.parametrize("ensemble, thermostat", [("nvt", "bussi"), ("nvt", "nose-hoover"), ("npt", "bussi")])
def test_kinetic_energy_has_the_distribution_of_3n_minus_3_degrees_of_freedom(ensemble, thermostat):
    result = run_md(
        liquid(), Argon(), ensemble=ensemble, thermostat=thermostat, temperature=110, pressure_bar=300, time_ps=60,
        timestep_fs=5, log_interval_fs=20, progress=False,
    )  # fmt: skip
    temperatures = result.temperatures[250:]
    freedom = 3 * 32 - 3
    error = block_error(temperatures)
    assert error < 1.2  # K; three degrees more would show as 3.5 K
    assert temperatures.mean() == pytest.approx(110, abs=3 * error)
    assert temperatures.std() == pytest.approx(110 * np.sqrt(2 / freedom), rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("ensemble, thermostat", [("nvt", "bussi"), ("nvt", "nose-hoover")])
def test_total_energy_minus_heat_is_conserved_in_nvt(ensemble, thermostat):
    result = run_md(
        liquid(), Argon(), ensemble=ensemble, thermostat=thermostat, temperature=110, time_ps=20, timestep_fs=4,
        progress=False,
    )  # fmt: skip
    total = result.energies + result.kinetic_energies
    assert result.conserved_energies.std() < 0.01 * total.std()


@pytest.mark.slow
@pytest.mark.parametrize("molecules, per_molecule", [(3, 1), (8, 1), (4, 2)])
def test_ideal_gas_has_the_volumes_of_the_isothermal_isobaric_ensemble(molecules, per_molecule):
    """p(V) ~ V^M exp(-PV/kT) for M molecules, whatever they are made of: mean and variance are M + 1 in kT/P."""
    rng = np.random.default_rng(3)
    kT = 300 * units.kB
    pressure = kT / 100.0  # so that the unit of volume is 100 Å^3
    count = molecules * per_molecule
    positions = np.repeat(rng.random((molecules, 3)), per_molecule, axis=0)
    positions[1::2] += [1.2, 0, 0]
    atoms = Atoms(f"Ar{count}", positions, cell=[(100.0 * molecules) ** (1 / 3)] * 3, pbc=True)
    draw_momenta(atoms, kT, rng)
    integrator = build(
        atoms, IdealGas(per_molecule), ensemble="npt", timestep_fs=1.0, temperature=300,
        pressure_bar=pressure / units.bar, tdamp_fs=20, pdamp_fs=100, compressibility_per_bar=units.bar / pressure,
        seed=3,
    )  # fmt: skip
    integrator.evaluate()
    volumes = np.empty(50_000)
    for step in range(len(volumes)):
        if step % 200 == 0:  # molecules that never meet would keep their shares of rotation and translation for ever
            draw_momenta(atoms, kT, rng)
        integrator.advance(step + 1)
        volumes[step] = atoms.cell.volume / 100.0
    error = block_error(volumes)
    assert error < 0.05 * (molecules + 1)
    assert volumes.mean() == pytest.approx(molecules + 1, abs=3.5 * error)
    assert volumes.std() == pytest.approx(np.sqrt(molecules + 1), rel=0.15)


@pytest.mark.slow
def test_anisotropic_ideal_gas_has_the_volumes_of_the_isothermal_isobaric_ensemble():
    """With dLx dLy dLz = dV times the ratios of lengths, p(V) is that of a cell that keeps its shape: M + 1 in kT/P.

    No ratio is preferred: each logarithm of one walks away from its start.
    """
    rng = np.random.default_rng(5)
    kT, molecules = 300 * units.kB, 5
    pressure = kT / 100.0
    atoms = Atoms("Ar5", rng.random((5, 3)) * 8, cell=[(100.0 * molecules) ** (1 / 3)] * 3, pbc=True)
    draw_momenta(atoms, kT, rng)
    integrator = build(
        atoms, IdealGas(1), ensemble="npt", timestep_fs=1.0, temperature=300, anisotropic=True,
        pressure_bar=pressure / units.bar, tdamp_fs=20, pdamp_fs=100, compressibility_per_bar=units.bar / pressure,
        seed=3,
    )  # fmt: skip
    integrator.evaluate()
    volumes, ratios = np.empty((2, 40_000))
    for step in range(len(volumes)):
        if step % 20 == 0:  # kinetic energy along an axis is its own: atoms that never meet would not share it
            draw_momenta(atoms, kT, rng)
        integrator.advance(step + 1)
        volumes[step] = atoms.cell.volume / 100.0
        ratios[step] = np.log(atoms.cell[0, 0] / atoms.cell[1, 1])
    error = block_error(volumes)
    assert error < 0.06 * (molecules + 1)
    assert volumes.mean() == pytest.approx(molecules + 1, abs=3.5 * error)
    assert volumes.std() == pytest.approx(np.sqrt(molecules + 1), rel=0.15)
    assert np.ptp(ratios) > 0.5


def test_anisotropic_pressure_relaxes_along_each_axis():
    """A crystal of argon, squeezed along x and stretched along y, goes towards a cube unless its shape is held."""
    atoms = bulk("Ar", "fcc", 5.4, cubic=True).repeat(2)
    atoms.rattle(0.02, seed=0)
    atoms.set_cell(atoms.cell.array * [0.97, 1.03, 1.0], scale_atoms=True)
    options = {
        "temperature": 20,
        "pressure_bar": 0,
        "timestep_fs": 10,
        "compressibility_per_bar": 4e-5,
        "pdamp_fs": 50,
    }
    ends = {}
    for anisotropic, time_ps in ((True, 2.5), (False, 0.3)):
        result = run_md(
            atoms, LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True), time_ps=time_ps,
            anisotropic=anisotropic, progress=False, **options,
        )  # fmt: skip
        lengths = result.atoms.cell.lengths()
        ends[anisotropic] = np.ptp(lengths) / lengths.mean()
        total = result.energies + result.kinetic_energies
        assert np.ptp(result.conserved_energies) < 0.1 * np.ptp(total)
    assert ends[False] == pytest.approx(0.06, abs=1e-3)
    assert ends[True] < 0.5 * ends[False]


def test_temperature_follows_its_ramp(spheres):
    """From 100 to 300 K in 20 ps at constant volume: straight in time, late by no more than the thermostat's time."""
    result = run_md(
        *spheres, ensemble="nvt", temperature=100, temperature_end=300, tdamp_fs=50, time_ps=20, timestep_fs=2,
        frame_interval_fs=1e6, log_interval_fs=20, progress=False,
    )  # fmt: skip
    slope, start = np.polyfit(result.times_ps, result.temperatures, 1)
    assert start == pytest.approx(100, abs=8) and start + 20 * slope == pytest.approx(300, abs=8)
    assert abs(result.temperatures[-100:].mean() - 290) < 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_badly_packed_box_relaxes_without_boiling(seed):
    """From a start at GPa the density falls to that of a well-equilibrated liquid, and never much below."""
    atoms = liquid(seed)
    atoms.set_cell(atoms.cell * 0.9, scale_atoms=True)
    atoms.rattle(0.25, seed=seed + 5)
    atoms.wrap()
    options = {"temperature": 110, "pressure_bar": 500, "timestep_fs": 4, "compressibility_per_bar": 3e-4}
    rough = run_md(atoms, Argon(), time_ps=10, progress=False, **options)
    assert rough.pressures[0] > 1e4
    calm = run_md(liquid(seed), Argon(), time_ps=20, progress=False, **options)
    settled = calm.densities[len(calm.densities) // 2 :]
    assert rough.densities.min() > settled.mean() - 5 * settled.std()
    late = rough.densities[len(rough.densities) // 2 :]
    assert abs(late.mean() - settled.mean()) < 3 * settled.std()
