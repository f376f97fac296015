"""A potential that the package does not know: forty lines and one for the registry, and it does all that others do."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml import conformance
from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.dynamics import GradeMonitor, run_md
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import Block, MomentTensorPotential, Sum, load, register
from electrolyte_ml.potentials.blocks import slices
from electrolyte_ml.potentials.pairwise import PairPotential
from electrolyte_ml.training import evaluate_errors, train

SPECIES = ("H", "O")


@register
@dataclass(eq=False)
class Morse(PairPotential):
    """phi = depth (w^2 - 2 w) (1 - (r / cutoff)^2)^3 with w = exp(-width (r - bond)), the same for all pairs."""

    kind: ClassVar[str] = "morse"
    blocks: ClassVar = (Block("shape", 2, "nonlinear"), Block("depth", 1, "linear"))
    cutoff: ClassVar[float] = 3.0  # Å

    species: tuple[str, ...]
    values: np.ndarray = field(default_factory=lambda: np.array([2.0, 1.4, 0.5]))  # width 1/Å, bond Å, depth eV
    reference: str | None = None

    def __post_init__(self):
        self.species, self.values = tuple(self.species), np.array(self.values, dtype=float)
        if self.values.shape != (3,):
            raise InputError(f"{self.values.shape} parameters do not fit a Morse potential of 3")

    @classmethod
    def from_spec(cls, spec, species, seed):
        return cls(species)

    @property
    def parameters(self):
        return self.values.copy()

    def with_parameters(self, parameters):
        return type(self)(self.species, parameters, self.reference)

    def pair_energy(self, r, a, b):
        (width, bond, depth), (cut, cut_slope) = self.values, self._cut(r)
        w = np.exp(-width * (r - bond))
        phi, slope = depth * (w**2 - 2 * w), 2 * depth * width * (w - w**2)
        return phi * cut, slope * cut + phi * cut_slope

    def pair_gradient(self, r, a, b):
        width, bond, depth = self.values
        (cut, cut_slope), x = self._cut(r), r - bond
        w = np.exp(-width * x)
        phi = np.array([2 * depth * x * (w - w**2), 2 * depth * width * (w**2 - w), w**2 - 2 * w])
        slope = np.array([
            2 * depth * (w - w**2) - 2 * depth * width * x * (w - 2 * w**2),
            2 * depth * width**2 * (w - 2 * w**2),
            2 * width * (w - w**2),
        ])  # fmt: skip
        return phi * cut, slope * cut + phi * cut_slope

    def _cut(self, r):
        inside = np.maximum(1 - (r / self.cutoff) ** 2, 0.0)
        return inside**3, -6 * r / self.cutoff**2 * inside**2


def both(**options):
    return Sum((MomentTensorPotential.random(4, SPECIES, **({"cutoff": 4.0} | options)), Morse(SPECIES)))


@pytest.mark.parametrize("promise", conformance.CHECKS, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("potential", [Morse(("H", "C", "O")), both(scaling=1e-3)], ids=["alone", "in a sum"])
def test_it_keeps_every_promise(promise, potential):
    promise(potential)


@pytest.fixture(scope="module")
def data(liquid):
    """Labels made by a sum whose pair term, narrow and deep, no moment tensor potential of level 4 can follow."""
    truth = Sum((MomentTensorPotential.random(4, SPECIES, seed=7, cutoff=4.0), Morse(SPECIES, [5.0, 1.6, 0.8])))

    def make(n, seed):
        boxes = [liquid(8, SPECIES, seed + k) for k in range(n)]
        for box in boxes:
            result = truth.evaluate(box)
            box.calc = SinglePointCalculator(box, energy=result.energy, forces=result.forces, stress=result.stress)
        return boxes

    return make(16, 0), make(4, 50)


@pytest.fixture(scope="module")
def fitted(data):
    """The sum and a moment tensor potential alone, fitted to the same labels."""
    seen, _ = data
    return [train(seen, start, max_iterations=400, progress=False) for start in (both(), both().terms[0])]


def test_it_is_fitted_together_with_a_moment_tensor_potential(fitted, data):
    together, alone = (evaluate_errors(result.potential, data[1]) for result in fitted)
    assert together.force_rmse < 0.01 * alone.force_rmse and together.energy_rmse < 0.01 * alone.energy_rmse
    # Shape and place of the well; radial functions share in its depth.
    assert fitted[0].potential.terms[1].values[:2] == pytest.approx([5.0, 1.6], rel=0.02)
    start = both()
    for block, place in slices(start.blocks):
        assert np.abs(fitted[0].potential.parameters[place] - start.parameters[place]).max() > 0, block.name


def test_it_runs_at_constant_pressure_and_is_graded(liquid):
    potential, training = both(scaling=1e-4), [liquid(12, SPECIES, seed, side=7.0) for seed in range(4)]
    for mode in ("configuration", "neighbourhood"):
        active_set = ActiveSet.build(potential, training, mode)
        assert max(active_set.grade(box) for box in training) < 1.01
        monitor = GradeMonitor(active_set, save=1e-9, break_=1e9, every=10)
        options = {"temperature": 300, "time_ps": 0.02, "timestep_fs": 0.2, "log_interval_fs": 2, "progress": False}
        result = run_md(training[0], potential, ensemble="npt", monitors=[monitor], **options)
        assert result.completed and len(result.saved) == 11 and len(set(result.densities)) == 11
        for _, grade, atoms in result.saved:
            assert grade == pytest.approx(active_set.grade(atoms), rel=1e-4)  # of positions with eight decimals
        assert result.grades == pytest.approx([grade for _, grade, _ in result.saved], rel=1e-9)


def test_it_is_saved_and_loaded(tmp_path, fitted, liquid):
    potential, box = fitted[0].potential, liquid(9, SPECIES, seed=3)
    potential.save(tmp_path / "both.pot")
    back = load(tmp_path / "both.pot")
    assert isinstance(back.terms[1], Morse) and np.array_equal(back.parameters, potential.parameters)
    assert back.fingerprint == potential.fingerprint
    assert np.array_equal(back.evaluate(box).forces, potential.evaluate(box).forces)
    ActiveSet.build(potential, [box]).save(tmp_path / "set.npz")
    assert ActiveSet.load(tmp_path / "set.npz", back).grade(box) == pytest.approx(1.0, abs=1e-2)
