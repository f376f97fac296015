"""Parallel maps over single-threaded worker processes, which end with the program, with a progress line.

Workers are new interpreters (loky): functions of a notebook or of a script without a ``__main__`` guard can be sent to
them. An idle worker is kept for a minute, so that a loop of short maps starts the workers once. With an executor in use
(`executors`) its workers take the items, wherever they run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import shutil
import tempfile
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from electrolyte_ml.errors import ElectrolyteError, InputError, first_line
from electrolyte_ml.executors import LOCAL, VARIABLE, current_executor, use_executor
from electrolyte_ml.processes import ONE_THREAD, add_mark, end_marked, kill_group
from electrolyte_ml.progress import progress_bar

Item = TypeVar("Item")
Result = TypeVar("Result")

_IDLE_SECONDS = 60.0  # an idle worker then ends and frees its memory
_WATCH_SECONDS = 0.25
_NAMED = 10  # lost items whose numbers are in the message
_SHARED_MEMORY = "/dev/shm"  # where workers' semaphores are made; errors about them name no file


def resolve_jobs(jobs: int | None) -> int:
    """Return the number of workers for `jobs`; ``None`` means one per core that this process may use.

    Raises
    ------
    InputError
        If `jobs` is not a positive whole number.
    """
    if jobs is None:
        from loky import cpu_count

        return int(cpu_count())
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"jobs must be a positive whole number, not {jobs!r}")
    return jobs


@contextmanager
def pool(jobs: int | None = None) -> Iterator[Executor]:
    """Provide an executor of `jobs` single-threaded worker processes while the context lasts.

    The workers are kept for the next `pool` of the same size. They are killed, with all programs that they started,
    when an exception (an interrupt too) leaves the block and when this process ends or is killed.

    Parameters
    ----------
    jobs
        Number of workers; ``None`` for one per core.

    Raises
    ------
    InputError
        If `jobs` is not a positive whole number.
    ElectrolyteError
        If a worker died (killed for memory, crashed in compiled code).
    """
    from loky import get_reusable_executor

    # A worker that ends when idle, or when it has grown, is replaced; what it computed is kept.
    warnings.filterwarnings("ignore", "A worker (stopped|was restarted) while some jobs", UserWarning, "loky")
    try:
        executor = get_reusable_executor(
            max_workers=resolve_jobs(jobs),
            timeout=_IDLE_SECONDS,
            initializer=_start_worker,
            initargs=(os.getpid(), _mark(), _scratch().name),
            env={**ONE_THREAD, VARIABLE: LOCAL},  # a worker computes nested maps itself
        )
    except OSError as error:
        cause = f"{error.filename or _SHARED_MEMORY}: {error.strerror or error}"
        raise ElectrolyteError(f"no worker processes can be started: {cause}; one job needs none") from error
    try:
        yield executor
    except BrokenExecutor as error:
        _end_workers(executor)
        raise ElectrolyteError(
            f"a worker process died ({first_line(error)}); if memory ran out, use fewer jobs"
        ) from error
    except BaseException:
        _end_workers(executor)
        raise


@functools.cache
def _mark() -> str:
    """Return the mark of all programs that workers of this process start, see `processes`."""
    return uuid.uuid4().hex


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of the workers' temporary files, which a killed worker cannot remove itself."""
    return tempfile.TemporaryDirectory(prefix="electrolyte-ml-")


def _end_workers(executor: Any) -> None:
    """Kill the workers and all programs that they have started, and remove their temporary files."""
    workers = list(executor._processes or ())
    executor.shutdown(wait=True, kill_workers=True)
    for pid in workers:
        kill_group(pid)
    end_marked(_mark())
    for path in Path(_scratch().name).iterdir():
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.unlink()


def map_progress(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int | None = 1,
    description: str | None = None,
    *,
    weights: Sequence[float] | None = None,
    on_result: Callable[[int, Result], None] | None = None,
    progress: bool = True,
) -> list[Result]:
    """Apply `function` to every item, `jobs` at a time or by the executor in use, with one progress line.

    Parameters
    ----------
    function
        A function of one item; lambdas and functions of a notebook work, too.
    items
        Arguments of the calls.
    jobs
        Number of processes: 1 computes in this process, ``None`` takes one per core. It has no effect where
        `use_executor` or the environment names an executor.
    description
        Name of the work in the progress line.
    weights
        Expected relative cost of each item, for the estimate of the remaining time; the most expensive items are
        started first.
    on_result
        Function called in this process with index and result of each item, in order of completion.
    progress
        Whether to show the progress line (on standard error).

    Returns
    -------
    list
        The results, in the order of `items`.

    Raises
    ------
    Exception
        The first exception of `function` (or of `on_result`), with the worker's traceback as its cause; items
        still running are stopped.
    ElectrolyteError
        If a worker process died, or an executor lost items. The other items are then completed first, and the message
        gives the numbers of those that were lost, from 1.
    """
    jobs = min(resolve_jobs(jobs), max(1, len(items)))
    cost = [1.0] * len(items) if weights is None else [float(weight) for weight in weights]
    if len(cost) != len(items):
        raise InputError(f"{len(cost)} weights for {len(items)} items")
    order = sorted(range(len(items)), key=lambda index: -cost[index])
    results: list[Any] = [None] * len(items)
    # `closing` ends the workers at once after an exception; the garbage collector might do so later.
    with (
        _ProgressLine(description, len(items), sum(cost), progress) as line,
        closing(_completed(function, items, order, jobs, description or "calls")) as completed,
    ):
        for index, result in completed:
            results[index] = result
            if on_result is not None:
                on_result(index, result)
            line.advance(cost[index])
    return results


def _completed(
    function: Callable[[Item], Result], items: Sequence[Item], order: Sequence[int], jobs: int, description: str
) -> Generator[tuple[int, Result], None, None]:
    """Yield index and result of every item in order of completion."""
    if (executor := current_executor()) is not None:
        yield from _completed_by(executor, function, items, order, description)
        return
    if jobs == 1:
        for index in order:
            yield index, function(items[index])
        return
    with pool(jobs) as executor:
        index_of = {executor.submit(function, items[index]): index for index in order}
        for future in as_completed(index_of):
            yield index_of[future], future.result()


def _completed_by(
    executor: Executor,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    order: Sequence[int],
    description: str,
) -> Generator[tuple[int, Result], None, None]:
    """Yield index and result of every item that an executor computes, and raise an error for those that it lost."""
    import cloudpickle

    code, folder = cloudpickle.dumps(function), os.getcwd()
    index_of: dict[Future[bytes], int] = {}
    lost: dict[int, Exception] = {}
    try:
        for index in order:
            item = cloudpickle.dumps(items[index])
            try:
                index_of[executor.submit(_compute, code, item, folder)] = index
            except (BrokenExecutor, RuntimeError) as error:  # all its workers have died, or it was shut down
                lost[index] = error
        for future in as_completed(index_of):
            try:
                outcome = future.result()
            except Exception as error:  # of the executor: an error of the function itself is an outcome
                lost[index_of[future]] = error
                continue
            result, failure, trace = pickle.loads(outcome)
            if failure is not None:
                raise failure from _WorkerTraceback(trace)
            yield index_of[future], result
    except BaseException:
        for future in index_of:
            with contextlib.suppress(NotImplementedError):  # futures of parsl cannot be cancelled
                future.cancel()
        raise
    if lost:
        numbers = ", ".join(str(index + 1) for index in sorted(lost)[:_NAMED]) + ", …" * (len(lost) > _NAMED)
        reason = next(iter(lost.values()))
        raise ElectrolyteError(
            f"{description}: {type(executor).__name__} lost {len(lost)} of {len(items)} (number {numbers}): "
            f"{type(reason).__name__}: {first_line(reason)}; what was completed is kept, call again to continue"
        ) from reason


def _compute(function: bytes, item: bytes, folder: str) -> bytes:
    """Compute an item in a worker of an executor, in the caller's folder; return result, or error and traceback."""
    import cloudpickle

    os.chdir(folder)
    outcome: tuple[Any, Exception | None, str]
    try:
        with use_executor(LOCAL):
            outcome = pickle.loads(function)(pickle.loads(item)), None, ""
    except Exception as error:
        outcome = None, error, traceback.format_exc()
    return cloudpickle.dumps(outcome)


class _WorkerTraceback(Exception):
    """Traceback of a worker, as the cause of an error that was carried back."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _ProgressLine:
    """Progress line of tqdm: bar and remaining time follow the cost, the text counts items."""

    def __init__(self, description: str | None, count: int, total_cost: float, shown: bool) -> None:
        self.count = count
        self.done = 0
        self.bar = progress_bar(
            total=total_cost,
            desc=description,
            shown=shown,
            weighted=True,
            # Use the mean rate since the start: a moving average jumps with every large or small item.
            smoothing=0.0,
            postfix=f"0/{count}",
        )

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def advance(self, cost: float) -> None:
        self.done += 1
        self.bar.set_postfix_str(f"{self.done}/{self.count}", refresh=False)
        # By rounding, the sum of the costs may exceed the total; tqdm would then warn.
        self.bar.update(min(cost, self.bar.total - self.bar.n))


def _start_worker(parent: int, mark: str, scratch: str) -> None:
    """Initialise a worker: put it into a process group of its own, and make it end with its parent.

    In its own group a worker does not receive Ctrl-C, which the parent handles, and can be killed together with the
    programs that it started. Linux's signal of a parent's death (PR_SET_PDEATHSIG) cannot be used: it is sent when the
    thread ends that started the worker, which in a notebook may be long before the program ends.
    """
    os.setpgid(0, 0)
    add_mark(mark)
    os.makedirs(scratch, exist_ok=True)  # a clean-up of temporary folders may have removed it
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Wait until the parent process has ended, then kill this process group.

    The whole group is killed at once: if only the program of a label were killed, the label would be stored as failed.
    """
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    kill_group(os.getpgid(0))
