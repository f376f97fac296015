"""Changes of the cell that move whole molecules."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml import load
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.dynamics.barostat import MolecularBarostat
from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels import dynamics as kernels
from electrolyte_ml.structures import pack, parse_composition
from electrolyte_ml.structures.topology import Topology


@pytest.fixture(scope="module")
def box():
    """2 EC and 1 EMC, wrapped, so that molecules cross the faces of the cell."""
    atoms = pack(parse_composition("EC=2 EMC=1"), 1.0, seed=3)
    atoms.translate([3.0, 1.0, 4.0])
    atoms.wrap()
    return atoms


def particles_of(atoms, seed=0):
    """State of a copy of the atoms at 300 K, with forces and virial of the shipped potential."""
    atoms = atoms.copy()
    result = load("ec-emc").evaluate(atoms)
    momenta = np.random.default_rng(seed).normal(size=(len(atoms), 3))
    momenta *= np.sqrt(300 * units.kB * atoms.get_masses())[:, None]
    virial = np.diag(result.stress[:3] * atoms.cell.volume)
    return kernels.Particles(
        atoms.get_masses(), atoms.arrays["positions"], momenta, result.forces, atoms.cell.array,
        np.zeros(kernels.N_SCALARS), virial,
    )  # fmt: skip


def ensemble(pressure=0.0, rate=0.01, anisotropic=False):
    return kernels.Ensemble(kernels.NO_THERMOSTAT, 1.0, 1.0, 300 * units.kB, 1.0, pressure, rate, anisotropic)


@settings(max_examples=15, deadline=None)
@given(normals=st.lists(st.floats(-3, 3), min_size=3, max_size=3), anisotropic=st.booleans())
def test_molecules_move_with_the_cell_and_keep_their_shape(box, normals, anisotropic):
    particles, barostat = particles_of(box), MolecularBarostat(box)
    before = Topology.of(box)
    centres, momenta = barostat.centres(particles), particles.momenta.copy()
    kinetic = kernels.kinetic_energy(particles)
    factors = barostat.change(ensemble(anisotropic=anisotropic), np.array(normals), particles)
    after = Topology.of(Atoms(box.numbers, particles.positions, cell=particles.cell, pbc=True))
    np.testing.assert_array_equal(before.labels, after.labels)
    np.testing.assert_allclose(particles.cell, box.cell.array * factors, rtol=1e-13)
    np.testing.assert_allclose(barostat.centres(particles), centres * factors, atol=1e-10)
    for molecule in range(before.labels.max() + 1):
        atoms = before.labels == molecule
        shift = after.unwrapped[atoms] - before.unwrapped[atoms]
        np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-10)
        total = momenta[atoms].sum(axis=0)
        np.testing.assert_allclose(particles.momenta[atoms].sum(axis=0), total / factors, rtol=1e-10, atol=1e-12)
        velocity = (particles.momenta - momenta)[atoms] / box.get_masses()[atoms, None]
        np.testing.assert_allclose(velocity, np.broadcast_to(velocity[0], velocity.shape), atol=1e-12)
    gained = kernels.kinetic_energy(particles) - kinetic
    assert particles.scalars[kernels.GIVEN] == pytest.approx(gained, abs=1e-10)
    if not anisotropic:
        assert np.ptp(factors) == 0.0


def test_pressure_is_the_change_of_energy_with_the_places_of_the_molecules(box):
    """Along each axis: P V is kT and kinetic energy of the centres, minus the derivative of the potential energy."""
    potential, barostat, h = load("ec-emc"), MolecularBarostat(box), 3e-5
    for axis in range(3):
        particles, energies = particles_of(box), []
        pressure = barostat.pressures(particles, 300 * units.kB)[axis]
        mass = np.bincount(barostat.labels, box.get_masses())
        total = np.bincount(barostat.labels, particles.momenta[:, axis])
        for sign in (1, -1):
            moved = particles_of(box)
            factors = np.ones(3)
            factors[axis] += sign * h
            barostat.scale(factors, moved)
            energies.append(potential.evaluate(Atoms(box.numbers, moved.positions, cell=moved.cell, pbc=True)).energy)
        expected = np.sum(total**2 / mass) + 300 * units.kB - (energies[0] - energies[1]) / (2 * h)
        assert pressure * box.cell.volume == pytest.approx(expected, abs=1e-6)


def test_single_atoms_have_the_pressure_of_the_atoms(spheres):
    atoms, potential = spheres
    result = potential.evaluate(atoms)
    particles = kernels.Particles(
        atoms.get_masses(), atoms.positions, np.zeros((len(atoms), 3)), result.forces, atoms.cell.array,
        np.zeros(kernels.N_SCALARS), np.diag(result.stress[:3] * atoms.cell.volume),
    )  # fmt: skip
    np.testing.assert_allclose(MolecularBarostat(atoms).pressures(particles, 0.0), -result.stress[:3], rtol=1e-10)


def test_endless_molecules_are_refused(spheres):
    diamond = bulk("C", cubic=True).repeat(2)
    with pytest.raises(InputError, match=r"C1 of \w+ \(molecule 1\) is bonded to its own periodic image") as caught:
        MolecularBarostat(diamond)
    assert "\n" not in str(caught.value)


def test_runs_with_single_steps_do_not_look_for_molecules(monkeypatch, spheres):
    def refuse(atoms):
        raise AssertionError("no molecules are needed")

    monkeypatch.setattr("electrolyte_ml.dynamics.multiple_steps.MolecularBarostat", refuse)
    assert run_md(*spheres, ensemble="npt", time_ps=0.01, progress=False).completed
