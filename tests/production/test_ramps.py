"""Steps of temperature of the equilibration."""

import pytest

from electrolyte_ml.production.ramps import Ramp, ramps


def test_cycle_of_the_paper_goes_in_steps_of_ten_kelvin():
    cycle = [(300.0, 300.0, 1000.0), (300.0, 380.0, 1000.0), (380.0, 380.0, 1000.0), (380.0, 300.0, 1000.0)]
    runs = ramps(cycle)
    assert runs[0] == Ramp(300.0, 1000.0)
    assert [run.temperature for run in runs[1:9]] == [305.0, 315.0, 325.0, 335.0, 345.0, 355.0, 365.0, 375.0]
    assert {run.time_ps for run in runs[1:9]} == {125.0}
    assert runs[9] == Ramp(380.0, 1000.0)
    assert [run.temperature for run in runs[10:]] == [375.0, 365.0, 355.0, 345.0, 335.0, 325.0, 315.0, 305.0]
    assert sum(run.time_ps for run in runs) == pytest.approx(4000.0)
