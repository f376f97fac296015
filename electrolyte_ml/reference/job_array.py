"""Labels by an array of batch jobs, without a connection to them: inputs and scripts are written, labels are collected.

The folder of the jobs is complete: it can be copied to the machine that computes, and back. Each job labels its own
part of the configurations into a label store of its own.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from electrolyte_ml.clusters import ClusterSettings, cluster_settings, environment_lines
from electrolyte_ml.commands import located_files
from electrolyte_ml.errors import InputError
from electrolyte_ml.files import atomic_write, read_json
from electrolyte_ml.reference.labels import Failure, LabelResult, LabelStore, label_hash, output_file, write_labelled
from electrolyte_ml.reference.presets import get
from electrolyte_ml.structures import read_configurations, write_configurations

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.reference.base import Reference

RECORD = "jobs.json"
CONFIGURATIONS, STORE = "configurations.extxyz", "labels"  # in the folder of each job


@dataclass(frozen=True)
class JobArray:
    """Jobs that were written: their folder, and the numbers of labels and jobs."""

    directory: Path
    labels: int
    jobs: int

    def __str__(self) -> str:
        count = f"{self.labels} label{'s' * (self.labels != 1)} in {self.jobs} job{'s' * (self.jobs != 1)}"
        return f"{count}: cd {shlex.quote(str(self.directory))} && sbatch slurm.sh (or qsub pbs.sh)"


def write_label_jobs(
    path: str | os.PathLike,
    directory: str | os.PathLike,
    reference: str = "gfn1-xtb",
    jobs: int = 1,
    store: str | os.PathLike = "labels",
    *,
    chunk: int = 20,
    settings: Mapping[str, Any] | None = None,
    species: Sequence[str] | None = None,
    charge_key: str | None = None,
    retry_failed: bool = False,
) -> JobArray:
    """Write inputs and job scripts for the labels that a store lacks: ``slurm.sh`` and ``pbs.sh``, each a job array.

    What to ask the scheduler for stands in ``cluster.toml``, as for the executors of `clusters`.

    Parameters
    ----------
    path
        Configurations (.xyz, .extxyz, .cfg).
    directory
        Folder of the jobs, which must not exist yet.
    reference
        Name or command of the reference; its program is needed only where the jobs run.
    jobs
        Number of labels that a job computes at the same time.
    store
        Folder of the labels that are known.
    chunk
        Number of labels of a job.
    settings, species, charge_key, retry_failed
        As for `label_file`.

    Returns
    -------
    JobArray

    Raises
    ------
    InputError
        A configuration cannot be labelled, nothing is to be labelled, or the folder exists.
    """
    directory = Path(directory)
    if directory.exists():
        raise InputError(f"{directory} exists: collect its labels, or name another folder")
    chosen = get(reference, **(settings or {}))
    configurations = read_configurations(path, species=species, charge_key=charge_key)
    for number, atoms in enumerate(configurations, start=1):
        chosen.check(atoms, f"configuration {number}")
    missing = LabelStore(store, retry_failed=retry_failed).missing(configurations, chosen)
    if not missing:
        raise InputError(f"{path}: every label is in {store} already")
    parts = [missing[begin : begin + chunk] for begin in range(0, len(missing), chunk)]
    job_of: dict[str, str] = {}
    for number, part in enumerate(parts, start=1):
        folder = directory / f"{number:04d}"
        folder.mkdir(parents=True)
        _write_exactly(folder / CONFIGURATIONS, [configurations[index] for index in part], chosen)
        job_of |= {label_hash(configurations[index], chosen): folder.name for index in part}
    words = {
        "reference": located_files(reference, Path.cwd()),
        "settings": located_files(dict(settings or {}), Path.cwd()),
    }
    asked = cluster_settings()
    for name, head in (("slurm.sh", _slurm_head), ("pbs.sh", _pbs_head)):
        atomic_write(directory / name, "\n".join([*head(asked, jobs, len(parts)), *_body(asked, jobs, words)]) + "\n")
    atomic_write(directory / RECORD, json.dumps({**words, "jobs": job_of}, indent=1) + "\n")
    return JobArray(directory, len(missing), len(parts))


def collect_label_jobs(
    path: str | os.PathLike,
    directory: str | os.PathLike,
    output: str | os.PathLike | None = None,
    store: str | os.PathLike = "labels",
    *,
    species: Sequence[str] | None = None,
    charge_key: str | None = None,
) -> tuple[Path, LabelResult]:
    """Take the labels of an array of jobs into a store, and write the configurations that are labelled.

    Nothing is computed. It may be called while jobs run, and again.

    Parameters
    ----------
    path
        The configurations that `write_label_jobs` was given.
    directory
        Folder of the jobs.
    output, store, species, charge_key
        As for `label_file`.

    Returns
    -------
    output : Path
        File with the labelled configurations; it is not written if there are none.
    result : LabelResult
        Its number of computed labels is that of the labels taken; those that are missing count as failed, and their
        reason names the job.

    Raises
    ------
    InputError
        The folder is not that of jobs, or a file cannot be used.
    """
    directory, target = Path(directory), output_file(path, output)
    reference, job_of = _read_record(directory / RECORD)
    configurations = read_configurations(path, species=species, charge_key=charge_key)
    labels = LabelStore(store)
    folders = sorted({directory / name for name in job_of.values()})
    taken = labels.take([LabelStore(folder / STORE) for folder in folders], configurations, reference)
    result = labels.known(configurations, reference, taken)
    failed = [replace(failure, reason=_where(failure, configurations, reference, job_of)) for failure in result.failed]
    write_labelled(target, result)
    return target, replace(result, failed=failed)


def _read_record(path: Path) -> tuple[Reference, dict[str, str]]:
    """Return the reference of an array of jobs, and the folder of each label's job by the name of the label."""
    record = read_json(path)
    name, settings, job_of = record.text("reference"), record.table("settings"), record.table("jobs")
    if not all(isinstance(folder, str) for folder in job_of.values()):
        raise InputError(f"{path} is damaged: its 'jobs' are not names of folders")
    try:
        return get(name, **settings), job_of
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _where(failure: Failure, configurations: Sequence[Atoms], reference: Reference, job_of: Mapping[str, str]) -> str:
    """Return the reason of a failure with the job that was to compute the label."""
    job = job_of.get(label_hash(configurations[failure.index], reference))
    return f"{failure.reason} ({f'job {job}' if job else 'it belongs to no job'})"


def _write_exactly(path: Path, configurations: Sequence[Atoms], reference: Reference) -> None:
    """Write configurations, whose labels must have the same names when they are read again."""
    write_configurations(path, configurations)
    for atoms, again in zip(configurations, read_configurations(path), strict=True):
        if label_hash(atoms, reference) != label_hash(again, reference):
            raise InputError(f"{path} cannot hold all that the label of {atoms.symbols} depends on")


def _slurm_head(asked: ClusterSettings, jobs: int, count: int) -> list[str]:
    options = {
        "job-name": "labels",
        "array": f"1-{count}",
        "output": "%4a/slurm.out",
        "nodes": 1,
        "ntasks": 1,
        "cpus-per-task": jobs * asked.cores_per_worker,
        "time": asked.walltime,
        "partition": asked.partition,
        "account": asked.account,
        "mem": f"{asked.memory_per_node}G" if asked.memory_per_node else None,
    }
    lines = [f"#SBATCH --{name}={value}" for name, value in options.items() if value is not None]
    return ["#!/bin/bash", *lines, *asked.scheduler_options, 'number=$(printf "%04d" "$SLURM_ARRAY_TASK_ID")']


def _pbs_head(asked: ClusterSettings, jobs: int, count: int) -> list[str]:
    memory = f":mem={asked.memory_per_node}gb" if asked.memory_per_node else ""
    lines = ["#PBS -N labels", "#PBS -j oe", f"#PBS -l select=1:ncpus={jobs * asked.cores_per_worker}{memory}"]
    lines += [f"#PBS -l walltime={asked.walltime}"]
    lines += [f"#PBS -J 1-{count}"] * (count > 1)  # PBS has no array of one job
    lines += [f"#PBS -q {asked.partition}"] * (asked.partition is not None)
    lines += [f"#PBS -A {asked.account}"] * (asked.account is not None)
    index = "${PBS_ARRAY_INDEX:?PBS gave this job no number}" if count > 1 else "1"
    number = f'number=$(printf "%04d" "{index}")'
    return ["#!/bin/bash", *lines, *asked.scheduler_options, 'cd "$PBS_O_WORKDIR"', number]


def _body(asked: ClusterSettings, jobs: int, words: Mapping[str, Any]) -> list[str]:
    """Return the commands of a job, which labels its part; given again, it goes on with what is missing."""
    command = ["electrolyte-ml", "label", f"$number/{CONFIGURATIONS}", "--store", f"$number/{STORE}", "-j", str(jobs)]
    command = [f'"{word}"' if "$" in word else word for word in command]
    command += ["--reference", shlex.quote(words["reference"])]
    if words["settings"]:
        command += ["--set", *(shlex.quote(f"{name}={_text(value)}") for name, value in words["settings"].items())]
    return [environment_lines(asked), " ".join(command)]


def _text(value: Any) -> str:
    """Return a setting as ``--set`` reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
