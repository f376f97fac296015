"""Commands as text, ``command:my_dft --model=file {input} {output}``: their words, and the files that these name."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PREFIX = "command:"
_OPTION = re.compile(r"(-*\w[\w.-]*=)(.+)", re.DOTALL)


def split_option(word: str) -> tuple[str, str]:
    """Return what stands before the path that a word may name, ``--option=`` or nothing, and the path."""
    option = _OPTION.fullmatch(word)
    return (option[1], option[2]) if option else ("", word)


def change_paths(command: str, change: Callable[[str], str]) -> str:
    """Return a command with `change` applied to each word, or to what follows the ``=`` of an option.

    A command whose quotation marks do not close, which nothing can run, is returned as it is.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    changed = [change_path(word, change) for word in words]
    return command if changed == words else " ".join(map(_quoted, changed))


def change_path(word: str, change: Callable[[str], str]) -> str:
    """Return a word of a command with `change` applied to it, or to what follows the ``=`` of an option."""
    option, path = split_option(word)
    return option + change(path)


def paths_of(command: str) -> list[str]:
    """Return the parts of a command, options and paths, in order; the whole of one that cannot be split."""
    try:
        words = shlex.split(command)
    except ValueError:
        return [command]
    return [part for word in words for part in split_option(word)]


def located_files(value: Any, folder: Path) -> Any:
    """Return the name or a setting of a reference with the files that it names taken relative to a folder.

    Only what is there counts, and a program on the search path is no file of the folder, unless it is named by a path.
    """
    if isinstance(value, str):
        if value.startswith(PREFIX):
            return PREFIX + change_paths(value.removeprefix(PREFIX), lambda path: str(located_files(path, folder)))
        named = os.path.isfile(folder / value) and ("/" in value or shutil.which(value) is None)
        return str((folder / value).resolve()) if named else value
    if isinstance(value, Mapping):
        return {key: located_files(item, folder) for key, item in value.items()}
    return value


def _quoted(word: str) -> str:
    return shlex.quote(word) if re.search(r"[\s'\"\\]", word) or not word else word
