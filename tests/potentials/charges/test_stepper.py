"""Charges in dynamics: one mesh for a run, and forces within its error of Ewald's sum."""

import numpy as np
import pytest

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.potentials import ModelSpec, System
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.potentials.coulomb import Ewald, ParticleMesh
from electrolyte_ml.structures import molecule, pack
from electrolyte_ml.structures.neighbours import neighbour_list

SPECIES = ("H", "C", "O", "Li", "P", "F")


@pytest.fixture(scope="module")
def box():
    return pack({"LiPF6": 1, "EC": 12}, 1.1, seed=3)  # 128 atoms


@pytest.fixture(scope="module")
def model():
    return QRd.random(SPECIES, 2)


def stepper_of(model, atoms):
    system = System.of(atoms, model.species)
    stepper = model.stepper(system, 1)
    pairs = neighbour_list(
        atoms.positions, atoms.cell.array, system.pbc, model.cutoff + 1.0, system.species, len(system.symbols)
    )
    stepper.renew(pairs, atoms.positions, atoms.cell.array)
    return stepper


def test_solvers_by_size_and_boundary(model, box):
    small, large = model.geometry(pack({"EC": 1}, 1.0)), model.geometry(box)
    assert isinstance(model.solver(small), Ewald) and isinstance(model.solver(large), ParticleMesh)
    assert isinstance(model.solver(large, exact=True), Ewald)
    assert type(model.solver(model.geometry(molecule("EC")))).__name__ == "BareSum"


def test_large_cells_have_the_forces_of_ewalds_sum_within_the_error_of_the_mesh(model, box):
    geometry = model.geometry(box)
    mesh, exact = model.evaluate(geometry), model.evaluated(geometry, model.solver(geometry, exact=True), 1)
    assert 0 < np.sqrt(((mesh.forces - exact.forces) ** 2).mean()) < 1e-4
    assert mesh.energy == pytest.approx(exact.energy, abs=1e-5 * len(box))
    prepared = model.prepare([geometry]).predict(model.parameters)
    np.testing.assert_allclose(prepared.forces, exact.forces, atol=1e-8)


def test_the_mesh_stays_while_the_cell_changes_by_little(model, box):
    stepper = stepper_of(model, box)
    energies, meshes = [], []
    for stretch in np.linspace(1.0, 1.04, 41):
        positions, cell = stretch * box.positions, stretch * box.cell.array
        energies.append(stepper.add(positions, cell, np.zeros_like(positions))[0])
        meshes.append(stepper._kept[1].mesh)
    assert len(set(meshes)) == 1
    assert len({model.solver(model.geometry(box)).fixed_for(s * box.cell.array, 128).mesh for s in (1.0, 1.04)}) == 2
    # A mesh that changed would let the second difference jump by its error.
    assert np.abs(np.diff(energies, 3)).max() < 2e-4
    stepper.add(1.06 * box.positions, 1.06 * box.cell.array, np.zeros_like(box.positions))
    assert stepper._kept[1].mesh != meshes[0]


def test_dynamics_of_a_sum_follow_all_terms(box):
    """Two steps by the sum's steppers are those of the calculator."""
    potential = ModelSpec(level=4, cutoff=4.0, scaling=1e-3, charges="qrd").random(SPECIES, 1)
    ends = [
        run_md(
            box, calculator, ensemble="nve", temperature=50, time_ps=0.0005, timestep_fs=0.1, progress=False
        ).atoms.positions
        for calculator in (potential, potential.calculator())
    ]
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)
    assert np.abs(ends[0] - box.positions).max() > 1e-4
