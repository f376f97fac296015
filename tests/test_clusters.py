"""Batch jobs and dask: the bits of local processes, workers and jobs that are killed, and the settings of a cluster."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones

from electrolyte_ml import clusters
from electrolyte_ml.active_learning import ActiveLearningSettings, active_learn
from electrolyte_ml.active_learning.sections import (
    ExplorationSettings,
    FitSettings,
    GradeSettings,
    SeedingSettings,
    StoppingSettings,
)
from electrolyte_ml.clusters import ClusterSettings, cluster_settings, dask_workers, environment_lines, parsl_workers
from electrolyte_ml.errors import ElectrolyteError, InputError
from electrolyte_ml.executors import use_executor
from electrolyte_ml.parallel import map_progress
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.reference import LabelStore, get
from electrolyte_ml.reference.labels import label_hash
from electrolyte_ml.structures import write_configurations

PARSL = pytest.mark.skipif(find_spec("parsl") is None, reason="parsl is not installed: extra cluster")
DASK = pytest.mark.skipif(find_spec("distributed") is None, reason="dask is not installed: extra cluster")
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
ABSENT = [name for name in PROGRAMS if shutil.which(name) is None]
SLURM = pytest.mark.skipif(
    bool(ABSENT) or os.geteuid() != 0, reason=f"SLURM cannot be started here: {', '.join(ABSENT) or 'needs root'}"
)
ARGON = {"sigma": 3.4, "epsilon": 0.0104, "rc": 8.0}


def argon(seed):
    atoms = bulk("Ar", "fcc", a=5.5, cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=seed)
    return atoms


@pytest.fixture
def quick_signs_of_life(monkeypatch):
    """Notice lost workers within seconds."""
    monkeypatch.setattr(clusters, "_HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr(clusters, "_LOST_SECONDS", 5)


def parsl_here():
    """Two worker processes in a job of parsl on this machine."""
    from parsl.providers import LocalProvider

    settings = cluster_settings()
    provider = LocalProvider(init_blocks=1, max_blocks=1, worker_init=environment_lines(settings))
    return parsl_workers(provider, settings)


# -- the same bits ----------------------------------------------------------------------------------------------------


def learn(folder):
    """One iteration of active learning of liquid argon; return the files of its results."""
    write_configurations(folder.parent / "argon.xyz", [argon(1)])
    settings = ActiveLearningSettings(
        start=str(folder.parent / "argon.xyz"),
        model=ModelSpec(level=4, cutoff=6.0, radial_basis_size=4, min_distance=2.5),
        seeding=SeedingSettings(temperature=100.0, time_ps=0.2, timestep_fs=10.0, configurations=10, trajectories=2),
        exploration=ExplorationSettings(
            trajectories=3, time_ps=1.0, timestep_fs=5.0, temperature=120.0, watch_molecules=False
        ),
        grades=GradeSettings(interval_fs=20.0),
        fit=FitSettings(iterations=40, refit_iterations=20),
        stopping=StoppingSettings(max_iterations=1),
        jobs=2,
    )
    result = active_learn(folder, settings, reference=get("lj", **ARGON), progress=False)
    assert result.status[1].selected > 0
    labels = {path.name: path.read_bytes() for path in (folder / "labels").rglob("*.json")}
    return labels | {name: (folder / name).read_bytes() for name in ("potential.mtp", "training_set.xyz")}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """Results of an iteration by two processes of this machine."""
    return learn(tmp_path_factory.mktemp("local") / "run")


@pytest.mark.slow
@pytest.mark.parametrize("start", [pytest.param(parsl_here, marks=PARSL), pytest.param(clusters.dask, marks=DASK)])
def test_an_iteration_of_active_learning_has_the_bits_of_local_processes(start, learnt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with start() as executor, use_executor(executor):
        assert learn(tmp_path / "run") == learnt


# -- killed workers ---------------------------------------------------------------------------------------------------


def slow_reference(store, notes, seconds):
    """A reference of argon that takes time, and notes its process and the labels that are computed again."""
    reference = get("lj", **ARGON)
    compute = reference._compute

    def watched(atoms, safer):
        name = label_hash(atoms, reference)
        if store.get(atoms, reference) is not None:
            (notes / f"twice-{name}").touch()
        (notes / f"running-{os.getpid()}").touch()
        time.sleep(seconds)
        return compute(atoms, safer)

    reference._compute = watched
    return reference


def in_background(work):
    """Run a function in a thread until the block ends; raise its error there."""
    errors = []

    def run():
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def finish():
        thread.join(300)
        assert not thread.is_alive()
        if errors:
            raise errors[0]

    return finish


@pytest.mark.slow
@pytest.mark.usefixtures("quick_signs_of_life")
@pytest.mark.parametrize("start", [pytest.param(parsl_here, marks=PARSL), pytest.param(clusters.dask, marks=DASK)])
def test_killed_workers_lose_nothing_and_repeat_nothing_finished(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kills, rng, killed = 20, random.Random(20), []
    (tmp_path / "cluster.toml").write_text(f"retries = {kills}\n")
    store = LabelStore("labels")
    (tmp_path / "notes").mkdir()
    reference = slow_reference(store, tmp_path / "notes", 0.5)

    def kill():
        kept = set()
        while len(killed) < kills:
            time.sleep(rng.uniform(0.0, 2.0))  # up to four labels
            running = [int(path.name[8:]) for path in (tmp_path / "notes").glob("running-*")]
            if running := [pid for pid in running if pid not in killed and Path(f"/proc/{pid}").exists()]:
                killed.append(rng.choice(running))
                os.kill(killed[-1], signal.SIGKILL)
            labels = {path.name for path in (tmp_path / "labels").rglob("*.json")}
            assert kept <= labels
            kept = labels

    configurations, labelled = [argon(seed) for seed in range(20)], []
    with start() as executor, use_executor(executor):
        finish = in_background(kill)
        while len(killed) < kills:  # more configurations until all kills are done
            labelled += store.label_all(configurations, reference, progress=False).complete("argon")
            configurations = [argon(len(labelled) + seed) for seed in range(20)]
        finish()
    assert not list((tmp_path / "notes").glob("twice-*"))
    for atoms in labelled:
        energy = atoms.get_potential_energy()
        atoms.calc = LennardJones(**ARGON)
        assert energy == atoms.get_potential_energy()


@pytest.mark.usefixtures("quick_signs_of_life")
@DASK
def test_items_are_given_up_when_dask_has_no_worker_left():
    from dask.distributed import Client, LocalCluster

    def slow(item):
        time.sleep(0.2)
        return item

    done = []

    def stop_workers(index, _):
        done.append(index)
        cluster.scale(0)

    settings = ClusterSettings(worker_timeout=0.05)
    here = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with (
        LocalCluster(**here) as cluster,
        Client(cluster) as client,
        dask_workers(client, settings) as executor,
        use_executor(executor),
    ):
        with pytest.raises(ElectrolyteError, match=r"dask had no worker for 0.05 min \(worker_timeout in cl") as caught:
            map_progress(slow, range(100), on_result=stop_workers, progress=False)
        assert f"lost {100 - len(done)} of 100" in str(caught.value)
        cluster.scale(1)
        assert map_progress(slow, [1, 2], progress=False) == [1, 2]


# -- SLURM ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slurm_folder(tmp_path_factory):
    """Files of a SLURM of one node, this machine, which runs while the module's tests do."""
    folder = tmp_path_factory.mktemp("slurm")
    script = Path(__file__).parent / "slurm" / "start.sh"
    started = subprocess.run([script, folder], capture_output=True, text=True)
    try:
        assert started.returncode == 0, started.stderr
        yield folder
    finally:
        for daemon in ("slurmctld", "slurmd", "munge"):
            stop(folder, daemon)


def stop(folder, daemon):
    """End a daemon, and wait until it has ended."""
    path = folder / f"{daemon}.pid"
    if path.exists():
        pid = int(path.read_text())
        os.kill(pid, signal.SIGTERM)
        while Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            time.sleep(0.05)
        path.unlink(missing_ok=True)


@pytest.fixture
def slurm(slurm_folder, tmp_path, monkeypatch):
    """A current folder with settings for the SLURM of this machine."""
    monkeypatch.setenv("SLURM_CONF", str(slurm_folder / "slurm.conf"))
    monkeypatch.chdir(tmp_path)
    cores = os.cpu_count()
    (tmp_path / "cluster.toml").write_text(f'cores_per_node = {cores}\nwalltime = "00:10:00"\npartition = "main"\n')
    yield slurm_folder
    assert jobs_of_slurm() == []  # none is left behind


def jobs_of_slurm():
    listing = ["squeue", "--noheader", "--format=%i", "--states=RUNNING,PENDING"]
    return subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
@SLURM
@PARSL
@pytest.mark.usefixtures("slurm", "quick_signs_of_life")
def test_slurm_runs_labels_and_trajectories(learnt, tmp_path):
    with use_executor("slurm"):
        assert learn(tmp_path / "run") == learnt
        assert "SLURM_JOB_ID" in map_progress(lambda _: dict(os.environ), [0], progress=False)[0]


@pytest.mark.slow
@SLURM
@PARSL
@pytest.mark.skipif(shutil.which("qsub") is None, reason="SLURM's commands of PBS are not installed: slurm-wlm-torque")
@pytest.mark.usefixtures("slurm", "quick_signs_of_life")
def test_pbs_runs_labels(tmp_path, monkeypatch):
    """By the commands of PBS that SLURM has, and a ``qstat`` that answers in JSON as that of PBS does."""
    monkeypatch.setenv("PATH", f"{Path(__file__).parent / 'slurm'}:{os.environ['PATH']}")
    with use_executor("pbs"):
        result = LabelStore("labels").label_all([argon(seed) for seed in range(4)], get("lj", **ARGON), progress=False)
        assert len(result.complete("argon")) == 4
        assert "SLURM_JOB_ID" in map_progress(lambda _: dict(os.environ), [0], progress=False)[0]


@pytest.mark.slow
@SLURM
@PARSL
@pytest.mark.usefixtures("quick_signs_of_life")
def test_cancelled_jobs_and_a_restarted_daemon_cost_only_unfinished_labels(slurm, tmp_path):
    store = LabelStore("labels")
    (tmp_path / "notes").mkdir()
    reference = slow_reference(store, tmp_path / "notes", 1.0)

    def wait_for(count):
        while len(list((tmp_path / "labels").rglob("*.json"))) < count:
            time.sleep(0.1)

    def disturb():
        wait_for(3)
        (job,) = jobs_of_slurm()
        subprocess.run(["scancel", job], check=True)
        wait_for(8)
        stop(slurm, "slurmctld")
        wait_for(12)
        subprocess.run(["slurmctld"], check=True)

    finish = in_background(disturb)
    with use_executor("slurm"):
        labelled = store.label_all([argon(seed) for seed in range(24)], reference, progress=False).complete("argon")
    finish()
    assert len(labelled) == 24
    assert not list((tmp_path / "notes").glob("twice-*"))


# -- settings ---------------------------------------------------------------------------------------------------------


def test_settings_come_from_a_file_here_or_one_that_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(clusters.VARIABLE, raising=False)
    assert cluster_settings() == ClusterSettings()
    (tmp_path / "cluster.toml").write_text('nodes = 4\nworker_init = ["module load cp2k"]\n')
    assert cluster_settings() == ClusterSettings(nodes=4, worker_init=("module load cp2k",))
    monkeypatch.setenv(clusters.VARIABLE, "big.toml")
    with pytest.raises(InputError, match=r"ELECTROLYTE_ML_CLUSTER = big.toml: there is no such file"):
        cluster_settings()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("node = 4", "cluster.toml: unknown key 'node'; did you mean 'nodes'"),
        ("nodes = 0", "cluster.toml: nodes = 0"),
        ('walltime = "2 h"', "cluster.toml: walltime = '2 h'"),
    ],
)
def test_wrong_settings_are_named(line, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cluster.toml").write_text(line)
    with pytest.raises(InputError, match=message):
        cluster_settings()


def test_the_environment_of_workers_is_that_of_this_python(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/a folder/here")
    lines = environment_lines(ClusterSettings(worker_init=("export CP2K=1",)))
    script = f'{lines}\ncommand -v {Path(sys.executable).name}; echo "$PYTHONPATH $OMP_NUM_THREADS $CP2K"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert done.stdout.splitlines() == [sys.executable, "/a folder/here 1 1"]


@PARSL
def test_what_pbs_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(clusters, "parsl_workers", lambda provider, settings: seen.append(provider))
    with pytest.raises(InputError, match="PBS needs cores_per_node"):
        clusters.pbs()
    (tmp_path / "cluster.toml").write_text(
        'cores_per_node = 32\nmemory_per_node = 64\npartition = "short"\nnodes = 3\n'
    )
    clusters.pbs()
    (provider,) = seen
    assert (provider.queue, provider.cpus_per_node, provider.max_blocks) == ("short", 32, 3)
    assert provider.select_options == ":mem=64gb"


@pytest.mark.parametrize(("name", "package"), [("slurm", "parsl"), ("pbs", "parsl"), ("dask", r"dask\[distributed\]")])
def test_without_its_package_an_executor_says_what_to_install(name, package, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=rf"{package} is not installed: pip install"), use_executor(name):
        map_progress(abs, [1], progress=False)
