"""Figures of the pure solvents (Fig. 1): densities, energy-density diagram of a training set, density against time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    caption,
    legend_beside,
    level_label,
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import DensityResult, EnsembleDensity
    from electrolyte_ml.dynamics import RunResult
    from electrolyte_ml.figures.measured import Measured


@styled
def density_comparison(
    ensembles: Mapping[str, EnsembleDensity],
    *,
    reference: str,
    scale: str,
    measured: Mapping[str, Measured],
    paper_deviation: float | None = None,
    functional: Mapping[str, Measured] | None = None,
    reference_densities: Mapping[str, float] | None = None,
) -> Figure:
    """Draw Fig. 1a: densities by ensembles of potentials, with experiment and the deviation stated in the paper.

    Parameters
    ----------
    ensembles
        Liquid ("EC", "EMC", ...) -> densities by the ensemble.
    reference, scale
        Level of theory of the training labels, and scale of the potentials.
    measured
        Liquid -> measured density at 300 K, g/cm³.
    paper_deviation
        Mean relative deviation from experiment stated in the paper, drawn as a band if given.
    functional
        Liquid -> density by PBE-D3(BJ) in the literature, if known, g/cm³.
    reference_densities
        Liquid -> density by the reference method itself, if known, g/cm³.

    Raises
    ------
    InputError
        There is no ensemble, or a liquid has no measured density.
    """
    if not ensembles:
        raise InputError("there is no ensemble to compare")
    if missing := [liquid for liquid in ensembles if liquid not in measured]:
        raise InputError(f"no measured density is given for {', '.join(missing)}")
    figure, axes = subplots(size=(4.6 + 1.7 * len(ensembles), 4.4))
    labelled: set[str] = set()

    def once(text: str) -> str | None:
        """Return a label the first time it is used, and None later, so that the legend has it once."""
        if text in labelled:
            return None
        labelled.add(text)
        return text

    for x, (liquid, ensemble) in enumerate(ensembles.items()):
        experiment = measured[liquid]
        if paper_deviation is not None:
            margin = paper_deviation * experiment.value
            axes.fill_between(
                [x - 0.42, x + 0.42], experiment.value - margin, experiment.value + margin, color=SKY, alpha=0.25, lw=0,
                label=once(f"paper's mean deviation, ±{paper_deviation:.0%} of experiment"),
            )  # fmt: skip
        axes.hlines(experiment.value, x - 0.42, x + 0.42, color=BLACK, lw=1.5, label=once("experiment, 300 K"))
        if experiment.error:
            axes.errorbar(x - 0.32, experiment.value, experiment.error, color=BLACK, capsize=3, lw=1.2)
        if functional and liquid in functional:
            axes.plot(
                x - 0.2, functional[liquid].value, "D", color=ORANGE, ms=6, mec="white", mew=0.5,
                label=once("PBE-D3(BJ), literature, 298 K (EC 313 K)"),
            )  # fmt: skip
        if reference_densities and liquid in reference_densities:
            axes.plot(
                x - 0.06, reference_densities[liquid], "s", color=VERMILION, ms=6, mec="white", mew=0.5,
                label=once(f"{reference} itself"),
            )  # fmt: skip
        sigma = ensemble.sigma if np.isfinite(ensemble.sigma) else None
        count = len(ensemble.members)
        ours = f"ours, mean ± 1σ of {count} potentials" if count > 1 else "ours, one potential"
        axes.errorbar(
            x + 0.08, ensemble.mean, sigma, fmt="o", color=BLUE, ms=8, capsize=5, lw=2, zorder=4, label=once(ours)
        )
        places = x + 0.2 + 0.16 * np.linspace(0, 1, count + 2)[1:-1]
        axes.errorbar(
            places, [m.mean for m in ensemble.members], [m.error for m in ensemble.members], fmt="o", color=BLUE,
            ms=3.5, lw=1, alpha=0.6, capsize=2, label=once("each potential ± error of its mean"),
        )  # fmt: skip
        for place, member in zip(places, ensemble.members):
            if member.drifts:
                axes.plot(place, member.mean, "x", color=VERMILION, ms=9, mew=2, label=once("density still drifts"))
        deviation = ensemble.mean / experiment.value - 1.0
        axes.annotate(
            f"{deviation:+.1%}", (x + 0.08, ensemble.mean), xytext=(-9, 0), textcoords="offset points", color=BLUE,
            ha="right", va="center", fontsize=9,
        )  # fmt: skip
    axes.set_xticks(range(len(ensembles)), ensembles)
    axes.set_xlim(-0.55, len(ensembles) - 0.45)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("density at 300 K (g/cm³)")
    legend_beside(axes)
    caption(
        figure, "Density of the pure liquids (Fig. 1a)", scale=scale, reference=reference,
        note="Percentages: deviation of the ensemble from experiment.",
    )  # fmt: skip
    return figure


@styled
def energy_density(
    diagram: Mapping[str, np.ndarray],
    *,
    reference: str,
    scale: str,
    liquid: str = "EC",
    paper_range: tuple[float, float] | None = None,
) -> Figure:
    """Draw Fig. 1b: energy against density of a training set, coloured by the order of its configurations.

    Parameters
    ----------
    diagram
        `index`, `iteration` (0 is the seeding), `density` (g/cm³) and `energy` (eV/atom) of every configuration, from
        :meth:`electrolyte_ml.active_learning.ActiveLearningResult.energy_density`.
    reference, scale
        Level of theory of the energies, and scale.
    liquid
        Name of the liquid, for the title.
    paper_range
        Lowest and highest density of the paper's set of this liquid, g/cm³, drawn along the axis if given.

    Raises
    ------
    InputError
        There is no configuration.
    """
    index, iteration, density, energy = (np.asarray(diagram[k]) for k in ("index", "iteration", "density", "energy"))
    if not len(index):
        raise InputError("the training set is empty")
    energy = 1000.0 * (energy - energy.min())
    seeds = iteration == 0
    figure, axes = subplots(size=(6.8, 4.6))
    shared = {"cmap": "viridis", "vmin": 0, "vmax": max(1, len(index) - 1), "linewidths": 0.4, "edgecolors": "white"}
    points = [
        axes.scatter(
            density[chosen], energy[chosen], c=index[chosen], marker=marker, s=size, **shared,
            label=f"{name} ({chosen.sum()})",
        )
        for chosen, marker, size, name in ((seeds, "s", 34, "seeds"), (~seeds, "o", 42, "learnt actively"))
        if chosen.any()
    ]  # fmt: skip
    if paper_range is not None:
        foot = axes.get_xaxis_transform()
        label = f"paper: {paper_range[0]:.2f}–{paper_range[1]:.2f} g/cm³"
        axes.plot(paper_range, [0.0, 0.0], color=VERMILION, lw=5, transform=foot, solid_capstyle="butt", label=label)
    figure.colorbar(points[-1], ax=axes, label="index in the training set N", pad=0.02)
    axes.set_xlabel("density (g/cm³)")
    axes.set_ylabel("energy above the lowest (meV/atom)")
    legend = axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)
    for handle in legend.legend_handles:
        if hasattr(handle, "get_offsets"):
            handle.set(array=None, facecolor=GREY)  # colours mean the index, not the kind
    caption(
        figure, f"How the training set of {liquid} grew (Fig. 1b)", scale=scale, reference=reference,
        note=f"{len(index)} configurations; the last joined in iteration {iteration.max()}.",
    )  # fmt: skip
    return figure


@styled
def density_trace(
    runs: Mapping[str, RunResult],
    *,
    reference: str,
    scale: str,
    liquid: str | None = None,
    measured: Measured | None = None,
    means: Mapping[str, DensityResult] | None = None,
    smooth_ps: float = 1.0,
) -> Figure:
    """Draw the density of one or more runs against time, with means and drifts.

    Parameters
    ----------
    runs
        Name (for example a seed) -> run in NPT.
    reference, scale
        Level of theory of the training labels, and scale.
    liquid
        Name of the liquid, for the title.
    measured
        Measured density, g/cm³, drawn as a line if given.
    means
        Name -> mean density, drawn with its error over the averaged part of the run.
    smooth_ps
        Width of the running mean, ps; the instantaneous density is drawn behind it.

    Raises
    ------
    InputError
        There is no run.
    """
    if not runs:
        raise InputError("there is no run to draw")
    figure, axes = subplots(size=(8.2, 4.2))
    notes = []
    for colour, (name, run) in zip(_colours(len(runs)), runs.items()):
        times, densities = run.times_ps, run.densities
        axes.plot(times, densities, color=colour, lw=0.5, alpha=0.3)
        width = max(1, round(smooth_ps / (times[1] - times[0]))) if len(times) > 1 else 1
        if len(times) > 2 * width:
            kernel = np.ones(width) / width
            axes.plot(
                np.convolve(times, kernel, "valid"), np.convolve(densities, kernel, "valid"), color=colour, lw=1.6
            )
        label = name if run.completed else f"{name}: {run.reason}"
        if not run.completed:
            axes.plot(times[-1], densities[-1], "X", color=colour, ms=8, mec="white")
        if means and name in means:
            mean = means[name]
            span = [mean.begin_ps, mean.end_ps]
            axes.fill_between(span, mean.mean - mean.error, mean.mean + mean.error, color=colour, alpha=0.35, lw=0)
            label += f"  {mean.mean:.3f} ± {mean.error:.3f}" + (" drifts" if mean.drifts else "")
        axes.plot([], [], color=colour, lw=2, label=label)
    if measured is not None:
        axes.axhline(measured.value, color=BLACK, lw=1.2, ls="--")
        level_label(axes, measured.value, "experiment", BLACK)
    if means:
        notes.append("Bands: mean ± its error over the part averaged.")
    axes.set_xlabel("time (ps)")
    axes.set_ylabel("density (g/cm³)")
    axes.margins(x=0.01)
    legend_beside(axes)
    caption(
        figure, f"Density of {liquid or 'the liquid'} against time", scale=scale, reference=reference,
        note=f"Thick: mean over {smooth_ps:g} ps. " + " ".join(notes),
    )  # fmt: skip
    return figure


def _colours(count: int) -> list[Any]:
    """Return distinct colours: those of Okabe and Ito if there are enough, else viridis."""
    if count <= len(CYCLE):
        return list(CYCLE[:count])
    import matplotlib

    return list(matplotlib.colormaps["viridis"](np.linspace(0, 0.95, count)))
