"""Formatting of errors and warnings as one line that names the file or the option to change."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from electrolyte_ml.errors import CompositionWarning, InputError, TrajectoryWarning, shortened


def one_line(error: object) -> str:
    """Return the text of an exception or a warning in one line."""
    if isinstance(error, OSError) and error.strerror:
        return shortened(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    if isinstance(error, MemoryError):
        return "out of memory; use a smaller box, a lower level or fewer jobs"
    return shortened(" ".join(str(error).split())) or type(error).__name__


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print each warning of this package as one line."""
    previous = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **options: Any) -> None:
        if issubclass(category, CompositionWarning | TrajectoryWarning):
            print(f"warning: {one_line(message)}", file=sys.stderr)
        else:
            previous(message, category, *place, **options)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = previous


@contextmanager
def about(source: object) -> Iterator[None]:
    """Prefix the message of an `InputError` with a file or a place in it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


@contextmanager
def in_options(**options: str) -> Iterator[None]:
    """Replace names of parameters in the message of an `InputError` by the options that set them.

    Parameters
    ----------
    **options
        Option of each parameter, such as ``time_ps="--time"``.
    """
    try:
        yield
    except InputError as error:
        # Also "equilibration.time_ps", the name of a setting in a section
        message = re.sub(r"\w+(\.\w+)*", lambda word: options.get(word[0].rpartition(".")[2], word[0]), str(error))
        raise InputError(message) from error
