"""Counts by category in blocks of frames, and their ratios with errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks, Estimate

ALL = "all"  # species together
Counts = dict[str, dict[tuple, np.ndarray]]  # what -> category -> (n_blocks,) how often


def tally(blocks: Blocks, run: int, frame: np.ndarray, *category: np.ndarray) -> dict[tuple, np.ndarray]:
    """Count rows by their category in every block.

    Parameters
    ----------
    blocks
        Of the frames.
    run, frame
        Which trajectory, and (n,) the frame of every row.
    *category
        (n,) integers each.

    Returns
    -------
    dict of tuple to (n_blocks,) array
        Category -> rows in each block.
    """
    block = blocks.of_frame[run][frame] + blocks.first[run]
    if not category:
        return {(): np.bincount(block, minlength=len(blocks)).astype(float)}
    found, index = np.unique(np.stack(category, axis=1), axis=0, return_inverse=True)
    table = np.bincount(index.ravel() * len(blocks) + block, minlength=len(found) * len(blocks))
    return {tuple(key): row for key, row in zip(found.tolist(), table.reshape(-1, len(blocks)).astype(float))}


def merge(parts: Iterable[Counts]) -> Counts:
    """Add up counts of several runs."""
    total: Counts = {}
    for part in parts:
        for what, by in part.items():
            sums = total.setdefault(what, {})
            for key, row in by.items():
                sums[key] = sums[key] + row if key in sums else row
    return total


def ratio_of(
    blocks: Blocks,
    counts: Sequence[Counts],
    top: tuple[str, tuple],
    bottom: tuple[str, tuple],
    *,
    fraction: bool = True,
) -> Estimate:
    """Return the ratio of two counts, with its error and its band.

    Parameters
    ----------
    blocks
        In which they were counted.
    counts
        With the cutoffs as they are, shorter and longer.
    top, bottom
        What is counted, and the category.
    fraction
        Whether the value lies between 0 and 1. The rule of three then takes the counts of `bottom` in one frame of a
        block as independent, and all frames of a block as one.
    """
    zero = np.zeros(len(blocks))

    def pair(count: Counts) -> np.ndarray:
        return np.stack([count[what].get(key, zero) for what, key in (top, bottom)], axis=1)

    def divide(total: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return total[:, 0] / total[:, 1]

    less, more = (divide(pair(count).sum(axis=0)[None])[0] for count in counts[1:])
    data = pair(counts[0])
    bounds = (0.0, 1.0) if fraction else (0.0, np.inf)
    observations = float(np.ceil(data[:, 1] / blocks.frames).sum()) if fraction else None
    estimates = blocks.estimate(divide, data, band=(less, more), bounds=bounds, observations=observations)
    found: Estimate = estimates.item()
    if np.count_nonzero(data[:, 1]) > 1:
        return found
    # A category seen in one block only has no scatter; the rule of three still bounds a fraction of 0 or 1.
    bounded = fraction and found.value in bounds
    return replace(found, error=np.nan, interval=found.interval if bounded else (np.nan, np.nan))
