"""Positions that no periodic boundary cuts: each atom is followed from frame to frame through a constant cell."""

from __future__ import annotations

import numpy as np

FARTHEST = 0.4  # of the cell, between two frames: beyond it an atom may have moved the other way round


class Unwrapper:
    """Follows atoms across the faces of a constant cell.

    Parameters
    ----------
    cell
        (3, 3) Å, vectors as rows.
    first, whole
        (N, 3) Å, positions of the first frame as they were read, and with its molecules in one piece.
    already
        Whether the positions cross the faces of the cell in the file: only the molecules of the first frame are then
        made whole.
    """

    def __init__(self, cell: np.ndarray, first: np.ndarray, whole: np.ndarray, *, already: bool) -> None:
        self._cell, self._inverse, self._already = cell, np.linalg.inv(cell), already
        self._image = np.rint((whole - first) @ self._inverse)  # (N, 3) cells to add
        self._before = first @ self._inverse  # (N, 3) fractional, as read

    def follow(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unwrap the next frame.

        Parameters
        ----------
        positions
            (N, 3) Å, as read.

        Returns
        -------
        unwrapped, moved
            (N, 3) Å; (N,) by how much of the cell each atom has moved, along the cell's vector along which it moved
            most. Beyond :data:`FARTHEST` the result is not reliable.
        """
        if self._already:
            return positions + self._image @ self._cell, np.zeros(len(positions))
        fractional = positions @ self._inverse
        change = fractional - self._before
        turns = np.rint(change)
        self._image -= turns
        self._before = fractional
        return positions + self._image @ self._cell, np.abs(change - turns).max(axis=1)
