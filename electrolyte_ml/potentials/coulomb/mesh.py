"""Smooth particle-mesh Ewald: the reciprocal-space part on a mesh, in time N log N."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.checks import number, whole
from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.coulomb.interactions import fitted
from electrolyte_ml.potentials.coulomb.interface import CoulombResult, CoulombSolver, checked_charges
from electrolyte_ml.potentials.coulomb.parts import (
    check_periodic,
    completed,
    gaussian_alpha,
    inverse_of,
    sum_near_pairs,
    thread_ranges,
)
from electrolyte_ml.potentials.coulomb.splines import spline_table, wave_factors
from electrolyte_ml.potentials.coulomb.splitting import ORDERS, MeshSplitting, choose_splitting
from electrolyte_ml.potentials.geometry import Geometry
from electrolyte_ml.threads import run

if TYPE_CHECKING:
    from electrolyte_ml.kernels.coulomb_listed import HalfList
    from electrolyte_ml.kernels.mesh import Mesh

FINEST, COARSEST = 1e-8, 0.1  # possible accuracies, eV/Å; rounding errors are below
ATOMS_PER_THREAD = 2000  # smallest number of atoms per thread


@dataclass(frozen=True)
class ParticleMesh(CoulombSolver):
    """Smooth particle-mesh Ewald sum (Essmann et al., J. Chem. Phys. 103, 8577 (1995)) for any cell.

    The mesh is fixed to fractional coordinates, and the influence of its waves minimises the error of the energy. The
    real-space part ends smoothly at the cutoff. Forces are exact derivatives of the energy on the mesh; their sum over
    all atoms is therefore not exactly zero, but of the size of the error.

    Parameters
    ----------
    accuracy : float, eV/Å
        Required rms error of the forces on the given charges. Splitting, splines and mesh are those of the lowest cost
        with this accuracy, estimated for charges without correlation.
    cutoff : float, Å
        Cutoff of the real-space part; the pairs of a geometry with a cutoff at least as long are used.
    width : float, Å, optional
        Width of Gaussian charges, which interact by erf(r/(sqrt(2) width))/r instead of 1/r, with each other and with
        the background. There is then no real-space part.
    splitting : MeshSplitting, optional
        Fixed splitting; `fixed_for` chooses one for a cell and charges.

    Raises
    ------
    InputError
        A setting is out of its range.
    """

    accuracy: float = 2e-4
    cutoff: float = 5.0
    width: float | None = None
    splitting: MeshSplitting | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        if not FINEST <= number("accuracy", self.accuracy, "eV/Å") <= COARSEST:
            raise InputError(f"accuracy must be between {FINEST:g} and {COARSEST:g} eV/Å, not {self.accuracy:g}")
        number("cutoff", self.cutoff, "Å")
        if self.width is not None:
            number("width", self.width, "Å")
        if self.splitting is not None:
            if number("alpha", self.splitting.alpha, "1/Å") != (self._alpha or self.splitting.alpha):
                raise InputError("the width of Gaussian charges determines alpha")
            if self.splitting.order not in ORDERS:
                raise InputError(f"the order of the B-splines must be 5 to 8, not {self.splitting.order}")
            for size in self.splitting.shape:
                whole("a mesh's number of points", size, least=self.splitting.order)

    @property
    def _alpha(self) -> float | None:
        """Alpha (1/Å) if the width of the charges determines it, otherwise None."""
        return None if self.width is None else gaussian_alpha(self.width)

    def fixed_for(self, cell: np.ndarray, charges: np.ndarray) -> ParticleMesh:
        """Return the same sum with the mesh for a cell (3, 3) in Å and charges (N,) in e.

        Raises
        ------
        InputError
            The cell has no volume, or no mesh is fine enough.
        """
        if self.splitting is not None:
            return self
        inverse_of(cell)
        return replace(self, splitting=choose_splitting(cell, charges, self.accuracy, self.cutoff, self._alpha))

    def solve(self, geometry: Geometry, charges: np.ndarray, threads: int = 1) -> CoulombResult:
        """Return the energy of charges (N,) in e, and its derivatives.

        Raises
        ------
        InputError
            The cell is not periodic along three axes, or the charges are not N finite numbers.
        """
        charges = checked_charges(charges, geometry.n_atoms)
        check_periodic(geometry, "ParticleMesh")
        threads = useful_threads(geometry.n_atoms, threads)
        return MeshSum(self.fixed_for(geometry.cell, charges), threads).solve(geometry, charges)


def useful_threads(n_atoms: int, threads: int) -> int:
    """Return the number of threads to use; waking a thread takes longer than the sum of some thousand charges."""
    return max(1, min(threads, n_atoms // ATOMS_PER_THREAD))


class MeshSum:
    """Particle mesh with arrays that are reused by all sums.

    Parameters
    ----------
    solver : ParticleMesh
        Solver with a splitting.
    threads : int
        Number of threads; each has its own mesh for the charges of its atoms.
    """

    def __init__(self, solver: ParticleMesh, threads: int) -> None:
        assert solver.splitting is not None
        self.solver, self.threads = solver, threads
        self.mesh = empty_mesh(solver.splitting, threads)
        self._cell, self._inverse, self._volume = b"", np.empty((3, 3)), 0.0

    def solve(self, geometry: Geometry, charges: np.ndarray) -> CoulombResult:
        """Return the energy of charges (N,), float64, in e, and its derivatives."""
        n, solver = geometry.n_atoms, self.solver
        potentials, forces, virial, mean = np.zeros(n), np.zeros((n, 3)), np.zeros((3, 3)), 0.0
        if solver.width is None:
            interaction, _, mean = fitted(self.mesh.alpha, solver.cutoff)
            virial = sum_near_pairs(geometry, interaction, charges, potentials, forces, self.threads)
        positions = np.ascontiguousarray(geometry.positions)
        return self._with_far_part(positions, geometry.cell, charges, potentials, forces, virial, mean)

    def solve_listed(
        self, pairs: HalfList, positions: np.ndarray, cell: np.ndarray, charges: np.ndarray
    ) -> tuple[CoulombResult, float]:
        """Return the result for a list that was made with a larger cutoff, and the smallest distance.

        Parameters
        ----------
        pairs : HalfList
        positions, cell : (N, 3), (3, 3) float64, Å
        charges : (N,) float64, e

        Returns
        -------
        result : CoulombResult
        closest : float, Å
            Infinite without pairs, and for Gaussian charges, which need none.
        """
        from electrolyte_ml.kernels.coulomb_listed import collect_results, listed_pairs_sum, place_charges

        n, solver, closest = len(charges), self.solver, math.inf
        potentials, forces, virial, mean = np.zeros(n), np.zeros((n, 3)), np.zeros((3, 3)), 0.0
        if solver.width is None:
            interaction, _, mean = fitted(self.mesh.alpha, solver.cutoff)
            place_charges(positions, cell, charges, pairs)
            results = np.empty((self.threads, n, 4))
            ends = thread_ranges(n, self.threads)
            calls = [(*pair, pairs, interaction, results[thread]) for thread, pair in enumerate(ends)]
            for of_thread, square in run(listed_pairs_sum, calls, self.threads):
                virial += of_thread
                closest = min(closest, math.sqrt(square))
            collect_results(results, potentials, forces)
        return self._with_far_part(positions, cell, charges, potentials, forces, virial, mean), closest

    def _with_far_part(
        self,
        positions: np.ndarray,
        cell: np.ndarray,
        charges: np.ndarray,
        potentials: np.ndarray,
        forces: np.ndarray,
        virial: np.ndarray,
        mean: float,
    ) -> CoulombResult:
        """Add the reciprocal-space part; `mean` (Å²) is the integral of the real-space interaction over all space."""
        from electrolyte_ml.kernels.mesh import gather_potentials, spread_charges, transform

        if cell.tobytes() != self._cell:
            self._cell, self._inverse, self._volume = cell.tobytes(), inverse_of(cell), abs(float(np.linalg.det(cell)))
        where = positions, self._inverse, charges, self.mesh
        ends = thread_ranges(len(charges), self.threads)
        run(spread_charges, [(thread, *pair, *where) for thread, pair in enumerate(ends)], self.threads)
        virial += transform(self._inverse, self._volume, self.mesh)[1]
        run(gather_potentials, [(*pair, *where, potentials, forces) for pair in ends], self.threads)
        return completed(charges, potentials, forces, virial, self.mesh.alpha, mean / self._volume)


def empty_mesh(splitting: MeshSplitting, threads: int = 1) -> Mesh:
    """Return the arrays of a mesh, for any cell."""
    from electrolyte_ml.kernels.mesh import LANES, Mesh

    alpha, order, (nx, ny, nz) = splitting
    kept = nz // 2 + 1
    width = -(-2 * kept // LANES) * LANES  # length of a row of waves
    factors_z = np.zeros((1, width))
    factors_z[0, : 2 * kept] = np.repeat(wave_factors(nz, order)[:kept], 2)
    waves = np.zeros((nx * ny, width))
    return Mesh(
        shape=(nx, ny, nz),
        alpha=alpha,
        table=spline_table(order),
        factors_x=wave_factors(nx, order),
        factors_y=wave_factors(ny, order),
        factors_z=factors_z,
        number=np.repeat(np.arange(width / 2.0), 2)[None],
        lines=np.empty((threads, nx * ny, nz + LANES)),
        waves=waves,
        spectrum=waves.view(complex).reshape(nx, ny, width // 2)[:, :, :kept],
        influence=np.empty((nx * ny, width)),
        stretch=np.empty((nx * ny, width)),
        inverse=np.full((3, 3), math.nan),
    )
