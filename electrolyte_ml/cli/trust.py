"""Programs that a file of settings runs, and folders that it writes to: asked about before anything is done."""

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
    """Add ``--trust``; `source` names the settings."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help=f"follow {source} without a question where they run a program or write outside of DIR",
    )


def ask_for_trust(source: Path, settings: ActiveLearningSettings, folder: Path, trusted: bool) -> None:
    """Say which program the settings run and where they write, and ask unless that is trusted.

    Parameters
    ----------
    source
        File or folder of the settings, for messages.
    settings
        With absolute paths.
    folder
        Folder of the run, to which it may write.
    trusted
        Whether to go on without a question.

    Raises
    ------
    InputError
        The answer is no, or nobody is there to ask.
    """
    wishes = _programs(settings)
    if settings.labels is not None and not Path(settings.labels).is_relative_to(folder.resolve()):
        wishes.append(f"write labels to {settings.labels}")
    if not wishes:
        return
    text = f"{source} wants to {' and to '.join(wishes)}"
    print(text, flush=True)
    if trusted:
        return
    if not sys.stdin.isatty():
        raise InputError(f"{text}: allow it with --trust")
    if input("Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("nothing was done")


def _programs(settings: ActiveLearningSettings) -> list[str]:
    """Return what the reference runs beside the programs of presets; numbers given to a calculator run nothing."""
    from electrolyte_ml.reference import PRESETS

    name, given = settings.reference.name, settings.reference.settings
    if name.startswith(PREFIX):
        return [f"run the program {name.removeprefix(PREFIX)!r}"]
    if name.strip().lower() in PRESETS:
        return [f"run the program {str(given['program'])!r}"] if "program" in given else []
    texts = [f"{key} = {value!r}" for key, value in given.items() if not isinstance(value, (bool, int, float))]
    return [f"label with ASE's calculator {name!r}, {', '.join(texts)}"] if texts else []
