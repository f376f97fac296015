"""Molecules in three dimensions: an interactive view that works offline, and a static picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from electrolyte_ml.figures.scene import View, drawn, hundredths, radius, reach, scene, triples
from electrolyte_ml.figures.style import GREY, caption, styled, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours that also differ in lightness: H white, C dark, O red-orange, F green, P orange, Li purple, N blue.
_COLOURS = {
    "H": "#F2F2F2",
    "C": "#4D4D4D",
    "O": "#D55E00",
    "F": "#009E73",
    "P": "#E69F00",
    "Li": "#7B3294",
    "N": "#0072B2",
}
_OTHER = "#56B4E9"


def view(atoms: Atoms, *, cutoffs: Mapping[str, float] | None = None, width: int = 560, height: int = 400) -> View:
    """Return a view of molecules that can be rotated and zoomed with the mouse.

    Parameters
    ----------
    atoms
        Whole molecules, such as those of :meth:`electrolyte_ml.trajectories.Trajectory.cluster`; bonds across periodic
        boundaries are not drawn.
    cutoffs
        Element of a donor -> longest contact with a cation that is drawn, Å; by default 1.35 times the sum of the
        covalent radii for N, O and F.
    width, height
        Size in pixels.

    Raises
    ------
    InputError
        There are no atoms.
    """
    x, bonds, contacts = drawn(atoms, cutoffs)
    kinds = list(dict.fromkeys(int(z) for z in atoms.numbers))
    data = {
        "reach": reach(x),
        "radii": [round(radius(z), 2) for z in atoms.numbers],
        "palette": [_colour(z) for z in kinds],
        "frames": [{"x": hundredths(x), "b": triples(bonds, contacts), "c": [kinds.index(z) for z in atoms.numbers]}],
    }
    return scene(data, f"{atoms.get_chemical_formula()} in three dimensions", width, height)


@styled
def picture(
    atoms: Atoms, title: str, *, reference: str, scale: str | None, cutoffs: Mapping[str, float] | None = None
) -> Figure:
    """Draw molecules projected onto the plane of their two largest principal axes.

    Parameters
    ----------
    atoms
        Whole molecules; bonds across periodic boundaries are not drawn.
    title
        Title of the figure.
    reference, scale
        Level of theory of the trajectory, and scale.
    cutoffs
        As for :func:`view`.

    Raises
    ------
    InputError
        There are no atoms.
    """
    from matplotlib.patches import Circle

    x, bonds, contacts = drawn(atoms, cutoffs)
    _, _, axes_of_spread = np.linalg.svd(x, full_matrices=False)
    if len(axes_of_spread) == 3:
        x = x @ axes_of_spread.T
    figure, axes = subplots(size=(6.4, 4.8))
    depth = (x[:, 2] - x[:, 2].min()) / max(np.ptp(x[:, 2]), 1e-9)
    for pairs, options in (
        (bonds, {"color": "#9A9A9A", "lw": 2}),
        (contacts, {"color": "#7B3294", "lw": 1, "ls": ":"}),
    ):
        for i, j in pairs:
            axes.plot(*x[[i, j], :2].T, zorder=2 + depth[[i, j]].mean(), **options)
    for place, z, near in zip(x, atoms.numbers, depth):
        ball = Circle(place[:2], radius(z), facecolor=_colour(z), edgecolor="#333333", lw=0.6, zorder=2.05 + near)
        axes.add_patch(ball)
    for z in np.unique(atoms.numbers):
        axes.plot([], [], "o", color=_colour(z), mec="#333333", label=chemical_symbols[z])
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_aspect("equal")
    axes.margins(0.08)
    axes.axis("off")
    left, bottom = x[:, :2].min(axis=0) - 1.0
    axes.plot([left, left + 2.0], [bottom, bottom], color=GREY, lw=2)
    axes.text(left + 1.0, bottom - 0.2, "2 Å", ha="center", va="top", color=GREY)
    note = "Dotted: a cation to the donors near it." if len(contacts) else ""
    caption(figure, title, scale=scale, reference=reference, note=note)
    return figure


def _colour(z: int) -> str:
    return _COLOURS.get(chemical_symbols[z], _OTHER)
