"""Suggestions from learning curves: what is fitted, kept, chosen and said."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.training import LearningCurve, PowerLaw, Suggestion, Weights, suggest
from electrolyte_ml.training import learning_curve as module
from electrolyte_ml.training.learning_curve import TradeOff
from electrolyte_ml.training.loss import Errors
from electrolyte_ml.training.splits import Groups
from electrolyte_ml.training.trials import Trial, TrialResult, digest_of

MODEL = ModelSpec(cutoff=4.0, radial_basis_size=4)


@pytest.fixture(scope="module")
def labels(data):
    return data(20, noise=0.02)


@pytest.fixture
def quick(labels, tmp_path):
    """`quick(...)`: a suggestion of one fit for each size, kept in a folder."""

    def call(**options):
        given = {
            "levels": (2,), "cutoffs": (4.0,), "model": MODEL, "splits": 2, "iterations": 4, "jobs": 1,
            "progress": False, "directory": tmp_path / "fits",
        }  # fmt: skip
        return suggest(labels, **{**given, **options})

    return call


def test_every_fit_is_kept_and_none_is_repeated(quick, tmp_path, monkeypatch):
    first = quick()
    files = sorted((tmp_path / "fits").glob("*.json"))
    sizes = first.curves[0].sizes
    assert len(sizes) >= 3
    # Two splits: each size with the weights of the curve, and one size with three other choices.
    assert len(files) == 2 * (len(sizes) + 3)
    files[0].unlink()
    fitted = []
    original = module.run_trial

    def watched(trial, *rest):
        fitted.append(trial)
        return original(trial, *rest)

    monkeypatch.setattr(module, "run_trial", watched)
    second = quick()
    assert len(fitted) == 1
    # The force times are measured anew; the errors are the same bit for bit.
    errors = [[(t, r.errors) for t, r in s.curves[0].trials] for s in (first, second)]
    assert errors[0] == errors[1]


def test_subsets_are_nested_and_held_out_ones_are_never_trained_on(quick, labels, monkeypatch):
    seen = {}

    def record(trial, train_on, held_out, species, path):
        seen[trial] = [id(atoms) for atoms in train_on], [id(atoms) for atoms in held_out]
        return result(0.1)

    monkeypatch.setattr(module, "run_trial", record)
    quick(directory=None)
    for trial, (train_on, held_out) in seen.items():
        assert len(train_on) == trial.size
        assert not set(train_on) & set(held_out)
        for other, (more, others_held_out) in seen.items():
            if other.seed == trial.seed:
                assert held_out == others_held_out
                assert other.size < trial.size or train_on == more[: trial.size]
    assert len({tuple(held_out) for _, held_out in seen.values()}) == 2


def test_isolated_atoms_are_always_trained_on(labels, labelled, monkeypatch):
    from ase import Atoms

    alone = labelled(Atoms("H"), energy=-1.0, forces=np.zeros((1, 3)))
    seen = []

    def record(trial, train_on, held_out, species, path):
        seen.append((sum(len(a) == 1 for a in train_on), sum(len(a) == 1 for a in held_out), len(train_on)))
        return result(0.1)

    monkeypatch.setattr(module, "run_trial", record)
    found = suggest([alone, *labels], levels=(2,), cutoffs=(4.0,), model=MODEL, splits=1, jobs=1, progress=False)
    assert {(alone_in, alone_out) for alone_in, alone_out, _ in seen} == {(1, 0)}
    assert found.configurations == len(labels)


def test_a_budget_leaves_expensive_fits_out(quick):
    """A millisecond allows the timing fit of the level alone; the same call without a budget does the rest."""
    found = quick(minutes=1e-5)
    assert len(found.curves[0].trials) == 1
    assert found.left_out > 0
    assert "left out for lack of time" in str(found) and found.chosen is None
    assert quick().left_out == 0


def test_a_budget_is_spent_on_curves_that_say_something(labels, monkeypatch):
    """Where the time is too short for three sizes of the higher level, it all goes to the lower one."""
    fitted = []

    def record(trial, *rest):
        fitted.append(trial)
        # 0.1 s for each configuration at level 2: all its fits take less than 2 minutes; three of level 4 take more.
        return replace(result(0.1), seconds=trial.size * (0.1 if trial.model.level == 2 else 100.0), iterations=10)

    monkeypatch.setattr(module, "run_trial", record)
    options = {"cutoffs": (4.0,), "model": MODEL, "splits": 2, "iterations": 10, "jobs": 1, "progress": False}
    found = suggest(labels, levels=(2, 4), minutes=2.0, **options)
    low, high = found.curves
    assert len(low.sizes) >= 3 and low.force_law is not None
    assert len(high.trials) == 1 and high.force_law is None  # the one that timed the level
    assert found.left_out == sum(trial.model.level == 4 for trial in _all_trials(labels, options)) - 1


def _all_trials(labels, options):
    """The trials that there would be without a budget."""
    seen = []
    original = module.run_trial
    try:
        module.run_trial = lambda trial, *rest: seen.append(trial) or result(0.1)
        suggest(labels, levels=(2, 4), **options)
    finally:
        module.run_trial = original
    return seen


def test_results_belong_to_their_labels(labels, labelled):
    changed = [*labels[:-1], labelled(labels[-1], **{**labels[-1].calc.results, "energy": 0.0})]
    assert digest_of(labels) == digest_of([atoms.copy() if atoms.calc is None else atoms for atoms in labels])
    assert digest_of(labels) != digest_of(changed)
    assert digest_of(labels) != digest_of(labels[::-1])


def test_a_damaged_result_is_named(quick, tmp_path):
    quick()
    path = sorted((tmp_path / "fits").glob("*.json"))[0]
    path.write_text("{")
    with pytest.raises(InputError, match=path.name):
        quick()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"target_force_error": 0.0}, "target_force_error"),
        ({"levels": (3,)}, "level"),
        ({"minutes": -1.0}, "minutes"),
        ({"splits": 0}, "at least"),
        ({"levels": (20,)}, "too few"),
    ],
)
def test_bad_input(quick, options, message):
    with pytest.raises(InputError, match=message):
        quick(**options)


# -- what is chosen and said, from errors made up ---------------------------------------------------------------------


def result(force, energy=0.002, pressure=0.05):
    errors = Errors(energy, energy, force, force, 0.1, 0.1, pressure, 0.0, 10)
    return TrialResult(errors, 100, True, 1.0)


def curve(level, microseconds, law, target=0.1):
    """A curve whose errors follow `law(N)` up to 1 % of scatter."""
    rng = np.random.default_rng(level)
    model = ModelSpec(level=level)
    trials = [
        (Trial(model, Weights(), n, seed, 300), result(law(n) * np.exp(0.01 * rng.normal())))
        for seed in range(3)
        for n in (25, 50, 100, 200)
    ]
    fit = PowerLaw.fit(
        [t.size for t, _ in trials], [r.errors.force_rmse for _, r in trials], [t.seed for t, _ in trials]
    )
    return LearningCurve(model, 100, tuple(trials), fit, None, microseconds, target)


def suggestion(*curves, trade_offs=()):
    groups = Groups(np.arange(250), True)
    return Suggestion(0.1, 250, groups, curves, Weights(stress=0.1), tuple(trade_offs), "level 8", 0, 0.0)


def steep(n):
    return 2.0 * n**-0.5  # 0.1 at N = 400


def flat(n):
    return 0.3 + 1.0 / n


def test_the_wanted_size_is_that_of_the_power_law():
    found = suggestion(curve(12, 3.0, steep))
    needed = found.chosen.needed
    assert needed.low < 400 < needed.high
    assert found.to_dict()["suggested"]["level"] == 12
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["configurations"] == 250
    assert "configurations more than now" in str(found)


def test_a_floor_above_the_wanted_error_is_said():
    found = suggestion(curve(8, 1.0, flat))
    assert found.chosen is None
    said = re.search(r"cannot be reached at this level: the floor is ([\d.]+) eV/Å", found.curves[0].answer())
    assert float(said[1]) == pytest.approx(0.3, abs=0.01)
    assert "none of these models is likely to reach 0.1 eV/Å" in str(found)


def test_the_model_with_fewest_labels_is_chosen_and_of_equals_the_fastest():
    few, many = curve(16, 9.0, lambda n: 1.4 * n**-0.5), curve(12, 3.0, steep)  # 196 and 400
    assert suggestion(curve(8, 1.0, flat), many, few).chosen is few
    alike = curve(10, 2.0, lambda n: 1.45 * n**-0.5)  # 210
    assert suggestion(few, alike, many).chosen is alike


def test_weights_with_the_least_worst_error_are_chosen():
    def row(weights, energy, force, pressure):
        return TradeOff(weights, (energy, 0.0), (force, 0.0), (pressure, 0.0), 3)

    rows = [
        row(Weights(force=0.01), 1.0, 1.5, 1.0),  # forces 50 % above the best
        row(Weights(force=0.1), 1.2, 1.0, 1.1),  # energies 20 % above the best
        row(Weights(force=1.0), 3.0, 1.0, 1.0),
    ]
    assert suggestion(curve(12, 3.0, steep), trade_offs=rows).weights == Weights(force=0.1)
    unlabelled = [replace(one, pressure=(np.nan, np.nan)) for one in rows]
    assert suggestion(curve(12, 3.0, steep), trade_offs=unlabelled).weights == Weights(force=0.1)


def test_labels_of_two_levels_are_refused_by_their_numbers_in_the_set(data):
    labels = data(10)
    for k, atoms in enumerate(labels):
        atoms.info["reference"] = "GFN1-xTB" if k < 7 else "GFN2-xTB"
    with pytest.raises(InputError, match=r"GFN1-xTB \(7 .*number 1\), GFN2-xTB \(3 .*number 8\)"):
        suggest(labels, levels=(2,), model=MODEL, progress=False)
