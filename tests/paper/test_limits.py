"""The sources of a conductivity's deviation are separated where they are known by construction."""

import numpy as np
import pytest

from electrolyte_ml.analysis import GroupedErrors
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.experiment import CONDUCTIVITY
from electrolyte_ml.paper.limits import conductivity_limits

MEASURED = CONDUCTIVITY["3:7"][300.0].value


def point(value, error):
    return {"value": value, "error": error, "trajectories": 8, "total_ps": 10_000.0, "method": "Green-Kubo"}


def member(value, error=0.1, *, sizes=None, trusted=None):
    return {
        "reference": "SevenNet",
        "points": {"3:7": {"300": point(value, error)}},
        "sizes": {"3:7": {atoms: {"300": point(*one)} for atoms, one in (sizes or {}).items()}},
        "states": {"3:7": {"300": {"density": 1.2, "trusted": trusted}}},
    }


def rows(limits):
    return {row.source: row for row in limits.rows}


def test_shifts_add_up_to_the_deviation():
    value = 0.6 * MEASURED
    limits = conductivity_limits([member(value, 0.3, sizes={"286": (value, 0.3), "572": (1.25 * value, 0.5)})])
    found = rows(limits)
    assert limits.deviation == pytest.approx(-0.4)
    assert found["length of the runs"].error == pytest.approx(0.3 / MEASURED)
    assert found["size of the cell"].shift == pytest.approx(-0.15)  # 0.6 - 0.75
    assert found["size of the cell"].error == pytest.approx(np.hypot(0.3, 0.5) / MEASURED)
    assert found["size of the cell"].shift + found["reference, and the rest"].shift == pytest.approx(limits.deviation)
    # The largest cell alone decides what remains: the error of the first one does not enter.
    assert found["reference, and the rest"].error == pytest.approx(0.5 / MEASURED)


def test_a_corrected_potential_shows_the_effect_of_the_reference():
    value = 0.6 * MEASURED
    first = member(value, 0.3, sizes={"286": (value, 0.3), "572": (1.25 * value, 0.5)})
    corrected = member(1.1 * value, 0.4) | {"reference": "PBE"}
    limits = conductivity_limits([first], corrected=corrected)
    found = rows(limits)
    assert found["reference"].shift == pytest.approx(-0.06)  # 0.6 - 0.66
    assert found["reference"].error == pytest.approx(0.5 / MEASURED)
    assert "corrected to PBE; labels by SevenNet, not audited" in found["reference"].evidence
    shifts = [found[name].shift for name in ("size of the cell", "reference", "the rest")]
    assert sum(shifts) == pytest.approx(limits.deviation)
    assert found["the rest"].error == pytest.approx(np.sqrt(0.5**2 + 0.3**2 + 0.4**2) / MEASURED)
    # With one cell, the corrected value alone decides what remains.
    found = rows(conductivity_limits([member(value, 0.3)], corrected=corrected))
    assert found["the rest"].shift == pytest.approx(1.1 * 0.6 - 1.0)
    assert found["the rest"].error == pytest.approx(0.4 / MEASURED)
    assert found["the rest"].evidence == "includes the effects of potential and size of the cell"
    elsewhere = member(5.0) | {"points": {"1:1": {"300": point(5.0, 0.1)}}}
    assert "reference, and the rest" in rows(conductivity_limits([first], corrected=elsewhere))


def test_spread_of_the_potentials_is_what_chance_does_not_explain():
    rng = np.random.default_rng(0)
    values = 5.0 + rng.normal(scale=np.hypot(1.0, 0.5), size=4000)  # potentials differ by 1, their runs scatter by 0.5
    found = rows(conductivity_limits([member(value, 0.5) for value in values]))
    assert found["potential"].error == pytest.approx(1.0 / MEASURED, rel=0.05)
    same = rows(conductivity_limits([member(5.0, 0.5), member(5.01, 0.5)]))
    assert same["potential"].error is None and "within their statistical errors" in same["potential"].evidence
    assert "includes the effects of potential" in same["reference, and the rest"].evidence


def test_what_was_not_measured_is_said_and_left_to_the_rest():
    limits = conductivity_limits([member(5.0)])
    found = rows(limits)
    assert found["potential"].error is None and found["size of the cell"].error is None
    assert "includes the effects of potential and size of the cell" in found["reference, and the rest"].evidence
    assert "not audited" in found["reference, and the rest"].evidence
    assert str(limits).count("not known ") == 2


def test_evidence_names_trust_forces_at_lithium_and_the_audit():
    row = {"atoms": 10, "spread": None, "length": 0.2, "length_spread": None, "rmse": 0.12, "size": 0.4}
    errors = GroupedErrors.from_dict(
        {
            "elements": [{"name": "Li", "species": "", **row}, {"name": "C", "species": "", **row}],
            "species": [],
            "sites": [{"name": n, "species": "EC", **row} for n in ("carbonyl O", "carbonyl O at Li")],
            "molecules": {}, "unrecognised": {}, "affected": 0, "configurations": 1, "potentials": 1,
        }
    )  # fmt: skip
    audit = {
        "reference": "SevenNet",
        "against": "PBE",
        "molecular_pressure_bias": {"value": -0.2, "error": 0.05},
        "density_bias": {"value": 0.07, "error": 0.02},
        "bindings": [
            {"complex": "EC·LiPF6", "reference": "SevenNet", "energy": -1.0},
            {"complex": "EC·LiPF6", "reference": "PBE", "energy": -0.9},
            {"complex": "EC·Li", "reference": "PBE", "energy": -2.2},
        ],
    }
    text = str(conductivity_limits([member(5.0, trusted=0.987)], errors=errors, audit=audit))
    for words in (
        "98.7% of frames trusted",
        "Li 0.12 eV/Å (30%), EC carbonyl O at Li 0.12 eV/Å (30%)",
        "SevenNet against PBE: pressure -0.20 ± 0.05 GPa, density +7% at least, energy of EC·LiPF6 -0.10 eV",
    ):
        assert words in text
    assert "C 0.12" not in text and "energy of EC·Li " not in text
    # At a given density the reference's errors of density and pressure have no part in the deviation.
    given = member(5.0) | {"measured_density": True}
    given["states"]["3:7"]["300"]["pressure"] = -2700.0
    text = str(conductivity_limits([given], audit=audit))
    state = "at the measured density, where the mean pressure is -0.27 GPa; "
    assert f"{state}SevenNet against PBE: energy of EC·LiPF6 -0.10 eV" in text
    assert f"{state}labels by SevenNet, not audited" in str(conductivity_limits([given]))


def test_conditions_without_a_value_are_refused():
    with pytest.raises(InputError, match="no conductivity of 1:1 at 300 K"):
        conductivity_limits([member(5.0)], ratio="1:1")
    with pytest.raises(InputError, match="no conductivity"):
        conductivity_limits([])
    unknown = member(5.0)
    unknown["points"]["3:7"]["310"] = point(5.0, 0.1)
    with pytest.raises(InputError, match="no measured conductivity of 3:7 at 310 K"):
        conductivity_limits([unknown], temperature=310.0)
