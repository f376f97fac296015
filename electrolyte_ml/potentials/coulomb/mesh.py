"""Smooth particle-mesh Ewald: the long-ranged part on a mesh, in time N log N."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from electrolyte_ml.checks import number, whole
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb.interface import CoulombResult, CoulombSolver, checked_charges
from electrolyte_ml.potentials.coulomb.parts import (
    TAPER,
    add_constants,
    add_near_part,
    check_periodic,
    fractional_of,
    gaussian_alpha,
    inverse_of,
    pairs_within,
    thread_ranges,
)
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.threads import run
from electrolyte_ml.units import COULOMB

DENSITY = 0.1  # atoms/Å³ of an organic liquid, for which the error is estimated
# Error of the forces by splines of each order, of the form c (alpha h)^order k_e sqrt(density alpha) for charges of one
# e and a mesh spacing h; measured in random liquids.
SPLINE_ERROR = {5: 0.14, 6: 0.1, 7: 0.065, 8: 0.055}


@dataclass(frozen=True)
class ParticleMesh(CoulombSolver):
    """Smooth particle-mesh Ewald (Essmann et al., J. Chem. Phys. 103, 8577 (1995)), for any cell.

    The mesh is fixed to the cell's fractional coordinates. Forces are derivatives of the energy that the mesh gives;
    their sum over all atoms is therefore not exactly zero, but of the size of the error.

    Parameters
    ----------
    accuracy : float, eV/Å
        Wanted rms error of the forces on charges of magnitude 1 e in a liquid (0.1 atoms/Å³); it grows with the square
        of the charges. The splitting and the mesh follow from it.
    cutoff : float, Å
        Of the short-ranged part; pairs of a geometry that reach as far are used.
    order : int
        Of the B-splines, 5 to 8.
    mesh : three int, optional
        Points along the cell vectors; by default chosen for each cell.
    width : float, Å, optional
        For charges that interact by erf(r/(sqrt(2) width))/r in place of 1/r, with each other and with the background.
        There is then no short-ranged part.

    Raises
    ------
    InputError
        A setting that is out of its range.
    """

    accuracy: float = 1e-4
    cutoff: float = 5.0
    order: int = 6
    mesh: tuple[int, int, int] | None = None
    width: float | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        if number("accuracy", self.accuracy, "eV/Å") > 0.1:
            raise InputError(f"accuracy must be at most 0.1 eV/Å, not {self.accuracy:g}")
        number("cutoff", self.cutoff, "Å")
        if whole("order", self.order) not in SPLINE_ERROR:
            raise InputError(f"the order of the B-splines must be 5 to 8, not {self.order}")
        if self.width is not None:
            number("width", self.width, "Å")
        if self.mesh is not None:
            if len(self.mesh) != 3:
                raise InputError(f"a mesh has points along three axes, not {len(self.mesh)}")
            object.__setattr__(self, "mesh", tuple(whole("mesh", size, least=self.order) for size in self.mesh))

    @property
    def _share(self) -> float:
        """Of the error, of either part."""
        return self.accuracy / math.sqrt(2.0)

    @property
    def alpha(self) -> float:
        """Alpha of erfc(alpha r)/r, 1/Å."""
        if self.width is not None:
            return gaussian_alpha(self.width)
        # Error of the forces by what is cut off: Kolafa and Perram, Mol. Simul. 9, 351 (1992), for charges of one e.
        end = self.cutoff * (1.0 - 0.5 * TAPER)
        return math.sqrt(math.log(2.0 * COULOMB * math.sqrt(DENSITY / end) / self._share)) / end

    @property
    def spacing(self) -> float:
        """The largest distance between mesh points that gives the wanted accuracy, Å."""
        scale = SPLINE_ERROR[self.order] * COULOMB * math.sqrt(DENSITY * self.alpha)
        return (self._share / scale) ** (1.0 / self.order) / self.alpha

    def fixed_for(self, cell: np.ndarray, n_atoms: int = 0) -> ParticleMesh:
        """Return the same sum with the mesh for a cell (3, 3) in Å.

        Raises
        ------
        InputError
            For a cell of no volume.
        """
        return replace(self, mesh=self._shape(cell))

    def _shape(self, cell: np.ndarray) -> tuple[int, int, int]:
        """Return the points along each vector of a cell."""
        from scipy.fft import next_fast_len

        inverse_of(cell)
        if self.mesh is not None:
            return self.mesh
        wanted = np.ceil(np.linalg.norm(cell, axis=1) / self.spacing).astype(int)
        sizes = [next_fast_len(max(int(size), self.order + 1), real=True) for size in wanted]
        return sizes[0], sizes[1], sizes[2]

    def solve(self, geometry: Geometry, charges: np.ndarray, threads: int = 1) -> CoulombResult:
        """Return the energy of charges (N,) in e, and its derivatives.

        Raises
        ------
        InputError
            For a cell that is not periodic along three axes; for charges that are not N finite numbers.
        """
        from electrolyte_ml.kernels.mesh import convolve, gather, spread

        check_periodic(geometry, "ParticleMesh")
        n, alpha, order = geometry.n_atoms, self.alpha, self.order
        charges = checked_charges(charges, n)
        shape = self._shape(geometry.cell)
        inverse = inverse_of(geometry.cell)
        volume = 1.0 / abs(float(np.linalg.det(inverse)))
        fractional, ends = fractional_of(geometry.positions, inverse), thread_ranges(n, threads)

        parts = run(spread, [(*pair, fractional, charges, order, shape) for pair in ends], threads)
        moduli = [spline_moduli(size, order) for size in shape]
        mesh, _, virial = convolve(sum(parts[1:], parts[0]), inverse, alpha, *moduli)
        potentials, slopes = np.zeros(n), np.zeros((n, 3))
        run(gather, [(*pair, fractional, charges, order, mesh, potentials, slopes) for pair in ends], threads)
        forces = -slopes @ inverse.T

        if self.width is None:
            near = pairs_within(geometry, self.cutoff)
            virial += add_near_part(near, charges, alpha, self.cutoff, potentials, forces, threads)
        add_constants(charges, alpha, volume, self.width is None, potentials, virial)
        potentials *= COULOMB
        return CoulombResult(
            0.5 * math.fsum(charges * potentials), potentials, COULOMB * forces, COULOMB * 0.5 * (virial + virial.T)
        )


@cache
def spline_moduli(size: int, order: int) -> np.ndarray:
    """Return by what the B-splines of an order weaken each wave of a mesh axis, inverted and squared, (size,).

    It is zero for the shortest wave of an even mesh, which is left out: its direction is not determined, and splines
    of odd order do not represent it.
    """
    from electrolyte_ml.kernels.bsplines import knots

    phases = np.exp(2j * math.pi * np.outer(np.arange(size), np.arange(order - 1)) / size)
    moduli = 1.0 / np.maximum(np.abs(phases @ knots(order)) ** 2, 1e-14)
    if size % 2 == 0:
        moduli[size // 2] = 0.0
    return np.asarray(moduli)
