"""Training term of moment tensor potentials: all configurations in flat arrays, divided among threads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from electrolyte_ml.kernels.arrays import Cotangents, ModelGradient, Neighbours
from electrolyte_ml.potentials.interface import Prediction, TrainingTerm
from electrolyte_ml.threads import run

if TYPE_CHECKING:
    from electrolyte_ml.potentials.mtp.graph import Graph
    from electrolyte_ml.potentials.mtp.potential import MomentTensorPotential

RANGES = 16  # fixed number of ranges of atoms: sums then have the same order for any number of threads


class MtpTerm(TrainingTerm):
    """Neighbours of K configurations in flat arrays.

    Parameters
    ----------
    potential : MomentTensorPotential
        Basis, species, cutoff and scaling.
    nears : sequence of Neighbours
        Pairs of each configuration, without gaps.

    Attributes
    ----------
    near : Neighbours
        Pairs of all atoms; `other` is numbered over all configurations.
    first : (K + 1,) int64
        First atom of each configuration, and the total number of atoms.
    """

    def __init__(self, potential: MomentTensorPotential, nears: Sequence[Neighbours]) -> None:
        self.potential = potential
        sizes = np.array([len(near.species) for near in nears], dtype=np.int64)
        self.first = np.concatenate([[0], np.cumsum(sizes)])
        pairs = np.concatenate([[0], np.cumsum([len(near.other) for near in nears])])
        self.near = Neighbours(
            species=np.concatenate([near.species for near in nears]),
            segment=np.concatenate([near.segment + p for near, p in zip(nears, pairs, strict=False)]),
            other=np.concatenate([near.other + np.int32(a) for near, a in zip(nears, self.first, strict=False)]),
            vector=np.concatenate([near.vector for near in nears], axis=1),
        )
        self.owner = np.repeat(np.arange(len(nears)), sizes)
        self.counts = np.array(
            [np.bincount(near.species, minlength=len(potential.species)) for near in nears], dtype=float
        )
        self.ranges = list(pairwise(self._bounds(RANGES).tolist()))

    def _bounds(self, n: int) -> np.ndarray:
        """Return the bounds of at most `n` ranges of whole configurations with similar numbers of pairs."""
        segment, first = self.near.segment, self.first
        pairs = segment[first[1:] - 1, -1] - segment[first[:-1], 0]
        work = np.concatenate([[0], np.cumsum(pairs + 8 * np.diff(first))])
        cuts = np.searchsorted(work, np.linspace(0, work[-1], n + 1)[1:-1])
        return first[np.unique(np.concatenate([[0], cuts, [len(first) - 1]]))]

    def predict(self, theta: np.ndarray, threads: int = 1) -> Prediction:
        """Evaluate all configurations."""
        from electrolyte_ml.kernels.energy_forces import energy_forces

        n = len(self.near.species)
        model = self.potential.with_parameters(theta).double_model
        energies, forces, virials = np.zeros(n), np.zeros((n, 3)), np.zeros((n, 3, 3))
        # A range consists of whole configurations, so that no force is written by two threads.
        run(energy_forces, [(a, b, model, self.near, energies, forces, virials) for a, b in self.ranges], threads)
        starts = self.first[:-1]
        virial = np.add.reduceat(virials, starts)
        return Prediction(np.add.reduceat(energies, starts), forces, (virial + virial.transpose(0, 2, 1)) / 2)

    def pullback(
        self,
        theta: np.ndarray,
        by_energies: np.ndarray,
        by_forces: np.ndarray,
        by_virials: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Return the derivatives by all parameters, from one tangent and one reverse sweep."""
        cotangents = Cotangents(by_energies[self.owner], np.ascontiguousarray(by_forces), by_virials[self.owner])
        potential = self.potential.with_parameters(theta)
        return model_pullback(potential, self.near, cotangents, by_energies @ self.counts, self.ranges, threads)

    def subset(self, numbers: Sequence[int]) -> MtpTerm:
        """Return the term of some of the configurations."""
        nears = []
        species, segment, other, vector = self.near
        for k in numbers:
            a, b = self.first[k], self.first[k + 1]
            p, q = segment[a, 0], segment[b - 1, -1]
            nears.append(Neighbours(species[a:b], segment[a:b] - p, other[p:q] - np.int32(a), vector[:, p:q]))
        return MtpTerm(self.potential, nears)


def model_pullback(
    potential: MomentTensorPotential,
    near: Neighbours,
    cotangents: Cotangents,
    by_shifts: np.ndarray,
    ranges: Sequence[tuple[int, int]],
    threads: int,
) -> np.ndarray:
    """Return dL/dtheta (m,) of a potential.

    Parameters
    ----------
    potential
    near
    cotangents
    by_shifts : (S,)
        Sums of dL/dE_i over the atoms of each species.
    ranges
        Ranges of atoms; each has sums of its own, which are added in order.
    threads
    """
    from electrolyte_ml.kernels.training_gradient import training_gradient

    graph, radial, n = potential.graph, potential.radial, len(ranges)
    total = ModelGradient(
        np.zeros((n, *radial.shape)), np.zeros((n, len(graph.linear_node))), np.zeros((n, len(graph.pair_left)))
    )
    calls = [
        (a, b, potential.double_model, near, cotangents, ModelGradient(*(part[c] for part in total)))
        for c, (a, b) in enumerate(ranges)
    ]
    run(training_gradient, calls, threads)
    by_radial, by_node, by_pair = (part.sum(0) for part in total)
    return np.concatenate([by_radial.ravel(), by_shifts, scalar_gradient(graph, by_node, by_pair)])


def scalar_gradient(graph: Graph, by_node: np.ndarray, by_pair: np.ndarray) -> np.ndarray:
    """Convert derivatives by nodes and leaf products to derivatives by the coefficients xi."""
    gradient = np.zeros(len(graph.linear_scalar) + len(graph.leaf_scalar))
    gradient[graph.linear_scalar] = by_node
    sums = np.concatenate([[0.0], np.cumsum(graph.leaf_factor * by_pair[graph.leaf_pair])])
    gradient[graph.leaf_scalar] = sums[graph.leaf_first[1:]] - sums[graph.leaf_first[:-1]]
    return gradient
