"""Upper bounds of diffusion and conductivity where too little moves to measure them."""

import numpy as np
import pytest

from electrolyte_ml.analysis import measure_conductivity, upper_bound
from electrolyte_ml.trajectories import IonTrajectory
from electrolyte_ml.units import DIFFUSION_UNIT, conductivity_scale

STEP = 0.1  # ps


def walks(diffusion, count, frames, seed):
    """(F, count) one-dimensional walks of a known diffusion coefficient, Å²/ps."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, np.sqrt(2 * diffusion * STEP), (frames, count)), axis=0)


def caged(count, frames, seed):
    """(F, count) coordinates that rattle about fixed places with a memory of one picosecond."""
    rng, decay = np.random.default_rng(seed), np.exp(-STEP)
    x = np.empty((frames, count))
    x[0] = rng.normal(size=count)
    for k in range(1, frames):
        x[k] = decay * x[k - 1] + np.sqrt(1 - decay**2) * rng.normal(size=count)
    return 0.3 * x


def test_the_bound_holds_for_walks_as_often_as_it_says():
    """A walk saturates it: the chord is the slope. Of 400 runs at most 8 % may exceed it."""
    bounds = [upper_bound([walks(0.05, 3, 200, seed)], STEP) for seed in range(400)]
    known = np.array([bound for bound in bounds if bound is not None])
    assert len(known) > 100
    assert (known < 0.05).mean() < 0.08
    assert np.median(known) < 0.3  # and is of use


def test_caged_particles_have_a_bound_that_falls_with_time():
    short, long = (upper_bound([caged(30, frames, 1)], STEP) for frames in (200, 2000))
    assert 0 < long < 0.2 * short
    assert long < 0.3**2 / 100 * 1.5  # MSD 2 x 0.3² of each component, half of it over 100 ps


def test_a_displacement_that_still_accelerates_has_none():
    flight = np.linspace(0, 10, 100)[:, None] * np.ones((1, 3))
    assert upper_bound([flight], STEP) is None
    assert upper_bound([np.zeros((100, 3))], STEP) is None


def test_ions_that_do_not_diffuse_have_bounds_in_place_of_values():
    """In the table, in the report and as numbers; the sum over the charges with the units of a conductivity."""
    moves = np.stack([caged(4, 400, seed) for seed in range(3)], axis=2)  # (F, 4, 3)
    run = IonTrajectory(
        STEP, moves, None, np.array(["Li", "Li", "PF6", "PF6"]), np.array([1.0, 1, -1, -1]), np.ones(4), 1000.0, 100.0
    )
    result = measure_conductivity([run], 300.0, methods=("einstein-helfand", "nernst-einstein"))
    assert set(result.bounds) == {"conductivity", "D of Li", "D of PF6"}
    assert all(any("rattling" in note for note in estimate.notes) for estimate in result.estimates.values())
    li = upper_bound([(moves - moves[0])[:, :2].reshape(400, -1)], STEP)
    assert result.bounds["D of Li"] == pytest.approx(li * DIFFUSION_UNIT)
    dipole = upper_bound([run.dipole()], STEP) * conductivity_scale(1000.0, 300.0)
    assert result.bounds["conductivity"] == pytest.approx(dipole)
    assert f"conductivity is below {10 * dipole:.3g} mS/cm" in result.report()
    assert result.to_dict()["upper_bounds"] == dict(result.bounds)


def test_ions_that_diffuse_have_values_and_no_bounds():
    moves = np.stack([walks(0.05, 4, 2000, seed) for seed in range(3)], axis=2)
    run = IonTrajectory(
        STEP, moves, None, np.array(["Li", "Li", "PF6", "PF6"]), np.array([1.0, 1, -1, -1]), np.ones(4), 1000.0, 100.0
    )
    result = measure_conductivity([run], 300.0, methods=("einstein-helfand", "nernst-einstein"))
    assert set(result.estimates) == {"einstein-helfand", "nernst-einstein"} and not result.bounds
    assert not any("rattling" in note for estimate in result.estimates.values() for note in estimate.notes)


def test_an_estimate_of_few_samples_says_so():
    """The same walk, seen for a short and for a long time in a window that is given."""
    for frames, few in ((300, True), (6000, False)):
        moves = np.stack([walks(0.05, 4, frames, seed) for seed in range(3)], axis=2)
        species, charges = np.array(["Li", "Li", "PF6", "PF6"]), np.array([1.0, 1, -1, -1])
        run = IonTrajectory(STEP, moves, None, species, charges, np.ones(4), 1000.0, 100.0)
        result = measure_conductivity([run], 300.0, methods=("einstein-helfand",), window_ps=(3.0, 12.0))
        assert ("independent samples" in result.report()) == few
