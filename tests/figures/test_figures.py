from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from electrolyte_ml.analysis import mean_density
from electrolyte_ml.errors import InputError
from electrolyte_ml.figures import (
    density_comparison,
    density_trace,
    energy_density,
    learning_progress,
    training_history,
)
from electrolyte_ml.paper.experiment import DENSITY, DENSITY_PBE_D3_BJ

SAID = {"reference": "GFN1-xTB", "scale": "quick"}


@pytest.fixture
def runs():
    rng = np.random.default_rng(1)
    times = np.arange(400) * 0.05
    made = {}
    for k, reason in enumerate(("completed", "completed", "grade")):
        n = 400 if reason == "completed" else 130
        densities = 1.4 + 0.01 * k + 0.01 * np.convolve(rng.normal(size=n + 30), np.ones(31) / 5, "valid")
        made[f"seed {k}"] = SimpleNamespace(
            times_ps=times[:n], densities=densities, completed=reason == "completed", reason=reason
        )
    return made


@pytest.fixture
def histories():
    return {
        f"seed {k}": [(i, 30.0 * np.exp(-i / (20 + 10 * k)) + 0.1 * (1 + k), 0.1 * i) for i in range(200)]
        for k in range(3)
    }


def words(figure):
    """Everything that the figure says."""
    from matplotlib.text import Text

    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


@pytest.fixture
def drawn(ensembles, diagram, runs, status, histories):
    means = {name: mean_density((run.times_ps, run.densities)) for name, run in runs.items()}
    return {
        "density_comparison": density_comparison(
            ensembles,
            **SAID,
            measured=DENSITY,
            functional=DENSITY_PBE_D3_BJ,
            paper_deviation=0.06,
            reference_densities={"EC": 1.41},
        ),
        "energy_density": energy_density(diagram, **SAID, paper_range=(1.04, 1.49)),
        "density_trace": density_trace(runs, **SAID, liquid="EC", measured=DENSITY["EC"], means=means),
        "learning_progress": learning_progress(status, **SAID),
        "training_history": training_history(histories, **SAID),
    }


def test_every_figure_says_scale_reference_and_units(drawn, tmp_path):
    import matplotlib.pyplot as plt

    for name, figure in drawn.items():
        assert isinstance(figure, Figure)
        said = words(figure)
        assert "Reference: GFN1-xTB. Scale: quick." in said, name
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size < 150_000  # notebooks keep their outputs small
        for axes in figure.axes:
            assert axes.get_ylabel() or axes.get_shared_y_axes().get_siblings(axes)[1:], name
    assert not plt.get_fignums()  # a figure left open would be shown twice by a notebook


def test_units_stand_on_the_axes(drawn):
    for name, units in {
        "density_comparison": ["(g/cm³)"],
        "energy_density": ["(g/cm³)", "(meV/atom)"],
        "density_trace": ["(g/cm³)", "(ps)"],
        "learning_progress": ["(meV/atom)", "(eV/Å)"],
        "training_history": ["(s)"],
    }.items():
        for unit in units:
            assert unit in words(drawn[name]), name


def test_comparison_shows_what_was_computed(drawn, ensembles):
    said = words(drawn["density_comparison"])
    for liquid, measured in (("EC", 1.33), ("EMC", 1.004)):
        assert f"{ensembles[liquid].mean / measured - 1:+.1%}" in said
    for part in ("experiment, 300 K", "PBE-D3(BJ)", "±6% of experiment", "1σ of 3 potentials", "GFN1-xTB itself"):
        assert part in said
    heights = [
        container[0].get_ydata()[0]
        for container in drawn["density_comparison"].axes[0].containers
        if len(container[0].get_ydata()) == 1
    ]
    for ensemble in ensembles.values():
        assert any(height == pytest.approx(ensemble.mean) for height in heights)


def test_one_potential_has_no_spread(ensembles):
    from electrolyte_ml.analysis import ensemble_density

    single = ensemble_density(ensembles["EC"].members[:1])
    assert "ours, one potential" in words(density_comparison({"EC": single}, **SAID, measured=DENSITY))


def test_only_what_is_given_stands_beside_ours(ensembles, diagram, runs):
    said = words(density_comparison(ensembles, **SAID, measured=DENSITY))
    assert "experiment, 300 K" in said and "paper's" not in said and "literature" not in said
    assert "paper: " not in words(energy_density(diagram, **SAID))
    assert "paper: 1.04–1.49 g/cm³" in words(energy_density(diagram, **SAID, paper_range=(1.04, 1.49)))
    assert "experiment" not in words(density_trace(runs, **SAID, liquid="EC"))


def test_liquid_without_a_measured_density_is_refused(ensembles):
    with pytest.raises(InputError, match="no measured density is given for EMC"):
        density_comparison(ensembles, **SAID, measured={"EC": DENSITY["EC"]})


def test_diagram_has_every_configuration_at_its_place(drawn, diagram):
    seeds, learnt = drawn["energy_density"].axes[0].collections[:2]
    assert len(seeds.get_offsets()) == 40 and len(learnt.get_offsets()) == 60
    np.testing.assert_allclose(learnt.get_offsets()[:, 0], diagram["density"][40:])
    above = 1000 * (diagram["energy"] - diagram["energy"].min())
    np.testing.assert_allclose(seeds.get_offsets()[:, 1], above[:40])
    np.testing.assert_array_equal(learnt.get_array(), diagram["index"][40:])


def test_seeds_alone_can_be_drawn(diagram):
    seeds = {name: values[:40] for name, values in diagram.items()}
    assert "seeds (40)" in words(energy_density(seeds, **SAID))


def test_stopped_run_says_why(drawn):
    said = words(drawn["density_trace"])
    assert "seed 2: grade" in said and "experiment" in said


def test_many_runs_have_different_colours():
    from electrolyte_ml.figures.fig1 import _colours

    assert len({tuple(np.atleast_1d(c)) for c in _colours(12)}) == 12


def test_nothing_to_draw_is_refused(diagram):
    for draw in (
        lambda: density_comparison({}, **SAID, measured=DENSITY),
        lambda: energy_density({name: values[:0] for name, values in diagram.items()}, **SAID),
        lambda: density_trace({}, **SAID),
        lambda: learning_progress([], **SAID),
        lambda: training_history({}, **SAID),
        lambda: training_history({"a": []}, **SAID),
    ):
        with pytest.raises(InputError):
            draw()
