"""A potential inside OpenMM, as a `PythonForce` of any system.

`PythonForce` is in OpenMM from version 8.5 on (the extra `openmm` of this package). OpenMM computes in nm, ps and
kJ/mol; its platforms Reference and CPU hand out positions in double precision, those of GPUs as they are set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms, units

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.potentials.charges.electrostatics import Electrostatics

if TYPE_CHECKING:
    from electrolyte_ml.potentials.potential import Potential

KJ_MOL = units.mol / units.kJ  # kJ/mol of 1 eV
_INSTALL = "pip install '.[openmm]' in the source tree"


def import_openmm() -> Any:
    """Return the module of OpenMM.

    Raises
    ------
    InputError
        It is not installed, or older than `PythonForce`.
    """
    try:
        import openmm
    except ImportError as error:
        raise InputError(f"OpenMM is not here ({first_line(error)}); install it with: {_INSTALL}") from error
    if not hasattr(openmm, "PythonForce"):
        raise InputError(f"OpenMM {openmm.version.version} has no PythonForce; install 8.5 or later: {_INSTALL}")
    return openmm


def python_force(potential: Potential, atoms: Atoms, *, threads: int | None = None) -> Any:
    """Return a potential as a force of OpenMM.

    Add it to a system whose particles are the atoms, in their order: barostats and integrators of OpenMM then run it,
    beside any other force.

    Parameters
    ----------
    potential : Potential
    atoms : ase.Atoms
        Elements, boundary and total charge; positions and cell come from OpenMM at every step.
    threads : int, optional
        See `Potential.evaluate`.

    Returns
    -------
    openmm.PythonForce

    Raises
    ------
    InputError
        OpenMM is absent or too old; an element that the potential has not; a cell that is periodic along one or two
        axes, which OpenMM has not.

    Notes
    -----
    An error of the potential is raised by the call of OpenMM that runs.
    """
    openmm = import_openmm()
    if atoms.pbc.any() and not atoms.pbc.all():
        raise InputError("the atoms are periodic along some axes only: OpenMM knows all three, or none")
    force = openmm.PythonForce(_Compute(potential, atoms, threads))
    force.setName(potential.kind)
    force.setUsesPeriodicBoundaryConditions(bool(atoms.pbc.all()))
    return force


def system_of(potential: Potential, atoms: Atoms, *, threads: int | None = None) -> Any:
    """Return a system of OpenMM with the masses and the cell of a configuration, and a potential as its only force.

    Parameters
    ----------
    potential, atoms, threads
        As of :func:`python_force`. OpenMM takes cells whose first vector is along x, whose second is in the x-y plane,
        and that are not more skewed than half of a vector.

    Returns
    -------
    openmm.System

    Examples
    --------
    >>> system = system_of(potential, atoms)  # doctest: +SKIP
    >>> system.addForce(openmm.MonteCarloBarostat(1 * bar, 300 * kelvin))  # doctest: +SKIP
    >>> integrator = openmm.LangevinMiddleIntegrator(300 * kelvin, 1 / picosecond, 1 * femtosecond)  # doctest: +SKIP
    >>> context = openmm.Context(system, integrator)  # doctest: +SKIP
    >>> context.setPositions(0.1 * atoms.positions)  # doctest: +SKIP
    """
    force = python_force(potential, atoms, threads=threads)
    system = import_openmm().System()
    for mass in atoms.get_masses().tolist():
        system.addParticle(mass)
    if atoms.pbc.all():
        system.setDefaultPeriodicBoxVectors(*(0.1 * atoms.cell.array).tolist())
    system.addForce(force)
    return system


def particle_mesh(potential: Potential, atoms: Atoms, *, accuracy: float = 1e-5, cutoff: float = 5.0) -> Any:
    """Return the constant charges of a potential as a `NonbondedForce` with OpenMM's particle mesh.

    An independent check of the sum of Coulomb energies: all pairs count, bonded ones included.

    Parameters
    ----------
    potential : Potential
        With charges that do not depend on the surroundings, such as charge redistribution.
    atoms : ase.Atoms
        In a periodic cell.
    accuracy : float
        OpenMM's error tolerance, relative.
    cutoff : float, Å
        Of the sum in real space, at most half of the cell.

    Returns
    -------
    openmm.NonbondedForce

    Raises
    ------
    InputError
        No charges, or such that depend on the surroundings; a cell that is not periodic.
    """
    openmm = import_openmm()
    terms = [term for term in potential.parts() if isinstance(term, Electrostatics) and term.constant_charges]
    if not terms or terms[0].width is not None:
        raise InputError(f"{potential.kind} has no point charges that OpenMM could sum")
    if not atoms.pbc.all():
        raise InputError("a particle mesh needs a cell that is periodic along all three axes")
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.PME)
    force.setCutoffDistance(0.1 * cutoff)
    force.setEwaldErrorTolerance(accuracy)
    for charge in terms[0].charges(terms[0].geometry(atoms)).tolist():
        force.addParticle(charge, 1.0, 0.0)
    return force


class _Compute:
    """What OpenMM calls: energy (kJ/mol) and forces (N, 3) kJ/mol/nm of a state. It can be pickled, as systems are."""

    def __init__(self, potential: Potential, atoms: Atoms, threads: int | None) -> None:
        potential.geometry(atoms)  # refuses what the potential cannot evaluate
        self.atoms = atoms.copy()
        self.calculator = potential.calculator(threads=threads)

    def __call__(self, state: Any) -> tuple[float, np.ndarray]:
        from openmm.unit import angstrom

        self.atoms.positions = state.getPositions(asNumpy=True).value_in_unit(angstrom)
        if self.atoms.pbc.all():
            self.atoms.cell = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(angstrom)
        self.calculator.calculate(self.atoms)
        results = self.calculator.results
        return KJ_MOL * results["energy"], 10.0 * KJ_MOL * results["forces"]
