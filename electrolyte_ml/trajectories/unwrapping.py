"""Unwrapping of positions: each atom is followed from frame to frame across the boundaries of a constant cell.

An atom at the end of a molecule may move by half a small cell while its molecule moves by much less. So the mean move
of each molecule is found first, and the move of each atom is the one that is nearest to it.
"""

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
    labels
        (N,) molecule of each atom, counted from 0.
    already
        Whether the positions in the file are unwrapped; then only the molecules of the first frame are joined.

    Attributes
    ----------
    jumps : bool
        Whether positions that should be unwrapped have jumped to the other side of the cell.
    """

    def __init__(
        self, cell: np.ndarray, first: np.ndarray, whole: np.ndarray, labels: np.ndarray, *, already: bool
    ) -> None:
        self._cell, self._inverse, self._already = cell, np.linalg.inv(cell), already
        self._labels = labels
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
            (N, 3) Å; (N,) largest change of a fractional coordinate, of each atom relative to its molecule or of that
            molecule. If it exceeds :data:`FARTHEST`, the result is not reliable.
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
        common = self._common(change)
        turns = np.rint(change - common)
        self._image -= turns
        self._before = fractional
        moved = np.maximum(np.abs(common), np.abs(change - turns - common))
        return positions + self._image @ self._cell, moved.max(axis=1)

    def _common(self, change: np.ndarray) -> np.ndarray:
        """Return the mean change (N, 3) of each atom's molecule: a mean of angles, since 1 is a whole turn."""
        turned = np.exp(2j * np.pi * change)
        sums = np.zeros((self._labels.max() + 1, 3), dtype=complex)
        np.add.at(sums, self._labels, turned)
        return (np.angle(sums) / (2 * np.pi))[self._labels]
