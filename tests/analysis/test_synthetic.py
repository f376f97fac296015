"""The ions of known answers: their exact coefficients against what long samples and plain algebra say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.analysis import OrnsteinUhlenbeckIons
from electrolyte_ml.errors import InputError

PAIRED = ((-0.001, 0.0015), (0.0015, -0.0012))


def test_velocities_have_the_covariance_that_is_promised():
    process = OrnsteinUhlenbeckIons(
        counts=(2, 3), charges=(3.0, -2.0), distinct=PAIRED, relaxation_ps=(0.2, 2.0), weights=(0.3, 0.7)
    )
    samples = np.concatenate([process.sample(400, 0.5, seed=s).velocities for s in range(10)])
    size = 0.3 / 0.2 + 0.7 / 2.0  # sum of w / tau, 1/ps
    species = np.repeat([0, 1], process.counts)
    expected = np.array(process.distinct)[species][:, species]
    np.fill_diagonal(expected, np.array(process.diffusion)[species])
    found = np.einsum("fic,fjc->ij", samples, samples) / (3 * len(samples))
    np.testing.assert_allclose(found, size * expected, atol=0.04 * size * max(process.diffusion))


def test_positions_are_the_integral_of_the_velocities():
    process = OrnsteinUhlenbeckIons(distinct=PAIRED)
    sample = process.sample(5.0, 0.002, seed=3)
    moved = sample.positions[-1] - sample.positions[0]
    integral = np.trapezoid(sample.velocities, dx=0.002, axis=0)
    np.testing.assert_allclose(moved, integral, atol=2e-3)  # the trapezoid's own error on a path this rough is 3e-4


@pytest.mark.parametrize("step", [0.1, 10.0])
def test_displacement_is_exact_at_any_step(step):
    process = OrnsteinUhlenbeckIons(counts=(200, 200), relaxation_ps=(1.0,))
    sample = process.sample(300 * step, step, seed=1)
    moved = np.diff(sample.positions[:, :200], axis=0)
    expected = 2 * process.diffusion[0] * (step - (1 - np.exp(-step)))  # of one component
    assert np.mean(moved**2) == pytest.approx(expected, rel=0.03)


def test_conductivity_is_the_sum_that_the_definition_gives():
    process = OrnsteinUhlenbeckIons(distinct=PAIRED)
    e, k = 1.602176634e-19, 1.380649e-23
    pairs = 8 * 0.02 + 8 * 0.03 + 8 * 7 * (-0.001 - 0.0012) - 2 * 64 * 0.0015  # Å²/ps
    expected = e**2 * pairs * 1e-8 / (process.volume * 1e-30 * k * 300.0)
    assert process.conductivity == pytest.approx(expected, rel=1e-9)
    assert process.nernst_einstein == pytest.approx(expected * 0.4 / pairs, rel=1e-9)


def test_ions_that_move_together_conduct_less_than_nernst_and_einstein_say():
    process = OrnsteinUhlenbeckIons(distinct=PAIRED)
    assert process.conductivity / process.nernst_einstein == pytest.approx((0.4 - 0.1232 - 0.192) / 0.4)


def test_independent_ions_are_nernst_and_einsteins():
    process = OrnsteinUhlenbeckIons()
    assert process.conductivity == pytest.approx(process.nernst_einstein)
    np.testing.assert_allclose(process.transference(), [0.4, 0.6])


def test_solvent_frame_is_that_in_which_the_solvent_rests():
    process = OrnsteinUhlenbeckIons(distinct=PAIRED)
    # Fluxes are linear in the forces; a force on species b drives ion fluxes L[:, b] and the solvent's the other way.
    flux = process.collective
    solvent_velocity = -(np.array(process.masses) @ flux) / process.solvent_mass
    seen = flux - np.array(process.counts)[:, None] * solvent_velocity[None]
    charges = np.array(process.charges)
    # ... and the force that a field exerts in that frame does not push the solvent.
    turn = np.eye(2) + np.outer(process.counts, process.masses) / process.solvent_mass
    shares = charges * (seen @ turn.T @ charges)
    np.testing.assert_allclose(process.transference("solvent"), shares / shares.sum())


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_any_number_of_species(counts, seed):
    rng = np.random.default_rng(seed)
    n = len(counts)
    diffusion = rng.uniform(0.01, 0.1, n)
    # Charges that sum to zero: every species against the last.
    charges = np.r_[rng.integers(-2, 3, n - 1), 0.0].astype(float)
    charges[-1] = -np.dot(charges[:-1], counts[:-1]) / counts[-1]
    distinct = 0.2 * min(diffusion) / max(counts) / n * np.ones((n, n))
    process = OrnsteinUhlenbeckIons(
        counts=tuple(counts), charges=tuple(charges), masses=(10.0,) * n, diffusion=tuple(diffusion),
        distinct=tuple(map(tuple, distinct)), names=tuple(f"X{k}" for k in range(n)),
    )  # fmt: skip
    sample = process.sample(2.0, 0.5, seed=seed)
    assert sample.positions.shape == sample.velocities.shape == (5, sum(counts), 3)
    assert sample.names == process.names
    assert np.linalg.eigvalsh(process.collective).min() >= -1e-12


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"distinct": ((0.03, 0.0), (0.0, 0.0))}, "no process has these"),
        ({"distinct": ((0.0, 0.1), (0.1, 0.0))}, "no process has these"),
        ({"distinct": ((0.0, 0.1), (0.0, 0.0))}, "symmetric"),
        ({"weights": (0.9,)}, "sum to 0.9"),
        ({"relaxation_ps": (1.0, 2.0)}, "one positive share"),
        ({"charges": (1.0,)}, "as many charges"),
    ],
)
def test_impossible_process_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        OrnsteinUhlenbeckIons(**wrong)


def test_same_seed_same_ions():
    process = OrnsteinUhlenbeckIons()
    one, same, other = (process.sample(2.0, 0.1, seed=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(one.positions, same.positions)
    assert not np.allclose(one.velocities, other.velocities)
