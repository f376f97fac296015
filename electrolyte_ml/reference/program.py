"""Run a program for one label in a folder, report its errors, and end it together with its caller.

The child processes of the program are ended as well if it fails, is interrupted, or this process ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from electrolyte_ml.errors import ElectrolyteError
from electrolyte_ml.processes import ONE_THREAD, end_processes_on_failure
from electrolyte_ml.reference.base import one_line
from electrolyte_ml.reference.label import LabelError

_TERMINATED = (-signal.SIGTERM, 128 + signal.SIGTERM)  # exit statuses of a program and of a shell around it


def run_program(
    command: Sequence[str], folder: Path, reason: Callable[[str, str], str] = lambda output, errors: ""
) -> str:
    """Run a command with one thread in a folder and return its standard output.

    Parameters
    ----------
    command
        Program and arguments.
    folder
        Working directory of the command.
    reason
        Function that finds the reason for a failure in standard output and standard error; by default, and if it
        returns an empty text, their last lines are the reason.

    Raises
    ------
    LabelError
        The command ends with an error; the message contains the end of its output.
    ElectrolyteError
        The command was ended by SIGTERM, as by a scheduler that cancels a job: the configuration is not at fault.
    """
    with (
        tempfile.TemporaryFile("w+", errors="replace") as output,
        tempfile.TemporaryFile("w+", errors="replace") as errors,
    ):
        process = None
        try:
            with end_processes_on_failure() as group:
                # Files, not pipes: a pipe ends only when the last of the program's own children has closed it.
                process = subprocess.Popen(
                    list(command),
                    cwd=folder,
                    env={**os.environ, **ONE_THREAD},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    process_group=group,
                )
                status = process.wait()
                printed, error_text = _content(output), _content(errors)
                if status in _TERMINATED:
                    raise ElectrolyteError(
                        f"{Path(command[0]).name} was ended by SIGTERM; call again to compute its label"
                    )
                if status != 0:
                    message = reason(printed, error_text) or tail(error_text) or tail(printed) or "no message"
                    end = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
                    raise LabelError(f"{Path(command[0]).name} failed with {end}: {message}")
        except BaseException:
            if process is not None:
                process.wait()
            raise
    return printed


def _content(stream: IO[str]) -> str:
    stream.seek(0)
    return stream.read()


def tail(text: str, lines: int = 5, characters: int = 400) -> str:
    """Return the last lines of a program's output as one line, without empty lines and separators."""
    filled = [line for line in text.splitlines() if line.strip(" *-=|")]
    return one_line(" / ".join(one_line(line) for line in filled[-lines:]))[-characters:] if filled else ""
