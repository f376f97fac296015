"""Sharing out a total charge: it adds up for any composition, has no pole, and its chain rule is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.potentials.charges import QRd
from electrolyte_ml.potentials.charges.composition import fix_gauge, redistributed
from electrolyte_ml.potentials.charges.conservation import pull_back, redistribute

SPECIES = ("H", "C", "O", "Li", "P", "F")
pytestmark = pytest.mark.nojit


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 10**6),
    counts=st.lists(st.integers(0, 300), min_size=6, max_size=6).filter(any),
    total=st.integers(-5, 5),
)
def test_charges_add_up_for_any_composition(seed, counts, total):
    charges = QRd.random(SPECIES, seed).type_charges(dict(zip(SPECIES, counts, strict=True)), total)
    assert list(charges) == [symbol for symbol, n in zip(SPECIES, counts, strict=True) if n]
    assert sum(n * charges.get(symbol, 0.0) for symbol, n in zip(SPECIES, counts, strict=True)) == pytest.approx(
        total, abs=1e-12
    )


def test_a_million_gauge_fixed_draws_never_meet_a_pole():
    theta = np.random.default_rng(0).uniform(-1, 1, (1_000_000, 12))
    lipf6 = np.array([8.0 * 3 + 4, 7.0, 6.0, 1.0, 1.0, 6.0])
    shared = redistributed(theta, lipf6, 0.0, "positive")
    # Weights are scaled by the largest, which counts at least once.
    assert shared.total_weight.min() >= 1.0
    assert np.abs(shared.charges).max() < 1 + np.abs(theta[:, :6] @ lipf6).max()
    assert np.abs(shared.charges @ lipf6).max() < 1e-12
    raw = redistributed(theta, lipf6, 0.0, "raw")
    assert (np.sign(raw.total_weight) < 0).any() and (np.sign(raw.total_weight) > 0).any()
    assert np.abs(raw.charges).max() > 1000  # near the pole of plain weights


@pytest.mark.parametrize("total", [0.0, 1.0])
def test_extreme_weights_neither_overflow_nor_vanish(total):
    theta = np.concatenate([np.linspace(-1, 1, 6), [-1e4, -900.0, 0.0, 900.0, 1e4, 3.0]])
    for counts in (np.ones(6), np.array([2.0, 1, 0, 0, 0, 0]), np.array([0.0, 3, 0, 1, 0, 7])):
        charges = redistributed(theta, counts, total, "positive").charges
        assert np.isfinite(charges).all()
        assert charges @ counts == pytest.approx(total, abs=1e-12)


def test_atoms_and_species_give_the_same():
    rng = np.random.default_rng(1)
    b, s, counts = rng.normal(size=3), rng.uniform(0.5, 2, 3), np.array([4, 1, 2])
    atom = np.repeat(np.arange(3), counts)
    by_type, by_atom = redistribute(b, s, 2.0, counts), redistribute(b[atom], s[atom], 2.0)
    np.testing.assert_allclose(by_type.charges[atom], by_atom.charges, atol=1e-14)
    slope = rng.normal(size=len(atom))
    pulled = pull_back(by_atom.shares, slope)
    summed = pull_back(by_type.shares, np.bincount(atom, slope), counts)
    np.testing.assert_allclose(np.bincount(atom, pulled), summed, atol=1e-13)


def test_the_chain_rule_is_that_of_every_atoms_proposal():
    """Each potential less the weighted mean of all: what charges that depend on surroundings need for their forces."""
    rng = np.random.default_rng(2)
    b, s, slope = rng.normal(size=7), rng.uniform(0.5, 2, 7), rng.normal(size=7)
    pulled = pull_back(redistribute(b, s, 1.0).shares, slope)
    for i in range(7):
        step = 1e-3 * np.eye(7)[i]
        difference = (redistribute(b + step, s, 1.0).charges - redistribute(b - step, s, 1.0).charges) / 2e-3
        assert pulled[i] == pytest.approx(slope @ difference, abs=1e-11)


def test_fixing_the_gauge_changes_no_charge():
    rng = np.random.default_rng(3)
    theta = rng.uniform(-1, 1, 12) + [*np.full(6, 5.0), *np.full(6, 2.0)]
    fixed = fix_gauge(theta)
    assert abs(fixed[:6].sum()) < 1e-13 and abs(fixed[6:].sum()) < 1e-13
    for _ in range(20):
        counts, total = rng.integers(1, 40, 6), int(rng.integers(-3, 4))
        before, after = (redistributed(t, counts, total, "positive").charges for t in (theta, fixed))
        np.testing.assert_allclose(after, before, atol=1e-12)
