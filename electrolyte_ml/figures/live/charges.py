"""Charge redistribution: the gauges, the pole, and what a training set fixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.figures.charges import charges_by_composition, gauge_comparison, identified_directions
from electrolyte_ml.figures.sliders import Sliders, sliders, widgets

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure

    from electrolyte_ml.potentials.charges import Identifiability, QRd

_POINTS = 401  # of a curve against composition


def moved_along_gauges(model: QRd, scaling: float = 1.0, shift: float = 0.0, *, flip: bool = False) -> QRd:
    """Return a model with its weights scaled, s -> scaling s, and its charges shifted, b -> b + shift s.

    Neither changes a charge of any composition. The third move, b -> -b, does: of all charges it changes the sign.

    Parameters
    ----------
    model
        In the form "raw", whose parameters are b and s.
    scaling
        Of the weights s.
    shift
        By how many s the charges b are moved, e.
    flip
        Whether b gets the other sign, after the shift.
    """
    from dataclasses import replace

    b = (-1 if flip else 1) * (model.b + shift * model.s)
    return replace(model, b=b, s=scaling * model.s)


def gauge_sliders(
    model: QRd,
    composition: Mapping[str, float],
    systems: Mapping[str, Atoms],
    *,
    scaling: float = 2.0,
    shift: float = 0.7,
) -> Sliders:
    """Return sliders that move the parameters of a model along its gauges, with its charges before and after.

    Parameters
    ----------
    model
        In the form "raw".
    composition
        Element -> number of its atoms, whose charges are drawn.
    systems
        Name -> configuration whose change of energy is printed.
    scaling, shift
        First positions.

    Raises
    ------
    InputError
        Without ipywidgets.
    """
    made = widgets()

    before = model.type_charges(composition)
    energies = {name: model.evaluate(atoms).energy for name, atoms in systems.items()}

    def draw(scaling: float, shift: float, flip: bool) -> Figure:
        new = moved_along_gauges(model, scaling, shift, flip=flip)
        after = new.type_charges(composition)
        change = max(abs(after[z] - before[z]) for z in before)
        by_system = ", ".join(
            f"{new.evaluate(atoms).energy - energies[name]:+.1e} eV in {name}" for name, atoms in systems.items()
        )
        return gauge_comparison(
            {"start": model.parameters, "moved": new.parameters},
            {"start": before, "moved": after},
            model.species,
            note=f"Largest change of a charge: {change:.1e} e. Change of the energy: {by_system}.",
        )

    return sliders(
        draw,
        scaling=made.FloatLogSlider(scaling, min=-1, max=1, step=0.05, description="λ: weights s → λ s"),
        shift=made.FloatSlider(shift, min=-2, max=2, step=0.1, description="c (e): charges b → b + c s"),
        flip=made.Checkbox(False, description="b → −b"),
    )


def pole_sliders(
    models: Mapping[str, QRd],
    counts: Callable[[float, float], Mapping[str, float]],
    *,
    trained: float,
    share: float = 0.5,
    salt: float = 1.0,
) -> Sliders:
    """Return sliders of a composition, with the charges of models along a line of compositions and their poles.

    Parameters
    ----------
    models
        Name -> model, all of the same species.
    counts
        Share of EC in the solvent and amount of salt -> atoms of each element, linear in the share.
    trained
        Share of EC in the training set.
    share, salt
        First positions; salt is in LiPF6 for ten molecules of solvent.

    Raises
    ------
    InputError
        Without ipywidgets.
    """
    made = widgets()

    species = next(iter(models.values())).species
    shares = np.linspace(0.0, 1.0, _POINTS)

    def pole(model: QRd, salt: float) -> list[float]:
        """Return the share at which the weights add up to zero, if there is one: their sum is linear in the share."""
        first, last = (sum(n * model.weights[species.index(z)] for z, n in counts(x, salt).items()) for x in (0.0, 1.0))
        return [first / (first - last)] if first * last < 0 else []

    def draw(share: float, salt: float) -> Figure:
        charges = {
            name: np.array([[model.type_charges(counts(x, salt)).get(z, np.nan) for z in species] for x in shares])
            for name, model in models.items()
        }
        return charges_by_composition(
            shares, charges, species, {name: pole(model, salt) for name, model in models.items()}, trained=trained,
            salt=salt, chosen=share,
        )  # fmt: skip

    return sliders(
        draw,
        share=made.FloatSlider(share, min=0, max=1, step=0.01, description="EC / (EC + EMC)"),
        salt=made.FloatSlider(salt, min=0, max=3, step=0.1, description="LiPF6 per ten solvent"),
    )


def identified_sliders(steps: Mapping[str, Identifiability], *, rows: int | None = None) -> Sliders:
    """Return a slider of the number of compositions in a set, with the directions of the parameters that it fixes.

    Parameters
    ----------
    steps
        What is added -> what the set fixes from then on.
    rows
        First position; all by default.

    Raises
    ------
    InputError
        If there is no step, and without ipywidgets.
    """
    made = widgets()

    def draw(rows: int) -> Figure:
        shown = dict(list(steps.items())[:rows])
        return identified_directions(shown, note=f"Last row: {list(shown.values())[-1]}." if shown else "")

    first = len(steps) if rows is None else rows
    return sliders(draw, rows=made.IntSlider(first, min=min(1, len(steps)), max=len(steps), description="sets"))
