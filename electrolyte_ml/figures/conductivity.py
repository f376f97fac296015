"""Figures of conductivity: against correlation time (Figs. S7, S8) and temperature (Fig. 6), and by several methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREY,
    ORANGE,
    VERMILION,
    caption,
    legend_beside,
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import ConductivityResult, TransportEstimate
    from electrolyte_ml.figures.measured import Measured

_MARKERS = "osD^vP*"


@styled
def running_conductivity(
    estimates: Mapping[str, TransportEstimate],
    *,
    reference: str,
    scale: str | None,
    exact: float | None = None,
    measured: Mapping[str, float] | None = None,
    title: str = "Conductivity against correlation time (Fig. S7, S8)",
) -> Figure:
    """Draw sigma(t) with its standard error, and the value averaged over the plateau.

    Parameters
    ----------
    estimates
        Name (a temperature, a composition, a method) -> estimate with a curve, S/m.
    reference, scale
        Level of theory of the training labels, and scale.
    exact
        The exact conductivity of a synthetic process, S/m.
    measured
        Name -> measured conductivity, S/m, drawn in the colour of this estimate.
    title
        Title of the figure.

    Raises
    ------
    InputError
        There is nothing to draw, or an estimate has no curve.
    """
    if not estimates:
        raise InputError("there is no conductivity to draw")
    figure, axes = subplots(size=(8.6, 4.4))
    notes, lowest, highest = [], 0.0, 0.0
    for colour, (name, estimate) in zip(CYCLE, estimates.items()):
        if estimate.curve is None or estimate.plateau is None:
            raise InputError(f"{name}: {estimate.method} has no curve against time")
        times, mean, error = estimate.curve.times_ps, 10 * estimate.curve.mean, 10 * estimate.curve.error
        value, value_error = 10 * estimate.value, 10 * estimate.error  # mS/cm
        axes.fill_between(times, mean - error, mean + error, color=colour, alpha=0.15, lw=0)
        axes.plot(times, mean, color=colour, lw=1.3)
        span = [estimate.plateau.start_ps, estimate.plateau.end_ps]
        axes.fill_between(span, value - value_error, value + value_error, color=colour, alpha=0.3, lw=0)
        axes.plot(span, [value, value], color=colour, lw=3, solid_capstyle="butt",
                  label=f"{name}: {value:.3g} ± {value_error:.2g} mS/cm")  # fmt: skip
        notes.append(f"{span[0]:.3g}-{span[1]:.3g} ps")
        later = times >= 0.5 * span[0]  # before, the integral oscillates with the vibrations of the ions
        lowest = min(lowest, float((mean - error)[later].min()))
        highest = max(highest, float((mean + error)[later].max()))
        if measured and name in measured:
            axes.axhline(
                10 * measured[name], color=colour, lw=1.2, ls=":", label=f"measured: {10 * measured[name]:.3g} mS/cm"
            )
            highest = max(highest, 10 * measured[name])
    if exact is not None:
        axes.axhline(10 * exact, color=BLACK, lw=1.2, ls="--", label=f"exact: {10 * exact:.3g} mS/cm")
    axes.set_xlabel("correlation time (ps)")
    axes.set_ylabel("conductivity (mS/cm)")
    axes.set_xlim(left=0.0)
    axes.set_ylim(1.08 * lowest, 1.08 * max(highest, 10 * (exact or 0.0)))
    legend_beside(axes)
    caption(
        figure, title, scale=scale, reference=reference,
        note=f"Band: standard error. Bars: the plateau ({', '.join(dict.fromkeys(notes))}) and its mean ± error.",
    )  # fmt: skip
    return figure


@styled
def conductivity_temperature(
    estimates: Mapping[str, Mapping[float, TransportEstimate]],
    *,
    reference: str,
    scale: str | None,
    measured: Mapping[str, Mapping[float, Measured]],
    source: str,
    paper_deviation: float | None = None,
    title: str = "Conductivity of about 1 mol/kg LiPF6 in EC:EMC (Fig. 6)",
) -> Figure:
    """Draw Fig. 6: sigma against temperature, with experiment and the deviation stated in the paper.

    Parameters
    ----------
    estimates
        EC:EMC molar ratio ("3:7", "2:3", "1:1") -> temperature (K) -> conductivity, S/m.
    reference, scale
        Level of theory of the training labels, and scale.
    measured
        Ratio -> temperature (K) -> measured conductivity, mS/cm.
    source
        Source of the measured values, for the caption.
    paper_deviation
        Mean relative deviation from experiment stated in the paper, drawn as a band if given.
    title
        Title of the figure.

    Raises
    ------
    InputError
        There is nothing to draw, or a composition has no measured value.
    """
    if not any(estimates.values()):
        raise InputError("there is no conductivity to draw")
    if missing := [ratio for ratio in estimates if not measured.get(ratio)]:
        raise InputError(f"no measured conductivity is given for EC:EMC {', '.join(missing)}")
    figure, panels = subplots(1, len(estimates), size=(2.6 + 2.6 * len(estimates), 4.2), sharey=True, squeeze=False)
    for axes, colour, marker, (ratio, by_temperature) in zip(panels[0], CYCLE, _MARKERS, estimates.items()):
        experiment = measured[ratio]
        temperatures = np.array(sorted(experiment))
        values = np.array([experiment[t].value for t in temperatures])
        if paper_deviation is not None:
            axes.fill_between(
                temperatures, (1 - paper_deviation) * values, (1 + paper_deviation) * values, color=GREY, alpha=0.18,
                lw=0, label=f"paper's mean deviation, ±{paper_deviation:.0%}",
            )  # fmt: skip
        axes.plot(temperatures, values, "--", marker="_", color=BLACK, lw=1.2, ms=9, label="experiment")
        ours = sorted(by_temperature)
        points = [by_temperature[t] for t in ours]  # S/m
        value = 10 * np.array([estimate.value for estimate in points])
        bars = 10 * np.abs([[e.value - e.low for e in points], [e.high - e.value for e in points]])
        axes.errorbar(ours, value, bars, fmt="none", ecolor=colour, elinewidth=1, capsize=2, alpha=0.6)
        axes.errorbar(
            ours, value, [10 * estimate.error for estimate in points], fmt=marker, color=colour, ms=7, capsize=4, lw=2,
            label="ours ± standard error; thin: 95 %",
        )  # fmt: skip
        for temperature, sigma in zip(ours, value):
            if temperature in experiment:
                deviation = sigma / experiment[temperature].value - 1
                axes.annotate(
                    f"{deviation:+.0%}", (temperature, sigma), xytext=(8, -3), textcoords="offset points",
                    color=colour, fontsize=9,
                )  # fmt: skip
        axes.set_title(f"EC:EMC {ratio}")
        axes.set_xlabel("temperature (K)")
        axes.margins(x=0.12)
    panels[0, 0].set_ylabel("conductivity (mS/cm)")
    panels[0, 0].set_ylim(bottom=0.0)
    legend_beside(panels[0, -1])
    caption(
        figure, title, scale=scale, reference=reference,
        note=f"Percentages: deviation from experiment ({source}).",
    )  # fmt: skip
    return figure


@styled
def conductivity_methods(
    result: ConductivityResult, *, reference: str, scale: str | None, exact: float | None = None
) -> Figure:
    """Draw one conductivity by several methods, with standard errors and 95 % intervals.

    Parameters
    ----------
    result
        Result of :func:`electrolyte_ml.analysis.measure_conductivity`.
    reference, scale
        Level of theory of the training labels, and scale.
    exact
        The exact conductivity of a synthetic process, S/m.

    Raises
    ------
    InputError
        No method gave a conductivity.
    """
    if not result.estimates:
        raise InputError(f"no method gave a conductivity: {'; '.join(result.refused.values())}")
    figure, axes = subplots(size=(7.4, 1.6 + 0.45 * len(result.estimates)))
    for row, (method, estimate) in enumerate(result.estimates.items()):
        colour = ORANGE if method == "nernst-einstein" else BLUE
        axes.plot([10 * estimate.low, 10 * estimate.high], [row, row], color=colour, lw=1.4)
        axes.errorbar(10 * estimate.value, row, xerr=10 * estimate.error, fmt="o", color=colour, lw=3.5, ms=7)
    if exact is not None:
        axes.axvline(10 * exact, color=VERMILION, lw=1.4, ls="--", label=f"exact: {10 * exact:.3g} mS/cm")
        legend_beside(axes)
    axes.set_yticks(range(len(result.estimates)), result.estimates)
    axes.set_ylim(len(result.estimates) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(left=0.0)
    axes.set_xlabel("conductivity (mS/cm)")
    apart = " Nernst-Einstein takes ions to move independently." if "nernst-einstein" in result.estimates else ""
    caption(
        figure, f"Conductivity at {result.temperature:g} K by {len(result.estimates)} methods", scale=scale,
        reference=reference, note=f"Thick: standard error. Thin: 95 %.{apart}",
    )  # fmt: skip
    return figure


@styled
def interval_coverage(
    coverage: Mapping[str, Mapping[float, tuple[int, int, int]]], *, reference: str, scale: str | None
) -> Figure:
    """Draw the share of 95 % intervals that contain the exact value, against the length of the runs.

    Parameters
    ----------
    coverage
        Method -> length in correlation times -> numbers of (intervals that contain the value, intervals, runs refused).
    reference, scale
        Name of the process, and scale.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not coverage:
        raise InputError("there is no coverage to draw")
    figure, axes = subplots(size=(8.0, 4.0))
    axes.axhline(95, color=BLACK, lw=1.2, ls="--")
    axes.axhspan(90, 99, color=GREY, alpha=0.15, lw=0)
    for shift, (colour, marker, (method, by_length)) in enumerate(zip(CYCLE, _MARKERS, coverage.items())):
        lengths = sorted(length for length in by_length if by_length[length][1])
        containing = np.array([by_length[length][0] for length in lengths], float)
        intervals = np.array([by_length[length][1] for length in lengths], float)
        share = containing / intervals
        axes.errorbar(
            np.array(lengths) * 1.05 ** (shift - len(coverage) / 2), 100 * share,
            100 * np.sqrt(np.maximum(share * (1 - share), 0.5 / intervals) / intervals), fmt=marker, color=colour,
            ms=7, capsize=3,
            label=f"{method} ({sum(entry[2] for entry in by_length.values())} runs refused)",
        )  # fmt: skip
    axes.set_xscale("log")
    ticks = sorted({length for by_length in coverage.values() for length in by_length})
    axes.set_xticks(ticks, [f"{length:g}" for length in ticks])
    axes.minorticks_off()
    axes.set_xlabel("length of a run (correlation times)")
    axes.set_ylabel("intervals with the exact value (%)")
    legend_beside(axes)
    caption(
        figure, "Coverage of the 95 % intervals", scale=scale, reference=reference,
        note="Band: 90 to 99 of 100. Bars: counting error.",
    )  # fmt: skip
    return figure
