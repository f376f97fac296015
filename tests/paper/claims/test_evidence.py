"""Each verdict names a stored result, an object or a function that exists; counts are counted by potentials."""

import pydoc
from types import SimpleNamespace

import pytest

from electrolyte_ml.paper.claims import CLAIMS, NOT_REPRODUCED, NOT_RUN, NOT_RUN_AT_SCALE, REPRODUCED, judge_claims
from electrolyte_ml.paper.results import save_result
from electrolyte_ml.paper.scales import PAPER, QUICK, STANDARD
from electrolyte_ml.potentials import registry
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.potentials.sum import Sum


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))
    return tmp_path


def judged(label, scale=QUICK):
    return next(claim.judge(scale) for claim in CLAIMS if claim.label == label)


def exists(source, results):
    """Whether what a piece of evidence names is there."""
    kind, _, name = source.partition(" ")
    if kind == "file:":
        return (results / name.partition(",")[0]).is_file()
    if kind == "object:":
        owner, _, attribute = name.partition(":")[0].partition(".")
        potentials = [ModelSpec(level=2, charges=charges).random(("H",)) for charges in (None, "qrd")]
        return any(owner == type(potential).__name__ and hasattr(potential, attribute) for potential in potentials)
    function = name.removeprefix("to VASP by ").removeprefix("to ").partition(":")[0]
    return source.startswith("handed to ") and pydoc.locate(f"electrolyte_ml.{function}") is not None


@pytest.mark.parametrize("scale", [QUICK, STANDARD, PAPER], ids=lambda scale: scale.name)
def test_every_verdict_names_evidence_that_exists(results, scale):
    entry = {
        "members": [{"mean": mean, "error": 0.01, "drifts": False} for mean in (1.25, 1.26)],
        "failed": [],
        "pressure_biases": [0.0, 0.0],
        "experiment": 1.33,
        "set_energies": [-1.0] * 500 + [-0.9] * 500,
        "set_densities": [1.5] * 500 + [1.0] * 500,
        "set_iterations": [0] * 500 + [1] * 500,
        "converged": True,
    }
    save_result("pure_solvents", {"reference": "GFN1-xTB", "solvents": {"EC": entry}}, scale)
    verdicts = judge_claims(scale)
    reproduced = [one for one in verdicts if one.outcome.verdict in (REPRODUCED, NOT_REPRODUCED)]
    assert {one.claim.label for one in reproduced} >= {"1a", "1b", "2", "3a", "28a"}
    assert {"3b", "4", "5"} <= {one.claim.label for one in verdicts if one.outcome.judged_from}
    for one in verdicts:
        for source in one.outcome.judged_from:
            assert exists(source, results), source
    for one in reproduced:
        assert one.outcome.judged_from, one.claim.label


def test_evidence_that_does_not_exist_is_noticed(results):
    for source in (
        "file: quick/nothing.json",
        "object: MomentTensorPotential.nothing",
        "handed to training.nothing: a=1",
    ):
        assert not exists(source, results)


def test_without_a_charge_model_its_parameters_are_not_counted(monkeypatch):
    monkeypatch.delitem(registry.KINDS, "qrd")
    outcome = judged("1b")
    assert (outcome.verdict, outcome.judged_from) == (NOT_RUN, ())
    assert "389" not in outcome.ours


def test_the_charge_model_of_the_package_has_the_paper_s_parameters():
    outcome = judged("1b")
    assert (outcome.verdict, outcome.ours) == (REPRODUCED, "389")


@pytest.mark.parametrize(("charges", "verdict"), [(6, REPRODUCED), (5, NOT_REPRODUCED)])
def test_a_charge_model_counts_its_own_parameters(monkeypatch, charges, verdict):
    class Charges(SimpleNamespace):
        kind = "qrd"
        n_parameters = charges

        @classmethod
        def from_spec(cls, spec, species, seed):
            return cls(species=species)

    monkeypatch.setitem(registry._registered, "qrd", Charges)
    monkeypatch.setattr(Sum, "n_parameters", property(lambda self: sum(term.n_parameters for term in self.terms)))
    outcome = judged("1b")
    assert (outcome.verdict, outcome.ours) == (verdict, str(383 + charges))


def test_counts_are_those_of_the_potentials(monkeypatch):
    made = ModelSpec.random
    monkeypatch.setattr(ModelSpec, "random", lambda self, *of: made(ModelSpec(self.level, radial_basis_size=9), *of))
    outcome = judged("1a")
    assert outcome.verdict == NOT_REPRODUCED and outcome.ours != "383; 651"


def test_a_stored_result_of_another_version_leaves_its_claims_unjudged(results):
    save_result("solvation_qrd", {"reference": "GFN1-xTB", "solvation": {}, "networks": {}}, STANDARD)
    outcome = judged("27b", STANDARD)
    assert (outcome.verdict, outcome.judged_from) == (NOT_RUN_AT_SCALE, ())
    assert outcome.ours.startswith("standard/solvation_qrd.json lacks 'ions': another version wrote it")
