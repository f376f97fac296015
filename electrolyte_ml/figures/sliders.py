"""Sliders for a figure in a notebook that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from electrolyte_ml.errors import InputError

NOTE = "Sliders: run this cell in JupyterLab to move them. The picture below shows one of their positions."


class Sliders:
    """Widgets with the figure that they change; a note stands in their place where no kernel runs."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget

    def __repr__(self) -> str:
        return NOTE

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        shown: dict[str, Any] = self.widget._repr_mimebundle_(**options)
        return {**shown, "text/plain": NOTE}


def sliders(draw: Callable[..., Any], **controls: Any) -> Sliders:
    """Return sliders that draw a figure anew at each of their positions.

    Parameters
    ----------
    draw
        Function that returns the figure.
    **controls
        Its arguments: widgets of ipywidgets, or what `ipywidgets.interactive` takes for them, such as a range
        ``(low, high, step)``, a truth value, or a list of choices.

    Raises
    ------
    InputError
        Without ipywidgets.
    """
    try:
        from ipywidgets import interactive
    except ImportError:
        raise InputError("sliders need ipywidgets: pip install 'electrolyte-ml[notebooks]'") from None
    widget = interactive(draw, {"auto_display": True}, **controls)
    for control in widget.kwargs_widgets:
        if control.has_trait("continuous_update"):
            control.continuous_update = False  # one figure where the slider is let go
    return Sliders(widget)
