"""Verdicts come from stored results, and only where the scale allows them."""

from dataclasses import replace

import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.claims import (
    CLAIMS,
    NOT_REPRODUCED,
    NOT_RUN,
    NOT_RUN_AT_SCALE,
    REPRODUCED,
    JudgedClaim,
    Outcome,
    claims_html,
    format_claims,
    judge_claims,
    judge_shipped_claims,
)
from electrolyte_ml.paper.results import load_result, save_result
from electrolyte_ml.paper.scales import PAPER, QUICK, STANDARD


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))
    return tmp_path


def members(*means, drifts=False):
    return [{"mean": mean, "error": 0.01, "drifts": drifts} for mean in means]


def solvent(densities, experiment, drifts=False):
    return {
        "members": members(*densities, drifts=drifts),
        "failed": [],
        "pressure_biases": [0.0 for _ in densities],
        "experiment": experiment,
        "set_energies": [-1.00, -1.01, -0.90, -0.80] + [-0.85] * 996,
        "set_densities": [1.35, 1.50, 1.02, 1.20] + [1.2] * 996,
        "set_iterations": [0] * 2 + [1] * 998,
        "converged": True,
    }


def store(scale, **changes):
    solvents = {"EC": solvent([1.25, 1.26, 1.27], 1.33), "EMC": solvent([0.96, 0.97, 0.98], 1.004)}
    solvents["EC"].update(changes)
    save_result("pure_solvents", {"reference": "PBE-D3(0)", "solvents": solvents}, scale)


def outcomes(scale):
    return {judged.claim.label: judged.outcome for judged in judge_claims(scale)}


def verdicts(scale):
    return {label: outcome.verdict for label, outcome in outcomes(scale).items()}


def test_rows_are_numbered_as_in_the_table():
    numbers = [claim.number for claim in CLAIMS]
    assert numbers == sorted(numbers) and set(numbers) == set(range(1, 29))
    assert len({claim.label for claim in CLAIMS}) == len(CLAIMS)
    for number in range(1, 29):  # parts have letters from a on, single claims none
        parts = "".join(claim.part for claim in CLAIMS if claim.number == number)
        assert parts in ("", "ab", "abc")


@pytest.mark.parametrize("scale", [QUICK, STANDARD, PAPER], ids=lambda scale: scale.name)
def test_without_results_only_what_is_counted_or_handed_over_is_judged(results, scale):
    expected = {
        REPRODUCED: {"1a", "1b", "2", "3a", "6", "8", "12", "15", "21", "23c", "24a", "28a", "28b"},
        NOT_REPRODUCED: set(),
    }
    expected[NOT_RUN] = set()
    found = verdicts(scale)
    for verdict, labels in expected.items():
        assert {label for label, given in found.items() if given == verdict} == labels
    others = set().union(*expected.values())
    assert {verdict for label, verdict in found.items() if label not in others} == {NOT_RUN_AT_SCALE}


def test_physics_is_shown_but_not_judged_at_the_quick_scale(results):
    store(QUICK)
    for label in ("3b", "4", "5"):
        outcome = outcomes(QUICK)[label]
        assert outcome.verdict == NOT_RUN_AT_SCALE
        assert outcome.ours.endswith("(shown at the quick scale)")
        assert outcome.judged_from == ("file: quick/pure_solvents.json, labels by PBE-D3(0)",)


def test_physics_is_judged_at_the_standard_scale(results):
    store(STANDARD)
    for label in ("3b", "4", "5"):
        outcome = outcomes(STANDARD)[label]
        assert outcome.verdict == REPRODUCED
        assert outcome.judged_from == ("file: standard/pure_solvents.json, labels by PBE-D3(0)",)


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"members": members(1.25, 1.26, 1.27, drifts=True)}, "4"),
        ({"members": members(1.10, 1.11, 1.12)}, "4"),  # 16 % below experiment
        ({"members": members(1.20, 1.26, 1.32)}, "4"),  # seeds disagree by 5 %
        ({"set_iterations": [0] * 1000}, "5"),
        ({"failed": ["broken molecule"]}, "4"),
        ({"members": []}, "4"),
        ({"set_densities": [1.02] * 2 + [1.35] * 998}, "5"),  # the AIMD part is the dilute one
        ({"set_densities": [1.40] * 2 + [1.02] * 998}, "5"),  # nothing as dense as 1.49
        (
            {"set_energies": [-1.0] * 100, "set_densities": [1.2] * 100, "set_iterations": [0] * 100},
            "3b",
        ),  # 100 configurations
    ],
)
def test_other_numbers_do_not_reproduce_the_claim(results, changes, row):
    store(STANDARD, **changes)
    assert verdicts(STANDARD)[row] == NOT_REPRODUCED


def test_table_names_scale_reference_and_every_claim(results):
    store(STANDARD)
    table = format_claims(judge_claims(STANDARD))
    assert "standard" in table.splitlines()[0]
    assert "PBE-D3(0)" in table.splitlines()[0]
    rows = [line.split()[0] for line in table.splitlines()[2:] if not line.startswith(" ")]
    assert rows == [claim.label for claim in CLAIMS]
    assert max(map(len, table.splitlines())) <= 118
    # Nothing is cut off, whatever the lines are broken into.
    text = " ".join(table.split())
    for judged in judge_claims(STANDARD):
        for source in judged.outcome.judged_from:
            assert f"judged from: {source}" in text


def test_a_verdict_needs_evidence():
    for verdict in (REPRODUCED, NOT_REPRODUCED):
        with pytest.raises(ValueError, match="needs evidence"):
            Outcome(verdict)


def test_results_come_back_as_they_were_stored(results):
    import numpy as np

    save_result("numbers", {"a": np.float64(1.5), "b": np.arange(3), "c": {"d": "x"}}, QUICK)
    assert load_result("numbers", QUICK) == {"a": 1.5, "b": [0, 1, 2], "c": {"d": "x"}}
    assert load_result("missing", QUICK) is None


def test_damaged_result_is_named(results):
    QUICK.directory.mkdir(parents=True)
    (QUICK.directory / "numbers.json").write_text("{")
    with pytest.raises(InputError, match="numbers.json"):
        load_result("numbers", QUICK)


def test_page_holds_every_claim_and_marks_what_failed():
    outcomes = (
        Outcome(NOT_REPRODUCED, "a < b", judged_from=("file: a",)),
        Outcome(REPRODUCED, judged_from=("file: c > d",)),
    )
    judged = [JudgedClaim(claim, outcome, "quick", "GFN1-xTB") for claim, outcome in zip(CLAIMS, outcomes)]
    page = claims_html(judged)
    assert page.count("<tr>") == 3 and "a &lt; b" in page and "file: c &gt; d" in page
    assert page.count('class="bad"') == 1


def test_shipped_verdicts_stand_beside_those_of_this_run(results, monkeypatch, tmp_path):
    monkeypatch.setattr("electrolyte_ml.paper.scales.shipped_results", lambda: tmp_path / "shipped")
    assert judge_shipped_claims() is None  # nothing ships
    (tmp_path / "shipped" / "standard").mkdir(parents=True)
    store(replace(STANDARD, results=tmp_path / "shipped" / "standard"))
    shipped = judge_shipped_claims()
    assert {judged.scale for judged in shipped} == {"standard"}
    assert judge_claims(QUICK)[5].outcome.verdict == NOT_RUN_AT_SCALE  # nothing of this run
    density = next(judged for judged in shipped if judged.claim.label == "4")
    assert density.outcome.verdict == REPRODUCED and "standard/pure_solvents.json" in density.outcome.judged_from[0]
    text = " ".join(format_claims(judge_claims(QUICK), shipped=shipped).split())
    assert f"shipped, standard scale: reproduced; {density.outcome.ours}" in text
    page = claims_html(judge_claims(QUICK), shipped=shipped)
    assert '<th scope="col">shipped, standard scale</th>' in page and f"reproduced: {density.outcome.ours}" in page
