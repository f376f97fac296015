"""Figures of training and active learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    caption,
    grade_levels,
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.active_learning import IterationStatus


_OF_REASONS = (SKY, VERMILION, ORANGE, PURPLE, GREEN, YELLOW, BLACK)  # colours of ends of trajectories, completed first


@styled
def learning_progress(
    status: Sequence[IterationStatus],
    *,
    reference: str,
    scale: str,
    grade_save: float = 2.0,
    grade_break: float = 10.0,
) -> Figure:
    """Draw the timeline of active learning: configurations and labels, grades, errors, and ends of trajectories.

    Parameters
    ----------
    status
        One row per iteration, as in ``ActiveLearningResult.status``.
    reference, scale
        Level of theory of the labels, and scale.
    grade_save, grade_break
        Grades above which trajectories saved configurations and stopped.

    Raises
    ------
    InputError
        There is no iteration.
    """
    if not len(status):
        raise InputError("active learning has not finished any iteration")
    iteration = np.array([row.iteration for row in status])
    figure, ((counts, grades), (errors, ends)) = subplots(2, 2, size=(10.0, 6.6))
    counts.bar(iteration - 0.2, [row.saved for row in status], 0.4, color=SKY, label="saved")
    counts.bar(iteration + 0.2, [row.selected for row in status], 0.4, color=BLUE, label="selected")
    counts.plot(iteration, [row.size for row in status], "o-", color=VERMILION, ms=4, label="in the set")
    counts.set_yscale("symlog", linthresh=10)
    counts.set_ylim(bottom=0)
    counts.set_ylabel("configurations")
    counts.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, columnspacing=1.0, handlelength=1.2)

    highest = np.array([np.nan if row.max_grade is None else row.max_grade for row in status], float)
    grade_levels(grades, grade_save, grade_break)
    grades.plot(iteration, highest, "o-", color=BLUE, ms=5)
    grades.set_yscale("log")
    grades.set_ylabel("highest extrapolation grade γ")

    errors.plot(iteration, [row.energy_rmse for row in status], "o-", color=BLUE, ms=5)
    errors.set_ylabel("energy RMSE on the set (meV/atom)", color=BLUE)
    errors.set_ylim(bottom=0)
    forces = errors.twinx()
    forces.spines.right.set_visible(True)
    forces.grid(visible=False)
    forces.plot(iteration, [row.force_rmse for row in status], "s--", color=VERMILION, ms=5)
    forces.set_ylabel("force RMSE on the set (eV/Å)", color=VERMILION)
    forces.set_ylim(bottom=0)
    reasons = sorted(
        {reason for row in status for reason in row.stops}, key=lambda reason: (reason != "completed", reason)
    )
    below = np.zeros(len(iteration))
    for reason, colour in zip(reasons, _OF_REASONS * len(reasons)):
        number = np.array([row.stops.get(reason, 0) for row in status], float)
        ends.bar(iteration, number, 0.7, bottom=below, color=colour, label=reason)
        below += number
    ends.set_ylabel("trajectories, by how they ended")
    if reasons:
        ends.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, columnspacing=1.0, handlelength=1.2)
    for axes in (counts, grades, errors, ends):
        axes.set_xlabel("iteration (0: seeds)")
        axes.set_xlim(iteration[0] - 0.6, iteration[-1] + 0.6)
        axes.xaxis.get_major_locator().set_params(integer=True)
    last = status[-1]
    caption(
        figure, "Active learning", scale=scale, reference=reference,
        note=f"Last iteration: {last.saved} saved; trajectories ended: {last.stops_text or 'none'}.",
    )  # fmt: skip
    return figure


@styled
def training_history(
    histories: Mapping[str, Sequence[tuple[int, float, float]]], *, reference: str, scale: str
) -> Figure:
    """Draw the loss against the iterations of the optimiser and against time.

    Parameters
    ----------
    histories
        Name (a seed, a method) -> (iteration, loss, seconds) of every iteration, as in ``FitResult.history``.
    reference, scale
        Level of theory of the labels, and scale.

    Raises
    ------
    InputError
        There is no history.
    """
    if not histories or not all(len(history) for history in histories.values()):
        raise InputError("there is no training history to draw")
    figure, panels = subplots(1, 2, size=(8.6, 3.9), sharey=True)
    for colour, (name, history) in zip(CYCLE * len(histories), histories.items()):
        iteration, loss, seconds = np.array(history, float).T
        for axes, x in zip(panels, (iteration, seconds)):
            axes.plot(x, loss, color=colour, lw=1.6, label=name)
            axes.plot(x[-1], loss[-1], "o", color=colour, ms=5)
    panels[0].set_xlabel("iteration")
    panels[1].set_xlabel("time (s)")
    panels[0].set_ylabel("loss, eq. (10)")
    panels[0].set_yscale("log")
    if len(histories) > 1:
        panels[1].legend()
    panels[1].tick_params(labelleft=False, colors=GREY, which="both", axis="y")
    caption(figure, "Training", scale=scale, reference=reference, note="Dots: where each fit ended.")
    return figure
