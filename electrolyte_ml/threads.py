"""Threads for compiled functions that release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_pools: dict[int, ThreadPoolExecutor] = {}
# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_pools.clear)


def available() -> int:
    """As many threads as numba would use: all cores, or what NUMBA_NUM_THREADS says (1 in worker processes)."""
    from numba import config

    return config.NUMBA_NUM_THREADS


def run(function: Callable[..., Any], calls: Sequence[tuple], threads: int) -> list:
    """Call `function` with each tuple of arguments on at most `threads` threads; results in the order of the calls.

    The first call is the caller's own: it need not wait for a thread to wake up.
    """
    if threads == 1 or len(calls) == 1:
        return [function(*arguments) for arguments in calls]
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads - 1, thread_name_prefix="electrolyte_ml")
    others = [_pools[threads].submit(function, *arguments) for arguments in calls[1:]]
    return [function(*calls[0]), *(other.result() for other in others)]
