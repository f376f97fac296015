"""Figures of force errors on flat drawings of molecules by RDKit (Figs. 4, S3, S4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import BLACK, GREY, caption, styled, subplots
from electrolyte_ml.structures.drawing import Drawing, draw
from electrolyte_ml.structures.library import MOLECULES
from electrolyte_ml.structures.molecules import Molecule
from electrolyte_ml.structures.sites import site_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from electrolyte_ml.analysis import AtomGroups

Site = tuple[str, str]  # molecule and site in it
_ATOM = 0.56  # radius of an atom, in units in which a bond is 1.5 long
_INCHES = 0.31  # inches of a figure per unit of a drawing
_SEQUENTIAL, _DIVERGING = "cividis", "PuOr"  # both suit all kinds of colour vision


@styled
def site_maps(
    values: Mapping[str, Mapping[Site, float]],
    *,
    title: str,
    quantity: str,
    reference: str,
    scale: str,
    note: str = "",
    molecules: Sequence[str] | None = None,
    own_molecules: Mapping[str, Molecule] | None = None,
    signed: bool = False,
) -> Figure:
    """Draw a value of each site on the molecules, with numbers in the atoms and a column per kind of potential.

    Parameters
    ----------
    values
        Title of a column -> molecule and site -> value, such as `GroupedErrors.lengths`. Equivalent atoms of a molecule
        are one site and share its value.
    title, quantity
        Title of the figure, and name of the quantity with its unit.
    reference, scale
        Level of theory of the labels, and scale.
    note
        Note of the caption.
    molecules
        Molecules to draw, from top to bottom; by default all with more than one atom, in alphabetical order.
    own_molecules
        Molecules by name, with precedence over those of the library.
    signed
        Whether the values are differences, which have a diverging scale of colours around 0.

    Raises
    ------
    InputError
        RDKit is missing, there is nothing to draw, a molecule is unknown, or one of its sites has no value.
    """
    library = {**MOLECULES, **(own_molecules or {})}
    present = {name for column in values.values() for name, _ in column}
    names = sorted(name for name in present if len(library[name].symbols) > 1) if molecules is None else list(molecules)
    if not values or not names:
        raise InputError("there are no values of molecules to draw")
    if missing := set(names) - set(library):
        raise InputError(f"{min(missing)} is not a molecule of the library: give it in own_molecules")
    drawings = {name: draw(library[name]) for name in names}
    of_atoms = {heading: {name: _of_atoms(name, library[name], heading, column) for name in names}
                for heading, column in values.items()}  # fmt: skip
    colours = _colours(np.concatenate([row for column in of_atoms.values() for row in column.values()]), signed)
    heights = [np.ptp(drawings[name].positions[:, 1]) + 1.8 for name in names]
    width = max(np.ptp(drawing.positions[:, 0]) for drawing in drawings.values()) + 1.8
    columns = len(values)
    figure, grid = subplots(
        len(names),
        columns,
        size=(max(5.5, _INCHES * width * columns + 1.4), _INCHES * sum(heights) + 1.2),
        squeeze=False,
        height_ratios=heights,
    )
    for column, (heading, by_molecule) in enumerate(of_atoms.items()):
        for row, (name, numbers) in enumerate(by_molecule.items()):
            axes: Axes = grid[row, column]
            _draw_molecule(axes, library[name], drawings[name], numbers, colours, (width, heights[row]), signed)
            if row == 0:
                axes.set_title(heading, fontsize=11)
            if column == 0:
                axes.text(0.0, 1.0, name, transform=axes.transAxes, fontsize=11, fontweight="bold", va="top")
    figure.colorbar(colours, ax=grid, label=quantity, shrink=0.8, aspect=30, pad=0.02)
    caption(figure, title, scale=scale, reference=reference, note=note)
    return figure


@styled
def snapshot_map(
    groups: AtomGroups,
    lengths: np.ndarray,
    *,
    reference: str,
    scale: str,
    title: str = "Force errors in one configuration (Fig. S4)",
    note: str = "",
    columns: int = 4,
    own_molecules: Mapping[str, Molecule] | None = None,
) -> Figure:
    """Draw the force error of every atom of one configuration on its molecules, largest errors first.

    Parameters
    ----------
    groups
        Groups of the atoms of this configuration.
    lengths
        (N,) length of the force error of each atom, eV/Å.
    reference, scale
        Level of theory of the labels, and scale.
    title, note
        Title of the figure, and note of the caption.
    columns
        Number of molecules in a row.
    own_molecules
        Molecules by name, with precedence over those of the library.

    Raises
    ------
    InputError
        RDKit is missing, the numbers of atoms and errors differ, or no molecule of several atoms is recognised.
    """
    if len(lengths) != len(groups.elements):
        raise InputError(f"{len(lengths)} force errors for {len(groups.elements)} atoms")
    library = {**MOLECULES, **(own_molecules or {})}
    drawings: dict[str, Drawing] = {}
    shown: list[tuple[float, str, np.ndarray]] = []
    for owner in np.unique(groups.owners[groups.species != ""]):
        atoms = np.flatnonzero(groups.owners == owner)
        if len(atoms) == 1:
            continue
        name = str(groups.species[atoms[0]])
        drawings.setdefault(name, draw(library[name]))
        values = np.empty(len(atoms))
        values[groups.places[atoms]] = lengths[atoms]
        shown.append((float(values.max()), name, values))
    if not shown:
        raise InputError("the configuration has no known molecule of several atoms")
    shown.sort(key=lambda item: -item[0])
    colours = _colours(np.concatenate([values for *_, values in shown]), signed=False)
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    width, height = (max(np.ptp(drawing.positions[:, k]) for drawing in drawings.values()) + 1.8 for k in (0, 1))
    figure, grid = subplots(
        rows,
        columns,
        size=(max(5.5, _INCHES * width * columns + 1.2), (_INCHES * height + 0.25) * rows + 1.2),
        squeeze=False,
    )
    for axes in grid.ravel()[len(shown) :]:
        axes.axis("off")
    for axes, (_, name, values) in zip(grid.ravel(), shown, strict=False):
        _draw_molecule(axes, library[name], drawings[name], values, colours, (width, height), signed=False)
        axes.set_title(name, fontsize=10, loc="left")
    figure.colorbar(colours, ax=grid, label="length of the force error (eV/Å)", shrink=0.8, aspect=30, pad=0.02)
    caption(figure, title, scale=scale, reference=reference, note=f"The molecule with the worst atom first. {note}")
    return figure


def _of_atoms(name: str, molecule: Molecule, heading: str, values: Mapping[Site, float]) -> np.ndarray:
    """Return the value of the site of each atom of a molecule."""
    sites = site_names(molecule.numbers, np.array(molecule.bonds))
    if gap := [site for site in sites if (name, site) not in values]:
        raise InputError(f"{heading}: there is no value of the {gap[0]} of {name}")
    return np.array([values[name, site] for site in sites])


def _colours(values: np.ndarray, signed: bool) -> ScalarMappable:
    """Return the scale of colours for finite values, from 0 or symmetric around 0."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    largest = float(np.abs(values).max()) or 1.0
    return ScalarMappable(Normalize(-largest if signed else 0.0, largest), _DIVERGING if signed else _SEQUENTIAL)


def _draw_molecule(
    axes: Axes,
    molecule: Molecule,
    drawing: Drawing,
    values: np.ndarray,
    colours: Any,
    extent: tuple[float, float],
    signed: bool,
) -> None:
    """Draw bonds, and atoms as discs with element and value, on axes of the given width and height."""
    width, height = extent
    from matplotlib.patches import Circle

    xy = drawing.positions
    for i, j, order in drawing.bonds:
        along = xy[j] - xy[i]
        across = np.array([-along[1], along[0]]) / np.linalg.norm(along)
        for shift in {1.0: (0.0,), 2.0: (-0.12, 0.12), 3.0: (-0.2, 0.0, 0.2)}.get(order, (-0.08, 0.08)):
            ends = np.array([xy[i], xy[j]]) + shift * across
            axes.plot(*ends.T, color=GREY, lw=1.3, zorder=1, solid_capstyle="butt")
    for place, symbol, value in zip(xy, molecule.symbols, values, strict=True):
        colour = colours.to_rgba(value)
        axes.add_patch(Circle(tuple(place), _ATOM, facecolor=colour, edgecolor=BLACK, lw=0.6, zorder=2))
        ink = BLACK if np.dot(colour[:3], (0.299, 0.587, 0.114)) > 0.5 else "white"
        text = f"{value:+.2f}" if signed else f"{value:.2f}"
        text = text.replace("+0.00", "0.00").replace("-0.00", "0.00")
        axes.text(place[0], place[1] + 0.2, symbol, ha="center", va="center", fontsize=7, color=ink, fontweight="bold")
        axes.text(place[0], place[1] - 0.2, text, ha="center", va="center", fontsize=6, color=ink)
    axes.set_aspect("equal")
    middle = (xy.min(axis=0) + xy.max(axis=0)) / 2
    axes.set_xlim(middle[0] - width / 2, middle[0] + width / 2)
    axes.set_ylim(middle[1] - height / 2, middle[1] + height / 2)
    axes.axis("off")
