"""What a step costs inside and outside the force kernel, measured on the run itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml import threads
from electrolyte_ml.errors import InputError


class StepClock:
    """A monitor that stops nothing: it times stretches of the run against bare force evaluations.

    After every stretch the kernel alone evaluates the configuration reached, with the pairs and the number of threads
    of the run; then the next stretch begins. So both see the same state of the machine, and the steps themselves are
    not touched. What a stretch has beyond its forces is everything else: neighbour lists, pairs, integrator, the other
    monitors, log, trajectory and restart files.

    Parameters
    ----------
    every
        Steps of a stretch. Restart files fall on every thousandth femtosecond: a run of several should be timed.
    evaluations
        Bare evaluations after each.
    clock
        Seconds; where other programs disturb, `time.process_time` is fairer to a run of one thread.

    Attributes
    ----------
    steps, forces : list of float, s
        Of one step and of one bare evaluation, a stretch each.

    Examples
    --------
    >>> clock = StepClock()  # doctest: +SKIP
    >>> run_md(atoms, potential, time_ps=1.0, monitors=[clock])  # doctest: +SKIP
    >>> clock.share_outside  # doctest: +SKIP
    0.08
    """

    reason = "clock"

    def __init__(self, every: int = 100, evaluations: int = 20, clock: Callable[[], float] = time.perf_counter) -> None:
        if every < 1 or evaluations < 1:
            raise InputError("a stretch has at least one step and one evaluation")
        self.every, self.evaluations, self.clock = every, evaluations, clock
        self.steps: list[float] = []
        self.forces: list[float] = []
        self._began: tuple[int, float] | None = None

    def check(self, step: int, atoms: Atoms, results: dict[str, Any]) -> None:
        """End one stretch and begin the next.

        Raises
        ------
        InputError
            If the run's forces are not those of a potential in compiled steps.
        """
        now = self.clock()
        if "potential" not in results:
            raise InputError("only the steps of a potential can be told from its forces")
        if self._began is not None:
            first, began = self._began
            self.steps.append((now - began) / (step - first))
            self.forces.append(self._bare(results))
        self._began = step, self.clock()

    @property
    def share_outside(self) -> float:
        """Median over the stretches of the part of a step that is not spent in the force kernel."""
        return float(np.median(1.0 - np.array(self.forces) / np.array(self.steps)))

    def _bare(self, results: dict[str, Any]) -> float:
        from electrolyte_ml.kernels.energy_forces import energy_forces

        near, count, n = results["neighbourhoods"], results["threads"], len(results["forces"])
        model = results["potential"].kernel_arrays
        energies, virials, pushes = np.zeros(n), np.zeros((n, 3, 3)), np.zeros((count, n, 3))
        pairs = (near.species, near.segment, near.index, near.vector)
        calls = [
            (n * k // count, n * (k + 1) // count, *model, *pairs, energies, pushes[k], virials) for k in range(count)
        ]
        began = self.clock()
        for _ in range(self.evaluations):
            threads.run(energy_forces, calls, count)
        return (self.clock() - began) / self.evaluations
