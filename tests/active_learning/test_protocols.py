"""Scales become settings of the loop without losing a number."""

import pytest

from electrolyte_ml.active_learning.protocols import pure_solvent
from electrolyte_ml.errors import InputError
from electrolyte_ml.settings import PAPER, QUICK, SCALES


def test_paper_scale_is_the_papers_run():
    settings = pure_solvent(PAPER, "EC")
    assert (settings.composition, settings.level, settings.cutoff) == ("EC=16", 16, 5.0)
    assert (settings.seeding_temperature, settings.seeding_time_ps, settings.seeding_timestep_fs) == (400.0, 2.0, 1.0)
    assert settings.seeding_trajectories * settings.seeding_configurations == 200
    assert (settings.trajectories, settings.time_ps, settings.timestep_fs) == (10, 100.0, 1.0)
    assert (settings.temperature, settings.pressure_bar) == (300.0, 1.01325)
    assert (settings.grade_save, settings.grade_break) == (2.0, 10.0)
    assert (settings.energy_weight, settings.force_weight, settings.stress_weight) == (1.0, 0.01, 0.0)
    assert settings.mode == "configuration"


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("solvent", ["EC", "EMC"])
def test_every_scale_has_valid_settings_of_both_solvents(scale, solvent):
    assert pure_solvent(scale, solvent).composition.startswith(f"{solvent}=")


def test_changes_replace_settings():
    assert pure_solvent(QUICK, "EMC", seed=7).seed == 7


def test_unknown_solvent_is_refused():
    with pytest.raises(InputError, match="EC and EMC"):
        pure_solvent(QUICK, "DMC")
