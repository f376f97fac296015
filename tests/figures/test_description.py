"""Figures in words: what is read from a drawn figure, and how it reaches a notebook."""

import numpy as np
import pytest

from electrolyte_ml.figures.description import add_description, describe, figure_caption, figure_name
from electrolyte_ml.figures.style import caption, styled, subplots


def drawn(draw, columns=1, title="A title"):
    @styled
    def some_figure():
        figure, axes = subplots(1, columns)
        draw(axes)
        caption(figure, title, scale="quick", reference="GFN1-xTB", note="A note.")
        return figure

    return some_figure()


def test_title_axes_and_curves_are_described():
    def draw(axes):
        axes.plot([0.0, 1.0, 2.0], [1.0, 5.0, 3.0], label="first")
        axes.plot([0.0, 2.0], [1.0, 2.0], label="second")
        axes.set(xlabel="time (ps)", ylabel="density (g/cm³)", xlim=(0, 2), ylim=(0, 6))

    assert describe(drawn(draw)) == (
        "A title. density (g/cm³) from 0 to 6 against time (ps) from 0 to 2. "
        "first: 1 at 0, 3 at 2, lowest 1 at 0, highest 5 at 1; second: 1 at 0, 2 at 2."
    )


def test_points_and_error_bars_of_one_series_are_taken_together():
    def draw(axes):
        axes.errorbar(0, 1.25, 0.1, fmt="o", color="C0", label="ours")
        axes.errorbar(1, 1.5, 0.1, fmt="o", color="C0")
        axes.scatter(np.arange(9), np.arange(9) / 8, label="many")

    text = describe(drawn(draw))
    assert "ours: 1.25, 1.5" in text and "many: 9 points between 0 and 1" in text


def test_an_entry_of_the_legend_without_data_takes_the_curve_of_its_look():
    def draw(axes):
        axes.plot([0.0, 4.0], [3.0, 7.0], color="C2")
        axes.plot([], [], color="C2", label="seed 0")

    assert "seed 0: 3 at 0, 7 at 4" in describe(drawn(draw))


def test_categories_bars_and_panels_are_named():
    def draw(panels):
        panels[0].bar([0, 1], [3.0, 4.0], label="parameters")
        panels[0].set_xticks([0, 1], ["EC", "EMC"])
        panels[0].set(ylabel="count", ylim=(0, 5), title="Sizes")
        panels[1].text(0.5, 0.5, "nothing was learnt")

    text = describe(drawn(draw, columns=2))
    assert "2 panels. Panel 1, Sizes: count from 0 to 5 against EC, EMC. parameters: bars 3, 4. Panel 2" in text
    assert "nothing was learnt" in text


def test_mathematics_is_written_without_tex():
    def draw(axes):
        axes.plot([0, 1], [0, 1], label=r"$\mu_\mathrm{Li}$ = 0, 5 \$")

    assert "μ_Li = 0" in describe(drawn(draw))


@pytest.mark.parametrize("name", [None, "mine"])
def test_name_and_caption_reach_the_metadata_of_a_picture(name):
    figure = drawn(lambda axes: axes.plot([0, 1], [0, 1]), title="Density (Fig. 1a)")
    if name:
        add_description(figure, name)
    data, metadata = figure._repr_mimebundle_(include=None, exclude=None)
    assert data == {}
    assert metadata["image/png"]["alt"].startswith("Density (Fig. 1a). ")
    assert figure_name({"metadata": metadata}) == (name or "some_figure")
    assert figure_caption({"metadata": metadata}) == "Density (Fig. 1a). Reference: GFN1-xTB. Scale: quick. A note."


def test_a_picture_of_another_maker_has_neither():
    assert figure_name({"metadata": {}}) is None and figure_caption({}) == ""


def test_ipython_shows_the_picture_with_its_alternative_text():
    formatters = pytest.importorskip("IPython.core.formatters")
    from matplotlib.figure import Figure

    formatter = formatters.DisplayFormatter()
    formatter.formatters["image/png"].for_type(Figure, lambda figure: b"picture")
    data, metadata = formatter.format(drawn(lambda axes: axes.plot([0, 1], [0, 1])))
    assert data["image/png"] == b"picture"
    assert metadata["image/png"]["alt"].startswith("A title.")
