"""The parser of one command: its help with an example, and usage errors in one line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn, TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"  # what the families add their commands to


class Parser(argparse.ArgumentParser):
    """A parser that reports a usage error in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error with the command whose ``--help`` explains it, and exit with code 2."""
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


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
        Of the program.
    name
        Of the command.
    run
        What the command does; it returns the exit code, or None for 0.
    summary
        One line, in lower case and without a full stop.
    example
        Arguments of a typical call, from the command's name on.
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
