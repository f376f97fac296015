import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms

from electrolyte_ml.dynamics import DensityMonitor, TemperatureMonitor, read_trajectory, run_md
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.files import atomic_write
from electrolyte_ml.structures import read_configurations

ENSEMBLES = [("nve", "bussi"), ("nvt", "bussi"), ("nvt", "nose-hoover"), ("npt", "bussi")]
FILES = ("log.csv", "trajectory.trr", "saved.xyz")


def run(atoms, calculator, **options):
    standard = {"temperature": 90, "time_ps": 0.1, "timestep_fs": 2.0, "frame_interval_fs": 20, "progress": False}
    return run_md(atoms, calculator, **(standard | options))


class StopsAt:
    """A calculator that counts its calls and fails at one of them."""

    def __init__(self, calculator, call, how):
        self.calculator, self.call, self.how, self.calls = calculator, call, how, 0
        self.implemented_properties = calculator.implemented_properties

    def calculate(self, atoms, properties, changes):
        self.calls += 1
        if self.calls == self.call:
            self.how()
        self.calculator.calculate(atoms, properties, changes)

    @property
    def results(self):
        return self.calculator.results

    def reset(self):
        self.calculator.reset()


def following(calculator, change):
    """Return a calculator whose results ``change(call, results)`` alters after each call."""

    class Follows(type(calculator)):
        calls = 0

        def calculate(self, *arguments):
            super().calculate(*arguments)
            self.calls += 1
            change(self.calls, self.results)

    return Follows(**calculator.parameters)


def killed():
    raise KeyboardInterrupt


def failed():
    raise RuntimeError("the SCF did not converge\nwith a long story")


@pytest.mark.parametrize("ensemble, thermostat", ENSEMBLES)
def test_one_evaluation_a_step(argon, lennard_jones, ensemble, thermostat):
    counter = StopsAt(lennard_jones(), None, None)
    result = run(argon, counter, ensemble=ensemble, thermostat=thermostat)
    assert result.completed and result.steps == 50
    assert counter.calls == 51


@pytest.mark.parametrize("ensemble, thermostat", ENSEMBLES)
@pytest.mark.parametrize("call", [2, 23, 40])
def test_killed_and_resumed_run_is_the_same_to_the_bit(tmp_path, argon, lennard_jones, ensemble, thermostat, call):
    options = {"ensemble": ensemble, "thermostat": thermostat, "restart_interval_fs": 24}
    with pytest.raises(KeyboardInterrupt):
        run(argon, StopsAt(lennard_jones(), call, killed), directory=tmp_path / "killed", **options)
    resumed = run(argon, lennard_jones(), directory=tmp_path / "killed", **options)
    whole = run(argon, lennard_jones(), directory=tmp_path / "whole", **options)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    np.testing.assert_array_equal(resumed.atoms.positions, whole.atoms.positions)
    np.testing.assert_array_equal(resumed.atoms.get_momenta(), whole.atoms.get_momenta())
    np.testing.assert_array_equal(resumed.atoms.cell.array, whole.atoms.cell.array)


@pytest.mark.parametrize(
    "more", [{"anisotropic": True}, {"temperature_end": 150}, {"temperature_end": 30, "ensemble": "nvt"}]
)
def test_killed_ramp_or_anisotropic_run_resumes_to_the_bit(tmp_path, argon, lennard_jones, more):
    """Killed between two restart files, which do not fall on the steps at which the temperature changes."""
    options = {"ensemble": "npt", "restart_interval_fs": 24, "pdamp_fs": 100} | more
    with pytest.raises(KeyboardInterrupt):
        run(argon, StopsAt(lennard_jones(), 40, killed), directory=tmp_path / "killed", **options)
    resumed = run(argon, lennard_jones(), directory=tmp_path / "killed", **options)
    whole = run(argon, lennard_jones(), directory=tmp_path / "whole", **options)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    np.testing.assert_array_equal(resumed.atoms.get_momenta(), whole.atoms.get_momenta())
    lengths = whole.atoms.cell.lengths() / argon.cell.lengths()
    assert (np.ptp(lengths) > 1e-4) == ("anisotropic" in more)
    with pytest.raises(InputError, match="holds a run with"):
        run(argon, lennard_jones(), directory=tmp_path / "whole", ensemble=options["ensemble"], restart_interval_fs=24)


def test_a_restart_file_of_an_older_version_is_resumed(tmp_path, argon, lennard_jones):
    """Without ramps and independent lengths, of which it knew nothing."""
    options = {"ensemble": "npt", "restart_interval_fs": 24}
    with pytest.raises(KeyboardInterrupt):
        run(argon, StopsAt(lennard_jones(), 40, killed), directory=tmp_path / "killed", **options)
    path = tmp_path / "killed" / "restart.npz"
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "virial"}
    arrays["scalars"] = arrays["scalars"][:11]
    meta = json.loads(str(arrays["meta"]))
    for name in ("anisotropic", "temperature_end", "ramp_ps"):
        del meta["settings"][name]
    del meta["repeated_steps"]
    np.savez(path, **(arrays | {"meta": np.array(json.dumps(meta))}))
    run(argon, lennard_jones(), directory=tmp_path / "killed", **options)
    run(argon, lennard_jones(), directory=tmp_path / "whole", **options)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_ramp_is_not_extended(tmp_path, argon, lennard_jones):
    """Its pace is that of its length."""
    run(argon, lennard_jones(), directory=tmp_path / "run", temperature_end=150)
    with pytest.raises(InputError, match=r"ramp_ps = 0\.1, not 0\.2"):
        run(argon, lennard_jones(), directory=tmp_path / "run", temperature_end=150, time_ps=0.2)


def test_kill_9_while_writing_is_survived(tmp_path):
    """A real SIGKILL, and half a frame and half a row left behind as by a crash of the machine."""
    script = textwrap.dedent("""
        import os, signal, sys
        from ase.build import bulk
        from ase.calculators.emt import EMT
        from electrolyte_ml.dynamics import run_md
        class Killed(EMT):
            calls = 0
            def calculate(self, *arguments):
                Killed.calls += 1
                if Killed.calls == int(sys.argv[2]):
                    os.kill(os.getpid(), signal.SIGKILL)
                super().calculate(*arguments)
        run_md(bulk("Cu", cubic=True).repeat(2), Killed(), temperature=600, time_ps=0.05, frame_interval_fs=5,
               restart_interval_fs=13, directory=sys.argv[1], progress=False)
    """)
    for call, directory in ((37, "killed"), (0, "whole")):
        done = subprocess.run([sys.executable, "-c", script, tmp_path / directory, str(call)])
        assert done.returncode == (-signal.SIGKILL if call else 0)
    with open(tmp_path / "killed" / "trajectory.trr", "ab") as stream:
        stream.write(b"\0\0\7\311half a frame")
    with open(tmp_path / "killed" / "log.csv", "ab") as stream:
        stream.write(b"36,0.0")
    assert not (tmp_path / "killed" / "result.json").exists()
    subprocess.run([sys.executable, "-c", script, tmp_path / "killed", "0"], check=True)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_finished_run_is_returned_without_computing(tmp_path, argon, lennard_jones):
    first = run(argon, lennard_jones(), directory=tmp_path)
    counter = StopsAt(lennard_jones(), 1, failed)
    again = run(argon, counter, directory=tmp_path)
    assert counter.calls == 0
    np.testing.assert_array_equal(again.densities, first.densities)
    np.testing.assert_array_equal(again.atoms.positions, first.atoms.positions)
    assert again.reason == "completed" and again.steps == 50


def test_longer_time_extends_a_completed_run(tmp_path, argon, lennard_jones):
    run(argon, lennard_jones(), directory=tmp_path / "a", restart_interval_fs=20)
    longer = run(argon, lennard_jones(), directory=tmp_path / "a", restart_interval_fs=20, time_ps=0.2)
    once = run(argon, lennard_jones(), directory=tmp_path / "b", restart_interval_fs=20, time_ps=0.2)
    assert longer.steps == 100
    np.testing.assert_array_equal(longer.times_ps, once.times_ps)
    np.testing.assert_array_equal(longer.atoms.positions, once.atoms.positions)
    shorter = run(argon, lennard_jones(), directory=tmp_path / "a", restart_interval_fs=20)
    assert shorter.steps == 100


def test_memory_and_directory_give_the_same(tmp_path, argon, lennard_jones):
    memory, disk = run(argon, lennard_jones()), run(argon, lennard_jones(), directory=tmp_path)
    np.testing.assert_array_equal(memory.densities, disk.densities)
    assert len(memory.frames()) == len(disk.frames()) == 6
    for a, b in zip(memory.frames(), disk.frames()):
        np.testing.assert_array_equal(a.positions, b.positions)
    assert memory.directory is None and disk.directory == tmp_path


def test_seed_decides(argon, lennard_jones):
    first, same, other = (run(argon, lennard_jones(), seed=seed).densities for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_start_is_not_changed_and_its_velocities_are_kept(argon, lennard_jones):
    argon.set_momenta(np.random.default_rng(0).normal(size=(32, 3)))
    momenta = argon.get_momenta()
    before = argon.copy()
    result = run(argon, lennard_jones(), ensemble="nve", time_ps=0)
    assert argon == before and argon.calc is None
    drift = momenta.sum(axis=0) / argon.get_masses().sum()
    np.testing.assert_allclose(result.atoms.get_velocities(), argon.get_velocities() - drift, atol=1e-12)


def test_centre_of_mass_stays_at_rest_even_if_forces_do_not_sum_to_zero(argon, lennard_jones):
    class Leaking(type(lennard_jones())):
        def calculate(self, *arguments):
            super().calculate(*arguments)
            self.results["forces"] += 1e-3

    result = run(argon, Leaking(sigma=3.4, epsilon=0.0104, rc=5.0), ensemble="nvt", log_interval_fs=2)
    np.testing.assert_allclose(result.atoms.get_momenta().sum(axis=0), 0, atol=1e-10)


def test_relaxation_lowers_the_energy_of_a_bad_start(argon, lennard_jones):
    argon.rattle(0.5, seed=3)
    rough, relaxed = (run(argon, lennard_jones(), time_ps=0, relax=steps).energies[0] for steps in (0, 50))
    assert relaxed < rough - 1.0


class Nothing(Calculator):
    """No forces: whatever moves the atoms is not the minimisation."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms, properties, changes):
        super().calculate(atoms, properties, changes)
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}


@pytest.mark.parametrize("relax", [0, 1])
def test_relaxation_moves_molecules_apart_that_overlap(relax):
    pair = Atoms("Ne2", [[0, 0, 0], [2.1, 0, 0]], cell=[12] * 3, pbc=True)
    result = run(pair, Nothing(), ensemble="nve", time_ps=0, relax=relax)
    distance = result.atoms.get_distance(0, 1, mic=True)
    assert distance == pytest.approx(2.1) if not relax else distance > 0.9 * 2 * 1.54  # Å, van der Waals radii
    np.testing.assert_allclose(result.atoms.positions.sum(axis=0), pair.positions.sum(axis=0), atol=1e-9)


def test_failing_calculator_ends_the_run_and_keeps_what_was_written(tmp_path, argon, lennard_jones):
    result = run(argon, StopsAt(lennard_jones(), 34, failed), directory=tmp_path)
    assert (result.reason, result.detail) == ("calculator", "RuntimeError: the SCF did not converge, after 0.064 ps")
    assert result.steps == 32
    assert result.times_ps[-1] == pytest.approx(0.06)
    assert len(result.frames()) == 4
    summary = json.loads((tmp_path / "result.json").read_text())
    assert summary["reason"] == "calculator" and summary["steps"] == 32 and summary["charge"] == 0
    last = read_configurations(tmp_path / "last.xyz")[0]
    np.testing.assert_allclose(last.positions, result.atoms.positions, atol=1e-7)
    np.testing.assert_allclose(last.get_momenta(), result.atoms.get_momenta(), atol=1e-7)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of ASE's neighbour list
@pytest.mark.parametrize("push", [1e14, 1e300])
def test_atoms_beyond_the_range_of_files_end_the_run(tmp_path, argon, lennard_jones, push):
    def explode(call, results):
        if call == 5:
            results["forces"] = results["forces"] + push
        elif call > 5:
            raise ElectrolyteError("an atom is far away")

    result = run(argon, following(lennard_jones(), explode), directory=tmp_path)
    assert result.reason == "calculator" and np.abs(result.atoms.positions).max() > 1e8
    assert json.loads((tmp_path / "result.json").read_text())["reason"] == "calculator"
    assert not (tmp_path / "last.xyz").exists()
    assert run(argon, lennard_jones(), directory=tmp_path).detail == result.detail  # it is not run again


def test_minimisation_that_fails_ends_the_run_on_the_start_as_it_was_given(tmp_path, argon, lennard_jones):
    before = argon.positions.copy()
    result = run(argon, StopsAt(lennard_jones(), 2, failed), relax=20, directory=tmp_path)
    assert result.reason == "calculator" and result.steps == 0
    assert result.detail == "RuntimeError: the SCF did not converge, while the energy was minimised"
    assert np.array_equal(result.atoms.positions, before)
    again = run(argon, lennard_jones(), relax=20, directory=tmp_path)
    assert again.detail == result.detail  # what has ended is not run again


def test_error_of_the_calculator_on_the_start_itself_is_raised(argon):
    with pytest.raises(ElectrolyteError, match="EMT fails on the start: NotImplementedError: No EMT-potential for Ar"):
        run(argon, EMT())


@pytest.mark.parametrize("quantity", ["energy", "forces", "stress"])
def test_nan_ends_the_run(tmp_path, argon, lennard_jones, quantity):
    def spoil(call, results):
        if call > 10:
            results[quantity] = results[quantity] * np.nan

    result = run(argon, following(lennard_jones(), spoil), directory=tmp_path)
    assert result.reason == "nan" and result.steps == 10
    what = "the force on atom 1 (Ar)" if quantity == "forces" else "energy or stress"
    assert result.detail == f"{what} is not a number after 0.02 ps"
    assert run(argon, lennard_jones(), directory=tmp_path).detail == result.detail  # it is not run again


class Half:
    """Has a calculator, but is none."""

    def __init__(self, calculator):
        self.calculator = calculator


def test_clusters_run_without_density_and_pressure():
    atoms = Atoms("Cu4", [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.5]])
    result = run(atoms, EMT(), ensemble="nvt", temperature=300)
    assert result.completed and np.isnan(result.densities).all() and np.isnan(result.pressures).all()
    assert len(result.frames()) == 6


class NoStress(Calculator):
    implemented_properties = ("energy", "forces")


def moved(atoms, **changes):
    for name, value in changes.items():
        setattr(atoms, name, value)
    return atoms


def spoilt(atoms, index, value):
    atoms.positions[index, 1] = value
    return atoms


def weightless(atoms):
    atoms.set_masses([0 if i == 5 else 40 for i in range(len(atoms))])
    return atoms


def held(atoms):
    atoms.set_constraint(FixAtoms([0]))
    return atoms


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda a: spoilt(a, 3, np.nan), r"position of atom 4 \(Ar\) is not finite"),
        (lambda a: moved(a, pbc=False), "constant pressure needs a cell"),
        (lambda a: moved(a, pbc=(True, True, False)), "constant pressure needs a cell"),
        (lambda a: moved(a, cell=[0, 0, 0]), "no volume"),
        (lambda a: moved(a, cell=[[9, 0, 0], [0, 9, 0], [9, 9, 0]]), "no volume"),
        (lambda a: moved(a, cell=[[0, 9, 0], [9, 0, 0], [0, 0, 9]]), "left-handed"),
        (lambda a: moved(a, cell=np.full((3, 3), np.nan)), "cell is not finite"),
        (weightless, r"atom 6 \(Ar\) has mass 0"),
        (held, "constraints"),
        (lambda a: a[:1], "at least two atoms"),
    ],
)
def test_impossible_start_is_refused_in_one_line(argon, lennard_jones, change, message):
    with pytest.raises(InputError, match=message) as caught:
        run(change(argon), lennard_jones())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ensemble": "nph"}, "no ensemble 'nph'; there are nve, nvt, npt"),
        ({"thermostat": "berendsen"}, "no thermostat 'berendsen'"),
        ({"temperature": -5}, "temperature must be positive, not -5 K"),
        ({"temperature": "warm"}, "temperature must be a number, not 'warm'"),
        ({"temperature": np.nan}, "temperature must be positive"),
        ({"pressure_bar": np.inf}, "pressure_bar must be finite"),
        ({"time_ps": -1}, "time_ps must be 0 or more"),
        ({"timestep_fs": 0}, "timestep_fs must be positive"),
        ({"tdamp_fs": 0}, "tdamp_fs must be positive"),
        ({"log_interval_fs": 0.5}, "log_interval_fs must be 2 or more"),
        ({"relax": -1}, "relax must be a whole number, 0 or more, not -1"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, not -1"),
        ({"temperature_end": 0}, "temperature_end must be positive"),
        ({"temperature_end": 200, "ensemble": "nve"}, "temperature_end needs the thermostat bussi"),
        ({"temperature_end": 200, "ensemble": "nvt", "thermostat": "nose-hoover"}, "does not work with nose-hoover"),
        ({"anisotropic": True, "ensemble": "nvt"}, "need constant pressure, npt, not nvt"),
    ],
)
def test_impossible_setting_is_refused_before_anything_is_written(tmp_path, argon, lennard_jones, options, message):
    with pytest.raises(InputError, match=message):
        run(argon, lennard_jones(), directory=tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("thing", [None, 3, "ec.mtp", Half(EMT)])
def test_something_else_than_a_calculator_is_refused(argon, thing):
    with pytest.raises(InputError, match="neither a potential nor an ASE calculator"):
        run(argon, thing)


def test_constant_pressure_without_stress_is_refused(argon):
    with pytest.raises(InputError, match="NoStress has none"):
        run(argon, NoStress())


def test_directory_of_another_run_is_refused(tmp_path, argon, lennard_jones):
    run(argon, lennard_jones(), directory=tmp_path)
    with pytest.raises(InputError, match=r"temperature = 90.0, not 95.0"):
        run(argon, lennard_jones(), directory=tmp_path, temperature=95)
    argon.rattle(0.1)
    with pytest.raises(InputError, match="another start"):
        run(argon, lennard_jones(), directory=tmp_path)


def test_resuming_with_another_potential_is_refused(tmp_path, argon, lennard_jones):
    run(argon, lennard_jones(), directory=tmp_path)
    other = lennard_jones()
    other.parameters.epsilon *= 1.1
    with pytest.raises(InputError, match="started with another potential"):
        run(argon, other, directory=tmp_path, time_ps=0.2)


def test_the_result_of_another_potential_is_not_returned(tmp_path, spheres):
    atoms, potential = spheres
    options = {"ensemble": "nve", "time_ps": 0.02, "timestep_fs": 2, "directory": tmp_path, "progress": False}
    first = run_md(atoms, potential, **options)
    again = run_md(atoms, potential.calculator(threads=1), **options)  # the same forces
    np.testing.assert_array_equal(again.energies, first.energies)
    stronger = potential.with_parameters(1.1 * potential.parameters)
    with pytest.raises(InputError, match="was started with another potential"):
        run_md(atoms, stronger, **options)


def test_a_result_without_the_check_of_a_monitor_is_not_returned(tmp_path, argon, lennard_jones):
    first = run(argon, lennard_jones(), directory=tmp_path, monitors=[TemperatureMonitor(1e4)])
    assert run(argon, lennard_jones(), directory=tmp_path).steps == first.steps  # fewer monitors change nothing
    with pytest.raises(InputError, match=r"not checked by a monitor \(density\)"):
        run(argon, lennard_jones(), directory=tmp_path, monitors=[TemperatureMonitor(1e4), DensityMonitor(0.1, 10)])
    longer = run(argon, lennard_jones(), directory=tmp_path, monitors=[DensityMonitor(0.1, 10)], time_ps=0.2)
    assert longer.steps > first.steps  # an extension is checked


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_damaged_restart_file_is_refused(tmp_path, argon, lennard_jones, content):
    run(argon, lennard_jones(), directory=tmp_path)
    path = tmp_path / "restart.npz"
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(InputError, match="restart.npz is not a restart file"):
        run(argon, lennard_jones(), directory=tmp_path)


@pytest.mark.parametrize("name", ["step", "saved", "repeated_steps"])
@pytest.mark.parametrize("value", [-1, "7", 1.5, True])
def test_damaged_counts_of_a_restart_file_are_refused(tmp_path, argon, lennard_jones, name, value):
    run(argon, lennard_jones(), directory=tmp_path)
    path = tmp_path / "restart.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    meta = json.loads(str(arrays["meta"])) | {name: value}
    np.savez(path, **(arrays | {"meta": np.array(json.dumps(meta))}))
    with pytest.raises(InputError, match=r"restart.npz is damaged"):
        run(argon, lennard_jones(), directory=tmp_path)


def test_missing_trajectory_of_a_restart_is_refused(tmp_path, argon, lennard_jones):
    run(argon, lennard_jones(), directory=tmp_path)
    os.truncate(tmp_path / "trajectory.trr", 100)
    with pytest.raises(InputError, match=r"trajectory.trr has 100 bytes, fewer than the \d+ of the restart file"):
        run(argon, lennard_jones(), directory=tmp_path, time_ps=0.2)


def test_two_processes_in_one_directory_are_refused(tmp_path, argon, lennard_jones, monkeypatch):
    from electrolyte_ml.dynamics import files

    monkeypatch.setattr(files, "LOCK_PATIENCE", 0.3)
    with files.RunFiles(tmp_path), pytest.raises(ElectrolyteError, match="is in use by another process"):
        run(argon, lennard_jones(), directory=tmp_path)


def test_full_disk_is_an_error_and_the_run_resumes(tmp_path, argon, lennard_jones, monkeypatch):
    from electrolyte_ml.dynamics.files import RunFiles

    whole = run(argon, lennard_jones(), directory=tmp_path / "whole", restart_interval_fs=20)
    append, calls = RunFiles.append, []

    def full(self, name, content):
        calls.append(name)
        if len(calls) == 10:
            append(self, name, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        append(self, name, content)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(RunFiles, "append", full)
        run(argon, lennard_jones(), directory=tmp_path / "full", restart_interval_fs=20)
    resumed = run(argon, lennard_jones(), directory=tmp_path / "full", restart_interval_fs=20)
    np.testing.assert_array_equal(resumed.densities, whole.densities)
    for name in FILES:
        assert (tmp_path / "full" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_restart_file_that_cannot_be_written_is_an_error(tmp_path, argon, lennard_jones, monkeypatch):
    """It is written behind the run, which must not go on for long without it, nor end as if it were there."""
    from electrolyte_ml.dynamics import files

    whole = run(argon, lennard_jones(), directory=tmp_path / "whole", restart_interval_fs=20)
    for allowed in (2, 5):  # in the middle, and the last one
        written = []

        def full(path, content, written=written, allowed=allowed):
            written.append(path)
            if len(written) > allowed:
                raise OSError(28, "No space left on device", str(path))
            atomic_write(path, content)

        directory = tmp_path / str(allowed)
        with monkeypatch.context() as patch, pytest.raises(OSError, match=r"No space left.*restart.npz"):
            patch.setattr(files, "atomic_write", full)
            run(argon, lennard_jones(), directory=directory, restart_interval_fs=20)
        assert not (directory / "result.json").exists()
        assert len(written) == allowed + 1
        run(argon, lennard_jones(), directory=directory, restart_interval_fs=20)
        for name in FILES:
            assert (directory / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert whole.completed


def test_progress_line_can_be_switched_off(argon, lennard_jones, capfd):
    run(argon, lennard_jones(), time_ps=0.01)
    assert capfd.readouterr() == ("", "")
    run(argon, lennard_jones(), time_ps=0.01, progress=True)
    shown = capfd.readouterr().err
    assert "NPT 90 K" in shown and "ns/day" in shown and "5/5" in shown


def test_trajectory_file_of_another_kind_is_refused(tmp_path, argon):
    path = tmp_path / "a.trr"
    path.write_text("not a trajectory")
    with pytest.raises(InputError, match=r"a.trr is not a .trr trajectory"):
        read_trajectory(path, argon)


def test_velocities_are_drawn_at_the_temperature():
    """Mean over 200 seeds of the kinetic temperature, whose standard error is sqrt(2 / (9 * 200)) = 3.3 %."""
    atoms = Atoms("Cu4", [[0, 0, 0], [2.5, 0, 0], [0, 2.5, 0], [0, 0, 2.5]])
    kinetic = [
        run(atoms, EMT(), ensemble="nve", temperature=300, time_ps=0, seed=seed).kinetic_energies[0]
        for seed in range(200)
    ]
    assert np.mean(kinetic) == pytest.approx(0.5 * 9 * units.kB * 300, rel=0.12)


def test_potential_with_a_neighbour_list_resumes_to_the_bit(tmp_path):
    """A list made at another moment may order its pairs differently: sums would differ in the last bits."""
    from electrolyte_ml.potentials import MomentTensorPotential
    from electrolyte_ml.potentials.calculator import PotentialCalculator
    from electrolyte_ml.structures import pack

    potential = MomentTensorPotential.random(level=6, species=("H", "C", "O"), cutoff=4.0, seed=0)
    box = pack({"EC": 2}, density=0.9, seed=0)
    options = {"temperature": 300, "timestep_fs": 0.2, "time_ps": 0.02}
    options |= {"restart_interval_fs": 4, "frame_interval_fs": 2}
    calls = []

    class Killed(PotentialCalculator):
        def calculate(self, *arguments):
            calls.append(None)
            if len(calls) == 55:
                raise KeyboardInterrupt
            super().calculate(*arguments)

    with pytest.raises(KeyboardInterrupt):
        run(box, Killed(potential), directory=tmp_path / "killed", **options)
    resumed = run(box, Killed(potential), directory=tmp_path / "killed", **options)
    whole = run(box, Killed(potential), directory=tmp_path / "whole", **options)
    assert whole.completed
    np.testing.assert_array_equal(resumed.atoms.positions, whole.atoms.positions)
    compiled = run(box, potential, **options)
    np.testing.assert_allclose(compiled.atoms.positions, whole.atoms.positions, rtol=0, atol=1e-14)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


class Interrupts:
    """A monitor that stops the program, as Ctrl-C does, at one of its looks."""

    reason, every = "interrupt", 7

    def __init__(self, step):
        self.step = step

    def check(self, step, atoms, results):
        if step == self.step:
            raise KeyboardInterrupt


def electrolyte(seed=0):
    """A small box and a potential for it that repels, so that nothing runs away."""
    from electrolyte_ml.potentials import MomentTensorPotential
    from electrolyte_ml.structures import pack

    potential = MomentTensorPotential.random(6, ("H", "C", "O"), cutoff=4.0, seed=seed, scaling=1e-4)
    return pack({"EC": 2}, density=0.9, seed=0), potential


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("ensemble, thermostat", ENSEMBLES)
def test_compiled_steps_resume_to_the_bit(tmp_path, ensemble, thermostat, threads):
    """Whatever a list, a block of noise or a half step leaves behind, in one call or between threads."""
    box, potential = electrolyte()
    options = {"ensemble": ensemble, "thermostat": thermostat, "temperature": 300, "timestep_fs": 0.5}
    options |= {"time_ps": 0.06, "restart_interval_fs": 12, "frame_interval_fs": 5, "log_interval_fs": 2}

    def calculator():
        return potential.calculator(skin=0.1, threads=threads)

    for step in (28, 91):
        with pytest.raises(KeyboardInterrupt):
            run(box, calculator(), monitors=[Interrupts(step)], directory=tmp_path / "killed", **options)
    resumed = run(box, calculator(), monitors=[Interrupts(-1)], directory=tmp_path / "killed", **options)
    whole = run(box, calculator(), monitors=[Interrupts(-1)], directory=tmp_path / "whole", **options)
    assert whole.completed
    np.testing.assert_array_equal(resumed.atoms.positions, whole.atoms.positions)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_anisotropic_compiled_steps_resume_to_the_bit(tmp_path):
    """Through neighbour lists that end because lengths have changed by different factors."""
    box, potential = electrolyte()
    options = {"anisotropic": True, "temperature": 300, "temperature_end": 350, "timestep_fs": 0.5, "time_ps": 0.06}
    options |= {"restart_interval_fs": 12, "frame_interval_fs": 5, "log_interval_fs": 2, "pdamp_fs": 20}

    def calculator():
        return potential.calculator(skin=0.1, threads=1)

    for step in (28, 91):
        with pytest.raises(KeyboardInterrupt):
            run(box, calculator(), monitors=[Interrupts(step)], directory=tmp_path / "killed", **options)
    resumed = run(box, calculator(), monitors=[Interrupts(-1)], directory=tmp_path / "killed", **options)
    whole = run(box, calculator(), monitors=[Interrupts(-1)], directory=tmp_path / "whole", **options)
    np.testing.assert_array_equal(resumed.atoms.positions, whole.atoms.positions)
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_steps_in_one_call_are_those_of_the_ase_calculator(threads):
    """The same equations: trajectories that differ by rounding alone until chaos takes over."""
    box, potential = electrolyte()

    class Wrapped:
        implemented_properties = ("energy", "forces", "stress")

        def __init__(self):
            self.calculator = potential.calculator(threads=threads)
            self.calculate, self.results = self.calculator.calculate, {}

        @property
        def results(self):
            return self.calculator.results

        @results.setter
        def results(self, values):
            self.calculator.results = values

    cases = [{"ensemble": ensemble, "thermostat": thermostat} for ensemble, thermostat in ENSEMBLES]
    for case in [*cases, {"ensemble": "npt", "anisotropic": True, "pdamp_fs": 50}]:
        options = case | {"temperature": 300, "timestep_fs": 0.5}
        fast, slow = (
            run(box, calculator, time_ps=0.02, log_interval_fs=0.5, **options)
            for calculator in (potential.calculator(threads=threads), Wrapped())
        )
        np.testing.assert_allclose(fast.conserved_energies, slow.conserved_energies, rtol=1e-9)
        np.testing.assert_allclose(fast.atoms.positions, slow.atoms.positions, atol=1e-8)
        np.testing.assert_allclose(fast.pressures, slow.pressures, rtol=1e-7)


@pytest.mark.nojit
@pytest.mark.parametrize("threads", [1, 2])
def test_a_collision_names_the_atoms_and_the_time(threads):
    """Two argon atoms on the way to each other, and no force between them."""
    from electrolyte_ml.potentials import MomentTensorPotential

    potential = MomentTensorPotential.random(2, ("Ar",), cutoff=4.0)
    potential = potential.with_parameters(np.zeros(potential.n_parameters))
    atoms = Atoms("Ar3", [[0, 0, 0], [5, 5, 5], [8, 5, 5]], cell=[12] * 3, pbc=True)
    velocity = 0.01 / units.fs  # Å
    atoms.set_velocities([[0, 0, 0], [velocity, 0, 0], [-velocity, 0, 0]])
    result = run(atoms, potential.calculator(threads=threads), ensemble="nve", time_ps=1, timestep_fs=1)
    assert result.reason == "calculator"
    assert result.detail == "atoms 2 and 3 overlap: 0.280 Å apart, after 0.135 ps"


def test_a_run_that_explodes_ends_in_one_line():
    box, potential = electrolyte()
    wild = potential.with_parameters(1e3 * potential.parameters)
    result = run(box, wild, ensemble="nve", temperature=300, timestep_fs=5, time_ps=1)
    assert result.reason in ("nan", "calculator") and "\n" not in result.detail
    assert "atom" in result.detail and result.detail.endswith(f"after {result.steps * 0.005:g} ps")
