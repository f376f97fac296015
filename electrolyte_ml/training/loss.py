"""The loss of eq. (10) over a set of labelled configurations, and its exact gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..potentials.graph import Graph
from ..potentials.mtp import MomentTensorPotential
from ..potentials.neighbourhoods import Neighbourhoods
from ..threads import available, run
from ..units import GPA

if TYPE_CHECKING:
    from ase import Atoms

VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
SHARES = 16  # of the work, whatever the number of threads: sums are then made in the same order on every machine


@dataclass(frozen=True)
class Weights:
    """Weights of eq. (10): of energies, of forces, and of virials (off in the paper)."""

    energy: float = 1.0
    force: float = 0.01
    stress: float = 0.0

    def __post_init__(self) -> None:
        values = (self.energy, self.force, self.stress)
        if not all(np.isfinite(values)) or min(values) < 0 or max(values) == 0:
            raise InputError(f"weights {values} must be numbers, none negative, not all zero")


class TrainingSet:
    """Labelled configurations prepared for the kernels: neighbours once, everything in flat arrays.

    Parameters
    ----------
    configurations : sequence of ase.Atoms
        With energies and forces (and stresses, where there are any) in their calculators' results. A configuration
        without a label of a kind takes no part in that kind's term; it needs energy or forces.
    potential : MomentTensorPotential
        Decides species and cutoff.

    Raises
    ------
    InputError
        Naming the configuration (the first is number 1): no labels, labels that are not numbers or of the wrong shape,
        unknown species, overlapping atoms.
    """

    def __init__(self, configurations: Sequence[Atoms], potential: MomentTensorPotential) -> None:
        if len(configurations) == 0:
            raise InputError("no configurations to train on")
        prepared, labels = [], []
        for number, atoms in enumerate(configurations, start=1):
            try:
                prepared.append(potential.neighbourhoods(atoms))
                labels.append(_labels(atoms))
            except InputError as error:
                raise InputError(f"configuration {number}: {error}") from None
        self._assemble(len(potential.species), prepared, labels)

    def _assemble(self, n_species: int, prepared: list[Neighbourhoods], labels: list[tuple]) -> None:
        self.n_species = n_species
        self.sizes = np.array([len(near.species) for near in prepared])
        self.first = np.concatenate([[0], np.cumsum(self.sizes)])
        pairs = np.concatenate([[0], np.cumsum([len(near.index) for near in prepared])])
        self.species = np.concatenate([near.species for near in prepared])
        self.segment = np.concatenate([near.segment + p for near, p in zip(prepared, pairs)])
        self.index = np.concatenate([near.index + np.int32(a) for near, a in zip(prepared, self.first)]).astype(
            np.int32
        )
        self.vector = np.concatenate([near.vector for near in prepared], axis=1)
        self.volumes = np.array([near.volume or np.nan for near in prepared])
        self.counts = np.array([np.bincount(near.species, minlength=self.n_species) for near in prepared], dtype=float)
        # Missing labels are NaN: their residuals are set to zero.
        self.energies = np.array([energy for energy, _, _ in labels])
        self.forces = np.concatenate([forces for _, forces, _ in labels])
        self.virials = np.array([stress for _, _, stress in labels]) * self.volumes[:, None, None]
        self.isolated = np.flatnonzero((self.sizes == 1) & (np.diff(pairs) == 0) & np.isfinite(self.energies))

    def subset(self, numbers: Sequence[int]) -> TrainingSet:
        """Some of the configurations."""
        prepared, labels = [], []
        for k in numbers:
            a, b = self.first[k], self.first[k + 1]
            p, q = self.segment[a, 0], self.segment[b - 1, -1]
            volume = self.volumes[k] if np.isfinite(self.volumes[k]) else None
            prepared.append(
                Neighbourhoods(
                    self.species[a:b], self.segment[a:b] - p, self.index[p:q] - np.int32(a), self.vector[:, p:q], volume
                )
            )
            labels.append((self.energies[k], self.forces[a:b], self.virials[k] / self.volumes[k]))
        chosen = TrainingSet.__new__(TrainingSet)
        chosen._assemble(self.n_species, prepared, labels)
        return chosen

    def __len__(self) -> int:
        return len(self.sizes)

    def shares(self, n: int) -> np.ndarray:
        """Bounds of at most `n` runs of whole configurations with about as many pairs each."""
        work = np.concatenate(
            [[0], np.cumsum(self.segment[self.first[1:] - 1, -1] - self.segment[self.first[:-1], 0] + 8 * self.sizes)]
        )
        cuts = np.searchsorted(work, np.linspace(0, work[-1], n + 1)[1:-1])
        return self.first[np.unique(np.concatenate([[0], cuts, [len(self)]]))]


def _labels(atoms: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces (N, 3) and stress (3, 3), NaN where there is none."""
    if len(atoms) == 0:
        raise InputError("it has no atoms")
    results = {} if atoms.calc is None else atoms.calc.results
    if results.get("energy") is None and results.get("forces") is None:
        raise InputError("it carries neither energy nor forces")
    energy = _label(results, "energy", ())
    forces = _label(results, "forces", (len(atoms), 3))
    if np.shape(results.get("stress")) == (3, 3):
        return float(energy), forces, _label(results, "stress", (3, 3))
    stress = np.empty((3, 3))
    stress[VOIGT] = stress[VOIGT[::-1]] = _label(results, "stress", (6,))
    return float(energy), forces, stress


def _label(results: dict, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if results.get(name) is None:
        return np.full(shape, np.nan)
    label = np.asarray(results[name], float)
    if label.shape != shape:
        raise InputError(f"its {name} label has shape {label.shape}, need {shape}")
    if not np.isfinite(label).all():
        raise InputError(f"its {name} label is not a number")
    return label


@dataclass(frozen=True)
class Errors:
    """Errors on a set of configurations.

    Energies per atom in eV, forces by component in eV/Å, stresses by component in GPa; NaN where nothing was labelled.
    `pressure_bias` is the mean of the potential's pressure minus the reference's, GPa. It shifts a density
    by the compressibility times it: a liquid's by 4 to 5 % for 0.1 GPa.
    """

    energy_rmse: float
    energy_mae: float
    force_rmse: float
    force_mae: float
    stress_rmse: float
    stress_mae: float
    pressure_bias: float
    n_configurations: int

    def __str__(self) -> str:
        parts = [
            f"energy {1e3 * self.energy_rmse:.2f} meV/atom RMSE ({1e3 * self.energy_mae:.2f} MAE)",
            f"forces {self.force_rmse:.4f} eV/Å RMSE ({self.force_mae:.4f} MAE)",
            f"stress {self.stress_rmse:.3f} GPa RMSE ({self.stress_mae:.3f} MAE, pressure {self.pressure_bias:+.3f})",
        ]
        labelled = np.isfinite([self.energy_rmse, self.force_rmse, self.stress_rmse])
        said = [part for part, is_labelled in zip(parts, labelled, strict=True) if is_labelled]
        return ", ".join([*said, f"{self.n_configurations} configurations"])


@dataclass(frozen=True)
class Residuals:
    """Prediction minus label of every configuration and atom, zero where there is no label."""

    energy: np.ndarray  # (K,)
    forces: np.ndarray  # (N, 3)
    virial: np.ndarray  # (K, 3, 3)


class Loss:
    """Eq. (10) averaged over the K configurations, as a function of the parameters.

        L = 1/K sum_k [ w_e/N_k (E_k - E_k^ref)^2 + w_f sum_i |F_i - F_i^ref|^2
                        + w_s/N_k sum_ab (V sigma - V sigma^ref)^2_ab ]

    Parameters
    ----------
    potential : MomentTensorPotential
        Its basis, species, cutoff and scaling.
    data : TrainingSet
    weights : Weights
    threads : int, optional
        All cores by default; the result does not depend on it, not in a bit.
    """

    def __init__(
        self, potential: MomentTensorPotential, data: TrainingSet, weights: Weights, threads: int | None = None
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        self.potential, self.data, self.weights = potential, data, weights
        self.threads = threads or available()
        bounds = data.shares(SHARES)
        self.shares = list(pairwise(bounds.tolist()))
        self.owner = np.repeat(np.arange(len(data)), data.sizes)

    def sample(self, numbers: Sequence[int]) -> Loss:
        """The loss over some of the configurations."""
        return Loss(self.potential, self.data.subset(numbers), self.weights, self.threads)

    def rows(self) -> np.ndarray:
        """(K,) how many numbers of each configuration are labelled and have a weight."""
        data, w = self.data, self.weights
        forces = np.add.reduceat(np.isfinite(data.forces).sum(1), data.first[:-1])
        rows = np.isfinite(data.energies) * bool(w.energy) + forces * bool(w.force)
        return rows + np.isfinite(data.virials).sum((1, 2)) * bool(w.stress)

    def residuals(self, parameters: np.ndarray) -> Residuals:
        """Prediction minus label, zero where there is no label."""
        from ..kernels.energy_forces import energy_forces

        data, potential = self.data, self.potential.with_parameters(parameters)
        n = len(data.species)
        energies, forces, virials = np.zeros(n), np.zeros((n, 3)), np.zeros((n, 3, 3))
        arguments = (
            potential.graph, *potential.coefficients, potential.radial, potential.shifts, potential.min_distance,
            potential.cutoff, potential.scaling, data.species, data.segment, data.index, data.vector,
            energies, forces, virials,
        )  # fmt: skip
        # A share is whole configurations: no force is written by two threads.
        run(energy_forces, [(a, b, *arguments) for a, b in self.shares], self.threads)
        energy = np.add.reduceat(energies, data.first[:-1])
        virial = np.add.reduceat(virials, data.first[:-1])
        return Residuals(
            np.where(np.isfinite(data.energies), energy - data.energies, 0.0),
            np.where(np.isfinite(data.forces), forces - data.forces, 0.0),
            np.where(np.isfinite(data.virials), (virial + virial.transpose(0, 2, 1)) / 2 - data.virials, 0.0),
        )

    def value(self, residuals: Residuals) -> float:
        """The loss of given residuals."""
        data, w = self.data, self.weights
        with np.errstate(over="ignore"):  # a step too far may end anywhere; infinite is an answer
            total = w.energy * (residuals.energy**2 / data.sizes).sum() + w.force * (residuals.forces**2).sum()
            total += w.stress * ((residuals.virial**2).sum((1, 2)) / data.sizes).sum()
        return float(total / len(data))

    def __call__(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Loss and gradient (n_parameters,)."""
        from ..kernels.training_gradient import training_gradient

        data, w, k = self.data, self.weights, len(self.data)
        residuals = self.residuals(parameters)
        value = self.value(residuals)
        if not np.isfinite(value):
            return np.inf, np.zeros_like(parameters)
        potential = self.potential.with_parameters(parameters)
        alpha = 2 * w.energy / k * residuals.energy / data.sizes
        stretch = 2 * w.stress / k * residuals.virial / data.sizes[:, None, None]
        graph, shares = potential.graph, len(self.shares)
        by_radial = np.zeros((shares, *potential.radial.shape))
        by_node, by_pair = np.zeros((shares, len(graph.linear_node))), np.zeros((shares, len(graph.pair_left)))
        arguments = (
            graph, *potential.coefficients, potential.radial, potential.min_distance, potential.cutoff,
            potential.scaling, data.species, data.segment, data.index, data.vector,
            alpha[self.owner], 2 * w.force / k * residuals.forces, stretch[self.owner],
        )  # fmt: skip
        run(
            training_gradient,
            [(a, b, *arguments, by_radial[c], by_node[c], by_pair[c]) for c, (a, b) in enumerate(self.shares)],
            self.threads,
        )
        by_scalar = scalar_gradient(graph, by_node.sum(0), by_pair.sum(0))
        return value, np.concatenate([by_radial.sum(0).ravel(), alpha @ data.counts, by_scalar])

    def errors(self, parameters: np.ndarray) -> Errors:
        """RMSE and MAE of energies per atom, force components and stress components; the bias of the pressure."""
        residuals = self.residuals(parameters)
        data = self.data
        energy = (residuals.energy / data.sizes)[np.isfinite(data.energies)]
        forces = residuals.forces[np.isfinite(data.forces)]
        labelled = np.isfinite(data.virials).all((1, 2))
        stress = (residuals.virial[labelled] / data.volumes[labelled, None, None])[:, VOIGT[0], VOIGT[1]] * GPA
        return Errors(
            *(f(values) for values in (energy, forces, stress) for f in (_rmse, _mae)),
            pressure_bias=float(-stress[:, :3].mean()) if len(stress) else float("nan"),
            n_configurations=len(data),
        )


def weighted_residuals(loss: Loss, residuals: Residuals) -> np.ndarray:
    """All residuals in one vector, weighted so that half its square is the loss: (sum of `Loss.rows`,)."""
    data, w, k = loss.data, loss.weights, len(loss.data)
    per_atom = np.sqrt(2 / k / data.sizes)
    parts = [np.zeros(0)]
    if w.energy:
        parts.append(np.sqrt(w.energy) * (per_atom * residuals.energy)[np.isfinite(data.energies)])
    if w.force:
        parts.append(np.sqrt(2 * w.force / k) * residuals.forces[np.isfinite(data.forces)])
    if w.stress:
        parts.append(np.sqrt(w.stress) * (per_atom[:, None, None] * residuals.virial)[np.isfinite(data.virials)])
    return np.concatenate(parts)


def scalar_gradient(graph: Graph, by_node: np.ndarray, by_pair: np.ndarray) -> np.ndarray:
    """Derivatives by the coefficients xi from those by nodes and leaf products."""
    gradient = np.zeros(len(graph.linear_scalar) + len(graph.leaf_scalar))
    gradient[graph.linear_scalar] = by_node
    sums = np.concatenate([[0.0], np.cumsum(graph.leaf_factor * by_pair[graph.leaf_pair])])
    gradient[graph.leaf_scalar] = sums[graph.leaf_first[1:]] - sums[graph.leaf_first[:-1]]
    return gradient


def _rmse(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")


def _mae(values: np.ndarray) -> float:
    return float(np.mean(np.abs(values))) if values.size else float("nan")


def evaluate_errors(potential: MomentTensorPotential, configurations: Sequence[Atoms]) -> Errors:
    """Errors of a potential on labelled configurations.

    Raises
    ------
    InputError
        Naming the configuration that has no labels or does not fit the potential.
    """
    return Loss(potential, TrainingSet(configurations, potential), Weights()).errors(potential.parameters)
