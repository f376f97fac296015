"""Errors of energies in the runs of several potentials: a constant for each kind of run, and one for each ion pair.

An error of the energy that is the same in all configurations of a liquid changes nothing. One that differs between the
runs of two potentials shows where dynamics is led by it, and one that changes with the number of ion pairs shifts the
equilibrium between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from electrolyte_ml.errors import InputError

_REPLICATES = 500


@dataclass(frozen=True)
class EnergyOffsets:
    """Constants of the errors of a potential's energies, each with its standard error, eV.

    Attributes
    ----------
    kinds : dict
        Kind of run -> constant and standard error.
    per_count : tuple of float
        Change of the error for each counted object, such as a paired ion, and its standard error.
    """

    kinds: Mapping[str, tuple[float, float]]
    per_count: tuple[float, float]


def energy_offsets(
    errors: np.ndarray, kinds: Sequence[str], counts: Sequence[int], runs: Sequence[str], *, seed: int = 0
) -> EnergyOffsets:
    """Fit errors of energies by a constant for each kind of run and a constant for each counted object.

    Parameters
    ----------
    errors
        (n,) energy by a potential less that of its reference, of each configuration, eV.
    kinds
        (n,) kind of run of each configuration, such as the name of the potential that ran.
    counts
        (n,) number of counted objects in each configuration, such as cations with an anion in their shell.
    runs
        (n,) independent run of each configuration. The standard errors are from drawing runs with replacement
        (bootstrap) within each kind, since configurations of one run are alike.
    seed
        Seed of the drawing.

    Raises
    ------
    InputError
        The numbers of values differ, a kind has fewer than two runs, or the counts do not vary within any kind.
    """
    if not len(errors) == len(kinds) == len(counts) == len(runs):
        raise InputError(f"{len(errors)} errors, {len(kinds)} kinds, {len(counts)} counts and {len(runs)} runs differ")
    names = list(dict.fromkeys(kinds))
    table = np.stack([*(np.array(kinds) == name for name in names), np.array(counts)], axis=1).astype(float)
    if np.linalg.matrix_rank(table) < table.shape[1]:
        raise InputError("the counts do not vary within any kind of run: their constant cannot be told from the others")
    places = {run: np.flatnonzero(np.array(runs) == run) for run in dict.fromkeys(runs)}
    of_kind = {name: [rows for rows in places.values() if kinds[rows[0]] == name] for name in names}
    for name, own in of_kind.items():
        if len(own) < 2:
            raise InputError(f"{name} has one run: the scatter between runs is not known")

    def fit(rows: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(table[rows], np.asarray(errors)[rows], rcond=None)[0]

    rng = np.random.default_rng(seed)
    drawn = [
        fit(np.concatenate([own[k] for own in of_kind.values() for k in rng.integers(len(own), size=len(own))]))
        for _ in range(_REPLICATES)
    ]
    fewest = min(map(len, of_kind.values()))
    spread = (np.sqrt(fewest / (fewest - 1.0)) * np.std(drawn, axis=0)).tolist()  # drawn means scatter too little
    values = fit(np.arange(len(errors))).tolist()
    return EnergyOffsets(dict(zip(names, zip(values, spread))), (values[-1], spread[-1]))
