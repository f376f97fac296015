"""Transport coefficients: units, identities, limits that are known, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from ase import units as ase_units
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from electrolyte_ml.analysis import (
    OrnsteinUhlenbeckIons,
    Production,
    einstein_helfand,
    expected_error,
    green_kubo,
    measure_conductivity,
    needed_time,
    nernst_einstein,
    onsager_coefficients,
    transference_numbers,
    viscosity,
)
from electrolyte_ml.analysis.correlation import correlation
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.scales import PAPER
from electrolyte_ml.units import CONDUCTIVITY_UNIT

PAIRED = OrnsteinUhlenbeckIons(counts=(6, 6), distinct=((-0.001, 0.0015), (0.0015, -0.0012)))
BOX, KELVIN = PAIRED.volume, 300.0


@pytest.fixture(scope="module")
def runs():
    return [PAIRED.sample(150.0, 0.1, seed=seed) for seed in range(8)]


def test_unit_of_the_paper():
    assert pytest.approx(1.8592e7, rel=1e-4) == CONDUCTIVITY_UNIT
    e, k = 1.602176634e-19, 1.380649e-23  # e² Å⁻¹ ps⁻¹ K⁻¹ / k_B in S/m
    assert pytest.approx(e**2 / 1e-10 / 1e-12 / k, rel=1e-6) == CONDUCTIVITY_UNIT


def test_green_kubo_is_the_papers_recipe_to_the_letter(runs):
    step, window = 0.1, (3.0, 9.0)
    found = green_kubo([run.current() for run in runs], step, BOX, KELVIN, window_ps=window)
    curves = []
    for run in runs:
        current = run.current()
        n = len(current)
        function = [np.sum(current[: n - lag] * current[lag:]) / (n - lag) for lag in range(91)]
        integral = np.r_[0.0, np.cumsum(0.5 * step * (np.array(function)[1:] + np.array(function)[:-1]))]
        curves.append(integral * 1.602176634e-19**2 * 1e22 / 1.380649e-23 / (3 * BOX * KELVIN))
    mean = np.mean(curves, axis=0)
    error = np.std(curves, axis=0, ddof=1) / np.sqrt(len(curves))
    assert found.value == pytest.approx(mean[30:91].mean(), rel=1e-9)
    assert found.error == pytest.approx(error[30:91].mean(), rel=1e-9)
    np.testing.assert_allclose(found.curve.mean, mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.curve.error, error, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["mtp", "qrd"])
def test_both_windows_of_the_paper_can_be_asked_for(kind):
    protocol = getattr(PAPER.conductivity, kind)
    window = (protocol.correlation_ps - protocol.window_ps, protocol.correlation_ps)
    assert window == {"mtp": (200.0, 500.0), "qrd": (80.0, 100.0)}[kind]
    slow = OrnsteinUhlenbeckIons(counts=(2, 2), relaxation_ps=(10.0,))
    runs = [slow.sample(protocol.time_ps, 1.0, seed=k).current() for k in range(protocol.trajectories)]
    found = green_kubo(runs, 1.0, BOX, KELVIN, window_ps=window)
    assert (found.plateau.start_ps, found.plateau.end_ps) == window
    assert found.low < slow.conductivity < found.high


def test_window_of_the_paper_needs_runs_of_its_length(runs):
    with pytest.raises(InputError, match="a window of 200-500 ps does not fit runs of 150"):
        green_kubo([run.current() for run in runs], 0.1, BOX, KELVIN, window_ps=(200.0, 500.0))


def test_nernst_and_einstein_are_wrong_by_the_known_factor_and_the_others_right():
    long = [PAIRED.sample(2000.0, 0.2, seed=seed) for seed in range(6)]
    result = measure_conductivity(long, KELVIN)
    factor = PAIRED.nernst_einstein / PAIRED.conductivity
    assert factor > 2
    for method in ("green-kubo", "einstein-helfand", "onsager"):
        one = result.estimates[method]
        assert one.low < PAIRED.conductivity < one.high < PAIRED.nernst_einstein, method
        assert one.value == pytest.approx(PAIRED.conductivity, rel=0.15)
    alone = result.estimates["nernst-einstein"]
    assert alone.value / PAIRED.conductivity == pytest.approx(factor, rel=0.05)
    assert alone.low > PAIRED.conductivity
    assert result.onsager.ionicity.low < 1 / factor < result.onsager.ionicity.high


def test_parts_sum_to_the_whole(runs):
    moved = [run.displacements() for run in runs]
    found = onsager_coefficients(
        moved, runs[0].species, runs[0].charges, 0.1, BOX, KELVIN, masses=runs[0].masses,
        solvent_mass=runs[0].solvent_mass,
    )  # fmt: skip
    total = sum(one.value for row in found.contributions for one in row)
    assert total == pytest.approx(found.conductivity.value, rel=1e-9)
    faraday = 96485.33212
    z = np.array([1.0, -1.0])
    whole = np.array([[one.value for one in row] for row in found.coefficients])
    assert faraday**2 * z @ whole @ z == pytest.approx(found.conductivity.value, rel=1e-6)
    for a in range(2):
        assert found.self_part[a].value + found.distinct_part[a][a].value == pytest.approx(whole[a, a], rel=1e-9)
        assert found.distinct_part[a][1 - a].value == pytest.approx(whole[a, 1 - a], rel=1e-9)
    for numbers in found.transference.values():
        assert sum(one.value for one in numbers) == pytest.approx(1.0)
    dipoles = [run.dipole() for run in runs]
    window = (found.conductivity.plateau.start_ps, found.conductivity.plateau.end_ps)
    same = einstein_helfand(dipoles, 0.1, BOX, KELVIN, window_ps=window)
    assert same.value == pytest.approx(found.conductivity.value, rel=1e-9)


@given(st.floats(0.1, 10), st.floats(0.5, 3), st.floats(0.5, 2))
@settings(max_examples=10, deadline=None)
def test_scaling_with_charge_volume_and_time(factor, charge, clock):
    run = PAIRED.sample(60.0, 0.2, seed=1)
    window = np.array([3.0, 6.0])
    base = green_kubo([run.current()], 0.2, BOX, KELVIN, window_ps=tuple(window))
    scaled = green_kubo(
        [charge * run.current()], 0.2 * clock, factor * BOX, KELVIN / factor, window_ps=tuple(window * clock)
    )
    assert scaled.value == pytest.approx(base.value * charge**2 * clock, rel=1e-9)
    assert scaled.error == pytest.approx(base.error * charge**2 * clock, rel=1e-6)


def test_velocities_and_positions_agree(runs):
    window = (4.0, 8.0)
    by_current = green_kubo([run.current() for run in runs], 0.1, BOX, KELVIN, window_ps=window)
    by_moves = einstein_helfand([run.dipole() for run in runs], 0.1, BOX, KELVIN, window_ps=window)
    assert by_moves.value == pytest.approx(by_current.value, abs=0.5 * by_current.error)


def test_correction_for_the_cell_is_yeh_and_hummers(runs):
    moved = [run.displacements() for run in runs]
    given = (moved, runs[0].species, runs[0].charges, 0.1, BOX, KELVIN)
    bare = nernst_einstein(*given)
    corrected = nernst_einstein(*given, viscosity_mpa_s=2.0)
    # k_B T / (6 pi eta L) in SI, then cm²/s
    expected = 2.837297 * 1.380649e-23 * 300 / (6 * np.pi * 2e-3 * 23.4e-10) * 1e4
    assert corrected.correction == pytest.approx(expected, rel=1e-6)
    for name in ("Li", "PF6"):
        added = corrected.diffusion[name].value - bare.diffusion[name].value
        assert added == pytest.approx(expected, rel=1e-6)
    e2 = 1.602176634e-19**2 / (1.380649e-23 * 300 * BOX * 1e-30)
    more = corrected.conductivity.value - bare.conductivity.value
    assert more == pytest.approx(e2 * 12 * expected * 1e-4, rel=1e-6)
    assert any("not corrected" in note for note in bare.conductivity.notes)


def test_diffusion_of_the_ions(runs):
    found = nernst_einstein([run.displacements() for run in runs], runs[0].species, runs[0].charges, 0.1, BOX, KELVIN)
    for name, exact in zip(PAIRED.names, PAIRED.diffusion):
        one = found.diffusion[name]
        assert one.unit == "cm²/s"
        assert one.value == pytest.approx(exact * 1e-4, abs=3 * one.error)


def test_viscosity_of_a_stress_of_known_memory():
    rng = np.random.default_rng(0)
    step, tau, size, frames = 0.01, 0.2, 3000.0, 60000  # ps, ps, bar, frames
    decay = np.exp(-step / tau)
    stresses = []
    for _ in range(5):
        # An isotropic traceless stress: each off-diagonal of variance s², (xx - yy) / 2 as well.
        noise = rng.normal(size=(frames, 5)) * size * np.sqrt(1 - decay**2)
        noise[0] /= np.sqrt(1 - decay**2)
        five = lfilter([1.0], [1.0, -decay], noise, axis=0)
        xy, xz, yz, minus, z = five.T
        zz = 2 * z / np.sqrt(3)
        stresses.append(np.stack([minus - zz / 2, -minus - zz / 2, zz, yz, xz, xy], axis=1))
        stresses[-1][:, :3] += 500.0  # the pressure, which must not count
    found = viscosity(stresses, step, 8000.0, 300.0)
    exact = (size * 1e5) ** 2 * tau * 1e-12 * 8000e-30 / (1.380649e-23 * 300) * 1e3  # mPa s
    assert found.unit == "mPa s"
    assert found.low < exact < found.high
    assert found.value == pytest.approx(exact, rel=0.1)


def test_transference_of_a_matrix_by_hand():
    matrix = np.array([[3.0, 1.0], [1.0, 2.0]])
    np.testing.assert_allclose(transference_numbers(matrix, (1, -1)), [2 / 3, 1 / 3])
    np.testing.assert_allclose(transference_numbers(matrix, (2, -1)), [10 / 10, 0.0])


def test_trajectories_that_differ_are_noticed():
    fast = OrnsteinUhlenbeckIons(counts=(4, 4), diffusion=(0.2, 0.3))
    slow = OrnsteinUhlenbeckIons(counts=(4, 4))
    currents = [(fast if k % 2 else slow).sample(200, 0.1, seed=k).current() for k in range(8)]
    found = green_kubo(currents, 0.1, BOX, KELVIN)
    assert any("equilibrated" in note for note in found.notes)
    assert found.error > found.expected_error
    alike = green_kubo([slow.sample(200, 0.1, seed=k).current() for k in range(8)], 0.1, BOX, KELVIN)
    assert not alike.notes


def test_error_before_and_time_for_an_error_are_inverse():
    assert expected_error(300.0, 25000.0) == pytest.approx(np.sqrt(4 * 300 / 75000))
    assert needed_time(300.0, 0.1) == pytest.approx(40000.0)
    assert expected_error(17.0, needed_time(17.0, 0.03)) == pytest.approx(0.03)
    for wrong in (lambda: expected_error(0.0, 1.0), lambda: needed_time(1.0, 0.0)):
        with pytest.raises(InputError):
            wrong()


def test_table_1():
    runs = [(200.0, "completed")] * 17 + [(63.0, "broken molecule")] * 30 + [(5.0, "temperature")] * 3
    table = Production.of(runs)
    assert (table.planned, table.completed, table.completed_ps) == (50, 17, 3400.0)
    assert table.failures == {"broken molecule": 30, "temperature": 3}
    assert table.lost_ps == pytest.approx(30 * 63 + 15)
    assert "17 of 50" in table.bias and "survivorship" in table.bias
    assert str(table).startswith("17 of 50 runs completed, 3.4 ns; failed: 30 broken molecule")
    assert Production.of([(1.0, "completed")]).bias == ""
    with pytest.raises(InputError):
        Production.of([])


# -- what is refused --------------------------------------------------------------------------------------------------


def test_frames_too_far_apart_for_an_integral(runs):
    process = OrnsteinUhlenbeckIons(counts=(4, 4))
    sample = [process.sample(3000.0, 2.0, seed=s) for s in range(5)]
    with pytest.raises(InputError, match="too far apart to integrate"):
        green_kubo([one.current() for one in sample], 2.0, BOX, KELVIN)
    found = einstein_helfand([one.dipole() for one in sample], 2.0, BOX, KELVIN)  # which has no such limit
    assert found.low < process.conductivity < found.high


def test_run_shorter_than_its_memory_is_refused():
    slow = OrnsteinUhlenbeckIons(relaxation_ps=(50.0,))
    with pytest.raises(InputError, match="no plateau|which is noise|degrees of freedom"):
        green_kubo([slow.sample(60.0, 0.5, seed=s).current() for s in range(20)], 0.5, BOX, KELVIN)


@pytest.mark.parametrize(
    ("currents", "said"),
    [
        ([], "no trajectory"),
        ([np.zeros((1, 3))], "one frame"),
        ([np.zeros((12, 3))], "12 frames; transport needs at least 20"),
        ([np.zeros((100, 2))], r"must be \(frames, 3\)"),
        ([np.ones((100, 3)), np.ones((90, 3))], "100 and 90 frames"),
        ([np.full((100, 3), np.nan)], "not finite in frame 1"),
        ([np.zeros((100, 3))], "nothing moves"),
        (np.ones((100, 3)), "list of trajectories"),
    ],
)
def test_wrong_currents_are_refused_in_one_line(currents, said):
    with pytest.raises(InputError, match=said) as caught:
        green_kubo(currents, 0.1, BOX, KELVIN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("step", "volume", "kelvin"), [(0.0, BOX, 300.0), (0.1, 0.0, 300.0), (0.1, BOX, -1.0)])
def test_wrong_conditions_are_refused(runs, step, volume, kelvin):
    with pytest.raises(InputError, match="must be positive"):
        green_kubo([run.current() for run in runs], step, volume, kelvin)


def test_ions_that_are_not_neutral_or_not_alike_are_refused(runs):
    moved = [run.displacements() for run in runs]
    with pytest.raises(InputError, match="sum to 12"):
        nernst_einstein(moved, ["A"] * 12, np.ones(12), 0.1, BOX, KELVIN)
    with pytest.raises(InputError, match="different charges"):
        onsager_coefficients(moved, ["A"] * 12, runs[0].charges, 0.1, BOX, KELVIN)
    with pytest.raises(InputError, match="12 ions need"):
        nernst_einstein(moved, ["A"] * 3, np.ones(3), 0.1, BOX, KELVIN)


def test_methods_that_cannot_be_used_are_refused_and_the_others_go_on(runs):
    from dataclasses import replace

    still = [replace(run, velocities=None) for run in runs]
    result = measure_conductivity(still, KELVIN, methods=("green-kubo", "einstein-helfand"))
    assert "has no velocities" in result.refused["green-kubo"]
    assert result.best is result.estimates["einstein-helfand"]
    assert "no velocities" in result.report()
    with pytest.raises(InputError, match="no method 'magic'"):
        measure_conductivity(runs, KELVIN, methods=("magic",))
    short = replace(runs[1], positions=runs[1].positions[:-5], velocities=runs[1].velocities[:-5])
    with pytest.raises(InputError, match="different lengths"):
        measure_conductivity([runs[0], short], KELVIN)
    with pytest.raises(InputError, match="every 0.2 ps"):
        measure_conductivity([runs[0], replace(runs[1], timestep_ps=0.2)], KELVIN)
    with pytest.raises(InputError, match="Å³"):
        measure_conductivity([runs[0], replace(runs[1], volume=1.1 * BOX)], KELVIN)


def test_result_is_plain_for_json(runs):
    import json

    result = measure_conductivity(runs, KELVIN)
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["conductivity"]["green-kubo"]["value"] == result.best.value
    assert plain["transference"]["solvent"]["Li"]["value"] < plain["transference"]["barycentric"]["Li"]["value"]


@pytest.mark.slow
def test_current_of_eight_million_frames_fits_in_memory():
    import tracemalloc

    rng = np.random.default_rng(0)
    frames = 8_000_000
    current = rng.standard_normal((frames, 3), dtype=np.float32).astype(float)
    current[1:] += current[:-1]
    tracemalloc.start()
    found = green_kubo([current], 0.001, BOX, KELVIN, window_ps=(0.02, 1.0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak + current.nbytes < 4e9
    exact = CONDUCTIVITY_UNIT * 0.5 * 4.0 * 0.001 / (BOX * KELVIN)  # (1 + 1)² of white noise, half of both sides
    assert found.value == pytest.approx(exact, abs=4 * found.error)
    assert len(correlation(current[:, None], 5)) == 5


@pytest.mark.parametrize("place", [0, 1])
def test_a_run_without_positions_leaves_the_methods_of_the_velocities(runs, place):
    scale = 1.0 / (1e3 * ase_units.fs) ** 2  # eV of 1 amu (Å/ps)²
    kinetic = np.mean(runs[0].masses[:, None] * runs[0].velocities ** 2) * scale  # eV
    heavy = runs[0].masses * ase_units.kB * KELVIN / kinetic  # ions whose velocities have this temperature
    two = [replace(run, masses=heavy) for run in runs[:2]]
    two[place] = replace(two[place], positions=None)
    found = measure_conductivity(two, KELVIN)
    assert set(found.estimates) == {"green-kubo"}
    assert "no positions" in found.refused["einstein-helfand"]
    alone = green_kubo([run.current() for run in two], two[0].timestep_ps, BOX, KELVIN)
    assert found.estimates["green-kubo"].value == alone.value
