"""Charges in the extrapolation grade: a composition outside the training set is noticed."""

import pytest

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.potentials.charges import QRd, identifiability
from electrolyte_ml.structures import pack

SPECIES = ("H", "C", "O")


@pytest.fixture(scope="module")
def boxes():
    """Twelve configurations of one ratio, three more of it, and three of another."""
    two_to_one = [pack({"EC": 2, "EMC": 1}, 1.0, seed=seed) for seed in range(15)]
    return two_to_one[:12], two_to_one[12:], [pack({"EC": 1, "EMC": 2}, 1.0, seed=seed) for seed in range(3)]


@pytest.mark.parametrize("mode", ["configuration", "neighbourhood"])
def test_another_ratio_has_a_high_grade(boxes, mode):
    seen, same, other = boxes
    model = QRd.random(SPECIES, 1)
    active_set = ActiveSet.build(model, seen, mode)
    if mode == "configuration":
        assert (active_set.result.index >= 0).sum() == identifiability(model, seen).rank == 2
    assert max(map(active_set.grade, same)) < 2
    assert min(map(active_set.grade, other)) > 10


def test_charges_raise_the_grade_of_a_sum(boxes):
    """The rows of a short-ranged potential alone do not tell the two ratios apart as well."""
    seen, _, other = boxes
    charged = ModelSpec(level=2, cutoff=3.0, radial_basis_size=2, charges="qrd").random(SPECIES, 1)
    grades = [
        min(map(ActiveSet.build(potential, seen, "neighbourhood").grade, other))
        for potential in (charged, charged.terms[0])
    ]
    assert grades[0] > 10 > grades[1]
