"""The parts of one run as one trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.frames import Frame, Frames, VelocitySeries

if TYPE_CHECKING:
    from MDAnalysis import Universe


class JoinedFrames:
    """Parts of one run, one after the other; a part may begin with the last frame of the part before it.

    Parameters
    ----------
    parts
        In the order of their times.
    counted
        The frames are evenly spaced whatever times the parts give, each of which may count from its own start. A frame
        with the positions of the one before it is then taken for the same one.

    Raises
    ------
    InputError
        If the atoms of two parts differ, or a part begins before the one in front of it ends; with `counted`, if the
        frames of two parts have different numbers of steps between them, or velocities times of their own.
    """

    def __init__(self, parts: Sequence[Frames], counted: bool = False) -> None:
        first = parts[0]
        for part in parts:
            if not np.array_equal(part.numbers, first.numbers):
                raise InputError(f"{part.name} does not hold the atoms of {first.name}")
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
                    f"{part.name} begins at {start:g}, before the part in front of it ends at {last:g}; if each counts "
                    "from its own start, give the time between frames (timestep_ps=, --timestep)"
                )
            self._frames.extend((part, k) for k in range(int(start == last), part.n_frames))
            last = end
        self.n_frames = len(self._frames)
        self._first, self.hints = first, first.hints
        self.velocity_series: VelocitySeries | None = None
        if any(part.velocity_series is not None for part in parts):
            self.velocity_series = _JoinedVelocities(parts)

    def read(self, k: int) -> Frame:
        """Return frame k, counted from 0."""
        part, index = self._frames[k]
        frame = part.read(index)
        return frame._replace(time=float(k)) if self._counted else frame

    def universe(self, molecule: np.ndarray) -> Universe:
        """Return the universe of the first part, to select from."""
        return self._first.universe(molecule)


def _check_alike(parts: Sequence[Frames]) -> None:
    """Refuse parts that count different numbers of steps between their frames, or that have velocities in others."""
    known: list[tuple[str, float]] = []
    for part in parts:
        if part.velocity_series is not None:
            raise InputError(
                f"{part.name} has velocities at times of their own: parts are then joined by the times of the files "
                "alone, without a time between frames"
            )
        step = part.read(1).time - part.read(0).time if part.n_frames > 1 else np.nan
        if np.isfinite(step) and step > 0:
            known.append((part.name, step))
    for name, step in known[1:]:
        first, expected = known[0]
        if abs(step - expected) > 1e-3 * expected:
            raise InputError(
                f"{name} counts {step / expected:.4g} times as many steps between its frames as {first}: they are not "
                "evenly spaced with one time between frames"
            )


class _JoinedVelocities:
    """Velocities of the parts of one run, each time once."""

    def __init__(self, parts: Sequence[Frames]) -> None:
        series = [part.velocity_series for part in parts]
        self.alone = all(one is not None and one.alone for one in series)
        self._places: list[tuple[VelocitySeries, int]] = []
        times: list[float] = []
        for one in series:
            for k, time in enumerate(() if one is None else one.times_ps.tolist()):
                if one is not None and (not times or time > times[-1]):
                    self._places.append((one, k))
                    times.append(time)
        self.times_ps = np.array(times)

    def read(self, k: int) -> np.ndarray:
        """Return velocities k, counted from 0, (N, 3) Å/ps."""
        series, index = self._places[k]
        return series.read(index)
