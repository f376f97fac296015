"""Independent runs of one start, one per core."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from electrolyte_ml.checks import whole
from electrolyte_ml.dynamics.results import RunResult
from electrolyte_ml.dynamics.simulation import run_md
from electrolyte_ml.parallel import map_progress


def run_replicas(
    atoms: Atoms,
    calculator: Any,
    *,
    replicas: int,
    directory: str | os.PathLike[str],
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = True,
    **options: Any,
) -> list[RunResult]:
    """Run independent replicas of one start in parallel, each on one thread.

    Replica k, counted from 1, draws its velocities and noise with the seed `seed` + k - 1, and has the folder
    ``replica_k``. The same call resumes all that have not ended.

    Parameters
    ----------
    atoms
        The start; its momenta are not used.
    calculator
        A potential or an ASE calculator.
    replicas
        Number of runs.
    directory
        Folder of the folders.
    seed
        Seed of the first replica.
    jobs
        Number of runs at a time; one per core by default.
    progress
        Whether to show a progress line.
    options
        Further options of :func:`run_md`.

    Returns
    -------
    list of RunResult
        In the order of the replicas. A run that ended early says why in its `reason` and `detail`.

    Raises
    ------
    InputError
        As `run_md`.
    ElectrolyteError
        As `run_md`, or a worker process died.
    """
    start = atoms.copy()
    start.calc = None
    start.arrays.pop("momenta", None)
    first, folder = whole("seed", seed, least=0), Path(directory)

    def run(number: int) -> RunResult:
        place = folder / f"replica_{number}"
        return run_md(start, calculator, seed=first + number - 1, directory=place, progress=False, **options)

    numbers = range(1, whole("replicas", replicas) + 1)
    return map_progress(run, numbers, jobs, "Replicas", progress=progress)


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Return the mean over replicas and its standard error, which is NaN for a single value."""
    error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error)
