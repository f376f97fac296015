"""From the basic moments of LANES atoms to their energies, and back to A = dE/dM: the graph of products.

`moments[node]` is a vector over atoms: every atom does the same products, so nothing is shuffled and an index read once
serves eight atoms. Each node gathers its terms in a register and is stored once. Basis functions that nothing else uses
are no nodes: their sum is a quadratic form of the nodes, whose derivative the reverse sweep starts from and which gives
the energy on the way.
"""

from numba import njit

from electrolyte_ml.kernels.lanes import PIECE, at, load, spread, store
from electrolyte_ml.kernels.moments import fill_traces, spread_traces


@njit(**PIECE)
def forward(graph, moments):
    """Traces and inner nodes from the summed moments: 3 LANES flops a product."""
    fill_traces(graph.trace, moments)
    for t in range(graph.n_nodes - graph.n_basic):
        node = spread(0.0, moments)
        for p in range(graph.forward_first[t], graph.forward_first[t + 1]):
            left, right = load(moments, at(graph.forward_left, p)), load(moments, at(graph.forward_right, p))
            node += at(graph.forward_factor, p) * left * right
        store(node, moments, graph.n_basic + t)


@njit(**PIECE)
def reverse(graph, linear, quad, moments, adjoint):
    """A of every node, and the energies of LANES atoms: 3 LANES flops a factor of a product, 2 of the quadratic form.

    `linear` (n_nodes,) are the coefficients of functions that are nodes, `quad` those of `graph.quad_other`.
    """
    energy = spread(0.0, moments)
    for node in range(graph.n_nodes - 1, -1, -1):
        a = spread(0.0, moments)
        for p in range(graph.quad_first[node], graph.quad_first[node + 1]):
            a += at(quad, p) * load(moments, at(graph.quad_other, p))
        energy += load(moments, node) * (linear[node] + 0.5 * a)
        a += linear[node]
        for p in range(graph.reverse_first[node], graph.reverse_first[node + 1]):
            target, other = load(adjoint, at(graph.reverse_target, p)), load(moments, at(graph.reverse_other, p))
            a += at(graph.reverse_factor, p) * target * other
        store(a, adjoint, node)
    spread_traces(graph.trace, adjoint)
    return energy
