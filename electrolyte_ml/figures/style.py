"""Common style of the figures: colours for all kinds of colour vision, and a caption with reference and scale."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from electrolyte_ml.figures.description import add_description
from electrolyte_ml.files import private_temporary_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")

# Okabe and Ito, https://jfly.uni-koeln.de/color/
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
GREY = "#6B6B6B"

# Offset of a label from its point (points), and its alignment
_PLACES = {
    (7, 0): ("left", "center"),
    (-7, 0): ("right", "center"),
    (0, 7): ("center", "bottom"),
    (0, -7): ("center", "top"),
    (6, 6): ("left", "bottom"),
    (6, -6): ("left", "top"),
    (-6, 6): ("right", "bottom"),
    (-6, -6): ("right", "top"),
}
_RC: dict[Any, object] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "svg.fonttype": "none",
}


def styled(function: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Decorate a function such that it draws its figure in the common style.

    The figure gets a caption and an alternative text, see `description`.

    Figures that the function opens are closed in pyplot when it ends. A notebook would otherwise show a returned figure
    twice, and an incomplete one after an error.
    """

    @wraps(function)
    def draw(*arguments: Arguments.args, **options: Arguments.kwargs) -> Figure:
        import matplotlib.pyplot as plt

        others = set(plt.get_fignums())
        try:
            with plt.rc_context(_RC):
                figure = function(*arguments, **options)
            add_description(figure, function.__name__)
            return figure
        finally:
            for number in set(plt.get_fignums()) - others:
                plt.close(number)

    return draw


def subplots(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.4, 4.2), **options: Any
) -> tuple[Figure, Any]:
    """Return a new figure and its axes, as `matplotlib.pyplot.subplots`, with a layout without overlaps.

    Parameters
    ----------
    rows, columns
        Numbers of panels.
    size
        Width and height in inches.
    options
        Further arguments of `matplotlib.pyplot.subplots`.
    """
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=size, layout="constrained", **options)


def caption(figure: Figure, title: str, *, reference: str, scale: str | None = None, note: str = "") -> None:
    """Write the title above a figure, and the reference, the scale and a note below it.

    Parameters
    ----------
    figure, title
        The figure and its title.
    reference
        Level of theory behind the figure.
    scale
        Scale of the computation; None where the figure does not depend on one.
    note
        Text that follows.
    """
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    words = [f"Reference: {reference}.", f"Scale: {scale}." if scale is not None else "", note]
    width = int(figure.get_figwidth() * 15)
    lines = textwrap.fill(" ".join(filter(None, words)), width)
    figure.supxlabel(lines, x=0.01, ha="left", fontsize=8, color=GREY)


def level_label(axes: Axes, y: float, text: str, colour: str, *, below: bool = False) -> None:
    """Label a horizontal line at its left end, above or below it."""
    axes.annotate(
        text, (0.0, y), xycoords=axes.get_yaxis_transform(), xytext=(3, -2 if below else 2),
        textcoords="offset points", color=colour, fontsize=9, va="top" if below else "bottom", zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
    )  # fmt: skip


def grade_levels(axes: Axes, grade_save: float, grade_break: float) -> None:
    """Draw the grades above which a run saves configurations and stops, with labels that never meet."""
    for level, name, colour, below in ((grade_save, "save", ORANGE, True), (grade_break, "stop", VERMILION, False)):
        axes.axhline(level, color=colour, lw=1.2, ls="--")
        level_label(axes, level, name, colour, below=below)


def plain_logarithmic(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, at 1, 2 and 5 of each power of ten if there is room."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


def place_labels(axes: Axes, labels: Sequence[tuple[float, float, str]], points: Sequence[tuple[float, float]]) -> None:
    """Write labels beside points so that they cover neither each other nor the points, where there is room.

    Parameters
    ----------
    axes
        Axes with final limits.
    labels
        Coordinates of a point, and its label.
    points
        Coordinates of all points that must not be covered.
    """
    from matplotlib.transforms import Bbox

    if (figure := axes.get_figure(root=True)) is None:
        raise ValueError("these axes are in no figure")
    figure.draw_without_rendering()  # the layout decides where the axes are
    inside = axes.get_window_extent()
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in axes.transData.transform(points)]
    for x, y, text in sorted(labels, key=lambda label: -label[0]):
        best = None
        for (dx, dy), (ha, va) in _PLACES.items():
            note = axes.annotate(text, (x, y), xytext=(dx, dy), textcoords="offset points", ha=ha, va=va, fontsize=7.5)
            box = note.get_window_extent()
            covered = sum(
                max(0.0, area.width * area.height) for other in taken if (area := Bbox.intersection(box, other))
            )
            outside = max(0.0, box.x1 - inside.x1) + max(0.0, inside.x0 - box.x0) + max(0.0, box.y1 - inside.y1)
            if best is None or covered + 100 * outside < best[0]:
                if best is not None:
                    best[1].remove()
                best = covered + 100 * outside, note, box
            else:
                note.remove()
        if best is not None:
            taken.append(best[2])


def legend_beside(axes: Axes) -> None:
    """Put the legend to the right of the axes, outside of the data."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))


def _set_matplotlib_folder() -> None:
    """Set matplotlib's folder for its cache of fonts to a temporary one if the home folder is not writable.

    Otherwise matplotlib would print a long warning, and search for the fonts again in every process.
    """
    if "MPLCONFIGDIR" in os.environ or "matplotlib" in sys.modules:
        return
    for variable, usual in (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache")):
        try:
            folder = Path(os.environ.get(variable) or Path.home() / usual) / "matplotlib"
            folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK)
        except (OSError, RuntimeError):  # RuntimeError: the home folder is not known
            writable = False
        if not writable:
            os.environ["MPLCONFIGDIR"] = str(private_temporary_folder())
            return


_set_matplotlib_folder()
