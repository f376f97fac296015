"""Claims on mixtures hold and fail by the numbers that are stored."""

import pytest

from electrolyte_ml.paper.claims import mixtures
from electrolyte_ml.paper.experiment import DENSITY

LIQUIDS = ("EC", "EC:EMC 7:3", "EC:EMC 3:7", "EMC")


def stored(**kinds):
    """Three seeds of each kind at each liquid, by the deviation of their densities from experiment."""
    runs = {
        liquid: {
            kind.replace("_", "-"): {
                str(seed): {"mean": DENSITY[liquid].value * (1 + off) + 0.005 * (seed - 1), "error": 0.001}
                for seed in range(3)
            }
            for kind, off in kinds.items()
        }
        for liquid in LIQUIDS
    }
    return {"reference": "R", "levels": [12, 16], "runs": runs}


def test_the_set_is_judged_by_size_and_shares():
    holds = {"origins": {"ec": {"EC": 170}, "emc": {"EMC": 280}, "new": {"EC + EMC": 36, "EC": 8, "EMC": 6}}}
    finding = mixtures.training_set(holds)
    assert finding.holds and finding.ours.startswith("500 configurations, 450 of them inherited; 35.6% EC")
    small = {"origins": {"ec": {"EC": 36}, "emc": {"EMC": 57}, "new": {"EC + EMC": 7}}}
    assert not mixtures.training_set(small).holds
    mixed = {"origins": {"ec": {"EC": 100}, "emc": {"EMC": 100}, "new": {"EC + EMC": 300}}}
    assert not mixtures.training_set(mixed).holds


def test_the_low_level_must_be_worse_and_charges_change_nothing():
    good = stored(MTP12=0.1, MTP16=0.02, MTP16_QRd=0.025)
    finding = mixtures.densities(good)
    assert (
        finding.holds
        and "EMC: MTP12 1.104 ± 0.005" in finding.ours
        and "1.004 (PBE-D3(BJ) 0.965)" in finding.experiment
    )
    assert not mixtures.densities(stored(MTP12=0.01, MTP16=0.02, MTP16_QRd=0.02)).holds
    assert not mixtures.densities(stored(MTP12=0.1, MTP16=0.02, MTP16_QRd=0.06)).holds
    assert mixtures.densities(stored(MTP12=0.1, MTP16=0.02)) is None


def test_lost_runs_are_named():
    data = stored(MTP16=0.0, MTP16_QRd=0.0)
    assert mixtures.failures(data)[:2] == (False, "0 of 12 runs failed")
    data["runs"]["EMC"]["MTP16-QRd"]["1"] = {"failed": "molecules"}
    data["runs"]["EMC"]["MTP16"]["0"] = {"failed": "temperature"}  # without charges: not the claim
    finding = mixtures.failures(data)
    assert finding.holds and finding.ours == "1 of 12 runs failed: EMC: 1 (MTP16-QRd molecules)"
    assert mixtures.kind_means(data)["EMC"]["MTP16-QRd"][2:] == (2, 3)


def test_the_traces_must_be_complete():
    data = stored(MTP12=0, MTP16=0, MTP12_QRd=0, MTP16_QRd=0)
    assert mixtures.traces(data) is None
    data["traces"] = {liquid: dict(kinds) for liquid, kinds in data["runs"].items()}
    assert mixtures.traces(data).holds
    del data["traces"]["EC"]["MTP12"]
    assert not mixtures.traces(data).holds


@pytest.mark.parametrize("name", ["training_set", "densities", "failures"])
def test_a_result_without_its_numbers_is_an_error(name):
    with pytest.raises(KeyError):
        getattr(mixtures, name)({"reference": "R"})
