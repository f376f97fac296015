"""Threads for compiled functions that release the interpreter's lock."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

ATOMS_PER_THREAD = 128  # at least: with fewer, 0.2 ms of work at level 16, waiting for each other costs more

_pools: dict[int, ThreadPoolExecutor] = {}
_watching: weakref.WeakSet[Team] = weakref.WeakSet()
# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_pools.clear)


@cache
def available() -> int:
    """As many threads as numba would use: all cores, or what NUMBA_NUM_THREADS says (1 in worker processes).

    No more than the cores that a container's quota allows: threads that wait for each other would wait for it.
    """
    from numba import config

    if config.NUMBA_NUM_THREADS == 1:
        return 1
    from loky import cpu_count

    return min(config.NUMBA_NUM_THREADS, cpu_count())


def default_threads(n_atoms: int) -> int:
    """As many threads as share so many atoms: all that are available, but no fewer than 128 atoms to each."""
    return max(1, min(available(), n_atoms // ATOMS_PER_THREAD))


def run(function: Callable[..., Any], calls: Sequence[tuple], threads: int) -> list:
    """Call `function` with each tuple of arguments on at most `threads` threads; results in the order of the calls.

    The caller is one of the threads: it begins at once, and whoever is free takes the next call.
    """
    results: list = [None] * len(calls)
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
    """All threads but the caller's, none of them watching for another's turn."""
    for team in list(_watching):
        team.dismiss()
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads - 1, thread_name_prefix="electrolyte_ml")
    return _pools[threads]


class Team:
    """Threads that follow the turns of a compiled leader, see :mod:`electrolyte_ml.kernels.team`.

    Parameters
    ----------
    threads : int
        With the leader's.

    Attributes
    ----------
    flags : (8 threads,) int64
        New ones whenever the team is assembled.
    """

    def __init__(self, threads: int) -> None:
        from electrolyte_ml.kernels.team import LINE

        self.flags = np.zeros(LINE * threads, np.int64)
        self.threads, self._process = threads, 0

    def assemble(self, follow: Callable[..., None], *arguments: Any) -> None:
        """Have ``follow(thread, *arguments, flags)`` run on each thread but this one; those still at it go on.

        `follow` comes back when the leader leaves, or has let it wait; whoever leaves is not waited for.
        """
        from electrolyte_ml.kernels.team import DETACHED, LINE

        with_us = self._process == os.getpid() and (self.flags[::LINE] < DETACHED).all()
        if self.threads == 1 or with_us:
            return
        pool = _pool(self.threads)
        self.flags, self._process = np.zeros_like(self.flags), os.getpid()
        for thread in range(1, self.threads):
            pool.submit(_follow, follow, thread, arguments, self.flags)
        _watching.add(self)

    def dismiss(self) -> None:
        """Let the others leave."""
        from electrolyte_ml.kernels.team import detach

        detach(self.flags, 0)
        _watching.discard(self)


def _follow(follow: Callable[..., None], thread: int, arguments: tuple, flags: np.ndarray) -> None:
    from electrolyte_ml.kernels.team import detach

    try:
        follow(thread, *arguments, flags)
    finally:
        detach(flags, thread)
