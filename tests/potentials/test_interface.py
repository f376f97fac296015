"""What derived classes change is respected everywhere, and what they leave follows from it."""

from dataclasses import fields, replace

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.potentials import MomentTensorPotential, Potential, Sum, System
from electrolyte_ml.potentials.blocks import linear_mask
from electrolyte_ml.potentials.pairwise import ZBL
from electrolyte_ml.training import Loss, TrainingSet, Weights, evaluate_errors, train

SPECIES = ("H", "C", "O")


class Raise:
    """Adds 1000 eV to whatever it is mixed into."""

    def evaluate(self, atoms, threads=None):
        result = super().evaluate(atoms, threads)
        energies = result.energies + 1000.0 / len(result.energies)
        return replace(result, energy=result.energy + 1000.0, energies=energies)


class Raised(MomentTensorPotential):
    """1000 eV above a moment tensor potential."""

    def evaluate(self, atoms, threads=None):
        result = super().evaluate(atoms, threads)
        energies = result.energies + 1000.0 / len(result.energies)
        return replace(result, energy=result.energy + 1000.0, energies=energies)


class MixedIn(Raise, MomentTensorPotential):
    """The same by a mixin."""


class Doubled(MomentTensorPotential):
    """Twice a moment tensor potential."""

    def evaluate(self, atoms, threads=None):
        result = super().evaluate(atoms, threads)
        return replace(
            result,
            energy=2 * result.energy,
            energies=2 * result.energies,
            forces=2 * result.forces,
            virial=2 * result.virial,
        )

    def pullback(self, atoms, by_energies, by_forces, by_virial):
        return 2 * super().pullback(atoms, by_energies, by_forces, by_virial)


def derived(kind):
    """A moment tensor potential, and the same of a derived class."""
    potential = MomentTensorPotential.random(4, SPECIES, cutoff=4.0, scaling=1e-3, seed=3)
    return potential, kind(**{field.name: getattr(potential, field.name) for field in fields(potential)})


RAISED = [Raised, MixedIn]


@pytest.fixture
def box(liquid):
    return liquid(12, SPECIES, seed=1, side=7.0)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("threads", [1, 2])
def test_calculator_stepper_and_dynamics_add_1000_ev(kind, threads, box):
    plain, raised = derived(kind)
    assert raised.evaluate(box).energy == plain.evaluate(box).energy + 1000.0
    energy = raised.calculator(threads=threads).get_potential_energy(box)
    assert energy == pytest.approx(plain.evaluate(box).energy + 1000.0, rel=1e-13)
    options = {"ensemble": "nvt", "time_ps": 0.01, "timestep_fs": 0.2, "log_interval_fs": 0.2, "progress": False}
    for make in (lambda p: p, lambda p: p.calculator(threads=threads)):
        low, high = (run_md(box, make(p), **options) for p in (plain, raised))
        assert len(low.energies) == 51
        assert high.energies == pytest.approx(low.energies + 1000.0, rel=0, abs=1e-6)  # of ten digits in the log
        assert np.abs(high.atoms.positions - low.atoms.positions).max() < 1e-9


@pytest.mark.parametrize("kind", RAISED)
def test_training_adds_1000_ev(kind, box):
    plain, raised = derived(kind)
    result = plain.evaluate(box)
    box.calc = SinglePointCalculator(box, energy=result.energy, forces=result.forces)
    data, theta = TrainingSet([box, box], raised), raised.parameters
    assert data.term.predict(theta).energies == pytest.approx([result.energy + 1000.0] * 2, rel=1e-13)
    assert data.subset([1]).term.predict(theta).energies == pytest.approx([result.energy + 1000.0], rel=1e-13)
    value, gradient = Loss(raised, data, Weights())(theta)
    assert value == pytest.approx(1000.0**2 / len(box), rel=1e-9)
    assert gradient == pytest.approx(2 * 1000.0 / len(box) * plain.energy_gradient(box), rel=1e-9, abs=1e-9)
    assert evaluate_errors(raised, [box]).energy_mae == pytest.approx(1000.0 / len(box), rel=1e-9)
    fitted = train([box], raised, max_iterations=20, progress=False).potential
    assert type(fitted) is kind
    assert fitted.evaluate(box).energy == pytest.approx(result.energy, abs=1e-3 * len(box))


@pytest.mark.parametrize("kind", RAISED)
def test_a_sum_adds_1000_ev(kind, box):
    plain, raised = derived(kind)
    low, high = Sum((plain, ZBL(SPECIES))), Sum((raised, ZBL(SPECIES)))
    expected = low.evaluate(box).energy + 1000.0
    assert high.evaluate(box).energy == pytest.approx(expected, rel=1e-13)
    assert high.calculator().get_potential_energy(box) == pytest.approx(expected, rel=1e-13)
    assert high.prepare([high.geometry(box)]).predict(high.parameters).energies == pytest.approx([expected], rel=1e-13)


def test_dynamics_follow_forces_that_were_changed(box):
    """Twice the potential is the potential with twice its linear parameters."""
    plain, doubled = derived(Doubled)
    theta = plain.parameters
    equal = plain.with_parameters(np.where(linear_mask(plain.blocks), 2 * theta, theta))
    options = {"ensemble": "npt", "time_ps": 0.01, "timestep_fs": 0.2, "progress": False}
    one, other, undone = (run_md(box, potential, **options) for potential in (doubled, equal, plain))
    np.testing.assert_allclose(one.atoms.positions, other.atoms.positions, atol=1e-9)
    np.testing.assert_allclose(one.atoms.cell.array, other.atoms.cell.array, atol=1e-9)
    np.testing.assert_allclose(one.pressures, other.pressures, rtol=1e-8)
    assert np.abs(one.atoms.positions - undone.atoms.positions).max() > 1e-5


def test_grades_and_training_follow_a_pullback_that_was_changed(box):
    plain, doubled = derived(Doubled)
    assert doubled.energy_gradient(box) == pytest.approx(2 * plain.energy_gradient(box), rel=1e-12, abs=1e-12)
    rows = plain.site_energy_gradients(box)
    assert np.abs(doubled.site_energy_gradients(box) - 2 * rows).max() < 1e-12 * np.abs(rows).max()
    geometries, theta, n = [plain.geometry(box)], plain.parameters, len(box)
    by = np.ones(1), np.random.default_rng(0).normal(size=(n, 3)), np.eye(3)[None]
    one, other = (potential.prepare(geometries).pullback(theta, *by) for potential in (plain, doubled))
    assert np.abs(other - 2 * one).max() < 1e-12 * np.abs(one).max()
    moved = box.copy()
    moved.rattle(0.3, seed=1)
    grades = [ActiveSet.build(potential, [box], "neighbourhood").grade(moved) for potential in (plain, doubled)]
    assert grades[0] == pytest.approx(grades[1], rel=1e-6)


def test_a_faster_way_of_the_same_class_or_a_later_one_is_kept():
    class Faster(Raised):
        def stepper(self, system, threads=1):
            raise NotImplementedError

    class Again(Faster):
        pass

    class Changed(Faster):
        evaluate = MomentTensorPotential.evaluate

    assert Again.stepper is Faster.stepper and Faster.prepare is Potential.prepare
    assert Changed.stepper is Potential.stepper
    assert MomentTensorPotential.stepper is not Potential.stepper is Raised.stepper is MixedIn.stepper


def test_a_derived_class_keeps_its_class(box):
    _, raised = derived(Raised)
    for other in (raised.with_parameters(0.5 * raised.parameters), raised.with_reference("PBE"), raised.copy()):
        assert type(other) is Raised
    assert raised.with_precision("mixed").evaluate(box).energy == pytest.approx(raised.evaluate(box).energy, rel=1e-6)
    system = System.of(box, SPECIES)
    assert raised.with_parameters(raised.parameters).stepper(system).potential.evaluate(box).energy > 900
