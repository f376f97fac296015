"""Figure of learning curves: held-out errors against the size of the training set, with a target error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import CYCLE, GREY, caption, level_label, plain_logarithmic, styled, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from electrolyte_ml.training import Suggestion

_MARKERS = "osD^vPX"


@styled
def learning_curve(suggestion: Suggestion, *, reference: str, scale: str) -> Figure:
    """Draw errors on held-out configurations against the size of the training set, with power laws and their bands.

    Parameters
    ----------
    suggestion
        Suggestion with fits at several set sizes.
    reference, scale
        Level of theory of the labels, and name of the data.

    Raises
    ------
    InputError
        There is no fit.
    """
    curves = [curve for curve in suggestion.curves if curve.trials]
    if not curves:
        raise InputError("there is no fit to draw")
    figure, (forces, energies) = subplots(1, 2, size=(10.4, 4.6))
    largest = max(max(curve.sizes) for curve in curves)
    needed = [c.needed.value for c in curves if c.needed is not None and np.isfinite(c.needed.value)]
    right = float(np.clip(1.5 * max(needed, default=0.0), 3 * largest, 30 * largest))
    for colour, marker, curve in zip(CYCLE * len(curves), _MARKERS * len(curves), curves):
        x = np.geomspace(min(curve.sizes), right, 60)
        for axes, quantity, factor, law in (
            (forces, "force_rmse", 1.0, curve.force_law),
            (energies, "energy_rmse", 1e3, curve.energy_law),
        ):
            values = [factor * curve.errors(quantity, size) for size in curve.sizes]
            for size, errors in zip(curve.sizes, values):
                axes.plot(np.full(len(errors), size), errors, marker, color=colour, ms=3.5, alpha=0.5, mew=0)
            means = [errors.mean() for errors in values]
            axes.plot(curve.sizes, means, marker, color=colour, ms=6, label=curve.name)
            if law is not None:
                middle, low, high = factor * law.error(x)
                axes.plot(x, middle, color=colour, lw=1.5)
                axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    forces.axhline(suggestion.target, color=GREY, lw=1.2, ls="--")
    level_label(forces, suggestion.target, f"wanted: {suggestion.target:g} eV/Å", GREY)
    for axes in (forces, energies):
        axes.axvline(largest, color=GREY, lw=1.0, ls=":")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("configurations in the training set")
        plain_logarithmic(axes.xaxis)
        plain_logarithmic(axes.yaxis)
    forces.set_ylabel("force RMSE, held out (eV/Å)")
    energies.set_ylabel("energy RMSE, held out (meV/atom)")
    forces.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, columnspacing=1.2, handlelength=1.4)
    caption(
        figure, "Learning curves", scale=scale, reference=reference,
        note="Small: splits; large: their mean; lines: power laws with floors, 90 % bands; dotted: largest set fitted. "
        + "; ".join(f"{curve.name}: {curve.answer()}" for curve in curves) + ".",
    )  # fmt: skip
    return figure
