"""Charges in dynamics: one mesh for a run, and forces within its error of Ewald's sum."""

import numpy as np
import pytest

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import InputError
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


def list_of(model, positions, atoms):
    system = System.of(atoms, model.species)
    reach = model.cutoff + 1.0
    return neighbour_list(positions, atoms.cell.array, system.pbc, reach, system.species, len(system.symbols))


def stepper_of(model, atoms, threads=1):
    stepper = model.stepper(System.of(atoms, model.species), threads)
    stepper.renew(list_of(model, atoms.positions, atoms), atoms.positions, atoms.cell.array)
    return stepper


def test_solvers_by_size_and_boundary(model, box):
    small, large = model.geometry(pack({"EC": 1}, 1.0)), model.geometry(box)
    assert isinstance(model.solver(small), Ewald) and isinstance(model.solver(large), ParticleMesh)
    assert isinstance(model.solver(large, exact=True), Ewald)
    assert type(model.solver(model.geometry(molecule("EC")))).__name__ == "BareSum"


def test_large_cells_have_the_forces_of_ewalds_sum_within_the_error_of_the_mesh(model, box):
    geometry = model.geometry(box)
    mesh, exact = model.evaluate(geometry), model.evaluated(geometry, model.solver(geometry, exact=True), 1)
    assert 2e-5 < np.sqrt(((mesh.forces - exact.forces) ** 2).sum(1).mean()) < 2e-4
    assert mesh.energy == pytest.approx(exact.energy, abs=1e-5 * len(box))
    prepared = model.prepare([geometry]).predict(model.parameters)
    np.testing.assert_allclose(prepared.forces, exact.forces, atol=1e-8)


def test_the_mesh_stays_while_the_cell_changes_by_little(model, box):
    stepper = stepper_of(model, box)
    charges = model.charges(model.geometry(box))

    def energy(stretch):
        return stepper.add(stretch * box.positions, stretch * box.cell.array, np.zeros_like(box.positions))[0]

    def chosen(stretch):
        return ParticleMesh().fixed_for(stretch * box.cell.array, charges).splitting

    energies, meshes = [], []
    for stretch in np.linspace(1.0, 1.04, 41):
        energies.append(energy(stretch))
        meshes.append(stepper._mesh.solver.splitting)
    assert set(meshes) == {chosen(1.0)} and chosen(1.04) != chosen(1.0)
    # A mesh that changed would let the second difference jump by its error.
    assert np.abs(np.diff(energies, 3)).max() < 2e-4
    energy(1.06)
    assert stepper._mesh.solver.splitting == chosen(1.06) != meshes[0]
    energy(1.03)
    assert stepper._mesh.solver.splitting == chosen(1.06)
    stepper.invalidate()
    energy(1.03)
    assert stepper._mesh.solver.splitting == chosen(1.03)


def test_charges_that_depend_on_the_surroundings_are_computed_at_each_step(model, box):
    """A model that does not say that its charges are constant."""

    class Breathing(QRd):
        constant_charges = False

        def charges(self, geometry):
            return super().charges(geometry) * geometry.near.vector.shape[1] / 1000

    for kind, same in ((QRd, True), (Breathing, False)):
        stepper = stepper_of(kind(model.species, model.b, model.s), box)
        charges = []
        for stretch in (1.0, 1.01):
            stepper.add(stretch * box.positions, stretch * box.cell.array, np.zeros_like(box.positions))
            charges.append(stepper.charges.copy())
        assert np.array_equal(*charges) == same


def test_steps_are_evaluations(model, box, monkeypatch):
    """From a list that was made for other positions, on one thread and on two."""
    monkeypatch.setattr("electrolyte_ml.potentials.coulomb.mesh.ATOMS_PER_THREAD", 10)
    rng = np.random.default_rng(0)
    for threads in (1, 2):
        stepper = stepper_of(model, box, threads)
        for stretch in (1.0, 1.01):
            positions = stretch * box.positions + 0.05 * rng.normal(size=box.positions.shape)
            moved = box.copy()
            moved.positions, moved.cell = positions, stretch * box.cell.array
            forces, expected = np.ones_like(positions), model.evaluate(moved)
            energy, virial = stepper.add(positions, moved.cell.array, forces)
            if stretch == 1.0:
                assert energy == pytest.approx(expected.energy, rel=1e-12)
                np.testing.assert_allclose(forces - 1, expected.forces, atol=1e-11)
                np.testing.assert_allclose(virial, expected.virial, atol=1e-9)
                np.testing.assert_allclose(stepper.energies, expected.energies, atol=1e-11)
            else:  # on the mesh of the first cell
                np.testing.assert_allclose(forces - 1, expected.forces, atol=2e-3)
            assert np.array_equal(stepper.geometry().positions, positions)


def test_atoms_that_overlap_are_named(model, box):
    positions = box.positions.copy()
    positions[7] = positions[3] + 0.1
    stepper = stepper_of(model, box)
    stepper.renew(list_of(model, positions, box), positions, box.cell.array)
    with pytest.raises(InputError, match="atoms 4 and 8 overlap: 0.173 Å apart"):
        stepper.add(positions, box.cell.array, np.zeros_like(positions))


class Interrupts:
    """A monitor that stops the program at one of its looks, as Ctrl-C does, and one that notes the cell."""

    reason, every = "interrupt", 3

    def __init__(self, step=-1):
        self.step, self.lengths = step, []

    def check(self, step, atoms, results):
        self.lengths.append(atoms.cell.lengths()[0])
        if step == self.step:
            raise KeyboardInterrupt


@pytest.mark.parametrize("plain", [True, False])
def test_a_run_at_constant_pressure_resumes_to_the_bit(tmp_path, box, plain):
    """Also where the mesh has been chosen anew between the last restart file and the end."""
    potential = ModelSpec(level=4, cutoff=5.0, scaling=1e-3, charges="qrd").random(SPECIES, 1)
    options = {"ensemble": "npt", "temperature": 50, "pressure_bar": -2e4, "pdamp_fs": 5, "timestep_fs": 0.2}
    options |= {"time_ps": 0.02, "restart_interval_fs": 4, "log_interval_fs": 1, "frame_interval_fs": 2, "seed": 4}

    def run(folder, monitor):
        calculator = potential.calculator(threads=1)
        if not plain:  # around the calculator, as for one of another package
            calculator.calculate = calculator.calculate
        return run_md(box, calculator, monitors=[monitor], directory=tmp_path / folder, progress=False, **options)

    for step in (27, 78):
        with pytest.raises(KeyboardInterrupt):
            run("killed", Interrupts(step))
    resumed, watch = run("killed", Interrupts()), Interrupts()
    whole = run("whole", watch)
    assert whole.completed
    assert max(watch.lengths[14:26]) > 1.05 * watch.lengths[14]  # between restart files at steps 40 and 80
    np.testing.assert_array_equal(resumed.atoms.positions, whole.atoms.positions)
    for name in ("log.csv", "trajectory.trr"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


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
