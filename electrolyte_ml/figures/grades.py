"""Figures of extrapolation grades: MaxVol in two dimensions, and the grade along a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import (
    BLUE,
    CYCLE,
    GREY,
    ORANGE,
    SKY,
    caption,
    grade_levels,
    legend_beside,
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.active_learning import MaxVolResult
    from electrolyte_ml.dynamics import RunResult


@styled
def maxvol_plane(rows: np.ndarray, result: MaxVolResult) -> Figure:
    """Draw a pool of rows with two columns, the two rows that MaxVol selected, and the lines of grade 1 and 2.

    Parameters
    ----------
    rows
        The pool, (n, 2).
    result
        Result of MaxVol on the pool.

    Raises
    ------
    InputError
        The rows do not have two columns.
    """
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise InputError(f"only rows with two columns can be drawn in a plane, not {rows.shape}")
    figure, axes = subplots(size=(6.8, 4.8))
    corners = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1], [1, 1]]) @ result.matrix  # |c| = 1: grade 1
    axes.fill(*corners.T, color=SKY, alpha=0.25, lw=0, label="γ ≤ 1: interpolation")
    axes.plot(*(2.0 * corners).T, color=ORANGE, lw=1.4, ls="--", label="γ = 2: save")
    axes.scatter(*rows.T, s=22, color=GREY, lw=0, label="pool, rows of B", zorder=3)
    for k, row in enumerate(result.matrix):
        axes.annotate("", row, (0, 0), arrowprops={"arrowstyle": "-|>", "color": BLUE, "lw": 2, "shrinkB": 0})
        axes.plot(*row, "o", color=BLUE, ms=8, zorder=4, label="rows of A" if k == 0 else None)
    reach = 2.2 * np.abs(corners).max(axis=0)
    axes.set_xlim(-reach[0], reach[0])
    axes.set_ylim(-reach[1], reach[1])
    axes.set_xlabel("$\\partial E / \\partial\\theta_1$ (arbitrary units)")
    axes.set_ylabel("$\\partial E / \\partial\\theta_2$ (arbitrary units)")
    legend_beside(axes)
    volume = abs(np.linalg.det(result.matrix))
    caption(
        figure, "MaxVol in two dimensions", reference="none (made-up rows)",
        note=f"|det A| = {volume:.2f}: the area that the two arrows span.",
    )  # fmt: skip
    return figure


@styled
def grade_trace(
    runs: Mapping[str, RunResult],
    *,
    reference: str,
    scale: str,
    grade_save: float = 2.0,
    grade_break: float = 10.0,
) -> Figure:
    """Draw extrapolation grade and density along runs.

    Parameters
    ----------
    runs
        Name -> run with a grade monitor.
    reference, scale
        Level of theory of the training labels, and scale.
    grade_save, grade_break
        Grades above which a run saves configurations and stops.

    Raises
    ------
    InputError
        There is no run.
    """
    if not runs:
        raise InputError("there is no run to draw")
    figure, (grades, densities) = subplots(2, 1, size=(8.2, 5.2), sharex=True, height_ratios=(3, 2))
    lowest, highest = 1.0, 1.3 * grade_break
    for colour, (name, run) in zip(CYCLE * len(runs), runs.items()):
        known = np.isfinite(run.grades)
        label = name if run.completed else f"{name} (stopped: {run.reason})"
        grades.plot(run.times_ps[known], run.grades[known], color=colour, lw=1.2, label=label)
        densities.plot(run.times_ps, run.densities, color=colour, lw=1.2)
        if not run.completed:
            for axes, values in ((grades, run.grades), (densities, run.densities)):
                axes.plot(run.times_ps[-1], values[-1], "X", color=colour, ms=9, mec="white", clip_on=False, zorder=5)
        lowest = min(lowest, np.nanmin(run.grades, initial=lowest))
        highest = max(highest, 1.3 * np.nanmax(run.grades, initial=0.0))
    grade_levels(grades, grade_save, grade_break)
    grades.set_yscale("log")
    grades.set_ylim(0.8 * lowest, highest)
    grades.yaxis.set_major_formatter("{x:g}")
    if highest < 50.0:  # 1.5 decades: ticks at powers of ten alone are too few
        grades.yaxis.set_ticks([1, 2, 5, 10, 20])
        grades.set_ylim(0.8 * lowest, highest)
    grades.set_ylabel("extrapolation grade γ")
    densities.set_ylabel("density (g/cm³)")
    densities.set_xlabel("time (ps)")
    legend_beside(grades)
    saved = ", ".join(f"{len(run.saved)} ({name})" for name, run in runs.items())
    caption(
        figure, "The grade along dynamics", scale=scale, reference=reference, note=f"Configurations saved: {saved}."
    )
    return figure
