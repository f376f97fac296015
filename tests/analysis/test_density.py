import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from scipy.signal import lfilter

from electrolyte_ml.analysis import block_errors, ensemble_density, mean_density, mean_error
from electrolyte_ml.dynamics import DensityMonitor, Verdict, run_md
from electrolyte_ml.errors import InputError


def ar1(n, phi, rng, mean=0.0, sigma=1.0):
    """A stationary series with correlation phi^|k| and its exact error of the mean."""
    noise = rng.normal(size=n) * np.sqrt(1 - phi**2)
    noise[0] = rng.normal()
    return mean + sigma * lfilter([1], [1, -phi], noise)


def exact_error(n, phi):
    lags = np.arange(1, n)
    return np.sqrt((1 + 2 * ((1 - lags / n) * phi**lags).sum()) / n)


@pytest.mark.parametrize("n, phi", [(300, 0.0), (300, 0.9), (1000, 0.97), (4000, 0.97), (1000, -0.5)])
def test_error_of_the_mean_of_a_correlated_series_is_the_exact_one(n, phi):
    rng = np.random.default_rng(1)
    series = [ar1(n, phi, rng) for _ in range(300)]
    errors = np.array([mean_error(x)[0] for x in series])
    exact = exact_error(n, max(phi, 0))  # anticorrelation is counted as independence
    assert errors.mean() == pytest.approx(exact, rel=0.08)
    covered = np.mean([abs(x.mean()) < 1.96 * error for x, error in zip(series, errors)])
    assert covered > 0.86  # 0.95 of many; the errors themselves scatter by a third at 16 independent values


def test_independent_values_are_counted():
    rng = np.random.default_rng(2)
    phi, n = 0.9, 20_000
    _, worth = mean_error(ar1(n, phi, rng))
    assert worth == pytest.approx(n * (1 - phi) / (1 + phi), rel=0.15)
    assert mean_error(rng.normal(size=n))[1] == pytest.approx(n, rel=0.1)


def test_constant_series_has_no_error():
    assert mean_error([1.2] * 50) == (0.0, 50.0)
    assert mean_error([0.0] * 50) == (0.0, 50.0)


def test_plateau_of_the_blocks_is_the_error():
    x = ar1(2**16, 0.9, np.random.default_rng(3))
    lengths, errors, uncertainties = block_errors(x)
    assert list(lengths[:4]) == [1, 2, 4, 8]
    assert errors[0] == pytest.approx(x.std() / 2**8, rel=1e-3)
    plateau = np.searchsorted(lengths, 256)
    assert errors[plateau] == pytest.approx(exact_error(len(x), 0.9), abs=3 * uncertainties[plateau])
    assert errors[plateau] == pytest.approx(mean_error(x)[0], rel=0.15)


def test_mean_and_its_error_without_a_drift():
    rng = np.random.default_rng(4)
    times = np.arange(1000) * 0.1
    results = [mean_density((times, ar1(1000, 0.9, rng, 1.2, 0.02)), last_ps=90) for _ in range(200)]
    exact = 0.02 * exact_error(900, 0.9)
    assert np.mean([r.error for r in results]) == pytest.approx(exact, rel=0.1)
    assert np.std([r.mean for r in results]) == pytest.approx(exact, rel=0.15)
    assert np.std([r.drift for r in results]) == pytest.approx(np.mean([r.drift_error for r in results]), rel=0.2)
    assert sum(r.drifts for r in results) <= 10  # 1 % of 200 are expected
    one = results[0]
    assert (one.begin_ps, one.end_ps) == pytest.approx((10.0, 99.9))
    assert one.sigma == pytest.approx(0.02, rel=0.3)
    exact_time = 0.1 * (0.5 + 0.9 / (1 - 0.9))
    assert np.mean([r.correlation_time_ps for r in results]) == pytest.approx(exact_time, rel=0.15)


def test_drift_is_found_with_its_size():
    rng = np.random.default_rng(5)
    times = np.arange(1000) * 0.1
    slope = 6 * 0.02 * exact_error(1000, 0.9) / (100 / np.sqrt(12))  # six standard errors
    results = [mean_density((times, ar1(1000, 0.9, rng, 1.2, 0.02) + slope * times), last_ps=99.9) for _ in range(50)]
    assert np.mean([r.drift for r in results]) == pytest.approx(slope, rel=0.1)
    assert sum(r.drifts for r in results) > 45
    assert "drifting" in str(max(results, key=lambda r: r.drift))


def test_relaxation_of_the_start_is_left_out():
    rng = np.random.default_rng(6)
    times = np.arange(2000) * 0.01
    pulls = []
    for _ in range(100):
        result = mean_density((times, 1.2 + 0.3 * np.exp(-times / 0.7) + ar1(2000, 0.95, rng, 0, 0.01)))
        assert result.begin_ps > 1.5
        pulls.append((result.mean - 1.2) / result.error)
    assert np.mean(np.abs(pulls) < 1.96) > 0.85
    assert mean_density((times, ar1(2000, 0.5, rng, 1.2, 0.01))).begin_ps < 10


def test_ensemble_spread_is_that_of_its_members():
    rng = np.random.default_rng(7)
    times = np.arange(400) * 0.1
    members = [mean_density((times, rng.normal(level, 0.001, 400)), last_ps=30) for level in (1.20, 1.23, 1.26)]
    ensemble = ensemble_density(members)
    assert ensemble.mean == pytest.approx(1.23, abs=1e-3)
    assert ensemble.sigma == pytest.approx(0.03, abs=1e-3)
    assert ensemble.members == tuple(members)
    assert np.isnan(ensemble_density(members[:1]).sigma)
    assert str(ensemble) == f"{ensemble.mean:.4f} g/cm³ (3 members, σ = {ensemble.sigma:.4f} g/cm³)"
    assert str(ensemble_density(members[:1])).endswith(" g/cm³ (one member)")
    with pytest.raises(InputError, match="at least one member"):
        ensemble_density([])


@pytest.fixture
def argon_run(tmp_path):
    atoms = bulk("Ar", cubic=True).repeat(2)
    return run_md(
        atoms, LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True), temperature=40, pdamp_fs=200, time_ps=0.5,
        timestep_fs=5, directory=tmp_path / "run", progress=False,
    )  # fmt: skip


def test_result_directory_log_and_arrays_say_the_same(argon_run):
    expected = mean_density((argon_run.times_ps, argon_run.densities))
    for source in (argon_run, argon_run.directory, argon_run.directory / "log.csv"):
        assert vars(mean_density(source)) == pytest.approx(vars(expected), rel=1e-9)
    assert "g/cm³ over" in str(expected)


def test_row_of_a_stop_between_two_intervals_is_left_out():
    class Late(DensityMonitor):
        def check(self, step, atoms, results):
            return Verdict("enough") if step == 57 else None

    atoms = bulk("Ar", cubic=True).repeat(2)
    result = run_md(
        atoms, LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True), temperature=40, time_ps=1, timestep_fs=5,
        monitors=[Late(0.1, 9, every=1)], progress=False,
    )  # fmt: skip
    assert result.reason == "density" and result.times_ps[-1] == pytest.approx(0.285)
    assert mean_density(result).end_ps == pytest.approx(0.28)
    assert mean_density((result.times_ps[:-1], result.densities[:-1])) == mean_density(result)


@pytest.mark.parametrize(
    "times, densities, options, message",
    [
        (np.arange(10), np.ones(10), {}, "at least 20 rows"),
        (np.arange(30), np.full(30, np.nan), {}, "not all finite: was the run periodic"),
        (np.arange(30.0) ** 2, np.ones(30), {}, "not evenly spaced"),
        (np.arange(30), np.ones(29), {}, "two series of one length"),
        (np.arange(30), np.ones(30), {"last_ps": 50}, "the run is 29 ps long; the last 50 ps"),
        (np.arange(30), np.ones(30), {"last_ps": 0}, "cannot be averaged"),
        (np.arange(30), np.ones(30), {"last_ps": 5}, "at least 20 rows"),
    ],
)
def test_unusable_series_is_refused(times, densities, options, message):
    with pytest.raises(InputError, match=message):
        mean_density((times, densities), **options)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "time_ps,density_g_cm3\n0,x\n", "time_ps,density_g_cm3\n0\n"])
def test_other_file_is_refused(tmp_path, content):
    (tmp_path / "log.csv").write_text(content)
    with pytest.raises(InputError):
        mean_density(tmp_path)


def test_missing_log_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        mean_density(tmp_path)
