"""Work spread over processes: one thread each, none outliving the program, progress told in honest time.

Workers are fresh interpreters (loky), so that functions of a notebook or of a script without a ``__main__`` guard
can be sent to them, and they stay warm for a minute, so that a loop of short maps pays for them once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import closing, contextmanager
from typing import TypeVar

from electrolyte_ml.errors import ElectrolyteError, InputError, first_line

Item = TypeVar("Item")
Result = TypeVar("Result")

# Processes are the parallelism: threads inside them would only fight over the same cores.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMBA_NUM_THREADS",
    ),
    "1",
)
_IDLE_SECONDS = 60.0  # an unused worker then ends and gives its memory back
_WATCH_SECONDS = 0.25


def resolve_jobs(jobs: int | None) -> int:
    """Return the number of workers meant by `jobs`: ``None`` is one per core that this process may use.

    Raises
    ------
    InputError
        If `jobs` is not a positive whole number.
    """
    if jobs is None:
        from loky import cpu_count

        return cpu_count()
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"jobs must be a positive whole number, not {jobs!r}")
    return jobs


@contextmanager
def pool(jobs: int | None = None) -> Iterator[Executor]:
    """Lend an executor of `jobs` single-threaded worker processes.

    The workers are left warm for the next `pool` of the same size; an exception (an interrupt too) that leaves the
    block kills them with all they had started, and so does the death of this process, however sudden.

    Parameters
    ----------
    jobs
        Number of workers; ``None`` for one per core.

    Raises
    ------
    InputError
        If `jobs` is not a positive whole number.
    ElectrolyteError
        If a worker died of itself (killed for memory, crashed in compiled code).
    """
    from loky import get_reusable_executor

    executor = get_reusable_executor(
        max_workers=resolve_jobs(jobs),
        timeout=_IDLE_SECONDS,
        initializer=_start_worker,
        initargs=(os.getpid(),),
        env=ONE_THREAD,
    )
    try:
        yield executor
    except BrokenExecutor as error:
        executor.shutdown(wait=True, kill_workers=True)
        raise ElectrolyteError(
            f"a worker process died ({first_line(error)}); if memory ran out, use fewer jobs"
        ) from error
    except BaseException:
        executor.shutdown(wait=True, kill_workers=True)
        raise


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
    """Apply `function` to every item, `jobs` at once, under one progress line.

    Parameters
    ----------
    function
        Anything that can be called with one item; lambdas and functions of a notebook may be sent too.
    items
        The inputs.
    jobs
        Number of processes; 1 computes in this one, ``None`` takes one per core.
    description
        What the progress line calls the work.
    weights
        Expected relative cost of each item, so that the remaining time is honest when they differ; the dearest
        are started first.
    on_result
        Called here with index and result as soon as each is there, in order of completion.
    progress
        Show the line (on the standard error).

    Returns
    -------
    list
        The results, in the order of `items`.

    Raises
    ------
    Exception
        The first exception of `function` (or of `on_result`), with the worker's traceback as its cause; what
        was still running is stopped.
    ElectrolyteError
        If a worker process died.
    """
    jobs = min(resolve_jobs(jobs), max(1, len(items)))
    cost = [1.0] * len(items) if weights is None else [float(weight) for weight in weights]
    if len(cost) != len(items):
        raise InputError(f"{len(cost)} weights for {len(items)} items")
    order = sorted(range(len(items)), key=lambda index: -cost[index])
    results: list = [None] * len(items)
    # Closed here and not by the garbage collector: an exception must find no worker still running.
    with (
        _ProgressLine(description, len(items), sum(cost), progress) as line,
        closing(_completed(function, items, order, jobs)) as completed,
    ):
        for index, result in completed:
            results[index] = result
            if on_result is not None:
                on_result(index, result)
            line.advance(cost[index])
    return results


def _completed(
    function: Callable[[Item], Result], items: Sequence[Item], order: Sequence[int], jobs: int
) -> Iterator[tuple[int, Result]]:
    """Yield index and result of every item as each is finished."""
    if jobs == 1:
        for index in order:
            yield index, function(items[index])
        return
    with pool(jobs) as executor:
        index_of = {executor.submit(function, items[index]): index for index in order}
        for future in as_completed(index_of):
            yield index_of[future], future.result()


class _ProgressLine:
    """A tqdm line whose bar and remaining time count cost while its text counts items."""

    def __init__(self, description: str | None, count: int, total_cost: float, shown: bool) -> None:
        from tqdm import tqdm

        self.count = count
        self.done = 0
        self.bar = tqdm(
            total=total_cost,
            desc=description,
            disable=not shown,
            # The mean rate since the start: a moving average would jump with every large or small item.
            smoothing=0.0,
            bar_format="{l_bar}{bar}|{postfix} [{elapsed}<{remaining}]",
            postfix=f"0/{count}",
        )

    def __enter__(self) -> _ProgressLine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def advance(self, cost: float) -> None:
        self.done += 1
        self.bar.set_postfix_str(f"{self.done}/{self.count}", refresh=False)
        # Costs of many sizes add up to their total but for rounding, beyond which tqdm complains.
        self.bar.update(min(cost, self.bar.total - self.bar.n))


def _start_worker(parent: int) -> None:
    """Run first in each worker: leave the terminal's process group, and end with the parent.

    In a group of its own a worker does not see Ctrl-C, which is the parent's to handle, and takes the programs
    that it started with it. Linux could signal a parent's death by itself (PR_SET_PDEATHSIG), but it means the
    thread that started the worker, which in a notebook may end long before the program.
    """
    os.setpgid(0, 0)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os.killpg(0, signal.SIGKILL)
