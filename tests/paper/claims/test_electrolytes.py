"""Claims 22 to 27 are judged from results that the analysis stores, each way."""

import numpy as np
import pytest

from electrolyte_ml.analysis import (
    ConductivityResult,
    Production,
    TransportEstimate,
    analyse_networks,
    analyse_solvation,
)
from electrolyte_ml.analysis.bootstrap import Estimate, as_json
from electrolyte_ml.analysis.correlation import Plateau
from electrolyte_ml.analysis.estimates import Curve
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper.claims import CLAIMS, NOT_REPRODUCED, NOT_RUN_AT_SCALE, REPRODUCED, electrolytes
from electrolyte_ml.paper.experiment import CONDUCTIVITY
from electrolyte_ml.paper.results import load_result, save_result
from electrolyte_ml.paper.scales import QUICK, STANDARD, shipped
from electrolyte_ml.paper.stored import store_conductivity, store_solvation
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.static_frames import network, shell


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))


def judged(label, scale=STANDARD):
    return next(claim.judge(scale) for claim in CLAIMS if claim.label == label)


def conductivity(value, *, window=(200.0, 500.0), drift=0.0):
    """A result of `value` mS/cm with a curve that changes by `drift` within its window."""
    sigma = 0.1 * value
    times = np.linspace(0, window[1], 11)
    mean = sigma + 0.1 * drift * (times - window[0]) / (window[1] - window[0])
    plateau = Plateau(*window, float("nan"), "given")
    one = TransportEstimate(
        "conductivity", "S/m", "Green-Kubo", sigma, 0.1 * sigma, 0.8 * sigma, 1.3 * sigma, 0.1 * sigma, "", 10, 2e4,
        plateau, Curve(times, mean, 0.1 * mean),
    )  # fmt: skip
    return ConductivityResult(300.0, 1e4, {"green-kubo": one}, {}, None, None)


def table(factor, **options):
    return {
        ratio: {t: conductivity(factor * m.value, **options) for t, m in by.items()}
        for ratio, by in CONDUCTIVITY.items()
    }


def store_mtp(points, scale=STANDARD):
    store_conductivity(points, model="mtp", reference="PBE-D3(0)", scale=scale)


def test_nothing_is_judged_before_it_is_run():
    for label in ("22a", "22b", "23a", "23b", "24b", "25a", "25b", "26a", "26b", "27a"):
        assert judged(label).verdict == NOT_RUN_AT_SCALE


def test_rise_is_judged_where_there_are_several_temperatures():
    points = table(1.05)
    store_mtp({"3:7": points["3:7"]} | {ratio: {300.0: points[ratio][300.0]} for ratio in ("2:3", "1:1")})
    outcome = judged("22a")
    assert outcome.verdict == REPRODUCED and outcome.ours == "5% off in 5 points, rises with T, at the measured density"


@pytest.mark.parametrize(
    ("factor", "verdict", "said"),
    [
        (1.05, NOT_RUN_AT_SCALE, ""),
        (1.2, NOT_REPRODUCED, "20% off in 1 point, one temperature, at the measured density"),
    ],
)
def test_one_temperature_shows_no_rise(factor, verdict, said):
    """It can refute the claim, by its deviation, but not confirm it."""
    store_mtp({"3:7": {300.0: table(factor)["3:7"][300.0]}})
    outcome = judged("22a")
    assert (outcome.verdict, outcome.ours) == (verdict, said)


def test_productions_without_a_survivor_reproduce_nothing():
    store_mtp({"3:7": {}})
    assert judged("22a").verdict == judged("23a").verdict == NOT_REPRODUCED
    assert judged("22a").ours == "no conductivity: no trajectory reached its end"


def test_conductivities_near_experiment_reproduce_the_claim():
    store_mtp(table(1.1))
    outcome = judged("22a")
    assert outcome.verdict == REPRODUCED
    assert outcome.ours == "10% off in 9 points, rises with T, at the measured density, more steeply with more EC"
    assert outcome.judged_from == ("file: standard/conductivity_mtp.json, labels by PBE-D3(0)",)
    assert outcome.reference == "PBE-D3(0)"
    assert outcome.uncertainty == "standard error of a point 10% to 10%"
    assert judged("22b").verdict == NOT_RUN_AT_SCALE
    assert "3:7 5.97, 8.82, 11.7" in outcome.experiment
    store_mtp(table(1.1), QUICK)
    assert judged("22a", QUICK).verdict == NOT_RUN_AT_SCALE
    assert judged("22a", QUICK).ours.endswith("(shown at the quick scale)")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda points: table(1.2), "20% off"),
        (lambda points: {"3:7": {280.0: conductivity(8.0), 300.0: conductivity(7.9)}}, "does not rise"),
        (lambda points: points | {"1:1": points["3:7"]}, "not more steeply"),
    ],
)
def test_conductivities_that_differ_do_not(change, said):
    store_mtp(change(table(1.0)))
    outcome = judged("22a")
    assert outcome.verdict == NOT_REPRODUCED and said in outcome.ours


def test_the_charged_model_has_to_be_nearer():
    store_mtp(table(1.0))
    store_conductivity({"3:7": table(1.08)["3:7"]}, model="qrd", reference="PBE-D3(0)", scale=STANDARD)
    assert judged("22a").verdict == REPRODUCED
    assert judged("22b").verdict == NOT_REPRODUCED and "8% off in 3 points" in judged("22b").ours
    store_conductivity({"3:7": table(1.05)["3:7"]}, model="qrd", reference="PBE-D3(0)", scale=STANDARD)
    assert judged("22b").verdict == REPRODUCED


@pytest.mark.parametrize(
    ("options", "verdict"),
    [({}, REPRODUCED), ({"window": (100.0, 200.0)}, NOT_REPRODUCED), ({"drift": 5.0}, NOT_REPRODUCED)],
)
def test_plateaus_are_flat_in_the_papers_windows(options, verdict):
    store_mtp(table(1.0, **options))
    assert judged("23a").verdict == verdict


def test_plateaus_of_the_charged_model_have_a_window_of_their_own():
    for window, verdict in (((80.0, 100.0), REPRODUCED), ((200.0, 500.0), NOT_REPRODUCED)):
        points = {"3:7": table(1.0, window=window)["3:7"]}
        store_conductivity(points, model="qrd", reference="PBE-D3(0)", scale=STANDARD)
        assert judged("23b").verdict == verdict


@pytest.mark.parametrize(("lived", "verdict"), [((17, 14, 6), REPRODUCED), ((50, 50, 50), NOT_REPRODUCED)])
def test_runs_that_lived_are_those_of_table_1(lived, verdict):
    ended = {
        t: Production.of([(200.0, "completed")] * n + [(10.0, "broken molecule")] * (50 - n))
        for t, n in zip((280.0, 300.0, 320.0), lived)
    }
    points = {"3:7": table(1.0)["3:7"]}
    store_conductivity(points, model="qrd", reference="PBE-D3(0)", scale=STANDARD, production={"3:7": ended})
    outcome = judged("24b")
    assert outcome.verdict == verdict
    if verdict == REPRODUCED:
        assert outcome.ours == "17 of 50/14 of 50/6 of 50 completed → 3.4/2.8/1.2 ns"


def measured(parts):
    """Solvation and networks of frames put side by side."""
    atoms = parts[0].copy()
    for k, part in enumerate(parts[1:], 1):
        part = part.copy()
        part.positions += [0.0, 0.0, 25.0 * k]
        atoms += part
    atoms.set_cell([60.0, 60.0, 25.0 * len(parts) + 5.0])
    trajectory = open_trajectory(atoms)
    cutoffs = {name: 2.6 for name, species in trajectory.roles.items() if species.donors}
    return analyse_solvation(trajectory, cutoffs=cutoffs), analyse_networks(trajectory, cutoffs=cutoffs)


def test_networks_of_the_neutral_model():
    alone = shell(["EMC", "EMC", "EMC"]).atoms
    solvation, networks = measured([network(4).atoms, alone] * 2)
    store_solvation(solvation, networks, model="mtp", reference="PBE-D3(0)", scale=STANDARD)
    assert judged("25a").verdict == REPRODUCED
    outcome = judged("26a")
    assert outcome.verdict == REPRODUCED
    assert outcome.ours == "80% in networks of up to 4, 100% of bridges EC by both O"
    assert judged("26b").verdict == NOT_RUN_AT_SCALE
    # More EC than isolated Li have, fewer of CN 3, but none of CN 5.
    outcome = judged("27a")
    assert outcome.verdict == NOT_REPRODUCED
    assert outcome.ours.startswith("networks against isolated: EC 1.50, 0.00; CN 5 0%, 0%; CN 3 0%, 100%")


@pytest.mark.parametrize(
    ("interval", "verdict"), [((0.3, 0.5), REPRODUCED), ((0.01, 0.7), NOT_REPRODUCED), ((None, None), NOT_REPRODUCED)]
)
def test_shells_in_networks_differ_by_more_than_their_errors(interval, verdict):
    alone = shell(["EMC", "EMC", "EMC"]).atoms
    store_solvation(*measured([network(4).atoms, alone] * 2), model="mtp", reference="PBE-D3(0)", scale=STANDARD)
    stored = load_result("solvation_mtp", STANDARD)
    networks = stored["networks"]

    def give(side, number, value, ends):
        entry = {"value": value, "error": None, "interval_95": list(ends), "cutoff_band": [value, value]}
        networks["coordination_distribution"][side][number] = entry

    networks["ligands"]["isolated"]["EC"] |= {"value": 2.0, "interval_95": [1.9, 2.1]}
    networks["ligands"]["network"]["EC"] |= {"value": 3.0, "interval_95": [2.8, 3.2]}
    give("isolated", "5", 0.05, (0.02, 0.1))
    give("network", "5", 0.4, interval)
    give("isolated", "3", 0.2, (0.1, 0.3))
    give("network", "3", 0.0, (0.0, 0.05))
    save_result("solvation_mtp", stored, STANDARD)
    assert judged("27a").verdict == verdict


def test_ion_pairs_of_both_models():
    solvation, networks = measured([shell(["PF6", "EC", "EC"]).atoms, shell(["EC", "EC"]).atoms])
    store_solvation(solvation, networks, model="mtp", reference="PBE-D3(0)", scale=STANDARD)
    outcome = judged("25a")
    assert outcome.verdict == NOT_REPRODUCED
    assert outcome.ours == "SSIP 50.0%, CIP 50.0%, AGG 0.0%"
    assert judged("26a").verdict == NOT_RUN_AT_SCALE  # two Li cannot make networks of up to eight
    store_solvation(solvation, networks, model="qrd", reference="PBE-D3(0)", scale=STANDARD)
    assert judged("25b").verdict == NOT_REPRODUCED  # half of the Li in contact, no aggregates
    assert judged("26b").verdict == NOT_RUN_AT_SCALE


def test_no_networks_among_eight_lithium():
    solvation, networks = measured([shell(["EC", "EC"]).atoms] * 8)
    for model, label in (("mtp", "26a"), ("qrd", "26b")):
        store_solvation(solvation, networks, model=model, reference="PBE-D3(0)", scale=STANDARD)
        assert judged(label).verdict == NOT_REPRODUCED and judged(label).ours == "none in networks"


@pytest.mark.parametrize(("lithium", "verdict"), [(2, REPRODUCED), (4, NOT_REPRODUCED)])
def test_networks_of_the_charged_model_are_pairs(lithium, verdict):
    alone = [shell(["EMC", "EMC", "EMC"]).atoms] * 20
    solvation, networks = measured([network(lithium).atoms, *alone])
    store_solvation(solvation, networks, model="qrd", reference="PBE-D3(0)", scale=STANDARD)
    assert judged("26b").verdict == verdict and f"in networks of up to {lithium}" in judged("26b").ours


def test_panels_with_charges_need_networked_and_isolated_lithium():
    assert judged("27b").verdict == NOT_RUN_AT_SCALE
    alone, joined = shell(["EMC", "EMC", "EMC"]).atoms, network(2).atoms
    few = measured([joined, alone])
    store_solvation(*few, model="qrd", reference="PBE-D3(0)", scale=STANDARD)
    assert judged("27b").verdict == NOT_RUN_AT_SCALE
    both, networked, isolated = [joined, alone] * 3, [joined] * 4, [alone] * 8
    for parts, verdict in ((both, REPRODUCED), (networked, NOT_REPRODUCED), (isolated, NOT_REPRODUCED)):
        store_solvation(*measured(parts), model="qrd", reference="PBE-D3(0)", scale=STANDARD)
        assert judged("27b").verdict == verdict
    assert judged("27b").ours == "0% of the Li in networks: one of the two groups is empty"


def test_another_model_is_refused():
    with pytest.raises(InputError, match="mtp, qrd"):
        store_conductivity(table(1.0), model="MTP", reference="", scale=STANDARD)


def test_intervals_are_those_of_the_stored_estimates():
    stored = as_json(
        {
            "SSIP": Estimate(0.5, 0.1, (0.25, 0.75), (0.5, 0.5)),
            "CIP": Estimate(0.5, np.nan, (np.nan, np.nan), (0.5, 0.5)),
            "AGG": Estimate(np.nan, np.nan, (np.nan, np.nan), (np.nan, np.nan)),
        }
    )
    assert electrolytes.intervals_of(stored) == "95 %: SSIP 0.25 to 0.75, CIP no interval"
    assert electrolytes.intervals_of(stored, "SSIP", "other") == "95 %: SSIP 0.25 to 0.75, other no interval"


def test_intervals_of_shipped_results_are_shown():
    for label in ("17", "25a", "25b"):
        assert "no interval" not in judged(label, shipped("standard")).uncertainty
