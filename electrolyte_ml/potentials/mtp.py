"""The moment tensor potential: parameters, energy, forces, stress, and derivatives by the parameters."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..threads import available, run
from .basis import MAX_CUTOFF, Basis, basis, check_level
from .graph import Graph, compile_graph
from .neighbourhoods import Neighbourhoods, neighbourhoods, species_indices

if TYPE_CHECKING:
    from ase import Atoms

    from .calculator import PotentialCalculator

ATOMS_PER_THREAD = 128  # at least: of fewer, 0.2 ms at level 16, a thread is mostly waited for


@dataclass(frozen=True)
class Evaluation:
    """What a potential says of one configuration.

    Attributes
    ----------
    energy : float, eV
    forces : (N, 3), eV/Å
    energies : (N,), eV
        Site energies; their sum is the energy.
    virial : (3, 3), eV
        sum_ij r_ij (x) dE_i/dr_ij, symmetric to rounding; it is V times the stress tensor.
    volume : float or None, Å^3
        None where the cell is not periodic along all three axes.
    """

    energy: float
    forces: np.ndarray
    energies: np.ndarray
    virial: np.ndarray
    volume: float | None

    @property
    def stress(self) -> np.ndarray | None:
        """(6,) eV/Å^3 in ASE's sign and order (xx yy zz yz xz xy), or None without a volume."""
        if self.volume is None:
            return None
        sigma = (self.virial + self.virial.T) / (2 * self.volume)
        return sigma[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


@lru_cache(maxsize=32)
def _graph(level: int) -> Graph:
    return compile_graph(basis(level))


@dataclass(eq=False)
class MomentTensorPotential:
    """A moment tensor potential (Shapeev 2016; eq. 1-6 of Chalykh et al.).

    E = sum_i ( shift[z_i] + sum_alpha xi_alpha B_alpha(n_i) ), with the basis functions of `basis` and radial functions

        f_mu(r) = sum_beta c[z_i, z_j, mu, beta] scaling (cutoff - r)^2 T_beta(xi),
        xi = (2 r - (min_distance + cutoff)) / (cutoff - min_distance).

    Parameters
    ----------
    basis : Basis
    species : tuple of str
        Chemical symbols; the order is that of the parameters.
    radial : (S, S, R, size) array
        c[centre, neighbour, mu, beta].
    shifts : (S,) array, eV
    moments : (n_scalars,) array, eV
        xi_alpha.
    cutoff, min_distance : float, Å
    scaling : float
        Multiplies the radial basis.
    reference : str or None
        Name of the reference that labelled the training data; figures show it.
    precision : {"double", "mixed"}
        Of energies, forces and stresses, see `with_precision`.

    Notes
    -----
    The arrays are not to be changed in place (what the kernels need of them is made once): `with_parameters` gives a
    potential with others.

    Raises
    ------
    InputError
        On shapes that do not fit, repeated or unknown species, a cutoff that is not above the minimal distance, or
        beyond `MAX_CUTOFF`.
    """

    basis: Basis
    species: tuple[str, ...]
    radial: np.ndarray = field(repr=False)
    shifts: np.ndarray = field(repr=False)
    moments: np.ndarray = field(repr=False)
    cutoff: float = 5.0
    min_distance: float = 0.9
    scaling: float = 0.01
    reference: str | None = None
    precision: str = "double"

    def __post_init__(self) -> None:
        from ase.data import atomic_numbers

        self.species = tuple(self.species)
        self.radial = np.array(self.radial, dtype=np.float64, order="C")
        self.shifts = np.array(self.shifts, dtype=np.float64)
        self.moments = np.array(self.moments, dtype=np.float64)
        if self.precision not in ("double", "mixed"):
            raise InputError(f"precision {self.precision!r}: there are double and mixed")
        unknown = [s for s in self.species if s not in atomic_numbers or s == "X"]
        if unknown or not self.species or len(set(self.species)) != len(self.species):
            raise InputError(f"species {' '.join(self.species) or '(none)'}: give distinct chemical symbols")
        if not 0 <= self.min_distance < self.cutoff < np.inf:
            raise InputError(f"cutoff {self.cutoff} Å must be above the minimal distance {self.min_distance} Å >= 0")
        if self.cutoff > MAX_CUTOFF:
            raise InputError(f"cutoff {self.cutoff} Å is above {MAX_CUTOFF:g} Å, where neighbours fill the memory")
        s = len(self.species)
        if self.radial.ndim != 4 or self.radial.shape[:3] != (s, s, self.basis.n_radial) or self.radial.shape[3] < 1:
            raise InputError(
                f"radial coefficients have shape {self.radial.shape}, need {(s, s, self.basis.n_radial, 'size')}"
            )
        if self.shifts.shape != (s,) or self.moments.shape != (self.basis.n_scalars,):
            raise InputError(f"need {s} shifts and {self.basis.n_scalars} moment coefficients")

    @classmethod
    def random(
        cls,
        level: int,
        species: tuple[str, ...] | list[str],
        *,
        seed: int = 0,
        cutoff: float = 5.0,
        min_distance: float = 0.9,
        radial_basis_size: int = 8,
        scaling: float = 0.01,
    ) -> MomentTensorPotential:
        """A potential with parameters drawn from U(-1, 1), as the paper starts its fits."""
        table = basis(check_level(level))
        if radial_basis_size < 1:
            raise InputError(f"radial basis size {radial_basis_size} must be at least 1")
        draw = np.random.default_rng(seed).uniform
        s = len(species)
        return cls(
            basis=table,
            species=tuple(species),
            radial=draw(-1, 1, (s, s, table.n_radial, radial_basis_size)),
            shifts=draw(-1, 1, s),
            moments=draw(-1, 1, table.n_scalars),
            cutoff=cutoff,
            min_distance=min_distance,
            scaling=scaling,
        )

    @property
    def level(self) -> int | None:
        """Of the basis; None for tables of another program that match no level's count."""
        return self.basis.level

    @property
    def radial_basis_size(self) -> int:
        """Chebyshev polynomials in each radial function."""
        return self.radial.shape[3]

    @property
    def n_parameters(self) -> int:
        """Radial coefficients, shifts and moment coefficients together."""
        return self.radial.size + self.shifts.size + self.moments.size

    @property
    def parameters(self) -> np.ndarray:
        """(n_parameters,) radial (S, S, R, size) in C order, shifts, moment coefficients: MLIP's order. A copy."""
        return np.concatenate([self.radial.ravel(), self.shifts, self.moments])

    def with_parameters(self, parameters: np.ndarray) -> MomentTensorPotential:
        """The same model with other parameters.

        Raises
        ------
        InputError
            If their number is not `n_parameters`.
        """
        theta = np.asarray(parameters, dtype=np.float64)
        if theta.shape != (self.n_parameters,):
            raise InputError(f"{theta.shape} parameters do not fit a potential of {self.n_parameters}")
        a, b = self.radial.size, self.radial.size + self.shifts.size
        return replace(self, radial=theta[:a].reshape(self.radial.shape), shifts=theta[a:b], moments=theta[b:])

    def copy(self) -> MomentTensorPotential:
        """The same potential in arrays of its own."""
        return self.with_parameters(self.parameters)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything that decides what this potential says."""
        text = repr((self.species, self.cutoff, self.min_distance, self.scaling))
        tables = (self.basis.basic, self.basis.products, self.basis.scalars, self.parameters)
        return hashlib.sha256(text.encode() + b"".join(np.ascontiguousarray(t).tobytes() for t in tables)).hexdigest()

    @cached_property
    def graph(self) -> Graph:
        """The basis as the kernels read it."""
        generated = self.level is not None and self.basis.contractions
        return _graph(self.level) if generated else compile_graph(self.basis)

    @cached_property
    def coefficients(self) -> tuple[np.ndarray, np.ndarray]:
        """The linear coefficients as the kernels use them: of the nodes, and of the leaves' quadratic form."""
        return kernel_coefficients(self.graph, self.moments)

    @cached_property
    def kernel_arrays(self) -> tuple:
        """What the kernels of energy and forces take of a potential, in their order."""
        radial = self.radial.astype(np.float32 if self.precision == "mixed" else np.float64)
        return (self.graph, *self.coefficients, radial, self.shifts, self.min_distance, self.cutoff, self.scaling)

    def with_precision(self, precision: str) -> MomentTensorPotential:
        """The same potential with energies, forces and stresses in another precision.

        In "mixed" precision all that is computed for each pair of atoms (distance, radial functions, powers, force) and
        summed over one atom's neighbours is float32, in vectors twice as long, while moments, their products, energies
        and sums over atoms stay float64. That is 1.2 to 1.3 times faster. In liquid EC at levels 8 to 20, random
        potentials, no force differs by more than 3e-6 of the largest one, energy and stress by 2e-6 of themselves.
        Derivatives by the parameters, and so training and grades, are in double precision always.

        Raises
        ------
        InputError
            For anything but "double" and "mixed".
        """
        return replace(self, precision=precision)

    def neighbourhoods(self, atoms: Atoms) -> Neighbourhoods:
        """The pairs within the cutoff; checks the configuration.

        Raises
        ------
        InputError
            Unknown species, NaN, overlapping atoms, a singular cell.
        """
        return neighbourhoods(atoms, species_indices(atoms, self.species), len(self.species), self.cutoff)

    def evaluate(self, atoms: Atoms | Neighbourhoods, threads: int | None = None) -> Evaluation:
        """Energy, site energies, forces and virial.

        Parameters
        ----------
        atoms : ase.Atoms or Neighbourhoods
        threads : int, optional
            By default all cores', unless a thread would have less than 128 atoms. The result is bitwise the same for
            the same number.
        """
        from ..kernels.energy_forces import energy_forces

        near = atoms if isinstance(atoms, Neighbourhoods) else self.neighbourhoods(atoms)
        n = len(near.species)
        threads = threads or default_threads(n)
        arguments = (*self.kernel_arrays, near.species, near.segment, near.index, near.vector)
        energies, virials = np.zeros(n), np.zeros((n, 3, 3))
        forces = np.zeros((threads, n, 3))  # of each thread: its atoms push their neighbours in other shares
        cuts = [n * k // threads for k in range(threads + 1)]
        run(
            energy_forces,
            [(cuts[k], cuts[k + 1], *arguments, energies, forces[k], virials) for k in range(threads)],
            threads,
        )
        return Evaluation(float(energies.sum()), forces.sum(0), energies, virials.sum(0), near.volume)

    def site_energy_gradients(self, atoms: Atoms | Neighbourhoods) -> np.ndarray:
        """(N, n_parameters) derivative of each site energy by every parameter, in the order of `parameters`."""
        near = atoms if isinstance(atoms, Neighbourhoods) else self.neighbourhoods(atoms)
        radial, scalars = self._site_gradients(near)
        n = len(near.species)
        rows = np.zeros((n, self.n_parameters))
        by_centre = rows[:, : self.radial.size].reshape(n, len(self.species), self.radial[0].size)
        by_centre[np.arange(n), near.species] = radial.reshape(n, self.radial[0].size)
        rows[np.arange(n), self.radial.size + near.species] = 1.0
        rows[:, self.radial.size + len(self.species) :] = scalars
        return rows

    def energy_gradient(self, atoms: Atoms | Neighbourhoods) -> np.ndarray:
        """(n_parameters,) derivative of the energy by every parameter: a configuration's row in MaxVol (eq. 12)."""
        near = atoms if isinstance(atoms, Neighbourhoods) else self.neighbourhoods(atoms)
        radial, scalars = self._site_gradients(near)
        by_centre = np.zeros((len(self.species), self.radial[0].size))
        for s in range(len(self.species)):
            by_centre[s] = radial[near.species == s].sum(0).ravel()
        counts = np.bincount(near.species, minlength=len(self.species)).astype(float)
        return np.concatenate([by_centre.ravel(), counts, scalars.sum(0)])

    def _site_gradients(self, near: Neighbourhoods) -> tuple[np.ndarray, np.ndarray]:
        from ..kernels.site_gradients import site_gradients

        linear, quad = self.coefficients
        arguments = (
            self.graph, linear, quad, self.radial, self.moments, self.min_distance, self.cutoff, self.scaling
        )  # fmt: skip
        n = len(near.species)
        threads = default_threads(n)
        shares = [slice(n * k // threads, n * (k + 1) // threads) for k in range(threads)]
        parts = run(
            site_gradients,
            [(*arguments, near.species[share], near.segment[share], near.vector) for share in shares],
            threads,
        )
        return parts[0] if threads == 1 else tuple(np.concatenate(part) for part in zip(*parts))

    def calculator(self, *, skin: float = 1.0, threads: int | None = None) -> PotentialCalculator:
        """An ASE calculator of this potential."""
        from .calculator import PotentialCalculator

        return PotentialCalculator(self, skin=skin, threads=threads)

    def save(self, path: str | Path) -> None:
        """Write an MLIP `.mtp` file, which motep, MLIP and LAMMPS read too."""
        from .files import write_mtp

        write_mtp(path, self)


def default_threads(n: int) -> int:
    """How many threads share so many atoms: all there are, unless that leaves too few atoms to each."""
    return max(1, min(available(), n // ATOMS_PER_THREAD))


def kernel_coefficients(graph: Graph, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients xi arranged for `Graph`: (n_nodes,) of the nodes, and the factors of `quad_other`."""
    linear = np.zeros(graph.n_nodes)
    np.add.at(linear, graph.linear_node, moments[graph.linear_scalar])
    per_term = np.repeat(moments[graph.leaf_scalar], np.diff(graph.leaf_first)) * graph.leaf_factor
    weight = np.bincount(graph.leaf_pair, per_term, minlength=len(graph.pair_left))
    return linear, graph.quad_factor * weight[graph.quad_pair]
