"""The protocol of the conductivity: settings at each scale, and what is stored of the productions."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from electrolyte_ml.analysis import OrnsteinUhlenbeckIons, Production, find_shells, measure_conductivity
from electrolyte_ml.errors import InputError
from electrolyte_ml.paper import conductivity, experiment
from electrolyte_ml.paper.conductivity import (
    conductivity_runs,
    electrolyte_production,
    production_settings,
    ratio_of,
    solvation_of_runs,
)
from electrolyte_ml.paper.results import load_result
from electrolyte_ml.paper.scales import PAPER, QUICK, SCALES, STANDARD
from electrolyte_ml.paper.stored import conductivities_of
from electrolyte_ml.potentials import MomentTensorPotential
from electrolyte_ml.production.ramps import ramps
from electrolyte_ml.trajectories import open_trajectory
from electrolyte_ml.trajectories.static_frames import known_frames


@pytest.fixture(scope="module")
def potential():
    return MomentTensorPotential.random(2, ("H", "Li", "C", "O", "F", "P")).with_reference("a reference")


def test_paper_is_handed_on_number_by_number():  # 4.6
    settings = production_settings(PAPER, PAPER.conductivity.cells[1], "pot.mtp")
    assert settings.composition == "EC=32 EMC=48 Li=8 PF6=8" and settings.temperatures == (280.0, 300.0, 320.0)
    trajectories, equilibration = settings.trajectories, settings.equilibration
    assert (trajectories.count, trajectories.time_ps, equilibration.time_ps) == (10, 2500.0, 500.0)
    assert (trajectories.timestep_fs, equilibration.timestep_fs, equilibration.hydrogen_mass) == (1.0, 1.0, None)
    assert sum(run.time_ps for run in ramps(equilibration.annealing)) == pytest.approx(5000.0)
    assert settings.analysis.window == (200.0, 500.0)
    charged = production_settings(PAPER, PAPER.conductivity.cells[0], "pot.mtp", model="qrd")
    assert (charged.trajectories.count, charged.trajectories.time_ps, charged.equilibration.time_ps) == (50, 200.0, 100)
    assert charged.analysis.window == (80.0, 100.0)


@pytest.mark.parametrize("name", SCALES)
def test_every_cell_of_every_scale_makes_settings(name):
    protocol = SCALES[name].conductivity
    for cell in protocol.cells:
        for model in ("mtp", "qrd"):
            settings = production_settings(SCALES[name], cell, "pot.mtp", model=model)
            assert settings.trajectories.timestep_fs == (3.0 if settings.multiple_steps else 1.0)
            assert settings.analysis.correlation_ps <= 0.9 * settings.trajectories.time_ps


def test_standard_has_three_temperatures_of_one_ratio_and_a_second_size():
    protocol = STANDARD.conductivity
    temperatures = [protocol.temperatures_of(cell) for cell in protocol.cells]
    assert temperatures == [(300.0, 280.0, 320.0), (300.0,), (300.0,), (300.0,)]
    assert [ratio_of(cell) for cell in protocol.cells] == ["3:7", "2:3", "1:1", "3:7"]
    assert (protocol.hydrogen_mass, protocol.equilibration_timestep_fs) == (3.0, 2.0)


def test_standard_has_multiple_steps_and_the_paper_has_not():
    settings = production_settings(STANDARD, STANDARD.conductivity.cells[0], "pot.mtp")
    assert settings.multiple_steps and settings.trajectories.timestep_fs == 3.0
    settings = production_settings(PAPER, PAPER.conductivity.cells[0], "pot.mtp")
    assert not settings.multiple_steps and settings.trajectories.timestep_fs == 1.0


def test_standard_runs_at_the_measured_densities():
    first, second = (production_settings(STANDARD, cell, "pot.mtp") for cell in STANDARD.conductivity.cells[:2])
    assert first.densities == {t: m.value for t, m in experiment.ELECTROLYTE_DENSITY["3:7"].items()}
    assert second.densities == {300.0: experiment.ELECTROLYTE_DENSITY["2:3"][300.0].value}
    assert production_settings(PAPER, PAPER.conductivity.cells[0], "pot.mtp").densities == {}


def test_every_trajectory_of_the_standard_scale_has_a_box_of_its_own():
    for model in ("mtp", "qrd"):
        settings = production_settings(STANDARD, STANDARD.conductivity.cells[0], "pot.mtp", model=model)
        assert settings.equilibration.boxes == settings.trajectories.count and settings.starts_per_box == 1


def test_what_has_run_is_stored_by_ratio_and_temperature(potential, monkeypatch, tmp_path):
    ions = OrnsteinUhlenbeckIons(counts=(2, 2), diffusion=(0.2, 0.3), side=15.0, names=("Li", "PF6"))
    measured = measure_conductivity([ions.sample(40.0, 0.05, seed=k) for k in range(3)], 300.0)
    called = []

    def produce(directory, settings, *, potential, progress):
        called.append((directory, settings.composition))
        assert (directory / "potential.mtp").is_file() and settings.potential == str(directory / "potential.mtp")
        conditions = {}
        for temperature in settings.temperatures:
            runs = Production.of([(4.0, "completed"), (1.0, "grade")])
            dead = Production.of([(1.0, "grade")] * 2)
            alive = temperature != 320.0
            conditions[temperature] = SimpleNamespace(
                production=runs if alive else dead,
                conductivity=measured if alive else None,
                density=1.2 if alive else float("nan"),
                pressure=-900.0 if alive else float("nan"),
                trusted=0.9 if alive else None,
            )
        return SimpleNamespace(conditions=conditions)

    monkeypatch.setattr("electrolyte_ml.production.produce", produce)
    monkeypatch.setattr("electrolyte_ml.paper.stored._CURVE", 40)
    scale = replace(STANDARD, results=tmp_path)
    results = conductivity_runs(scale, potential, progress=False)
    assert list(results) == list(STANDARD.conductivity.cells)
    assert len({directory for directory, _ in called}) == 4
    stored = load_result("conductivity_mtp", scale)
    assert stored["reference"] == "a reference"
    assert {ratio: sorted(points) for ratio, points in stored["points"].items()} == {
        "3:7": ["280", "300"],
        "2:3": ["300"],
        "1:1": ["300"],
    }
    assert stored["points"]["3:7"]["300"]["value"] == pytest.approx(10 * measured.best.value)
    points = conductivities_of(stored)
    assert {ratio: list(by_temperature) for ratio, by_temperature in points.items()} == {
        "3:7": [280.0, 300.0],
        "2:3": [300.0],
        "1:1": [300.0],
    }
    best, again = measured.best, points["3:7"][300.0]
    for name in ("value", "error", "low", "high"):
        assert getattr(again, name) == pytest.approx(getattr(best, name))
    assert len(again.curve.times_ps) == 40 < len(best.curve.times_ps)
    width = len(best.curve.times_ps) // 40 + 1  # the first blocks have one point more than the last ones
    for name in ("times_ps", "mean", "error"):
        first = getattr(best.curve, name)[:width].mean()
        assert getattr(again.curve, name)[0] == pytest.approx(first, rel=1e-5)
    assert np.interp(7.0, again.curve.times_ps, again.curve.mean) == pytest.approx(
        np.interp(7.0, best.curve.times_ps, best.curve.mean), rel=0.02
    )
    assert (again.plateau.start_ps, again.plateau.end_ps) == (best.plateau.start_ps, best.plateau.end_ps)
    assert stored["production"]["3:7"]["320"]["failures"] == {"grade": 2}
    assert stored["production"]["3:7"]["300"]["completed"] == 1
    assert stored["states"]["3:7"]["300"] == {"density": 1.2, "pressure": -900.0, "trusted": 0.9}
    assert stored["states"]["3:7"]["320"] == {"density": None, "pressure": None, "trusted": None}
    assert stored["measured_density"] is True
    assert {ratio: list(sizes) for ratio, sizes in stored["sizes"].items()} == {
        "3:7": ["286", "1144"],
        "2:3": ["276"],
        "1:1": ["266"],
    }
    conductivity_runs(scale, potential, member=1, progress=False)
    assert [composition for _, composition in called[4:]] == [STANDARD.conductivity.cells[0]]
    of_member = load_result("conductivity_mtp_1", scale)["points"]
    assert of_member == {"3:7": {"300": stored["points"]["3:7"]["300"]}}


def test_another_seed_is_another_production(potential, tmp_path):
    scale = replace(QUICK, results=tmp_path)
    cell = QUICK.conductivity.cells[0]
    folders = {conductivity.production_folder(scale, cell, potential, seed) for seed in (0, 1)}
    assert len(folders) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": replace(QUICK, conductivity=None)}, "no conductivities"),
        ({"model": "reax"}, "mtp, qrd"),
        ({"potential": MomentTensorPotential.random(2, ("H", "Li", "C", "O", "F", "P"))}, "give the reference"),
    ],
)
def test_what_cannot_run_is_refused(potential, tmp_path, change, message):
    options = {"scale": QUICK, "potential": potential, "model": "mtp"} | change
    options["scale"] = replace(options["scale"], results=tmp_path)
    with pytest.raises(InputError, match=message):
        conductivity_runs(options.pop("scale"), options.pop("potential"), **options, progress=False)


def test_ratio_of_a_cell():
    assert ratio_of("EC=24 EMC=56 LiPF6=8") == "3:7" and ratio_of("EC=80 Li=8 PF6=8") == "1:0"
    with pytest.raises(InputError, match="neither EC nor EMC"):
        ratio_of("PC=8 NaPF6=1")


def test_example_runs_the_shipped_potential_with_the_numbers_of_the_scale(monkeypatch, tmp_path):
    called = {}

    def produce(directory, settings, *, progress):
        called.update(directory=directory, settings=settings)

    monkeypatch.setattr("electrolyte_ml.production.produce", produce)
    scale = replace(QUICK, results=tmp_path)
    electrolyte_production(scale, progress=False)
    settings, example = called["settings"], QUICK.electrolyte
    assert called["directory"].parent == tmp_path / "conductivity"
    assert settings.composition == example.cell == "PC=8 NaPF6=1" and settings.potential.endswith("pc_napf6.pot")
    assert (settings.trajectories.count, settings.trajectories.time_ps) == (4, example.production.time_ps)
    assert settings.equilibration.annealing == example.annealing
    assert settings.equilibration.hydrogen_mass == 3.0 and settings.trajectories.timestep_fs == 1.0


def test_shells_are_read_from_the_frames_of_complete_runs(potential, monkeypatch, tmp_path):
    frames = [known_frames()["CIP"].atoms.copy() for _ in range(3)]
    for k, atoms in enumerate(frames):
        atoms.info["time_ps"] = 0.1 * k
    read = []

    def run_folders(directory, temperature):
        read.append(directory)
        return [directory]

    monkeypatch.setattr("electrolyte_ml.production.run_folders", run_folders)
    monkeypatch.setattr("electrolyte_ml.trajectories.open_trajectory", lambda folder: open_trajectory(frames))
    cutoffs = {"EC": 2.6, "EMC": 2.6, "PF6": 2.6}
    monkeypatch.setattr("electrolyte_ml.analysis.find_shells", lambda runs: find_shells(runs, cutoffs=cutoffs))
    scale = replace(STANDARD, results=tmp_path)
    for cell, systems in (
        (None, ("3:7, 300 K, 286 atoms", "3:7, 300 K, 1144 atoms")),
        (STANDARD.conductivity.cells[0], ("3:7, 300 K, 286 atoms",) * 2),
    ):
        solvation, _ = solvation_of_runs(scale, potential, cell=cell)
        assert solvation.ion_pairs["CIP"].value == 1.0
        stored = load_result("solvation_mtp", scale)
        assert (stored["system"], stored["network_system"]) == systems and stored["reference"] == "a reference"
    names = [directory.name.partition("_Li")[0] for directory in read]
    assert sorted(names[:2]) == ["EC24_EMC56", "EC6_EMC14"] and names[2:] == ["EC6_EMC14"]
    monkeypatch.setattr("electrolyte_ml.production.run_folders", lambda directory, temperature: None)
    with pytest.raises(InputError, match="no production"):
        solvation_of_runs(scale, potential)
