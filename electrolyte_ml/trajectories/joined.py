"""Parts of one run, joined to one trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.frames import Frame, Frames, VelocitySeries

if TYPE_CHECKING:
    from MDAnalysis import Universe


class JoinedFrames:
    """Parts of one run in order; a part may begin with the last frame of the previous part.

    Parameters
    ----------
    parts
        Parts in the order of their times.
    counted
        Whether to ignore the times of the parts, which may all start from 0, and to assume evenly spaced frames. A
        first frame with the same positions as the last frame of the previous part is then a repetition.

    Raises
    ------
    InputError
        The atoms of two parts differ, or a part begins before the previous one ends; with `counted`, the frames of two
        parts have different numbers of steps between them, or velocities have other times than positions.
    """

    def __init__(self, parts: Sequence[Frames], counted: bool = False) -> None:
        first = parts[0]
        for part in parts:
            if not np.array_equal(part.numbers, first.numbers):
                raise InputError(f"the atoms of {part.name} are not those of {first.name}")
        self.name = f"{first.name} and {len(parts) - 1} more"
        self.numbers, self.masses, self.bonds = first.numbers, first.masses, first.bonds
        self.times_known = not counted and all(part.times_known for part in parts)
        self.unwrapped = all(part.unwrapped for part in parts)
        self.cut_short = next((f"{part.name}: {part.cut_short}" for part in parts if part.cut_short), "")
        if counted:
            _check_alike(parts)
        self._frames: list[tuple[Frames, int]] = []
        self._counted = counted
        last, ends = -np.inf, np.empty(0)
        for part in parts:
            start, end = part.read(0).time, part.read(part.n_frames - 1).time
            if counted:
                begin = int(bool(self._frames) and np.array_equal(part.read(0).positions, ends))
                ends = part.read(part.n_frames - 1).positions
                self._frames.extend((part, k) for k in range(begin, part.n_frames))
                continue
            if start < last:
                raise InputError(
                    f"{part.name} begins at {start:g}, before the end of the previous part at {last:g}; if the times "
                    "of each part start from 0, give the time between frames (timestep_ps=, --timestep)"
                )
            self._frames.extend((part, k) for k in range(int(start == last), part.n_frames))
            last = end
        self.n_frames = len(self._frames)
        self._first, self.hints = first, first.hints
        self.stated_step, self.atomic_charges = first.stated_step, first.atomic_charges
        self.velocity_series: VelocitySeries | None = None
        if any(part.velocity_series is not None for part in parts):
            self.velocity_series = _JoinedVelocities(parts)

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""
        part, index = self._frames[k]
        frame = part.read(index)
        return frame._replace(time=float(k)) if self._counted else frame

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return the universe of the first part, for selections."""
        return self._first.universe(molecule)


def _check_alike(parts: Sequence[Frames]) -> None:
    """Check that all parts have the same number of steps between frames, and no separate series of velocities."""
    known: list[tuple[str, float]] = []
    for part in parts:
        if part.velocity_series is not None:
            raise InputError(
                f"{part.name} has velocities at other times than positions: such parts can only be joined by the times "
                "of the files, without a given time between frames"
            )
        step = part.read(1).time - part.read(0).time if part.n_frames > 1 else np.nan
        if np.isfinite(step) and step > 0:
            known.append((part.name, step))
    for name, step in known[1:]:
        first, expected = known[0]
        if abs(step - expected) > 1e-3 * expected:
            raise InputError(
                f"{name} has {step / expected:.4g} times as many steps between its frames as {first}: they cannot be "
                "joined with the same time between frames"
            )


class _JoinedVelocities:
    """Velocities of the parts of one run, without repeated times."""

    def __init__(self, parts: Sequence[Frames]) -> None:
        series = [part.velocity_series for part in parts]
        self.alone = all(item is not None and item.alone for item in series)
        self._places: list[tuple[VelocitySeries, int]] = []
        times: list[float] = []
        for item in series:
            for k, time in enumerate(() if item is None else item.times_ps.tolist()):
                if item is not None and (not times or time > times[-1]):
                    self._places.append((item, k))
                    times.append(time)
        self.times_ps = np.array(times)

    def read(self, k: int) -> np.ndarray:
        """Return the k-th velocities, counted from 0, (N, 3) Å/ps."""
        series, index = self._places[k]
        return series.read(index)
