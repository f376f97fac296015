"""The gradient of the loss against finite differences, and against the plain twin."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from electrolyte_ml.potentials import Basis, MomentTensorPotential
from electrolyte_ml.potentials.mtp import twin
from electrolyte_ml.training import Loss, TrainingSet, Weights


def labelled(atoms, seed=0):
    """Random labels: residuals of all kinds and no symmetry."""
    rng, n = np.random.default_rng(seed), len(atoms)
    stress = {"stress": rng.normal(size=6) / 10} if atoms.pbc.all() else {}
    atoms.calc = SinglePointCalculator(atoms, energy=5 * rng.normal(), forces=rng.normal(size=(n, 3)), **stress)
    return atoms


@pytest.fixture(scope="module")
def configurations(liquid):
    """Of different sizes and cells, blocks of eight atoms that are not full, and one atom alone."""
    made = [liquid(11, seed=1, skew=0.3), liquid(3, seed=2, side=3.2), liquid(9, seed=3, pbc=False)]
    return [labelled(atoms, k) for k, atoms in enumerate([*made, Atoms("C", cell=[20] * 3, pbc=True)])]


def blocks(potential):
    a, b = potential.radial.size, potential.radial.size + len(potential.shifts)
    return {"radial": slice(0, a), "shifts": slice(a, b), "moments": slice(b, None)}


def slope(function, step):
    """df/dt at 0 to O(step^4)."""
    return (8 * (function(step) - function(-step)) - (function(2 * step) - function(-2 * step))) / (12 * step)


def gradient_agrees(loss, rel=1e-6):
    """Every block, component by component (a few of the radial ones) and along a random direction."""
    theta = loss.potential.parameters
    gradient, rng = loss(theta)[1], np.random.default_rng(0)
    for name, block in blocks(loss.potential).items():
        places = np.arange(len(theta))[block]
        chosen = rng.choice(places, min(len(places), 12), replace=False)
        units = [np.eye(len(theta))[k] for k in chosen]
        whole = np.zeros_like(theta)
        whole[places] = rng.normal(size=len(places))
        for direction in [*units, whole]:
            numeric = slope(lambda t, d=direction: loss.value(loss.residuals(theta + t * d)), 1e-2)
            largest = np.abs(gradient[block]).max() * np.abs(direction).sum()
            assert abs(numeric - gradient @ direction) <= rel * largest, name


@pytest.mark.parametrize("level", [2, 4, 6, 8, 10, 12, 16])
def test_all_three_weights(level, configurations):
    potential = MomentTensorPotential.random(level, ("H", "C", "O"), seed=level, cutoff=4.0)
    gradient_agrees(Loss(potential, TrainingSet(configurations, potential), Weights(1.0, 0.3, 0.02)))


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_each_weight_alone(weights, configurations):
    potential = MomentTensorPotential.random(8, ("O", "H", "C"), seed=3, cutoff=4.0, radial_basis_size=5, scaling=0.1)
    loss = Loss(potential, TrainingSet(configurations, potential), Weights(*weights))
    gradient_agrees(loss)
    by_shift = loss(potential.parameters)[1][blocks(potential)["shifts"]]
    assert by_shift.any() if weights[0] else not by_shift.any()  # forces know nothing of the shifts


@pytest.mark.nojit
def test_tables_of_another_program(liquid):
    """A basis that came from a file, whose products are not those generated here."""
    basic = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    products = np.array([[1, 1, 1, 4], [2, 2, 1, 4], [3, 3, 1, 4], [0, 0, 1, 5], [4, 5, 1, 6]])
    table = Basis(1, basic, products, np.array([0, 4, 5, 6]), 4)
    rng = np.random.default_rng(0)
    potential = MomentTensorPotential(
        table, ("H", "O"), rng.normal(size=(2, 2, 1, 4)), [0.1, 0.2], rng.normal(size=4), cutoff=4.0, scaling=0.1
    )
    data = TrainingSet([labelled(liquid(7, ("H", "O"), seed=5))], potential)
    gradient_agrees(Loss(potential, data, Weights(1.0, 0.3, 0.02)))


@pytest.mark.nojit
@pytest.mark.parametrize("level", [4, 8, 12])
def test_against_the_twin(level, configurations):
    """dL/dtheta = sum_k alpha dE/dtheta - (the derivative of dE/dtheta along dL/dF), all of it the twin's."""
    potential = MomentTensorPotential.random(level, ("H", "C", "O"), seed=level, cutoff=4.0)
    few = [configurations[1], configurations[2]]
    gradient = Loss(potential, TrainingSet(few, potential), Weights(1.0, 0.3))(potential.parameters)[1]
    expected = np.zeros(potential.n_parameters)
    for atoms in few:
        said, n = twin.evaluate(potential, atoms), len(atoms)
        alpha = 2 * 1.0 / 2 / n * (said.energy - atoms.get_potential_energy())
        weight = 2 * 0.3 / 2 * (said.forces - atoms.get_forces())
        expected += alpha * twin.site_energy_gradients(potential, atoms).sum(0)
        expected -= twin.energy_gradient_along(potential, atoms, weight)
    for block in blocks(potential).values():
        assert np.abs(gradient[block] - expected[block]).max() <= 1e-11 * np.abs(expected[block]).max()


@pytest.mark.nojit
def test_stress_against_the_twin(liquid):
    """The virial is dE/dstrain: its derivative is that of the twin's dE/dtheta along a strain."""
    potential, atoms = MomentTensorPotential.random(6, ("H", "C", "O"), seed=2, cutoff=4.0), liquid(5, seed=4, skew=0.3)
    labelled(atoms)
    gradient = Loss(potential, TrainingSet([atoms], potential), Weights(0, 0, 0.2))(potential.parameters)[1]
    volume, said = atoms.get_volume(), twin.evaluate(potential, atoms)
    residual = (said.virial + said.virial.T) / 2 - volume * atoms.get_stress(voigt=False)
    strain = 2 * 0.2 / len(atoms) * residual

    def row(t):
        strained = atoms.copy()
        strained.set_cell(np.array(atoms.cell) @ (np.eye(3) + t * strain), scale_atoms=True)
        return twin.site_energy_gradients(potential, strained).sum(0)

    expected = slope(row, 2e-4 / np.abs(strain).max())
    assert np.abs(gradient - expected).max() <= 1e-7 * np.abs(expected).max()


@pytest.mark.nojit
def test_atoms_without_neighbours():
    """No pair at all: only the shifts matter, and nothing divides by zero."""
    potential = MomentTensorPotential.random(8, ("H", "O"), cutoff=3.0)
    far = labelled(Atoms("HOH", [[0, 0, 0], [9, 0, 0], [0, 9, 0]]))
    value, gradient = Loss(potential, TrainingSet([far], potential), Weights())(potential.parameters)
    counts, residual = np.array([2, 1]), potential.shifts @ [2, 1] - far.get_potential_energy()
    assert value == pytest.approx(residual**2 / 3 + 0.01 * (far.get_forces() ** 2).sum(), rel=1e-12)
    assert gradient[blocks(potential)["shifts"]] == pytest.approx(2 * residual / 3 * counts, rel=1e-12)
    assert not gradient[blocks(potential)["radial"]].any() and not gradient[blocks(potential)["moments"]].any()
