"""Potentials inside OpenMM, against their own evaluation and dynamics."""

import math
import sys

import pytest
from ase import units

from electrolyte_ml.bridges.openmm import KJ_MOL, import_openmm, particle_mesh, python_force, system_of
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb import Ewald
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.potentials.sum import named_terms, sum_of


@pytest.fixture(scope="module")
def openmm():
    try:
        return import_openmm()
    except InputError as error:
        pytest.skip(str(error))


VELOCITY_VERLET = ("v + 0.5 * dt * f / m", "x + dt * v", "v + 0.5 * dt * f / m")  # at whole steps, as run_md


def velocity_verlet(openmm, timestep_fs):
    integrator = openmm.CustomIntegrator(0.001 * timestep_fs)
    integrator.addUpdateContextState()
    for variable, expression in zip("vxv", VELOCITY_VERLET):
        integrator.addComputePerDof(variable, expression)
    return integrator


def context_of(openmm, system, atoms, integrator=None, platform="Reference"):
    integrator = integrator or openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName(platform))
    context.setPositions(0.1 * atoms.positions)
    return context


def energy_and_forces(context):
    """eV, eV/Å."""
    state = context.getState(getEnergy=True, getForces=True)
    return state.getPotentialEnergy()._value / KJ_MOL, state.getForces(asNumpy=True)._value / (10 * KJ_MOL)


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_energy_and_forces(openmm, electrolyte, platform):
    atoms, potential = electrolyte
    energy, forces = energy_and_forces(context_of(openmm, system_of(potential, atoms), atoms, platform=platform))
    expected = potential.evaluate(atoms)
    assert energy == pytest.approx(expected.energy, abs=1e-9)
    assert forces == pytest.approx(expected.forces, abs=1e-8)


def test_trajectory_and_drift(openmm, liquid_ec):
    """50 fs at constant energy."""
    atoms, potential = liquid_ec
    options = {"ensemble": "nve", "time_ps": 0.05, "timestep_fs": 0.5, "log_interval_fs": 0.5, "progress": False}
    ours = run_md(atoms, potential, **options)
    context = context_of(openmm, system_of(potential, atoms), atoms, velocity_verlet(openmm, 0.5))
    context.setVelocities(atoms.get_velocities() * 100 * units.fs)  # nm/ps
    totals = []
    for _ in range(101):
        state = context.getState(getEnergy=True, getPositions=True)
        totals.append((state.getPotentialEnergy() + state.getKineticEnergy())._value / KJ_MOL)
        context.getIntegrator().step(1)
    positions = 10 * state.getPositions(asNumpy=True)._value
    assert positions == pytest.approx(ours.atoms.positions, abs=1e-6)
    energy = potential.evaluate(atoms).energy + atoms.get_kinetic_energy()
    last = ours.atoms.get_kinetic_energy() + potential.evaluate(ours.atoms).energy
    assert totals[0] == pytest.approx(energy, abs=1e-6)
    assert totals[-1] - totals[0] == pytest.approx(last - energy, abs=1e-5)


def test_barostat(openmm, liquid_ec):
    atoms, potential = liquid_ec
    system = system_of(potential, atoms)
    system.addForce(openmm.MonteCarloBarostat(1.0, 300.0, 1))
    context = context_of(openmm, system, atoms, openmm.LangevinMiddleIntegrator(300.0, 1.0, 0.0005))
    context.setVelocitiesToTemperature(300.0, 1)
    context.getIntegrator().step(10)
    state = context.getState(getPositions=True, getEnergy=True)
    moved = atoms.copy()
    moved.positions = 10 * state.getPositions(asNumpy=True)._value
    moved.cell = 10 * state.getPeriodicBoxVectors(asNumpy=True)._value
    assert abs(moved.get_volume() / atoms.get_volume() - 1) > 1e-5
    expected = potential.evaluate(moved).energy
    assert state.getPotentialEnergy()._value / KJ_MOL == pytest.approx(expected, abs=1e-9)


def test_their_particle_mesh_beside_our_other_terms(openmm, electrolyte):
    atoms, potential = electrolyte
    system = system_of(sum_of(potential, ["mtp", "zbl"]), atoms)
    system.addForce(particle_mesh(potential, atoms, accuracy=1e-6))
    energy, forces = energy_and_forces(context_of(openmm, system, atoms))
    charges = named_terms(potential)["qrd"].evaluate(atoms).charges
    rest = sum_of(potential, ["mtp", "zbl"]).evaluate(atoms)
    coulomb = Ewald(1e-10).solve(Geometry.of(atoms, potential.species, 5.0), charges)
    error = forces - rest.forces - coulomb.forces
    assert math.sqrt((error**2).sum(1).mean()) < 1e-4
    assert energy == pytest.approx(rest.energy + coulomb.energy, abs=2e-3)


def test_errors(openmm, liquid_ec, electrolyte):
    atoms, potential = liquid_ec
    context = context_of(openmm, system_of(potential, atoms), atoms)
    close = atoms.positions.copy()
    close[1] = close[0] + 0.01
    context.setPositions(0.1 * close)
    with pytest.raises(Exception, match="atoms 1 and 2 overlap"):
        context.getIntegrator().step(1)
    with pytest.raises(InputError, match="atom 1 is Li"):
        python_force(potential, electrolyte[0][:1])
    slab = atoms.copy()
    slab.pbc = (True, True, False)
    with pytest.raises(InputError, match="periodic along some axes only"):
        python_force(potential, slab)
    with pytest.raises(InputError, match="no point charges"):
        particle_mesh(potential, atoms)


def test_molecule_without_a_cell(openmm, liquid_ec):
    atoms, potential = liquid_ec
    cluster = atoms.copy()
    cluster.pbc = False
    energy, forces = energy_and_forces(context_of(openmm, system_of(potential, cluster), cluster))
    expected = potential.evaluate(cluster)
    assert energy == pytest.approx(expected.energy, abs=1e-9)
    assert forces == pytest.approx(expected.forces, abs=1e-8)


def test_without_openmm(monkeypatch):
    monkeypatch.setitem(sys.modules, "openmm", None)
    with pytest.raises(InputError, match=r"^OpenMM is not here .*pip install '\.\[openmm\]' in the source tree$"):
        import_openmm()
