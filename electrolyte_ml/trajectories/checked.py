"""Checked frames with a cell: every error names the file and the frame."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.frames import Frame, Frames


class PeriodicFrame(NamedTuple):
    """Frame with a cell.

    Attributes
    ----------
    positions
        (N, 3) Å.
    cell
        (3, 3) Å, vectors as rows.
    velocities
        (N, 3) Å/ps or None.
    time
        As in :class:`electrolyte_ml.trajectories.frames.Frame`.
    """

    positions: np.ndarray
    cell: np.ndarray
    velocities: np.ndarray | None
    time: float


class CheckedFrames:
    """Checked frames of a reader.

    Parameters
    ----------
    frames
        Reader of the frames.
    cell
        Cell (Å) that replaces that of the file: one length, three lengths, three lengths and three angles (degrees), or
        a (3, 3) matrix.

    Attributes
    ----------
    reader
        Reader of the frames.
    name, n_frames
        Name and number of frames of the reader.

    Raises
    ------
    InputError
        `cell` is not a cell.
    """

    def __init__(self, frames: Frames, cell: Any = None) -> None:
        self.reader, self.name, self.n_frames = frames, frames.name, frames.n_frames
        self._cell = _as_cell(cell)

    def read(self, k: int) -> PeriodicFrame:
        """Return frame k, counted from 0.

        Raises
        ------
        InputError
            The frame cannot be read, has no cell or a cell without a volume, or contains positions that are not finite.
        """
        frame = self._read(k)
        cell = frame.cell if self._cell is None else self._cell
        if cell is None:
            raise InputError(f"{self.name}: frame {k + 1} has no cell: give its three lengths in Å (cell=, --cell)")
        if not _has_volume(cell):
            raise InputError(f"{self.name}, frame {k + 1}: the cell has no volume; give another (cell=, --cell)")
        finite = np.isfinite(frame.positions).all(axis=1)
        if not finite.all():
            wrong = int(np.argmin(finite))
            raise InputError(f"{self.name}, frame {k + 1}: the position of atom {wrong + 1} is not finite")
        return PeriodicFrame(frame.positions, cell, frame.velocities, frame.time)

    def _read(self, k: int) -> Frame:
        try:
            return self.reader.read(k)
        except InputError as error:
            raise InputError(f"{self.name}, frame {k + 1}: {error}") from error
        except Exception as error:  # each format raises its own errors
            raise InputError(
                f"{self.name}: frame {k + 1} cannot be read ({' '.join(str(error).split())}); the {k} before it can"
            ) from error


def _as_cell(cell: Any) -> np.ndarray | None:
    if cell is None:
        return None
    from ase.cell import Cell

    values = np.asarray(cell, dtype=float)
    try:
        matrix = np.asarray(Cell.new(np.full(3, values) if values.ndim == 0 else values))
    except ValueError:
        raise InputError(
            f"a cell is one length, three lengths, three lengths and three angles, or a (3, 3) matrix, not {cell!r}"
        ) from None
    if not _has_volume(matrix):
        raise InputError(f"the cell {cell!r} has no volume")
    return matrix


def _has_volume(cell: np.ndarray) -> bool:
    return bool(np.isfinite(cell).all() and abs(np.linalg.det(cell)) >= 1e-6)
