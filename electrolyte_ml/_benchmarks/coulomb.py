"""The Coulomb sum of a solution of LiPF6 beside OpenMM's, with the error of the forces of both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml._benchmarks import cases, openmm_peer
from electrolyte_ml._benchmarks.cases import COULOMB
from electrolyte_ml._benchmarks.contest import KERNEL, OURS, Contest
from electrolyte_ml.potentials.coulomb import Ewald, ParticleMesh

if TYPE_CHECKING:
    from ase import Atoms

ATOMS = (1144, 4576)
EXACT_ATOMS = 5000  # boxes of at most so many are summed wave by wave for the errors
EXACT = 1e-7  # accuracy of that sum
ERROR = 2e-4  # eV/Å, of forces that are good enough for dynamics
WANTED = f"mesh for {ERROR:g} eV/Å"


def contests(box: Atoms) -> Iterator[Contest]:
    """The sum with the mesh of a potential, with a coarser one, each also from given pairs, and by OpenMM.

    The mesh of a potential is as fine as charges of 1 e need it. The coarser one is for the charges of the box. All
    have one thread; a neighbour list lives as long as in dynamics.
    """
    model, n = cases.charge_model(), len(box)
    geometry = model.geometry(box)
    charges = model.charges(geometry)
    fine = model.solver(geometry).fixed_for(geometry.cell, n)
    coarse = ParticleMesh(ERROR / float((charges**2).mean())).fixed_for(geometry.cell, n)
    exact = Ewald(EXACT).solve(geometry, charges).forces if n <= EXACT_ATOMS else None
    contest = partial(Contest, COULOMB, None, n, 1)

    def error(forces: np.ndarray) -> float | None:
        return None if exact is None else float(np.sqrt(((forces - exact) ** 2).sum(1).mean()))

    hindrance = openmm_peer.hindrance(box)
    for solver, code, alone in ((fine, OURS, KERNEL), (coarse, WANTED, "the same, pairs given")):
        found = error(solver.solve(geometry, charges).forces)
        yield contest(code, cases.coulomb_call(box, solver), error=found, note=hindrance)
        yield contest(alone, partial(solver.solve, geometry, charges), error=found)
    if hindrance is None:
        call = openmm_peer.coulomb_call(box, charges)
        yield contest(openmm_peer.name(), call, error=error(openmm_peer.coulomb_forces(box, charges)))
