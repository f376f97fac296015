"""Figures of errors and of learning curves."""

import numpy as np
import pytest
from matplotlib.text import Text

from electrolyte_ml.analysis.errors import GroupedErrors, GroupError
from electrolyte_ml.errors import InputError
from electrolyte_ml.figures import grade_errors, learning_curve, parity_by_element, site_errors
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.training import LearningCurve, PowerLaw, Predictions, Suggestion, Weights
from electrolyte_ml.training.loss import Errors
from electrolyte_ml.training.splits import Groups
from electrolyte_ml.training.trials import Trial, TrialResult

SAID = {"reference": "GFN1-xTB", "scale": "quick"}
NAN = float("nan")


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    forces = rng.normal(size=(90, 3))
    energies = np.r_[rng.normal(size=5), 1000 + rng.normal(size=5)]
    return Predictions(energies + 0.01, energies, forces + 0.1, forces)


@pytest.fixture
def elements():
    return np.array(["C", "H", "O"] * 30)


@pytest.fixture
def grouped():
    def of(name, species="", rmse=0.1):
        return GroupError(name, species, 10, rmse, 0.01, 1.0, 1.5 * rmse, 0.02)

    return GroupedErrors(
        (of("C"), of("O")), (of("EC"), of("Li")), (of("CH2", "EC"), of("carbonyl C", "EC", 0.2), of("Li", "Li")),
        {"EC": 2, "Li": 1}, {"CO2": 3}, 1, 4, 3,
    )  # fmt: skip


@pytest.fixture
def suggestion():
    curves = []
    for level, error in ((8, lambda n: 0.3 + 1.0 / n), (12, lambda n: 2.0 * n**-0.5)):
        rng, model = np.random.default_rng(level), ModelSpec(level=level)
        trials = []
        for seed in range(2):
            for n in (25, 50, 100):
                force = error(n) * np.exp(0.02 * rng.normal())
                errors = Errors(0.01 * force, 0.01, force, 0.1, NAN, NAN, NAN, NAN, 10)
                trials.append((Trial(model, Weights(), n, seed, 100), TrialResult(errors, 100, True, 1.0)))
        law = PowerLaw.fit([t.size for t, _ in trials], [r.errors.force_rmse for _, r in trials],
                           [t.seed for t, _ in trials])  # fmt: skip
        curves.append(LearningCurve(model, 100, tuple(trials), law, None, 1.0, 0.1))
    return Suggestion(0.1, 130, Groups(np.arange(130), True), tuple(curves), Weights(), (), "level 8", 0, 0.0)


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def test_figures_name_what_they_show(predictions, elements, grouped, suggestion, check_figures):
    rng = np.random.default_rng(1)
    compositions = ["C3H4O3"] * 5 + ["C4H8O3"] * 5
    drawn = {
        "parity_by_element": parity_by_element(predictions, elements, compositions, **SAID),
        "site_errors": site_errors(grouped, **SAID),
        "grade_errors": grade_errors(rng.lognormal(size=400), rng.lognormal(size=400), of="atom", **SAID),
        "learning_curve": learning_curve(suggestion, **SAID),
    }
    check_figures(drawn)
    units = {
        "parity_by_element": ["meV/atom", "eV/Å", "forces on H"],
        "site_errors": ["(eV/Å)", "(%)", "carbonyl C", "3 broken, fused or unknown molecules left out"],
        "grade_errors": ["(eV/Å)", "Rank correlation"],
        "learning_curve": ["(eV/Å)", "(meV/atom)", "wanted: 0.1 eV/Å", "level 12, 5 Å: ", "more than 1000"],
    }
    for name, found in units.items():
        for text in found:
            assert text in words(drawn[name]), (name, text)


def test_energies_are_compared_within_their_composition(predictions, elements):
    figure = parity_by_element(predictions, elements, ["C3H4O3"] * 5 + ["C4H8O3"] * 5, **SAID)
    shown = figure.axes[0].collections[0].get_offsets()[:, 0]
    assert shown.max() < 1e4  # meV/atom, though the compositions are 1000 eV/atom apart
    assert np.sum(shown == 0) == 2


def test_a_perfect_rank_correlation_is_one():
    values = np.r_[np.linspace(0.1, 2, 20), np.linspace(3, 12, 10)]
    assert "Rank correlation 1.00. 33.3% of 30 above γ = 2." in words(grade_errors(values, values, of="atom", **SAID))


@pytest.mark.parametrize(
    "draw",
    [
        lambda p, e: parity_by_element(p, e[:-1], ["C"] * 10, **SAID),
        lambda p, e: parity_by_element(p, e, ["C"] * 9, **SAID),
        lambda p, e: grade_errors(np.ones(3), np.ones(4), of="atom", **SAID),
        lambda p, e: grade_errors(np.ones(0), np.ones(0), of="atom", **SAID),
    ],
)
def test_bad_input(predictions, elements, draw):
    with pytest.raises(InputError):
        draw(predictions, elements)
