"""Survival of bonds: intermittent and continuous time correlation of their existence.

Each bond is given by the frames in which it exists. The twin is `survivals_reference`.
"""

import numpy as np
from numba import njit


def survivals_reference(first, frames, n_frames, lags, block):
    """Count surviving bonds from a table of booleans: the twin of the kernel `survivals`."""
    n_blocks = int(block.max()) + 1
    origins, again, unbroken = (np.zeros((n_blocks, len(lags)), dtype=np.int64) for _ in range(3))
    for bond in range(len(first) - 1):
        there = np.zeros(n_frames, dtype=bool)
        there[frames[first[bond] : first[bond + 1]]] = True
        for t in np.flatnonzero(there):
            for k, lag in enumerate(lags):
                if t + lag < n_frames:
                    origins[block[t], k] += 1
                    again[block[t], k] += there[t + lag]
                    unbroken[block[t], k] += there[t : t + lag + 1].all()
    return origins, again, unbroken


@njit(cache=True, error_model="numpy")
def survivals(first, frames, n_frames, lags, block):
    """Count bonds that exist again, or without interruption, some frames later.

    Parameters
    ----------
    first : (B + 1,) int64
        Bond b exists in frames[first[b]:first[b + 1]], in ascending order.
    frames : (P,) int64
    n_frames : int
    lags : (L,) int64
        Ascending.
    block : (n_frames,) int64
        Block of every frame.

    Returns
    -------
    origins, again, unbroken : (n_blocks, L) int64
        Counts by the block of the earlier frame and by lag: bonds in frames that have a frame one lag later; those of
        them that exist in the later frame; those of them that also exist in every frame between.
    """
    n_blocks = 0
    for t in range(n_frames):
        n_blocks = max(n_blocks, block[t] + 1)
    origins = np.zeros((n_blocks, len(lags)), np.int64)
    again = np.zeros((n_blocks, len(lags)), np.int64)
    unbroken = np.zeros((n_blocks, len(lags)), np.int64)
    last = np.full(n_frames, -1, np.int64)  # last frame of the unbroken stretch of each frame; -1: no bond
    for bond in range(len(first) - 1):
        begin, end = first[bond], first[bond + 1]
        for p in range(end - 1, begin - 1, -1):
            t = frames[p]
            last[t] = last[t + 1] if p + 1 < end and frames[p + 1] == t + 1 else t
        for p in range(begin, end):
            t = frames[p]
            for k in range(len(lags)):
                later = t + lags[k]
                if later >= n_frames:
                    break
                origins[block[t], k] += 1
                if last[later] >= 0:
                    again[block[t], k] += 1
                    if last[t] >= later:
                        unbroken[block[t], k] += 1
        for p in range(begin, end):
            last[frames[p]] = -1
    return origins, again, unbroken
