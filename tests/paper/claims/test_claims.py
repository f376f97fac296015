"""Verdicts come from stored results, and only where the scale allows them."""

import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.claims import (
    CLAIMS,
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    SHOWN,
    JudgedClaim,
    Outcome,
    claims_html,
    format_claims,
    judge_claims,
)
from electrolyte_ml.paper.results import load_result, save_result
from electrolyte_ml.paper.scales import PAPER, QUICK, STANDARD


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))
    return tmp_path


def solvent(densities, experiment, drifts=False):
    return {
        "densities": densities,
        "experiment": experiment,
        "drifts": drifts,
        "set_energies": [-1.00, -1.01, -0.90, -0.80] + [-0.85] * 996,
        "set_densities": [1.35, 1.50, 1.02, 1.20] + [1.2] * 996,
        "seeded": 2,
    }


def store(scale, **changes):
    solvents = {"EC": solvent([1.25, 1.26, 1.27], 1.33), "EMC": solvent([0.96, 0.97, 0.98], 1.004)}
    solvents["EC"].update(changes)
    save_result("pure_solvents", {"reference": "PBE-D3(0)", "solvents": solvents}, scale)


def verdicts(scale):
    return {judged.claim.number: judged.outcome.verdict for judged in judge_claims(scale)}


def test_rows_are_numbered_as_in_the_table():
    assert [claim.number for claim in CLAIMS] == list(range(1, 29))


def test_without_results_only_counts_and_settings_are_judged(results):
    assert {n for n, verdict in verdicts(QUICK).items() if verdict == REPRODUCED} == {1, 2, 28}
    assert {verdict for n, verdict in verdicts(QUICK).items() if n not in (1, 2, 28)} == {NOT_RUN}


def test_physics_is_shown_but_not_judged_at_the_quick_scale(results):
    store(QUICK)
    assert {verdicts(QUICK)[n] for n in (3, 4, 5)} == {SHOWN}


def test_physics_is_judged_at_the_standard_scale(results):
    store(STANDARD)
    assert {verdicts(STANDARD)[n] for n in (3, 4, 5)} == {REPRODUCED}


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"drifts": True}, 4),
        ({"densities": [1.10, 1.11, 1.12]}, 4),  # 16 % below experiment
        ({"densities": [1.20, 1.26, 1.32]}, 4),  # seeds disagree by 5 %
        ({"seeded": 1000}, 5),
        ({"set_densities": [1.02] * 2 + [1.35] * 998}, 5),  # the AIMD part is the dilute one
        ({"set_densities": [1.40] * 2 + [1.02] * 998}, 5),  # nothing as dense as 1.49
        ({"set_energies": [-1.0] * 100, "set_densities": [1.2] * 100}, 3),  # 100 configurations
    ],
)
def test_what_differs_is_said(results, changes, row):
    store(STANDARD, **changes)
    assert verdicts(STANDARD)[row] == NOT_REPRODUCED


def test_table_names_scale_reference_and_every_claim(results):
    store(STANDARD)
    table = format_claims(judge_claims(STANDARD))
    assert "standard" in table.splitlines()[0]
    assert "PBE-D3(0)" in table.splitlines()[0]
    assert len(table.splitlines()) == 3 + len(CLAIMS)


def test_paper_scale_without_runs_claims_no_physics(results):
    assert {n for n, verdict in verdicts(PAPER).items() if verdict == REPRODUCED} == {1, 2, 28}


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
    judged = [JudgedClaim(CLAIMS[0], Outcome(NOT_REPRODUCED, "a < b"), "quick", "GFN1-xTB"),
              JudgedClaim(CLAIMS[1], Outcome(REPRODUCED), "quick", "GFN1-xTB")]  # fmt: skip
    page = claims_html(judged)
    assert page.count("<tr>") == 3 and "a &lt; b" in page
    assert page.count('class="bad"') == 1
