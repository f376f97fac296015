"""What kind of potential to fit: named once for the command line, TOML files, scales and ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from electrolyte_ml.potentials.mtp import MomentTensorPotential


@dataclass(frozen=True)
class ModelSpec:
    """The choices that make a model, without its species and parameters.

    Attributes
    ----------
    level : int
        Of the moment tensor potential, even, from 2 to 24.
    cutoff, min_distance : float, Å
    radial_basis_size : int
        Chebyshev polynomials in each radial function.
    scaling : float
        Multiplies the radial basis.
    """

    level: int = 12
    cutoff: float = 5.0
    min_distance: float = 0.9
    radial_basis_size: int = 8
    scaling: float = 0.01

    def random(self, species: Sequence[str], seed: int = 0) -> MomentTensorPotential:
        """Return a potential with parameters drawn from U(-1, 1), as the paper starts its fits.

        Parameters
        ----------
        species
            Chemical symbols; the order is that of the parameters.
        seed
            Of the draw.

        Raises
        ------
        InputError
            For a choice that makes no potential.
        """
        from electrolyte_ml.potentials.mtp import MomentTensorPotential

        return MomentTensorPotential.random(
            self.level,
            tuple(species),
            seed=seed,
            cutoff=self.cutoff,
            min_distance=self.min_distance,
            radial_basis_size=self.radial_basis_size,
            scaling=self.scaling,
        )
