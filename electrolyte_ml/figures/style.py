"""How every figure looks: colours that all eyes can tell apart, and a line that says scale and reference."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Function = TypeVar("Function", bound=Callable[..., Any])

# Okabe and Ito, https://jfly.uni-koeln.de/color/
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
GREY = "#6B6B6B"

_RC = {
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


def styled(function: Function) -> Function:
    """Draw a figure function's figure in the common style.

    The figure is closed for pyplot before it is returned: a notebook shows the value of its cell once, not twice, and
    never one that is half drawn when its input turns out to be wrong.
    """

    @wraps(function)
    def draw(*arguments: Any, **options: Any) -> Figure:
        import matplotlib.pyplot as plt

        others = set(plt.get_fignums())
        try:
            with plt.rc_context(_RC):
                return function(*arguments, **options)
        finally:
            for number in set(plt.get_fignums()) - others:
                plt.close(number)

    return draw  # type: ignore[return-value]


def subplots(rows: int = 1, columns: int = 1, size: tuple[float, float] = (6.4, 4.2), **options: Any) -> tuple:
    """Return a new figure and its axes, laid out so that nothing overlaps; `size` is in inches."""
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=size, layout="constrained", **options)


def caption(figure: Figure, title: str, *, scale: str, reference: str, note: str = "") -> None:
    """Put the title above, and below it what every figure must say: reference, scale, and what is drawn."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    text = f"Reference: {reference}. Scale: {scale}."
    width = int(figure.get_figwidth() * 15)
    lines = textwrap.fill(f"{text} {note}".strip(), width)
    figure.supxlabel(lines, x=0.01, ha="left", fontsize=8, color=GREY)


def level_label(axes: Axes, y: float, text: str, colour: str) -> None:
    """Write above a horizontal line, at its left end, what it is."""
    axes.annotate(
        text, (0.0, y), xycoords=axes.get_yaxis_transform(), xytext=(3, 2), textcoords="offset points", color=colour,
        fontsize=9, va="bottom",
    )  # fmt: skip


def legend_beside(axes: Axes) -> None:
    """Put the legend to the right of the axes, where it hides nothing."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
