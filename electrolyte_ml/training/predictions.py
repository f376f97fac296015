"""Predictions of a potential for labelled configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.potential import Potential

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Predictions:
    """Labels and predictions for a set of configurations.

    Attributes
    ----------
    energies, reference_energies : (K,) eV/atom
    forces, reference_forces : (n, 3) eV/Å
        Forces on all atoms, in the order of the configurations.
    """

    energies: np.ndarray
    reference_energies: np.ndarray
    forces: np.ndarray
    reference_forces: np.ndarray


def predict(potential: Potential, configurations: Sequence[Atoms]) -> Predictions:
    """Evaluate a potential on labelled configurations.

    Raises
    ------
    InputError
        There are no configurations, or one has no energy or forces (the message gives its number, counted from 0).
    """
    if not len(configurations):
        raise InputError("no configurations to predict")
    for number, atoms in enumerate(configurations):
        if atoms.calc is None or not {"energy", "forces"} <= atoms.calc.results.keys():
            raise InputError(f"configuration {number}: it has no energy and forces")
    results = [potential.evaluate(atoms) for atoms in configurations]
    return Predictions(
        np.array([result.energy / len(atoms) for result, atoms in zip(results, configurations, strict=True)]),
        np.array([atoms.get_potential_energy() / len(atoms) for atoms in configurations]),
        np.concatenate([result.forces for result in results]),
        np.concatenate([atoms.get_forces() for atoms in configurations]),
    )
