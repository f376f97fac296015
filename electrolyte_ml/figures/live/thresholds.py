"""Grade thresholds: what a run saves, and what is selected for a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.sliders import Sliders, sliders, widgets
from electrolyte_ml.figures.style import BLUE, GREY, ORANGE, SKY, VERMILION, caption, grade_levels, styled, subplots

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure

    from electrolyte_ml.active_learning import ActiveSet
    from electrolyte_ml.dynamics import RunResult


class Graded(NamedTuple):
    """The graded configurations of a run, and what three thresholds make of them.

    Attributes
    ----------
    times_ps, grades : ndarray
        (n,) of the configurations, in the order of the run.
    end : int
        Number of configurations that the run sees before it stops; n if it does not stop.
    saved, selected : ndarray of int
        Places of the configurations that are saved, and of those of them that are selected.
    """

    times_ps: np.ndarray
    grades: np.ndarray
    end: int
    saved: np.ndarray
    selected: np.ndarray


def apply_thresholds(active_set: ActiveSet, run: RunResult, save: float, break_: float, select: float) -> Graded:
    """Return what a run would have saved with other thresholds, and what MaxVol selects of it.

    Parameters
    ----------
    active_set
        By which the run was graded.
    run
        Its `saved` configurations must be all those above grade `save`: record it with a lower threshold to save at,
        and with a higher one to stop at.
    save, break_
        Grade above which configurations are saved, and above which the run stops.
    select
        Threshold of MaxVol.

    Raises
    ------
    InputError
        If the run saved nothing.
    """
    if not run.saved:
        raise InputError("the run has saved no configuration: record it with a lower threshold")
    steps, values, configurations = zip(*run.saved)
    grades, times = np.array(values, float), np.array(steps) * run.settings["timestep_fs"] / 1000.0
    above = np.flatnonzero(grades > break_)
    end = int(above[0]) + 1 if len(above) else len(grades)  # the one that stops a run is saved, too
    saved = np.flatnonzero(grades[:end] > save)
    candidates: list[Atoms] = [configurations[k] for k in saved]
    return Graded(times, grades, end, saved, saved[active_set.select(candidates, select)])


@styled
def thresholds(graded: Graded, *, save: float, break_: float, reference: str, scale: str) -> Figure:
    """Draw the grades along a run, and how many configurations thresholds save and select.

    Parameters
    ----------
    graded
        Result of :func:`apply_thresholds`.
    save, break_
        Grade above which configurations are saved, and above which the run stops.
    reference, scale
        The level of theory of the training labels, and the scale.
    """
    figure, (along, counts) = subplots(1, 2, size=(9.6, 4.0), width_ratios=(3, 1))
    times, grades = graded.times_ps, graded.grades
    along.plot(times, grades, color=GREY, lw=0.8, alpha=0.6)
    along.plot(times[graded.end :], grades[graded.end :], ".", color="#CFCFCF", ms=4, label="never reached")
    along.plot(times[graded.saved], grades[graded.saved], "o", color=ORANGE, ms=4, label="saved")
    along.plot(times[graded.selected], grades[graded.selected], "D", color=BLUE, ms=6, mec="white", label="selected")
    stops = grades[graded.end - 1] > break_
    if stops:
        along.axvline(times[graded.end - 1], color=VERMILION, lw=1.4)
    grade_levels(along, save, break_)
    along.set_yscale("log")
    along.set_ylim(0.8 * min(grades.min(), save), 1.3 * max(grades.max(), break_))
    along.yaxis.set_major_formatter("{x:g}")
    along.set_xlim(times[0], times[-1])
    along.set_xlabel("time (ps)")
    along.set_ylabel("extrapolation grade γ")
    along.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, columnspacing=1.0, handlelength=1.2)
    numbers = {"recorded": len(times), "reached": graded.end, "saved": len(graded.saved),
               "selected": len(graded.selected)}  # fmt: skip
    for place, (number, colour) in enumerate(zip(numbers.values(), ("#CFCFCF", SKY, ORANGE, BLUE))):
        counts.bar(place, number, 0.7, color=colour)
        counts.text(place, number, f"{number}", ha="center", va="bottom", fontsize=9)
    counts.set_xticks(range(len(numbers)), list(numbers), rotation=30, ha="right")
    counts.set_ylim(0, 1.1 * len(times))
    counts.set_ylabel("configurations")
    counts.grid(axis="x", visible=False)
    stopped = f"the run stops at {times[graded.end - 1]:.3f} ps" if stops else "the run does not stop"
    saved = "1 is saved" if len(graded.saved) == 1 else f"{len(graded.saved)} are saved"
    caption(
        figure, "What the thresholds keep", scale=scale, reference=reference,
        note=f"Of one run with all its configurations above grade {grades.min():.2g}: {stopped}, {saved}, and "
        f"{len(graded.selected)} of them would be labelled.",
    )  # fmt: skip
    return figure


def threshold_sliders(
    active_set: ActiveSet,
    run: RunResult,
    *,
    reference: str,
    scale: str,
    save: float = 2.0,
    break_: float = 10.0,
    select: float = 2.0,
) -> Sliders:
    """Return sliders of the three thresholds of active learning, with what a run saves and what is selected.

    Parameters
    ----------
    active_set, run
        As of :func:`apply_thresholds`.
    reference, scale
        The level of theory of the training labels, and the scale.
    save, break_, select
        First positions of the sliders.

    Raises
    ------
    InputError
        As :func:`apply_thresholds`, and without ipywidgets.
    """
    made = widgets()

    def draw(save: float, break_: float, select: float) -> Figure:
        if break_ < save:
            raise InputError("a run cannot stop at a lower grade than the one at which it saves")
        graded = apply_thresholds(active_set, run, save, break_, select)
        return thresholds(graded, save=save, break_=break_, reference=reference, scale=scale)

    def slider(value: float, low: float, high: float, description: str) -> Any:
        return made.FloatLogSlider(value, min=np.log10(low), max=np.log10(high), step=0.02, readout_format=".2f",
                              description=description)  # fmt: skip

    return sliders(
        draw,
        save=slider(save, 1.0, 10.0, "save above γ"),
        break_=slider(break_, 2.0, 50.0, "stop above γ"),
        select=slider(select, 1.001, 10.0, "select above"),
    )
