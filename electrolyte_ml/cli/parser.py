"""Parser of one command: help with an example, and usage errors in one line."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

from electrolyte_ml.errors import shortened

Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"

# Exit code of a command that has done its work with an incomplete result: a loop without convergence, a run that ended
# early, labels that failed.
INCOMPLETE = 3

# Names of our commands in other programs.
_ELSEWHERE = {
    "al": "active-learn", "build": "box", "calc-grade": "grade", "diffusion": "conductivity", "fit": "train",
    "learn": "active-learn", "msd": "conductivity", "pack": "box", "plan": "plan-conductivity", "predict": "evaluate",
    "rdf": "solvation", "run": "md", "select-add": "select", "simulate": "md", "test": "evaluate",
    "validate": "evaluate",
}  # fmt: skip
_CHOICE = re.compile(r"invalid choice: '(?P<word>.*)' \(choose from (?P<choices>.*)\)", re.DOTALL)
_NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
_LONGEST = 40  # largest number of characters of a quoted word in a message


class Parser(argparse.ArgumentParser):
    """Parser that reports a usage error in one line, and reads -2e4 as a number."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._negative_number_matcher = _NEGATIVE  # argparse's own takes -2e4 for an option

    def error(self, message: str) -> NoReturn:
        """Print the error with a reference to the command's ``--help``, and exit with code 2."""
        if match := _CHOICE.search(message):
            choices = re.findall(r"'([^']*)'", match["choices"])
            word = match["word"]
            message = (
                f"{message[: match.start()]}there is no {_short(word)}, but {', '.join(choices)}{guess(word, choices)}"
            )
        self.exit(2, f"error: {shortened(message)} (see {self.prog} --help)\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Report unknown arguments, with a suggestion for the first one."""
        known = [option for action in self._actions for option in action.option_strings]
        word = unknown[0].partition("=")[0]
        hint = guess(word, known) if word.startswith("-") else ""
        self.error(f"unrecognized arguments: {' '.join(map(_short, unknown))}{hint}")


def guess(word: str, choices: Sequence[str]) -> str:
    """Return ": did you mean ...?" with the most similar choice, or an empty text if none is similar."""
    plain = {choice.lower(): choice for choice in choices}
    meant = plain.get(_ELSEWHERE.get(word.lower(), ""))
    near = [meant] if meant else [plain[name] for name in difflib.get_close_matches(word.lower(), plain, 1, 0.6)]
    return f": did you mean {near[0]}?" if near else ""


def _short(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[:_LONGEST]}…"


def add_command(
    subparsers: Subparsers,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    summary: str,
    example: str,
) -> Parser:
    """Add a command and return its parser.

    Parameters
    ----------
    subparsers
        Subparsers of the program.
    name
        Name of the command.
    run
        Function of the command, which returns the exit code, or None for 0.
    summary
        Description in one line, in lower case and without a full stop.
    example
        Typical call, from the command's name on.
    """
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  electrolyte-ml {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run, parser=parser)
    return parser
