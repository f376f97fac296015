"""Cutoffs of the solvation shell: coordination, ion pairs and their intervals, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.figures.shells import PAIRING, draw_bars
from electrolyte_ml.figures.sliders import Sliders, sliders, widgets
from electrolyte_ml.figures.style import BLUE, CYCLE, ORANGE, caption, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import RadialDistribution, Solvation
    from electrolyte_ml.trajectories import Trajectory

_FROM, _TO = 1.5, 6.0  # Å


@styled
def shells_by_cutoff(
    result: Solvation, distributions: Mapping[str, RadialDistribution], *, reference: str, scale: str | None
) -> Figure:
    """Draw the radial distribution functions with given cutoffs, and the shells and ion pairs that they give.

    Parameters
    ----------
    result
        Result of `analyse_solvation` with the cutoffs.
    distributions
        Name of a species -> radial distribution function of the cation and its donors.
    reference, scale
        The level of theory behind the trajectory, and the scale.
    """
    import matplotlib.pyplot as plt

    figure, panels = plt.subplot_mosaic(
        "gsp;nsp", figsize=(12.0, 4.6), layout="constrained", width_ratios=(3, 2, 2)
    )  # g(r) above numbers n(r), shells, pairs
    curves, numbers, shells, pairs = (panels[name] for name in "gnsp")
    for colour, (name, d) in zip(CYCLE, distributions.items()):
        near, cutoff = (d.r >= _FROM) & (d.r <= _TO), result.cutoffs[name].value
        highest = d.g[near].max()
        if highest > 0:
            curves.plot(d.r[near], d.g[near] / highest, color=colour, lw=1.2, label=f"{name} (highest: {highest:.3g})")
        counted = np.where(d.coordination > 0, d.coordination, np.nan)  # nothing at zero, on a logarithmic axis
        numbers.plot(d.r[near], counted[near], color=colour, lw=1.6)
        numbers.plot(cutoff, np.interp(cutoff, d.r, counted), "o", color=colour, ms=6)
        for axes in (curves, numbers):
            axes.axvline(cutoff, color=colour, lw=1.6, ls="--")
    for axes in (curves, numbers):
        axes.set_xlim(_FROM, _TO)
    curves.tick_params(labelbottom=False)
    curves.set_ylabel("g(r) / highest")
    curves.set_ylim(0.0, 1.05)
    numbers.set_yscale("log")
    numbers.yaxis.set_major_formatter("{x:g}")
    numbers.set_ylabel("donors within r")
    numbers.set_xlabel(f"distance r from {result.cation} (Å)")
    curves.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, columnspacing=1.0, handlelength=1.2)
    species = list(result.ligands)
    for k, (colour, what, label) in enumerate(
        ((BLUE, result.coordination, "donor atoms"), (ORANGE, result.ligands, "molecules"))
    ):
        draw_bars(shells, np.arange(len(species)), [what[name] for name in species], k, 2, colour, label)
    shells.set_xticks(range(len(species)), species)
    shells.set_ylim(bottom=0.0)
    shells.set_ylabel(f"in the shell of {result.cation}")
    shells.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, columnspacing=1.0, handlelength=1.2)
    for place, (kind, colour) in enumerate(PAIRING.items()):
        draw_bars(pairs, np.array([place]), [result.ion_pairs[kind]], 0, 1, colour, kind, percent=True)
        value = 100 * result.ion_pairs[kind].value
        pairs.text(place, 104, f"{value:.0f} %", ha="center", va="bottom", fontsize=9)
    pairs.set_xticks(range(3), list(PAIRING))
    pairs.set_ylim(0, 103)
    pairs.set_ylabel(f"{result.cation} (%)")
    for axes in (shells, pairs):
        axes.grid(axis="x", visible=False)
    chosen = ", ".join(f"{name} {cutoff.value:.2f} Å" for name, cutoff in result.cutoffs.items())
    caption(
        figure, "Shells and ion pairs by cutoff", scale=scale, reference=reference,
        note=f"Dashed: the cutoffs ({chosen}). Black: 95 % intervals from blocks of frames; grey: cutoffs 0.2 Å "
        "shorter to longer.",
    )  # fmt: skip
    return figure


def cutoff_sliders(
    trajectories: Trajectory | Sequence[Trajectory],
    *,
    reference: str,
    scale: str | None,
    cutoffs: Mapping[str, float] | None = None,
    cation: str | None = None,
) -> Sliders:
    """Return sliders of the cutoff of each species, with shells, ion pairs and their intervals.

    Parameters
    ----------
    trajectories
        One or more runs of one system; they are read again at each move.
    reference, scale
        The level of theory behind the trajectory, and the scale.
    cutoffs
        Species -> first position of its slider, Å; by default the first minima of the radial distribution functions.
    cation
        Its name, where there are several.

    Raises
    ------
    InputError
        As :func:`electrolyte_ml.analysis.analyse_solvation`, and without ipywidgets.
    """
    made = widgets()
    from electrolyte_ml.analysis import analyse_solvation, find_cutoffs

    found, pairs = find_cutoffs(trajectories, cation=cation)
    first = {name: cutoff.value for name, cutoff in found.items()} | dict(cutoffs or {})
    by_species = {name: d for name in first for pair, d in pairs.items() if pair.partition("-")[2] == name}

    def draw(**chosen: float) -> Figure:
        result = analyse_solvation(trajectories, cutoffs=chosen, cation=cation)
        return shells_by_cutoff(result, by_species, reference=reference, scale=scale)

    return sliders(
        draw,
        **{
            name: made.FloatSlider(round(value, 2), min=1.8, max=5.0, step=0.05, description=f"cutoff of {name} (Å)")
            for name, value in first.items()
        },
    )
