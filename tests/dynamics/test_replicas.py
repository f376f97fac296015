"""Independent runs of one start."""

import numpy as np
import pytest

from electrolyte_ml.dynamics import TemperatureMonitor, mean_and_error, run_md, run_replicas
from electrolyte_ml.errors import InputError


def run(spheres, folder, **options):
    standard = {"ensemble": "nvt", "temperature": 300, "time_ps": 0.2, "timestep_fs": 4, "progress": False}
    return run_replicas(*spheres, directory=folder, **(standard | options))


def test_each_replica_is_a_run_of_its_own_seed(tmp_path, spheres):
    results = run(spheres, tmp_path, replicas=3, seed=5, jobs=1)
    assert [result.directory.name for result in results] == ["replica_1", "replica_2", "replica_3"]
    starts = [result.frames()[0].get_velocities() for result in results]
    assert all(np.abs(starts[0] - other).max() > 1e-3 for other in starts[1:])
    alone = run_md(*spheres, ensemble="nvt", temperature=300, time_ps=0.2, timestep_fs=4, seed=6, progress=False)
    np.testing.assert_array_equal(results[1].atoms.positions, alone.atoms.positions)


def test_velocities_of_the_start_are_not_shared(tmp_path, spheres):
    atoms = spheres[0].copy()
    atoms.set_momenta(np.ones((len(atoms), 3)) * np.arange(len(atoms))[:, None])
    first, second = run((atoms, spheres[1]), tmp_path, replicas=2, jobs=1)
    assert np.abs(first.frames()[0].get_velocities() - second.frames()[0].get_velocities()).max() > 1e-3


def test_workers_give_the_same_and_resume(tmp_path, spheres):
    here = run(spheres, tmp_path / "here", replicas=2, jobs=1)
    there = run(spheres, tmp_path / "there", replicas=2, jobs=2)
    for a, b in zip(here, there):
        np.testing.assert_array_equal(a.atoms.positions, b.atoms.positions)
    longer = run(spheres, tmp_path / "there", replicas=2, jobs=1, time_ps=0.4)
    assert [result.steps for result in longer] == [100, 100]
    np.testing.assert_array_equal(longer[0].temperatures[: len(here[0].temperatures)], here[0].temperatures)


def test_an_early_end_of_one_replica_leaves_the_others(tmp_path, spheres):
    limit = [TemperatureMonitor(301.0, every=1)]
    results = run(spheres, tmp_path, replicas=4, jobs=1, monitors=limit)
    plain = run(spheres, tmp_path / "plain", replicas=4, jobs=1)
    for result, free in zip(results, plain):
        assert result.completed == bool(free.temperatures.max() < 301)
        assert result.reason in ("completed", "temperature")


def test_mean_and_standard_error():
    mean, error = mean_and_error([1.0, 2.0, 4.0, 5.0])
    assert mean == 3.0
    assert error == pytest.approx(np.sqrt(10 / 3) / 2)
    assert np.isnan(mean_and_error([1.0])[1])


@pytest.mark.parametrize("options", [{"replicas": 0}, {"replicas": 2.5}, {"replicas": 2, "seed": -1}])
def test_bad_numbers_are_refused(tmp_path, spheres, options):
    with pytest.raises(InputError):
        run(spheres, tmp_path, **options)
