"""Direct Ewald sum: any accuracy, for cells of up to some thousand atoms."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from electrolyte_ml.checks import number
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb.interactions import TAPER, tapered
from electrolyte_ml.potentials.coulomb.interface import CoulombResult, CoulombSolver, checked_charges
from electrolyte_ml.potentials.coulomb.parts import (
    check_periodic,
    completed,
    gaussian_alpha,
    inverse_of,
    sum_near_pairs,
    thread_ranges,
)
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.threads import run

if TYPE_CHECKING:
    from electrolyte_ml.kernels.ewald import Waves

COST = 10.0  # cost of erfc and exp for a pair, in units of the cost per atom and wave


class Splitting(NamedTuple):
    """Splitting of an Ewald sum into a real-space and a reciprocal-space part.

    Attributes
    ----------
    alpha : float, 1/Å
        Splitting parameter of erfc(alpha r)/r.
    cutoff : float, Å
        Cutoff of the real-space part; 0 if there is none.
    waves : Waves
        Waves of the reciprocal-space part.
    """

    alpha: float
    cutoff: float
    waves: Waves


@dataclass(frozen=True)
class Ewald(CoulombSolver):
    """Direct Ewald sum for any cell that is periodic along three axes.

    Parameters
    ----------
    accuracy : float
        Order of magnitude of the relative error: size of erfc(alpha r) and exp(-k²/(4 alpha²)) where the sums end.
    width : float, Å, optional
        Width of Gaussian charges, which interact by erf(r/(sqrt(2) width))/r instead of 1/r, with each other and with
        the background. There is then no real-space part.
    alpha : float, 1/Å, optional
        Splitting parameter; by default chosen for the lowest cost.
    splitting : Splitting, optional
        Splitting from `fixed_for`.

    Raises
    ------
    InputError
        The accuracy is not between 0 and 1, the width or alpha is not positive, or both are given.
    """

    accuracy: float = 1e-8
    width: float | None = None
    alpha: float | None = None
    splitting: Splitting | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        if number("accuracy", self.accuracy) >= 1:
            raise InputError(f"accuracy must be below 1, not {self.accuracy:g}")
        if self.width is not None:
            number("width", self.width, "Å")
        if self.alpha is not None:
            number("alpha", self.alpha, "1/Å")
            if self.width is not None:
                raise InputError("the width of Gaussian charges determines alpha: give one of them")

    def fixed_for(self, cell: np.ndarray, charges: np.ndarray) -> Ewald:
        """Return the same sum with the splitting and the waves for a cell (3, 3) in Å and charges (N,).

        Raises
        ------
        InputError
            The cell has no volume.
        """
        return replace(self, splitting=self._split(cell, len(charges)))

    def _split(self, cell: np.ndarray, n_atoms: int) -> Splitting:
        """Return the splitting for a cell."""
        volume = 1.0 / abs(float(np.linalg.det(inverse_of(cell))))
        if self.splitting is not None:
            return self.splitting
        reach = math.sqrt(math.log(10.0 / self.accuracy))
        if self.width is not None:
            alpha, cutoff = gaussian_alpha(self.width), 0.0
        else:
            balanced = (2.0 * math.pi**3 * COST * max(n_atoms, 1) / volume**2) ** (1.0 / 6.0)
            alpha = self.alpha or balanced
            cutoff = reach / (alpha * (1.0 - TAPER))
        return Splitting(alpha, cutoff, waves_within(cell, 2.0 * alpha * reach))

    def solve(self, geometry: Geometry, charges: np.ndarray, threads: int = 1) -> CoulombResult:
        """Return the energy of charges (N,) in e, and its derivatives.

        Raises
        ------
        InputError
            The cell is not periodic along three axes, or the charges are not N finite numbers.
        """
        from electrolyte_ml.kernels.ewald import far_part, structure_factors

        check_periodic(geometry, "Ewald")
        n = geometry.n_atoms
        charges = checked_charges(charges, n)
        alpha, cutoff, waves = self._split(geometry.cell, n)
        inverse, ends = inverse_of(geometry.cell), thread_ranges(n, threads)
        fractional = fractional_of(geometry.positions, inverse)
        potentials, forces, virial = np.zeros(n), np.zeros((n, 3)), np.zeros((3, 3))
        if cutoff > 0:
            virial += sum_near_pairs(geometry, tapered(alpha, cutoff), charges, potentials, forces, threads)

        weights, along = wave_weights(waves, inverse, alpha)
        parts = run(structure_factors, [(*pair, fractional, charges, waves) for pair in ends], threads)
        factors = np.sum(parts, axis=0)
        shares = weights * (factors**2).sum(0)  # energy of each wave
        virial += np.einsum("k,ka,kb->ab", shares, along, along) - shares.sum() * np.eye(3)
        slopes, weighted = np.zeros((n, 3)), np.ascontiguousarray(weights * factors)
        run(far_part, [(*pair, fractional, charges, waves, weighted, potentials, slopes) for pair in ends], threads)
        forces -= slopes @ inverse.T
        mean = math.pi / alpha**2 if cutoff > 0 else 0.0
        background = mean * abs(float(np.linalg.det(inverse)))
        return completed(charges, potentials, forces, 0.5 * (virial + virial.T), alpha, background)


def fractional_of(positions: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Return fractional coordinates (N, 3) in [0, 1)."""
    fractional = np.ascontiguousarray(positions @ inverse)
    fractional -= np.floor(fractional)
    fractional[fractional >= 1.0] = 0.0  # a tiny negative number plus one rounds to one
    return fractional


def waves_within(cell: np.ndarray, longest: float) -> Waves:
    """Return all waves with wave vectors up to a length in 1/Å, only one of n and -n."""
    from electrolyte_ml.kernels.ewald import Waves

    longest *= 1.0 + 1e-9  # waves of equal length by symmetry are all included, in spite of rounding
    reciprocal = 2.0 * math.pi * np.linalg.inv(np.asarray(cell, dtype=float)).T  # vectors as rows
    reach = np.floor(longest * np.linalg.norm(cell, axis=1) / (2.0 * math.pi)).astype(np.int64)
    n0, n1 = (grid.ravel() for grid in np.meshgrid(np.arange(reach[0] + 1), np.arange(-reach[1], reach[1] + 1)))
    head = np.stack([n0, n1], axis=1)[(n0 > 0) | (n1 >= 0)]
    # |across + n2 last|² <= longest², a quadratic inequality for n2
    across, last = head @ reciprocal[:2], reciprocal[2]
    middle, square = -(across @ last) / (last @ last), last @ last
    rest = middle**2 - ((across**2).sum(1) - longest**2) / square
    half = np.sqrt(np.maximum(rest, 0.0))
    low, high = np.ceil(middle - half).astype(np.int64), np.floor(middle + half).astype(np.int64)
    low[(head == 0).all(1)] = 1
    kept = (rest >= 0) & (high >= low)
    head, low, high = np.ascontiguousarray(head[kept]), low[kept], high[kept]
    start = np.concatenate([[0], np.cumsum(high - low + 1)]).astype(np.int64)
    most = np.array([*np.abs(head).max(0, initial=0), max(np.abs(low).max(initial=0), np.abs(high).max(initial=0))])
    return Waves(head, low, start, most)


def wave_numbers(waves: Waves) -> np.ndarray:
    """Return n (K, 3) of all waves."""
    counts = np.diff(waves.start)
    last = np.arange(waves.start[-1]) - np.repeat(waves.start[:-1] - waves.low, counts)
    return np.column_stack([np.repeat(waves.head, counts, axis=0), last])


def wave_weights(waves: Waves, inverse: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of each wave in the energy, and the vectors of its contribution to the virial.

    Returns
    -------
    weights : (K,), 1/Å
        E = sum_k weight |S|², in e²/Å; includes n and -n.
    along : (K, 3)
        A contribution E_k to the energy adds E_k (along along^T - 1) to the virial.
    """
    k = 2.0 * math.pi * (wave_numbers(waves) @ inverse.T)
    square = (k**2).sum(1)
    weights = 4.0 * math.pi * abs(float(np.linalg.det(inverse))) / square * np.exp(-square / (4.0 * alpha**2))
    return weights, k * np.sqrt(2.0 / square + 0.5 / alpha**2)[:, None]
