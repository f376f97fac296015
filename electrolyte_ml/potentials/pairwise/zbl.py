"""Universal repulsion of Ziegler, Biersack and Littmark, cut off smoothly below the bond lengths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.pairwise.potential import PairPotential
from electrolyte_ml.potentials.parameterless import Parameterless
from electrolyte_ml.units import COULOMB

if TYPE_CHECKING:
    from electrolyte_ml.potentials.spec import ModelSpec

# phi(x) = sum of weight exp(-decay x) with x = r / a
WEIGHTS = np.array([0.18175, 0.50986, 0.28022, 0.02817])
DECAYS = np.array([3.19980, 0.94229, 0.40290, 0.20162])
SCREENING = 0.46850  # Å, a = SCREENING / (Z_i^0.23 + Z_j^0.23)
INNER = 0.5  # fraction of the outer radius up to which the repulsion is not reduced


@dataclass(eq=False)
class ZBL(Parameterless, PairPotential):
    """Short-range repulsion for potentials whose training set contains no atoms at such distances.

    E = 1/2 sum_ij k_e Z_i Z_j / r_ij phi(r_ij / a_ij) f(r_ij), where f falls from 1 at half the outer radius of the
    pair to 0 at the outer radius, with two continuous derivatives. The outer radius is `reach` times the sum of the
    covalent radii. It is shorter than the bonds in a liquid at 1000 K, so that the potential does not change where it
    is trained.

    Parameters
    ----------
    species : tuple of str
        Chemical symbols.
    reach : float
        Outer radius in units of the sum of the covalent radii.
    reference : str or None
        Not used, because there are no parameters to train.

    Raises
    ------
    InputError
        Species are unknown or repeated, or `reach` is not positive.

    References
    ----------
    Ziegler, Biersack and Littmark, The Stopping and Range of Ions in Matter, vol. 1 (Pergamon, 1985).
    """

    kind: ClassVar[str] = "zbl"

    species: tuple[str, ...]
    reach: float = 0.75
    reference: str | None = None

    def __post_init__(self) -> None:
        self.species = tuple(self.species)
        unknown = [symbol for symbol in self.species if atomic_numbers.get(symbol, 0) == 0]
        if unknown or not self.species or len(set(self.species)) != len(self.species):
            raise InputError(f"species {' '.join(self.species) or '(none)'}: give distinct chemical symbols")
        if not 0 < self.reach < np.inf:
            raise InputError(f"the reach of the ZBL repulsion must be positive, not {self.reach}")

    @classmethod
    def from_spec(cls, spec: ModelSpec, species: tuple[str, ...], seed: int) -> ZBL:
        """Return the repulsion of these species."""
        return cls(species)

    @cached_property
    def numbers(self) -> np.ndarray:
        """(S,) atomic numbers."""
        return np.array([atomic_numbers[symbol] for symbol in self.species])

    @cached_property
    def outer(self) -> np.ndarray:
        """(S, S) outer radii, Å."""
        radii = covalent_radii[self.numbers]
        return self.reach * (radii[:, None] + radii)

    @property
    def cutoff(self) -> float:
        """Largest outer radius, Å."""
        return float(self.outer.max())

    def pair_energy(self, r: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return phi (P,) eV and dphi/dr (P,) eV/Å."""
        z, power = self.numbers, self.numbers**0.23
        strength = COULOMB * z[a] * z[b]
        decays = DECAYS[:, None] * (power[a] + power[b]) / SCREENING  # (4, P) 1/Å
        terms = WEIGHTS[:, None] * np.exp(-decays * r)
        screened, slope = terms.sum(0), -(decays * terms).sum(0)
        energy, force = strength * screened / r, strength * (slope - screened / r) / r
        outer = self.outer[a, b]
        x = np.clip((r / outer - INNER) / (1 - INNER), 0.0, 1.0)
        cut = 1 - x**3 * (10 - 15 * x + 6 * x**2)
        cut_slope = -30 * (x * (1 - x)) ** 2 / (outer * (1 - INNER))
        return energy * cut, force * cut + energy * cut_slope
