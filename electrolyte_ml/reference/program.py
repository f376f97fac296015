"""Run a program for one label in one folder, report its errors, and end it with its caller.

The program's own children end with it where it fails or is interrupted, and where this process ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from electrolyte_ml.parallel import ONE_THREAD
from electrolyte_ml.processes import end_processes_on_failure
from electrolyte_ml.reference.base import one_line
from electrolyte_ml.reference.label import LabelError


def run_program(
    command: Sequence[str], folder: Path, reason: Callable[[str, str], str] = lambda output, errors: ""
) -> str:
    """Run a command with one thread in a folder and return what it printed on its standard output.

    Parameters
    ----------
    command
        Program and arguments.
    folder
        Its working directory.
    reason
        Finds the reason of a failure in standard output and standard error; by default their last lines are the reason.

    Raises
    ------
    LabelError
        If it ends with an error; the message holds the end of its output.
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
                printed, complaints = _content(output), _content(errors)
                if status != 0:
                    why = reason(printed, complaints) or tail(complaints) or tail(printed) or "no message"
                    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
                    raise LabelError(f"{Path(command[0]).name} failed with {how}: {why}")
        except BaseException:
            if process is not None:
                process.wait()
            raise
    return printed


def _content(stream: IO[str]) -> str:
    stream.seek(0)
    return stream.read()


def tail(text: str, lines: int = 5, characters: int = 400) -> str:
    """Return the last lines of a program's output as one line, without empty lines and rules."""
    filled = [line for line in text.splitlines() if line.strip(" *-=|")]
    return one_line(" / ".join(one_line(line) for line in filled[-lines:]))[-characters:] if filled else ""
