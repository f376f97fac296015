"""A figure in words: its caption, and the alternative text for readers who cannot see it.

Both are read from the drawn figure, so that every figure has them and they cannot differ from what is drawn. They go
into a notebook as metadata of the picture, where nbconvert looks for ``alt``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 4  # whose contents are listed; of further panels only titles and axes are given
_MOST_ITEMS = 8  # entries that are listed for a panel
_FEW = 4  # values that are listed one by one
_METADATA = "electrolyte_ml"
_FORMATS = re.compile(r"\\.|[${}]")  # spaces, braces and dollar signs of TeX
_SIGNS = {"partial": "∂", "times": "×", "cdot": "·", "pm": "±", "sum": "Σ", "infty": "∞"}


def add_description(figure: Figure, name: str) -> None:
    """Let a figure give its caption and its alternative text to the notebook that shows it.

    Parameters
    ----------
    figure
        When nothing is added to it any more.
    name
        Name of the function that drew it.
    """
    metadata = {"image/png": {"alt": describe(figure)}, _METADATA: {"figure": name, "caption": caption_text(figure)}}
    figure._repr_mimebundle_ = partial(_bundle, metadata)  # type: ignore[attr-defined]


def figure_name(output: dict[str, Any]) -> str | None:
    """Return the name of the function that drew a notebook's picture, or None if it does not say so."""
    name = output.get("metadata", {}).get(_METADATA, {}).get("figure")
    return None if name is None else str(name)


def figure_caption(output: dict[str, Any]) -> str:
    """Return the caption of a notebook's picture, or an empty text if it has none."""
    return str(output.get("metadata", {}).get(_METADATA, {}).get("caption", ""))


def caption_text(figure: Figure) -> str:
    """Return the title of a figure and the lines below it (reference, scale, note) as one text."""
    below = " ".join(figure.get_supxlabel().split())
    title = _plain(figure.get_suptitle())
    return ". ".join(filter(None, (title.rstrip("."), below)))


def describe(figure: Figure) -> str:
    """Describe what a figure shows: its title, and for each panel the axes with their ranges and what is drawn.

    Curves are given by their first and last values (and the lowest and highest, if they lie outside), points by their
    ranges, bars by their lengths.
    """
    panels = [axes for axes in figure.axes if not _is_colour_bar(axes)]
    parts = [_plain(figure.get_suptitle()).rstrip(".")]
    if len(panels) > 1:
        parts.append(f"{len(panels)} panels")
    for number, axes in enumerate(panels, 1):
        parts.append(_panel(axes, f"Panel {number}" if len(panels) > 1 else "", contents=number <= _MOST_PANELS))
    for axes in figure.axes:
        if _is_colour_bar(axes) and (label := axes.get_ylabel() or axes.get_xlabel()):
            low, high = sorted(axes.get_ylim() if axes.get_ylabel() else axes.get_xlim())
            parts.append(f"Colours: {_plain(label)}, {_number(low)} to {_number(high)}")
    return ". ".join(filter(None, parts)) + "."


def _panel(axes: Axes, number: str, *, contents: bool) -> str:
    title = next(filter(None, (_plain(axes.get_title(loc=loc)) for loc in ("left", "center", "right"))), "")
    axis_names = [_axis(axes, "y"), _axis(axes, "x")] if axes.axison else []
    head = ": ".join(
        filter(None, (", ".join(filter(None, (number, title))), " against ".join(filter(None, axis_names))))
    )
    items = _items(axes) if contents else []
    if len(items) > _MOST_ITEMS:
        items = [*items[:_MOST_ITEMS], f"and {len(items) - _MOST_ITEMS} more"]
    return ". ".join(filter(None, (head, "; ".join(items))))


def _axis(axes: Axes, direction: str) -> str:
    """Describe an axis by its label, which one of the axes that share it may hold, and its range or its categories."""
    from matplotlib.category import StrCategoryLocator
    from matplotlib.ticker import FixedLocator

    shared = axes.get_shared_x_axes() if direction == "x" else axes.get_shared_y_axes()
    axis = axes.xaxis if direction == "x" else axes.yaxis
    sharing = [axis, *(getattr(other, f"{direction}axis") for other in shared.get_siblings(axes))]
    label = next(filter(None, (_plain(other.get_label().get_text()) for other in sharing)), "")
    if isinstance(axis.get_major_locator(), FixedLocator | StrCategoryLocator):
        categories = [_plain(tick.get_text()) for tick in axis.get_ticklabels() if tick.get_text()]
        if any(re.search("[A-Za-z]", category) for category in categories):
            more = ["..."] if len(categories) > _MOST_ITEMS else []
            of = ", ".join([*categories[:_MOST_ITEMS], *more])
            return f"{label} of {of}" if label else of
    low, high = sorted(axis.get_view_interval())
    scale = ", logarithmic" if axis.get_scale() == "log" else ""
    return f"{label} from {_number(low)} to {_number(high)}{scale}" if label else ""


def _items(axes: Axes) -> list[str]:
    """Describe what is drawn: entries of the legend, or all if there are none, and the texts beside them."""
    from matplotlib.image import AxesImage

    handles, labels = axes.get_legend_handles_labels()
    items = [
        ": ".join(filter(None, (_plain(label), _values([handle, *_alike(axes, handle)]))))
        for handle, label in zip(handles, labels)
    ]
    if not items:
        found = [_values([artist]) for artist in _drawn(axes)]
        items = [text for text in found if text]
        if len(items) > _FEW:
            items = [f"{len(items)} curves or sets of points"]
    for image in axes.get_children():
        if isinstance(image, AxesImage) and (values := image.get_array()) is not None and values.ndim == 2:
            items.append(f"map of {values.shape[0]} by {values.shape[1]} values")
    texts = list(dict.fromkeys(_plain(text.get_text()) for text in axes.texts))
    return items + [text for text in texts if len(text) > 1]


def _drawn(axes: Axes) -> list[Any]:
    """Return error bars, bars, curves and points of a panel, each once."""
    inside = [part for container in axes.containers for part in container.get_children()]
    return [*axes.containers, *(artist for artist in (*axes.lines, *axes.collections) if artist not in inside)]


def _alike(axes: Axes, handle: Any) -> list[Any]:
    """Return what is drawn like an entry of the legend but has no label: further points of the same series."""
    return [
        artist
        for artist in _drawn(axes)
        if str(artist.get_label()).startswith("_") and _look(artist) is not None and _look(artist) == _look(handle)
    ]


def _look(artist: Any) -> tuple[Any, ...] | None:
    """Return what the eye tells series apart by, or None for what is not compared."""
    from matplotlib.colors import to_hex
    from matplotlib.container import ErrorbarContainer
    from matplotlib.lines import Line2D

    line = artist.lines[0] if isinstance(artist, ErrorbarContainer) else artist
    if not isinstance(line, Line2D):
        return None
    return to_hex(line.get_color()), line.get_marker(), line.get_linestyle()


def _values(artists: Sequence[Any]) -> str:
    """Give the values of a curve, of points or of bars, or nothing for what only marks a place."""
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.container import BarContainer, ErrorbarContainer
    from matplotlib.lines import Line2D

    first = artists[0]
    if isinstance(first, BarContainer):
        sideways = first.orientation == "horizontal"
        return f"bars {_listed([bar.get_width() if sideways else bar.get_height() for bar in first])}"
    if isinstance(first, PathCollection):
        return _points(np.asarray(first.get_offsets(), float)[:, 1])
    if isinstance(first, LineCollection):
        ends = [np.asarray(segment)[:, 1] for segment in first.get_segments() if len(segment)]  # empty: not finite
        return _points(np.array([values[0] for values in ends if np.ptp(values) == 0.0]))
    lines = [artist.lines[0] if isinstance(artist, ErrorbarContainer) else artist for artist in artists]
    lines = [
        line
        for line in lines
        if isinstance(line, Line2D) and line.axes is not None and line.get_transform() == line.axes.transData
    ]
    data = [np.array(line.get_data(orig=False), float) for line in lines]
    curves = [xy for xy in data if xy.shape[1] > 1]
    if curves and lines[0].get_linestyle() not in ("None", "", " "):
        return _curve(*curves[-1])  # the last one is drawn on top
    return _points(np.concatenate([y for _, y in data])) if data else ""


def _curve(x: np.ndarray, y: np.ndarray) -> str:
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if not len(x) or np.any(np.diff(x) < 0.0):
        return ""  # an outline
    ends = f"{_number(y[0])} at {_number(x[0])}, {_number(y[-1])} at {_number(x[-1])}"
    low, high = y.argmin(), y.argmax()
    if {low, high} <= {0, len(y) - 1}:
        return ends
    return f"{ends}, lowest {_number(y[low])} at {_number(x[low])}, highest {_number(y[high])} at {_number(x[high])}"


def _points(y: np.ndarray) -> str:
    y = y[np.isfinite(y)]
    return _listed(y) if len(y) <= _FEW else f"{len(y)} points between {_number(y.min())} and {_number(y.max())}"


def _listed(values: Sequence[float] | np.ndarray) -> str:
    if len(values) > _MOST_ITEMS:
        return f"{len(values)} between {_number(min(values))} and {_number(max(values))}"
    return ", ".join(map(_number, values))


def _number(value: float) -> str:
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"


def _is_colour_bar(axes: Axes) -> bool:
    return axes.get_label() == "<colorbar>"


def _plain(text: str) -> str:
    """Return a label in one line, its mathematics without the commands of TeX."""
    for part in re.findall(r"\$[^$]*\$", text):
        text = text.replace(part, _FORMATS.sub("", re.sub(r"\\([A-Za-z]+)", _symbol, part)))
    return " ".join(text.split())


def _symbol(command: re.Match[str]) -> str:
    name = command.group(1)
    try:
        return unicodedata.lookup(f"GREEK {'CAPITAL' if name[0].isupper() else 'SMALL'} LETTER {name.upper()}")
    except KeyError:
        return "" if name.startswith("math") else _SIGNS.get(name, name)


def _bundle(metadata: dict[str, Any], **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Add metadata to the picture that IPython makes by itself."""
    return {}, metadata
