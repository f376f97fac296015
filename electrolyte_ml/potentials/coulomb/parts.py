"""Common parts of the Coulomb sums."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb.interface import CoulombResult
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.structures.neighbours import neighbour_list
from electrolyte_ml.threads import run
from electrolyte_ml.units import COULOMB

if TYPE_CHECKING:
    from electrolyte_ml.kernels.coulomb_pairs import Interaction


def gaussian_alpha(width: float) -> float:
    """Return alpha (1/Å) of erf(alpha r)/r for a width in Å."""
    return 1.0 / (math.sqrt(2.0) * width)


def thread_ranges(n: int, threads: int) -> list[tuple[int, int]]:
    """Return the first and last atom of each thread."""
    return list(pairwise(n * thread // threads for thread in range(threads + 1)))


def check_periodic(geometry: Geometry, name: str) -> None:
    """Check that a configuration is periodic along all three axes.

    Raises
    ------
    InputError
        An axis is not periodic.
    """
    periodic = int(geometry.system.pbc.sum())
    if periodic == 0:
        raise InputError(f"{name} needs a cell that is periodic along three axes: use BareSum for molecules")
    if periodic < 3:
        raise InputError(
            f"{name} needs a cell that is periodic along three axes, not along {periodic} (a slab or wire)"
        )


def inverse_of(cell: np.ndarray) -> np.ndarray:
    """Return the inverse (3, 3), 1/Å, of a cell with its vectors as rows.

    Raises
    ------
    InputError
        The cell has no volume.
    """
    cell = np.asarray(cell, dtype=float)
    if not (np.isfinite(cell).all() and abs(np.linalg.det(cell)) > 1e-6):
        raise InputError("the cell has no volume")
    return np.linalg.inv(cell)


def sum_near_pairs(
    geometry: Geometry,
    interaction: Interaction,
    charges: np.ndarray,
    potentials: np.ndarray,
    forces: np.ndarray,
    threads: int,
) -> np.ndarray:
    """Set `potentials` (N,) e/Å and `forces` (N, 3) e²/Å² to those of all pairs within a cutoff; return the virial.

    The pairs of the geometry are used if its cutoff is long enough; otherwise a new neighbour list is made.
    """
    from electrolyte_ml.kernels.coulomb_pairs import near_pairs_sum

    if interaction.cutoff > geometry.cutoff:
        system, positions, cell = geometry.system, np.ascontiguousarray(geometry.positions), np.array(geometry.cell)
        n_species = geometry.near.segment.shape[1] - 1
        pairs = neighbour_list(positions, cell, system.pbc, interaction.cutoff, system.species, n_species)
        geometry = Geometry.from_list(system, pairs, positions, cell, interaction.cutoff)
    wide = geometry.cutoff > interaction.cutoff
    calls = [
        (*ends, geometry.near, wide, charges, interaction, potentials, forces)
        for ends in thread_ranges(len(charges), threads)
    ]
    virial: np.ndarray = sum(run(near_pairs_sum, calls, threads))
    return virial


def completed(
    charges: np.ndarray,
    potentials: np.ndarray,
    forces: np.ndarray,
    virial: np.ndarray,
    alpha: float = 0.0,
    background: float = 0.0,
) -> CoulombResult:
    """Complete a result from potentials in e/Å, forces in e²/Å² and a virial in e²/Å, which are changed in place.

    The interaction of each charge with itself is subtracted from the reciprocal-space part, erf(alpha r)/r. This part
    has no wave k = 0 and is therefore neutral. If the total charge is 1 e, its uniform background changes all
    potentials by -background (1/Å): the integral of the real-space interaction over all space, divided by the volume.
    """
    from electrolyte_ml.kernels.coulomb_pairs import complete

    own = 2.0 * alpha / math.sqrt(math.pi)
    energy = complete(charges, own, background, COULOMB, potentials, forces, virial)
    return CoulombResult(energy, potentials, forces, virial)
