"""Frames of GROMACS .trr files: big-endian, single precision, in nm and ps.

Frames are independent of each other, and all frames of a run have the same length: a truncated file loses only its last
frame, and all others are read in one step. MDAnalysis, GROMACS, VMD, OVITO and MDTraj can read these files.
"""

from __future__ import annotations

import mmap
import struct
from typing import NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError

_HEADER = struct.Struct(">3i12s13i2f")  # magic, title, thirteen sizes and counts, time, lambda
_MAGIC = (1993, 13, 12, b"GMX_trn_file")
_BEGINNING = struct.pack(">3i12s", *_MAGIC)
_COUNT, _STEP = 10, 11  # indices among the thirteen integers


class TrrFrames(NamedTuple):
    """Frames of n particles.

    Attributes
    ----------
    steps, times_ps
        (F,)
    cells
        (F, 3, 3) Å, vectors as rows.
    positions, velocities
        (F, n, 3) Å; Å/ps.
    """

    steps: np.ndarray
    times_ps: np.ndarray
    cells: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray


def is_trr(content: bytes) -> bool:
    """Return whether content, which may be truncated, is that of a .trr file."""
    return content.startswith(_BEGINNING[: len(content)])


def frame_size(n: int) -> int:
    """Return the size of a frame of n particles, bytes."""
    return _HEADER.size + 4 * (9 + 6 * n)


def encode(positions: np.ndarray, velocities: np.ndarray, cell: np.ndarray, step: int, time_ps: float) -> bytes:
    """Return the bytes of one frame: box, positions and velocities in single precision (1e-6 Å in a box of 20 Å).

    Parameters
    ----------
    positions, velocities
        (n, 3) Å and Å/ps.
    cell
        (3, 3) Å, lower triangular, because readers use only its three lengths and three angles.
    step, time_ps
        Step and time of the frame.
    """
    n = len(positions)
    header = _HEADER.pack(*_MAGIC, 0, 0, 36, 0, 0, 0, 0, 12 * n, 12 * n, 0, n, step, 0, time_ps, 0.0)
    return b"".join([header, *(np.asarray(values / 10.0, ">f4").tobytes() for values in (cell, positions, velocities))])


def decode(content: bytes, n: int) -> TrrFrames:
    """Return the complete frames of n particles in the content of a file; a truncated last frame is left out.

    Raises
    ------
    InputError
        A frame has another number of particles.
    """
    layout = np.dtype(
        [
            ("start", "V24"),
            ("counts", ">i4", (13,)),
            ("time", ">f4"),
            ("lambda", ">f4"),
            ("cell", ">f4", (3, 3)),
            ("positions", ">f4", (n, 3)),
            ("velocities", ">f4", (n, 3)),
        ]
    )
    frames = np.frombuffer(content, layout, len(content) // layout.itemsize)
    other = frames["counts"][:, _COUNT] != n
    if other.any():
        count = frames["counts"][other.argmax(), _COUNT]
        raise InputError(f"a frame has {count} atoms instead of {n}")
    values = (10.0 * frames[name].astype(float) for name in ("cell", "positions", "velocities"))
    return TrrFrames(frames["counts"][:, _STEP].astype(int), frames["time"].astype(float), *values)


def contents(content: bytes | mmap.mmap) -> np.ndarray:
    """Return whether each frame contains positions and velocities, (F, 2) bool; the last may be truncated.

    Raises
    ------
    InputError
        A header is damaged; the library that reads these files would not notice it.
    """
    has_vectors: list[tuple[bool, bool]] = []
    start = atoms = 0
    while start + _HEADER.size <= len(content):
        sizes = struct.unpack_from(">13i", content, start + len(_BEGINNING))
        n = sizes[_COUNT]
        atoms = atoms or n
        double = sizes[2] == 72 or 24 * n in sizes[7:10]
        matrix, vector = (72, 24 * n) if double else (36, 12 * n)
        whole = (0, 0, matrix, matrix, matrix, 0, 0, vector, vector, vector)  # GROMACS never writes the parts of size 0
        sound = content[start : start + len(_BEGINNING)] == _BEGINNING and n == atoms > 0
        if not sound or any(size not in (0, full) for size, full in zip(sizes, whole)):
            raise InputError(f"it is damaged: the header of frame {len(has_vectors) + 1} is not that of a .trr file")
        has_vectors.append((sizes[7] > 0, sizes[8] > 0))
        start += _HEADER.size + (8 if double else 0) + sum(sizes[:10])
    return np.array(has_vectors, dtype=bool).reshape(-1, 2)
