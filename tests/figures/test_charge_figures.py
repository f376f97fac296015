"""Figures of charges: they draw, and they say what is on them."""

import numpy as np
import pytest
from matplotlib.text import Text

from electrolyte_ml import figures
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.charges import identifiability, share_of

SPECIES = ("H", "Li", "C")


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


@pytest.fixture(scope="module")
def shares():
    def group(failing):
        return {"pure EC": share_of(np.arange(1000) < failing), "pure EMC": share_of(np.arange(1000) < failing // 2)}

    return {"all starts": {"raw": group(300), "ours": group(0)}}


@pytest.fixture(scope="module")
def drawn(shares):
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 50)
    charges = np.column_stack([0.1 / (x - 0.523), x, -x])
    fitted = {"trained": {name: rng.normal(size=(4, 3)) for name in ("raw", "ours")}}
    sets = {"LiH": identifiability(SPECIES[:2], ["LiH"]), "+ LiH2": identifiability(SPECIES[:2], ["LiH", "LiH2"])}
    error = {key: {"mean": 1.0, "std": None} for key in ("energy_rmse", "force_rmse", "stress_rmse")}
    rows = [{"data": "EC", "part": "held out", "level": 8, "MTP": error, "MTP-QRd": {}}]
    rows.append({**rows[0], "level": 12, "MTP-QRd": error})
    theta, q = rng.normal(size=6), {"H": 0.1, "Li": 0.2, "C": -0.3}
    return {
        "ewald_convergence": figures.ewald_convergence(
            {name: (x, x) for name in ("pairs", "waves", "with itself", "sum")},
            {"α = 1 /Å": (np.array([10, 100]), np.array([1e-3, 0.0]))},
            {"order 6": (np.array([0.3, 0.6]), np.array([1e-5, 1e-3]))},
            accuracy=1e-4,
        ),
        "gauge_comparison": figures.gauge_comparison(
            {"start": theta, "moved": 2 * theta}, {"start": q, "moved": q}, SPECIES, note="No change."
        ),
        "charges_by_composition": figures.charges_by_composition(
            x,
            {"raw": charges, "ours": charges},
            SPECIES,
            {"raw": [0.523]},
            trained=0.3,
            chosen=0.5,
            salt=2,
        ),
        "identified_directions": figures.identified_directions(sets),
        "failing_shares": figures.failing_shares(shares, scale="quick", title="Starts", note="A note."),
        "fitted_charges": figures.fitted_charges(fitted, SPECIES, reference="GFN1-xTB", scale="quick"),
        "errors_by_level": figures.errors_by_level(rows, reference="GFN1-xTB", note="Three seeds."),
        "dipoles": figures.dipoles(
            {"EC": 1.4, "EMC": 0.1},
            {"raw": {"EC": np.array([1.0, 2.0]), "EMC": np.array([0.0, -1.0])}},
            reference="GFN1-xTB",
            scale="quick",
        ),
    }


def test_every_figure_says_scale_and_reference_and_stays_small(drawn, check_figures):
    formulas = {"ewald_convergence", "gauge_comparison", "charges_by_composition", "identified_directions"}
    check_figures(drawn, unscaled=formulas | {"errors_by_level"})


def test_units_stand_on_the_axes(drawn):
    for name, unit in (
        ("ewald_convergence", "rms error of forces (eV/Å)"),
        ("charges_by_composition", "charge (e)"),
        ("fitted_charges", "charge (e)"),
        ("dipoles", "dipole moment (e Å)"),
        ("failing_shares", "models that fail (%)"),
    ):
        assert unit in words(drawn[name])


def test_the_pole_is_marked_where_it_is_and_no_line_is_drawn_across_it(drawn):
    raw, ours = drawn["charges_by_composition"].axes
    assert [text.get_text() for text in raw.texts] == [" pole"] and not ours.texts
    assert raw.texts[0].get_position()[0] == 0.523
    hydrogen = next(line for line in raw.lines if line.get_label() == "H").get_ydata()
    assert np.isnan(hydrogen).sum() == 1


def test_salt_and_the_chosen_fraction_are_named(drawn):
    assert "2 LiPF6 to ten molecules of solvent." in words(drawn["charges_by_composition"])
    assert "Orange: 0.50." in words(drawn["charges_by_composition"])


def test_directions_are_counted_on_the_figure(drawn):
    assert "1 of 2" in words(drawn["identified_directions"]) and "2 of 2" in words(drawn["identified_directions"])


def test_where_none_failed_the_end_of_the_interval_is_drawn(drawn, shares):
    axes = drawn["failing_shares"].axes[0]
    ends = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "<"]
    assert ends == [pytest.approx(100 * share.high) for share in shares["all starts"]["ours"].values()]


def test_spread_of_fits_is_their_standard_deviation(drawn):
    axes = drawn["fitted_charges"].axes[0]
    values = np.random.default_rng(0).normal(size=(4, 3))
    raw = axes.containers[0]
    low, high = raw.lines[1][0].get_ydata(), raw.lines[1][1].get_ydata()
    np.testing.assert_allclose(high - low, 2 * values.std(axis=0, ddof=1))


def test_a_dipole_beyond_the_axis_is_written_at_its_end():
    far = {"raw": {"EC": np.array([1.0, -20.0])}}
    axes = figures.dipoles({"EC": 1.4}, far, reference="GFN1-xTB", scale="quick").axes[0]
    assert axes.get_ylim() == (pytest.approx(-5.6), pytest.approx(5.6))
    assert [text.get_text() for text in axes.texts] == ["-20"]


def test_no_sets_cannot_be_drawn():
    with pytest.raises(InputError, match="no set"):
        figures.identified_directions({})


def test_sliders_draw_at_each_position_and_a_note_stands_in_their_place():
    widgets = pytest.importorskip("ipywidgets")
    slider, box = widgets.FloatSlider(1.0, min=0.0, max=2.0), widgets.Checkbox(False)
    seen = []

    def draw(x, flip):
        seen.append((x, flip))
        return figures.gauge_comparison({"start": np.array([x, 1.0])}, {"start": {"H": x}}, ["H"])

    shown = figures.sliders(draw, x=slider, flip=box)
    picture = shown.widget.children[-1]
    before = bytes(picture.value)
    slider.value = 2.0
    after = bytes(picture.value)
    box.value = True
    assert seen == [(1.0, False), (2.0, False), (2.0, True)]
    assert before.startswith(b"\x89PNG") and before != after
    assert not slider.continuous_update
    bundle, _ = shown._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Sliders: run this cell")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_without_ipywidgets_sliders_say_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(InputError, match="pip install"):
        figures.sliders(lambda x: x)
