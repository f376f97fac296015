"""A production that takes seconds: 34 atoms of NaPF6 in PC by a potential that is shipped."""

import functools
from dataclasses import replace

import pytest

from electrolyte_ml.dynamics import run_md
from electrolyte_ml.production import ProductionSettings, produce, stages
from electrolyte_ml.production.settings import EquilibrationSettings, TrajectorySettings


@pytest.fixture(scope="session")
def settings(root):
    return ProductionSettings(
        potential=str(root / "data" / "pc_napf6.pot"),
        composition="PC=2 NaPF6=1",
        density=1.2,
        jobs=1,
        equilibration=EquilibrationSettings(
            annealing=((300.0, 300.0, 0.04), (300.0, 315.0, 0.08), (315.0, 300.0, 0.06)),
            time_ps=0.1,
            average_last_ps=0.06,
        ),
        trajectories=TrajectorySettings(count=3, time_ps=0.3, settling_ps=0.03, frame_interval_ps=0.05),
    )


@pytest.fixture(scope="session")
def often():
    """Write restart files twenty times as often, so that short runs resume in their middle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "run_md", functools.partial(run_md, restart_interval_fs=50.0))
        yield


@pytest.fixture(scope="session")
def whole(settings, often, tmp_path_factory):
    """A complete production of two temperatures: its directory and result."""
    directory = tmp_path_factory.mktemp("production") / "whole"
    return directory, produce(directory, replace(settings, temperatures=(300.0, 340.0)), progress=False)
