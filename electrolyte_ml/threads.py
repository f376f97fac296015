"""Thread pools for compiled functions that release the interpreter's lock, and the threads of linear algebra."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

ATOMS_PER_THREAD = 128  # minimum: fewer are less than 0.2 ms of work (level 16), and synchronisation costs more

_pools: dict[int, ThreadPoolExecutor] = {}
_watching: weakref.WeakSet[Team] = weakref.WeakSet()
# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_pools.clear)


@cache
def available() -> int:
    """Return the number of threads that numba would use: all cores, or NUMBA_NUM_THREADS (1 in worker processes).

    It is at most the number of cores that a container's quota allows: more threads would stall waiting for each other.
    """
    from numba import config

    if config.NUMBA_NUM_THREADS == 1:
        return 1
    from loky import cpu_count

    return int(min(config.NUMBA_NUM_THREADS, cpu_count()))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Compute the linear algebra of the block, or of a decorated function, on one thread.

    Its results then depend neither on the number of cores nor on the order in which libraries were loaded (xTB sets
    ``OMP_NUM_THREADS``), so that interrupted work is resumed bit for bit. Waiting threads of BLAS would also take the
    cores from those of the kernels: a fit of level 8 on two cores takes two thirds of the time.
    """
    import scipy.linalg  # noqa: F401 - its library would not be limited if it were loaded in the block
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def default_threads(n_atoms: int) -> int:
    """Return the number of threads for `n_atoms` atoms: all available ones, with at least 128 atoms each."""
    return max(1, min(available(), n_atoms // ATOMS_PER_THREAD))


def run(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], threads: int) -> list[Any]:
    """Call `function` with each tuple of arguments on at most `threads` threads, and return the results in order.

    The calling thread is one of them. Calls are assigned dynamically: an idle thread takes the next one.
    """
    if len(calls) == 1:
        return [function(*calls[0])]
    results: list[Any] = [None] * len(calls)
    waiting = iter(range(len(calls)))

    def work() -> None:
        for k in waiting:
            results[k] = function(*calls[k])

    helpers = min(threads, len(calls)) - 1
    others = [_pool(threads).submit(work) for _ in range(helpers)]
    work()
    for other in others:
        other.result()
    return results


def _pool(threads: int) -> ThreadPoolExecutor:
    """Return a pool of all threads but the calling one; teams that occupy its threads are dismissed."""
    for team in list(_watching):
        team.dismiss()
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads - 1, thread_name_prefix="electrolyte_ml")
    return _pools[threads]


class Team:
    """Threads that share the work of a compiled leader, see :mod:`electrolyte_ml.kernels.team`.

    Parameters
    ----------
    threads : int
        Number of threads, including the leader's.

    Attributes
    ----------
    flags : (8 threads,) int64
        Flags for synchronisation, a new array whenever the team is assembled.
    """

    def __init__(self, threads: int) -> None:
        from electrolyte_ml.kernels.team import LINE

        self.flags = np.zeros(LINE * threads, np.int64)
        self.threads, self._process = threads, 0

    def assemble(self, follow: Callable[..., None], *arguments: Any) -> None:
        """Run ``follow(thread, *arguments, flags)`` on each thread but this one, unless all of them still run it.

        `follow` returns when the leader detaches, or after some time without work. Evaluations do not wait for a
        thread that has returned.
        """
        from electrolyte_ml.kernels.team import DETACHED, LINE

        complete = self._process == os.getpid() and (self.flags[::LINE] < DETACHED).all()
        if self.threads == 1 or complete:
            return
        pool = _pool(self.threads)
        self.flags, self._process = np.zeros_like(self.flags), os.getpid()
        for thread in range(1, self.threads):
            pool.submit(_follow, follow, thread, arguments, self.flags)
        _watching.add(self)

    def dismiss(self) -> None:
        """Detach the other threads."""
        from electrolyte_ml.kernels.team import detach

        detach(self.flags, 0)
        _watching.discard(self)


def _follow(follow: Callable[..., None], thread: int, arguments: tuple[Any, ...], flags: np.ndarray) -> None:
    """Run one follower and detach it at the end, also after an error, so that no other thread waits for it."""
    from electrolyte_ml.kernels.team import detach

    try:
        follow(thread, *arguments, flags)
    finally:
        detach(flags, thread)
