"""Sliders for figures in a notebook with a running kernel."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTE = "Sliders: run this cell in JupyterLab to move them. The picture below shows one of their positions."


class Sliders:
    """Widgets with the figure that they change; without a running kernel a note is shown in their place.

    Attributes
    ----------
    widget : ipywidgets.VBox
        Column of the controls and the picture.
    """

    def __init__(self, widget: Any) -> None:
        self.widget = widget

    def __repr__(self) -> str:
        return NOTE

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        shown: dict[str, Any] = self.widget._repr_mimebundle_(**options)
        return {**shown, "text/plain": NOTE}


def sliders(draw: Callable[..., Figure], **controls: Any) -> Sliders:
    """Return sliders that redraw a figure at each of their positions.

    Parameters
    ----------
    draw
        Function that returns the figure.
    **controls
        Arguments of the function: widgets of ipywidgets that have a value.

    Raises
    ------
    InputError
        The package ipywidgets is missing.
    """
    try:
        from ipywidgets import Image, VBox
    except ImportError:
        raise InputError("sliders need ipywidgets: pip install 'electrolyte-ml[notebooks]'") from None
    picture = Image(format="png")  # an Output widget would send messages back while the cell runs

    def update(change: Any = None) -> None:
        buffer = BytesIO()
        draw(**{name: control.value for name, control in controls.items()}).savefig(buffer, format="png")
        picture.value = buffer.getvalue()

    for control in controls.values():
        if control.has_trait("continuous_update"):
            control.continuous_update = False  # redraw only when the slider is released
        control.observe(update, names="value")
    update()
    return Sliders(VBox([*controls.values(), picture]))
