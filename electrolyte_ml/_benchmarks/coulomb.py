"""Coulomb sums of a solution of LiPF6, by this package and by OpenMM, with the errors of their forces."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml._benchmarks import cases, openmm_peer
from electrolyte_ml._benchmarks.cases import COULOMB
from electrolyte_ml._benchmarks.contest import KERNEL, OURS, Contest
from electrolyte_ml.potentials.coulomb import Ewald, MeshSum, ParticleMesh

if TYPE_CHECKING:
    from ase import Atoms

ATOMS = (1144, 4576)
EXACT_ATOMS = 5000  # largest box whose errors are computed, by an exact Ewald sum
EXACT = 1e-7  # accuracy of that sum


def contests(box: Atoms) -> Iterator[Contest]:
    """Yield the rows of a box on one thread: calculator of charges alone, its mesh from given pairs, and OpenMM."""
    model, n = cases.charge_model(), len(box)
    geometry = model.geometry(box)
    charges, solver = model.charges(geometry), model.solver(geometry)
    exact = Ewald(EXACT).solve(geometry, charges).forces if n <= EXACT_ATOMS else None
    contest = partial(Contest, COULOMB, None, n, 1)

    def error(forces: np.ndarray) -> float | None:
        return None if exact is None else float(np.sqrt(((forces - exact) ** 2).sum(1).mean()))

    hindrance = openmm_peer.hindrance(box)
    own_error = error(solver.solve(geometry, charges).forces)
    yield contest(OURS, cases.coulomb_call(box), error=own_error, note=hindrance)
    if isinstance(solver, ParticleMesh):
        mesh = MeshSum(solver.fixed_for(geometry.cell, charges), threads=1)
        yield contest(KERNEL, partial(mesh.solve, geometry, charges), error=own_error)
    if hindrance is None:
        call = openmm_peer.coulomb_call(box, charges)
        yield contest(openmm_peer.name(), call, error=error(openmm_peer.coulomb_forces(box, charges)))
