"""Sliders for figures in a notebook with a running kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

from electrolyte_ml.errors import ElectrolyteError, InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTE = "Sliders: run this cell in JupyterLab to move them. The picture shows one of their positions."


class Sliders:
    """Widgets with the figure that they change; without a running kernel, the figure at their first positions.

    Attributes
    ----------
    widget : ipywidgets.VBox
        The controls, one below the other, a line for messages, and the picture.
    controls : Mapping
        Name of an argument of the drawing function -> widget that sets it.
    picture : ipywidgets.Image
        The figure, as PNG.
    message : ipywidgets.HTML
        Why the positions of the controls give no figure; empty where they do.
    metadata : dict
        Of the picture where no kernel runs: the description of the figure, if it has one.
    """

    def __init__(self, controls: Mapping[str, Any]) -> None:
        made = widgets()
        self.controls, self.metadata = controls, dict[str, Any]()
        self.picture = made.Image(format="png")  # an Output widget would send messages back while the cell runs
        self.message = made.HTML()
        self.widget = made.VBox([*controls.values(), self.message, self.picture])

    def show(self, figure: Figure) -> None:
        """Put a figure into the picture."""
        buffer = BytesIO()
        figure.savefig(buffer, format="png")
        self.picture.value = buffer.getvalue()
        described = getattr(figure, "_repr_mimebundle_", None)
        self.metadata = described()[1] if described else {}

    def __repr__(self) -> str:
        return NOTE

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        shown: dict[str, Any] = self.widget._repr_mimebundle_(**options)
        return {**shown, "text/plain": NOTE, "image/png": bytes(self.picture.value)}, self.metadata


def sliders(draw: Callable[..., Figure], **controls: Any) -> Sliders:
    """Return sliders that redraw a figure at each of their positions.

    Parameters
    ----------
    draw
        Function that returns the figure. An `ElectrolyteError` that it raises at some positions is shown in place of a
        new figure; at the first positions it is raised.
    **controls
        Arguments of the function: widgets of ipywidgets that have a value.

    Raises
    ------
    InputError
        The package ipywidgets is missing.
    """
    shown = Sliders(controls)

    def update() -> None:
        shown.show(draw(**{name: control.value for name, control in controls.items()}))

    def follow(change: Any) -> None:
        try:
            update()
            shown.message.value, shown.picture.layout.visibility = "", "visible"
        except ElectrolyteError as error:
            shown.message.value = f"No figure for these positions: {escape(str(error))}"
            shown.picture.layout.visibility = "hidden"  # it belongs to other positions

    for control in controls.values():
        if control.has_trait("continuous_update"):
            control.continuous_update = False  # redraw only when the slider is released
        control.style.description_width = "13em"
        control.layout.width = "36em"
        control.observe(follow, names="value")
    update()
    return shown


def widgets() -> Any:
    """Return the package ipywidgets.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        import ipywidgets
    except ImportError:
        raise InputError("sliders need ipywidgets: pip install '.[notebooks]' in the source tree") from None
    return ipywidgets
