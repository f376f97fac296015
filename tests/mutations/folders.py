"""Files in the folders of runs, read by going on with the run or by reading its results."""

import functools
import shutil
import tempfile
from pathlib import Path

from tests.mutations.files import liquid
from tests.mutations.registry import FORMATS, finite

KEPT = tempfile.TemporaryDirectory(prefix="electrolyte-ml-mutations-")


def in_folder(name, build, file, read, text=True, without=()):
    """Register the format of a file in a folder.

    Parameters
    ----------
    name
        Of the format.
    build
        Makes the folder anew; it is done once for all formats.
    file
        Path in the folder.
    read
        Reads the folder.
    text
        Whether the file is one.
    without
        Paths in the folder that are removed, so that the file is needed.
    """

    def make(path):
        place = path.parent / build.__name__
        shutil.copytree(build(), place)
        for other in without:
            (place / other).unlink()
        path.write_bytes((place / file).read_bytes())
        whole = place.with_name("whole")
        shutil.copytree(place, whole)

        def read_damaged(damaged):
            (place / file).write_bytes(damaged.read_bytes())
            try:
                read(place)
            except (ValueError, OSError) as error:
                assert str(place) in str(error), f"neither file nor folder is named: {error}"
                raise type(error)(f"{damaged}: {error}") from error
            finally:
                shutil.rmtree(place)
                shutil.copytree(whole, place)

        return read_damaged

    FORMATS[name] = (make, text)


# --- molecular dynamics ---------------------------------------------------------------------------------------------


def _dynamics(folder):
    from ase.calculators.lj import LennardJones

    from electrolyte_ml import run_md
    from electrolyte_ml.dynamics import IonRecorder, StressRecorder, Verdict

    class Saving:
        reason, every = "saving", 2

        def check(self, step, atoms, results):
            return Verdict(save=True, grade=1.5)

    atoms = liquid()
    recorders = [IonRecorder(atoms, 1), StressRecorder(1)]
    return run_md(
        atoms, LennardJones(epsilon=1e-5, sigma=0.5, rc=2.0), directory=folder, time_ps=0.004, timestep_fs=0.5,
        ensemble="nvt", temperature=10.0, frame_interval_fs=1.0, relax=0, recorders=recorders, monitors=[Saving()],
        progress=False,
    )  # fmt: skip


@functools.cache
def dynamics():
    folder = Path(KEPT.name) / "dynamics"
    _dynamics(folder)
    return folder


def again(folder):
    result = _dynamics(folder)
    finite(result.atoms.positions, result.energies, result.temperatures, [grade for _, grade, _ in result.saved])
    assert all(step >= 0 and len(atoms) for step, _, atoms in result.saved)
    result.frames()


def ions(folder):
    from electrolyte_ml.trajectories import read_ion_record

    found = read_ion_record(folder)
    finite(found.positions, found.timestep_ps, found.volume, found.masses, found.charges)


def stress(folder):
    from electrolyte_ml.trajectories.stress_record import read_stress_record

    found = read_stress_record(folder)
    finite(found.interval_ps, found.volume)


def opened(folder):
    from electrolyte_ml.trajectories import open_trajectory, read_ions

    found = read_ions(open_trajectory(folder))
    finite(found.positions, found.timestep_ps, found.masses, found.charges)


def temperature(folder):
    """Compare the temperature of a run with the one at which it is analysed."""
    from argparse import Namespace

    from electrolyte_ml.cli.analysis import _check_temperature, _run_records

    _check_temperature(10.0, list(_run_records(Namespace(trajectories=[folder]))))


def last(folder):
    from electrolyte_ml.structures import read_configurations

    finite(read_configurations(folder / "last.xyz")[0].positions)


for _file, _read, _text in [
    ("restart.npz", again, False), ("log.csv", again, True), ("trajectory.trr", again, False),
    ("saved.xyz", again, True), ("ions.json", ions, True), ("ions.trr", ions, False),
    ("pressure.json", stress, True), ("topology.pdb", opened, True), ("result.json", temperature, True),
    ("last.xyz", last, True),
]:  # fmt: skip
    in_folder(f"md_{_file}", dynamics, _file, _read, _text)


# --- active learning ------------------------------------------------------------------------------------------------


@functools.cache
def learning():
    from electrolyte_ml.active_learning import active_learn
    from tests.active_learning.test_loop import argon, change

    home = Path(KEPT.name)
    settings = change(
        argon(home), seeding={"trajectories": 1, "time_ps": 0.1, "configurations": 6},
        exploration={"trajectories": 1, "time_ps": 0.2}, stopping={"max_iterations": 1},
        fit={"iterations": 10, "refit_iterations": 5},
    )  # fmt: skip
    active_learn(home / "learning", settings, progress=False)
    return home / "learning"


def learn_on(folder):
    from electrolyte_ml.active_learning import active_learn
    from electrolyte_ml.active_learning.page import write_page

    result = active_learn(folder, progress=False)
    finite(result.potential.parameters)
    for row in result.status:
        assert min(row.iteration, row.saved, row.selected, row.failed, row.size) >= 0
        finite(row.energy_rmse, row.force_rmse, row.seconds, row.max_grade or 0.0)
        assert min(row.energy_rmse, row.force_rmse, row.seconds) >= 0
    write_page(folder)


_OPEN = ("iteration_001/status.json", "status.json")
for _file, _without, _text in [
    ("iteration_000/reference.json", (), True), ("iteration_000/settings.toml", (), True),
    ("iteration_000/status.json", (), True), ("iteration_001/active_set.npz", (), False),
    ("iteration_001/potential.mtp", (), True), ("iteration_000/labelled.xyz", (), True),
    ("iteration_001/trajectories.json", _OPEN, True), ("iteration_001/labels.json", _OPEN, True),
    ("iteration_001/fit.json", _OPEN, True),
    ("iteration_000/sampling.json", ("iteration_000/status.json", *_OPEN), True),
    ("iteration_000/fit.json", ("iteration_000/status.json", *_OPEN), True),
    ("iteration_001/saved.xyz", (*_OPEN, "iteration_001/labels.json", "iteration_001/fit.json"), True),
]:  # fmt: skip
    in_folder(f"learn_{_file.replace('/', '_')}", learning, _file, learn_on, _text, _without)


# --- production -----------------------------------------------------------------------------------------------------


@functools.cache
def production():
    from electrolyte_ml.production import ProductionSettings, produce
    from electrolyte_ml.production.settings import EquilibrationSettings, TrajectorySettings

    root = Path(__file__).resolve().parents[2]
    settings = ProductionSettings(
        potential=str(root / "data" / "pc_napf6.pot"), composition="PC=2 NaPF6=1", density=1.2, jobs=1,
        equilibration=EquilibrationSettings(
            annealing=((300.0, 300.0, 0.02),), time_ps=0.06, average_last_ps=0.04, boxes=1
        ),
        trajectories=TrajectorySettings(count=1, time_ps=0.1, settling_ps=0.01, frame_interval_ps=0.01),
    )  # fmt: skip
    home = Path(KEPT.name) / "production"
    produce(home, settings, progress=False)
    return home


def result_of(folder):
    from electrolyte_ml.production import read_production

    _check_production(read_production(folder))


def produce_on(folder):
    from electrolyte_ml.production import produce

    _check_production(produce(folder, progress=False))


def _check_production(found):
    str(found)
    for one in found.conditions.values():
        finite(one.density)
        assert one.density > 0 and not one.density_error < 0
        assert one.trusted is None or 0 <= one.trusted <= 1
        assert 0 <= one.production.completed_ps + one.production.lost_ps < 1.0


in_folder("produce_begun.json", production, "begun.json", produce_on)
in_folder("produce_volume.json", production, "300K/volume.json", result_of)
in_folder("produce_result.json", production, "300K/trajectory_00/result.json", result_of)


# --- arrays of jobs -------------------------------------------------------------------------------------------------


@functools.cache
def jobs():
    """Configurations, and jobs of which one has computed its label."""
    from electrolyte_ml.reference import LabelStore, get, write_label_jobs
    from electrolyte_ml.structures import write_configurations
    from tests.mutations.files import labelled

    home, settings = Path(KEPT.name) / "jobs", {"sigma": 2.5, "epsilon": 0.0104, "rc": 3.0, "smooth": True}
    home.mkdir()
    write_configurations(home / "set.extxyz", labelled())
    write_label_jobs(home / "set.extxyz", home / "array", "lj", store=home / "labels", chunk=1, settings=settings)
    LabelStore(home / "array" / "0001" / "labels").label_all(labelled(1), get("lj", **settings), progress=False)
    return home


def collect(folder):
    from electrolyte_ml.reference import collect_label_jobs

    output, found = collect_label_jobs(
        folder / "set.extxyz", folder / "array", folder / "labelled.extxyz", folder / "labels"
    )
    assert found.computed in (0, 1) and found.computed + len(found.failed) == 3
    assert output.exists() == bool(found.computed)


in_folder("jobs.json", jobs, "array/jobs.json", collect)
