"""What kind of potential to fit: named once for the command line, TOML files, scales and ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from electrolyte_ml.potentials.potential import Potential


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
    repulsion : str or None
        Kind of a registered potential that is added as a repulsive floor, such as "zbl".
    """

    level: int = 12
    cutoff: float = 5.0
    min_distance: float = 0.9
    radial_basis_size: int = 8
    scaling: float = 0.01
    repulsion: str | None = None

    def random(self, species: Sequence[str], seed: int = 0) -> Potential:
        """Return a potential with the parameters from which a fit starts, those of the moments from U(-1, 1).

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
        from electrolyte_ml.potentials.registry import kind
        from electrolyte_ml.potentials.sum import total

        names = [name for name in ("mtp", self.repulsion) if name is not None]
        return total([kind(name).from_spec(self, tuple(species), seed) for name in names])
