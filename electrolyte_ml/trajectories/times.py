"""Times of evenly spaced frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from electrolyte_ml.checks import number
from electrolyte_ml.errors import InputError
from electrolyte_ml.trajectories.checked import CheckedFrames

_EVENNESS = 2e-3  # of the step: the largest error of a time


@dataclass(frozen=True)
class FrameTimes:
    """Times of all frames of a file.

    Attributes
    ----------
    start, step
        Time of the first frame and between frames, in the unit of the file; the step is None for a single frame.
    unit_ps
        That unit in ps; None when it is unknown.
    in_file
        Whether the file gives the times; else frames are counted.
    """

    start: float
    step: float | None
    unit_ps: float | None
    in_file: bool

    @classmethod
    def of(cls, frames: CheckedFrames, timestep_ps: float | None) -> FrameTimes:
        """Find the times from the first two frames and the last.

        Parameters
        ----------
        frames
            All frames of the file.
        timestep_ps
            Time between frames, in place of the file's.

        Raises
        ------
        InputError
            If the frames are not evenly spaced in time, or `timestep_ps` is not positive.
        """
        if timestep_ps is not None:
            number("the time between frames", timestep_ps, "ps")
        n = frames.n_frames
        first, second, last = (frames.read(k).time for k in (0, min(1, n - 1), n - 1))
        if not np.isfinite([first, second, last]).all() or (n == 1 and timestep_ps is not None):
            return cls(0.0, 1.0, timestep_ps, False)
        unit = 1.0 if frames.reader.times_known else None
        if n == 1:
            return cls(first, None, unit, True)
        step, mean = second - first, (last - first) / (n - 1)
        if step <= 0 or abs(mean - step) > 1e-3 * step + _rounding(last):
            raise InputError(
                f"{frames.name}: its frames are not evenly spaced in time ({step:g} between the first two, {mean:g} on "
                "average)"
            )
        return cls(first, mean, unit if timestep_ps is None else timestep_ps / mean, True)

    @property
    def step_ps(self) -> float | None:
        """Time between frames; None when it is unknown."""
        return None if self.unit_ps is None or self.step is None else self.step * self.unit_ps

    def of_frames(self, chosen: range) -> np.ndarray:
        """(n,) ps, of chosen frames of the file; times count from 0 where they are unknown."""
        unit, step = self.unit_ps or 0.0, self.step or 0.0
        return unit * (self.start + step * np.asarray(chosen, float))

    def is_even(self, k: int, time: float, stride: int) -> bool:
        """Whether frame k of the file stands at its time; true where times are unknown."""
        if not self.in_file or not np.isfinite(time) or self.step is None:
            return True
        return abs(time - self.expected(k)) <= _EVENNESS * self.step * stride + _rounding(self.expected(k))

    def expected(self, k: int) -> float:
        """Return the time of frame k, in the unit of the file."""
        return self.start + k * (self.step or 0.0)


def _rounding(time: float) -> float:
    """Return the error of a time that was written in single precision."""
    return 4.0 * float(np.finfo(np.float32).eps) * abs(time)
