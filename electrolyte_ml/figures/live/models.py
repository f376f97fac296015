"""Level, cutoff and size of the training set: parameters, errors on unseen configurations, and cost, as measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.sliders import Sliders, sliders, widgets
from electrolyte_ml.figures.style import BLACK, CYCLE, caption, plain_logarithmic, styled, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^vPX"


@dataclass(frozen=True)
class MeasuredModel:
    """A level with a cutoff, and what it costs and gives.

    Attributes
    ----------
    level : int
    cutoff : float
        Å.
    parameters : int
    microseconds : float
        Of energy and forces, for each atom.
    force_errors, energy_errors : Mapping
        Size of the training set -> RMSE on configurations held out, eV/Å and eV/atom, one for each split (n,).
    """

    level: int
    cutoff: float
    parameters: int
    microseconds: float
    force_errors: Mapping[int, np.ndarray]
    energy_errors: Mapping[int, np.ndarray]

    def error(self, size: int) -> float:
        """Mean force error, eV/Å; NaN at a size that was not fitted."""
        return float(np.mean(self.force_errors[size])) if size in self.force_errors else float("nan")


def measured_models(suggestion: Mapping[str, Any]) -> list[MeasuredModel]:
    """Return the models of a suggestion.

    Parameters
    ----------
    suggestion
        As ``electrolyte-ml suggest --json`` prints it: :meth:`electrolyte_ml.training.Suggestion.to_dict`.

    Raises
    ------
    InputError
        If nothing was fitted.
    """
    models = []
    for curve in suggestion["curves"]:
        sizes = sorted({fit["size"] for fit in curve["fits"]})
        errors = {
            name: {size: np.array([fit[name] for fit in curve["fits"] if fit["size"] == size], float) for size in sizes}
            for name in ("force_rmse", "energy_rmse")
        }
        models.append(
            MeasuredModel(
                curve["level"], curve["cutoff"], curve["parameters"], curve["microseconds_per_atom"],
                errors["force_rmse"], errors["energy_rmse"],
            )
        )  # fmt: skip
    if not any(model.force_errors for model in models):
        raise InputError("the suggestion holds no fit")
    return models


@styled
def model_choice(
    models: list[MeasuredModel], level: int, cutoff: float, size: int, *, reference: str, scale: str
) -> Figure:
    """Draw errors and cost of all models at one set size, with one of the models marked.

    Parameters
    ----------
    models
        Result of :func:`measured_models`.
    level, cutoff
        Of the model to mark; cutoff in Å.
    size
        Configurations in the training set.
    reference, scale
        The level of theory of the labels, and the data.

    Raises
    ------
    InputError
        If this model was not fitted to a set of this size.
    """
    (chosen,) = [model for model in models if (model.level, model.cutoff) == (level, cutoff)]
    if size not in chosen.force_errors:
        raise InputError(
            f"level {level} with {cutoff:g} Å ({chosen.parameters} parameters) was not fitted to {size} configurations"
        )
    figure, (errors, cost, trade) = subplots(1, 3, size=(12.0, 4.3))
    levels, cutoffs = sorted({model.level for model in models}), sorted({model.cutoff for model in models})
    parameters = {model.level: model.parameters for model in models}
    for colour, marker, radius in zip(CYCLE, _MARKERS, cutoffs):
        row = sorted((model for model in models if model.cutoff == radius), key=lambda model: model.level)
        x, y = [model.level for model in row], [model.error(size) for model in row]
        label = f"cutoff {radius:g} Å"
        options: dict[str, Any] = {"marker": marker, "color": colour, "ms": 5, "lw": 1.4, "label": label}
        errors.plot(x, y, **options)
        cost.plot(x, [model.microseconds for model in row], **options)
        trade.plot([model.microseconds for model in row], y, **options)
    ring: dict[str, Any] = {"marker": "o", "ms": 13, "mfc": "none", "mec": BLACK, "mew": 1.8}
    errors.plot(level, chosen.error(size), **ring)
    cost.plot(level, chosen.microseconds, **ring)
    trade.plot(chosen.microseconds, chosen.error(size), **ring)
    highest = max(model.error(n) for model in models for n in model.force_errors)
    lowest = min(model.error(n) for model in models for n in model.force_errors)
    for axes in (errors, trade):
        axes.set_yscale("log")
        axes.set_ylim(0.85 * lowest, 1.15 * highest)
        axes.set_ylabel("force RMSE, held out (eV/Å)")
        plain_logarithmic(axes.yaxis)
    for axes in (errors, cost):
        axes.set_xticks(levels, [f"{n}\n{parameters[n]}" for n in levels])
        axes.set_xlabel("level, and its parameters")
    cost.set_yscale("log")
    cost.set_ylabel("cost (µs/atom, one core)")
    plain_logarithmic(cost.yaxis)
    trade.set_xscale("log")
    trade.set_xlabel("cost (µs/atom, one core)")
    plain_logarithmic(trade.xaxis)
    errors.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(cutoffs), columnspacing=1.0, handlelength=1.2)
    found = chosen.force_errors[size]
    spread = f" ± {found.std(ddof=1):.2g}" if len(found) > 1 else ""
    hours = chosen.microseconds * 1e-6 * 1000 * 1e6 / 3600  # of 1000 atoms, for the 1e6 steps of 1 fs in 1 ns
    caption(
        figure, "Level, cutoff and training set", scale=scale, reference=reference,
        note=f"Ring: level {level}, {cutoff:g} Å, {chosen.parameters} parameters, {size} configurations: forces "
        f"{chosen.error(size):.3f}{spread} eV/Å, energies {1e3 * np.mean(chosen.energy_errors[size]):.2f} meV/atom on "
        f"configurations held out ({len(found)} split{'s' * (len(found) > 1)}); "
        f"1 ns of 1000 atoms takes {hours:.2g} h of one core. "
        "Cost: of energy and forces.",
    )  # fmt: skip
    return figure


def model_sliders(
    suggestion: Mapping[str, Any],
    *,
    reference: str,
    scale: str,
    level: int = 8,
    cutoff: float = 5.0,
    size: int | None = None,
) -> Sliders:
    """Return sliders of level, cutoff and size of the training set, with errors and cost.

    Parameters
    ----------
    suggestion
        As of :func:`measured_models`.
    reference, scale
        The level of theory of the labels, and the data.
    level, cutoff, size
        First positions of the sliders; the largest set by default. Sizes are those to which half of the models or more
        were fitted.

    Raises
    ------
    InputError
        As of :func:`measured_models` and :func:`model_choice`, and without ipywidgets.
    """
    made = widgets()

    models = measured_models(suggestion)
    counts = Counter(n for model in models for n in model.force_errors)
    sizes = sorted(n for n, count in counts.items() if 2 * count >= len(models))

    def draw(level: int, cutoff: float, size: int) -> Figure:
        return model_choice(models, level, cutoff, size, reference=reference, scale=scale)

    return sliders(
        draw,
        level=made.SelectionSlider(options=sorted({model.level for model in models}), value=level, description="level"),
        cutoff=made.SelectionSlider(
            options=[(f"{n:g} Å", n) for n in sorted({model.cutoff for model in models})],
            value=cutoff,
            description="cutoff",
        ),
        size=made.SelectionSlider(
            options=sizes, value=sizes[-1] if size is None else size, description="configurations"
        ),
    )
