"""Labels by an array of batch jobs: what the scripts do, and what is collected."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ase.build import bulk

from electrolyte_ml.cli import main
from electrolyte_ml.errors import InputError
from electrolyte_ml.reference import LabelStore, collect_label_jobs, get, label_file, write_label_jobs
from electrolyte_ml.reference.labels import label_hash
from electrolyte_ml.structures import read_configurations, write_configurations

SETTINGS = {"sigma": 3.4, "epsilon": 0.0104, "rc": 8.0, "smooth": True}


@pytest.fixture
def argon(tmp_path, monkeypatch):
    """Seven configurations, of which the last equals the first, in a file of the current folder."""
    monkeypatch.chdir(tmp_path)
    configurations = []
    for seed in range(6):
        atoms = bulk("Ar", "fcc", a=5.5, cubic=True) * (2, 2, 2)
        atoms.rattle(0.1, seed=seed)
        configurations.append(atoms)
    write_configurations("argon.xyz", [*configurations, configurations[0]])
    return "argon.xyz"


def run_job(folder, number, script="slurm.sh"):
    """Run a job as its scheduler would; PBS numbers the jobs of an array, and no others (`number` = None)."""
    numbers = {} if number is None else {"SLURM_ARRAY_TASK_ID": str(number), "PBS_ARRAY_INDEX": str(number)}
    environment = os.environ | numbers | {"PBS_O_WORKDIR": os.path.abspath(folder)}
    where = folder if script == "slurm.sh" else "/"  # PBS begins in the home folder
    command = ["bash", os.path.abspath(os.path.join(folder, script))]
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_collected_labels_are_those_of_one_call_and_missing_ones_are_named(argon):
    array = write_label_jobs(argon, "array", "lj", chunk=2, settings=SETTINGS)
    assert (array.labels, array.jobs) == (6, 3)
    assert str(array) == "6 labels in 3 jobs: cd array && sbatch slurm.sh (or qsub pbs.sh)"
    assert str(replace(array, labels=1, jobs=1)).startswith("1 label in 1 job: ")
    run_job("array", 1)
    run_job("array", 3, "pbs.sh")
    output, result = collect_label_jobs(argon, "array")
    assert (result.computed, result.reused) == (4, 1)
    assert [(failure.index, failure.reason) for failure in result.failed] == [
        (2, "there is no label yet (job 0002)"),
        (3, "there is no label yet (job 0002)"),
    ]
    assert len(read_configurations(output, labelled=True)) == 5
    run_job("array", 2)
    run_job("array", 1)  # given again, it computes nothing
    output, result = collect_label_jobs(argon, "array")
    assert (result.computed, result.reused, result.failed) == (2, 5, [])
    collected = output.read_bytes()
    direct, again = label_file(argon, "direct.extxyz", "lj", store="others", settings=SETTINGS, progress=False)
    assert again.computed == 6
    assert direct.read_bytes() == collected


@pytest.mark.slow
def test_a_single_job_of_pbs_has_no_number_and_a_job_of_an_array_needs_one(argon):
    write_label_jobs(argon, "single", "lj", chunk=6, settings=SETTINGS)
    run_job("single", None, "pbs.sh")
    assert collect_label_jobs(argon, "single")[1].failed == []
    write_label_jobs(argon, "array", "lj", store="others", chunk=3, settings=SETTINGS)
    with pytest.raises(AssertionError, match="PBS_ARRAY_INDEX: PBS gave this job no number"):
        run_job("array", None, "pbs.sh")


@pytest.mark.slow
def test_failures_are_collected_with_their_reason(argon):
    write_label_jobs(argon, "array", "command:false {input}.extxyz {output}.extxyz", chunk=6)
    with pytest.raises(AssertionError, match="configuration 1"):  # the job's exit code tells it, too
        run_job("array", 1)
    _, result = collect_label_jobs(argon, "array")
    assert len(result.failed) == 7
    assert "false failed with exit status 1" in result.failed[0].reason


def test_only_labels_that_the_store_lacks_become_jobs(argon):
    reference, configurations = get("lj", **SETTINGS), read_configurations(argon)
    LabelStore("labels").label_all(configurations[:3], reference, progress=False)
    assert write_label_jobs(argon, "array", "lj", chunk=2, settings=SETTINGS).labels == 3
    written = read_configurations("array/0001/configurations.extxyz")
    assert [label_hash(a, reference) for a in written] == [label_hash(a, reference) for a in configurations[3:5]]
    LabelStore("labels").label_all(configurations, reference, progress=False)
    with pytest.raises(InputError, match=r"argon.xyz: every label is in labels already"):
        write_label_jobs(argon, "again", "lj", settings=SETTINGS)
    assert not os.path.exists("again")


def test_scripts_ask_for_what_the_settings_of_the_cluster_say(argon, tmp_path):
    lines = ["walltime = '02:00:00'", "partition = 'long'", "account = 'chem'", "memory_per_node = 8"]
    lines += ["cores_per_worker = 4", "worker_init = 'module load cp2k'", "scheduler_options = '#SBATCH --qos=low'"]
    (tmp_path / "cluster.toml").write_text("\n".join(lines))
    write_label_jobs(argon, "array", "lj", jobs=2, chunk=10)
    slurm, pbs = ((tmp_path / "array" / name).read_text().splitlines() for name in ("slurm.sh", "pbs.sh"))
    for line in (
        "array=1-1",
        "cpus-per-task=8",
        "time=02:00:00",
        "partition=long",
        "account=chem",
        "mem=8G",
        "qos=low",
    ):
        assert f"#SBATCH --{line}" in slurm
    for line in ("-l select=1:ncpus=8:mem=8gb", "-l walltime=02:00:00", "-q long", "-A chem"):
        assert f"#PBS {line}" in pbs
    assert not any("-J" in line for line in pbs)  # PBS has no array of one job
    assert "module load cp2k" in slurm and "module load cp2k" in pbs


def test_a_program_beside_the_user_is_named_by_its_whole_path(argon, tmp_path):
    (tmp_path / "my dft.sh").write_text("#!/bin/sh\n")
    write_label_jobs(argon, "array", "command:sh 'my dft.sh' {input}.extxyz {output}.extxyz")
    assert f"{tmp_path}/my dft.sh" in (tmp_path / "array" / "slurm.sh").read_text()


def test_wrong_calls_are_refused_in_one_line(argon, capsys):
    for words, message in (
        (["--chunk", "3"], "--chunk needs --write-jobs"),
        (["--collect", "absent"], "absent/jobs.json"),
        (["--collect", "array", "--reference", "emt"], "--reference needs a call without --collect"),
        (["--write-jobs", "array", "-o", "x.xyz"], "--output needs a call without --write-jobs"),
        (["--write-jobs", "."], ". exists: collect its labels, or name another folder"),
    ):
        assert main(["label", argon, *words]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("reference", "ljj", r"jobs.json: no reference 'ljj'"),
        ("settings", [1], "jobs.json is damaged: its 'settings' is not an object"),
        ("jobs", {"0a": 1}, "jobs.json is damaged: its 'jobs' are not names of folders"),
    ],
)
def test_a_damaged_record_is_named(argon, key, value, message):
    write_label_jobs(argon, "array", "lj", settings=SETTINGS)
    record = json.loads(Path("array/jobs.json").read_text())
    Path("array/jobs.json").write_text(json.dumps(record | {key: value}))
    with pytest.raises(InputError, match=f"array/{message}"):
        collect_label_jobs(argon, "array")
