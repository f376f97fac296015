"""Figures of solvation: radial distributions, coordination numbers, ion pairs, denticity, residence and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import Estimate, Networks, RadialDistribution, Solvation
    from electrolyte_ml.analysis.contacts import Cutoff

_ERRORS = "Bars: 95 % intervals from blocks and trajectories; grey lines: cutoffs 0.2 Å shorter to longer."
PAIRING = {"SSIP": BLUE, "CIP": ORANGE, "AGG": VERMILION}
_SIDES = {"isolated": ORANGE, "network": BLUE}


@styled
def radial_distribution(
    distributions: Mapping[str, RadialDistribution],
    *,
    reference: str,
    scale: str | None,
    r_max: float = 6.0,
    measured: tuple[float, float] | None = None,
    cutoffs: Mapping[str, Cutoff] | None = None,
) -> Figure:
    """Draw radial distribution functions, running coordination numbers, and the limits of the first shells.

    Each function has a column of its own: a high peak hides no other function.

    Parameters
    ----------
    distributions
        Name -> radial distribution function g(r).
    reference, scale
        Level of theory of the trajectory, and scale.
    r_max
        Upper limit of the axis, Å.
    measured
        Lowest and highest measured position of the first maximum, Å.
    cutoffs
        Species -> cutoff in use (:func:`electrolyte_ml.analysis.find_shells`), drawn in the column of the cation and
        this species: it need not be the minimum of this column's function.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not distributions:
        raise InputError("there is no radial distribution function to draw")
    n = len(distributions)
    figure, panels = subplots(2, n, size=(7.4 if n == 1 else 1.2 + 2.5 * n, 5.6), sharex=True, squeeze=False)
    used = {name: cutoff.value for name, cutoff in (cutoffs or {}).items()}
    for (above, below), colour, (name, d) in zip(panels.T, CYCLE * n, distributions.items()):
        near = d.r <= r_max
        for axes, values, errors in ((above, d.g, d.g_error), (below, d.coordination, d.coordination_error)):
            axes.plot(d.r[near], values[near], color=colour, lw=1.4)
            low, high = values - errors, values + errors
            axes.fill_between(d.r[near], low[near], high[near], color=colour, alpha=0.25, lw=0)
        shell = d.shell if d.shell is not None and d.shell.minimum <= r_max else None
        cutoff = used.get(name.partition("-")[2])
        if shell is not None:
            below.plot(shell.minimum, shell.coordination, "o", color=colour, ms=5)
        for axes in (above, below):
            if shell is not None:
                axes.axvline(shell.minimum, color=colour, lw=1.2, ls=":")
            if cutoff is not None:
                axes.axvline(cutoff, color=BLACK, lw=1, ls="--")
        if measured is not None:
            above.axvspan(*measured, color=GREY, alpha=0.3, lw=0, label="first maximum, experiment")
        above.set_title(name, loc="left")
        above.set_ylim(bottom=0)
        below.set_xlabel("r (Å)")
        below.set_ylim(0, 1.05 * max(float(np.interp(r_max, d.r, d.coordination)), 1e-3))
    panels[0, 0].set_ylabel("g(r)")
    panels[1, 0].set_ylabel("coordination number n(r)")
    panels[1, 0].set_xlim(0.5 if r_max > 1 else 0, r_max)
    if measured is not None:
        legend_beside(panels[0, -1])
    dashed = " Dashed: the cutoff that is used." if used else ""
    scales = " Every panel has its own vertical axis." if n > 1 else ""
    caption(
        figure, "Radial distribution", scale=scale, reference=reference,
        note=f"Dotted: first minimum of the curve.{dashed} Bands: one standard error.{scales}",
    )  # fmt: skip
    return figure


@styled
def solvation_overview(result: Solvation, networks: Networks, *, reference: str, scale: str | None) -> Figure:
    """Draw ligands, coordination numbers, ion pairs and networks on one page.

    Parameters
    ----------
    result, networks
        Results of `analyse_solvation` and `analyse_networks`.
    reference, scale
        Level of theory of the trajectory, and scale.
    """
    figure, panels = subplots(2, 2, size=(11.0, 7.2))
    species = list(result.ligands)
    for k, (colour, numbers, label) in enumerate(
        ((BLUE, result.coordination, "donor atoms"), (ORANGE, result.ligands, "molecules"))
    ):
        draw_bars(panels[0, 0], np.arange(len(species)), [numbers[name] for name in species], k, 2, colour, label)
    panels[0, 0].set_xticks(range(len(species)), species)
    panels[0, 0].set_ylim(bottom=0.0)
    panels[0, 0].set_ylabel(f"in the shell of {result.cation}")
    _legend_above(panels[0, 0])
    _draw_numbers(panels[0, 1], result)
    _legend_above(panels[0, 1])
    _draw_pairs(panels[1, 0], {"": result})
    _draw_sizes(panels[1, 1], {"": networks})
    caption(figure, f"Solvation of {result.cation}", scale=scale, reference=reference, note=_ERRORS)
    return figure


@styled
def coordination_numbers(result: Solvation, *, reference: str, scale: str | None) -> Figure:
    """Draw the distribution of coordination numbers of all cations, and of each kind of ion pair.

    Parameters
    ----------
    result
        Result of `analyse_solvation`.
    reference, scale
        Level of theory of the trajectory, and scale.
    """
    figure, axes = subplots(size=(7.6, 4.2))
    _draw_numbers(axes, result)
    legend_beside(axes)
    caption(figure, "Coordination numbers", scale=scale, reference=reference, note=_ERRORS)
    return figure


@styled
def ion_pairs(results: Mapping[str, Solvation], *, reference: str, scale: str | None) -> Figure:
    """Draw the percentages of cations that are solvent-separated, in contact pairs and in aggregates.

    Parameters
    ----------
    results
        Name of a system or a model -> its result.
    reference, scale
        Level of theory of the trajectories, and scale.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not results:
        raise InputError("there is no result to draw")
    figure, axes = subplots(size=(6.6, 4.0))
    _draw_pairs(axes, results)
    if len(results) > 1:
        legend_beside(axes)
    caption(figure, "Ion pairs", scale=scale, reference=reference, note=_ERRORS)
    return figure


@styled
def denticity(result: Solvation, *, reference: str, scale: str | None) -> Figure:
    """Draw the shares of donors with which ligands of each species coordinate.

    Parameters
    ----------
    result
        Result of `analyse_solvation`.
    reference, scale
        Level of theory of the trajectory, and scale.
    """
    rows = [
        (f"{name}: {_short(donors)}", estimate, 100.0, colour)
        for colour, (name, by) in zip(CYCLE * len(result.donors), result.donors.items())
        for donors, estimate in by.items()
        if estimate.value > 0
    ]
    figure, axes = subplots(size=(7.2, 1.6 + 0.32 * max(len(rows), 3)))
    _draw_shares(axes, rows, "ligands of the species (%)")
    caption(figure, "Donors of a ligand", scale=scale, reference=reference, note=_ERRORS)
    return figure


@styled
def residence(result: Solvation, *, reference: str, scale: str | None) -> Figure:
    """Draw the decay of the shells: fraction of bonds never broken, and of bonds that may break and form again.

    Parameters
    ----------
    result
        Result of `analyse_solvation` on a trajectory with known times.
    reference, scale
        Level of theory of the trajectory, and scale.

    Raises
    ------
    InputError
        The times are unknown, or nothing coordinates.
    """
    shown = {name: stay for name, stay in result.residence.items() if np.isfinite(stay.survival).any()}
    if not shown:
        raise InputError("there are no residence times to draw: the time between frames is not known")
    figure, panels = subplots(1, 2, size=(9.0, 3.8), sharey=True)
    for axes, title, which, curve in zip(
        panels, ("unbroken", "may break and form again"), ("continuous", "intermittent"), ("survival", "correlation")
    ):
        for colour, (name, stay) in zip(CYCLE * len(shown), shown.items()):
            time = getattr(stay, which)
            error = f" ± {time.error:.2g}" if np.isfinite(time.error) else ""
            later = ", extrapolated" if stay.is_extrapolated(which) else ""
            axes.plot(
                stay.times_ps, getattr(stay, curve), color=colour, lw=1.5, marker="o", ms=2.5,
                label=f"{name}: {time.value:.3g}{error} ps{later}",
            )  # fmt: skip
        if which == "intermittent":
            axes.axhline(np.exp(-1), color=GREY, lw=1, ls="--")
        axes.set_title(title)
        axes.set_xlabel("time (ps)")
        axes.set_ylim(-0.05, 1.02)
        axes.legend(loc="lower left")
    panels[0].set_ylabel("fraction of bonds")
    note = (
        "Times on the left: from the share of bonds that break between two frames; on the right: where the curve is "
        "1/e (dashed), divided by 1 - b. Extrapolated: longer than the longest time that was seen."
    )
    caption(figure, f"Residence in the shell of {result.cation}", scale=scale, reference=reference, note=note)
    return figure


@styled
def network_sizes(results: Mapping[str, Networks], *, reference: str, scale: str | None) -> Figure:
    """Draw the percentages of solvent-separated cations in networks of each size, and the molecules that bridge them.

    Parameters
    ----------
    results
        Name of a system or a model -> its networks.
    reference, scale
        Level of theory of the trajectories, and scale.

    Raises
    ------
    InputError
        There is nothing to draw.
    """
    if not results:
        raise InputError("there is no result to draw")
    figure, (left, right) = subplots(1, 2, size=(10.4, 4.0), width_ratios=(3, 2))
    _draw_sizes(left, results)
    if len(results) > 1:
        _legend_above(left)
    rows = [
        (f"{species}: {_short(donors)}", share, 100.0 * result.bridges[species].value, colour)
        for colour, result in zip(CYCLE * len(results), results.values())
        for species, by in result.bridge_donors.items()
        for donors, share in by.items()
        if share.value > 0
    ]
    _draw_shares(right, rows, "bridging molecules (%)")
    if not rows:
        right.text(50, 0, "no molecule bridges", ha="center", va="center", color=GREY)
    caption(figure, "Networks of shared solvent", scale=scale, reference=reference, note=_ERRORS)
    return figure


@styled
def network_shells(result: Networks, *, reference: str, scale: str | None) -> Figure:
    """Draw coordination numbers and ligands of cations in networks beside those of isolated ones.

    Parameters
    ----------
    result
        Result of `analyse_networks`.
    reference, scale
        Level of theory of the trajectory, and scale.
    """
    figure, (left, right) = subplots(1, 2, size=(9.6, 3.9))
    numbers = sorted({n for by in result.coordination_distribution.values() for n, e in by.items() if e.value > 0})
    numbers = list(range(min(numbers, default=0), max(numbers, default=0) + 1))
    species = list(result.ligands["isolated"])
    for k, (side, colour) in enumerate(_SIDES.items()):
        label = "isolated" if side == "isolated" else "in a network"
        by = result.coordination_distribution[side]
        draw_bars(left, np.array(numbers), [by.get(n) for n in numbers], k, 2, colour, label, percent=True)
        draw_bars(right, np.arange(len(species)), [result.ligands[side][s] for s in species], k, 2, colour, label)
    left.set_xticks(numbers)
    left.set_xlabel("donor atoms in the shell")
    left.set_ylabel("such cations (%)")
    right.set_xticks(range(len(species)), species)
    right.set_ylabel("ligands per cation")
    _legend_above(left)
    caption(figure, "Shells in networks and alone", scale=scale, reference=reference, note=_ERRORS)
    return figure


def _draw_numbers(axes: Axes, result: Solvation) -> None:
    """Draw the coordination numbers of all cations and of each kind of pair."""
    groups = {"all": BLACK} | PAIRING
    labels = {
        name: name if name == "all" else f"{name} ({100 * result.ion_pairs[name].value:.1f} %)" for name in groups
    }
    shown = {
        name: by
        for name, by in result.coordination_distribution.items()
        if any(np.isfinite(e.value) for e in by.values())
    }
    numbers = [n for n in result.coordination_distribution["all"] if any(by[n].value > 0 for by in shown.values())]
    numbers = list(range(min(numbers), max(numbers) + 1))
    for k, (name, by) in enumerate(shown.items()):
        draw_bars(axes, np.array(numbers), [by[n] for n in numbers], k, len(shown), groups[name], labels[name])
    axes.set_xticks(numbers)
    axes.set_xlabel(f"donor atoms in the shell of {result.cation}")
    axes.set_ylabel(f"fraction of these {result.cation}")


def _draw_pairs(axes: Axes, results: Mapping[str, Solvation]) -> None:
    """Draw the percentages of SSIP, CIP and AGG."""
    kinds = list(PAIRING)
    for k, (colour, (name, result)) in enumerate(zip(CYCLE * len(results), results.items())):
        estimates = [result.ion_pairs[kind] for kind in kinds]
        draw_bars(axes, np.arange(3), estimates, k, len(results), colour, name, percent=True)
    axes.set_xticks(range(3), ["SSIP\nno anion in the shell", "CIP\none pair", "AGG\nlarger clusters"])
    axes.set_ylabel("cations (%)")
    axes.grid(axis="x", visible=False)


def _draw_sizes(axes: Axes, results: Mapping[str, Networks]) -> None:
    """Draw the percentages of solvent-separated cations in networks of each size."""
    sizes = np.arange(1, max(max(result.sizes) for result in results.values()) + 1)
    for k, (colour, (name, result)) in enumerate(zip(CYCLE * len(results), results.items())):
        known = [result.sizes.get(int(size)) for size in sizes]
        draw_bars(axes, sizes, known, k, len(results), colour, name, percent=True)
    axes.set_xticks(sizes)
    axes.set_xlabel("size of the network (cations; 1: isolated)")
    axes.set_ylabel("solvent-separated cations (%)")
    axes.grid(axis="x", visible=False)


def _draw_shares(axes: Axes, rows: Sequence[tuple[str, Estimate, float, str]], label: str) -> None:
    """Draw a horizontal bar for each row of label, share, size of the whole (%), and colour."""
    for y, (_, share, whole, colour) in enumerate(rows):
        axes.barh(y, whole * share.value, color=colour, height=0.7)
        for shift, ends, ink, wide in ((0.0, share.interval, BLACK, 1.2), (0.22, share.band, GREY, 2.0)):
            if np.isfinite(ends).all():  # an interval may be unknown
                axes.hlines(y + shift, *(whole * v for v in ends), color=ink, lw=wide)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, 100)
    axes.set_xlabel(label)


def draw_bars(
    axes: Axes,
    x: np.ndarray,
    estimates: Sequence[Estimate | None],
    k: int,
    n: int,
    colour: str,
    label: str,
    *,
    percent: bool = False,
) -> None:
    """Draw the bars of group k of n, each with its interval and its band over the cutoffs."""
    width = 0.8 / n
    factor = 100.0 if percent else 1.0
    for index, (place, e) in enumerate(zip(x + (k - (n - 1) / 2) * width, estimates)):
        value = float("nan") if e is None else e.value
        height = factor * value if np.isfinite(value) else 0.0
        options: dict[str, Any] = {"label": label} if index == 0 else {}
        axes.bar(place, height, width=0.92 * width, color=colour, alpha=0.85, **options)
        if e is not None and np.isfinite(value):
            for shift, ends, ink, wide in ((-0.12, e.interval, BLACK, 1.2), (0.18, e.band, GREY, 2.0)):
                if np.isfinite(ends).all():
                    axes.vlines(place + shift * width, *(factor * v for v in ends), color=ink, lw=wide)


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, columnspacing=1.2, handlelength=1.2)


def _short(donors: str) -> str:
    """Return donors with counts, such as "2 fluoride" for "fluoride+fluoride"."""
    kinds = donors.split("+")
    counts = {kind: kinds.count(kind) for kind in kinds}
    return " + ".join(kind if count == 1 else f"{count} {kind}" for kind, count in counts.items())
