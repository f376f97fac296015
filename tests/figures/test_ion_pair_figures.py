"""Figures of ion pairs: they draw, and they say what is on them."""

import copy
import json
import re

import numpy as np
import pytest
from ase import Atoms
from matplotlib.text import Text

from electrolyte_ml import figures
from electrolyte_ml.analysis import (
    analyse_networks,
    analyse_set,
    analyse_solvation,
    group_coordinated,
    group_errors,
)
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.static_frames import aggregate, network, shell

SAID = {"reference": "PBE-D3(0)", "scale": "quick"}


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


@pytest.fixture(scope="module")
def configurations():
    return [shell(["EC", "EC", "EMC"]).atoms, shell(["PF6", "EC", "EMC"]).atoms, aggregate(2).atoms]


@pytest.fixture(scope="module")
def stored(configurations):
    found = analyse_set(configurations)
    return json.loads(json.dumps({"solvation": found.solvation.to_dict(), "set": found.to_dict()}))


@pytest.fixture(scope="module")
def solvation():
    """An isolated SSIP, a contact pair and a network of two side by side, as they are stored."""
    parts = [shell(["EC", "EC", "EMC"]).atoms, shell(["PF6", "EC", "EMC"]).atoms, network(2).atoms]
    atoms = parts[0].copy()
    for k, part in enumerate(parts[1:], 1):
        atoms += Atoms(part.numbers, part.positions + [0.0, 0.0, 25.0 * k])
    atoms.set_cell([60.0, 60.0, 80.0])
    trajectory, cutoffs = open_trajectory(atoms), {"EC": 2.6, "EMC": 2.6, "PF6": 2.6}
    found = {
        "solvation": analyse_solvation(trajectory, cutoffs=cutoffs).to_dict(),
        "networks": analyse_networks(trajectory, cutoffs=cutoffs).to_dict(),
    }
    return json.loads(json.dumps(found))


@pytest.fixture(scope="module")
def errors(configurations):
    groups = group_coordinated(configurations)
    rng = np.random.default_rng(0)
    true = rng.normal(size=(len(groups.sites), 3))
    return group_errors(groups, true, true + 0.1 * rng.normal(size=true.shape), len(configurations))


CHARGES = {
    "MTP8-QRd": {"EC=2 Li=1 PF6=1": {"Li": [0.8, 0.9], "O": [-0.4, -0.5]}, "EC=4": {"O": [-0.4, -0.6]}},
    "MTP8-QRd, raw": {"EC=2 Li=1 PF6=1": {"Li": [5.0, -3.0], "O": [1.0, -1.0]}},
}


def test_every_figure_says_scale_and_reference(check_figures, stored, errors, solvation):
    check_figures(
        {
            "ion_pair_set": figures.ion_pair_set(stored, **SAID),
            "coordinated_errors": figures.coordinated_errors({"MTP8": errors, "MTP8-QRd": errors}, **SAID),
            "models_compared": figures.models_compared({"MTP": solvation, "MTP-QRd": solvation}, **SAID),
            "element_charges": figures.element_charges(CHARGES, **SAID),
        }
    )


def test_models_are_drawn_side_by_side(solvation):
    figure = figures.models_compared({"MTP": solvation, "MTP-QRd": solvation}, **SAID)
    pairs, sizes = figure.axes[:2]
    assert [bar.get_height() for bar in pairs.patches] == pytest.approx([75.0, 25.0, 0.0] * 2)  # 4 Li: 3 SSIP, 1 CIP
    heights = [bar.get_height() for bar in sizes.patches]
    assert heights[:2] == pytest.approx([100 / 3, 200 / 3])  # of the SSIP: one alone, two in a network
    assert {"MTP", "MTP-QRd", "EC"} <= set(words(figure).split())


def test_coordination_numbers_that_were_never_seen_are_not_drawn(solvation):
    stored = copy.deepcopy(solvation)
    for by in stored["networks"]["coordination_distribution"].values():
        by["0"] = {"value": 0.0, "interval_95": [0.0, 0.95]}
        by["9"] = {"value": 0.2, "interval_95": [0.1, 0.3]}
    numbers = figures.models_compared({"MTP": stored}, **SAID).axes[3]
    assert [text.get_text() for text in numbers.get_xticklabels()][-1] == "9"
    assert "0" not in [text.get_text() for text in numbers.get_xticklabels()]


def test_set_is_drawn_with_its_numbers(stored):
    alone, compared = (
        figures.ion_pair_set(stored, paper=p, **SAID) for p in (None, {"SSIP": 0.5, "CIP": 0.4, "AGG": 0.1})
    )
    heights = [bar.get_height() for bar in alone.axes[0].patches]
    assert heights == pytest.approx([25.0, 25.0, 50.0])  # of 4 Li: two in the aggregate
    assert [bar.get_height() for bar in compared.axes[0].patches[1::2]] == pytest.approx([50.0, 40.0, 10.0])
    assert "3 configurations: 3 with Li, 0 without, 0 with broken molecules" in words(alone)


def test_coordinated_sites_are_told_from_free_ones(errors):
    text = words(figures.coordinated_errors({"MTP8": errors}, **SAID))
    for name in ("carbonyl O at Li (EC)", "F at Li (PF6)", "Li"):
        assert re.search(re.escape(name), text)
    points = [
        line
        for line in figures.coordinated_errors({"MTP8": errors}, **SAID).axes[0].lines
        if len(line.get_xdata()) == 1
    ]
    drawn = {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in points}
    assert drawn == {(row.size, row.rmse) for row in errors.sites}


def test_nothing_to_draw_is_refused():
    for draw in (figures.coordinated_errors, figures.element_charges, figures.models_compared):
        with pytest.raises(InputError, match="to draw"):
            draw({}, **SAID)
