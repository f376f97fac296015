"""Positions that no periodic boundary cuts: each atom is followed from frame to frame through a constant cell."""

from __future__ import annotations

import numpy as np

FARTHEST = 0.4  # of the cell, between two frames: beyond it an atom may have moved the other way round

_ONE_CELL = 1.001  # fractional coordinates of wrapped atoms span no more
_JUMP = 0.6  # of the cell, by which an atom that is wrapped jumps to the other side


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

    Attributes
    ----------
    jumps : bool
        Whether positions that should cross the faces of the cell have jumped to the other side of it.
    """

    def __init__(self, cell: np.ndarray, first: np.ndarray, whole: np.ndarray, *, already: bool) -> None:
        self._cell, self._inverse, self._already = cell, np.linalg.inv(cell), already
        self._image = np.rint((whole - first) @ self._inverse)  # (N, 3) cells to add
        self._before = first @ self._inverse  # (N, 3) fractional, as read
        self._ends = self._before.min(axis=0), self._before.max(axis=0)  # of all frames so far
        self.jumps = False

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
            fractional = positions @ self._inverse
            # Unwrapped atoms may go far between two frames, but have left the cell long before one goes through it.
            places = np.vstack([fractional, self._ends])
            self._ends = places.min(axis=0), places.max(axis=0)
            within = (self._ends[1] - self._ends[0]).max() < _ONE_CELL
            self.jumps |= bool(within and np.abs(fractional - self._before).max() > _JUMP)
            self._before = fractional
            return positions + self._image @ self._cell, np.zeros(len(positions))
        fractional = positions @ self._inverse
        change = fractional - self._before
        turns = np.rint(change)
        self._image -= turns
        self._before = fractional
        return positions + self._image @ self._cell, np.abs(change - turns).max(axis=1)
