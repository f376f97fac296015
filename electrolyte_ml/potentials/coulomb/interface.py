"""What a Coulomb sum gives for charges at given positions, whatever model they come from."""

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
        Half the sum of q_i times its potential.
    potentials : (N,), eV/e
        dE/dq_i at fixed positions.
    forces : (N, 3), eV/Å
        -dE/dx_i at fixed charges.
    virial : (3, 3), eV
        Derivative of the energy by a strain of all positions and of the cell, at fixed charges; V times the stress.
    """

    energy: float
    potentials: np.ndarray
    forces: np.ndarray
    virial: np.ndarray


class CoulombSolver(ABC):
    """A way to sum E = k_e 1/2 sum_ij q_i q_j / r_ij over all pairs, bonded ones included and nothing damped.

    Periodic cells are surrounded by a perfect conductor (tin foil). Where their charges do not add up to zero, a
    uniform background makes them neutral; its energy and virial are included.
    """

    @abstractmethod
    def solve(self, geometry: Geometry, charges: np.ndarray, threads: int = 1) -> CoulombResult:
        """Return the energy of charges (N,) in e, and its derivatives.

        Raises
        ------
        InputError
            Boundaries that this sum is not made for; charges that are not N finite numbers.
        """

    def fixed_for(self, cell: np.ndarray, charges: np.ndarray) -> CoulombSolver:
        """Return a solver that makes no choice of its own: mesh or waves are those for a cell (3, 3) in Å and charges.

        A run at constant pressure needs it: a mesh, or a set of waves, that is chosen again when the cell changes makes
        the energy jump.

        Raises
        ------
        InputError
            For a cell of no volume.
        """
        return self


def checked_charges(charges: np.ndarray, n_atoms: int) -> np.ndarray:
    """Return charges as (N,) float64.

    Raises
    ------
    InputError
        If they are not one finite number for each atom.
    """
    values = np.ascontiguousarray(charges, dtype=float)
    if values.shape != (n_atoms,):
        raise InputError(f"{n_atoms} atoms need as many charges, not an array of shape {values.shape}")
    if not np.isfinite(values).all():
        i = int(np.argmax(~np.isfinite(values)))
        raise InputError(f"the charge of atom {i + 1} is not a finite number")
    return values
