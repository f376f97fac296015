"""Figures with sliders: each control, at both ends of its range, gives a figure, and one that says what changed."""

from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml import figures
from electrolyte_ml.analysis import OrnsteinUhlenbeckIons
from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.live.charges import moved_along_gauges
from electrolyte_ml.figures.live.models import measured_models, model_choice
from electrolyte_ml.figures.live.thresholds import apply_thresholds, thresholds
from electrolyte_ml.potentials.charges import QRd, identifiability
from electrolyte_ml.structures import molecule
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.static_frames import known_frames

SAID = {"reference": "GFN1-xTB", "scale": "quick"}
SPECIES = ("H", "C", "O")
IONS = OrnsteinUhlenbeckIons(counts=(4, 4), relaxation_ps=(1.0,))

widgets = pytest.importorskip("ipywidgets")


class Selecting:
    """Stands for an active set: takes every second of the candidates, fewer with a higher threshold."""

    def select(self, candidates, threshold):
        return np.arange(0, len(candidates), 2 if threshold < 2 else 4)


@pytest.fixture
def run():
    """Configurations of grades 1, 2, ... 12, every 5 fs."""
    saved = [(5 * k, 1.0 + k, Atoms("H")) for k in range(12)]
    return SimpleNamespace(saved=saved, settings={"timestep_fs": 1.0})


@pytest.fixture
def suggestion():
    """Errors that fall with level, cutoff and set; the larger level was not fitted to the smaller set."""
    curves = [
        {
            "level": level, "cutoff": cutoff, "parameters": 10 * level, "microseconds_per_atom": level * cutoff / 10,
            "fits": [
                {"size": size, "force_rmse": (0.5 + 0.01 * seed) / level / cutoff, "energy_rmse": 0.01 / level}
                for size in ((10, 20) if level == 4 else (20,)) for seed in range(2)
            ],
        }
        for level in (4, 8) for cutoff in (4.0, 5.0)
    ]  # fmt: skip
    return {"curves": curves}


@pytest.fixture(scope="module")
def trembling():
    """Six frames of a contact pair whose Li trembles."""
    known = known_frames()["CIP"].atoms
    rng, frames = np.random.default_rng(0), []
    for _ in range(6):
        frames.append(known.copy())
        frames[-1].positions[known.numbers == 3] += rng.normal(0, 0.1, 3)
    return open_trajectory(frames)


@pytest.fixture
def parts(run, suggestion, trembling):
    """Every figure with sliders, made when it is called."""
    raw = QRd.random(SPECIES, seed=3, form="raw")
    steps = {f"{n} EC": identifiability(SPECIES, ["C3H4O3", "C4H8O3"][:n]) for n in (1, 2)}
    currents = [IONS.sample(20.0, 0.1, seed=k).current() for k in range(3)]

    def counts(x, salt):
        return {"H": 8.0 - 4 * x, "C": 4.0 - x, "O": 3.0 + salt}

    return {
        "thresholds": lambda: figures.threshold_sliders(Selecting(), run, **SAID),
        "cutoffs": lambda: figures.cutoff_sliders(trembling, **SAID),
        "models": lambda: figures.model_sliders(suggestion, level=4, cutoff=4.0, **SAID),
        "plateau": lambda: figures.plateau_sliders(
            currents, 0.1, IONS.volume, IONS.temperature, window_ps=(2.0, 4.0), exact=IONS.conductivity, **SAID
        ),
        "gauges": lambda: figures.gauge_sliders(raw, {"H": 4, "C": 3, "O": 3}, {"EC": molecule("EC")}),
        "pole": lambda: figures.pole_sliders({"raw": raw}, counts, trained=0.3),
        "identified": lambda: figures.identified_sliders(steps),
    }


def ends(control):
    """Both ends of the range of a control."""
    if isinstance(control, widgets.SelectionSlider):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        return values[0], values[-1]
    if isinstance(control, widgets.Checkbox):
        return False, True
    if isinstance(control, widgets.FloatLogSlider):
        return control.base**control.min, control.base**control.max
    return control.min, control.max


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "name", ["thresholds", "cutoffs", "models", "plateau", "gauges", "pole", "identified"]
)  # fmt: skip
def test_every_control_changes_the_figure_between_the_ends_of_its_range(parts, name):
    shown = parts[name]()
    assert shown._repr_mimebundle_()[0]["image/png"].startswith(b"\x89PNG")
    for control in shown.controls.values():
        first, pictures = control.value, []
        for value in ends(control):
            control.value = value
            assert shown.message.value == "", (control.description, value)
            pictures.append(bytes(shown.picture.value))
        control.value = first
        assert pictures[0] != pictures[1], control.description


def test_thresholds_keep_what_a_run_with_them_would_have_kept(run):
    kept = apply_thresholds(Selecting(), run, save=2.0, break_=10.0, select=1.1)
    assert kept.end == 11  # the configuration of grade 11 stops the run
    assert kept.grades[kept.saved].tolist() == [*range(3, 12)]  # and is saved, too
    assert kept.grades[kept.selected].tolist() == [3, 5, 7, 9, 11]
    whole = apply_thresholds(Selecting(), run, save=5.0, break_=50.0, select=5.0)
    assert (whole.end, whole.grades[whole.selected].tolist()) == (12, [6, 10])
    assert whole.times_ps[-1] == pytest.approx(0.055)


@pytest.mark.parametrize(("threshold", "words"), [(11.5, "the run stops at 0.055 ps"), (12.0, "the run does not stop")])
def test_a_last_configuration_above_the_threshold_stops_the_run(run, threshold, words):
    kept = apply_thresholds(Selecting(), run, save=11.5, break_=threshold, select=1.1)
    figure = thresholds(kept, save=11.5, break_=threshold, reference="none", scale="quick")
    assert kept.end == 12
    note = " ".join(" ".join(text.get_text() for text in figure.texts).split())
    assert f"{words}, 1 is saved, and" in note


def test_a_run_that_stops_before_it_saves_has_no_figure_but_a_message(parts, run):
    shown = parts["thresholds"]()
    shown.controls["save"].value = 10.0
    before = bytes(shown.picture.value)
    shown.controls["break_"].value = 2.0
    assert "cannot stop at a lower grade" in shown.message.value
    assert bytes(shown.picture.value) == before
    assert shown.picture.layout.visibility == "hidden"  # it belongs to other positions
    shown.controls["save"].value = 2.0
    assert (shown.message.value, shown.picture.layout.visibility) == ("", "visible")
    run.saved.clear()
    with pytest.raises(InputError, match="saved no configuration"):
        parts["thresholds"]()


def test_a_model_that_was_not_fitted_to_so_few_configurations_says_so(parts, suggestion):
    shown = parts["models"]()
    shown.controls["level"].value = 8
    shown.controls["size"].value = 10
    assert "(80 parameters) was not fitted to 10 configurations" in shown.message.value
    with pytest.raises(InputError, match="no fit"):
        measured_models({"curves": [{**suggestion["curves"][0], "fits": []}]})


def test_the_cost_of_a_model_is_that_of_a_nanosecond(suggestion):
    from tests.figures.words import words

    figure = model_choice(measured_models(suggestion), 8, 5.0, 20, **SAID)
    # 8 * 5 / 10 = 4 µs for each of 1000 atoms in each of 10^6 steps: 4000 s
    assert "1 ns of 1000 atoms takes 1.1 h of one core" in words(figure)
    assert "80 parameters, 20 configurations: forces 0.013" in words(figure)


def test_gauges_change_no_charge_and_a_flip_changes_every_sign():
    raw = QRd.random(SPECIES, seed=3, form="raw")
    composition = {"H": 4, "C": 3, "O": 3}
    before = raw.type_charges(composition)
    assert moved_along_gauges(raw, 3.0, -0.7).type_charges(composition) == pytest.approx(before)
    flipped = moved_along_gauges(raw, flip=True).type_charges(composition)
    assert flipped == pytest.approx({z: -q for z, q in before.items()})


def test_the_played_run_holds_every_frame_with_its_bonds_and_grades():
    """Two molecules across a boundary of the cell, the second of which moves away."""
    cell = 12.0 * np.eye(3)
    ec = molecule("EC")
    frames = []
    for k in range(3):
        second = ec.copy()
        second.positions += [7.0 + 0.5 * k, 0.0, 0.0]
        atoms = ec + second
        atoms.set_cell(cell)
        atoms.pbc = True
        if k == 0:
            shifts = np.floor(atoms.get_scaled_positions(wrap=False))
        atoms.positions -= shifts @ cell
        atoms.info["time_ps"] = 0.1 * k
        frames.append(atoms)
    grades = np.ones((3, 20))
    grades[1, 4], grades[2, 4] = 2.0, 50.0
    view = figures.view_run(frames, grades)
    assert view.page.count('"text":') == 3
    assert f"0.200 ps: grade 50, at {ec.symbols[4]}" in view.page
    bonds = view.page.partition('"b":')[2].partition('"c":')[0]
    assert bonds.count(",0]") == 20  # ten bonds of each molecule, none of them cut
    assert "http" not in view._repr_html_() and 'title="A run of' in view._repr_html_()


def test_atoms_darken_with_their_grade():
    frames = [molecule("EC")]
    grades = np.linspace(1.0, 12.0, 10)[None]
    figure = figures.graded_frames(frames, grades, **SAID)
    lightness = [np.mean(patch.get_facecolor()[:3]) for patch in figure.axes[0].patches]
    assert (np.diff(lightness) <= 0).all() and lightness[0] > 0.9 > 0.3 > lightness[-1]
    assert "grade γ of the atom" in [axes.get_ylabel() for axes in figure.axes]


def test_grades_that_are_not_those_of_the_atoms_are_refused():
    with pytest.raises(InputError, match=r"\(1, 10\)"):
        figures.view_run([molecule("EC")], np.ones((1, 9)))
    with pytest.raises(InputError, match="no frame"):
        figures.graded_frames([], np.ones((0, 9)), **SAID)
