"""A production from the box to the result: the volume, independent starts, kills, deaths, extensions."""

import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
from ase.io import read

from electrolyte_ml.active_learning import ActiveSet
from electrolyte_ml.dynamics import EnergyMonitor, Verdict, distillation, load_inner, results
from electrolyte_ml.dynamics.files import RunFiles
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.potentials import MomentTensorPotential, load
from electrolyte_ml.production import produce, read_production, run_folders, stages, workflow
from electrolyte_ml.structures import pack, parse_composition, read_configurations, write_configurations
from electrolyte_ml.trajectories import open_trajectory, read_ion_record, read_ions
from electrolyte_ml.trajectories.stress_record import read_stress_record
from electrolyte_ml.units import DENSITY_UNIT

RECORDS = ("settings.toml", "begun.json", "result.json")  # of the whole; the last one names the directory


def contents(directory):
    """Bytes of every file of the runs."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name[0] != ".")  # no locks or caches
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in files
        if path.parent != directory or path.name not in RECORDS
    }


def open_frames(folder):
    run = open_trajectory(folder)
    return [run.frame(k) for k in range(len(run))]


def test_volume_is_the_mean_of_the_equilibrations(whole):
    directory, result = whole
    for temperature in (300.0, 340.0):
        folder = directory / f"{temperature:g}K"
        means = []
        for run in sorted(folder.glob("trajectory_*/equilibration")):
            _, time, _, density, *_ = np.loadtxt(run / "log.csv", delimiter=",", skiprows=1).T
            mass = read(run / "last.xyz").get_masses().sum()
            means.append((mass * DENSITY_UNIT / density)[time > 0.1 - 0.06 - 1e-9].mean())
        assert len(means) == 3 and np.ptp(means) > 1.0  # Å³: they do fluctuate
        for run in folder.glob("trajectory_*"):
            found = [frame.cell.volume for frame in open_frames(run)]
            assert len(found) == 7
            np.testing.assert_allclose(found, np.mean(means), rtol=1e-6)
        density = result.conditions[temperature].density
        assert density == pytest.approx(mass * DENSITY_UNIT / np.mean(means))


def test_given_densities_are_those_of_all_runs(settings, tmp_path):
    densities = {300.0: 1.25, 340.0: 1.15}
    given = replace(
        settings,
        temperatures=tuple(densities),
        equilibration=replace(settings.equilibration, densities=tuple(densities.values())),
    )
    result = produce(tmp_path, given, progress=False)
    assert result.completed
    runs = {run: 1.25 for run in (tmp_path / "box_00").glob("stage_*")}
    for temperature, density in densities.items():
        condition = result.conditions[temperature]
        assert condition.density == pytest.approx(density, rel=1e-9) and np.isnan(condition.density_error)
        trajectories = sorted((tmp_path / f"{temperature:g}K").glob("trajectory_*"))
        means = [read_stress_record(run).pressures[:, :3].mean() for run in trajectories]
        assert condition.pressure == pytest.approx(np.mean(means), rel=1e-9)
        assert condition.pressure_error == pytest.approx(np.std(means, ddof=1) / np.sqrt(3), rel=1e-9)
        assert f"{density:.4f} g/cm³, pressure {np.mean(means):.0f} ± " in str(condition)
        runs |= {run / part: density for run in trajectories for part in ("", "equilibration", "settling")}
    assert len(runs) == 5 + 2 * 3 * 3
    for run, density in runs.items():
        last = read(run / "last.xyz")
        assert last.get_masses().sum() * DENSITY_UNIT / last.cell.volume == pytest.approx(density, rel=1e-6)
        assert set(np.loadtxt(run / "log.csv", delimiter=",", skiprows=1, ndmin=2)[:, 3].round(6)) == {density}


@pytest.fixture
def multiple(settings, monkeypatch):
    """Settings with multiple time steps whose inner potential is found and tested in a second."""
    for name in ("SETTLING_PS", "SAMPLING_PS", "CHECK_PS"):
        monkeypatch.setattr(distillation, name, 0.4)
    monkeypatch.setattr(results, "_SHORTEST_PS", 0.02)
    monkeypatch.setattr(distillation, "LARGEST_DRIFT", 1e3)  # a packed box heats fast
    steps = {"ion_interval_fs": 9.0, "frame_interval_ps": 0.045, "pressure_interval_fs": 6.0}
    return replace(
        settings,
        multiple_steps=True,
        equilibration=replace(settings.equilibration, timestep_fs=4.0, average_last_ps=0.08),
        trajectories=replace(settings.trajectories, timestep_fs=3.0, count=2, **steps),
    )


def test_a_drift_of_the_energy_ends_runs_at_constant_volume(multiple, tmp_path, monkeypatch):
    monkeypatch.setattr(EnergyMonitor, "check", lambda *_: Verdict("it drifts"))
    result = produce(tmp_path, multiple, progress=False)
    (condition,) = result.conditions.values()
    assert condition.endings == (("energy (settling)", "it drifts"),) * 2
    reasons = {path.parent.name: json.loads(path.read_text())["reason"] for path in tmp_path.rglob("*/result.json")}
    assert reasons["equilibration"] == reasons["stage_00"] == "completed" and reasons["settling"] == "energy"


def test_added_temperatures_have_the_inner_potential_of_the_others(multiple, tmp_path, monkeypatch):
    monkeypatch.setattr(EnergyMonitor, "check", lambda *_: None)  # a packed box heats fast
    produce(tmp_path, multiple, progress=False)
    before = (tmp_path / "inner" / "inner.json").read_bytes()
    result = produce(tmp_path, replace(multiple, temperatures=(300.0, 340.0)), progress=False)
    assert result.completed and list(result.conditions) == [300.0, 340.0]
    assert (tmp_path / "inner" / "inner.json").read_bytes() == before
    runs = [json.loads(path.read_text()) for path in (tmp_path / "inner").glob("multiple*/result.json")]
    assert {(run["timestep_fs"], run["temperature"]) for run in runs} == {
        (4.0, 315.0),
        (3.0, 300.0),
        (4.0, 340.0),
        (3.0, 340.0),
    }


@pytest.mark.parametrize("time_ps, whole_ps", [(0.2, 0.201), (0.25, 0.249)])
def test_multiple_steps_move_all_runs(multiple, tmp_path, monkeypatch, time_ps, whole_ps):
    """A length that is no multiple of the time step is rounded to the nearest one."""
    monkeypatch.setattr(EnergyMonitor, "check", lambda *_: None)  # a packed box heats fast
    multiple = replace(multiple, trajectories=replace(multiple.trajectories, time_ps=time_ps))
    directory = tmp_path / "multiple"
    result = produce(directory, multiple, progress=False)
    assert result.completed
    assert result.conditions[300.0].production.completed_ps == pytest.approx(2 * whole_ps, abs=1e-9)
    inner = load_inner(directory / "inner" / "inner.json")
    runs = [json.loads(path.read_text()) for path in directory.rglob("result.json")]
    moved = [run for run in runs if run.get("inner")]
    assert {run["inner"] for run in moved} == {inner.fingerprint[:16]}
    lengths = {(run["timestep_fs"], run["hydrogen_mass"], run["ensemble"]) for run in moved}
    assert lengths == {(4.0, 3.0, "nvt"), (4.0, 3.0, "npt"), (3.0, None, "nvt")}
    tests = [json.loads(path.read_text()) for path in (directory / "inner").glob("multiple*/result.json")]
    tested = {(run["timestep_fs"], run["hydrogen_mass"], run["temperature"]) for run in tests}
    assert tested == {(4.0, 3.0, 315.0), (3.0, None, 300.0)}  # each at the highest temperature of its stages
    sampled = json.loads((directory / "inner" / "sample" / "result.json").read_text())["temperature"]
    assert sampled == 450.0  # hotter than the trajectories, as hot as the annealing
    made = {path: path.stat().st_mtime_ns for path in directory.rglob("inner/**/*.*") if path.suffix}
    assert produce(directory, multiple, progress=False).completed
    assert made == {path: path.stat().st_mtime_ns for path in made}
    with pytest.raises(InputError, match="begun with other settings .*multiple_steps"):
        produce(directory, replace(multiple, multiple_steps=False), progress=False)


def test_trajectories_start_from_distinct_configurations_with_velocities_of_their_own(whole):
    directory, _ = whole
    runs = sorted(directory.glob("*K/trajectory_*"))
    firsts = [read_ion_record(run) for run in runs]
    assert len(firsts) == 6
    for k, ions in enumerate(firsts):
        for other in firsts[:k]:
            assert np.abs(ions.velocities[0] - other.velocities[0]).max() > 0.1  # Å/ps
            assert np.abs(ions.positions[0] - other.positions[0]).max() > 1e-3  # Å
    starts = [open_frames(run / "equilibration")[0].positions for run in runs[:3]]
    assert all(np.abs(a - b).max() > 1e-2 for a in starts for b in starts if a is not b)


def test_production_has_the_masses_of_the_elements_and_equilibration_heavy_hydrogen(whole):
    directory, _ = whole
    run = directory / "300K" / "trajectory_00"
    assert open_trajectory(run).hydrogen_mass is None
    assert open_trajectory(run / "equilibration").hydrogen_mass == 3.0


def test_currents_of_the_compact_record_are_those_of_whole_frames(whole):
    directory, _ = whole
    run = directory / "340K" / "trajectory_01"
    compact, frames = read_ion_record(run), read_ions(open_trajectory(run))
    assert compact.timestep_ps == pytest.approx(0.01) and compact.frames == 31
    some = compact[::5]
    assert some.timestep_ps == pytest.approx(frames.timestep_ps) and some.frames == frames.frames
    assert some.species.tolist() == frames.species.tolist() and some.charges.tolist() == frames.charges.tolist()
    np.testing.assert_allclose(some.current(), frames.current(), atol=2e-5)
    np.testing.assert_allclose(some.displacements(), frames.displacements(), atol=2e-5)
    np.testing.assert_allclose(some.masses, frames.masses, rtol=1e-6)
    assert some.solvent_mass == pytest.approx(frames.solvent_mass, rel=1e-6)


def test_result_is_measured_on_all_completed_trajectories(whole):
    directory, result = whole
    assert result.completed
    for temperature, condition in result.conditions.items():
        assert (condition.production.completed, condition.production.planned) == (3, 3)
        assert condition.production.completed_ps == pytest.approx(0.9)
        assert condition.conductivity.temperature == temperature
        assert condition.conductivity.estimates["einstein-helfand"].trajectories == 3
    again = read_production(directory)
    assert again.to_dict() == result.to_dict() == json.loads((directory / "result.json").read_text())


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("300K/volume.json", {"density": -1.0}),
        ("300K/volume.json", {"density_error": "none"}),
        ("340K/trajectory_01/result.json", {"time_ps": 1e3}),
    ],
)
def test_records_that_make_no_sense_are_named(whole, tmp_path, name, changes):
    directory = shutil.copytree(whole[0], tmp_path / "copy")
    record = json.loads((directory / name).read_text())
    (directory / name).write_text(json.dumps(record | changes))
    with pytest.raises(InputError, match=rf"{name}.*{next(iter(changes))}"):
        read_production(directory)


def test_a_second_call_computes_nothing(whole, monkeypatch):
    directory, result = whole
    before = contents(directory)
    monkeypatch.setattr("electrolyte_ml.dynamics.run.Run.start", None)
    monkeypatch.setattr("electrolyte_ml.dynamics.run.Run.resume", None)
    assert produce(directory, progress=False).to_dict() == result.to_dict()
    assert contents(directory) == before


@pytest.mark.slow
def test_kill_9_at_many_moments_changes_no_bit(whole, settings, tmp_path):
    """The process is killed after so many rows and frames, again and again; each time the production goes on."""
    directory = tmp_path / "killed"
    wanted = {name: content for name, content in contents(whole[0]).items() if not name.startswith("340K")}
    moments = [1, 5, 20, 40, 50, 45, 60, 40, 55, 50, 100_000]
    codes = []
    for moment in moments:
        child = os.fork()
        if not child:
            _die_after(moment)
            produce(directory, settings, progress=False)
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert codes == [-signal.SIGKILL] * 10 + [0]
    assert contents(directory) == wanted


def _die_after(count):
    append, left = RunFiles.append, iter(range(count))

    def counted(self, name, content):
        if next(left, None) is None:
            os.write(self.streams[name].fileno(), content[: len(content) // 2])  # half of a row or frame
            os.kill(os.getpid(), signal.SIGKILL)
        append(self, name, content)

    RunFiles.append = counted


class Doom:
    """Ends a run after 0.1 ps."""

    reason, every = "broken molecule", 100

    def check(self, step, atoms, results):
        return Verdict("broken bond C1-C2 of PC (molecule 1)") if step else None


def test_a_trajectory_that_dies_is_recorded_and_the_others_go_on(settings, whole, tmp_path, monkeypatch):
    run_md = stages.run_md

    def doomed(*arguments, **options):
        if options["directory"].name == "trajectory_01":
            options["monitors"] = [*options["monitors"], Doom()]
        return run_md(*arguments, **options)

    monkeypatch.setattr(stages, "run_md", doomed)
    result = produce(tmp_path / "run", settings, progress=False)
    condition = result.conditions[300.0]
    assert not result.completed
    assert dict(condition.production.failures) == {"broken molecule": 1}
    assert (condition.production.planned, condition.production.completed) == (3, 2)
    assert condition.production.lost_ps == pytest.approx(0.1)
    assert condition.endings[1] == ("broken molecule", "broken bond C1-C2 of PC (molecule 1)")
    assert condition.conductivity.estimates["einstein-helfand"].trajectories == 2
    text = str(result)
    assert "2 of 3 runs completed" in text and "survivorship" in text and "broken bond C1-C2" in text
    for number in (0, 2):  # the others are what they are without it
        name = f"300K/trajectory_{number:02d}/ions.trr"
        assert (tmp_path / "run" / name).read_bytes() == (whole[0] / name).read_bytes()


def test_death_in_the_equilibration_names_it(settings, often, tmp_path, monkeypatch):
    run_md = stages.run_md

    def doomed(*arguments, **options):
        if options["directory"].name == "equilibration" and "trajectory_02" in str(options["directory"]):
            options["monitors"] = [Doom()]
        return run_md(*arguments, **options)

    monkeypatch.setattr(Doom, "every", 20)
    monkeypatch.setattr(stages, "run_md", doomed)
    condition = produce(tmp_path, settings, progress=False).conditions[300.0]
    assert condition.endings[2][0] == "broken molecule (equilibration)"
    assert condition.production.completed == 2
    assert json.loads((tmp_path / "300K" / "volume.json").read_text())["equilibrations"] == 2


def test_an_error_of_one_run_is_raised_after_the_others_and_mended_by_the_next_call(
    settings, whole, tmp_path, monkeypatch
):
    run_md = stages.run_md

    def full(*arguments, **options):
        if options["directory"].name == "trajectory_00":
            raise OSError(28, "No space left on device")
        return run_md(*arguments, **options)

    with monkeypatch.context() as patch, pytest.raises(ElectrolyteError, match="1 of 3 runs failed.*No space left"):
        patch.setattr(stages, "run_md", full)
        produce(tmp_path, settings, progress=False)
    assert read_production(tmp_path).conditions[300.0].production.completed == 2
    produce(tmp_path, settings, progress=False)
    name = "300K/trajectory_00/ions.trr"
    assert (tmp_path / name).read_bytes() == (whole[0] / name).read_bytes()


@pytest.mark.slow
def test_longer_trajectories_and_more_temperatures_extend_a_production(settings, whole, tmp_path):
    produce(tmp_path, settings, progress=False)
    short = (tmp_path / "300K/trajectory_00/ions.trr").read_bytes()
    longer = replace(settings.trajectories, time_ps=0.4)
    result = produce(tmp_path, replace(settings, temperatures=(300.0, 340.0), trajectories=longer), progress=False)
    assert result.conditions[300.0].production.completed_ps == pytest.approx(1.2)
    assert (tmp_path / "300K/trajectory_00/ions.trr").read_bytes().startswith(short)
    new = (tmp_path / "340K/trajectory_02/ions.trr").read_bytes()
    assert new.startswith((whole[0] / "340K/trajectory_02/ions.trr").read_bytes())
    with pytest.raises(InputError, match=r"trajectories.time_ps \(shorter\)"):
        produce(tmp_path, settings, progress=False)


@pytest.mark.slow
def test_boxes_of_their_own_and_a_start_file(settings, whole, tmp_path):
    two = replace(settings, equilibration=replace(settings.equilibration, boxes=2))
    assert produce(tmp_path / "two", two, progress=False).completed
    boxes = [read_configurations(tmp_path / "two" / f"box_0{k}" / "start.xyz")[0] for k in (0, 1)]
    assert np.abs(boxes[0].positions - boxes[1].positions).max() > 1.0
    start = replace(settings, composition=None, density=None, start=str(whole[0] / "box_00" / "start.xyz"))
    assert produce(tmp_path / "start", start, progress=False).completed
    name = "300K/trajectory_02/ions.trr"
    assert (tmp_path / "start" / name).read_bytes() == (whole[0] / name).read_bytes()


@pytest.fixture(scope="module")
def training(root, tmp_path_factory):
    """A few configurations of the set that the potential was trained on."""
    path = tmp_path_factory.mktemp("training") / "set.xyz"
    write_configurations(path, read_configurations(root / "data" / "pc_napf6.extxyz.xz")[::40])
    return path


def test_grades_give_the_share_that_is_trusted(settings, often, training, tmp_path):
    watch = replace(settings.grades, active_set=str(training), break_threshold=1e12)
    produce(tmp_path, replace(settings, grades=watch), progress=False)
    active_set = ActiveSet.build(load(settings.potential), read_configurations(training), mode="neighbourhood")
    runs = sorted(tmp_path.glob("300K/trajectory_*"))
    grades = np.array([active_set.grade(frame) for run in runs for frame in open_frames(run)])
    assert len(grades) == 21
    middle = replace(watch, trusted=float(np.sort(grades)[[6, 7]].mean()))
    condition = read_production(tmp_path, replace(settings, grades=middle)).conditions[300.0]
    assert condition.trusted == pytest.approx(7 / 21)
    assert "33.3% of frames trusted" in str(condition)


def test_grade_ends_a_trajectory(settings, often, training, tmp_path):
    watch = replace(settings.grades, active_set=str(training), trusted=0.1, break_threshold=0.2)
    condition = produce(tmp_path, replace(settings, grades=watch), progress=False).conditions[300.0]
    assert dict(condition.production.failures) == {"grade": 3}
    assert condition.conductivity is None and "no trajectory is complete" in str(condition)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"composition": "PC=2"}, "none of PC is charged"),
        ({"composition": "EC=1 LiPF6=1"}, "Li, but the potential has only"),
        ({"density": 2.9}, "cannot pack"),
        ({"potential": "no-such"}, "no-such"),
        ({"composition": None, "density": None, "start": "nothing.xyz"}, "nothing.xyz"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(settings, tmp_path, change, message):
    with pytest.raises((InputError, OSError), match=message):
        produce(tmp_path / "run", replace(settings, **change), progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("compositions", "info", "message"),
    [
        (["PC=2 NaPF6=1", "PC=3 NaPF6=1"], {}, "box 2: .* is not the same molecules"),
        (["PC=2 NaPF6=1", "PC=2 NaPF6=1"], {"charge": 1}, r"total charge is \+1"),
    ],
)
def test_boxes_of_other_molecules_and_net_charges_are_refused(settings, tmp_path, compositions, info, message):
    path = tmp_path / "boxes.xyz"
    boxes = [pack(parse_composition(text), 1.2, seed=k) for k, text in enumerate(compositions)]
    boxes[-1].info |= info
    write_configurations(path, boxes)
    two = replace(
        settings,
        composition=None,
        density=None,
        start=str(path),
        equilibration=replace(settings.equilibration, boxes=2),
    )
    with pytest.raises(InputError, match=message):
        produce(tmp_path / "run", two, progress=False)
    assert not (tmp_path / "run").exists()


def test_ions_with_a_net_charge_are_refused(settings, tmp_path):
    atoms = pack(parse_composition("PC=2 NaPF6=1"), 1.2)
    del atoms[[atom.index for atom in atoms if atom.symbol == "Na"]]
    atoms.info["charge"] = -1
    write_configurations(tmp_path / "anion.xyz", atoms)
    alone = replace(settings, composition=None, density=None, start=str(tmp_path / "anion.xyz"))
    with pytest.raises(InputError, match="charges of the ions sum to -1"):
        produce(tmp_path / "run", alone, progress=False)


def test_an_edited_active_set_is_noticed(settings, often, training, tmp_path):
    path = tmp_path / "set.xyz"
    configurations = read_configurations(training)
    write_configurations(path, configurations)
    graded = replace(settings, grades=replace(settings.grades, active_set=str(path), break_threshold=1e12))
    produce(tmp_path / "run", graded, progress=False)
    write_configurations(path, configurations[1:])
    longer = replace(graded, trajectories=replace(graded.trajectories, time_ps=0.6))
    with pytest.raises(InputError, match="the content of grades.active_set"):
        produce(tmp_path / "run", longer, progress=False)


def test_boxes_of_a_call_that_died_are_not_taken(settings, tmp_path, monkeypatch):
    def full(path, *_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(workflow, "atomic_write", full)
        produce(tmp_path, settings, progress=False)
    assert (tmp_path / "box_00" / "start.xyz").exists()
    prepared = workflow.prepare(tmp_path, replace(settings, composition="PC=3 NaPF6=1"))
    assert len(prepared.starts[0]) == 47


def test_a_plan_of_another_production_is_refused(whole, settings):
    directory, _ = whole
    with pytest.raises(InputError, match=r"other settings \(temperatures|other settings \(seed\)"):
        workflow.cost_of(workflow.prepare(directory, replace(settings, seed=1)))


def test_trajectories_of_one_length_are_read_while_a_production_is_extended(settings, whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    record = tmp_path / "run" / "300K" / "trajectory_01" / "result.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"time_ps": 0.6}))
    assert [folder.name for folder in run_folders(tmp_path / "run", 300.0)] == ["trajectory_01"]
    assert len(run_folders(tmp_path / "run", 340.0)) == 3
    longer = replace(settings, temperatures=(300.0, 340.0), trajectories=replace(settings.trajectories, time_ps=0.6))
    state = read_production(tmp_path / "run", longer).conditions[300.0].production
    assert (state.completed, dict(state.failures), state.bias) == (1, {}, "") and "unfinished: 2" in str(state)


def test_another_production_in_the_directory_is_refused(whole, settings, tmp_path):
    directory, _ = whole
    with pytest.raises(InputError, match=r"other settings \(temperatures|other settings \(seed\)"):
        produce(directory, replace(settings, seed=1), progress=False)
    other = MomentTensorPotential.random(4, load(settings.potential).species)
    with pytest.raises(InputError, match=r"other settings \(potential\)"):
        produce(directory, replace(settings, temperatures=(300.0, 340.0)), potential=other, progress=False)


@pytest.mark.slow
def test_two_at_once_give_what_one_after_the_other_gives(settings, tmp_path):
    brief = replace(
        settings,
        equilibration=replace(settings.equilibration, annealing=(), time_ps=0.06, average_last_ps=0.04),
        trajectories=replace(settings.trajectories, count=2, time_ps=0.1, settling_ps=0.0),
    )
    results = [produce(tmp_path / str(jobs), replace(brief, jobs=jobs), progress=False) for jobs in (2, 1)]
    assert all(result.completed for result in results)
    for number in range(2):
        name = f"300K/trajectory_{number:02d}/ions.trr"
        # Single precision, to its last digit: in one run of the whole suite the last bits differed, nobody knows why.
        one, other = (np.frombuffer((tmp_path / jobs / name).read_bytes(), ">f4") for jobs in ("2", "1"))
        assert np.allclose(one, other, rtol=1e-6, atol=1e-6, equal_nan=True)


def test_folder_without_a_production_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no production"):
        read_production(tmp_path)
    with pytest.raises(InputError, match="settings.toml does not exist"):
        produce(tmp_path)


def test_a_production_that_was_moved_goes_on(settings, often, tmp_path, monkeypatch):
    """With the potential and the start beside it or inside; what has been used and is needed no more may be gone."""
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    shutil.copy(settings.potential, home / "run" / "pot.pot")
    write_configurations(home / "box.xyz", [pack({"PC": 2, "Na": 1, "PF6": 1}, 1.2)])
    brief = replace(
        settings,
        composition=None,
        density=None,
        potential=str(home / "run" / "pot.pot"),
        start=str(home / "box.xyz"),
        equilibration=replace(settings.equilibration, annealing=(), time_ps=0.06, average_last_ps=0.04),
        trajectories=replace(settings.trajectories, count=1, time_ps=0.1, settling_ps=0.0),
    )
    result = produce(home / "run", brief, progress=False)
    (home / "box.xyz").unlink()
    home.rename(tmp_path / "elsewhere")
    monkeypatch.setattr("electrolyte_ml.dynamics.run.Run.start", None)
    moved = produce(tmp_path / "elsewhere" / "run", progress=False)
    assert moved.to_dict()["conditions"] == result.to_dict()["conditions"]
