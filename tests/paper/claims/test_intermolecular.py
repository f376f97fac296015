"""Claims 12 to 14 are judged from stored errors, each way."""

from dataclasses import replace

import pytest

from electrolyte_ml.paper.claims import CLAIMS, NOT_REPRODUCED, NOT_RUN, NOT_RUN_AT_SCALE, REPRODUCED
from electrolyte_ml.paper.scales import PAPER, QUICK, STANDARD
from electrolyte_ml.paper.stored import store_validation

TRENDS = ("13a", "13b", "13c", "14a", "14b", "14c")


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))


def judged(label, scale=STANDARD):
    return next(claim.judge(scale) for claim in CLAIMS if claim.label == label)


def verdicts(errors):
    store_validation(errors, STANDARD)
    return {label: judged(label).verdict for label in TRENDS}


def test_without_results_nothing_is_judged():
    assert {judged(label).verdict for label in TRENDS} == {NOT_RUN_AT_SCALE}


def test_the_papers_trends_are_reproduced(validation):
    assert set(verdicts(validation()).values()) == {REPRODUCED}
    assert judged("13a").judged_from == ("file: standard/intermolecular_errors.json, labels by PBE-D3(0)",)
    assert "intramolecular in 20, intermolecular in 20 of 20 cases; 25% of their squares" in judged("13a").ours
    assert "errors of MTP12-QRd are 1.00 of those of MTP16 (1.00 to 1.00)" in judged("13b").ours
    assert "EC 4.42 meV/atom, 0.088 eV/Å" in judged("13c").ours
    assert "MTP20, EC: worst carbonyl C 0.40, O to 0.20, rest to 0.10 eV/Å" in judged("14a").ours
    assert "MTP16 and MTP16-QRd differ most on ether O of EC 0.050, CH2 of EC 0.040" in judged("14c").ours
    assert judged("14c").ours.endswith("two seeds of MTP16 differ there by 0.020, 0.020, 0.020")


def test_the_quick_scale_shows_and_does_not_judge(validation):
    store_validation(validation(), QUICK)
    outcome = judged("13b", QUICK)
    assert outcome.verdict == NOT_RUN_AT_SCALE and outcome.ours.endswith("(shown at the quick scale)")


CHANGES = [
    ("13a", {"parts": {"total": 1.0, "intramolecular": 1.5, "intermolecular": 0.9}}),
    ("13b", {"kinds": {"MTP12": (200, (1.0,)), "MTP16": (400, (0.7,)), "MTP12-QRd": (206, (0.8,))}}),
    ("13c", {"compositions": {"EC": 1.0, "7EC:3EMC": 0.8, "3EC:7EMC": 0.9, "EMC": 0.7}}),
    ("14a", {"sites": {("EC", "carbonyl O"): 0.22}}),  # above 0.21
    ("14a", {"sites": {("EC", "CH2"): 0.5}}),  # worse than carbonyl C
    ("14a", {"sites": {("EMC", "H of CH2"): 0.2}}),  # more than its O
    ("14b", {"sites": {("EMC", "carbonyl C"): 0.9}}),
    ("14c", {"difference": {("EC", "ether O"): 0.05, ("EC", "CH2"): 0.01, ("EC", "carbonyl C"): 0.03}}),
]


@pytest.mark.parametrize(("label", "change"), CHANGES)
def test_another_trend_is_not_reproduced(validation, label, change):
    assert verdicts(validation(**change))[label] == NOT_REPRODUCED


def test_one_level_alone_leaves_the_next_level_unjudged(validation):
    found = verdicts(validation(kinds={"MTP12": (200, (1.0, 1.1)), "MTP12-QRd": (206, (0.9, 1.0))}))
    assert found["13b"] == NOT_RUN_AT_SCALE and found["13a"] == REPRODUCED
    found = verdicts(validation(kinds={"MTP12": (200, (1.0, 1.1))}))
    assert found["14c"] == NOT_RUN_AT_SCALE and found["14a"] == REPRODUCED


def test_the_sets_are_the_papers():
    assert judged("12").verdict == REPRODUCED
    for change in (
        {"configurations": 100},
        {"molecules": (8, 12)},
        {"ratios": ((1, 0), (0, 1))},
        {"levels": (12, 16)},
        {"seeds": (0, 1)},
    ):
        scale = replace(PAPER, intermolecular_errors=replace(PAPER.intermolecular_errors, **change))
        assert judged("12", scale).verdict == NOT_REPRODUCED
    sampling = replace(PAPER.intermolecular_errors.sampling, time_ps=50.0)
    scale = replace(PAPER, intermolecular_errors=replace(PAPER.intermolecular_errors, sampling=sampling))
    assert "time_ps=50.0 (100.0 in the paper)" in judged("12", scale).ours
    assert judged("12", replace(PAPER, intermolecular_errors=None)).verdict == NOT_RUN
