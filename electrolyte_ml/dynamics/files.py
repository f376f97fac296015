"""The files of one run: growing ones (log.csv, trajectory.trr, saved.xyz, records) and restart.npz, which is replaced.

The restart file stores the length that each growing file had when the restart file was written. When a killed run
resumes, everything after that length is cut off and written again, so that no row or frame is lost or written twice.
A run without a directory keeps the same bytes in memory.

Rows and frames are handed to the operating system at once. Flushing them to the disk takes milliseconds, longer on a
network disk; a thread does it while the run continues.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.files import atomic_write, naming, parse_json, read_arrays
from electrolyte_ml.locks import hold_folder

GROWING = ("log.csv", "trajectory.trr", "saved.xyz")
LOCK_PATIENCE = 10.0  # s; workers of a killed program take a moment to end


class RunFiles:
    """Growing files and restart file of a run, as a context manager that holds the directory's lock.

    Parameters
    ----------
    directory
        Folder of the files, made when missing; None keeps everything in memory.
    records
        Names of further growing files.

    Raises
    ------
    InputError
        If another process is running in the directory.
    """

    def __init__(self, directory: Path | None, records: Sequence[str] = ()) -> None:
        self.directory, self.growing = directory, (*GROWING, *records)
        self.streams: dict[str, BinaryIO] = {}
        self._lock = ExitStack()
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="electrolyte_ml files")
        self._flushing: Future[None] | None = None

    def __enter__(self) -> RunFiles:
        if self.directory is not None:
            self._lock.enter_context(hold_folder(self.directory, LOCK_PATIENCE))
        return self

    def __exit__(self, exception: type[BaseException] | None, *rest: object) -> None:
        try:
            self._flusher.shutdown()
            if exception is None:  # otherwise that exception is reported
                self.settle()
        finally:
            for stream in self.streams.values():
                stream.close()
            self._lock.close()

    def open(self, lengths: dict[str, int] | None = None) -> None:
        """Open the growing files and cut them to the given lengths (bytes); to empty files by default.

        Raises
        ------
        InputError
            If a file is shorter than its length in the restart file.
        """
        for name in self.growing:
            length = lengths[name] if lengths else 0
            if self.directory is None:
                self.streams[name] = io.BytesIO()
                continue
            path = self.directory / name
            stream = open(path, "ab", buffering=0)  # noqa: SIM115 - every write is one whole row or frame
            if stream.tell() < length:
                raise InputError(f"{path} has {stream.tell()} bytes, fewer than the {length} of the restart file")
            with naming(path):
                stream.truncate(length)
            self.streams[name] = stream

    def append(self, name: str, content: bytes) -> None:
        """Write one row or frame to the end of a growing file."""
        stream = self.streams[name]
        with naming(self.place(name)):
            written = stream.write(content)
            while written < len(content):  # an unbuffered write may be partial; on a full disk the next one raises
                written += stream.write(content[written:])

    def place(self, name: str) -> Path:
        """Return the path of a file of the run, for messages."""
        return Path(name) if self.directory is None else self.directory / name

    def read(self, name: str) -> bytes:
        """Return the whole content of a growing file."""
        if self.directory is None:
            return self.streams[name].getvalue()  # type: ignore[attr-defined]
        return (self.directory / name).read_bytes()

    def write_restart(self, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
        """Flush the growing files to the disk, then replace the restart file, in a thread while the run continues.

        Raises
        ------
        OSError
            If the previous restart file could not be written.
        """
        if self.directory is None:
            return
        self.settle()
        meta = meta | {"lengths": {name: stream.seek(0, os.SEEK_END) for name, stream in self.streams.items()}}
        content = io.BytesIO()
        np.savez(content, **cast(Any, arrays | {"meta": np.array(json.dumps(meta))}))
        self._flushing = self._flusher.submit(self._flush, self.directory / "restart.npz", content.getvalue())

    def _flush(self, path: Path, content: bytes) -> None:
        for name, stream in self.streams.items():
            with naming(path.with_name(name)):
                os.fsync(stream.fileno())
        atomic_write(path, content)

    def settle(self) -> None:
        """Wait until the restart file being written is on the disk.

        Raises
        ------
        OSError
            If the file could not be written.
        """
        if self._flushing is not None:
            self._flushing.result()

    def read_restart(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return arrays and metadata of the restart file, or None if there is no such file yet.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        if self.directory is None:
            return None
        path = self.directory / "restart.npz"
        try:
            arrays = read_arrays(path, ["meta"])
            meta = parse_json(str(arrays.pop("meta")))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is not a restart file ({first_line(error)})") from None
        if not isinstance(meta, dict):
            raise InputError(f"{path} is not a restart file (its metadata is not a JSON object)")
        return arrays, meta
