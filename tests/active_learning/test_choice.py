"""So many configurations among those that there are."""

import numpy as np
import pytest

from electrolyte_ml.active_learning import ActiveSet, choose
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import MomentTensorPotential, correction_on

SPECIES = ("H", "O")


@pytest.fixture(scope="module")
def model():
    """Of more parameters than the atoms of a few boxes can fix."""
    return MomentTensorPotential.random(8, SPECIES, cutoff=4.0, radial_basis_size=6)


@pytest.fixture(scope="module")
def boxes(liquid):
    return [liquid(8, SPECIES, seed) for seed in range(6)]


@pytest.mark.parametrize("mode", ["configuration", "neighbourhood"])
def test_choices_are_nested_and_duplicates_come_last(model, boxes, mode):
    pool = [boxes[0], boxes[0].copy(), boxes[0].copy(), *boxes[1:4]]
    order = choose(model, pool, 6, mode)
    assert sorted(order) == list(range(6)) and 0 in order[:4]
    assert set(order[4:]) == {1, 2}
    for count in (1, 3):
        assert np.array_equal(choose(model, pool, count, mode), order[:count])


def test_what_is_known_is_not_chosen_again(model, boxes):
    known = ActiveSet.build(model, boxes[:3], "neighbourhood")
    assert set(choose(model, boxes, 3, known=known)) == {3, 4, 5}
    assert choose(model, boxes, 1, known=known)[0] == np.argmax([known.grade(box) for box in boxes])


def test_rows_of_a_correction_are_its_own(model, boxes):
    """Whatever the base."""
    other = MomentTensorPotential.random(6, SPECIES, seed=3, cutoff=5.0)
    assert np.array_equal(choose(correction_on(other, model), boxes, 4), choose(model, boxes, 4))


@pytest.mark.parametrize("count", [0, 7])
def test_more_than_there_are(model, boxes, count):
    with pytest.raises(InputError, match=f"{count} configurations cannot be chosen among 6"):
        choose(model, boxes, count)
