"""Times of the parts of the kernels on blocks of atoms of liquid EC, in µs per atom.

    python -m electrolyte_ml._benchmarks.stages [LEVEL ...]

The kernel runs with and without extra calls of a part for every block of atoms, and the difference of the processor
times counts: the part finds its data in the caches as it does in the kernel. The best of many rounds is printed.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from electrolyte_ml._benchmarks.cases import given_pairs, liquid, random_potential
from electrolyte_ml._benchmarks.pairs import pair_arrays
from electrolyte_ml.kernels import contractions, energy_forces, moments, radial, training_gradient
from electrolyte_ml.kernels.lanes import FAST, LANES, aligned

ATOMS, TIMES, ROUNDS = 160, 8, 40

BLOCKS = """
def timed(times, graph, linear, quad, coefficients, low, high, scaling, species, segment, index, vector):
    n_species, n_radial, size = coefficients.shape[1:]
    tables = radial.radial_tables(coefficients, low, high, scaling)
    columns = radial.columns_of(segment, 0, ATOMS, LANES)
    rows, vectors = radial.RADIAL + 2 * n_radial, columns // LANES + n_species
    pairs, moves = aligned(LANES * rows, columns, linear), aligned(LANES * 4, columns, linear)
    polynomials = aligned(LANES * vectors * size, LANES, linear)
    powers, gradient = aligned(6 * graph.n_powers, columns, linear), aligned(3, columns, linear)
    m, dm = aligned(graph.n_nodes + 1, LANES, linear), aligned(graph.n_nodes + 1, LANES, linear)
    a, da = aligned(graph.n_nodes, LANES, linear), aligned(graph.n_nodes, LANES, linear)
    slopes, blended = aligned(3 * len(graph.slope_monomial), LANES, linear), aligned(len(graph.sum_node), LANES, linear)
    power, weights = aligned(len(graph.monomial_left), LANES, linear), aligned(2 * n_radial, columns, linear)
    by_tables = aligned(n_species * n_radial * 2 * size, LANES, linear)
    by_node, by_pair = np.zeros(len(graph.linear_node)), np.zeros(len(graph.pair_left))
    alpha, padded = aligned(1, LANES, linear), np.zeros(LANES, np.int64)
    forces, directions = np.zeros((len(species), 3)), np.ones((len(species), 3))
    virials, stretch = np.zeros((len(species), 3, 3)), np.ones((len(species), 3, 3))
    for block in range(0, ATOMS, LANES):
        for lane in range(LANES):
            i, base = block + lane, lane * rows
            first, last, to, top = segment[i, 0], segment[i, n_species], 4 * lane, lane * vectors * size
            n = radial.load_pairs(vector, first, last, high, pairs, base)
            padded[lane] = n
            training_gradient.load_moves(
                vector, index, directions, stretch, i, first, last, n, pairs, base, moves, to)
            radial.radial_values(n, segment[i], tables[species[i]], low, high, pairs, base, polynomials, top)
            training_gradient.sum_tangents(graph, n, pairs, base, moves, to, powers, m, dm, lane)
        training_gradient.forward_tangents(graph, m, dm)
        training_gradient.reverse_tangents(graph, linear, quad, m, dm, a, da)
        moments.slope_coefficients(graph, a, slopes)
        training_gradient.blend(graph, alpha, a, da, blended)
        for _ in range(times):
            {piece}
"""
EACH = """for lane in range(LANES):
                i, base, n = block + lane, lane * rows, padded[lane]
                first, last, to, top = segment[i, 0], segment[i, n_species], 4 * lane, lane * vectors * size
                """
TRAINING = "training_gradient."
PIECES = {
    "energy and forces": {
        "load pairs": EACH + "radial.load_pairs(vector, first, last, high, pairs, base)",
        "radial functions": EACH
        + "radial.radial_values(n, segment[i], tables[species[i]], low, high, pairs, base, polynomials, top)",
        "sums of moments": EACH + "moments.sum_moments(graph, n, pairs, base, powers, m, lane)",
        "graph forward": "contractions.forward(graph, m)",
        "graph reverse": "contractions.reverse(graph, linear, quad, m, a)",
        "forces of pairs": EACH
        + "energy_forces.pair_forces(graph, n_radial, n, pairs, base, slopes, a, lane, power, gradient)",
        "force and virial of the atom": EACH
        + "energy_forces.add_to_atom(n, pairs, base, gradient, forces[i], virials[i])",
    },
    "gradient of the loss": {
        "load directions": EACH
        + TRAINING
        + "load_moves(vector, index, directions, stretch, i, first, last, n, pairs, base, moves, to)",
        "sums with tangents": EACH + TRAINING + "sum_tangents(graph, n, pairs, base, moves, to, powers, m, dm, lane)",
        "graph forward, tangents": TRAINING + "forward_tangents(graph, m, dm)",
        "graph reverse, tangents": TRAINING + "reverse_tangents(graph, linear, quad, m, dm, a, da)",
        "by scalars": TRAINING + "add_scalars(graph, alpha, m, dm, by_node, by_pair)",
        "by radial functions": EACH
        + TRAINING
        + "loss_weights(graph, n, high, pairs, base, moves, to, slopes, a, blended, lane, power, weights)",
        "by radial coefficients": EACH
        + "radial.sum_by_tables(n, segment[i], n_radial, size, weights, polynomials, top, by_tables)",
    },
}


def compiled(piece: str) -> Callable[..., None]:
    """Return the compiled loop over blocks with a part repeated."""
    modules = (contractions, energy_forces, moments, radial, training_gradient)
    names: dict[str, Any] = {module.__name__.split(".")[-1]: module for module in modules}
    names |= {"LANES": LANES, "ATOMS": ATOMS, "aligned": aligned, "np": np}
    exec(BLOCKS.replace("{piece}", piece), names)
    function: Callable[..., None] = njit(error_model="numpy", fastmath=FAST)(names["timed"])
    return function


def arguments(level: int) -> tuple[Any, ...]:
    """Return the arguments of `timed` after `times`."""
    potential = random_potential(level)
    graph, linear, quad, coefficients, _, low, high, scaling = potential.double_model
    pairs = pair_arrays(given_pairs(potential, liquid(ATOMS)))
    return graph, linear, quad, coefficients, low, high, scaling, *pairs


def measure(function: Callable[..., None], inputs: tuple[Any, ...]) -> float:
    """Return the time of the part per atom, s."""
    best = dict.fromkeys((0, TIMES), np.inf)
    for _ in range(ROUNDS):
        for times in best:
            start = time.thread_time()
            function(times, *inputs)
            best[times] = min(best[times], time.thread_time() - start)
    return (best[TIMES] - best[0]) / TIMES / ATOMS


def main() -> None:
    """Print the table of all parts."""
    levels = [int(word) for word in sys.argv[1:]] or [16, 20]
    inputs = {level: arguments(level) for level in levels}
    print("µs per atom" + "".join(f"{f'level {level}':>10}" for level in levels))
    for kernel, pieces in PIECES.items():
        print(kernel)
        for name, piece in pieces.items():
            function = compiled(piece)
            times = "".join(f"{1e6 * measure(function, inputs[level]):10.2f}" for level in levels)
            print(f"  {name:30}{times}", flush=True)


if __name__ == "__main__":
    main()
