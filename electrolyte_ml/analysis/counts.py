"""Counts by category in blocks of frames, and their ratios with errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from electrolyte_ml.analysis.bootstrap import Blocks, Estimate

ALL = "all"  # all species together
Counts = dict[str, dict[tuple, np.ndarray]]  # quantity -> category -> (n_blocks,) counts


def tally(blocks: Blocks, run: int, frame: np.ndarray, *category: np.ndarray) -> dict[tuple, np.ndarray]:
    """Count rows by their category in every block.

    Parameters
    ----------
    blocks
        Blocks of the frames.
    run, frame
        Index of the trajectory, and (n,) the frame of every row.
    *category
        Columns that make up the category of every row, (n,) integers each.

    Returns
    -------
    dict of tuple to (n_blocks,) array
        Category -> number of rows in each block.
    """
    block = blocks.of_frame[run][frame] + blocks.first[run]
    if not category:
        return {(): np.bincount(block, minlength=len(blocks)).astype(float)}
    categories, index = np.unique(np.stack(category, axis=1), axis=0, return_inverse=True)
    table = np.bincount(index.ravel() * len(blocks) + block, minlength=len(categories) * len(blocks))
    return {tuple(key): row for key, row in zip(categories.tolist(), table.reshape(-1, len(blocks)).astype(float))}


def merge(parts: Iterable[Counts]) -> Counts:
    """Add up counts of several runs."""
    total: Counts = {}
    for part in parts:
        for quantity, categories in part.items():
            sums = total.setdefault(quantity, {})
            for key, row in categories.items():
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
        Blocks of the frames.
    counts
        Counts with the cutoffs unchanged, shorter and longer.
    top, bottom
        Quantity and category of numerator and denominator.
    fraction
        Whether the value lies between 0 and 1. For a value of 0 or 1 the rule of three takes the counts of `bottom` as
        observations, see :meth:`~electrolyte_ml.analysis.bootstrap.Blocks.observations`.
    """
    zero = np.zeros(len(blocks))

    def pair(count: Counts) -> np.ndarray:
        return np.stack([count[quantity].get(key, zero) for quantity, key in (top, bottom)], axis=1)

    def divide(total: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return total[:, 0] / total[:, 1]

    less, more = (divide(pair(count).sum(axis=0)[None])[0] for count in counts[1:])
    data = pair(counts[0])
    bounds = (0.0, 1.0) if fraction else (0.0, np.inf)
    observations = blocks.observations(data[:, 1])
    estimates = blocks.estimate(divide, data, band=(less, more), bounds=bounds, observations=observations)
    estimate: Estimate = estimates.item()
    if np.count_nonzero(data[:, 1]) > 1:
        return estimate
    # A category that occurs in one block only has no scatter; the rule of three still bounds a value of 0 or 1.
    bounded = estimate.value in bounds
    return replace(estimate, error=np.nan, interval=estimate.interval if bounded else (np.nan, np.nan))
