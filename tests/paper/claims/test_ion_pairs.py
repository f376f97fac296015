"""Claims 16 to 20 are judged from stored results on ion pairs, each way."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from electrolyte_ml.active_learning.mixing import count_origins
from electrolyte_ml.analysis import GroupedErrors, GroupError, RadialDistribution, analyse_set
from electrolyte_ml.analysis.rdf import FirstShell
from electrolyte_ml.paper.claims import CLAIMS, NOT_REPRODUCED, NOT_RUN_AT_SCALE, REPRODUCED
from electrolyte_ml.paper.ion_pair_validation import IonPairErrors
from electrolyte_ml.paper.ion_pairs import IonPairs
from electrolyte_ml.paper.scales import STANDARD
from electrolyte_ml.paper.stored import store_ion_pair_errors, store_ion_pair_set, store_ion_pairs, store_li_o
from electrolyte_ml.trajectories.static_frames import aggregate, shell


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))


def judged(label, scale=STANDARD):
    return next(claim.judge(scale) for claim in CLAIMS if claim.label == label)


def test_nothing_is_judged_before_it_is_run():
    for label in ("16", "17", "18", "19", "20a"):
        assert judged(label).verdict == NOT_RUN_AT_SCALE


@pytest.mark.parametrize(
    ("iterations", "converged", "size", "verdict"),
    [
        ((60, 26), (True, True), 6296, REPRODUCED),
        ((60, 26), (True, False), 6296, NOT_REPRODUCED),
        ((10, 5), (True, True), 6296, NOT_REPRODUCED),
        ((60, 26), (True, True), 900, NOT_REPRODUCED),
    ],
)
def test_learning_converges_like_the_papers(iterations, converged, size, verdict, monkeypatch):
    one = shell(["EC", "EC"]).atoms
    runs = [
        SimpleNamespace(status=[SimpleNamespace(size=size)] * (count + 1), converged=ended, training_set=[one] * size)
        for count, ended in zip(iterations, converged)
    ]
    # A name for each of thousands of configurations takes seconds.
    monkeypatch.setattr("electrolyte_ml.paper.stored.count_origins", lambda _: {"new": {"EC + Li": size}})
    store_ion_pairs(analyse_set([one]), IonPairs(*runs), reference="PBE-D3(0)", scale=STANDARD)
    outcome = judged("16")
    assert outcome.verdict == verdict
    assert outcome.ours.startswith("MTP16: pairs ") and outcome.ours.endswith(f"; {size} configurations")
    assert f"after {iterations[1]} iterations" in outcome.ours
    assert judged("17").ours.startswith("SSIP 100%")


def row(species, name, rmse, size, atoms=10):
    return GroupError(name, species, atoms, rmse, float("nan"), size, 1.6 * rmse, float("nan"))


def grouped(**changes):
    values = {"carbonyl C": 0.30, "P": 0.35, "carbonyl O at Li": 0.15, "carbonyl O": 0.12, "Li": 0.20} | changes
    species, sizes = {"P": "PF6", "Li": "Li"}, {"Li": 0.5}
    sites = tuple(row(species.get(name, "EC"), name, value, sizes.get(name, 1.0)) for name, value in values.items())
    return GroupedErrors((row("", "C", 0.2, 1.0),), (row("", "EC", 0.2, 1.0),), sites, {"EC": 2}, {}, 0, 3, 1)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [({}, REPRODUCED), ({"Li": 0.5}, NOT_REPRODUCED), ({"carbonyl O": 0.6}, NOT_REPRODUCED),
     ({"carbonyl O at Li": 0.26}, NOT_REPRODUCED)],
)  # fmt: skip
def test_site_errors_are_judged_by_their_order_and_by_the_force(changes, verdict):
    other = grouped(H=0.9)  # kinds that do not count
    kinds = {"MTP12": other, "MTP16": grouped(**changes), "MTP16-QRd": other}
    store_ion_pair_errors(IonPairErrors("PBE-D3(0)", kinds, {"MTP12": 100, "MTP16": 200, "MTP16-QRd": 206}), STANDARD)
    outcome = judged("18")
    assert outcome.verdict == verdict
    if not changes:
        worst = "MTP16: mean error worst on P (0.56 eV/Å) and carbonyl C (0.48 eV/Å)"
        assert outcome.ours == f"{worst}; 15% of the force on O at Li, 40% on Li"


def test_errors_with_charges_are_complete_with_their_difference():
    kinds, parameters = {"MTP16": grouped(), "MTP16-QRd": grouped()}, {"MTP16": 200, "MTP16-QRd": 206}
    store_ion_pair_errors(IonPairErrors("PBE-D3(0)", {"MTP16": grouped()}, parameters), STANDARD)
    assert judged("20a").verdict == NOT_RUN_AT_SCALE
    charges = {"MTP16-QRd": {"EC=4 Li=1 PF6=1": {"Li": [0.8, 1.0], "O": [-0.4, -0.6]}}}
    for differences, verdict in (({}, NOT_REPRODUCED), ({"MTP16-QRd": grouped()}, REPRODUCED)):
        store_ion_pair_errors(IonPairErrors("PBE-D3(0)", kinds, parameters, differences, charges), STANDARD)
        assert judged("20a").verdict == verdict
    assert judged("20a").ours == "MTP16-QRd: force error 0.200 eV/Å; charges Li +0.90, O -0.50 e"


def test_ion_pairs_of_the_training_set():
    pure = [shell(["EC", "EC", "EMC", "EMC"]).atoms] * 4
    pairs = [shell(["PF6", "EC", "EC", "EMC"]).atoms] * 3
    broken = shell(["PF6"]).atoms
    broken.positions[-1] += 5.0
    configurations = [*pure, *pairs, aggregate(2).atoms, broken]
    found, origins = analyse_set(configurations), count_origins(configurations)
    store_ion_pair_set(found, origins=origins, reference="PBE-D3(0)", scale=STANDARD)
    outcome = judged("17")
    # 4 and 3 of 9 Li, and two in an aggregate with one ligand each: not those of the paper, whose aggregates bind more.
    assert (
        outcome.ours == "SSIP 44%, CIP 33%, AGG 22%; 3.33 ligands per Li; CN 3.33; 11% with broken molecules, left out"
    )
    assert outcome.verdict == NOT_REPRODUCED


def test_first_peak_of_li_and_o():
    r = np.arange(0.01, 8.0, 0.02)
    g = 20 * np.exp(-(((r - 1.96) / 0.1) ** 2)) + 2 * np.exp(-(((r - 4.41) / 0.4) ** 2))
    rdf = RadialDistribution("Li-O", r, g, 0 * r, 0 * r, 0 * r, FirstShell(1.96, 2.7, 0.05, 4.1, 0.1))
    store_li_o(rdf, system="8 LiPF6 in 80 EC", reference="PBE-D3(0)", scale=STANDARD)
    outcome = judged("19")
    assert outcome.verdict == REPRODUCED
    assert outcome.ours == "maxima at 1.96 and 4.41 Å, 4.1 O in the first shell"
    far = replace(rdf, shell=replace(rdf.shell, peak=2.3))
    store_li_o(far, system="8 LiPF6 in 80 EC", reference="PBE-D3(0)", scale=STANDARD)
    assert judged("19").verdict == NOT_REPRODUCED
