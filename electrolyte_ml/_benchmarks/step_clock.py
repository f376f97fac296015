"""Time of a step inside and outside the evaluation of the forces, measured during a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml._benchmarks.cases import given_pairs
from electrolyte_ml.errors import InputError


class StepClock:
    """Monitor that compares the time of stretches of a run with that of bare evaluations of its potential.

    After every stretch the potential evaluates the present configuration from given pairs; then the next stretch
    begins. Both are thus timed in the same state of the machine, and the steps themselves are unchanged. The rest of
    the time of a stretch belongs to neighbour lists, pairs, integrator, other monitors, log, trajectory and restart
    files. The monitor never stops the run.

    Parameters
    ----------
    potential
        The potential of the run.
    every
        Steps of a stretch. Restart files are written once per picosecond: several picoseconds should be timed.
    evaluations
        Number of bare evaluations after each stretch.
    threads
        Number of threads of the bare evaluations; by default the same as in a run.
    clock
        Function that returns the time, s; if other programs run, `time.process_time` is better for a single thread.

    Attributes
    ----------
    steps, forces : list of float, s
        Time of a step and of a bare evaluation, for each stretch.

    Examples
    --------
    >>> clock = StepClock(potential)  # doctest: +SKIP
    >>> run_md(atoms, potential, time_ps=1.0, monitors=[clock])  # doctest: +SKIP
    >>> clock.share_outside  # doctest: +SKIP
    0.08
    """

    reason = "clock"

    def __init__(
        self,
        potential: Any,
        every: int = 100,
        evaluations: int = 20,
        *,
        threads: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if every < 1 or evaluations < 1:
            raise InputError("a stretch needs at least one step and one evaluation")
        self.potential, self.threads = potential, threads
        self.every, self.evaluations, self.clock = every, evaluations, clock
        self.steps: list[float] = []
        self.forces: list[float] = []
        self._start: tuple[int, float] | None = None

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> None:
        """End one stretch and begin the next."""
        now = self.clock()
        if self._start is not None:
            first_step, start_time = self._start
            self.steps.append((now - start_time) / (step - first_step))
            self.forces.append(self._bare(atoms))
        self._start = step, self.clock()

    @property
    def share_outside(self) -> float:
        """Share of a step outside the evaluation of the forces, the median over the stretches."""
        return float(np.median(1.0 - np.array(self.forces) / np.array(self.steps)))

    def _bare(self, atoms: Atoms) -> float:
        """Return the time of one evaluation from given pairs, s."""
        given = given_pairs(self.potential, atoms)
        start_time = self.clock()
        for _ in range(self.evaluations):
            self.potential.evaluate(given, self.threads)
        return (self.clock() - start_time) / self.evaluations
