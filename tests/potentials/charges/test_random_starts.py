"""Many models at once say what each says alone; the pole is found, and shares have exact intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.charges import QRd, charge_changes, draw_parameters, share_of
from electrolyte_ml.structures import molecule

SPECIES = ("H", "Li", "C", "O", "F", "P")
TRAINED = "LiPF6(C3H4O3)3(C4H8O3)7"
PLANNED = ["C3H4O3", "LiPF6(C3H4O3)7(C4H8O3)3", "(LiPF6)2(C3H4O3)3(C4H8O3)7"]
COUNTS = [{"H": 4, "C": 3, "O": 3}, {"H": 52, "Li": 1, "C": 33, "O": 30, "F": 6, "P": 1}]
pytestmark = pytest.mark.nojit


def test_draws_are_those_of_the_model():
    rng = np.random.default_rng(7)
    one_by_one = [QRd.random(SPECIES, rng, form="raw").parameters for _ in range(5)]
    np.testing.assert_array_equal(draw_parameters(5, SPECIES, seed=7), one_by_one)


@pytest.mark.parametrize("form", ["raw", "positive"])
def test_changes_are_those_of_single_models(form):
    drawn = draw_parameters(20, SPECIES, seed=2)
    found = charge_changes(drawn, SPECIES, form, TRAINED, PLANNED)
    trained = {"H": 68, "Li": 1, "C": 37, "O": 30, "F": 6, "P": 1}
    for k, theta in enumerate(drawn):
        model = QRd(SPECIES, *np.split(theta, 2), form)
        before = model.type_charges(trained)
        np.testing.assert_allclose(found.charges[k], list(before.values()), rtol=1e-12)
        for place, composition in enumerate(COUNTS):
            after = model.type_charges(composition)
            largest = max(abs(after[z] - before[z]) for z in after)
            assert found.largest[k, place] == pytest.approx(largest, rel=1e-9)
            sums = [sum(n * model.weights[SPECIES.index(z)] for z, n in c.items()) for c in (trained, composition)]
            assert found.crosses[k, place] == (sums[0] * sums[1] < 0)


def test_our_starts_change_as_their_unfixed_draws():
    drawn = draw_parameters(10, SPECIES, seed=3)
    fixed = [QRd.random(SPECIES, rng).parameters for rng in [np.random.default_rng(3)] for _ in range(10)]
    ours, plain = (charge_changes(np.array(t), SPECIES, "positive", TRAINED, PLANNED) for t in (fixed, drawn))
    np.testing.assert_allclose(ours.largest, plain.largest, rtol=1e-9)
    np.testing.assert_allclose(np.abs(ours.charges), np.abs(plain.charges), rtol=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_positive_weights_never_meet_the_pole(seed):
    found = charge_changes(draw_parameters(200, SPECIES, seed), SPECIES, "positive", TRAINED, PLANNED)
    assert not found.crosses.any()
    assert np.isfinite(found.largest).all()


def test_the_pole_between_two_compositions_is_a_failure_however_small_the_change():
    theta = np.array([[0.0, 0.0, 1.0, -1.9]])  # sum of s: 1 - 1.9 n(Cl)/n(Na)
    found = charge_changes(theta, ("Na", "Cl"), "raw", "NaCl", ["Na2Cl", "Na3Cl3"])
    assert found.crosses.tolist() == [[True, False]]
    assert found.largest.max() == 0.0
    assert found.failed().tolist() == [[True, False]]


def test_charges_at_the_pole_fail():
    found = charge_changes([[0.5, 0.0, 1.0, -1.0]], ("Na", "Cl"), "raw", "Na2Cl", ["NaCl"])
    assert found.failed().all()


def test_a_limit_is_the_largest_change_that_does_not_fail():
    theta = [[1.0, 0.0, 1.0, 1.0]]  # q(Na) = 1 - n(Na)/(n(Na) + n(Cl))
    found = charge_changes(theta, ("Na", "Cl"), "raw", "NaCl", ["NaCl3"])
    assert found.largest[0, 0] == pytest.approx(0.25)
    assert not found.failed(0.3).any() and found.failed(0.2).all()


def test_species_without_atoms_have_no_charge_and_configurations_bring_their_own():
    ion = molecule("Li") + molecule("EC")
    ion.info["charge"] = 1
    found = charge_changes(draw_parameters(3, SPECIES), SPECIES, "positive", "C3H4O3", [ion])
    assert np.isnan(found.charges[:, [1, 4, 5]]).all() and np.isfinite(found.charges[:, [0, 2, 3]]).all()
    model = QRd(SPECIES, *np.split(draw_parameters(3, SPECIES)[1], 2))
    composition = {"H": 4, "C": 3, "O": 3}
    before, after = model.type_charges(composition), model.type_charges({**composition, "Li": 1}, charge=1)
    assert found.largest[1, 0] == pytest.approx(max(abs(after[z] - before[z]) for z in before))


def test_shares_have_exact_binomial_intervals():
    none = share_of(np.zeros(100, bool))
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 100))  # (1 - high)^n = 2.5 %
    half = share_of(np.arange(10) < 5)
    assert half.value == 0.5 and half.low == pytest.approx(1 - half.high)
    assert 0.15 < half.low < 0.2


@pytest.mark.parametrize(
    ("parameters", "first", "others", "words"),
    [
        (np.zeros((3, 4)), TRAINED, PLANNED, r"6 species need parameters \(n, 12\)"),
        (np.zeros((3, 12)), "NaCl", PLANNED, "the first composition: Na"),
        (np.zeros((3, 12)), TRAINED, ["C3H4O3", "Xy"], "composition 2: "),
    ],
)
def test_bad_input_is_named(parameters, first, others, words):
    with pytest.raises(InputError, match=words):
        charge_changes(parameters, SPECIES, "raw", first, others)
