"""Times of frames, with a check that they are evenly spaced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from electrolyte_ml.checks import number
from electrolyte_ml.trajectories.checked import CheckedFrames

_EVENNESS = 2e-3  # largest error of a time, as a fraction of the step


@dataclass
class FrameTimes:
    """Times of the chosen frames of a file.

    Attributes
    ----------
    start, step
        Time of the first frame, and time between frames (None for a single frame), in the unit of the file.
    unit_ps
        Unit of the file in ps; None if it is unknown.
    in_file
        Whether the file contains the times; otherwise frames are counted.
    uneven
        Description of the first frame that is not at its expected time; empty for evenly spaced frames.
    """

    start: float
    step: float | None
    unit_ps: float | None
    in_file: bool
    uneven: str = ""

    @classmethod
    def of(cls, frames: CheckedFrames, chosen: range, timestep_ps: float | None) -> FrameTimes:
        """Find the times from the first two of the chosen frames and the last.

        Parameters
        ----------
        frames
            All frames of the file.
        chosen
            Indices of the chosen frames.
        timestep_ps
            Time between frames of the file; replaces the times in the file.

        Raises
        ------
        InputError
            `timestep_ps` is not positive.
        """
        if timestep_ps is not None:
            number("the time between frames", timestep_ps, "ps")
        n = len(chosen)
        first, second, last = (frames.read(chosen[k]).time for k in (0, min(1, n - 1), n - 1))
        if not np.isfinite([first, second, last]).all() or (n == 1 and timestep_ps is not None):
            return cls(float(chosen[0]), float(chosen.step), timestep_ps, False)
        unit = 1.0 if frames.reader.times_known else None
        if n == 1:
            return cls(first, None, unit, True)
        step, mean = second - first, (last - first) / (n - 1)
        if step <= 0 or abs(mean - step) > 1e-3 * step + _rounding(last):
            return cls(first, None, None, True, f"{step:g} between the first two, {mean:g} on average")
        return cls(first, mean, unit if timestep_ps is None else timestep_ps * chosen.step / mean, True)

    @property
    def step_ps(self) -> float | None:
        """Time between the chosen frames; None if it is unknown."""
        return None if self.unit_ps is None or self.step is None or self.uneven else self.step * self.unit_ps

    def of_frames(self, n: int) -> np.ndarray:
        """Return the times (ps) of the first n frames, (n,); zeros if the unit is unknown."""
        return (self.unit_ps or 0.0) * (self.start + (self.step or 0.0) * np.arange(n, dtype=float))

    def check(self, k: int, index: int, time: float) -> None:
        """Check the time of chosen frame k, at `index` in the file; describe a deviation in `uneven`."""
        if self.uneven or not self.in_file or not np.isfinite(time) or self.step is None:
            return
        expected = self.start + k * self.step
        if abs(time - expected) > _EVENNESS * self.step + _rounding(expected):
            self.uneven = f"frame {index + 1} is at {time:g}, not {expected:g}"


def _rounding(time: float) -> float:
    """Return the rounding error of a time written in single precision."""
    return 4.0 * float(np.finfo(np.float32).eps) * abs(time)
