"""Weights that a data set gives its configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

# Names in `Atoms.info`: MACE writes the first of the whole configuration, GPUMD the second.
OF_ALL = ("config_weight", "weight")
OF_LABELS = (
    ("config_energy_weight",),
    ("config_forces_weight",),
    ("config_stress_weight", "config_virials_weight"),
)


def configuration_weights(atoms: Atoms) -> np.ndarray:
    """Return the factors of a configuration's energy, forces and stress in the loss.

    A data set gives them as ``config_weight`` or ``weight`` for all three, and as ``config_energy_weight``,
    ``config_forces_weight`` and ``config_stress_weight`` (or ``config_virials_weight``) beside it.

    Returns
    -------
    (3,) array
        1 where nothing is given.

    Raises
    ------
    InputError
        A weight that is no number from 0, or two names for the same that differ.
    """
    whole = _weight(atoms, OF_ALL)
    return np.array([whole * _weight(atoms, names) for names in OF_LABELS])


def _weight(atoms: Atoms, names: tuple[str, ...]) -> float:
    found = {name: _number(atoms, name) for name in names if name in atoms.info}
    if len(set(found.values())) > 1:
        raise InputError("it has two weights: " + " and ".join(f"{name} {value:g}" for name, value in found.items()))
    return next(iter(found.values()), 1.0)


def _number(atoms: Atoms, name: str) -> float:
    given = atoms.info[name]
    try:
        value = float(given)  # features of a .cfg are texts
    except (TypeError, ValueError):
        value = np.nan
    if not (np.isfinite(value) and value >= 0):
        raise InputError(f"its {name} must be a number from 0, not {given!r}")
    return value
