"""Coulomb sums against OpenMM in double precision: Ewald's sum, its particle mesh, and pairs without a cell.

OpenMM's Coulomb constant is 138.93545764438198 kJ nm/mol/e², the package's 14.3996454 eV Å/e²: its results are divided
by the one and multiplied by the other. It has no virial: the strain derivative of its energy is taken by differences.
"""

import math

import numpy as np
import pytest

from electrolyte_ml.potentials.coulomb import BareSum, CoulombResult, Ewald, ParticleMesh
from electrolyte_ml.units import COULOMB

openmm = pytest.importorskip("openmm", reason="OpenMM, an oracle of Coulomb sums, is not installed")

CONSTANT = 138.93545764438198  # kJ nm/mol/e²
CUTOFF = 0.45  # nm; half of the smallest height of the cells is more
ALPHA = 10.5  # 1/nm: what is cut off is erfc(4.7), of order 1e-11


def of_openmm(atoms, charges, force):
    """Energy and forces of a force that has a particle for each charge, in eV and eV/Å."""
    system = openmm.System()
    for _ in charges:
        system.addParticle(1.0)
    if atoms.pbc.all():
        system.setDefaultPeriodicBoxVectors(*[openmm.Vec3(*vector) for vector in 0.1 * atoms.cell.array])
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(0.1 * atoms.positions)
    state = context.getState(energy=True, forces=True)
    energy = state.getPotentialEnergy().value_in_unit(openmm.unit.kilojoule_per_mole)
    forces = state.getForces(asNumpy=True).value_in_unit(openmm.unit.kilojoule_per_mole / openmm.unit.nanometer)
    scale = 0.1 * COULOMB / CONSTANT  # 1 e²/nm is 0.1 e²/Å
    none = np.full(len(charges), np.nan)
    return CoulombResult(scale * energy, none, 0.1 * scale * np.array(forces), np.full((3, 3), np.nan))


def nonbonded(charges, method, mesh=None):
    """OpenMM's force of charges; `mesh` is alpha in 1/nm and the points along each vector of a particle mesh."""
    force = openmm.NonbondedForce()
    for charge in charges:
        force.addParticle(float(charge), 1.0, 0.0)
    force.setNonbondedMethod(getattr(openmm.NonbondedForce, method))
    force.setCutoffDistance(CUTOFF)
    force.setEwaldErrorTolerance(1e-11)
    if mesh is not None:
        force.setPMEParameters(ALPHA, mesh, mesh, mesh)
    return force


@pytest.mark.parametrize("name", ["neutral", "charged"])
def test_ewald(ions, ours, name):
    """OpenMM's direct sum is for rectangular cells."""
    atoms, charges = ions[name]
    theirs, result = of_openmm(atoms, charges, nonbonded(charges, "Ewald")), ours(Ewald(1e-13), atoms, charges)
    assert result.energy == pytest.approx(theirs.energy, abs=1e-8)
    assert result.forces == pytest.approx(theirs.forces, abs=1e-8)


@pytest.mark.parametrize("name", ["neutral", "charged", "skewed", "skewed and charged"])
def test_their_mesh(ions, ours, name):
    atoms, charges = ions[name]
    theirs = of_openmm(atoms, charges, nonbonded(charges, "PME", 128))
    for solver, error in ((Ewald(1e-12), 2e-5), (ParticleMesh(1e-5), 2e-5), (ParticleMesh(1e-4), 1e-4)):
        result = ours(solver, atoms, charges)
        assert result.energy == pytest.approx(theirs.energy, abs=10 * error)
        assert math.sqrt(((result.forces - theirs.forces) ** 2).sum(1).mean()) < error


@pytest.mark.parametrize("name", ["skewed", "skewed and charged"])
def test_virial(ions, ours, name):
    """Strains that leave zeros above the diagonal of the cell; the background's pressure is in their energy, too."""
    atoms, charges = ions[name]
    virial = ours(Ewald(1e-12), atoms, charges).virial

    def energy(strain):
        copy = atoms.copy()
        copy.set_cell(atoms.cell.array @ (np.eye(3) + strain).T, scale_atoms=True)
        return of_openmm(copy, charges, nonbonded(charges, "PME", 80)).energy

    for a, b in zip(*np.triu_indices(3)):
        strain = 1e-4 * np.outer(np.eye(3)[a], np.eye(3)[b])
        assert virial[a, b] == pytest.approx((energy(strain) - energy(-strain)) / 2e-4, abs=3e-4)


@pytest.mark.parametrize("name", ["neutral", "charged"])
@pytest.mark.parametrize("width", [None, 1.0])
def test_without_a_cell(ions, ours, name, width):
    atoms, charges = ions[name]
    atoms = atoms.copy()
    atoms.pbc = False
    force = nonbonded(charges, "NoCutoff")
    if width is not None:
        force = openmm.CustomNonbondedForce(f"{CONSTANT} * q1 * q2 * erf(r / {0.1 * width * math.sqrt(2.0)}) / r")
        force.addPerParticleParameter("q")
        for charge in charges:
            force.addParticle([charge])
    theirs, result = of_openmm(atoms, charges, force), ours(BareSum(width), atoms, charges)
    assert result.energy == pytest.approx(theirs.energy, rel=1e-11)
    assert result.forces == pytest.approx(theirs.forces, abs=1e-10)


def test_charges_of_a_potential(electrolyte):
    """What charge redistribution adds to a moment tensor potential is the Coulomb sum of the charges that it names."""
    atoms, potential = electrolyte
    total, short_ranged = potential.evaluate(atoms), potential.terms[0].evaluate(atoms)
    theirs = of_openmm(atoms, total.charges, nonbonded(total.charges, "PME", 128))
    accuracy = ParticleMesh.accuracy
    assert total.energy - short_ranged.energy == pytest.approx(theirs.energy, abs=20 * accuracy)
    error = total.forces - short_ranged.forces - theirs.forces
    assert math.sqrt((error**2).sum(1).mean()) < accuracy
