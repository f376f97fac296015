"""The whole loop on liquid argon, labelled by a Lennard-Jones reference in milliseconds."""

import importlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import read, write

from electrolyte_ml.active_learning import ActiveLearningSettings, ActiveSet, active_learn
from electrolyte_ml.active_learning.exploration import Trajectory, explore
from electrolyte_ml.active_learning.sections import (
    ExplorationSettings,
    FitSettings,
    GradeSettings,
    ReferenceSettings,
    SeedingSettings,
    StoppingSettings,
)
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.potentials import MomentTensorPotential, load
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.reference import LabelError, LabelStore, get
from electrolyte_ml.structures import read_configurations
from electrolyte_ml.structures.charge import total_charge

ARGON = {"sigma": 3.4, "epsilon": 0.0104, "rc": 8.0}


def argon(folder):
    atoms = bulk("Ar", "fcc", a=5.5, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=1)
    write(folder / "argon.xyz", atoms)
    return ActiveLearningSettings(
        start=str(folder / "argon.xyz"),
        model=ModelSpec(level=4, cutoff=6.0, radial_basis_size=4, min_distance=2.5),
        reference=ReferenceSettings("lj", ARGON),
        seeding=SeedingSettings(temperature=100.0, time_ps=0.4, timestep_fs=10.0, configurations=20),
        exploration=ExplorationSettings(
            trajectories=3, time_ps=1.0, timestep_fs=5.0, temperature=80.0, watch_molecules=False
        ),
        grades=GradeSettings(interval_fs=20.0),
        fit=FitSettings(iterations=100, refit_iterations=30),
        stopping=StoppingSettings(max_iterations=15),
        jobs=1,
    )


def change(settings, **values):
    """Settings with other values in sections: ``change(settings, model={"level": 6})``."""
    changed = {name: replace(getattr(settings, name), **value) for name, value in values.items()}
    return replace(settings, **changed)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return argon(tmp_path_factory.mktemp("argon"))


@pytest.fixture(scope="module")
def finished(settings, tmp_path_factory):
    directory = tmp_path_factory.mktemp("loop") / "run"
    seen = []
    result = active_learn(directory, settings, on_iteration=seen.append, progress=False)
    return result, seen


def test_ends_by_itself_and_says_so(finished, settings):
    result, _ = finished
    assert result.converged
    assert "converged" in result.message
    for last in result.status[-settings.stopping.quiet_iterations :]:
        assert (last.saved, last.stops) == (0, {"completed": 3})
        assert last.max_grade <= 2.0
    assert any(row.saved for row in result.status[: -settings.stopping.quiet_iterations])


def test_a_run_that_was_quiet_long_enough_goes_on_when_more_is_asked_for(finished, settings, tmp_path):
    result, _ = finished
    shutil.copytree(result.directory, tmp_path / "run")
    longer = change(settings, stopping={"quiet_iterations": settings.stopping.quiet_iterations + 1})
    again = active_learn(tmp_path / "run", longer, progress=False)
    assert len(again.status) > len(result.status)
    assert list(again.status)[: len(result.status)] == list(result.status)


def test_labels_are_the_references_own(finished):
    result, _ = finished
    for atoms in result.training_set:
        ours = atoms.get_potential_energy(), atoms.get_forces()
        atoms = atoms.copy()
        atoms.calc = LennardJones(**ARGON)
        assert ours[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        assert ours[1] == pytest.approx(atoms.get_forces(), abs=1e-6)


def test_status_adds_up(finished):
    result, seen = finished
    assert [len(one.status) for one in seen] == list(range(1, len(result.status) + 1))
    assert result.status[0].size == 20
    for before, row in zip(result.status, list(result.status)[1:], strict=False):
        assert row.size == before.size + row.selected - row.failed
        assert sum(row.stops.values()) == 3
        assert row.selected <= row.saved
        assert bool(row.least_certain) == bool(row.saved)
    assert len(result.training_set) == result.status[-1].size
    assert result.status[1].saved > 0  # otherwise nothing here was tested


def test_training_set_knows_where_it_comes_from(finished):
    result, _ = finished
    store, reference = LabelStore(result.directory / "labels"), get("lj", **ARGON)
    for atoms in result.training_set:
        assert atoms.info["reference"] == reference.name
        assert store.get(atoms, reference).info["label_hash"] == atoms.info["label_hash"]
        if atoms.info["iteration"] > 0:
            assert atoms.info["parent"].startswith(f"iteration_{atoms.info['iteration']:03d}/trajectory_")
            assert atoms.info["grade"] > 2.0 or "stopped" in atoms.info


def test_final_files_are_the_final_state(finished):
    result, _ = finished
    potential = load(result.directory / "potential.mtp")
    active_set = ActiveSet.load(result.directory / "active_set.npz", potential)
    training = read_configurations(result.directory / "training_set.xyz", labelled=True)
    assert len(training) == len(result.training_set)
    assert max(active_set.grade(atoms) for atoms in training) <= 1.001 * (1 + 1e-4)  # positions have eight decimals
    assert potential.reference == training[0].info["reference"]
    assert potential.species == ("Ar",)
    assert json.loads((result.directory / "status.json").read_text())[-1]["size"] == len(training)


def test_energy_density_diagram(finished):
    result, _ = finished
    diagram = result.energy_density()
    atoms = result.training_set[3]
    assert diagram["density"][3] == pytest.approx(32 * 39.948 * 1.66053907 / atoms.get_volume(), rel=1e-5)
    assert diagram["energy"][3] == pytest.approx(atoms.get_potential_energy() / 32)
    assert diagram["iteration"].tolist() == [one.info["iteration"] for one in result.training_set]


def test_a_finished_run_is_returned_as_it_is(finished, monkeypatch):
    result, _ = finished
    monkeypatch.setattr(importlib.import_module("electrolyte_ml.training"), "train", None)
    again = active_learn(result.directory, progress=False)
    assert again.converged
    assert again.status.rows == result.status.rows
    assert again.potential.fingerprint == result.potential.fingerprint


def test_other_settings_are_refused_with_a_way_out(finished, settings):
    result, _ = finished
    other = change(settings, model={"level": 6}, exploration={"temperature": 90.0})
    with pytest.raises(InputError, match=r"other settings \(model\.level, exploration\.temperature\).*labels = "):
        active_learn(result.directory, other, progress=False)


def test_another_reference_is_refused(finished):
    result, _ = finished
    with pytest.raises(InputError, match=r"other settings \(reference\)"):
        active_learn(result.directory, reference=LennardJones(sigma=3.0), progress=False)


def test_a_shared_label_store_pays_for_the_seeding_once(finished, settings, tmp_path):
    result, _ = finished
    labels = result.directory / "labels"
    before = len(list(labels.rglob("*.json")))
    other = replace(settings, seed=1, labels=str(labels), stopping=StoppingSettings(max_iterations=1))
    second = active_learn(tmp_path / "second", other, progress=False)
    assert len(list(labels.rglob("*.json"))) == before + second.status[1].selected
    assert second.potential.fingerprint != result.potential.fingerprint


def test_running_out_of_iterations_is_said_and_can_be_continued(settings, tmp_path):
    short = active_learn(tmp_path, change(settings, stopping={"max_iterations": 1}), progress=False)
    assert not short.converged
    assert "not converged" in short.message
    assert "max_iterations" in short.message
    longer = active_learn(tmp_path, change(settings, stopping={"max_iterations": 2}), progress=False)
    assert len(longer.status) == 3
    assert longer.status.rows[:2] == short.status.rows


def test_failed_labels_are_set_aside_and_said(settings, tmp_path):
    reference = get("lj", **ARGON)
    compute, calls = reference._compute, []

    def failing(atoms, safer):
        calls.append(atoms)
        if len(calls) > 42:  # the seeding trajectory has 41, and one label of the first iteration comes about
            raise LabelError("no convergence")
        return compute(atoms, safer)

    reference._compute = failing
    short = change(settings, seeding={"trajectories": 1}, stopping={"max_iterations": 1})
    result = active_learn(tmp_path, short, reference=reference, progress=False)
    row = result.status[1]
    assert row.selected == row.failed + 1 > 1
    assert row.size == result.status[0].size + 1
    failures = json.loads((tmp_path / "iteration_001" / "labels.json").read_text())["failed"]
    assert "no convergence" in failures[0]["reason"]
    assert failures[0]["parent"].startswith("iteration_001/trajectory_")


def test_an_iteration_without_any_label_stops_the_run_until_the_program_is_repaired(settings, tmp_path):
    reference, calls = get("lj", **ARGON), []
    compute = reference._compute

    def failing(atoms, safer):
        calls.append(atoms)
        if len(calls) > 41:  # after the seeding
            raise LabelError("licence expired")
        return compute(atoms, safer)

    reference._compute = failing
    short = change(settings, seeding={"trajectories": 1}, stopping={"max_iterations": 1})
    with pytest.raises(
        ElectrolyteError, match=r"iteration_001: .* gave none of \d+ labels, the first: .*licence expired"
    ):
        active_learn(tmp_path, short, reference=reference, progress=False)
    reference._compute = compute
    result = active_learn(tmp_path, short, reference=reference, progress=False)
    assert result.status[1].selected > 0 and result.status[1].failed == 0


def test_a_reference_that_always_fails_ends_the_run(settings, tmp_path):
    reference = get("lj", **ARGON)

    def failing(atoms, safer):
        raise LabelError("no licence")

    reference._compute = failing
    with pytest.raises(ElectrolyteError, match="no licence"):
        active_learn(tmp_path, settings, reference=reference, progress=False)


def test_a_directory_in_use_is_refused_and_a_stale_lock_is_not(settings, tmp_path):
    (tmp_path / ".lock").write_text("process 12345")  # left behind by a process that was killed
    holder = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", holder, tmp_path / ".lock"], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(InputError, match="in use by another process"):
            active_learn(tmp_path, settings, progress=False)
        process.kill()
        process.wait()
    active_learn(tmp_path, change(settings, stopping={"max_iterations": 1}), progress=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "settings.toml does not exist"),
        ('composition = "EC=1"\ndensity = 1.0\n[reference]\nname = "gfn3-xtb"', "reference.name = 'gfn3-xtb'"),
        ('composition = "EC=1"\ndensity = 1.0\n[reference.settings]\nacuracy = 1', "acuracy"),
        ('start = "none.xyz"\n[reference]\nname = "lj"', "none.xyz"),
        ('composition = "EC=1"\ndensity = 1300', r"settings\.toml: density: .*1300"),
    ],
)
def test_what_cannot_run_is_said_before_anything_is_written(text, message, tmp_path):
    if text is not None:
        (tmp_path / "settings.toml").write_text(text)
    with pytest.raises((InputError, OSError), match=message) as caught:
        active_learn(tmp_path, progress=False)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"settings.toml"}


def test_a_cluster_is_refused(settings, tmp_path):
    write(tmp_path / "cluster.xyz", bulk("Ar", "fcc", a=5.5, cubic=True) * (1, 1, 1), format="extxyz")
    atoms = read_configurations(tmp_path / "cluster.xyz")[0]
    atoms.pbc = False
    write(tmp_path / "cluster.xyz", atoms)
    with pytest.raises(InputError, match="periodic"):
        active_learn(tmp_path / "run", replace(settings, start=str(tmp_path / "cluster.xyz")), progress=False)


def test_status_lines_are_printed_as_the_run_goes(finished, capsys):
    result, _ = finished
    active_learn(result.directory)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["iteration", "saved", "selected"]
    named = [row.least_certain for row in result.status if row.least_certain]
    assert named and [line for line in lines if line.startswith("least certain: ")] == [
        f"least certain: {text}" for text in named
    ]
    assert len(lines) == 1 + len(result.status) + len(named) + 1
    assert lines[-1] == result.message


@pytest.mark.slow
def test_killed_ten_times_it_ends_where_the_undisturbed_run_ends(finished, settings, tmp_path, killed_runs):
    undisturbed, _ = finished
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "settings.toml").write_text(replace(settings, jobs=2).to_toml())
    killed_runs(directory, f'get("lj", **{ARGON})', kills=10)
    result = active_learn(directory, reference=get("lj", **ARGON), progress=False)
    assert result.converged
    assert [atoms.info["label_hash"] for atoms in result.training_set] == [
        atoms.info["label_hash"] for atoms in undisturbed.training_set
    ]
    assert np.allclose(result.potential.parameters, undisturbed.potential.parameters)


def test_atoms_that_fell_into_each_other_between_two_looks_are_learnt_from(settings, tmp_path):
    """The grade is not looked at before they have; the same way again tells where it rose."""
    start = read_configurations(settings.start)[0]
    near = [start.copy() for _ in range(20)]
    for seed, atoms in enumerate(near):
        atoms.rattle(0.1, seed=seed)
    potential = MomentTensorPotential.random(2, ("Ar",), cutoff=6.0, min_distance=0.5, radial_basis_size=3, seed=3)
    seldom = change(settings, grades={"interval_fs": 1000.0})
    folder = tmp_path / "iteration_001" / "trajectory_00"
    met = explore(Trajectory(start, folder, 1), potential, ActiveSet.build(potential, near), seldom)
    first = json.loads((folder / "result.json").read_text())
    assert first["reason"] == "calculator" and "overlap" in first["detail"]
    assert met.reason == "grade"
    assert met.saved and all(2 < atoms.info["grade"] < met.max_grade for atoms in met.saved)
    get("lj", **ARGON).check(met.saved[-1])


def test_what_lies_between_the_thresholds_is_found_where_the_grade_rose_past_both(settings, tmp_path, monkeypatch):
    """A grade that is low for long and then rises within the longest interval: the trajectory is looked at again."""
    start = read_configurations(settings.start)[0]
    potential = MomentTensorPotential.random(2, ("Ar",), cutoff=6.0, min_distance=0.5, radial_basis_size=3, seed=3)

    class Moved:
        """Grades by the way that the atoms have gone: 0.5 at first, then steeply up."""

        potential = None

        def grade(self, atoms):
            way = np.abs(atoms.positions - start.positions).max()
            return 0.5 if way < 0.3 else 0.5 + 100 * (way - 0.3)

    often = change(settings, grades={"interval_fs": 5.0, "longest_fs": 1000.0})
    met = explore(Trajectory(start, tmp_path / "iteration_001" / "trajectory_00", 1), potential, Moved(), often)
    assert (tmp_path / "iteration_001" / "trajectory_00" / "retraced").is_dir()
    assert met.reason == "grade" and met.saved and all(2 < atoms.info["grade"] <= 10 for atoms in met.saved)


def test_one_trajectory_in_five_explores_a_larger_box(tmp_path):
    settings = ActiveLearningSettings(
        composition="EC=1",
        density=[0.4, 0.5],
        model=ModelSpec(level=4),
        reference=ReferenceSettings("lj", {"sigma": 1.0, "epsilon": 0.01}),
        seeding=SeedingSettings(trajectories=1, time_ps=0.003, configurations=3),
        exploration=ExplorationSettings(
            trajectories=7, time_ps=0.001, larger_boxes=["EC=2", "EC=3"], watch_molecules=False
        ),
        fit=FitSettings(iterations=5, refit_iterations=5),
        stopping=StoppingSettings(max_iterations=2),
        jobs=1,
    )
    active_learn(tmp_path / "run", settings, progress=False)
    for iteration, larger in ((1, {0: 20, 5: 30}), (2, {0: 20, 5: 30})):
        folders = sorted((tmp_path / "run" / f"iteration_{iteration:03d}").glob("trajectory_*"))
        sizes = [len(read(one / "topology.pdb")) for one in folders]
        assert sizes == [larger.get(k, 10) for k in range(7)]


def test_a_larger_box_that_cannot_be_packed_is_refused_before_anything_runs(tmp_path):
    settings = ActiveLearningSettings(
        composition="EC=4", density=1.45, exploration=ExplorationSettings(larger_boxes="EMC=4")
    )
    with pytest.raises(InputError, match="exploration.larger_boxes: cannot pack"):
        active_learn(tmp_path / "run", settings, progress=False)
    assert not (tmp_path / "run").exists()


def test_the_fit_is_handed_all_of_its_settings(settings, tmp_path, monkeypatch):
    """What the paper's method needs reaches `train`, which then fits by the usual method, so that something is met."""
    training, handed = importlib.import_module("electrolyte_ml.training"), []
    train = training.train

    def watched(configurations, potential, **options):
        handed.append((potential, options))
        return train(configurations, potential, **(options | settings.fit.options(refit=len(handed) > 1)))

    monkeypatch.setattr(training, "train", watched)
    fit = FitSettings(method="paper", stress_weight=0.0, iterations=40, refit_iterations=20)
    active_learn(tmp_path, replace(settings, fit=fit, stopping=StoppingSettings(max_iterations=1)), progress=False)
    assert [options["method"] for _, options in handed] == ["paper"] * len(handed)
    assert [options["max_iterations"] for _, options in handed] == [40, 20]
    start = handed[0][0]
    assert np.array_equal(start.parameters, settings.model.random(("Ar",), settings.seed).parameters)
    for _, options in handed:
        assert (options["energy_weight"], options["force_weight"], options["stress_weight"]) == (1.0, 0.01, 0.0)


def test_the_total_charge_is_kept_through_seeding_exploration_and_selection(settings, tmp_path):
    atoms = read_configurations(settings.start)[0]
    atoms.info["charge"] = 1
    write(tmp_path / "charged.xyz", atoms)
    charged = change(replace(settings, start=str(tmp_path / "charged.xyz")), stopping={"max_iterations": 1})
    reference = get("lj", **ARGON)
    reference.charged_cells = True  # it takes no charge into account
    result = active_learn(tmp_path / "run", charged, reference=reference, progress=False)
    assert result.status[1].selected > 0
    assert [total_charge(atoms) for atoms in result.training_set] == [1] * len(result.training_set)
    stored = read_configurations(tmp_path / "run" / "training_set.xyz", labelled=True)
    assert [total_charge(atoms) for atoms in stored] == [1] * len(stored)
    saved = read_configurations(tmp_path / "run" / "iteration_001" / "saved.xyz")
    assert {total_charge(atoms) for atoms in saved} == {1}


def test_a_directory_begun_with_the_former_layout_is_refused(finished, settings, tmp_path):
    result, _ = finished
    shutil.copytree(result.directory, tmp_path / "run")
    (tmp_path / "run" / "iteration_000" / "settings.toml").write_text('start = "argon.xyz"\nlevel = 4\n')
    with pytest.raises(InputError, match=r"older layout .*level = 4: is now \[model\] level.*labels = ") as caught:
        active_learn(tmp_path / "run", settings, progress=False)
    assert "\n" not in str(caught.value)


def test_a_relative_label_store_is_found_again(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    once = replace(settings, labels="shared", stopping=StoppingSettings(max_iterations=1))
    first = active_learn("run", once, progress=False)
    again = active_learn("run", once, progress=False)
    assert again.status.rows == first.status.rows
    assert list((tmp_path / "shared").rglob("*.json"))


def test_a_species_that_the_seeding_does_not_cover_is_said(settings, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("electrolyte_ml.active_learning.rounds.FAR", 1e-3)
    atoms = read_configurations(settings.start)[0]
    atoms.symbols[7] = "Kr"
    write(tmp_path / "alloy.xyz", atoms)
    short = change(
        replace(settings, start=str(tmp_path / "alloy.xyz")),
        seeding={"trajectories": 2, "time_ps": 0.04, "configurations": 8},
        exploration={"trajectories": 1, "time_ps": 0.01},
        fit={"iterations": 5, "refit_iterations": 5},
        stopping={"max_iterations": 1},
    )
    result = active_learn(tmp_path / "run", short)
    text = result.status[0].shortage
    assert text.startswith("The seeding ends before it covers ")
    assert "Kr (rank " in text and "seeding.trajectories = 2" in text
    assert text in capsys.readouterr().out.splitlines()
    assert text in str(result.status)
    rank, most = result.status[0].species_ranks["Kr"]
    assert rank <= 8 and most == 9  # eight labels of one Kr; two species of four radial functions, and a shift
    assert result.status[0].saved == 8
    again = active_learn(tmp_path / "run", short, progress=False)
    assert again.status.rows == result.status.rows
