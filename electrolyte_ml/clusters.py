"""Executors of clusters: batch jobs of SLURM and PBS, which parsl submits, and the workers of a dask scheduler.

A batch job is one node full of workers. Jobs are submitted when items wait, and end when none is left. An item whose
worker is lost, because its job was cancelled or its time is over, is computed again by another one.
"""

from __future__ import annotations

import math
import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from electrolyte_ml.errors import InputError
from electrolyte_ml.executors import WaitingExecutor
from electrolyte_ml.processes import ONE_THREAD
from electrolyte_ml.settings import Count, Positive, Text, Texts, Whole, read_toml, section

VARIABLE = "ELECTROLYTE_ML_CLUSTER"
SETTINGS = "cluster.toml"
# Run a program that ends with the process that started it, even after a SIGKILL: workers then notice, and end too.
_END_WITH_PARENT = """
(while kill -0 $PPID && kill -0 $$; do sleep 1; done; kill $$) >/dev/null 2>&1 &
exec "$0"
"""
_PROGRAMS = Path(sys.executable).parent
_HEARTBEAT_SECONDS = 10  # between signs of life of a node, and between two looks at dask's workers
_LOST_SECONDS = 60  # without a sign of life, after which its items are computed elsewhere

Walltime = Annotated[str, Field(pattern=r"^\d+:[0-5]\d:[0-5]\d$")]


@section
class ClusterSettings:
    """What to ask a scheduler for.

    Attributes
    ----------
    nodes : int
        Largest number of batch jobs at a time; each takes one node.
    cores_per_node : int or None
        Cores of a node to ask for. By default SLURM gives the whole node; PBS needs the number.
    cores_per_worker : int
        Cores of one item, for references that run on several.
    walltime : str
        Time limit of a job, HH:MM:SS.
    partition : str or None
        Partition of SLURM, queue of PBS.
    account : str or None
        Project that pays for the jobs.
    memory_per_node : int or None
        Memory of a node to ask for, GB.
    scheduler_options : tuple of str
        Further lines of the job script, such as ``"#SBATCH --constraint=zen4"``.
    worker_init : tuple of str
        Shell commands before the workers start, such as ``"module load cp2k"``.
    retries : int
        How often an item is computed again after the loss of its worker. Another scheduler of dask has its own number.
    worker_timeout : float
        Minutes without any worker of dask after which its items are given up.
    logs : str
        Folder of the job scripts and their output, which all nodes must see.
    """

    nodes: Count = 1
    cores_per_node: Count | None = None
    cores_per_worker: Count = 1
    walltime: Walltime = "01:00:00"
    partition: Text | None = None
    account: Text | None = None
    memory_per_node: Count | None = None
    scheduler_options: Texts = ()
    worker_init: Texts = ()
    retries: Whole = 3
    worker_timeout: Positive = 10.0
    logs: Text = "cluster_logs"


def cluster_settings() -> ClusterSettings:
    """Return the settings of ``cluster.toml`` in this folder, or of the file in ``ELECTROLYTE_ML_CLUSTER``.

    Without either the defaults hold.

    Raises
    ------
    InputError
        The file is not as it should be, or does not exist.
    """
    named = os.environ.get(VARIABLE)
    path = Path(named or SETTINGS)
    if not path.exists():
        if named:
            raise InputError(f"{VARIABLE} = {named}: there is no such file")
        return ClusterSettings()
    return read_toml(ClusterSettings, path)


def slurm() -> AbstractContextManager[Executor]:
    """Start an executor whose workers are in jobs of SLURM."""
    _require("parsl")
    from parsl.providers import SlurmProvider

    settings = cluster_settings()
    provider = SlurmProvider(
        **_common(settings),
        partition=settings.partition,
        cores_per_node=settings.cores_per_node,
        mem_per_node=settings.memory_per_node,
        exclusive=settings.cores_per_node is None,
        cmd_timeout=60,  # s, a busy scheduler answers slowly
    )
    return parsl_workers(provider, settings)


def pbs() -> AbstractContextManager[Executor]:
    """Start an executor whose workers are in jobs of PBS.

    Raises
    ------
    InputError
        The number of cores of a node is not set.
    """
    _require("parsl")
    from parsl.providers import PBSProProvider

    settings = cluster_settings()
    if settings.cores_per_node is None:
        raise InputError(f"{SETTINGS}: PBS needs cores_per_node")
    memory = f":mem={settings.memory_per_node}gb" if settings.memory_per_node else ""
    provider = PBSProProvider(
        **_common(settings), queue=settings.partition, cpus_per_node=settings.cores_per_node, select_options=memory
    )
    return parsl_workers(provider, settings)


def _common(settings: ClusterSettings) -> dict[str, Any]:
    return {
        "account": settings.account,
        "init_blocks": 0,
        "max_blocks": settings.nodes,
        "walltime": settings.walltime,
        "scheduler_options": "\n".join(settings.scheduler_options),
        "worker_init": environment_lines(settings),
    }


def environment_lines(settings: ClusterSettings) -> str:
    """Return the shell commands that give workers this Python, one thread, and what the settings add."""
    lines = [f"export PATH={shlex.quote(str(_PROGRAMS))}:$PATH"]
    if inherited := os.environ.get("PYTHONPATH"):
        lines.append(f"export PYTHONPATH={shlex.quote(inherited)}")
    lines += [f"export {name}={value}" for name, value in ONE_THREAD.items()]
    return "\n".join([*lines, *settings.worker_init])


@contextmanager
def parsl_workers(provider: Any, settings: ClusterSettings) -> Iterator[Executor]:
    """Start an executor whose workers are in jobs of any provider of parsl, and cancel the jobs at the end.

    Parameters
    ----------
    provider
        An ``ExecutionProvider`` of parsl.
    settings
        Cores of a worker, number of retries, folder of the logs.
    """
    from parsl import Config, DataFlowKernel
    from parsl.concurrent import ParslPoolExecutor
    from parsl.executors import HighThroughputExecutor
    from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

    workers = HighThroughputExecutor(
        label="workers",
        provider=provider,
        interchange_launch_cmd=["/bin/sh", "-c", _END_WITH_PARENT, str(_PROGRAMS / "interchange.py")],
        cores_per_worker=settings.cores_per_worker,
        heartbeat_period=_HEARTBEAT_SECONDS,
        heartbeat_threshold=_LOST_SECONDS,
    )
    kernel = DataFlowKernel(
        Config(
            executors=[workers],
            retries=settings.retries,
            retry_handler=lambda error, _: 1 if isinstance(error, ManagerLost | WorkerLost) else math.inf,
            run_dir=settings.logs,
            strategy="htex_auto_scale",
            initialize_logging=False,
        )
    )
    try:
        yield ParslPoolExecutor(dfk=kernel)
    finally:
        kernel.cleanup()


@contextmanager
def dask() -> Iterator[Executor]:
    """Connect to the scheduler that dask's configuration names, or start one with a worker per core of this machine.

    The environment variable ``DASK_SCHEDULER_ADDRESS`` names a scheduler.
    """
    _require("distributed")
    import dask
    from dask.distributed import Client, LocalCluster

    from electrolyte_ml.parallel import resolve_jobs

    settings = cluster_settings()
    with ExitStack() as stack:
        if dask.config.get("scheduler-address", None):
            client = stack.enter_context(Client())
        else:
            # By default dask removes a worker that takes more than 15 s to start again, as on a busy machine.
            config = {
                "distributed.deploy.lost-worker-timeout": f"{settings.worker_timeout} minutes",
                "distributed.scheduler.allowed-failures": settings.retries,
            }
            stack.enter_context(dask.config.set(config))
            workers = {"n_workers": resolve_jobs(None), "threads_per_worker": 1, "env": ONE_THREAD}
            local = stack.enter_context(LocalCluster(**workers, dashboard_address=None))
            client = stack.enter_context(Client(local))
        yield stack.enter_context(dask_workers(client, settings))


@contextmanager
def dask_workers(client: Any, settings: ClusterSettings) -> Iterator[Executor]:
    """Start an executor whose workers are those of a client of dask, and give its items up when none is left.

    Parameters
    ----------
    client
        A ``distributed.Client``, which stays open.
    settings
        How long to wait for a worker.
    """
    # A map by `Client.get_executor` did not end after one of its workers had been killed.
    executor = WaitingExecutor(partial(client.submit, pure=False))
    ended = threading.Event()
    threading.Thread(target=_cancel_without_worker, args=(client, settings.worker_timeout, ended), daemon=True).start()
    try:
        yield executor
    finally:
        ended.set()
        executor.shutdown(wait=False, cancel_futures=True)


def _cancel_without_worker(client: Any, minutes: float, ended: threading.Event) -> None:
    """Cancel all calls of a client of dask whenever they have waited so long without any worker."""
    from dask.distributed import Future

    seen = time.monotonic()
    while not ended.wait(_HEARTBEAT_SECONDS):
        waiting = list(client.futures)
        with suppress(OSError):  # without a connection the client itself cancels its calls
            if not waiting or client.nthreads():
                seen = time.monotonic()
        if time.monotonic() - seen > 60 * minutes:
            reason = f"dask had no worker for {minutes:g} min (worker_timeout in {SETTINGS})"
            client.cancel([Future(key, client) for key in waiting], reason=reason)


def _require(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        name = {"distributed": "dask[distributed]"}.get(package, package)
        raise InputError(f"{name} is not installed: pip install '.[cluster]' in the source tree")
