"""Environment of worker processes, and termination of all processes that this program has started.

A process inherits its parent's environment and keeps it in another group, in another session and under another parent.
A mark in the environment therefore identifies them all, on systems that show environments (Linux).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

# One thread in each process: more would compete for the same cores.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
    ),
    "1",
)
_VARIABLE = "ELECTROLYTE_ML_STARTED_BY"
_GRACE = 1.0  # s between SIGTERM, which mpirun and srun forward to other machines, and SIGKILL
_LONGEST = 5.0  # s after which processes that SIGKILL does not end (they wait for a disk) are given up
# Run by a process of its own, which waits for the end of a pipe that the process to be watched alone holds open. The
# second SIGKILL is for what was started while the first one was sent.
_WATCH = f"""
read _
for signal in TERM KILL KILL; do
    for file in $(grep -lsF "$0" /proc/[0-9]*/environ); do
        pid=${{file#/proc/}}
        kill -$signal ${{pid%/environ}}
    done
    sleep {_GRACE:g}
done
kill -KILL 0
"""


def add_mark(mark: str) -> None:
    """Mark all processes that this process starts from now on."""
    os.environ[_VARIABLE] = f"{os.environ.get(_VARIABLE, '')}/{mark}"


@contextlib.contextmanager
def end_processes_on_failure() -> Iterator[int]:
    """End all that was started in the block if an exception, an interrupt too, leaves it, or if this process is killed.

    Yields
    ------
    int
        A process group to start programs in: where the system does not show marks, the group at least is ended.
    """
    before = os.environ.get(_VARIABLE)
    mark = uuid.uuid4().hex
    with _watcher(mark) as group:
        add_mark(mark)
        try:
            yield group
        except BaseException:
            end_marked(mark)
            kill_group(group)
            raise
        finally:
            if before is None:
                os.environ.pop(_VARIABLE, None)
            else:
                os.environ[_VARIABLE] = before


@contextlib.contextmanager
def _watcher(mark: str) -> Iterator[int]:
    """Start a process that ends all with a mark, and its own process group, when this process ends; return the group.

    It ends them even after a SIGKILL of this process.
    """
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        yield watcher.pid
    finally:
        watcher.kill()
        watcher.communicate()


def end_marked(mark: str, grace: float = _GRACE) -> None:
    """End every process with a mark, first by SIGTERM and after the grace time by SIGKILL.

    Parameters
    ----------
    mark
        The mark, as given to `add_mark`.
    grace
        Seconds between SIGTERM and SIGKILL, in which a process may end by itself.
    """
    begin = time.monotonic()
    terminated: set[int] = set()
    while (running := _marked(mark)) and (passed := time.monotonic() - begin) < _LONGEST:
        for pid in running:
            if passed >= grace or pid not in terminated:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL if passed >= grace else signal.SIGTERM)
        terminated.update(running)
        time.sleep(0.02)


def kill_group(leader: int) -> None:
    """Kill a process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _marked(mark: str) -> list[int]:
    """Return the numbers of the running processes with a mark; a process that has ended has no environment."""
    numbers = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has ended meanwhile, or belongs to another user
            if mark.encode() in (entry / "environ").read_bytes() and int(entry.name) != os.getpid():
                numbers.append(int(entry.name))
    return numbers
