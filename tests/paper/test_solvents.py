"""What is stored of the pure solvents: densities, failures, sets, and the errors of potentials in their own runs."""

from types import SimpleNamespace

import numpy as np
import pytest

from electrolyte_ml.active_learning.sections import ReferenceSettings
from electrolyte_ml.analysis import ensemble_density, mean_density
from electrolyte_ml.paper import solvents
from electrolyte_ml.paper.protocols import label_store, reference_of
from electrolyte_ml.paper.results import load_result, save_result
from electrolyte_ml.paper.scales import QUICK
from electrolyte_ml.potentials import ModelSpec
from electrolyte_ml.structures import pack
from electrolyte_ml.training import evaluate_errors


@pytest.fixture(autouse=True)
def results(monkeypatch, tmp_path):
    monkeypatch.setenv("ELECTROLYTE_ML_RESULTS", str(tmp_path))


def run(level, seed=0, reason="completed", frames=()):
    times = np.arange(0.0, 20.0, 0.05)
    densities = level + 0.01 * np.random.default_rng(seed).normal(size=len(times))
    return SimpleNamespace(
        completed=reason == "completed", reason=reason, times_ps=times, densities=densities, frames=lambda: list(frames)
    )


def learned(size, seeds):
    numbers = np.arange(size)
    diagram = {
        "index": numbers, "iteration": np.where(numbers < seeds, 0, 1), "density": 1.0 + 0.01 * numbers,
        "energy": -5.0 - 0.001 * numbers,
    }  # fmt: skip
    return SimpleNamespace(energy_density=lambda: diagram, converged=True)


def test_densities_are_those_of_the_runs_after_storage():
    runs = {"EC": [run(1.3, 1), run(1.2, 2), run(0.4, 3, "broken molecule")], "EMC": [run(0.9, 4, "temperature")]}
    errors = {"EC": [SimpleNamespace(pressure_bias=bias) for bias in (0.01, -0.02)], "EMC": []}
    stored = solvents.describe_solvents(QUICK, {"EC": learned(12, 4), "EMC": learned(9, 3)}, runs, errors)
    save_result("pure_solvents", stored, QUICK)
    read = load_result("pure_solvents", QUICK)
    last = QUICK.pure_solvents.density.average_last_ps
    direct = ensemble_density([mean_density(one, last_ps=last) for one in runs["EC"][:2]])
    assert solvents.stored_densities(read) == {"EC": direct}  # EMC has none
    assert read["reference"] == reference_of(QUICK).name
    assert read["solvents"]["EC"]["failed"] == ["broken molecule"]
    assert read["solvents"]["EMC"]["failed"] == ["temperature"]
    assert read["solvents"]["EC"]["pressure_biases"] == [0.01, -0.02]
    diagram = solvents.stored_diagram(read["solvents"]["EC"])
    assert np.count_nonzero(np.array(diagram["iteration"]) == 0) == 4 and len(diagram["index"]) == 12


def test_errors_in_runs_are_those_of_the_last_frames_and_of_runs_that_ended_well(monkeypatch):
    monkeypatch.setattr(solvents, "_APART", 2)
    frames = []
    for k in range(6):
        frame = pack({"EC": 1}, 0.6)
        frame.rattle(0.01 * k, seed=k)
        frames.append(frame)
    potential = ModelSpec(level=2).random(("H", "C", "O"), 0)
    found = solvents.errors_in_runs(
        QUICK,
        {"EC": [potential, potential], "EMC": [potential]},
        {"EC": [run(1.3, reason="NaN", frames=frames), run(1.3, frames=frames)], "EMC": [run(1.0, reason="NaN")]},
        progress=False,
    )
    assert len(found["EC"]) == 1 and found["EMC"] == []
    reference, store = reference_of(QUICK), label_store(QUICK)
    expected = evaluate_errors(potential, [store.label(frames[k], reference) for k in (5, 3)])
    assert found["EC"][0] == expected


def test_another_reference_beside_learns_in_folders_of_its_own(monkeypatch):
    other, seen = ReferenceSettings("gfn2-xtb"), []

    def learn(scale, solvent, progress):
        seen.append((scale.reference.name, solvent))
        return SimpleNamespace(potential=solvent, **vars(learned(5, 2)))

    monkeypatch.setattr(solvents, "learn_pure_solvent", learn)
    monkeypatch.setattr(solvents, "density_runs", lambda *_, **__: [run(1.1)])
    monkeypatch.setattr(solvents, "errors_in_runs", lambda *_, **__: {"EC": [], "EMC": []})
    stored = solvents.solvents_beside(QUICK, other, progress=False)
    assert seen == [("gfn2-xtb", "EC"), ("gfn2-xtb", "EMC")]
    assert stored["reference"] == other.make().name
    assert set(solvents.stored_densities(stored)) == {"EC", "EMC"}
