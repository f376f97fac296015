"""Unwrapping of positions: each atom is followed from frame to frame across the boundaries of a constant cell."""

from __future__ import annotations

import numpy as np

FARTHEST = 0.4  # largest reliable move between two frames, in cells; the direction of a longer move is ambiguous

_ONE_CELL = 1.001  # largest span of the fractional coordinates of wrapped atoms
_JUMP = 0.6  # smallest jump of an atom that is wrapped to the other side, in cells


class Unwrapper:
    """Unwrapper of positions in a constant cell.

    Parameters
    ----------
    cell
        (3, 3) Å, vectors as rows.
    first, whole
        (N, 3) Å, positions of the first frame as read from the file, and with unbroken molecules.
    already
        Whether the positions in the file are unwrapped; then only the molecules of the first frame are joined.

    Attributes
    ----------
    jumps : bool
        Whether positions that should be unwrapped have jumped to the other side of the cell.
    """

    def __init__(self, cell: np.ndarray, first: np.ndarray, whole: np.ndarray, *, already: bool) -> None:
        self._cell, self._inverse, self._already = cell, np.linalg.inv(cell), already
        self._image = np.rint((whole - first) @ self._inverse)  # (N, 3) cells to add
        self._before = first @ self._inverse  # (N, 3) fractional, as read
        self._ends = self._before.min(axis=0), self._before.max(axis=0)  # range over all frames so far
        self.jumps = False

    def follow(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unwrap the next frame.

        Parameters
        ----------
        positions
            (N, 3) Å, as read from the file.

        Returns
        -------
        unwrapped, moved
            (N, 3) Å; (N,) largest change of a fractional coordinate of each atom. If it exceeds :data:`FARTHEST`, the
            result is not reliable.
        """
        if self._already:
            fractional = positions @ self._inverse
            # Unwrapped atoms may move far between two frames, but then the atoms span more than one cell.
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
