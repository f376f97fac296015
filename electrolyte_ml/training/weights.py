"""Weights of configurations stored in a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

# Names in `Atoms.info`. For the whole configuration, MACE writes the first name and GPUMD the second.
OF_ALL = ("config_weight", "weight")
OF_LABELS = (
    ("config_energy_weight",),
    ("config_forces_weight",),
    ("config_stress_weight", "config_virials_weight"),
)

USED = frozenset(name for names in (OF_ALL, *OF_LABELS) for name in names)
_LIKE_WEIGHTS = ("weight", "sigma", "mask")  # in names by which data sets weigh or leave out labels


def configuration_weights(atoms: Atoms) -> np.ndarray:
    """Return the factors of the energy, forces and stress of a configuration in the loss.

    ``config_weight`` or ``weight`` in `info` is a factor of all three; ``config_energy_weight``,
    ``config_forces_weight`` and ``config_stress_weight`` (or ``config_virials_weight``) are further factors of one.

    Returns
    -------
    (3,) array
        1 if no weight is given.

    Raises
    ------
    InputError
        A weight is not a number from 0 on, or two entries for the same weight differ.
    """
    whole = _weight(atoms, OF_ALL)
    return np.array([whole * _weight(atoms, names) for names in OF_LABELS])


def unused_weights(atoms: Atoms) -> set[str]:
    """Return the names in `info` and `arrays` that look like weights of labels or atoms and have no effect on a fit."""
    names = {str(name) for name in (*atoms.info, *atoms.arrays)} - USED
    return {name for name in names if any(word in name.lower() for word in _LIKE_WEIGHTS)}


def _weight(atoms: Atoms, names: tuple[str, ...]) -> float:
    weights = {name: _number(atoms, name) for name in names if name in atoms.info}
    if len(set(weights.values())) > 1:
        raise InputError("it has two weights: " + " and ".join(f"{name} {value:g}" for name, value in weights.items()))
    return next(iter(weights.values()), 1.0)


def _number(atoms: Atoms, name: str) -> float:
    given = atoms.info[name]
    try:
        value = float(given)  # features of a .cfg are texts
    except (TypeError, ValueError):
        value = np.nan
    if not (np.isfinite(value) and value >= 0):
        raise InputError(f"its {name} must be a number from 0 on, not {given!r}")
    return value
