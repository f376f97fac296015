"""What a set fixes of the charges, and what it leaves to chance."""

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import ModelSpec, System
from electrolyte_ml.potentials.charges import QRd, identifiability
from electrolyte_ml.structures import molecule

SPECIES = ("H", "C", "O", "Li", "P", "F")
ONE_RATIO = ["LiPF6(C3H4O3)3(C4H8O3)7", "(LiPF6)2(C3H4O3)6(C4H8O3)14"]
pytestmark = pytest.mark.nojit


def test_one_ratio_fixes_five_of_ten_directions():
    found = identifiability(SPECIES, ONE_RATIO)
    assert (found.rank, found.directions, found.free.shape) == (5, 10, (5, 12))
    assert len(found.statements) == 5
    assert "it does not fix the difference Li - H of ln s" in found.statements
    assert str(found).startswith("this set fixes 5 of 10 directions of the charge parameters; it does not fix")


def test_free_directions_move_no_charge_of_the_set_and_are_no_gauge():
    model = QRd.random(SPECIES, 3)
    found = identifiability(model, ONE_RATIO)
    np.testing.assert_allclose(found.free @ found.free.T, np.eye(5), atol=1e-12)
    assert np.abs(found.free @ model.gauge_directions.T).max() < 1e-12
    inside = {"H": 68, "C": 37, "O": 30, "Li": 1, "P": 1, "F": 6}
    other = {"H": 40, "C": 30, "O": 30, "Li": 1, "P": 1, "F": 6}
    for direction in found.free:
        moved = model.with_parameters(model.parameters + 1e-5 * direction)

        def change(composition, moved=moved):
            before, after = (m.type_charges(composition) for m in (model, moved))
            return max(abs(after[symbol] - before[symbol]) for symbol in composition)

        assert change(inside) < 1e-9 < 1e-8 < change(other)


def test_drift_is_zero_within_the_set_and_grows_with_the_distance():
    drift = identifiability(SPECIES, ONE_RATIO).drift(
        ["(LiPF6)3(C3H4O3)9(C4H8O3)21", "LiPF6(C3H4O3)5(C4H8O3)5", "LiPF6(C3H4O3)12", "C3H4O3"]
    )
    assert drift.shape == (4, 6)
    assert np.abs(drift[0]).max() < 1e-9
    assert (drift[1] > 1e-4).all() and (drift[2] > drift[1]).all()
    assert np.isnan(drift[3, 3:]).all() and (drift[3, :3] > 0).all()


def test_drift_is_the_spread_of_random_free_parameters():
    model = QRd.random(SPECIES, 3)
    found = identifiability(model, ONE_RATIO)
    composition = {"H": 48, "C": 36, "O": 36, "Li": 1, "P": 1, "F": 6}
    rng = np.random.default_rng(0)
    scale = 1e-3  # the drift is of first order
    draws = scale * rng.uniform(-1, 1, (4000, 5)) @ found.free
    charges = [list(model.with_parameters(model.parameters + d).type_charges(composition).values()) for d in draws]
    drift = found.drift(["LiPF6(C3H4O3)12"])[0]
    np.testing.assert_allclose(np.std(charges, axis=0) / scale, drift, rtol=0.05)


def test_several_ratios_fix_everything():
    found = identifiability(SPECIES, [*ONE_RATIO, "LiPF6(C3H4O3)7(C4H8O3)3"])
    assert (found.rank, found.statements) == (10, ())
    assert found.drift(["LiPF6(C3H4O3)12"]).max() < 1e-9


def test_species_that_a_set_has_not_are_free():
    found = identifiability(SPECIES, ["C3H4O3", "C4H8O3", "C3H4O3C4H8O3"])
    assert found.rank == 4  # all that is to know of H, C and O
    assert found.statements == tuple(
        f"it does not fix the difference {symbol} - H of {name}" for name in ("ln s", "b / s") for symbol in SPECIES[3:]
    )


def test_a_total_charge_counts_as_another_composition():
    ec, ion = molecule("EC"), molecule("EC")
    ion.info["charge"] = 1
    species = ("H", "C", "O")
    assert identifiability(species, [ec]).rank == 2
    assert identifiability(species, [ec, ion]).rank == 4


def test_a_sum_is_asked_for_its_charges():
    potential = ModelSpec(level=2, charges="qrd").random(SPECIES)
    assert identifiability(potential, ONE_RATIO).rank == 5


@pytest.mark.parametrize(
    ("model", "configurations", "message"),
    [
        (SPECIES, [], "at least one configuration"),
        (SPECIES, ["NaCl"], "configuration 1: Na is not one of the species H C O Li P F"),
        (SPECIES, ["C3H4O3", Atoms("Na")], "configuration 2: atom 1 is Na"),
        (SPECIES, ["C3H(4"], "configuration 1: 'C3H\\(4' is not a formula"),
        (ModelSpec(level=2).random(SPECIES), ONE_RATIO, "kind mtp has no charge redistribution"),
    ],
)
def test_bad_input_is_named(model, configurations, message):
    with pytest.raises(InputError, match=message):
        identifiability(model, configurations)


def test_a_sum_names_what_the_compositions_of_a_set_leave_free():
    potential = ModelSpec(level=2, charges="qrd").random(("H", "C", "O"))

    def left_free(*compositions):
        return potential.undetermined([System.of(atoms, potential.species) for atoms in compositions])

    ec, emc, ion = molecule("EC"), molecule("EMC"), molecule("EC")
    ion.info["charge"] = 1
    assert left_free(ec, ec) == ("the difference C - H of ln s", "the difference O - H of ln s")
    assert left_free(ec, emc) == left_free(ec, ion) == ()
    assert len(left_free()) == 4
    assert potential.terms[0].undetermined([System.of(ec, potential.species)]) == ()


def test_what_compositions_leave_free_does_not_depend_on_the_parameters():
    """A fit may end with a weight so small that its charge does not change with the composition."""
    systems = [System.of(molecule(name), ("H", "C", "O")) for name in ("EC", "EMC")]
    for s in (np.zeros(3), [15.0, 0.0, 0.0], [8.1, -7.1, -1.0]):
        model = QRd(("H", "C", "O"), [0.0, 0.2, -0.2], s)
        assert model.undetermined(systems) == ()
        assert len(model.undetermined(systems[:1])) == 2
