"""File locks that the operating system releases when the process ends or is killed. POSIX only (`fcntl`)."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from electrolyte_ml.errors import InputError
from electrolyte_ml.files import naming


@contextmanager
def hold_folder(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold a folder's lock file, ``.lock``, while the context lasts; the folder is made if it is missing.

    Parameters
    ----------
    folder
        The folder to lock.
    patience
        Seconds to wait for another process that holds the lock: workers of a killed program take a moment to end.

    Raises
    ------
    InputError
        The path is not a folder, or another process holds the lock (the message gives the number of that process).
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    path = folder / ".lock"
    with open(path, "a+b", buffering=0) as stream:
        while True:
            try:
                with naming(path):
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    stream.seek(0)
                    holder = stream.read().decode(errors="replace").strip() or "unknown"
                    raise InputError(f"{folder} is in use by another process ({holder})") from None
                time.sleep(0.1)
        with naming(path):
            stream.truncate(0)
            stream.write(f"process {os.getpid()}".encode())
        yield


@contextmanager
def hold_byte(descriptor: int, offset: int) -> Iterator[None]:
    """Lock one byte of an open file while the context lasts; wait for other processes that hold the lock.

    On a file system without locks nothing is locked.
    """
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, offset)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, offset)
