"""Interface of Coulomb sums for charges from any model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.geometry import Geometry


class CoulombResult(NamedTuple):
    """Energy of charges and its derivatives.

    Attributes
    ----------
    energy : float, eV
        Half the sum of charges times potentials.
    potentials : (N,), eV/e
        dE/dq_i at fixed positions.
    forces : (N, 3), eV/Å
        -dE/dx_i at fixed charges.
    virial : (3, 3), eV
        Derivative of the energy by a strain of all positions and of the cell, at fixed charges; volume times stress.
    """

    energy: float
    potentials: np.ndarray
    forces: np.ndarray
    virial: np.ndarray


class CoulombSolver(ABC):
    """Method for the sum E = k_e 1/2 sum_ij q_i q_j / r_ij over all pairs, including bonded ones, without damping.

    Periodic cells are surrounded by a perfect conductor (tin foil). If their total charge is not zero, a uniform
    background neutralises them; its energy and virial are included.
    """

    @abstractmethod
    def solve(self, geometry: Geometry, charges: np.ndarray, threads: int = 1) -> CoulombResult:
        """Return the energy of charges (N,) in e, and its derivatives.

        Raises
        ------
        InputError
            The sum does not support the boundary conditions, or the charges are not N finite numbers.
        """

    def fixed_for(self, cell: np.ndarray, charges: np.ndarray) -> CoulombSolver:
        """Return a solver with a fixed mesh or set of waves, chosen for a cell (3, 3) in Å and charges.

        This is needed at constant pressure: if the mesh or the waves were chosen again for each cell, the energy would
        jump.

        Raises
        ------
        InputError
            The cell has no volume.
        """
        return self


def checked_charges(charges: np.ndarray, n_atoms: int) -> np.ndarray:
    """Return charges as (N,) float64.

    Raises
    ------
    InputError
        The charges are not one finite number per atom.
    """
    values = np.ascontiguousarray(charges, dtype=float)
    if values.shape != (n_atoms,):
        raise InputError(f"{n_atoms} atoms need {n_atoms} charges, not an array of shape {values.shape}")
    if not np.isfinite(values).all():
        i = int(np.argmax(~np.isfinite(values)))
        raise InputError(f"the charge of atom {i + 1} is not a finite number")
    return values
