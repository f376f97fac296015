"""Flops and bytes of a configuration's pairs."""

from __future__ import annotations

from typing import Any

import numpy as np


def pair_arrays(given: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the arrays of given pairs, as the kernels read them.

    Parameters
    ----------
    given
        Result of `cases.given_pairs`.

    Returns
    -------
    species, segment, other, vector
        (N,), (N, S + 1), (P,), (3, P) Å; see `electrolyte_ml.kernels.arrays.Neighbours`.
    """
    species, segment, index, vector = given.near
    return species, segment, index, vector


def energy_forces_flops(potential: Any, given: Any) -> float:
    """Return the number of additions, multiplications, divisions and roots of one evaluation by the kernels.

    Padding, indices and loads are not counted.

    Parameters
    ----------
    potential
        A moment tensor potential.
    given
        Result of `cases.given_pairs`.
    """
    species, _, index, _ = pair_arrays(given)
    graph, (_, _, n_radial, size) = potential.graph, potential.radial.shape
    n_sums, groups, terms = len(graph.sum_node), len(graph.slope_mu), len(graph.slope_monomial)
    geometry = 10
    radial = 5 + 2 * size + n_radial * (4 * size + 6)
    moments = 2 * (graph.n_powers - 1) + int(graph.column_powers.sum()) + len(graph.column_x) + 2 * n_sums
    forces = graph.n_lower - 4 + 6 * terms + 14 * groups + 2 * len(graph.constant_mu) + 15
    sums = 18 + 3  # force and virial of the central atom, and the reaction
    products = 3 * len(graph.forward_left) + 3 * len(graph.reverse_other) + 2 * len(graph.quad_other)
    nodes = 4 * graph.n_nodes + 5 * len(graph.trace) + 3 * terms
    return float(len(index) * (geometry + radial + moments + forces + sums) + len(species) * (products + nodes))


def pair_memory(given: Any) -> str:
    """Return the bytes and neighbours per atom, for the table."""
    arrays = pair_arrays(given)
    n, n_pairs = len(arrays[0]), len(arrays[2])
    return f"{sum(array.nbytes for array in arrays) / n:.0f} bytes/atom ({n_pairs / n:.0f} neighbours)"
