"""The mixtures' protocols: what is inherited, what is fitted once, and what is stored of the runs."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from electrolyte_ml.active_learning.sections import FitSettings, ReferenceSettings
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper import mixtures
from electrolyte_ml.paper.claims.mixtures import densities, failures, traces
from electrolyte_ml.paper.mixtures import (
    describe_densities,
    describe_training,
    fit_kinds,
    liquid_of,
    mixture_set,
    mixture_training,
    mixtures_of,
    mixtures_run,
)
from electrolyte_ml.paper.places import checkout
from electrolyte_ml.paper.protocols import solvent_run
from electrolyte_ml.paper.scales import PAPER, QUICK, STANDARD
from electrolyte_ml.potentials import load
from electrolyte_ml.potentials.shipped import find_shipped
from electrolyte_ml.structures import pack, parse_composition, read_configurations


def test_the_quick_scale_inherits_what_ships_and_the_others_what_they_have_learnt(tmp_path):
    shipped = mixture_training(QUICK).inheritance.sets
    assert [path.rpartition("/")[2] for path in shipped] == ["ec_quick.extxyz.xz", "emc_quick.extxyz.xz"]
    scale = replace(STANDARD, results=tmp_path)
    settings = mixture_training(scale)
    assert list(settings.inheritance.sets) == [str(solvent_run(scale, name, 0)) for name in ("EC", "EMC")]
    assert settings.exploration.trajectories == len(settings.composition) == 11
    with pytest.raises(InputError, match="does not learn mixtures"):
        mixture_training(replace(QUICK, mixture_training=None))


@pytest.mark.parametrize("scale", [QUICK, STANDARD, PAPER], ids=lambda scale: scale.name)
def test_boxes_go_from_one_solvent_to_the_other(scale):
    boxes = [parse_composition(mixture.composition) for mixture in mixtures_of(scale.mixture_training)]
    assert set(boxes[0]) == {"EC"} and set(boxes[-1]) == {"EMC"}
    assert all(set(box) == {"EC", "EMC"} for box in boxes[1:-1])


@pytest.mark.parametrize(
    ("cell", "liquid"), [("EC=48", "EC"), ("EC=35 EMC=15", "EC:EMC 7:3"), ("EC=81 EMC=189", "EC:EMC 3:7")]
)
def test_a_liquid_is_named_as_experiments_have_it(cell, liquid):
    assert liquid_of(cell) == liquid


@pytest.fixture
def tiny(tmp_path):
    """The quick scale with one kind of fit that takes a second."""
    density = replace(QUICK.mixture_density, levels=(2,), seeds=(0, 1), fit=FitSettings(iterations=3))
    return replace(QUICK, results=tmp_path, mixture_density=density)


def test_the_shipped_set_stands_for_a_run_that_was_not_made(tmp_path, monkeypatch):
    scale = replace(STANDARD, results=tmp_path)
    found = mixture_set(scale)
    ours = find_shipped("ec-emc")
    assert len(found.training_set) == ours.configurations and found.origin.startswith("shipped as 'ec-emc', made by")
    assert found.potential.fingerprint == load(ours.path).fingerprint
    learnt = SimpleNamespace(training_set=found.training_set[:2], potential=found.potential)
    monkeypatch.setattr(mixtures, "learn_mixtures", lambda scale, progress: learnt)
    other = scale.with_reference(ReferenceSettings("gfn1-xtb"))
    assert len(mixture_set(other).training_set) == 2  # the shipped labels are of another reference
    mixtures_run(scale).mkdir(parents=True)
    own = mixture_set(scale)
    assert len(own.training_set) == 2 and own.origin.startswith("learnt in ")


def test_a_shipped_fit_is_not_made_again(tiny, tmp_path, monkeypatch):
    training = read_configurations(checkout() / "data" / "ec_emc_ratios.extxyz", labelled=True)[:4]
    found = fit_kinds(tiny, training, progress=False)
    monkeypatch.setattr(mixtures, "shipped_results", lambda: tmp_path)
    fresh = replace(tiny, results=tmp_path / "elsewhere")
    assert tiny.directory == tmp_path
    (tmp_path / tiny.name).symlink_to(tmp_path, target_is_directory=True)
    again = fit_kinds(fresh, training, progress=False)
    assert again["MTP2"][1].fingerprint == found["MTP2"][1].fingerprint
    assert not list(fresh.directory.rglob("fit.json"))


def test_every_kind_is_fitted_once(tiny, monkeypatch):
    training = read_configurations(checkout() / "data" / "ec_emc_ratios.extxyz", labelled=True)[:4]
    found = fit_kinds(tiny, training, progress=False)
    assert {kind: set(members) for kind, members in found.items()} == {"MTP2": {0, 1}, "MTP2-QRd": {0, 1}}
    assert found["MTP2"][0].fingerprint != found["MTP2"][1].fingerprint
    assert found["MTP2-QRd"][0].evaluate(training[0]).charges is not None
    records = sorted(tiny.directory.rglob("fit.json"))
    before = [path.stat().st_mtime_ns for path in records]
    again = fit_kinds(tiny, training, progress=False)
    assert len(records) == 4 and [path.stat().st_mtime_ns for path in records] == before
    assert again["MTP2-QRd"][1].fingerprint == found["MTP2-QRd"][1].fingerprint
    fit_kinds(tiny, training[:3], progress=False)  # another set is another fit
    assert len(list(tiny.directory.rglob("fit.json"))) == 8


def run(density, reason="completed"):
    """A run of 8 ps, or of half of it, whose density fluctuates."""
    times = np.arange(0.0, 8.0 if reason == "completed" else 4.0, 0.1)
    values = density + 0.01 * np.random.default_rng(0).normal(size=len(times))
    return SimpleNamespace(
        times_ps=times, densities=values, completed=reason == "completed", reason=reason, detail="", directory=None
    )


def test_what_is_stored_of_the_runs_is_what_the_claims_read(monkeypatch):
    monkeypatch.setattr(
        mixtures,
        "mean_density",
        lambda run, last_ps: SimpleNamespace(mean=run.densities.mean(), error=0.1, drifts=False),
    )
    kinds = ("MTP8", "MTP8-QRd")
    runs = {cell: {kind: {0: run(1.0), 1: run(1.1)} for kind in kinds} for cell in QUICK.mixture_density.density.cells}
    runs["EMC=8"]["MTP8-QRd"][1] = run(1.1, "broken molecule")
    stored = describe_densities(QUICK, runs, "GFN1-xTB")
    assert list(stored["runs"]) == ["EC", "EC:EMC 7:3", "EC:EMC 3:7", "EMC"]
    assert stored["runs"]["EMC"]["MTP8-QRd"]["1"] == {"failed": "broken molecule"}
    times, values = stored["traces"]["EC"]["MTP8"]["0"]
    assert len(times) == len(values) == 8 and times[0] == pytest.approx(0.45)
    assert np.mean(values) == pytest.approx(stored["runs"]["EC"]["MTP8"]["0"]["mean"], abs=1e-3)
    assert failures(stored).ours == "1 of 8 runs failed: EMC: 1 (MTP8-QRd broken molecule)"
    assert densities(stored) is not None and traces(stored) is not None


def test_the_set_is_described_by_iteration():
    boxes = [pack({"EC": 1, "EMC": 1}, 0.9), pack({"EC": 2}, 1.0), pack({"EMC": 2}, 0.9)]
    for iteration, atoms in enumerate(boxes):
        atoms.info["iteration"] = min(iteration, 1)
    boxes[0].info["inherited"] = "ec"
    result = SimpleNamespace(training_set=boxes, status=[SimpleNamespace(saved=9)], converged=True)
    assert describe_training(result, "GFN1-xTB") == {
        "reference": "GFN1-xTB",
        "origins": {"ec": {"EC + EMC": 1}, "new": {"EC": 1, "EMC": 1}},
        "growth": [{"EC + EMC": 1}, {"EC": 1, "EMC": 1}],
        "available": 9,
        "converged": True,
    }


def test_sets_without_hashes_of_labels_are_told_apart(tiny):
    training = read_configurations(checkout() / "data" / "ec_emc_ratios.extxyz", labelled=True)[:6]
    for atoms in training:
        atoms.info.pop("label_hash", None)
    kind = tiny.mixture_density.kinds[:1]
    first = fit_kinds(tiny, training[:3], kind, progress=False)
    other = fit_kinds(tiny, training[3:], kind, progress=False)  # as many configurations, but others
    assert first["MTP2"][0].fingerprint != other["MTP2"][0].fingerprint
