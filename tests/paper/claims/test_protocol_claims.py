"""Protocols are judged from what the paper scale hands over; another number there is another verdict."""

from dataclasses import replace

import pytest

from electrolyte_ml.paper import scales
from electrolyte_ml.paper.claims import CLAIMS, NOT_REPRODUCED, NOT_RUN, REPRODUCED
from electrolyte_ml.paper.scales import PAPER, QUICK


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))


def judged(label, scale=PAPER):
    return next(claim.judge(scale) for claim in CLAIMS if claim.label == label)


def altered(section, **changes):
    """The paper scale with other numbers in one section of the pure solvents' learning."""
    pure = PAPER.pure_solvents
    learning = replace(pure.learning, **{section: replace(getattr(pure.learning, section), **changes)})
    return replace(PAPER, pure_solvents=replace(pure, learning=learning))


def with_encut(encut):
    return altered("reference", settings={**PAPER.reference.settings, "encut": encut})


CHANGES = [
    ("28a", altered("fit", force_weight=0.02), "force_weight=0.02 (0.01 in the paper)"),
    ("28a", altered("fit", energy_weight=2.0), "energy_weight=2.0"),
    ("28a", altered("fit", stress_weight=0.1), "stress_weight=0.1"),
    ("28a", altered("fit", method="default"), "method=default (paper in the paper)"),
    ("28a", with_encut(500), "ENCUT=500.0 (550.0 in the paper)"),
    ("28a", altered("reference", settings={"encut": 550, "ediff": 1e-5}), "EDIFF=1e-05"),
    ("28a", altered("reference", name="gfn1-xtb", settings={}), "program=GFN1-xTB"),
    ("28a", altered("exploration", timestep_fs=0.5), "timestep_fs=0.5 (1.0 in the paper)"),
    ("28a", altered("exploration", pressure_bar=1.0), "pressure_bar=1.0"),
    ("28a", altered("exploration", ensemble="nvt", pressure_bar=None), "ensemble=nvt"),
    ("28a", altered("exploration", time_ps=10.0), "time_ps=10.0"),
    ("28a", altered("grades", save_threshold=3.0), "save=3.0"),
    ("28a", altered("grades", break_threshold=11.0), "break_=11.0"),
    ("28a", altered("model", repulsion="zbl"), "kind=sum (mtp in the paper)"),
    ("28a", altered("model", level=12), "number="),
    ("2", altered("seeding", temperature=500.0), "temperature=500.0"),
    ("2", altered("seeding", configurations=100), "configurations=100"),
    ("2", altered("exploration", trajectories=9), "trajectories=9"),
    ("2", altered("model", cutoff=6.0), "cutoff=6.0 (5.0 in the paper)"),
    ("2", replace(PAPER, pure_solvents=replace(PAPER.pure_solvents, seeds=(0, 1))), "different potentials=2"),
    ("3a", replace(PAPER, pure_solvents=replace(PAPER.pure_solvents, cells=("EC=15", "EMC=8"))), "atoms of EC=150"),
]


@pytest.mark.parametrize(("label", "scale", "difference"), CHANGES, ids=[change[2] for change in CHANGES])
def test_another_number_handed_over_is_not_reproduced(label, scale, difference):
    assert judged(label).verdict == REPRODUCED
    outcome = judged(label, scale)
    assert outcome.verdict == NOT_REPRODUCED
    assert difference in outcome.ours


def test_every_scale_is_judged_by_the_paper_scale(monkeypatch):
    assert judged("28a", QUICK).verdict == REPRODUCED
    monkeypatch.setattr(scales, "PAPER", altered("fit", force_weight=0.02))
    assert judged("28a", QUICK).verdict == NOT_REPRODUCED


def test_another_reference_chosen_for_the_paper_scale_is_not_the_papers(monkeypatch):
    monkeypatch.setenv("ELECTROLYTE_ML_REFERENCE", "gfn2-xtb")
    outcome = judged("28a", scales.scale("paper"))
    assert outcome.verdict == NOT_REPRODUCED and "program=GFN2-xTB" in outcome.ours


def test_a_reference_that_is_missing_here_leaves_the_protocol_unjudged(monkeypatch, tmp_path):
    monkeypatch.setenv("VASP_PP_PATH", str(tmp_path))  # a folder without pseudopotentials
    outcome = judged("28a")
    assert outcome.verdict == NOT_RUN and "PBE-D3(0), VASP" in outcome.ours


def test_ion_pairs_are_judged_from_what_is_handed_over():
    assert judged("15").verdict == REPRODUCED
    pairs = PAPER.ion_pair_training
    seeding = replace(pairs.learning.seeding, time_ps=0.4)
    for other, difference in (
        (replace(pairs, contact_pairs=3), "CIP=3 (4 in the paper)"),
        (replace(pairs, cells=("EC=4 EMC=6 LiPF6=1",)), "atoms, doubled for AGG={138}"),
        (replace(pairs, learning=replace(pairs.learning, seeding=seeding)), "time_ps=0.4"),
    ):
        outcome = judged("15", replace(PAPER, ion_pair_training=other))
        assert outcome.verdict == NOT_REPRODUCED and difference in outcome.ours
    assert judged("28b").verdict == REPRODUCED
    reference = replace(pairs.learning.reference, settings={"encut": 550, "ediff": 1e-6})
    other = replace(pairs, learning=replace(pairs.learning, reference=reference))
    assert "ENCUT=550.0 (750.0 in the paper)" in judged("28b", replace(PAPER, ion_pair_training=other)).ours
    without = replace(PAPER, ion_pair_training=None)
    assert judged("15", without).verdict == judged("28b", without).verdict == NOT_RUN


def test_mixtures_are_judged_from_what_is_handed_over():
    assert judged("6").verdict == judged("8").verdict == REPRODUCED
    training = replace(PAPER.mixture_training, ends=("EC=12", "EMC=8"), compositions=5)
    outcome = judged("6", replace(PAPER, mixture_training=training))
    assert outcome.verdict == NOT_REPRODUCED
    assert "trajectories=5 (11 in the paper)" in outcome.ours and "molecules=(8, 12)" in outcome.ours
    density = replace(PAPER.mixture_density.density, average_last_ps=50.0)
    outcome = judged("8", replace(PAPER, mixture_density=replace(PAPER.mixture_density, density=density)))
    assert outcome.verdict == NOT_REPRODUCED and "average_last_ps=50.0 (100.0 in the paper)" in outcome.ours
    for label, section in (("6", "mixture_training"), ("8", "mixture_density")):
        assert judged(label, replace(PAPER, **{section: None})).verdict == NOT_RUN


@pytest.mark.parametrize(
    ("label", "runs", "changes", "message"),
    [
        ("21", None, {"temperatures": (300.0,)}, "temperatures=(300.0,)"),
        ("21", None, {"cells": ("EC=24 EMC=56 Li=8 PF6=8",)}, "cells="),
        ("21", "mtp", {"trajectories": 9}, "trajectories=9 (10 in the paper)"),
        ("21", "mtp", {"equilibration_ps": 100.0}, "equilibration_ps=100.0"),
        ("23c", "qrd", {"window_ps": 30.0}, "window_ps=30.0 (20.0 in the paper)"),
        ("24a", "qrd", {"time_ps": 100.0}, "time_ps=100.0 (200.0 in the paper)"),
    ],
)
def test_productions_are_judged_from_what_is_handed_over(label, runs, changes, message):
    assert judged(label).verdict == REPRODUCED
    protocol = PAPER.conductivity
    changed = (
        replace(protocol, **changes)
        if runs is None
        else replace(protocol, **{runs: replace(getattr(protocol, runs), **changes)})
    )
    outcome = judged(label, replace(PAPER, conductivity=changed))
    assert outcome.verdict == NOT_REPRODUCED and message in outcome.ours
    assert judged(label, replace(PAPER, conductivity=None)).verdict == NOT_RUN
