"""Figures of a potential's errors: parity by element, errors by species and site, grades against errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    plain_logarithmic,
    styled,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import GroupedErrors
    from electrolyte_ml.training import Predictions

_MOST_POINTS = 6000  # largest number of points of a panel; of more, a random sample is drawn


@styled
def parity_by_element(
    predictions: Predictions, elements: np.ndarray, compositions: Sequence[str], *, reference: str, scale: str
) -> Figure:
    """Draw predicted against reference energies, and force components in a panel for each element.

    Parameters
    ----------
    predictions
        Predictions for a set of configurations.
    elements
        (n,) chemical symbols of all atoms, in the order of the forces.
    compositions
        (K,) composition of each configuration, such as "C3H4O3"; energies are drawn above the lowest of a composition.
    reference, scale
        Level of theory of the labels, and name of the data.

    Raises
    ------
    InputError
        The numbers of elements and forces, or of compositions and energies, differ.
    """
    if len(elements) != len(predictions.forces) or len(compositions) != len(predictions.energies):
        raise InputError(
            f"{len(elements)} elements and {len(compositions)} compositions for {len(predictions.forces)} atoms in "
            f"{len(predictions.energies)} configurations"
        )
    names = np.unique(elements).tolist()
    columns = min(4, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)
    figure, grid = subplots(rows, columns, size=(2.0 + 2.5 * columns, 0.9 + 2.7 * rows), squeeze=False)
    panels = list(grid.ravel())
    for axes in panels[len(names) + 1 :]:
        axes.axis("off")
    _, kind = np.unique(np.asarray(compositions), return_inverse=True)
    lowest = np.full(kind.max() + 1, np.inf)
    np.minimum.at(lowest, kind, predictions.reference_energies)
    energies = [1000 * (values - lowest[kind]) for values in (predictions.reference_energies, predictions.energies)]
    _parity(panels[0], *energies, colour=GREY, title="energy", unit="meV/atom")
    for axes, colour, name in zip(panels[1:], CYCLE * len(names), names):
        chosen = elements == name
        forces = [values[chosen].ravel() for values in (predictions.reference_forces, predictions.forces)]
        _parity(axes, *forces, colour=colour, title=f"forces on {name}", unit="eV/Å")
    for axes in grid[:, 0]:
        axes.set_ylabel(f"by the potential ({'meV/atom' if axes is panels[0] else 'eV/Å'})")
    for axes in panels[: len(names) + 1]:
        axes.set_xlabel(f"by the reference ({'meV/atom' if axes is panels[0] else 'eV/Å'})")
    caption(
        figure, "The potential against its reference", scale=scale, reference=reference,
        note="Energies above the reference's lowest of the same composition; components of forces.",
    )  # fmt: skip
    return figure


def _parity(axes: Axes, true: np.ndarray, predicted: np.ndarray, *, colour: str, title: str, unit: str) -> None:
    error = float(np.sqrt(np.mean((predicted - true) ** 2)))
    if len(true) > _MOST_POINTS:
        chosen = np.random.default_rng(0).choice(len(true), _MOST_POINTS, replace=False)
        true, predicted = true[chosen], predicted[chosen]
    axes.scatter(true, predicted, s=5, color=colour, alpha=0.35, lw=0, rasterized=True)
    axes.axline((true[0], true[0]), slope=1, color=BLACK, lw=0.8)
    lowest, highest = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    margin = 0.05 * (highest - lowest) or 1.0
    axes.set(xlim=(lowest - margin, highest + margin), ylim=(lowest - margin, highest + margin))
    axes.set_title(f"{title}\nRMSE {error:.3g} {unit}", loc="left", fontsize=10)


@styled
def site_errors(errors: GroupedErrors, *, reference: str, scale: str) -> Figure:
    """Draw the force errors of elements, molecules and sites, absolute and relative to the forces.

    Parameters
    ----------
    errors
        Errors by group.
    reference, scale
        Level of theory of the labels, and name of the data.
    """
    rows = [(f"all {row.name}", row, GREY) for row in errors.elements]
    colours = dict(zip([row.name for row in errors.species], CYCLE * len(errors.species)))
    for molecule in errors.species:
        rows.append((molecule.name, molecule, colours[molecule.name]))
        sites = [row for row in errors.sites if row.species == molecule.name]
        if len(sites) > 1:
            rows += [(f"{row.name}   ", row, colours[molecule.name]) for row in sites]
    figure, (absolute, relative) = subplots(1, 2, size=(9.0, 1.7 + 0.23 * len(rows)), sharey=True, width_ratios=(3, 2))
    for y, (_, row, colour) in enumerate(rows):
        whole = row.species == ""
        style = {"color": colour, "alpha": 1.0 if whole else 0.55, "height": 0.75}
        spread = row.spread if row.spread == row.spread else None
        absolute.barh(y, row.rmse, xerr=spread, error_kw={"lw": 1.2, "capsize": 2}, **style)
        relative.barh(y, 100 * row.rmse / row.size if row.size > 0 else np.nan, **style)
        absolute.annotate(f"{row.rmse:.3f}", (row.rmse + (spread or 0.0), y), xytext=(4, 0), va="center",
                          textcoords="offset points", fontsize=8)  # fmt: skip
    absolute.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=9)
    absolute.invert_yaxis()
    absolute.set_xlim(0, 1.15 * max(row.rmse for _, row, _ in rows))
    absolute.set_xlabel("RMSE of force components (eV/Å)")
    relative.set_xlabel("RMSE / rms force of the reference (%)")
    for axes in (absolute, relative):
        axes.grid(axis="y", visible=False)
    bars = f" Lines: standard deviation over {errors.potentials} potentials." if errors.potentials > 1 else ""
    left_out = sum(errors.unrecognised.values())
    note = f"{left_out} broken, fused or unknown molecules left out of species and sites." if left_out else ""
    caption(
        figure, "Force errors by element, molecule and site", scale=scale, reference=reference,
        note=f"Grey: elements, all molecules. Full: molecules; pale: their sites.{bars} {note}".strip(),
    )  # fmt: skip
    return figure


@styled
def grade_errors(
    grades: np.ndarray,
    errors: np.ndarray,
    *,
    of: str,
    reference: str,
    scale: str,
    grade_save: float = 2.0,
    grade_break: float = 10.0,
) -> Figure:
    """Draw true force errors against extrapolation grades.

    Parameters
    ----------
    grades, errors
        (n,) grade, and rms of the force error's components, eV/Å, of each atom or configuration.
    of
        Graded object: "atom" or "configuration".
    reference, scale
        Level of theory of the labels, and name of the data.
    grade_save, grade_break
        Grades above which a trajectory saves configurations and stops.

    Raises
    ------
    InputError
        The numbers of grades and errors differ, or are zero.
    """
    if len(grades) != len(errors) or not len(grades):
        raise InputError(f"{len(grades)} grades for {len(errors)} errors")
    from scipy.stats import spearmanr

    figure, axes = subplots(size=(7.0, 4.6))
    order = np.random.default_rng(0).permutation(len(grades))[:_MOST_POINTS]
    axes.scatter(
        grades[order],
        errors[order],
        s=24 if len(grades) < 500 else 7,
        color=SKY,
        alpha=0.5,
        lw=0,
        rasterized=True,
        label=f"one {of}",
    )
    # Quantiles are computed in tenths of the data, with the same number of points each.
    parts = [part for part in np.array_split(np.argsort(grades), max(1, min(10, len(grades) // 10)))]
    if len(parts) > 1:
        centres = [np.median(grades[part]) for part in parts]
        for level, style, name in ((0.5, "o-", "median"), (0.95, "s--", "95 % below")):
            values = [np.quantile(errors[part], level) for part in parts]
            axes.plot(centres, values, style, color=BLUE, ms=4, lw=1.4, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain_logarithmic(axes.xaxis)
    plain_logarithmic(axes.yaxis)
    for value, name, colour in ((grade_save, "save", ORANGE), (grade_break, "stop", VERMILION)):
        if value <= 3 * grades.max():
            axes.axvline(value, color=colour, lw=1.2, ls="--")
            axes.annotate(name, (value, 1.0), xycoords=axes.get_xaxis_transform(), xytext=(3, -2), va="top",
                          textcoords="offset points", color=colour, fontsize=9)  # fmt: skip
    axes.set_xlabel(f"extrapolation grade γ of the {of}")
    axes.set_ylabel(f"rms force error of the {of} (eV/Å)")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)
    varied = len(grades) > 2 and np.ptp(grades) > 0 and np.ptp(errors) > 0
    rank = f"Rank correlation {spearmanr(grades, errors).statistic:.2f}. " if varied else ""
    caption(
        figure, "Extrapolation grade against true error", scale=scale, reference=reference,
        note=f"{rank}{np.mean(grades > grade_save):.1%} of {len(grades)} above γ = {grade_save:g}.",
    )  # fmt: skip
    return figure
