"""Figures of charges: Ewald sums, charge redistribution by composition, random starts, fitted charges, dipoles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
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
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from electrolyte_ml.potentials.charges import Identifiability, Share

_NONE = "none (formulas alone)"
STARTED, FITTED = 3.0, 4.0  # limits of the axes for charges of starts and of fits, e
_FORMS = {"raw": VERMILION, "ours": BLUE}


@styled
def ewald_convergence(
    parts: Mapping[str, tuple[np.ndarray, np.ndarray]],
    constant: Mapping[str, tuple[np.ndarray, np.ndarray]],
    forces: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    accuracy: float,
) -> Figure:
    """Draw the parts of an Ewald sum against its splitting, and its convergence with waves and with mesh points.

    Parameters
    ----------
    parts
        Name of a part -> alpha (1/Å) and energy of the part (eV).
    constant
        Name of a splitting -> number of waves and error of the Madelung constant.
    forces
        Name of an order of splines -> spacing of the mesh (Å) and rms error of the forces (eV/Å).
    accuracy
        Default target error of the forces (eV/Å), drawn as a line.
    """
    figure, (left, middle, right) = subplots(1, 3, size=(12.0, 4.0))
    for colour, (name, (alpha, energy)) in zip((BLUE, ORANGE, GREY, BLACK), parts.items()):
        left.plot(alpha, energy, color=colour, lw=1.6, label=name)
    left.set_xlabel("splitting α (1/Å)")
    left.set_ylabel("energy of a pair of ions (eV)")
    for colour, (name, (waves, error)) in zip(CYCLE, constant.items()):
        middle.loglog(waves, np.maximum(np.abs(error), 1e-16), "o-", color=colour, ms=3, lw=1.2, label=name)
    middle.set_xlabel("waves")
    middle.set_ylabel("error of NaCl's Madelung constant")
    for colour, (name, (spacing, error)) in zip(CYCLE, forces.items()):
        right.loglog(spacing, error, "o-", color=colour, ms=4, lw=1.2, label=name)
    right.axhline(accuracy, color=GREY, lw=1, ls="--")
    right.annotate("wanted by default", (1.0, accuracy), xycoords=right.get_yaxis_transform(), xytext=(-2, -3),
                   textcoords="offset points", ha="right", va="top", color=GREY, fontsize=9)  # fmt: skip
    _plain_ticks(right, [spacing for spacing, _ in forces.values()])
    right.set_xlabel("spacing of the mesh (Å)")
    right.set_ylabel("rms error of forces (eV/Å)")
    for axes in (left, middle, right):
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, columnspacing=1.0, handlelength=1.4)
    caption(figure, "Ewald's sum and its mesh", reference=_NONE)
    return figure


@styled
def gauge_comparison(
    parameters: Mapping[str, np.ndarray],
    charges: Mapping[str, Mapping[str, float]],
    species: Sequence[str],
    *,
    note: str = "",
) -> Figure:
    """Draw the parameters b and s of two models beside their charges.

    Parameters
    ----------
    parameters
        Name of a model -> b and s (2 S,).
    charges
        Name of a model -> species -> charge (e).
    species
        Chemical symbols, in the order of the parameters.
    note
        Last line of the caption.
    """
    figure, (left, right) = subplots(1, 2, size=(9.4, 3.9), width_ratios=(1.6, 1.0))
    labels = [f"$b_\\mathrm{{{z}}}$" for z in species] + [f"$s_\\mathrm{{{z}}}$" for z in species]
    for k, (colour, (name, values)) in enumerate(zip((SKY, BLUE), parameters.items())):
        left.bar(np.arange(len(values)) + 0.4 * k - 0.2, values, 0.4, color=colour, label=name)
        right.bar(np.arange(len(charges[name])) + 0.4 * k - 0.2, list(charges[name].values()), 0.4, color=colour)
    left.set_xticks(range(len(labels)), labels)
    left.set_ylabel("b (e) and s")
    left.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    right.set_xticks(range(len(species)), list(species))
    right.set_ylabel("charge (e)")
    for axes in (left, right):
        axes.axhline(0, color=BLACK, lw=0.8)
        axes.grid(axis="x", visible=False)
    caption(figure, "Parameters and charges", reference=_NONE, note=note)
    return figure


@styled
def charges_by_composition(
    fraction: np.ndarray,
    models: Mapping[str, np.ndarray],
    species: Sequence[str],
    poles: Mapping[str, Sequence[float]],
    *,
    trained: float,
    salt: float = 1.0,
    chosen: float | None = None,
) -> Figure:
    """Draw the charge of each species against the share of EC in the solvent.

    Parameters
    ----------
    fraction : (n,)
        EC / (EC + EMC) by amount of substance.
    models
        Name of a model -> charges (n, S) in e, NaN for a missing species.
    species
        Chemical symbols.
    poles
        Name of a model -> fractions at which its charges are infinite.
    trained
        Fraction of the training set.
    salt
        Number of LiPF6 for ten molecules of solvent.
    chosen
        Another fraction to mark, such as that of a slider.
    """
    figure, panels = subplots(1, len(models), size=(4.0 + 3.2 * len(models), 4.0), sharey=True, squeeze=False)
    for axes, (name, charges) in zip(panels[0], models.items()):
        axes.axvline(trained, color=GREY, lw=6, alpha=0.3)
        for pole in poles.get(name, ()):
            axes.axvline(pole, color=BLACK, lw=1.2, ls="--")
            axes.text(pole, 0.97 * STARTED, " pole", va="top", fontsize=9)
        lines = np.array(charges, float)
        lines[np.searchsorted(fraction, poles.get(name, ()))] = np.nan  # no line across a pole
        for colour, symbol, column in zip(CYCLE, species, lines.T):
            axes.plot(fraction, column, color=colour, lw=1.6, label=symbol)
        if chosen is not None:
            axes.axvline(chosen, color=ORANGE, lw=1.4)
        axes.axhline(0, color=BLACK, lw=0.8)
        axes.set_title(name, loc="left")
        axes.set_xlabel("EC / (EC + EMC)")
        axes.set_xlim(fraction[0], fraction[-1])
        axes.set_ylim(-STARTED, STARTED)
    panels[0, 0].set_ylabel("charge (e)")
    legend_beside(panels[0, -1])
    caption(
        figure, "Charges of a start, by composition", reference=_NONE,
        note=f"{salt:g} LiPF6 to ten molecules of solvent. Grey band: EC in the training set."
        + (f" Orange: {chosen:.2f}." if chosen is not None else ""),
    )  # fmt: skip
    return figure


@styled
def identified_directions(steps: Mapping[str, Identifiability], *, note: str = "") -> Figure:
    """Draw the number of charge-parameter directions that a set determines, as compositions are added to it.

    Parameters
    ----------
    steps
        Name of an added composition -> directions that the set then determines.
    note
        Last line of the caption.

    Raises
    ------
    InputError
        There is no set.
    """
    if not steps:
        raise InputError("there is no set to draw")
    figure, axes = subplots(size=(7.6, 1.6 + 0.45 * len(steps)))
    for row, step in enumerate(steps.values()):
        axes.barh(row, step.directions, 0.6, color="#E6E6E6")
        axes.barh(row, step.rank, 0.6, color=BLUE)
        axes.text(step.directions + 0.1, row, f"{step.rank} of {step.directions}", va="center", fontsize=9)
    axes.set_yticks(range(len(steps)), list(steps))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(step.directions for step in steps.values()))
    axes.set_xlabel("directions of b and s that change a charge")
    axes.grid(axis="y", visible=False)
    caption(figure, "What a set fixes", reference=_NONE, note=f"Blue: fixed. Grey: free. {note}".strip())
    return figure


@styled
def failing_shares(
    shares: Mapping[str, Mapping[str, Mapping[str, Share]]],
    *,
    scale: str,
    title: str,
    note: str,
) -> Figure:
    """Draw the shares of models whose charges fail at planned compositions, on a logarithmic axis.

    Parameters
    ----------
    shares
        Panel -> group ("raw" and "ours") -> composition -> share with its interval.
    scale, title, note
        Scale, title and note of the caption.
    """
    planned = list(next(iter(next(iter(shares.values())).values())))
    figure, panels = subplots(1, len(shares), size=(3.6 + 3.2 * len(shares), 4.2), sharey=True, squeeze=False)
    smallest = min(share.high for panel in shares.values() for group in panel.values() for share in group.values())
    left = 10.0 ** np.floor(np.log10(100 * smallest))
    for axes, (name, groups) in zip(panels[0], shares.items()):
        axes.set_xscale("log")
        for k, (group, by_plan) in enumerate(groups.items()):
            colour = _FORMS.get(group, GREY)
            for row, share in enumerate(by_plan.values()):
                y = row + (0.2 if k else -0.2)
                value, low, high = (100 * part for part in share)
                axes.barh(y, max(value, left) - left, 0.38, left=left, color=colour, label=None if row else group)
                if share.value > 0:
                    axes.plot([max(low, left), high], [y, y], color=BLACK, lw=1.2)
                else:  # no model failed: only the upper end of the interval is known
                    axes.plot([left, high], [y, y], color=colour, lw=1.2, ls=":")
                    axes.plot(high, y, "<", color=colour, ms=5)
        axes.set_title(name, loc="left")
        axes.set_xlabel("models that fail (%)")
        axes.set_xlim(left, 100)
        axes.grid(axis="y", visible=False)
    panels[0, 0].set_yticks(range(len(planned)), planned)
    panels[0, 0].invert_yaxis()
    panels[0, -1].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    text = f"{note} Lines: 95 % intervals; a triangle is the end of an interval where none of the models failed."
    caption(figure, title, scale=scale, reference=_NONE, note=text)
    return figure


@styled
def fitted_charges(
    compositions: Mapping[str, Mapping[str, np.ndarray]],
    species: Sequence[str],
    *,
    reference: str,
    scale: str,
) -> Figure:
    """Draw the charges of fits from random starts, fit by fit, with mean and spread (Fig. S6).

    Parameters
    ----------
    compositions
        Composition -> group ("raw" and "ours") -> charges (n_fits, S) in e.
    species
        Chemical symbols.
    reference, scale
        Level of theory of the labels, and scale.
    """
    figure, panels = subplots(
        1, len(compositions), size=(1.8 + 3.6 * len(compositions), 4.2), sharey=True, squeeze=False
    )
    largest = max(float(np.abs(charges).max()) for groups in compositions.values() for charges in groups.values())
    end = min(1.2 * largest, FITTED)
    for axes, (name, groups) in zip(panels[0], compositions.items()):
        for k, (group, charges) in enumerate(groups.items()):
            colour = _FORMS.get(group, GREY)
            x = np.arange(len(species)) + (0.18 if k else -0.18)
            for place, values in zip(x, charges.T):
                _dots(axes, np.full(len(values), place), values, end, colour)
            spread = charges.std(axis=0, ddof=1) if len(charges) > 1 else None
            axes.errorbar(x, charges.mean(axis=0), spread, fmt="_", color=colour, ms=12, capsize=3, label=group)
        axes.set_ylim(-end, end)
        axes.axhline(0, color=BLACK, lw=0.8)
        axes.set_title(name, loc="left")
        axes.set_xticks(range(len(species)), list(species))
        axes.grid(axis="x", visible=False)
    panels[0, 0].set_ylabel("charge (e)")
    legend_beside(panels[0, -1])
    number = len(next(iter(next(iter(compositions.values())).values())))
    caption(
        figure, "Charges that fits end in", scale=scale, reference=reference,
        note=f"{number} fits each: dots; triangles: beyond the axis. Bars: mean and standard deviation.",
    )  # fmt: skip
    return figure


@styled
def dipoles(
    expected: Mapping[str, float], models: Mapping[str, Mapping[str, np.ndarray]], *, reference: str, scale: str
) -> Figure:
    """Draw dipole moments of molecules by the reference, and by the charges of fits.

    Parameters
    ----------
    expected
        Molecule -> dipole moment by the reference, e Å.
    models
        Group ("raw" and "ours") -> molecule -> dipole moments (n_fits,) by the charges, along the reference's.
    reference, scale
        Level of theory, and scale.
    """
    figure, axes = subplots(size=(7.4, 4.2))
    x = np.arange(len(expected))
    limit = 4.0 * max(abs(value) for value in expected.values())
    axes.bar(x - 0.3, list(expected.values()), 0.26, color=GREY, label=reference)
    for k, (group, values) in enumerate(models.items()):
        colour, place = _FORMS.get(group, GREY), x + 0.3 * k
        medians = [np.median(values[name]) for name in expected]
        axes.bar(place, medians, 0.26, color=colour, alpha=0.35, label=f"{group}, median of the fits")
        for centre, name in zip(place, expected):
            offsets = np.linspace(-0.08, 0.08, len(values[name]))
            _dots(axes, centre + offsets, values[name], limit, colour)
    axes.set_ylim(-limit, limit)
    axes.axhline(0, color=BLACK, lw=0.8)
    axes.set_xticks(x, list(expected))
    axes.set_ylabel("dipole moment (e Å)")
    axes.grid(axis="x", visible=False)
    legend_beside(axes)
    caption(
        figure, "Dipole moments", scale=scale, reference=reference,
        note="Dots: each fit; triangles: beyond the axis. The component along the reference's dipole, about the centre "
        "of mass.",
    )  # fmt: skip
    return figure


@styled
def errors_by_level(rows: Sequence[Mapping[str, Any]], *, reference: str, note: str = "") -> Figure:
    """Draw errors without and with charges against the level, a column for each set and part.

    Parameters
    ----------
    rows
        Summary of `benchmarks/charges.py`: each row has `data`, `part`, `level` and, for "MTP" and "MTP-QRd", the mean
        and the standard deviation over seeds of `energy_rmse` (meV/atom), `force_rmse` (eV/Å) and `stress_rmse` (GPa).
        Training errors are not drawn.
    reference, note
        For the caption.
    """
    drawn = {
        "energy_rmse": "energy RMSE (meV/atom)",
        "force_rmse": "force RMSE (eV/Å)",
        "stress_rmse": "stress RMSE (GPa)",
    }
    columns = list(dict.fromkeys((row["data"], row["part"]) for row in rows if row["part"] != "train"))
    figure, panels = subplots(
        len(drawn), len(columns), size=(2.6 + 2.3 * len(columns), 7.5), sharex=True, squeeze=False
    )
    for (i, (key, label)), (k, column) in product(enumerate(drawn.items()), enumerate(columns)):
        axes = panels[i, k]
        shown = [row for row in rows if (row["data"], row["part"]) == column]
        for model, colour, marker, shift in (("MTP", BLUE, "o", -0.2), ("MTP-QRd", VERMILION, "s", 0.2)):
            points = [
                (row["level"] + shift, row[model][key]["mean"], row[model][key]["std"] or 0.0)
                for row in shown
                if row[model]
            ]
            if points:
                x, y, error = np.array(points).T
                axes.errorbar(x, y, error, fmt=f"{marker}-", color=colour, ms=5, capsize=3, label=model)
        axes.set_ylim(bottom=0)
        axes.set_xticks(sorted({row["level"] for row in rows}))
        if i == 0:
            axes.set_title("\n".join(column), fontsize=9)
        if i == len(drawn) - 1:
            axes.set_xlabel("level")
        if k == 0:
            axes.set_ylabel(label)
    panels[0, 0].legend()
    caption(
        figure, "Errors without and with charge redistribution", reference=reference,
        note=f"Bars: standard deviation over the seeds. {note}".strip(),
    )  # fmt: skip
    return figure


def _dots(axes: Axes, x: np.ndarray, values: np.ndarray, limit: float, colour: str) -> None:
    """Draw values as dots; values beyond the limit of the axis are labelled triangles at its end."""
    for place, value in zip(x, values):
        if abs(value) <= limit:
            axes.plot(place, value, "o", color=colour, ms=4, alpha=0.7, lw=0)
            continue
        end = np.sign(value) * 0.95 * limit
        axes.plot(place, end, "^" if value > 0 else "v", color=colour, ms=5)
        axes.annotate(
            f"{value:.3g}", (place, end), xytext=(5, -3), textcoords="offset points", fontsize=8, color=colour
        )


def _plain_ticks(axes: Axes, values: Sequence[np.ndarray]) -> None:
    """Label the ticks of a short logarithmic axis with plain numbers."""
    from matplotlib.ticker import NullFormatter

    ticks = np.unique(np.round(np.concatenate(values), 1))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
