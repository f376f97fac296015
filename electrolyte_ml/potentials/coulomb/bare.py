"""Direct Coulomb sum over all pairs of an isolated set of charges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from electrolyte_ml.checks import number
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb.interactions import gaussian_charges, point_charges
from electrolyte_ml.potentials.coulomb.interface import CoulombResult, CoulombSolver, checked_charges
from electrolyte_ml.potentials.coulomb.parts import completed, gaussian_alpha, thread_ranges
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.threads import run


@dataclass(frozen=True)
class BareSum(CoulombSolver):
    """Sum over all pairs of a configuration without periodic images.

    Parameters
    ----------
    width : float, Å, optional
        Width of Gaussian charges, which interact by erf(r/(sqrt(2) width))/r instead of 1/r.

    Raises
    ------
    InputError
        The width is not positive.
    """

    width: float | None = None

    def __post_init__(self) -> None:
        """Check the width."""
        if self.width is not None:
            number("width", self.width, "Å")

    def solve(self, geometry: Geometry, charges: np.ndarray, threads: int = 1) -> CoulombResult:
        """Return the energy of charges (N,) in e, and its derivatives.

        Raises
        ------
        InputError
            The cell is periodic, or the charges are not N finite numbers.
        """
        from electrolyte_ml.kernels.coulomb_pairs import all_pairs_sum

        if geometry.system.pbc.any():
            raise InputError("BareSum is for configurations without periodic directions: use Ewald or ParticleMesh")
        n = geometry.n_atoms
        charges = checked_charges(charges, n)
        interaction = point_charges() if self.width is None else gaussian_charges(gaussian_alpha(self.width))
        potentials, forces = np.zeros(n), np.zeros((n, 3))
        positions = np.ascontiguousarray(geometry.positions)
        calls = [(*ends, positions, charges, interaction, potentials, forces) for ends in thread_ranges(n, threads)]
        return completed(charges, potentials, forces, sum(run(all_pairs_sum, calls, threads)))
