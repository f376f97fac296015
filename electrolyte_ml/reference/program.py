"""Run a program for one label in one folder, report its errors, and end it with its caller."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from electrolyte_ml.parallel import ONE_THREAD
from electrolyte_ml.reference.base import one_line
from electrolyte_ml.reference.label import LabelError

_PR_SET_PDEATHSIG = 1
# Loaded here because a forked child must not import anything between fork and exec.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


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
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env={**os.environ, **ONE_THREAD},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=_end_with_caller,
    )
    try:
        output, errors = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        status = process.returncode
        why = reason(output, errors) or tail(errors) or tail(output) or "no message"
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        raise LabelError(f"{Path(command[0]).name} failed with {how}: {why}")
    return output


def tail(text: str, lines: int = 5, characters: int = 400) -> str:
    """Return the last lines of a program's output as one line, without empty lines and rules."""
    filled = [line for line in text.splitlines() if line.strip(" *-=|")]
    return one_line(" / ".join(one_line(line) for line in filled[-lines:]))[-characters:] if filled else ""


def _end_with_caller() -> None:
    """Let Linux kill this child process when the thread that waits for it ends in any way."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
