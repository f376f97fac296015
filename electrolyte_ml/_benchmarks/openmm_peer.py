"""Timed calls of OpenMM's Coulomb sums: particle-mesh Ewald on the CPU platform, in single precision, on one thread."""

from __future__ import annotations

import time
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml._benchmarks.cases import MOVE, Call, Span
from electrolyte_ml.units import COULOMB

if TYPE_CHECKING:
    from ase import Atoms

# The fastest combination with an error below 2e-4 eV/Å in 1144 atoms of the timed solution, among cutoffs of 5 to 9 Å,
# alphas of 2.6 to 3.2 / cutoff and spacings of 0.5 to 1 Å.
CUTOFF = 6.0  # Å
ALPHA = 2.9 / CUTOFF  # 1/Å
SPACING = 0.8  # Å, of the mesh

MOST_ATOMS = 5000
CONSTANT = 138.93545764438198  # kJ nm/mol/e², OpenMM's Coulomb constant
NM = 0.1  # of 1 Å


def hindrance(box: Atoms) -> str | None:
    """Return the reason why a box is not timed with OpenMM, or None if it is timed."""
    if find_spec("openmm") is None:
        return "OpenMM is not installed (the extra `crosscheck`): no ratio"
    if np.linalg.norm(box.cell.array, axis=1).min() < 2.0 * CUTOFF:
        return "the box is too small for OpenMM's cutoff"
    return None if len(box) <= MOST_ATOMS else f"without OpenMM: more than {MOST_ATOMS} atoms"


def name() -> str:
    """Return OpenMM's name and version for the table."""
    return f"OpenMM {version('openmm')} (CPU)"


def coulomb_forces(box: Atoms, charges: np.ndarray) -> np.ndarray:
    """Return OpenMM's forces (N, 3), eV/Å, with the Coulomb constant of this package."""
    from openmm import unit

    forces = _context(box, charges).getState(forces=True).getForces(asNumpy=True)
    values = forces.value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    return np.asarray(COULOMB / CONSTANT * NM**2 * values)


def coulomb_call(box: Atoms, charges: np.ndarray) -> Call:
    """Return the call for OpenMM's energy and forces of atoms that have moved a little.

    OpenMM starts its own threads: the processor time is that of the process. The transfer of positions and forces is
    not timed.
    """
    context, positions, moves = _context(box, charges), box.positions.copy(), np.random.default_rng(0)

    def call() -> Span:
        nonlocal positions
        positions = positions + moves.uniform(-MOVE, MOVE, positions.shape)
        context.setPositions(NM * positions)
        start = Span(time.perf_counter(), time.process_time())
        context.getState(energy=True, forces=True)
        return Span(time.perf_counter(), time.process_time()) - start

    return call


def _context(box: Atoms, charges: np.ndarray) -> Any:
    """Return an OpenMM context of charges at the positions of the box, on one thread."""
    import openmm

    system, force = openmm.System(), openmm.NonbondedForce()
    for charge in charges:
        system.addParticle(1.0)
        force.addParticle(float(charge), 1.0, 0.0)
    force.setNonbondedMethod(openmm.NonbondedForce.PME)
    force.setCutoffDistance(NM * CUTOFF)
    mesh = [int(np.ceil(edge / SPACING)) for edge in np.linalg.norm(box.cell.array, axis=1)]
    force.setPMEParameters(ALPHA / NM, *mesh)  # OpenMM rounds the numbers of points up to efficient ones
    system.setDefaultPeriodicBoxVectors(*[openmm.Vec3(*vector) for vector in NM * box.cell.array])
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName("CPU")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform, {"Threads": "1"})
    context.setPositions(NM * box.positions)
    return context
