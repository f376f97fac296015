"""Entry point of the program: the parser of all commands, and errors as one line with an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from electrolyte_ml import __version__
from electrolyte_ml.cli import (
    active_learning,
    advice,
    analysis,
    audit,
    dynamics,
    engines,
    evaluate,
    grades,
    labels,
    machine,
    models,
    paper,
    production,
    structures,
    training,
)
from electrolyte_ml.cli.messages import one_line, warnings_in_one_line
from electrolyte_ml.cli.parser import Parser
from electrolyte_ml.errors import ElectrolyteError

# In the order of --help.
FAMILIES = (
    paper,
    training,
    evaluate,
    advice,
    grades,
    dynamics,
    production,
    engines,
    active_learning,
    labels,
    audit,
    structures,
    models,
    analysis,
    machine,
)


def build_parser() -> Parser:
    """Return the parser of every command."""
    parser = Parser(
        prog="electrolyte-ml",
        description="Moment tensor potentials of battery electrolytes, trained by active learning.",
        epilog="example: electrolyte-ml reproduce --only 04",
    )
    parser.add_argument("--version", action="version", version=f"electrolyte-ml {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for family in FAMILIES:
        family.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments
        Arguments of the program, by default ``sys.argv[1:]``.

    Returns
    -------
    int
        0 for success, 1 after an error, 2 for a command line that cannot be parsed, 3 (`INCOMPLETE`) for work that is
        done with an incomplete result, 130 after an interrupt. SIGTERM and SIGHUP end the command like an interrupt,
        with 143 and 129.
    """
    try:
        args, unknown = build_parser().parse_known_args(arguments)
        if unknown:  # the command's own parser reports them, and refers to its --help
            args.parser.refuse(unknown)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        with _signals_unwind(), warnings_in_one_line():
            code = int(args.run(args) or 0)
            sys.stdout.flush()  # a failure to print is an error of the command, too
            return code
    except SystemExit as stop:
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the output's reader has ended, as with `| head`
        _drop_output()
        return 1
    except (ElectrolyteError, OSError, MemoryError) as error:
        if args.debug:
            traceback.print_exc()
        print(f"error: {one_line(_about_output(error))}", file=sys.stderr)
        return 1
    except Exception as error:  # a bug of this package: one line, with a hint to the traceback
        if args.debug:
            traceback.print_exc()
        hint = "" if args.debug else " (a fault of electrolyte-ml; --debug shows where)"
        print(f"error: {type(error).__name__}: {one_line(error)}{hint}", file=sys.stderr)
        return 1


@contextmanager
def _signals_unwind() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise `SystemExit`, so that temporary files are removed and processes ended.

    A signal that is ignored (nohup) remains ignored; after the first signal further ones are ignored, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, frame: object) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        print(f"ended by {signal.Signals(number).name}", file=sys.stderr)
        raise SystemExit(128 + number)

    previous = {number: signal.getsignal(number) for number in numbers}
    for number, handler in previous.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _about_output(error: Exception) -> Exception:
    """Return an error of the standard output with its name, or any other error unchanged."""
    if isinstance(error, OSError) and error.filename is None:
        try:
            print(flush=True)
        except OSError as output_error:
            _drop_output()
            return OSError(output_error.errno, output_error.strerror, "the standard output")
    return error


def _drop_output() -> None:
    """Discard buffered output, which the interpreter would try to print at its end."""
    with suppress(OSError, ValueError):  # no file, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
