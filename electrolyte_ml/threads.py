"""Threads for compiled functions that release the interpreter's lock."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

_pools: dict[int, ThreadPoolExecutor] = {}
_watching: weakref.WeakSet[Team] = weakref.WeakSet()
# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_pools.clear)


@cache
def available() -> int:
    """Return the number of threads that numba would use: all cores, or NUMBA_NUM_THREADS (1 in worker processes).

    Never more than the cores that a container's quota allows: threads that wait for one another would stall.
    """
    from numba import config

    if config.NUMBA_NUM_THREADS == 1:
        return 1
    from loky import cpu_count

    return int(min(config.NUMBA_NUM_THREADS, cpu_count()))


def run(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], threads: int) -> list[Any]:
    """Call `function` with each tuple of arguments on at most `threads` threads; results in the order of the calls.

    The caller is one of the threads. Calls are assigned dynamically: an idle thread takes the next one.
    """
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
    words : (8 threads,) int64
        New ones whenever the team is assembled.
    """

    def __init__(self, threads: int) -> None:
        from electrolyte_ml.kernels.team import LINE

        self.words = np.zeros(LINE * threads, np.int64)
        self.threads, self._process = threads, 0

    def assemble(self, follow: Callable[..., None], *arguments: Any) -> None:
        """Have ``follow(thread, *arguments, words)`` run on each thread but this one; those still at it go on.

        `follow` comes back when the leader leaves, or has let it wait; whoever leaves is not waited for.
        """
        from electrolyte_ml.kernels.team import LEAVE, LINE

        with_us = self._process == os.getpid() and (self.words[::LINE] < LEAVE).all()
        if self.threads == 1 or with_us:
            return
        pool = _pool(self.threads)
        self.words, self._process = np.zeros_like(self.words), os.getpid()
        for thread in range(1, self.threads):
            pool.submit(_follow, follow, thread, arguments, self.words)
        _watching.add(self)

    def dismiss(self) -> None:
        """Let the others leave."""
        from electrolyte_ml.kernels.team import leave

        leave(self.words, 0)
        _watching.discard(self)


def _follow(follow: Callable[..., None], thread: int, arguments: tuple[Any, ...], words: np.ndarray) -> None:
    from electrolyte_ml.kernels.team import leave

    try:
        follow(thread, *arguments, words)
    finally:
        leave(words, thread)
