"""Ensembles: one model fitted from several random starts, mean and standard deviation of everything it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..potentials.mtp import MomentTensorPotential
from .fit import FitResult, train

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (of a sample, n - 1) over the members, of any shape."""

    mean: np.ndarray | float
    std: np.ndarray | float

    @classmethod
    def of(cls, values: Sequence) -> Spread:
        """Over the first axis."""
        values = np.asarray(values, dtype=float)
        return cls(values.mean(0), values.std(0, ddof=1))


@dataclass(frozen=True)
class EnsembleEvaluation:
    """What an ensemble says of a configuration: energy eV, forces (N, 3) eV/Å, stress (6,) eV/Å^3 or None."""

    energy: Spread
    forces: Spread
    stress: Spread | None


@dataclass(frozen=True)
class Ensemble:
    """Potentials that differ by their random start alone.

    Attributes
    ----------
    potentials : tuple of MomentTensorPotential
    results : tuple of FitResult
        Of the fits, where they were made here.
    """

    potentials: tuple[MomentTensorPotential, ...]
    results: tuple[FitResult, ...] = ()

    def __post_init__(self) -> None:
        if len(self.potentials) < 2:
            raise InputError("an ensemble needs at least two potentials to have a spread")

    def evaluate(self, atoms: Atoms) -> EnsembleEvaluation:
        """Mean and standard deviation of energy, forces and stress."""
        said = [potential.evaluate(atoms) for potential in self.potentials]
        stress = Spread.of([one.stress for one in said]) if said[0].stress is not None else None
        return EnsembleEvaluation(
            Spread.of([one.energy for one in said]), Spread.of([one.forces for one in said]), stress
        )


def train_ensemble(
    configurations: Sequence[Atoms],
    level: int,
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
    level : int
    species : sequence of str
    seeds : sequence of int
        One potential each.
    checkpoint : path, optional
        See `train`; each seed's name is this with the seed before the suffix, `fit-0.npz` for `fit.npz`.
    **options
        `cutoff`, `min_distance`, `radial_basis_size` and `scaling` go to `MomentTensorPotential.random`, all others to
        `train`.

    Raises
    ------
    InputError
        Fewer than two seeds, or one of them twice; and what `train` refuses.
    """
    if len(set(seeds)) != len(seeds) or len(seeds) < 2:
        raise InputError(f"seeds {tuple(seeds)}: an ensemble needs two or more, all different")
    model = {k: options.pop(k) for k in ("cutoff", "min_distance", "radial_basis_size", "scaling") if k in options}
    starts = [MomentTensorPotential.random(level, tuple(species), seed=seed, **model) for seed in seeds]
    path = Path(checkpoint) if checkpoint else None
    files = [path and path.with_name(f"{path.stem}-{seed}{path.suffix}") for seed in seeds]
    results = tuple(
        train(configurations, start, checkpoint=file, **options) for start, file in zip(starts, files, strict=True)
    )
    return Ensemble(tuple(result.potential for result in results), results)
