"""Confirmation before settings from a file run a program or write outside of the run's folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from electrolyte_ml.commands import PREFIX
from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from electrolyte_ml.active_learning import ActiveLearningSettings


def add_trust(parser: argparse.ArgumentParser, source: str) -> None:
    """Add ``--trust``; `source` is the name of the settings in the help."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help=f"allow {source} to run a program or to write outside of DIR, without asking",
    )


def ask_for_trust(source: Path, settings: ActiveLearningSettings, folder: Path, trusted: bool) -> None:
    """Print the programs that the settings run and the folders that they write to, and ask for permission.

    Parameters
    ----------
    source
        File or folder of the settings, for messages.
    settings
        Settings with absolute paths.
    folder
        Folder of the run, to which it may write.
    trusted
        Whether to continue without asking.

    Raises
    ------
    InputError
        The answer is no, or the standard input is not a terminal.
    """
    actions = _programs(settings)
    if settings.labels is not None and not Path(settings.labels).is_relative_to(folder.resolve()):
        actions.append(f"write labels to {settings.labels}")
    if not actions:
        return
    text = f"{source} would {' and '.join(actions)}"
    print(text, flush=True)
    if trusted:
        return
    if not sys.stdin.isatty():
        raise InputError(f"{text}: allow it with --trust")
    if input("Continue? [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("cancelled: nothing was run or written")


def _programs(settings: ActiveLearningSettings) -> list[str]:
    """Return the actions of the reference that need permission; presets and numbers for a calculator do not."""
    from electrolyte_ml.reference import PRESETS

    name, options = settings.reference.name, settings.reference.settings
    if name.startswith(PREFIX):
        return [f"run the program {name.removeprefix(PREFIX)!r}"]
    if name.strip().lower() in PRESETS:
        return [f"run the program {str(options['program'])!r}"] if "program" in options else []
    texts = [f"{key} = {value!r}" for key, value in options.items() if not isinstance(value, (bool, int, float))]
    return [f"label with ASE's calculator {name!r}, {', '.join(texts)}"] if texts else []
