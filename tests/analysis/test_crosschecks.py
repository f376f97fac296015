"""STACIE and kinisi beside our own estimators, on one set of runs with a known answer."""

import sys

import numpy as np
import pytest

from electrolyte_ml.analysis import (
    OrnsteinUhlenbeckIons,
    kinisi_conductivity,
    measure_conductivity,
    stacie_conductivity,
)
from electrolyte_ml.errors import ElectrolyteError, InputError

PROCESS = OrnsteinUhlenbeckIons(counts=(3, 3), distinct=((0.0, 0.002), (0.002, 0.0)))
BOX, KELVIN, STEP = PROCESS.volume, PROCESS.temperature, 0.2


@pytest.fixture(scope="module")
def runs():
    return [PROCESS.sample(100.0, STEP, seed=seed) for seed in range(6)]


@pytest.mark.slow
def test_independent_packages_agree_with_ours_and_with_the_truth(runs):
    pytest.importorskip("stacie")
    pytest.importorskip("kinisi")
    result = measure_conductivity(runs, KELVIN, methods=("green-kubo", "einstein-helfand", "stacie", "kinisi"))
    assert not result.refused
    for method, one in result.estimates.items():
        assert one.low < PROCESS.conductivity < one.high, method
        assert one.value == pytest.approx(result.best.value, abs=2.5 * result.best.error)
        assert one.unit == "S/m" and one.trajectories == 6


def test_kinisi_leaves_the_random_numbers_of_others_alone(runs):
    pytest.importorskip("kinisi")
    dipoles = [run.dipole() for run in runs]
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same = (kinisi_conductivity(dipoles, STEP, BOX, KELVIN, window_ps=(4.0, 8.0)) for _ in range(2))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert (one.value, one.low, one.high) == (same.value, same.low, same.high)


def test_runs_that_are_too_short_are_refused(runs):
    pytest.importorskip("kinisi")
    pytest.importorskip("stacie")
    with pytest.raises(InputError, match="kinisi: 1 trajectory of 100.2 ps hold"):
        kinisi_conductivity([runs[0].dipole()], STEP, BOX, KELVIN, window_ps=(4.0, 8.0))
    with pytest.raises(InputError, match="stacie: 1 trajectory"):
        stacie_conductivity([runs[0].current()[:51]], STEP, BOX, KELVIN)


@pytest.mark.parametrize("name", ["stacie", "kinisi"])
def test_missing_package_says_how_to_get_it(runs, name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    for module in [key for key in sys.modules if key.startswith(f"{name}.")]:
        monkeypatch.setitem(sys.modules, module, None)
    measure = {"stacie": stacie_conductivity, "kinisi": kinisi_conductivity}[name]
    with pytest.raises(ElectrolyteError, match="crosscheck"):
        measure([run.current() for run in runs], STEP, BOX, KELVIN)
