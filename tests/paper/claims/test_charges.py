"""Claims 10 and 20 show what the study of charges has counted, and leave the verdict open."""

import numpy as np
import pytest

from electrolyte_ml.paper.claims import CLAIMS, NOT_RUN_AT_SCALE
from electrolyte_ml.paper.scales import QUICK, STANDARD
from electrolyte_ml.paper.stored import store_charges
from electrolyte_ml.potentials.charges import share_of


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))


def store(scale):
    store_charges(
        scale,
        starts={"all starts": {"raw": {"pure EC": share_of(np.array([True, False]))}}},
        fits={"raw": [np.array([True, False]), np.array([True, True])], "ours": [np.array([False, False])]},
        planned=["pure EC", "pure EMC"],
        charges={"trained": {"raw": np.array([[1.0, -1.0], [2.0, -2.0]]), "ours": np.array([[0.5, -0.5]])}},
        species=["Li", "O"],
        force_errors={"raw": [[0.1, 0.2, 0.4], [0.1, 0.3, 0.6]], "ours": [[0.1, 0.1, 0.1]]},
        reference="GFN1-xTB",
    )


def judged(label, scale):
    return next(claim.judge(scale) for claim in CLAIMS if claim.label == label)


@pytest.mark.parametrize("scale", [QUICK, STANDARD], ids=lambda scale: scale.name)
def test_counts_are_shown_and_not_judged(scale):
    for label in ("10b", "20b"):
        assert judged(label, scale).verdict == NOT_RUN_AT_SCALE and not judged(label, scale).ours
    store(scale)
    for label in ("10b", "20b"):
        outcome = judged(label, scale)
        assert outcome.verdict == NOT_RUN_AT_SCALE
        assert outcome.ours.endswith("(shown, not judged)")
        assert outcome.judged_from == (f"file: {scale.name}/charges.json, labels by GFN1-xTB",)


def test_fits_are_counted_by_composition_and_start():
    store(QUICK)
    assert "pure EC 2 of 2 raw, 0 of 1 ours; pure EMC 1 of 2 raw, 0 of 1 ours" in judged("10b", QUICK).ours


def test_charges_have_mean_and_spread():
    store(QUICK)
    ours = judged("20b", QUICK).ours
    assert "raw, 2 fits: Li +1.5 ± 0.7, O -1.5 ± 0.7 e" in ours
    assert "median force error 0.25 eV/Å at the trained composition, 0.50 at another" in ours
