"""Figures of solvation: they draw, and they say what is on them."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from matplotlib.figure import Figure
from matplotlib.text import Text

from electrolyte_ml import figures
from electrolyte_ml.analysis import analyse_networks, analyse_solvation, find_shells, radial_distributions
from electrolyte_ml.analysis.bootstrap import Estimate
from electrolyte_ml.analysis.residence import Residence
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.static_frames import known_frames

SAID = {"reference": "OPLS", "scale": "quick"}


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


@pytest.fixture(scope="module")
def results():
    """A contact pair and a network of three in one cell, trembling."""
    known = known_frames()
    atoms = known["network of 3"].atoms.copy()
    other = known["CIP"].atoms.copy()
    other.translate([0, 0, 20])
    atoms += other
    rng = np.random.default_rng(0)
    frames = []
    for k in range(30):
        frames.append(atoms.copy())
        frames[-1].positions[atoms.numbers == 3] += rng.normal(0, 0.15, ((atoms.numbers == 3).sum(), 3))
        frames[-1].info["time_ps"] = 0.5 * k
    trajectory = open_trajectory(frames)
    shells = find_shells(trajectory, cutoffs={"EC": 2.6, "EMC": 2.6, "PF6": 2.6})
    return trajectory, analyse_solvation(trajectory, shells=shells), analyse_networks(trajectory, shells=shells)


@pytest.fixture(scope="module")
def drawn(results):
    trajectory, solvation, networks = results
    whole = trajectory.cluster(0, networks.largest.ions + networks.largest.solvents)
    return {
        "radial_distribution": figures.radial_distribution(radial_distributions(trajectory), **SAID),
        "coordination_numbers": figures.coordination_numbers(solvation, **SAID),
        "ion_pairs": figures.ion_pairs({"one": solvation, "another": solvation}, **SAID),
        "denticity": figures.denticity(solvation, **SAID),
        "residence": figures.residence(solvation, **SAID),
        "network_sizes": figures.network_sizes({"one": networks, "another": networks}, **SAID),
        "network_shells": figures.network_shells(networks, **SAID),
        "solvation_overview": figures.solvation_overview(solvation, networks, **SAID),
        "picture": figures.picture(whole, "A network", **SAID),
    }


def test_every_figure_renders_and_says_scale_and_reference(drawn, tmp_path):
    for name, figure in drawn.items():
        assert isinstance(figure, Figure), name
        path = tmp_path / f"{name}.png"
        figure.savefig(path)
        assert path.stat().st_size > 10_000, name
        assert "Reference: OPLS. Scale: quick." in words(figure), name


def test_axes_have_units_and_bars_their_heights(drawn, results):
    _, solvation, networks = results
    assert "r (Å)" in words(drawn["radial_distribution"])
    assert "time (ps)" in words(drawn["residence"])
    heights = sorted(patch.get_height() for patch in drawn["ion_pairs"].axes[0].patches)
    expected = sorted(2 * [100 * e.value for e in solvation.ion_pairs.values()])
    assert heights == pytest.approx(expected)
    sizes = [patch.get_height() for patch in drawn["network_sizes"].axes[0].patches[: len(networks.sizes)]]
    assert sizes == pytest.approx([100 * e.value for e in networks.sizes.values()])
    assert "EC: carbonyl + ether" in words(drawn["network_sizes"])
    assert "isolated" in words(drawn["network_shells"])


def test_a_high_peak_hides_no_other_function_and_the_cutoff_in_use_is_drawn(results):
    trajectory, _, _ = results
    shells = find_shells(trajectory, cutoffs={"EC": 2.6, "EMC": 2.5, "PF6": 2.4})
    curves = radial_distributions(trajectory)
    figure = figures.radial_distribution(curves, cutoffs=shells.cutoffs, **SAID)
    columns = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_title(loc="left")}
    assert set(columns) == set(curves)
    for name, axes in columns.items():
        highest = curves[name].g[curves[name].r <= 6.0].max()
        assert highest < axes.get_ylim()[1] < 2 * highest
    dashed = {
        name: [line.get_xdata()[0] for line in axes.lines if line.get_ls() == "--"] for name, axes in columns.items()
    }
    assert dashed["Li-EC"] == [2.6] and dashed["Li-PF6"] == [2.4]
    assert "Dashed: the cutoff that is used." in words(figure)


def test_an_extrapolated_residence_time_is_marked_on_both_sides():
    """5 ps were seen: a time of 50 ps is extrapolated, one of 3 ps is not."""
    times = np.arange(6.0)

    def stay(tau):
        time = Estimate(tau, 0.1, (tau, tau), (tau, tau))
        return Residence(time, time, tau > 5.0, times, np.exp(-times / tau), np.exp(-times / tau))

    figure = figures.residence(SimpleNamespace(residence={"BN": stay(50.0), "FEC": stay(3.0)}, cation="Li"), **SAID)
    for axes in figure.axes:
        labels = [line.get_label() for line in axes.lines]
        assert "BN: 50 ± 0.1 ps, extrapolated" in labels and "FEC: 3 ± 0.1 ps" in labels


def test_a_figure_without_a_scale_names_none():
    figure = figures.picture(known_frames()["CIP"].atoms, "By hand", reference="none (built by hand)", scale=None)
    assert "Scale" not in words(figure)


def test_a_cluster_across_the_boundary_is_drawn_in_one_piece():
    known = known_frames()["network of 4"]
    atoms = known.atoms.copy()
    atoms.translate(0.5 * atoms.cell.lengths())
    atoms.wrap()
    trajectory = open_trajectory(atoms)
    whole = trajectory.cluster(0, range(trajectory.n_molecules))
    assert np.ptp(whole.positions, axis=0).max() < np.ptp(known.atoms.positions, axis=0).max() + 1e-6
    assert sorted(whole.numbers) == sorted(atoms.numbers)


def test_the_view_stands_by_itself(results):
    trajectory, _, _ = results
    shown = figures.view(trajectory.cluster(0, [0, trajectory.n_molecules - 1]))
    text = shown._repr_html_()
    assert text.startswith("<iframe srcdoc=")
    assert not re.search(r"https?:|src=|@import", text)  # nothing to fetch
    assert len(text) < 50_000
    assert '"radii":' in shown.page


def test_nothing_to_draw_is_refused():
    for call in (
        lambda: figures.radial_distribution({}, **SAID),
        lambda: figures.ion_pairs({}, **SAID),
        lambda: figures.network_sizes({}, **SAID),
        lambda: figures.view(Atoms()),
        lambda: figures.residence(
            analyse_solvation(
                open_trajectory(known_frames()["CIP"].atoms), cutoffs={"EC": 2.6, "EMC": 2.6, "PF6": 2.6}
            ),
            **SAID,
        ),
    ):
        with pytest.raises(InputError):
            call()
