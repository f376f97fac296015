"""Reasons why a file could not be read, from the errors of the libraries that read it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from electrolyte_ml.errors import first_line

_UNKNOWN_FORMAT = re.compile(r"isn't a valid topology format|Cannot find an appropriate|not recognized|Unknown format")
_NO_REASON = (StopIteration, IndexError, KeyError, AttributeError, TypeError, UnboundLocalError)
_INNER_NAME = re.compile(r" with parser <class '[\w.]+'>\.?")


def reason(error: BaseException, path: str | os.PathLike[str]) -> str:
    """Return a short reason why a reader failed, without names of its classes.

    Parameters
    ----------
    error
        Error of MDAnalysis or ASE. Errors of Python, such as an index out of bounds, give no information about the
        file.
    path
        File name.
    """
    text = first_line(error)
    if _UNKNOWN_FORMAT.search(text):
        return f"the format of {Path(path).name} is not known"
    cause = error.__cause__ or error.__context__
    if _INNER_NAME.search(text) or "Failed to load from the topology file" in text:
        if cause is not None and not isinstance(cause, _NO_REASON):
            return reason(cause, path)
        return f"the content is not that of a {_format(path)} file"
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is not known" if error.args else "something is missing"
    if isinstance(error, UnicodeDecodeError):
        return _where_not_text(Path(path))
    if isinstance(error, _NO_REASON) or text.startswith("XDR read error"):
        return f"the content is not that of a {_format(path)} file"
    return text.rstrip(".")


def _where_not_text(path: Path) -> str:
    """Describe the first line of a file that is not UTF-8 text."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return f"line {number} is not UTF-8 text: byte {line[error.start]:#x} in column {error.start + 1}"
    return "the file is not UTF-8 text"


def _format(path: str | os.PathLike[str]) -> str:
    return Path(path).suffix or "trajectory"
