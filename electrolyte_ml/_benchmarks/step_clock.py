"""The cost of a step inside and outside the evaluation of the forces, measured on a run itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml._benchmarks.cases import given_pairs
from electrolyte_ml.errors import InputError


class StepClock:
    """A monitor that stops nothing: it times stretches of the run against bare evaluations of the potential.

    After every stretch the potential evaluates the configuration reached, from given pairs; then the next stretch
    begins. So both see the same state of the machine, and the steps themselves are not touched. What a stretch has
    beyond its evaluations is everything else: neighbour lists, pairs, integrator, the other monitors, log, trajectory
    and restart files.

    Parameters
    ----------
    potential
        That of the run.
    every
        Steps of a stretch. Restart files fall on every thousandth femtosecond: a run of several should be timed.
    evaluations
        Bare evaluations after each.
    threads
        Of the bare evaluations; by default as many as a run takes.
    clock
        Seconds; where other programs disturb, `time.process_time` is fairer to a run of one thread.

    Attributes
    ----------
    steps, forces : list of float, s
        Of one step and of one bare evaluation, a stretch each.

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
            raise InputError("a stretch has at least one step and one evaluation")
        self.potential, self.threads = potential, threads
        self.every, self.evaluations, self.clock = every, evaluations, clock
        self.steps: list[float] = []
        self.forces: list[float] = []
        self._began: tuple[int, float] | None = None

    def check(self, step: int, atoms: Atoms, results: Mapping[str, Any]) -> None:
        """End one stretch and begin the next."""
        now = self.clock()
        if self._began is not None:
            first, began = self._began
            self.steps.append((now - began) / (step - first))
            self.forces.append(self._bare(atoms))
        self._began = step, self.clock()

    @property
    def share_outside(self) -> float:
        """Median over the stretches of the part of a step that is not spent in the evaluation of the forces."""
        return float(np.median(1.0 - np.array(self.forces) / np.array(self.steps)))

    def _bare(self, atoms: Atoms) -> float:
        """Seconds of one evaluation from given pairs."""
        given = given_pairs(self.potential, atoms)
        began = self.clock()
        for _ in range(self.evaluations):
            self.potential.evaluate(given, self.threads)
        return (self.clock() - began) / self.evaluations
