"""Several random starts, of which the best is continued."""

import sys

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec, MomentTensorPotential, Sum
from electrolyte_ml.training import fit, train, train_ensemble


@pytest.fixture(scope="module")
def noisy(data):
    return data(6, noise=0.1)


def quiet(configurations, start, **options):
    return train(configurations, start, progress=False, **options)


@pytest.fixture
def drawn(monkeypatch):
    """The starts that a fit draws, in order."""
    starts, original = [], MomentTensorPotential.redrawn

    def redrawn(potential, seed):
        starts.append(original(potential, seed))
        return starts[-1]

    monkeypatch.setattr(MomentTensorPotential, "redrawn", redrawn)
    return starts


@pytest.mark.parametrize("method", ["default", "paper"])
def test_the_best_start_is_continued(method, noisy, drawn):
    start = MomentTensorPotential.random(4, ("H", "O"), seed=1, cutoff=4.0)
    result = quiet(noisy, start, method=method, starts=4, max_iterations=180)
    assert len(drawn) == 3
    short = [quiet(noisy, one, method=method, max_iterations=fit.START_ITERATIONS) for one in (start, *drawn)]
    losses = [one.history[-1][1] for one in short]
    assert len(set(losses)) == 4 and np.argmin(losses) != 0  # the first start is not the best
    best = short[int(np.argmin(losses))]
    assert [h[:2] for h in result.history[: len(best.history)]] == [h[:2] for h in best.history]
    assert result.history[-1][0] <= 180 and result.history[-1][1] < min(losses)
    assert (np.diff([h[2] for h in result.history]) >= 0).all()
    assert result.evaluations > sum(one.evaluations for one in short)


def test_starts_follow_from_the_first(noisy, start, drawn):
    """The same ones every time, and others for another first start."""
    options = {"starts": 3, "max_iterations": 2}
    first, again = (quiet(noisy, start, **options) for _ in range(2))
    assert np.array_equal(first.potential.parameters, again.potential.parameters)
    quiet(noisy, MomentTensorPotential.random(4, ("H", "O"), seed=1, cutoff=4.0), **options)
    assert [np.array_equal(drawn[0].parameters, one.parameters) for one in drawn] == [True, False] * 2 + [False] * 2
    assert len({one.parameters.tobytes() for one in drawn}) == 4


def test_isolated_atoms_are_exact_from_every_start(noisy, labelled, start):
    from ase import Atoms

    atom = labelled(Atoms("O", cell=[20] * 3, pbc=True), energy=-432.2, forces=np.zeros((1, 3)))
    result = quiet([*noisy, atom], start, starts=4, max_iterations=30)
    assert result.potential.evaluate(Atoms("O")).energy == -432.2


def test_an_ensemble_has_several_starts_for_each_member(noisy, drawn):
    spec = ModelSpec(level=4, cutoff=4.0)
    ensemble = train_ensemble(
        noisy, spec, ("H", "O"), seeds=(0, 1), starts=3, max_iterations=5, progress=False, checkpoint=None
    )
    assert len(drawn) == 4 and len({one.parameters.tobytes() for one in drawn}) == 4
    alone = quiet(noisy, spec.random(("H", "O"), 1), starts=3, max_iterations=5)
    assert np.array_equal(ensemble.potentials[1].parameters, alone.potential.parameters)


def test_progress_names_the_start(capsys, monkeypatch, noisy, start):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(noisy, start, starts=2, max_iterations=3, progress=True)
    shown = capsys.readouterr().err
    assert "Fit, start 2 of 2" in shown and "6/6" in shown


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec(level=4),
        ModelSpec(level=4, repulsion="zbl"),
        *(
            ModelSpec(level=4, charges="qrd", charge_form=form, charge_width=width)
            for form, width in (("positive", None), ("raw", 1.0))
        ),
    ],
    ids=["mtp", "zbl", "charges", "raw"],
)
def test_another_start_is_what_the_specification_draws(spec):
    """In form and width, too."""
    one, other = (spec.random(("H", "C", "O"), seed) for seed in (3, 8))
    again = one.redrawn(8)
    assert np.array_equal(again.parameters, other.parameters) and again.fingerprint == other.fingerprint
    assert np.array_equal(one.redrawn([8, 1]).parameters, one.redrawn([8, 1]).parameters)
    assert not np.array_equal(one.redrawn([8, 1]).parameters, one.redrawn([8, 2]).parameters)
    if isinstance(one, Sum):
        assert [term.kind for term in again.terms] == [term.kind for term in one.terms]


@pytest.mark.parametrize("starts", [0, 10**9])
def test_number_of_starts_without_sense(noisy, start, starts):
    with pytest.raises(InputError, match=f"starts must be between 1 and 1000, not {starts}"):
        quiet(noisy, start, starts=starts)
