"""Figures of the mixtures show every number that they are given."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures import mixture_densities, mixture_set, mixture_traces
from electrolyte_ml.paper.experiment import DENSITY, DENSITY_PBE_D3_BJ
from tests.figures.words import words

SAID = {"reference": "GFN1-xTB", "scale": "quick"}
FRACTIONS = {"EC": 0.0, "EC:EMC 7:3": 0.3, "EMC": 1.0}


def test_the_set_is_stacked_by_iteration_and_shared_out():
    growth = [{"EC": 6, "EMC": 9}, {"EC + EMC": 5}]
    figure = mixture_set(growth, **SAID, available=40, paper={"EC": 0.4, "EMC": 0.5, "EC + EMC": 0.1})
    sizes, shares = figure.axes
    assert sum(bar.get_height() for bar in sizes.patches if bar.get_x() > 0.5) == pytest.approx(20)
    assert sum(bar.get_width() for bar in shares.patches[:3]) == pytest.approx(1)
    said = words(figure)
    assert "20 configurations, 15 inherited out of 40" in said and "30 %" in said
    with pytest.raises(InputError, match="no iteration"):
        mixture_set([], **SAID)


def test_densities_show_every_potential_and_every_lost_run():
    densities = {liquid: {"MTP12": [1.1, 1.2, 1.15], "MTP12-QRd": [1.1]} for liquid in FRACTIONS}
    figure = mixture_densities(
        densities, FRACTIONS, **SAID, measured=DENSITY, functional=DENSITY_PBE_D3_BJ, failed={"EMC": {"MTP12-QRd": 2}}
    )
    absolute, relative = figure.axes
    points = [y for line in absolute.lines if line.get_marker() == "." for y in line.get_ydata()]
    assert sorted(points) == pytest.approx(sorted(3 * [1.1, 1.1, 1.15, 1.2]))
    known = DENSITY["EMC"].value
    off = [y for line in relative.lines if line.get_marker() == "." for y in line.get_ydata()]
    assert 100 * (1.2 / known - 1) == pytest.approx(max(off))
    assert "2 of MTP12-QRd at EMC" in words(figure)
    with pytest.raises(InputError, match="no measured density is given for water"):
        mixture_densities({"water": {"MTP12": [1.0]}}, {"water": 0.0}, **SAID, measured=DENSITY)


def test_traces_have_a_panel_for_each_liquid_and_kind():
    times = np.arange(10.0)
    traces = {liquid: {kind: [(times, times + 1.0)] * 3 for kind in ("MTP12", "MTP16")} for liquid in FRACTIONS}
    figure = mixture_traces(traces, **SAID, measured=DENSITY)
    assert len(figure.axes) == 6
    assert all(len(axes.lines) == 4 for axes in figure.axes)
