"""Two potentials are compared in transport and structure, and the verdict follows from both."""

import numpy as np
import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.model_comparison import Comparison, ModelComparison, compare_models


def share(value, half=0.02):
    return {"value": value, "error": half / 2, "interval_95": [value - half, value + half], "cutoff_band": [None, None]}


def conductivity(value, error=0.2, temperature="300"):
    return {"points": {"3:7": {temperature: {"value": value, "error": error}}}}


def solvation(cip, *, system="3:7, 300 K", networked=0.8, network_system="3:7, 300 K"):
    return {
        "system": system,
        "network_system": network_system,
        "solvation": {
            "ion_pairs": {"SSIP": share(1 - cip), "CIP": share(cip), "AGG": share(0.0)},
            "coordination": {"EC": share(2.4), "PF6": share(cip)},
        },
        "networks": {"networked": share(networked) if networked is not None else {"value": None}},
    }


def compared(sigma, cip):
    names = ("MTP", "MTP-QRd")
    return compare_models(
        {name: conductivity(value) for name, value in zip(names, sigma)},
        {name: solvation(value) for name, value in zip(names, cip)},
    )


@pytest.mark.parametrize(
    ("sigma", "cip", "words"),
    [
        ((8.0, 8.3), (0.0, 0.3), "no difference of σ was found, but only one above 7% would"),
        ((8.0, 6.0), (0.0, 0.3), "σ is not insensitive"),
        ((8.0, 8.3), (0.01, 0.02), "cannot tell"),
        ((8.0, 6.0), (0.01, 0.02), "cannot tell"),
        ((8.0, 8.3), (0.0, 0.033), "cannot tell"),  # 2.3 standard errors in one of six quantities
    ],
)
def test_verdict_needs_both_halves(sigma, cip, words):
    assert words in compared(sigma, cip).verdict


def test_table_has_every_quantity_with_its_errors():
    found = compared((8.0, 8.3), (0.0, 0.3))
    (row,) = found.transport
    assert row.deviation == pytest.approx(0.3 / (0.2 * 2**0.5))
    assert [one.quantity for one in found.structure] == [
        "share of SSIP",
        "share of CIP",
        "share of AGG",
        "donors of EC per Li",
        "donors of PF6 per Li",
        "share of SSIP in networks",
    ]
    assert found.structure[1].errors == pytest.approx((0.01, 0.01))
    assert str(found).splitlines()[-1] == found.verdict


def test_what_one_of_them_never_saw_is_left_out():
    names = ("a", "b")
    found = compare_models(
        dict.fromkeys(names, conductivity(8.0)), {"a": solvation(0.1), "b": solvation(0.1, networked=None)}
    )
    assert "share of SSIP in networks" not in [row.quantity for row in found.structure]


def test_networks_of_cells_of_two_sizes_are_not_compared():
    two = {"a": solvation(0.1), "b": solvation(0.1, network_system="3:7, 300 K, 1144 atoms")}
    found = compare_models(dict.fromkeys(two, conductivity(8.0)), two)
    assert "share of CIP" in [row.quantity for row in found.structure]
    assert "share of SSIP in networks" not in [row.quantity for row in found.structure]


def test_exact_values_agree_or_differ():
    assert Comparison("", (1.0, 1.0), (0.0, 0.0)).deviation == 0.0
    assert Comparison("", (1.0, 0.9), (0.0, 0.0)).deviation == np.inf


def test_equal_potentials_are_rarely_called_different():
    """Seven quantities with errors of one: in any of them two equal potentials differ in one of twenty cases."""
    rng = np.random.default_rng(0)
    called = 0
    for _ in range(1000):
        values = rng.normal(size=(7, 2))
        rows = tuple(Comparison("", (a, b), (1.0, 1.0)) for a, b in values)
        found = ModelComparison(("a", "b"), (Comparison("σ", (1.0, 1.0), (0.1, 0.1)),), rows)
        called += "cannot tell" not in found.verdict
    assert 30 <= called <= 70


def test_other_liquids_are_not_compared():
    two = {"a": conductivity(8.0), "b": conductivity(8.0)}
    with pytest.raises(InputError, match="not the same liquid"):
        compare_models(two, {"a": solvation(0.1), "b": solvation(0.1, system="1:1, 300 K")})
    with pytest.raises(InputError, match="no conductivity at the same"):
        compare_models(
            {"a": conductivity(8.0), "b": conductivity(8.0, temperature="280")}, dict.fromkeys("ab", solvation(0))
        )
    with pytest.raises(InputError, match="two potentials"):
        compare_models({"a": two["a"]}, {"a": solvation(0.1)})
