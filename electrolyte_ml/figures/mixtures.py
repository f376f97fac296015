"""Figures of the mixtures of EC and EMC: growth of the training set, and densities (Figs. 2, S1, S2)."""

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
    SKY,
    VERMILION,
    caption,
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.figures.measured import Measured

_OF_CONTENTS = (BLUE, ORANGE, GREEN, VERMILION, GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P")


@styled
def mixture_set(
    growth: Sequence[Mapping[str, int]],
    *,
    reference: str,
    scale: str,
    available: int | None = None,
    paper: Mapping[str, float] | None = None,
) -> Figure:
    """Draw the growth of the training set of mixtures, and its final contents (Fig. S1).

    Parameters
    ----------
    growth
        For each iteration, molecules -> number of configurations added; the first entry is the inherited set.
    reference, scale
        Level of theory of the labels, and scale.
    available
        Number of configurations of all inherited sets together.
    paper
        Molecules -> share of the paper's set, drawn beside ours if given.

    Raises
    ------
    InputError
        There is no iteration.
    """
    if not growth:
        raise InputError("the training set has no iteration")
    contents = sorted({name for added in growth for name in added})
    names = [name for name in paper or () if name in contents]
    names += [name for name in contents if name not in names]
    counts = np.array([[added.get(name, 0) for name in names] for added in growth])
    totals = counts.cumsum(axis=0)
    figure, (sizes, shares) = subplots(1, 2, size=(9.6, 4.2), width_ratios=(1.5, 1.0))
    below = np.zeros(len(growth))
    for colour, name, total in zip(_OF_CONTENTS * len(names), names, totals.T):
        sizes.bar(range(len(growth)), total, 0.8, bottom=below, color=colour, label=name)
        below += total
    sizes.set_xlabel("iteration (0: inherited)")
    sizes.set_ylabel("configurations in the set")
    sizes.xaxis.get_major_locator().set_params(integer=True)
    sizes.grid(axis="x", visible=False)
    sizes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)

    ours = totals[-1] / totals[-1].sum()
    rows = {"ours": dict(zip(names, ours))}
    if paper is not None:
        rows["paper"] = dict(paper)
    for row, values in enumerate(rows.values()):
        left = 0.0
        for colour, name in zip(_OF_CONTENTS * len(names), names):
            share = values.get(name, 0.0)
            shares.barh(row, share, 0.6, left=left, color=colour)
            if share > 0.06:  # the label fits into the bar
                shares.text(
                    left + share / 2, row, f"{100 * share:.0f} %", ha="center", va="center", color="white", fontsize=9
                )
            left += share
    shares.set_yticks(range(len(rows)), rows)
    shares.invert_yaxis()
    shares.set_xlabel("share of the configurations")
    shares.set_xlim(0, 1)
    shares.grid(axis="y", visible=False)
    inherited = counts[0].sum()
    note = f"{totals[-1].sum()} configurations, {inherited} inherited"
    note += f" out of {available}." if available is not None else "."
    caption(figure, "Training set of the mixtures (Fig. S1)", scale=scale, reference=reference, note=note)
    return figure


@styled
def mixture_densities(
    densities: Mapping[str, Mapping[str, Sequence[float]]],
    fractions: Mapping[str, float],
    *,
    reference: str,
    scale: str,
    measured: Mapping[str, Measured],
    functional: Mapping[str, Measured] | None = None,
    failed: Mapping[str, Mapping[str, int]] | None = None,
) -> Figure:
    """Draw Fig. 2: densities of the mixtures by several kinds of potential, and their deviations from experiment.

    Parameters
    ----------
    densities
        Liquid -> kind of potential -> density by each of its potentials, g/cm³.
    fractions
        Liquid -> mole fraction of EMC.
    reference, scale
        Level of theory of the training labels, and scale.
    measured
        Liquid -> measured density at 300 K, g/cm³.
    functional
        Liquid -> density by PBE-D3(BJ) in the literature, if known, g/cm³.
    failed
        Liquid -> kind -> number of runs that ended early, for the note.

    Raises
    ------
    InputError
        There is no density, or a liquid has no measured density.
    """
    if not densities:
        raise InputError("there is no density to draw")
    if missing := [liquid for liquid in densities if liquid not in measured]:
        raise InputError(f"no measured density is given for {', '.join(missing)}")
    liquids = sorted(densities, key=lambda liquid: fractions[liquid])
    kinds = list(dict.fromkeys(kind for liquid in liquids for kind in densities[liquid]))
    figure, (absolute, relative) = subplots(1, 2, size=(10.4, 4.6))
    x = np.array([fractions[liquid] for liquid in liquids])
    experiment = np.array([measured[liquid].value for liquid in liquids])
    absolute.plot(x, experiment, "-", color=BLACK, lw=1.5, marker="_", ms=12, label="experiment, 300 K")
    relative.axhline(0.0, color=BLACK, lw=1.5)
    if functional:
        places = [k for k, liquid in enumerate(liquids) if liquid in functional]
        values = np.array([functional[liquids[k]].value for k in places])
        label = "PBE-D3(BJ), literature,\n298 K (EC 313 K)"
        absolute.plot(x[places], values, "--", color=GREY, lw=1.2, marker="D", ms=5, label=label)
        deviations = 100 * (values / experiment[places] - 1)
        relative.plot(x[places], deviations, "--", color=GREY, lw=1.2, marker="D", ms=5)
    shifts = 0.022 * (np.arange(len(kinds)) - (len(kinds) - 1) / 2)
    for colour, marker, shift, kind in zip(CYCLE * len(kinds), _MARKERS * len(kinds), shifts, kinds):
        for axes, scaled in ((absolute, False), (relative, True)):
            for k, liquid in enumerate(liquids):
                values = np.asarray(densities[liquid].get(kind, ()), float)
                if not len(values):
                    continue
                if scaled:
                    values = 100 * (values / experiment[k] - 1)
                spread = values.std(ddof=1) if len(values) > 1 else None
                axes.errorbar(
                    x[k] + shift, values.mean(), spread, fmt=marker, color=colour, ms=7, capsize=4, lw=1.6, zorder=4,
                    label=kind if axes is absolute and k == 0 else None,
                )  # fmt: skip
                axes.plot(np.full(len(values), x[k] + shift), values, ".", color=colour, ms=4, alpha=0.6)
    for axes in (absolute, relative):
        axes.set_xticks(x, liquids)
        axes.set_xlabel("liquid, at its mole fraction of EMC")
        axes.set_xlim(-0.1, 1.1)
    absolute.set_ylabel("density at 300 K (g/cm³)")
    relative.set_ylabel("deviation from experiment (%)")
    handles, labels = absolute.get_legend_handles_labels()
    relative.legend(handles, labels, loc="center left", bbox_to_anchor=(1.02, 0.5))
    lost = [
        f"{number} of {kind} at {liquid}"
        for liquid, by_kind in (failed or {}).items()
        for kind, number in by_kind.items()
        if number
    ]
    note = "Bars: standard deviation over the potentials; dots: each of them."
    note += f" Runs that did not reach their end: {', '.join(lost)}." if lost else " All runs reached their end."
    caption(figure, "Density from EC to EMC (Fig. 2)", scale=scale, reference=reference, note=note)
    return figure


@styled
def mixture_traces(
    traces: Mapping[str, Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]]],
    *,
    reference: str,
    scale: str,
    measured: Mapping[str, Measured],
) -> Figure:
    """Draw Fig. S2: density against time of every run, with a row per liquid and a column per kind of potential.

    Parameters
    ----------
    traces
        Liquid -> kind -> times (ps) and densities (g/cm³) of each run.
    reference, scale
        Level of theory of the training labels, and scale.
    measured
        Liquid -> measured density, g/cm³.

    Raises
    ------
    InputError
        There is no run.
    """
    if not traces:
        raise InputError("there is no run to draw")
    kinds = list(dict.fromkeys(kind for by_kind in traces.values() for kind in by_kind))
    figure, grid = subplots(
        len(traces), len(kinds), size=(1.4 + 2.3 * len(kinds), 0.9 + 1.75 * len(traces)), sharex=True, sharey="row",
        squeeze=False,
    )  # fmt: skip
    for row, (liquid, by_kind) in zip(grid, traces.items()):
        for axes, kind in zip(row, kinds):
            for colour, (times, densities) in zip((BLUE, VERMILION, GREEN, SKY) * 9, by_kind.get(kind, ())):
                axes.plot(times, densities, color=colour, lw=0.9)
            if liquid in measured:
                axes.axhline(measured[liquid].value, color=BLACK, lw=1.0, ls="--")
        row[0].set_ylabel(f"{liquid}\ndensity (g/cm³)")
    for axes, kind in zip(grid[0], kinds):
        axes.set_title(kind)
    for axes in grid[-1]:
        axes.set_xlabel("time (ps)")
    caption(
        figure, "Density against time (Fig. S2)", scale=scale, reference=reference,
        note="A line for each potential; dashed: experiment. A line that ends early is a run that failed.",
    )  # fmt: skip
    return figure
