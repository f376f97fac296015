"""Frames of extended XYZ files: their positions in the file are found once, and each is read on demand."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import overload

from ase import Atoms

from electrolyte_ml.checks import count_in
from electrolyte_ml.errors import InputError, first_line
from electrolyte_ml.structures.extxyz import check_frame
from electrolyte_ml.trajectories.configurations import AtomsFrames


def open_extxyz(path: Path) -> AtomsFrames:
    """Open an extended XYZ file; only complete frames are used.

    Raises
    ------
    InputError
        There is no complete frame, or a frame does not begin with a number of atoms.
    """
    places, cut_short = _find_frames(path)
    if not places:
        raise InputError(f"{path}: the file ends within its first frame")
    try:
        return AtomsFrames(_ConfigurationsOnDisk(path, places), str(path), cut_short)
    except InputError as error:
        raise InputError(f"{path}, frame 1: {error}") from error


class _ConfigurationsOnDisk(Sequence[Atoms]):
    """Configurations of a file, each parsed when it is accessed.

    Parameters
    ----------
    path
        File name.
    places
        (start, end) of each frame in the file, bytes.
    """

    def __init__(self, path: Path, places: Sequence[tuple[int, int]]) -> None:
        self._path, self._places = path, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, k: int) -> Atoms: ...

    @overload
    def __getitem__(self, k: slice) -> _ConfigurationsOnDisk: ...

    def __getitem__(self, k: int | slice) -> Atoms | _ConfigurationsOnDisk:
        from ase.io.extxyz import read_extxyz

        if isinstance(k, slice):
            return _ConfigurationsOnDisk(self._path, self._places[k])
        start, end = self._places[k]
        with open(self._path, "rb") as stream:
            stream.seek(start)
            data = stream.read(end - start)
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise InputError(f"line {line} of the frame is not UTF-8 text") from error
        check_frame(text.splitlines())
        try:
            return next(read_extxyz(StringIO(text), 0))
        except KeyError as error:
            raise InputError(f"{error.args[0]!r} is not a known element or column") from error
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise InputError(first_line(error)) from error


def _find_frames(path: Path) -> tuple[list[tuple[int, int]], str]:
    """Return start and end (bytes) of every complete frame, and a description of a truncated last frame or ""."""
    places: list[tuple[int, int]] = []
    with open(path, "rb") as stream:
        while True:
            start = stream.tell()
            line = stream.readline()
            if not line:
                return places, ""
            if start == 0 and line.startswith(BOM_UTF8):
                start, line = len(BOM_UTF8), line.removeprefix(BOM_UTF8)
            if not line.strip():
                continue
            count = count_in(line)
            if count is None:
                raise InputError(f"{path}: frame {len(places) + 1} does not begin with a number of atoms")
            lines = list(islice(stream, count + 1))
            if len(lines) <= count or (not lines[-1].endswith(b"\n") and not _is_whole(lines)):
                return places, f"the file ends within frame {len(places) + 1}"
            places.append((start, stream.tell()))


def _is_whole(lines: Sequence[bytes]) -> bool:
    """Return whether the last line, without a line end, has as many columns and decimals as the line before it.

    A truncated number can still be read, as another number.
    """
    before, last = lines[-2].split(), lines[-1].split()
    if not last or len(lines) < 3:  # a single atom has no other line for comparison
        return bool(last)
    return len(last) == len(before) and len(last[-1].partition(b".")[2]) == len(before[-1].partition(b".")[2])
