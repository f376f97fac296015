"""The progress of work that takes time: a bar in a terminal, a widget in a notebook, one line in a log.

When the work ends, the widget gives way to the same line as in a log, so that a stored notebook and a report show one
line for each piece of work.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

PROGRESS = {"electrolyte_ml": {"progress": True}}  # metadata of the line in a notebook
_LOG_SECONDS = 600.0  # between two lines of unfinished work in a log
_WEIGHTED = "{l_bar}{bar}|{postfix} [{elapsed}<{remaining}]"


def progress_bar(
    iterable: Iterable[Any] | None = None, *, shown: bool = True, weighted: bool = False, **options: Any
) -> Any:
    """Return a progress bar of tqdm for standard error, or for the notebook in which this runs.

    Parameters
    ----------
    iterable
        What is gone through; without it, call ``update`` on the bar.
    shown
        Whether it is shown at all.
    weighted
        The bar counts costs, and what is done is in its postfix.
    options
        Of tqdm: ``total``, ``desc``, ``unit``, ``leave``...

    Returns
    -------
    tqdm.tqdm
    """
    if weighted:
        options["bar_format"] = _WEIGHTED
    return _kind(sys.stderr.isatty())(iterable, disable=not shown, **options)


def finished_line(bar: Any) -> str:
    """Return the line that stays of a bar: name of the work, how much was done, time, and the bar's postfix."""
    postfix = bar.postfix or ""
    if bar.bar_format == _WEIGHTED:
        done = postfix
    else:
        done = " ".join(filter(None, (f"{bar.n}/{bar.total}" if bar.total else str(bar.n), bar.unit)))
        done += f", {postfix}" if postfix else ""
    text = f"{done}, {bar.format_interval(bar.format_dict['elapsed'])}"
    name = (bar.desc or "").removesuffix(": ")
    return f"{name}: {text}" if name else text


@cache
def _kind(terminal: bool) -> type[Any]:
    """Return the kind of bar for a notebook, a terminal or a log."""
    from tqdm.auto import tqdm
    from tqdm.notebook import tqdm_notebook

    if issubclass(tqdm, tqdm_notebook):
        return _widget(tqdm)
    return tqdm if terminal else _log(tqdm)


def _widget(tqdm: type[Any]) -> type[Any]:
    class Widget(tqdm):  # type: ignore[misc]  # chosen when it runs
        """A bar of a notebook."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            from IPython.display import display

            super().__init__(*arguments, display=False, **options)
            if not self.disable:
                self._handle = display(self.container, display_id=True, metadata=PROGRESS)
                self.displayed = True

        def close(self) -> None:
            """Put a line in the place of the widget, or nothing if the bar is not to be left."""
            if self.disable:
                return
            line = finished_line(self) if self.leave else ""
            super().close()
            for widget in (*self.container.children, self.container):
                widget.close()
            self._handle.update({"text/plain": line}, raw=True, metadata=PROGRESS)

    return Widget


def _log(tqdm: type[Any]) -> type[Any]:
    class Log(tqdm):  # type: ignore[misc]  # chosen when it runs
        """A bar that is written into a file: a line when it ends, and one every ten minutes until then."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._written = time.monotonic()
            super().__init__(*arguments, file=io.StringIO(), **options)

        def display(self, *_: Any, **__: Any) -> None:
            if time.monotonic() - self._written > _LOG_SECONDS:
                self._written = time.monotonic()
                print(f"{finished_line(self)} so far", file=sys.stderr, flush=True)

        def close(self) -> None:
            """Write the line."""
            if self.disable:
                return
            line = finished_line(self) if self.leave else ""
            super().close()
            if line:
                print(line, file=sys.stderr, flush=True)

    return Log
