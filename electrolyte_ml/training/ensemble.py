"""Ensembles: fits of one model from several random starts, with mean and standard deviation of the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.potentials.spec import ModelSpec
from electrolyte_ml.training.fit import FitResult, train

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) over the members, of any shape."""

    mean: np.ndarray | float
    std: np.ndarray | float

    @classmethod
    def of(cls, values: Sequence[Any]) -> Spread:
        """Compute mean and standard deviation over the first axis."""
        members = np.asarray(values, dtype=float)
        return cls(members.mean(0), members.std(0, ddof=1))


@dataclass(frozen=True)
class EnsembleEvaluation:
    """Energy eV, forces (N, 3) eV/Å, stress (6,) eV/Å^3 and charges (N,) e of a configuration, each with its spread.

    The stress is None without a periodic cell, and the charges are None without a charge model.
    """

    energy: Spread
    forces: Spread
    stress: Spread | None
    charges: Spread | None = None


@dataclass(frozen=True)
class Ensemble:
    """Potentials that differ only in their random start.

    Attributes
    ----------
    potentials : tuple of Potential
    results : tuple of FitResult
        Results of the fits; empty if the potentials were not fitted by `train_ensemble`.
    """

    potentials: tuple[Potential, ...]
    results: tuple[FitResult, ...] = ()

    def __post_init__(self) -> None:
        if len(self.potentials) < 2:
            raise InputError("an ensemble needs at least two potentials to have a spread")

    def evaluate(self, atoms: Atoms) -> EnsembleEvaluation:
        """Return mean and standard deviation of energy, forces, stress and charges."""
        results = [potential.evaluate(atoms) for potential in self.potentials]
        stress = Spread.of([result.stress for result in results]) if results[0].stress is not None else None
        charges = Spread.of([result.charges for result in results]) if results[0].charges is not None else None
        return EnsembleEvaluation(
            Spread.of([result.energy for result in results]),
            Spread.of([result.forces for result in results]),
            stress,
            charges,
        )


def train_ensemble(
    configurations: Sequence[Atoms],
    spec: ModelSpec,
    species: Sequence[str],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    checkpoint: str | Path | None = None,
    **options: Any,
) -> Ensemble:
    """Fit the same data from several random starts.

    Parameters
    ----------
    configurations : sequence of ase.Atoms
    spec : ModelSpec
    species : sequence of str
    seeds : sequence of int
        One seed per potential.
    checkpoint : path, optional
        See `train`. The seed is added to the name before the suffix: `fit-0.npz` for `fit.npz`. The files are kept
        until the members are written by `FitResult.save`.
    **options
        See `train`.

    Raises
    ------
    InputError
        There are fewer than two seeds, or a seed is repeated; or as for `train`.
    """
    if len(set(seeds)) != len(seeds) or len(seeds) < 2:
        raise InputError(f"seeds {tuple(seeds)}: an ensemble needs two or more, all different")
    starts = [spec.random(species, seed) for seed in seeds]
    path = Path(checkpoint) if checkpoint else None
    files = [path and path.with_name(f"{path.stem}-{seed}{path.suffix}") for seed in seeds]
    results = tuple(
        train(configurations, start, checkpoint=file, **options) for start, file in zip(starts, files, strict=True)
    )
    return Ensemble(tuple(result.potential for result in results), results)
