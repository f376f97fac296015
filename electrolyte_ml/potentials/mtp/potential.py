"""Moment tensor potential: parameters, energy, forces, stress, and derivatives by the parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.kernels.arrays import Cotangents, Model, Neighbours
from electrolyte_ml.potentials.blocks import SHIFTS, Block
from electrolyte_ml.potentials.geometry import Geometry, System
from electrolyte_ml.potentials.interface import Evaluation, Stepper, TrainingTerm
from electrolyte_ml.potentials.mtp.basis import MAX_CUTOFF, MOST_RADIAL, Basis, basis, check_level
from electrolyte_ml.potentials.mtp.graph import Graph, compile_graph
from electrolyte_ml.potentials.mtp.text import compose, parse
from electrolyte_ml.potentials.potential import Potential
from electrolyte_ml.threads import default_threads, run

if TYPE_CHECKING:
    from ase import Atoms

    from electrolyte_ml.potentials.spec import ModelSpec

PRECISIONS = ("double", "mixed")


@lru_cache(maxsize=32)
def _graph(level: int) -> Graph:
    return compile_graph(basis(level))


@dataclass(eq=False)
class MomentTensorPotential(Potential):
    """Moment tensor potential (Shapeev 2016; eqs. 1-6 of Chalykh et al.).

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
        Factor of the radial basis.
    reference : str or None
        Name of the reference that labelled the training data, shown in figures.
    precision : {"double", "mixed"}
        Precision of energies, forces and stresses, see `with_precision`.

    Notes
    -----
    Do not change the arrays in place, because the kernels use data derived from them once; use `with_parameters`.

    Raises
    ------
    InputError
        Shapes do not agree, species are repeated or unknown, or the cutoff is not above the minimal distance or exceeds
        `MAX_CUTOFF`.
    """

    kind: ClassVar[str] = "mtp"
    suffix: ClassVar[str] = ".mtp"

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
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r}: there are {' and '.join(PRECISIONS)}")
        unknown = [s for s in self.species if s not in atomic_numbers or s == "X"]
        if unknown or not self.species or len(set(self.species)) != len(self.species):
            raise InputError(f"species {' '.join(self.species) or '(none)'}: give distinct chemical symbols")
        if not 0 <= self.min_distance < self.cutoff < np.inf:
            raise InputError(f"cutoff {self.cutoff} Å must be above the minimal distance {self.min_distance} Å >= 0")
        if self.cutoff > MAX_CUTOFF:
            raise InputError(f"cutoff {self.cutoff} Å is above {MAX_CUTOFF:g} Å: neighbours would fill the memory")
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
        species: Sequence[str],
        *,
        seed: int = 0,
        cutoff: float = 5.0,
        min_distance: float = 0.9,
        radial_basis_size: int = 8,
        scaling: float = 0.01,
    ) -> MomentTensorPotential:
        """Return a potential with parameters drawn from U(-1, 1), the start of fits in the paper."""
        table = basis(check_level(level))
        if not 1 <= radial_basis_size <= MOST_RADIAL:
            raise InputError(f"radial basis size {radial_basis_size} must be from 1 to {MOST_RADIAL}")
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

    @classmethod
    def from_spec(cls, spec: ModelSpec, species: tuple[str, ...], seed: int) -> MomentTensorPotential:
        """Return the potential of a `ModelSpec`, with parameters drawn from U(-1, 1)."""
        return cls.random(
            spec.level,
            species,
            seed=seed,
            cutoff=spec.cutoff,
            min_distance=spec.min_distance,
            radial_basis_size=spec.radial_basis_size,
            scaling=spec.scaling,
        )

    @property
    def level(self) -> int | None:
        """Level of the basis; None for tables of another program whose counts match no level."""
        return self.basis.level

    @property
    def radial_basis_size(self) -> int:
        """Number of Chebyshev polynomials in each radial function."""
        return self.radial.shape[3]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Radial coefficients (S, S, R, size) in C order, shifts, moment coefficients: the order of MLIP."""
        return (
            Block("radial", self.radial.size, "nonlinear"),
            Block(SHIFTS, self.shifts.size, "linear"),
            Block("moments", self.moments.size, "linear"),
        )

    @property
    def parameters(self) -> np.ndarray:
        """(n_parameters,) in the order of `blocks`, a copy."""
        return np.concatenate([self.radial.ravel(), self.shifts, self.moments])

    def with_parameters(self, parameters: np.ndarray) -> MomentTensorPotential:
        """Return the same model with other parameters.

        Raises
        ------
        InputError
            The number of parameters is not `n_parameters`.
        """
        theta = self.checked(parameters)
        a, b = self.radial.size, self.radial.size + self.shifts.size
        other = replace(self, radial=theta[:a].reshape(self.radial.shape), shifts=theta[a:b], moments=theta[b:])
        other.__dict__["graph"] = self.graph  # depends only on the basis
        return other

    def copy(self) -> MomentTensorPotential:
        """Return a copy of the potential with its own arrays."""
        return self.with_parameters(self.parameters)

    def facts(self) -> dict[str, Any]:
        """Return level, species, the numbers of functions and parameters, distances (Å), scaling and reference."""
        return {
            "level": self.level,
            "species": list(self.species),
            "basis_functions": len(self.moments),
            "radial_functions": self.radial.shape[2],
            "radial_basis_size": self.radial_basis_size,
            "parameters": self.n_parameters,
            "cutoff": self.cutoff,
            "min_distance": self.min_distance,
            "scaling": self.scaling,
            "reference": self.reference,
        }

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all data that determine the results of this potential."""
        text = repr((self.species, self.cutoff, self.min_distance, self.scaling))
        tables = (self.basis.basic, self.basis.products, self.basis.scalars, self.parameters)
        return hashlib.sha256(text.encode() + b"".join(np.ascontiguousarray(t).tobytes() for t in tables)).hexdigest()

    @cached_property
    def graph(self) -> Graph:
        """Basis as read by the kernels."""
        generated = self.level is not None and self.basis.contractions
        return _graph(self.level) if generated else compile_graph(self.basis)

    @cached_property
    def model(self) -> Model:
        """Potential as read by the kernels of energies and forces."""
        if self.precision == "double":
            return self.double_model
        return self.double_model._replace(radial=self.radial.astype(np.float32))

    @cached_property
    def double_model(self) -> Model:
        """Potential in double precision, which derivatives by the parameters always use."""
        linear, quad = kernel_coefficients(self.graph, self.moments)
        bounds = float(self.min_distance), float(self.cutoff), float(self.scaling)
        return Model(self.graph, linear, quad, self.radial, self.shifts, *bounds)

    def with_precision(self, precision: str) -> MomentTensorPotential:
        """Return the same potential with energies, forces and stresses in another precision.

        In "mixed" precision, quantities of pairs (distance, radial functions, powers, force) and their sums over the
        neighbours of an atom are float32, in vectors twice as long; moments, their products, energies and sums over
        atoms are float64. This is 1.2 to 1.3 times faster. For random potentials of levels 8 to 20 in liquid EC, forces
        differ by at most 3e-6 of the largest one, energy and stress by a relative 2e-6. Derivatives by the parameters,
        and therefore training and grades, are always in double precision.

        Raises
        ------
        InputError
            The precision is neither "double" nor "mixed".
        """
        return replace(self, precision=precision)

    def geometry(self, atoms: Atoms | Geometry) -> Geometry:
        """Return a checked configuration with its pairs within the cutoff; the pairs may have gaps."""
        if isinstance(atoms, Geometry) and (atoms.system.symbols, atoms.cutoff) == (self.species, self.cutoff):
            return atoms
        return super().geometry(atoms)

    def evaluate(self, atoms: Atoms | Geometry, threads: int | None = None) -> Evaluation:
        """Return energy, site energies, forces and virial.

        Parameters
        ----------
        atoms : ase.Atoms or Geometry
        threads : int, optional
            By default one per core, but fewer if a thread would have less than 128 atoms. The same number of threads
            gives bitwise identical results.
        """
        from electrolyte_ml.kernels.energy_forces import energy_forces

        geometry = self.geometry(atoms)
        n = geometry.n_atoms
        ranges = _ranges(n, threads or default_threads(n))
        energies, virials = np.zeros(n), np.zeros((n, 3, 3))
        forces = np.zeros((len(ranges), n, 3))  # per thread: its atoms exert forces on atoms of other ranges
        run(
            energy_forces,
            [(a, b, self.model, geometry.near, energies, forces[k], virials) for k, (a, b) in enumerate(ranges)],
            len(ranges),
        )
        return Evaluation(float(energies.sum()), forces.sum(0), energies, virials.sum(0), geometry.volume)

    def pullback(
        self, atoms: Atoms | Geometry, by_energies: np.ndarray, by_forces: np.ndarray, by_virial: np.ndarray
    ) -> np.ndarray:
        """Return dL/dtheta (m,) from dL/dE_i (N,), dL/dF (N, 3) and dL/dVirial (3, 3), symmetric."""
        from electrolyte_ml.potentials.mtp.term import model_pullback

        geometry = self.geometry(atoms)
        species, n = geometry.system.species, geometry.n_atoms
        cotangents = Cotangents(
            np.array(by_energies, float), np.array(by_forces, float), np.tile(np.asarray(by_virial, float), (n, 1, 1))
        )
        by_shifts = np.bincount(species, cotangents.energy, minlength=len(self.species))
        threads = default_threads(n)
        return model_pullback(self, geometry.near, cotangents, by_shifts, _ranges(n, threads), threads)

    def site_energy_gradients(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE_i/dtheta of each atom, (N, n_parameters)."""
        near = self.geometry(atoms).near
        radial, scalars = self._site_gradients(near)
        n = len(near.species)
        rows = np.zeros((n, self.n_parameters))
        by_centre = rows[:, : self.radial.size].reshape(n, len(self.species), self.radial[0].size)
        by_centre[np.arange(n), near.species] = radial.reshape(n, self.radial[0].size)
        rows[np.arange(n), self.radial.size + near.species] = 1.0
        rows[:, self.radial.size + len(self.species) :] = scalars
        return rows

    def energy_gradient(self, atoms: Atoms | Geometry) -> np.ndarray:
        """Return dE/dtheta (n_parameters,): the row of a configuration in the MaxVol matrix (eq. 12)."""
        near = self.geometry(atoms).near
        radial, scalars = self._site_gradients(near)
        by_centre = np.zeros((len(self.species), self.radial[0].size))
        for s in range(len(self.species)):
            by_centre[s] = radial[near.species == s].sum(0).ravel()
        counts = np.bincount(near.species, minlength=len(self.species)).astype(float)
        return np.concatenate([by_centre.ravel(), counts, scalars.sum(0)])

    def _site_gradients(self, near: Neighbours) -> tuple[np.ndarray, np.ndarray]:
        from electrolyte_ml.kernels.site_gradients import site_gradients

        n = len(near.species)
        threads = default_threads(n)
        if threads == 1:
            return site_gradients(self.double_model, near)
        calls = [
            (self.double_model, near._replace(species=near.species[a:b], segment=near.segment[a:b]))
            for a, b in _ranges(n, threads)
        ]
        radial, scalars = zip(*run(site_gradients, calls, threads), strict=True)
        return np.concatenate(radial), np.concatenate(scalars)

    def prepare(self, geometries: Sequence[Geometry]) -> TrainingTerm:
        """Return the training term with the neighbours of all configurations in flat arrays."""
        from electrolyte_ml.potentials.mtp.term import MtpTerm

        return MtpTerm(self, [self.geometry(geometry).compact().near for geometry in geometries])

    def stepper(self, system: System, threads: int = 1) -> Stepper:
        """Return a stepper that takes many time steps in one compiled call."""
        from electrolyte_ml.potentials.mtp.stepper import MtpStepper

        return MtpStepper(self, system, threads)

    def to_text(self) -> str:
        """Return the content of an MLIP `.mtp` file, which motep, MLIP and LAMMPS can read."""
        return compose(self)

    def file_content(self) -> str:
        """Return the same as `to_text`: a single moment tensor potential is stored as an MLIP file."""
        return self.to_text()

    @classmethod
    def from_text(
        cls, text: str, source: str, species: tuple[str, ...] | None = None, seed: int | None = None
    ) -> MomentTensorPotential:
        """Read the text of a `.mtp` file of MLIP, motep, LAMMPS or this package.

        With a `seed`, missing parameters of an untrained file are drawn at random.

        Raises
        ------
        InputError
            The text cannot be read; the message names source and line.
        """
        content = parse(text, source, species, draw=None if seed is None else np.random.default_rng(seed))
        try:
            return cls(**content)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None


def _ranges(n: int, parts: int) -> list[tuple[int, int]]:
    """Return the bounds of nearly equal ranges of n atoms."""
    return [(n * k // parts, n * (k + 1) // parts) for k in range(parts)]


def kernel_coefficients(graph: Graph, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Arrange the coefficients xi for a `Graph`: (n_nodes,) of the nodes, and the factors of `quad_other`."""
    linear = np.zeros(graph.n_nodes)
    np.add.at(linear, graph.linear_node, moments[graph.linear_scalar])
    per_term = np.repeat(moments[graph.leaf_scalar], np.diff(graph.leaf_first)) * graph.leaf_factor
    weight = np.bincount(graph.leaf_pair, per_term, minlength=len(graph.pair_left))
    return linear, graph.quad_factor * weight[graph.quad_pair]
