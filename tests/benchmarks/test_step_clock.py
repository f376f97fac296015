"""The clock that separates a step's forces from the rest."""

import numpy as np
import pytest

from electrolyte_ml._benchmarks.step_clock import StepClock
from electrolyte_ml.dynamics import run_md
from electrolyte_ml.errors import InputError


def test_clock_separates_forces_from_the_rest(spheres):
    atoms, potential = spheres
    clock = StepClock(potential, every=20, evaluations=5)
    result = run_md(atoms, potential, temperature=50, timestep_fs=0.5, time_ps=0.05, monitors=[clock], progress=False)
    assert result.completed and len(clock.steps) == len(clock.forces) == 5
    assert min(clock.forces) > 0 and clock.share_outside == np.median(
        [1 - force / step for force, step in zip(clock.forces, clock.steps)]
    )


def test_a_stretch_without_steps_is_refused(spheres):
    with pytest.raises(InputError, match="at least one step"):
        StepClock(spheres[1], every=0)
