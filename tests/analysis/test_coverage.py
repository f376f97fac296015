"""The promise of every interval: of 100 runs, 90 to 99 hold the exact value, or the length is refused.

One process whose ions move together, so that Nernst-Einstein is wrong for the conductivity and right for its own
quantity; single runs and ten independent ones, of 10, 30 and 100 correlation times each. Seeds are fixed.
"""

import os
from collections import defaultdict

import numpy as np
import pytest

from electrolyte_ml.analysis import (
    OrnsteinUhlenbeckIons,
    einstein_helfand,
    green_kubo,
    kinisi_conductivity,
    nernst_einstein,
    onsager_coefficients,
    stacie_conductivity,
    viscosity,
)
from electrolyte_ml.errors import InputError

PROCESS = OrnsteinUhlenbeckIons(counts=(4, 4), distinct=((-0.001, 0.0015), (0.0015, -0.0012)))
STEP = 0.2  # of a correlation time
RUNS = 100


def measurements(runs):
    """Every estimator, and the exact value of each of its estimates."""
    first, exact = runs[0], PROCESS
    common = (STEP, exact.volume, exact.temperature)
    currents = [run.current() for run in runs]
    dipoles = [run.dipole() for run in runs]
    moved = [run.displacements() for run in runs]
    yield "green-kubo", lambda: {"sigma": (green_kubo(currents, *common), exact.conductivity)}
    yield "einstein-helfand", lambda: {"sigma": (einstein_helfand(dipoles, *common), exact.conductivity)}

    def alone():
        found = nernst_einstein(moved, first.species, first.charges, *common)
        numbers = {name: (found.diffusion[name], 1e-4 * d) for name, d in zip(exact.names, exact.diffusion)}
        return {"sigma_NE": (found.conductivity, exact.nernst_einstein), **numbers}

    yield "nernst-einstein", alone

    def together():
        found = onsager_coefficients(
            moved, first.species, first.charges, *common, masses=first.masses, solvent_mass=first.solvent_mass
        )
        numbers = {f"L{a}{b}": (found.coefficients[a][b], exact.onsager[a, b]) for a, b in ((0, 0), (0, 1), (1, 1))}
        for frame in ("barycentric", "solvent"):
            numbers[f"t+ {frame}"] = (found.transference[frame][0], exact.transference(frame)[0])
        ratio = exact.conductivity / exact.nernst_einstein
        return {"sigma": (found.conductivity, exact.conductivity), "ionicity": (found.ionicity, ratio), **numbers}

    yield "onsager", together


def count(length, trajectories, which=None, runs=RUNS, seed=0):
    """Method, quantity -> intervals that hold the exact value and all; method -> refusals and one reason."""
    held, refused = defaultdict(list), defaultdict(list)
    for run in range(runs):
        seeds = np.random.SeedSequence([seed, length, trajectories, run]).spawn(trajectories)
        sample = [PROCESS.sample(length, STEP, seed=one) for one in seeds]
        for method, measure in which(sample) if which else measurements(sample):
            try:
                for quantity, (estimate, exact) in measure().items():
                    held[method, quantity].append(estimate.low <= exact <= estimate.high)
            except InputError as error:
                refused[method].append(str(error))
    return held, refused


def check(held, refused, runs=RUNS):
    methods = {method for method, _ in held} | set(refused)
    for method in methods:
        if len(refused[method]) > 0.5 * runs:
            assert all("\n" not in reason and len(reason) > 30 for reason in refused[method])
            continue  # this length is refused
        for (of, quantity), holds in held.items():
            if of == method:
                share = sum(holds) / len(holds)
                assert 0.90 <= share <= 0.99 + 0.5 / runs, f"{method} {quantity}: {sum(holds)} of {len(holds)}"


@pytest.mark.slow
@pytest.mark.parametrize("trajectories", [1, 10])
@pytest.mark.parametrize("length", [10, 30, 100])
def test_intervals_hold_the_exact_value(length, trajectories):
    check(*count(length, trajectories))


@pytest.mark.slow
@pytest.mark.parametrize("length", [10, 30, 100])
def test_given_windows_keep_the_promise_too(length):
    window = (2.5, 5.0)

    def which(sample):
        common = (STEP, PROCESS.volume, PROCESS.temperature)
        exact = PROCESS.conductivity
        currents, dipoles = [run.current() for run in sample], [run.dipole() for run in sample]
        yield "green-kubo", lambda: {"sigma": (green_kubo(currents, *common, window_ps=window), exact)}
        yield "einstein-helfand", lambda: {"sigma": (einstein_helfand(dipoles, *common, window_ps=window), exact)}

    check(*count(length, 10, which, seed=1))


@pytest.mark.slow
def test_a_slow_process_behind_a_fast_one_is_mostly_found():
    """Single runs of fifty slow times. Read off behind the fast process alone, a tenth of the intervals hold."""
    slow = OrnsteinUhlenbeckIons(counts=(2, 2), relaxation_ps=(0.1, 10.0), weights=(0.5, 0.5))
    held = stretched = 0
    for seed in range(40):
        current = slow.sample(500.0, 0.05, seed=seed).current()
        found = green_kubo([current], 0.05, slow.volume, slow.temperature)
        held += found.low <= slow.conductivity <= found.high
        stretched += "still changes" in found.plateau.reason
    assert held >= 28 and stretched >= 28


@pytest.mark.slow
@pytest.mark.parametrize("length", [10, 30, 100])
def test_viscosity_keeps_the_promise(length):
    def which(sample):
        # Two ions of the process make six independent columns of one memory; their sizes are those of a stress.
        free = OrnsteinUhlenbeckIons(counts=(1, 1), diffusion=(1.0, 1.0))
        state = np.random.SeedSequence([round(1e6 * abs(sample[0].velocities[0, 0, 0])), length])
        stresses = []
        for seed in state.spawn(3):
            a, b, c, d, e, _ = free.sample(length, STEP, seed=seed).velocities.reshape(-1, 6).T
            zz = 2 * e / np.sqrt(3)
            stresses.append(np.stack([d - zz / 2, -d - zz / 2, zz, a, b, c], axis=1))
        exact = 1e-29 / 1.380649e-23 * 8000.0 / 300.0  # V / (k_B T) times an integral of 1 bar² ps
        yield "viscosity", lambda: {"eta": (viscosity(stresses, STEP, 8000.0, 300.0), exact)}

    check(*count(length, 1, which))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "estimator", "length", "trajectories"),
    [("kinisi", kinisi_conductivity, 30, 10), ("stacie", stacie_conductivity, 100, 1)],
)
def test_other_packages_keep_it_within_what_few_runs_can_tell(package, estimator, length, trajectories):
    """Each takes up to a second a run: of 30 intervals that hold with 90 % each, 23 or fewer do so in 1 of 50 cases.

    ELECTROLYTE_ML_COVERAGE_RUNS=100 counts as many as for our own.
    """
    pytest.importorskip(package)
    runs = int(os.environ.get("ELECTROLYTE_ML_COVERAGE_RUNS", "30"))

    def which(sample):
        data = [run.dipole() if package == "kinisi" else run.current() for run in sample]
        common = (STEP, PROCESS.volume, PROCESS.temperature)
        yield package, lambda: {"sigma": (estimator(data, *common), PROCESS.conductivity)}

    held, refused = count(length, trajectories, which, runs=runs)
    holds = held[package, "sigma"]
    assert len(refused[package]) <= 0.5 * runs
    assert sum(holds) >= (0.8 if runs < 100 else 0.9) * len(holds)
