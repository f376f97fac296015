"""Validation sets: which boxes, which configurations, and their errors."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms

from electrolyte_ml.active_learning.sections import MDRun
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.paper import protocols, validation
from electrolyte_ml.paper.results import load_result, save_result, shipped_result, with_result
from electrolyte_ml.paper.scales import PAPER, QUICK, STANDARD, IntermolecularErrors
from electrolyte_ml.paper.stored import store_validation
from electrolyte_ml.paper.validation import (
    ValidationErrors,
    validation_cells,
    validation_errors,
    validation_sets,
)
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.structures import MOLECULES

PROTOCOL = IntermolecularErrors(
    levels=(2,), seeds=(0, 1), ratios=((1, 0), (1, 1)), molecules=(2, 2), configurations=2,
    sampling=MDRun("npt", temperature=300.0, time_ps=1.0),
)  # fmt: skip
SMALL = replace(QUICK, intermolecular_errors=PROTOCOL)
SPECIES = ("H", "C", "O")


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))


@pytest.fixture
def runs(monkeypatch):
    """Runs that return ten frames of the packed box, rattled, in place of dynamics; what they were called with."""
    received = []

    def run(start, potential, settings, molecules, directory, relax):
        received.append(SimpleNamespace(start=start, settings=settings, directory=directory, relax=relax))
        frames = []
        for k in range(11):
            frame = start.copy()
            frame.rattle(0.004 * k, seed=k)
            frame.info = {"time_ps": 0.1 * k, "step": 100 * k}
            frames.append(frame)
        return SimpleNamespace(completed=True, atoms=start.copy(), frames=lambda: frames, reason="completed", detail="")

    monkeypatch.setattr(protocols, "watched_run", run)
    return received


def test_the_boxes_of_the_paper():
    assert validation_cells(PAPER.intermolecular_errors) == ["EC=16", "EC=7 EMC=3", "EC=3 EMC=7", "EMC=8"]
    with pytest.raises(InputError, match="7:3 of EC and EMC needs a multiple of 10 molecules, not 8 to 9"):
        validation_cells(replace(PAPER.intermolecular_errors, ratios=((7, 3),), molecules=(8, 9)))


def test_boxes_are_packed_at_additive_volumes():
    ec, emc = (float(np.mean(values)) for values in QUICK.pure_solvents.packing_densities)
    assert validation._packing_density(QUICK, "EC=5") == pytest.approx(ec)
    assert validation._packing_density(QUICK, "EMC=5") == pytest.approx(emc)
    masses = [MOLECULES[name].mass for name in ("EC", "EMC")]
    volume = 3 * masses[0] / ec + 7 * masses[1] / emc
    assert validation._packing_density(QUICK, "EC=3 EMC=7") == pytest.approx((3 * masses[0] + 7 * masses[1]) / volume)


def test_configurations_are_evenly_spaced_and_bare():
    frames = [Atoms("H", [[k, 0, 0]], cell=[9.0] * 3, pbc=True, info={"time_ps": 0.1 * k}) for k in range(101)]
    chosen = validation.evenly_spaced(frames, 4, 10.0)
    assert [atoms.positions[0, 0] for atoms in chosen] == [25, 50, 75, 100]
    assert all(not atoms.info for atoms in chosen)
    assert [a.positions[0, 0] for a in validation.evenly_spaced(frames, 2, 5.0)] == [25, 50]  # of a longer run
    with pytest.raises(InputError, match="101 frames is too short for 300"):
        validation.evenly_spaced(frames, 300, 10.0)


def test_sets_are_run_labelled_and_not_labelled_twice(runs, monkeypatch):
    potential = ModelSpec(level=2).random(SPECIES, seed=0)
    sets = validation_sets(SMALL, potential, progress=False)
    assert {cell: len(configurations) for cell, configurations in sets.items()} == {"EC=2": 2, "EC=1 EMC=1": 2}
    assert all(atoms.info["reference"] == "GFN1-xTB" for atoms in sets["EC=2"])
    heating, sampling = runs[:2]  # of the first box: heated as the densities are, then sampled
    assert heating.settings == QUICK.pure_solvents.density.heating and heating.relax > 0
    assert sampling.settings == PROTOCOL.sampling and sampling.relax == 0
    assert sampling.directory.name == f"EC2_{potential.fingerprint[:12]}"
    assert heating.directory == sampling.directory / "heating"

    def fail(*arguments, **options):
        raise AssertionError("labelled twice")

    monkeypatch.setattr("electrolyte_ml.reference.xtb.XTBReference.label", fail)
    again = validation_sets(SMALL, potential, progress=False)
    assert again["EC=2"][1].get_potential_energy() == sets["EC=2"][1].get_potential_energy()


def test_a_set_whose_run_breaks_is_none(monkeypatch):
    ended = SimpleNamespace(completed=False, reason="broken molecule", detail="C1-O3 of EC")
    monkeypatch.setattr(protocols, "watched_run", lambda *arguments, **options: ended)
    with pytest.raises(ElectrolyteError, match="EC=2 for its validation set ended early: broken molecule, C1-O3 of EC"):
        validation_sets(SMALL, ModelSpec(level=2).random(SPECIES), progress=False)
    with pytest.raises(InputError, match="the quick scale has no validation sets"):
        validation_sets(replace(QUICK, intermolecular_errors=None), ModelSpec(level=2).random(SPECIES))


def test_errors_are_measured_stored_and_read(runs):
    sets = validation_sets(SMALL, ModelSpec(level=2).random(SPECIES), progress=False)
    configurations = [atoms for members in sets.values() for atoms in members]
    potentials = {
        "MTP2": {seed: ModelSpec(level=2).random(SPECIES, seed) for seed in PROTOCOL.seeds},
        "MTP2-QRd": {seed: ModelSpec(level=2, charges="qrd").random(SPECIES, seed) for seed in PROTOCOL.seeds},
    }
    errors = validation_errors(SMALL, configurations, potentials, progress=False)
    assert errors.reference == "GFN1-xTB" and errors.plain == ["MTP2"] and errors.mixture == "1EC:1EMC"
    assert errors.parameters["MTP2-QRd"] - errors.parameters["MTP2"] == 6
    snapshot = errors.snapshots[0]
    assert (snapshot.kind, snapshot.composition) == ("MTP2", "1EC:1EMC")
    first = sets["EC=1 EMC=1"][0]
    off = potentials["MTP2"][0].evaluate(first).forces - first.get_forces()
    np.testing.assert_allclose(snapshot.lengths, np.linalg.norm(off, axis=1), atol=1e-4)
    np.testing.assert_allclose(snapshot.atoms.positions, first.positions, atol=1e-4)
    off = [
        np.concatenate([potential.evaluate(atoms).forces - atoms.get_forces() for atoms in sets["EC=2"]])
        for potential in potentials["MTP2"].values()
    ]
    rmse = [float(np.sqrt(np.mean(errors_of_one**2))) for errors_of_one in off]
    assert errors.kinds["MTP2"].compositions["EC"].parts["total"].forces == pytest.approx(rmse)
    # The difference of mean forces on the mixture, by hand.
    means = [
        [np.mean([p.evaluate(atoms).forces for p in members.values()], axis=0) for atoms in sets["EC=1 EMC=1"]]
        for members in potentials.values()
    ]
    lengths = [np.linalg.norm(b - a, axis=1) for a, b in zip(*means, strict=True)]
    (ec,) = [row for row in errors.differences["MTP2"]["total"].species if row.name == "EMC"]
    assert ec.length == pytest.approx(np.mean([length[np.arange(10, 25)] for length in lengths]))
    store_validation(errors, SMALL)
    kept = load_result("intermolecular_errors", SMALL)
    again = ValidationErrors.from_dict(json.loads(json.dumps(kept)))
    assert again.to_dict() == errors.to_dict()
    assert validation_errors(SMALL, configurations, {"MTP2": potentials["MTP2"]}, progress=False).differences == {}
    with pytest.raises(InputError, match="no potentials"):
        validation_errors(SMALL, configurations, {})


def test_a_result_of_this_run_comes_before_a_shipped_one(monkeypatch, tmp_path):
    monkeypatch.setattr("electrolyte_ml.paper.scales.shipped_results", lambda: tmp_path / "shipped")
    ours = replace(STANDARD, results=tmp_path / "ours")
    assert with_result("a", ours) == ours  # nothing ships
    (tmp_path / "shipped" / "standard").mkdir(parents=True)
    (tmp_path / "shipped" / "standard" / "a.json").write_text('{"reference": "shipped"}')
    assert load_result("a", with_result("a", ours)) == {"reference": "shipped"}
    save_result("a", {"reference": "ours"}, ours)
    assert load_result("a", with_result("a", ours)) == {"reference": "ours"}


def test_shipped_results_are_read_from_the_source_tree(monkeypatch, tmp_path):
    monkeypatch.setattr("electrolyte_ml.paper.scales.shipped_results", lambda: tmp_path)
    assert shipped_result("intermolecular_errors", "standard") is None
    (tmp_path / "standard").mkdir()
    assert shipped_result("intermolecular_errors", "standard") is None
    (tmp_path / "standard" / "intermolecular_errors.json").write_text('{"reference": "A"}')
    assert shipped_result("intermolecular_errors", "standard") == {"reference": "A"}
    monkeypatch.setattr("electrolyte_ml.paper.scales.shipped_results", lambda: None)
    assert shipped_result("intermolecular_errors", "standard") is None
