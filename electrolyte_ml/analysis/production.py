"""Expected error of a conductivity, simulated time for a given error, and counts of completed runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from electrolyte_ml.errors import InputError


def expected_error(tau_ps: float, total_ps: float) -> float:
    """Return the expected relative error of a conductivity, sqrt(4 tau / (3 T)).

    Parameters
    ----------
    tau_ps
        Upper limit of the integral; for an average over the window [a, b] it is a + (b - a) / 3: 300 ps for the paper's
        200-500 ps.
    total_ps
        Length of all trajectories together.

    Raises
    ------
    InputError
        A time is not positive.
    """
    if not (tau_ps > 0 and total_ps > 0):
        raise InputError("the correlation time and the length of the runs must be positive")
    return float(np.sqrt(4.0 * tau_ps / (3.0 * total_ps)))


def needed_time(tau_ps: float, error: float) -> float:
    """Return the total length for a relative error, 4 tau / (3 error²), ps; the inverse of :func:`expected_error`.

    Raises
    ------
    InputError
        The time or the error is not positive.
    """
    if not (tau_ps > 0 and error > 0):
        raise InputError("the correlation time and the wanted error must be positive")
    return 4.0 * tau_ps / (3.0 * error**2)


UNFINISHED = "unfinished"  # state of a run that has not ended


@dataclass(frozen=True)
class Production:
    """Outcome of the runs of one condition (Table 1).

    Attributes
    ----------
    planned, completed
        Number of planned and of completed runs.
    failures
        Reason -> number of runs that ended for this reason.
    completed_ps, lost_ps
        Total length of the completed runs, and of the failed runs.
    """

    planned: int
    completed: int
    failures: Mapping[str, int]
    completed_ps: float
    lost_ps: float

    @classmethod
    def of(cls, runs: Sequence[tuple[float, str]]) -> Production:
        """Count runs, each given by its length (ps) and "completed", `UNFINISHED`, or the reason of its end.

        Raises
        ------
        InputError
            There is no run.
        """
        if not runs:
            raise InputError("there is no run to count")
        failures: dict[str, int] = {}
        for _, reason in runs:
            if reason not in ("completed", UNFINISHED):
                failures[reason] = failures.get(reason, 0) + 1
        done = [length for length, reason in runs if reason == "completed"]
        lost = sum(length for length, reason in runs if reason in failures)
        return cls(len(runs), len(done), failures, sum(done), lost)

    @property
    def bias(self) -> str:
        """Warning about averages over the completed runs; empty if no run failed."""
        if not self.failures:
            return ""
        return (
            f"survivorship bias: averages are over the {self.completed} of {self.planned} completed runs; the "
            "configurations that ended the others are missing from them, which the statistical error does not include"
        )

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.failures.items())
        failed = f"; failed: {reasons}" if reasons else ""
        left = self.planned - self.completed - sum(self.failures.values())
        begun = f"; unfinished: {left}" if left else ""
        return f"{self.completed} of {self.planned} runs completed, {self.completed_ps / 1000:.3g} ns{failed}{begun}"
