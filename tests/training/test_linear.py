"""The linear part of the fit."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.training import Loss, TrainingSet, Weights, linear, solve_linear, train


def make(configurations, potential, *weights):
    return Loss(potential, TrainingSet(configurations, potential), Weights(*weights))


@pytest.fixture
def start():
    return MomentTensorPotential.random(8, ("H", "O"), seed=1, cutoff=4.0)


@pytest.mark.parametrize("weights", [(1, 0.01, 0), (1, 0, 0), (1, 0.3, 0.05)])
def test_it_is_the_minimum(weights, data, start):
    """The gradient in that block is zero; no step away lowers the loss."""
    loss, n = make(data(14, noise=0.2), start, *weights), start.radial.size
    best = solve_linear(loss, start.parameters)
    value, gradient = loss(best)
    before, steep = loss(start.parameters)
    assert np.array_equal(best[:n], start.parameters[:n]) and value < before
    assert np.abs(gradient[n:]).max() < 1e-8 * np.abs(steep[n:]).max()
    rng = np.random.default_rng(0)
    for _ in range(5):
        step = np.concatenate([np.zeros(n), rng.normal(size=len(best) - n)])
        assert loss.value(loss.residuals(best + 1e-2 * step)) >= value * (1 - 1e-12)


def test_equals_least_squares(data, start):
    """Against `numpy.linalg.lstsq` on rows made of the potential's own energy gradients and forces."""
    configurations, w_e, w_f = [*data(4, noise=0.2), *data(3, noise=0.2, size=7)], 1.0, 0.04
    start, n = MomentTensorPotential.random(4, ("H", "O"), seed=1, cutoff=4.0), 16 * 2
    rows, right = [], []
    for atoms in configurations:
        weight = np.sqrt(w_e / len(atoms))
        rows.append(weight * start.energy_gradient(atoms)[None, n:])
        right.append([weight * atoms.get_potential_energy()])
        units = np.eye(start.n_parameters)[n:]
        forces = [start.with_parameters(np.append(start.parameters[:n], u[n:])).evaluate(atoms).forces for u in units]
        rows.append(np.sqrt(w_f) * np.reshape(forces, (len(units), -1)).T)
        right.append(np.sqrt(w_f) * atoms.get_forces().ravel())
    expected = np.linalg.lstsq(np.vstack(rows), np.concatenate(right), rcond=None)[0]
    assert solve_linear(make(configurations, start, w_e, w_f), start.parameters)[n:] == pytest.approx(
        expected, rel=1e-8
    )


def test_the_square_is_the_loss(data, start, monkeypatch):
    """1/2 |A d - b|^2 = L(theta + d), in one batch and in many, and for some of the linear parameters alone."""
    loss, n = make(data(6, noise=0.2), start, 1.0, 0.01, 0.1), start.radial.size
    theta = start.parameters
    everything = np.arange(len(theta)) >= n
    for rows in (linear.ROWS, 50):
        monkeypatch.setattr(linear, "ROWS", rows)
        for free in (everything, everything & (np.arange(len(theta)) % 3 == 0)):
            matrix, right = linear.least_squares(loss, theta, free)
            assert matrix.shape[1] == free.sum() and len(matrix) == len(right) <= matrix.shape[1] + 1
            for change in (np.zeros(free.sum()), np.random.default_rng(0).normal(size=free.sum())):
                moved = theta.copy()
                moved[free] += change
                half = 0.5 * ((matrix @ change - right) ** 2).sum()
                assert half == pytest.approx(loss.value(loss.residuals(moved)), rel=1e-10)


def test_known_parameters_come_back(data, truth):
    """From the radial functions that made the labels."""
    loss, n = make([*data(4), *data(2, size=7)], truth, 1.0, 0.01), truth.radial.size
    forgotten = truth.parameters
    forgotten[n:] = 0.3
    assert solve_linear(loss, forgotten) == pytest.approx(truth.parameters, rel=1e-7)


def test_known_shifts_stay(data, start):
    """At the best of the others: the gradient by what is free is zero, and what is fixed has not moved."""
    loss, n = make(data(14, noise=0.2), start, 1.0, 0.01), start.radial.size
    fixed = np.zeros(start.n_parameters, bool)
    fixed[n + 1] = True
    best = solve_linear(loss, start.parameters, fixed)
    gradient, steep = loss(best)[1], loss(start.parameters)[1]
    assert best[n + 1] == start.parameters[n + 1] and fixed.sum() == 1
    assert np.abs(gradient[n:][~fixed[n:]]).max() < 1e-8 * np.abs(steep[n:]).max()


def test_what_the_data_do_not_fix_stays(data, labelled, start):
    """Forces know no shifts; and of one composition only the sum of the shifts is known."""
    forces = [labelled(a, forces=a.get_forces()) for a in data(8, noise=0.1)]
    n = start.radial.size
    best = solve_linear(make(forces, start, 1.0, 0.01), start.parameters)
    assert np.array_equal(best[n : n + 2], start.shifts)
    best = solve_linear(make(data(8, noise=0.1), start, 1.0, 0.01), start.parameters)
    assert best[n] - best[n + 1] == pytest.approx(start.shifts[0] - start.shifts[1], abs=1e-6)
    assert np.isfinite(best).all()


def test_nothing_free(labelled, start):
    """Isolated atoms only, all shifts known."""
    atoms = [labelled(Atoms(s), energy=e) for s, e in (("H", -1.0), ("O", -2.0))]
    fixed = np.zeros(start.n_parameters, bool)
    fixed[start.radial.size :][:2] = True
    assert np.array_equal(solve_linear(make(atoms, start), start.parameters, fixed), start.parameters)


def test_ridge_holds_back(data, start):
    """A larger one stays nearer to the start and explains less; none of them explains less than the start."""
    loss = make(data(6, noise=0.2), start, 1.0, 0.01)
    ways = [solve_linear(loss, start.parameters, ridge=ridge) for ridge in (0.0, 1e-4, 1e-1)]
    values = [loss.value(loss.residuals(theta)) for theta in [*ways, start.parameters]]
    assert values == sorted(values)
    assert np.linalg.norm(ways[2] - start.parameters) < np.linalg.norm(ways[0] - start.parameters)


def test_training_starts_from_it(data, start):
    """The loss after one step of BFGS is far below that of a step from the random start."""
    configurations = data(8, noise=0.05)
    with_it = train(configurations, start, max_iterations=1, progress=False)
    without = train(configurations, start, max_iterations=1, progress=False, linear_start=False)
    assert with_it.history[1][1] < 0.1 * without.history[1][1]
