"""Files that decide a label: known by their names and contents, wherever they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from electrolyte_ml.files import content_hash


def known_by_content(value: Any, contents: list[list[str]]) -> Any:
    """Return a value in which every path of a file is the file's name alone.

    Parameters
    ----------
    value
        A text, or any nesting of mappings and lists that may hold some.
    contents
        Name and hash of each file are added to it.
    """
    if isinstance(value, str):
        if not os.path.isfile(value):
            return value
        contents.append(content_of(Path(value)))
        return Path(value).name
    if isinstance(value, Mapping):
        return {key: known_by_content(item, contents) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [known_by_content(item, contents) for item in value]
    return value


def content_of(path: Path) -> list[str]:
    """Return the name of a file and a hash of its content."""
    return [path.name, content_hash(path)]
