"""Terms that join a fit one after another."""

from dataclasses import fields

import numpy as np
import pytest

from electrolyte_ml import conformance
from electrolyte_ml.potentials import ModelSpec, MomentTensorPotential, Sum
from electrolyte_ml.potentials.blocks import linear_mask, slices
from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.training import Loss, TrainingSet, Weights, minimise, projection, train
from electrolyte_ml.training.projection import project

SPECIES = ("H", "C", "O")
SPEC = ModelSpec(level=4, cutoff=4.0, radial_basis_size=3, charges="qrd")


class Late(MomentTensorPotential):
    """A term with linear parameters that joins in a second stage."""

    kind = "late"
    stage = 1


@pytest.fixture(scope="module")
def truth():
    charges = QRd.from_values(SPECIES, {"H": 0.1, "C": 0.4, "O": -0.5}, dict.fromkeys(SPECIES, 1.0))
    return Sum((ModelSpec(level=4, cutoff=4.0, radial_basis_size=3).random(SPECIES, 3), charges))


@pytest.fixture(scope="module")
def boxes(truth):
    return [
        conformance._labelled(truth, conformance.configuration(truth, 9, seed=seed, side=6.0)) for seed in range(12)
    ]


def make(potential, boxes):
    return Loss(potential, TrainingSet(boxes, potential), Weights(), 1)


def test_terms_of_later_stages_predict_nothing(boxes):
    potential = SPEC.random(SPECIES, 1)
    loss, theta = make(potential, boxes), potential.parameters
    alone = make(potential.terms[0], boxes)
    n = potential.terms[0].n_parameters
    for early in (loss.joined(0), loss.sample([2, 0, 5]).joined(0), loss.joined(0).sample([2, 0, 5])):
        value, gradient = early(theta)
        expected = (alone if len(early.data) == 12 else alone.sample([2, 0, 5]))(theta[:n])
        assert value == pytest.approx(expected[0], rel=1e-12) and not gradient[n:].any()
        np.testing.assert_allclose(gradient[:n], expected[1], atol=1e-12 * np.abs(expected[1]).max())
    assert loss.joined(1)(theta)[0] == loss(theta)[0] != loss.joined(0)(theta)[0]


def test_every_block_moves_in_every_method(boxes):
    start = SPEC.random(SPECIES, 2)
    for method in ("default", "paper"):
        result = train(boxes, start, method=method, max_iterations=100, progress=False)
        for block, place in slices(start.blocks):
            moved = np.abs(result.potential.parameters[place] - start.parameters[place]).max()
            assert moved > 1e-3, (method, block.name)


def test_order_of_the_stages(monkeypatch, boxes):
    """First the moment tensor potential, then the charges by projection, then all; a fit that is close is not begun."""
    seen = []

    def bfgs(loss, *arguments, original=minimise._bfgs):
        seen.append(loss.data.term.last)
        return original(loss, *arguments)

    monkeypatch.setattr(minimise, "_bfgs", bfgs)
    monkeypatch.setattr(minimise, "project", lambda *arguments: seen.append("projection") or project(*arguments))
    result = train(boxes, SPEC.random(SPECIES, 2), max_iterations=150, progress=False)
    place = seen.index("projection")
    assert set(seen[:place]) == {0} and set(seen[place + 1 :]) == {None}
    seen.clear()
    train(boxes, result.potential, max_iterations=20, progress=False)
    assert set(seen) == {None}


def test_projection_ends_at_a_minimum(boxes, monkeypatch):
    """Without its ridge, the derivatives by the joining and by the linear parameters vanish; no other is changed."""
    monkeypatch.setattr(projection, "RIDGE", 0.0)
    potential = SPEC.random(SPECIES, 5)
    loss, theta = make(potential, boxes), potential.parameters
    joining = np.arange(len(theta)) >= len(theta) - 6
    solved = linear_mask(potential.blocks)
    found = project(loss, theta, joining, solved)
    assert np.array_equal(found[~(joining | solved)], theta[~(joining | solved)])
    value, gradient = loss(found)
    scale = np.abs(loss(theta)[1]).max() * value / loss(theta)[0]
    assert np.abs(gradient[joining | solved]).max() < 1e-3 * scale
    assert value < loss(theta)[0]


@pytest.mark.parametrize("seed", range(4))
def test_weights_of_charges_do_not_run_away(seed):
    """The other terms are random here: the loss falls towards infinite weights, by less than a thousandth."""
    charges = QRd.from_values(SPECIES, {"H": 0.5, "C": -0.4, "O": 0.1}, {"H": 1.0, "C": 2.0, "O": 0.5})
    soft = MomentTensorPotential.random(2, SPECIES, radial_basis_size=1, cutoff=4.0, min_distance=0.5, scaling=0.3)
    values = {"radial": 1.0, "moments": 1.0, "shifts": 0.0}
    theta = np.concatenate([np.full(block.size, values[block.name]) for block in soft.blocks])
    truth = Sum((soft.with_parameters(theta), charges))
    mixtures = [conformance.configuration(truth, 24, seed=number, side=8.5) for number in range(12)]
    for number, atoms in enumerate(mixtures):
        atoms.symbols = ("H10C10O4", "H8C8O8", "H4C4O16")[number % 3]
    mixtures = [conformance._labelled(truth, atoms) for atoms in mixtures]
    potential = SPEC.random(SPECIES, seed)
    loss, theta = make(potential, mixtures), potential.parameters
    found = project(loss, theta, np.arange(len(theta)) >= len(theta) - 6, linear_mask(potential.blocks))
    assert np.ptp(found[-3:]) < 5.0


def test_charges_of_zero_are_no_start_though_the_loss_is_stationary_there(boxes):
    potential = SPEC.random(SPECIES, 5)
    loss, theta = make(potential, boxes), potential.parameters
    joining = np.arange(len(theta)) >= len(theta) - 6
    theta[-6:-3] = 0.0
    assert not loss(theta)[1][joining].any()
    found = project(loss, theta, joining, linear_mask(potential.blocks))
    assert np.abs(found[-6:-3]).max() > 0.01
    result = train(boxes, potential.with_parameters(theta), max_iterations=100, progress=False)
    assert np.abs(result.potential.terms[1].b).max() > 0.01


def test_any_term_may_join_later(boxes):
    """Also one with linear parameters."""
    first = MomentTensorPotential.random(2, SPECIES, cutoff=4.0, radial_basis_size=2)
    late = MomentTensorPotential.random(4, SPECIES, seed=1, cutoff=4.0, radial_basis_size=3)
    start = Sum((first, Late(**{field.name: getattr(late, field.name) for field in fields(late)})))
    assert minimise.stage_of_each(make(start, boxes)).sum() == late.n_parameters
    result = train(boxes, start, max_iterations=150, progress=False)
    alone = train(boxes, first, max_iterations=150, progress=False)
    assert result.history[-1][1] < 0.8 * alone.history[-1][1]


def test_labels_of_a_charged_model_are_recovered(boxes, truth):
    """The best of three starts."""
    result = train(boxes, SPEC.random(SPECIES, 1), starts=3, max_iterations=400, tolerance=1e-5, progress=False)
    null = np.concatenate([atoms.get_forces() for atoms in boxes]).std()
    assert result.errors.force_rmse < 0.05 * null
