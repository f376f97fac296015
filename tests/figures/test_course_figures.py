"""The notebooks' own figures: of the model and of grades."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.text import Text

from electrolyte_ml.active_learning import maxvol
from electrolyte_ml.errors import InputError
from electrolyte_ml.figures import basis_growth, grade_trace, maxvol_plane, parity, radial_functions
from electrolyte_ml.potentials import MomentTensorPotential, basis
from electrolyte_ml.training import Predictions

SAID = {"reference": "GFN1-xTB", "scale": "quick"}


@pytest.fixture
def runs():
    times = np.arange(200) * 0.005
    grades = 1.0 + 8.0 * times
    made = {}
    for name, n, reason in (("first", 120, "grade"), ("second", 200, "completed")):
        made[name] = SimpleNamespace(
            times_ps=times[:n], grades=np.r_[np.nan, grades[1:n]], densities=1.2 + 0.01 * np.sin(times[:n]),
            completed=reason == "completed", reason=reason, saved=[None] * 3,
        )  # fmt: skip
    return made


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    energy, forces = rng.normal(size=20), rng.normal(size=(50, 3))
    return {
        name: Predictions(energy + error, energy, forces + error, forces)
        for name, error in (("training", 0.01), ("unseen", 0.02))
    }


@pytest.fixture
def pool():
    return np.random.default_rng(2).normal(size=(30, 2))


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


@pytest.fixture
def drawn(runs, predictions, pool):
    return {
        "basis_growth": basis_growth([basis(level) for level in (4, 6, 8)]),
        "radial_functions": radial_functions(MomentTensorPotential.random(8, ("H", "C", "O")), scale="quick"),
        "parity": parity(predictions, **SAID),
        "maxvol_plane": maxvol_plane(pool, maxvol(pool)),
        "grade_trace": grade_trace(runs, **SAID),
    }


def test_every_figure_says_scale_and_reference_and_stays_small(drawn, check_figures):
    check_figures(drawn, unscaled={"basis_growth", "maxvol_plane"})


def test_basis_growth_shows_the_counts(drawn):
    assert all(f" {count} " in f" {words(drawn['basis_growth'])} " for count in (2, 5, 9))


def test_radial_functions_end_at_the_cutoff(drawn):
    for axes in drawn["radial_functions"].axes:
        for line in axes.lines:
            x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
            if len(x) > 2:
                assert x[-1] == 5.0 and y[-1] == pytest.approx(0.0, abs=1e-12)


def test_radial_functions_are_drawn_to_the_scale_of_their_label(drawn):
    """The basis is scaled by 0.01 in MLIP's files: 0.01 (5 - 2)^2 Å² is the highest value at 2 Å."""
    (axes, *_) = drawn["radial_functions"].axes
    r, _ = np.array(axes.lines[0].get_data())
    at = np.argmin(np.abs(r - 2.0))
    highest = max(line.get_ydata()[at] for line in axes.lines if len(line.get_xdata()) == len(r))
    assert highest == pytest.approx(0.01 * (5 - r[at]) ** 2)
    assert "0.01" in axes.get_ylabel()


def test_parity_gives_the_root_mean_square_error(drawn):
    said = words(drawn["parity"])
    assert "training, RMSE 10 meV/atom" in said and "unseen, RMSE 0.02 eV/Å" in said


def test_maxvol_plane_shows_the_volume_and_holds_the_pool(drawn, pool):
    result = maxvol(pool)
    assert f"{abs(np.linalg.det(result.matrix)):.2f}" in words(drawn["maxvol_plane"])
    axes = drawn["maxvol_plane"].axes[0]
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    assert ((pool > low) & (pool < high)).all()


def test_grade_trace_says_why_a_run_stopped(drawn):
    assert "first (stopped: grade)" in words(drawn["grade_trace"])
    assert "3 (second)" in words(drawn["grade_trace"])


def test_what_cannot_be_drawn_is_refused(pool):
    for draw in (
        lambda: basis_growth([]),
        lambda: radial_functions(MomentTensorPotential.random(4, ("H",)), scale="quick", centre="O"),
        lambda: parity({}, **SAID),
        lambda: maxvol_plane(np.eye(3), maxvol(pool)),
        lambda: grade_trace({}, **SAID),
    ):
        with pytest.raises(InputError):
            draw()
