"""Graph of moment contractions: energies of LANES atoms from their basic moments, and the derivatives A = dE/dM.

`moments[node]` is a vector over atoms: every atom needs the same products, so that no lanes are shuffled and each index
is read once for eight atoms. The terms of a node are summed in a register and stored once. Basis functions that no
other product uses are not nodes: their sum is a quadratic form of the nodes. The reverse sweep starts from the
derivative of this form and computes the energy as well.
"""

from numba import njit

from electrolyte_ml.kernels.lanes import PIECE, at, load, spread, store
from electrolyte_ml.kernels.moments import fill_traces, spread_traces


@njit(**PIECE)
def forward(graph, moments):
    """Compute traces and inner nodes from the summed moments: 3 LANES flops per product."""
    fill_traces(graph.trace, moments)
    for t in range(graph.n_nodes - graph.n_basic):
        node = spread(0.0, moments)
        for p in range(graph.forward_first[t], graph.forward_first[t + 1]):
            left, right = load(moments, at(graph.forward_left, p)), load(moments, at(graph.forward_right, p))
            node += at(graph.forward_factor, p) * left * right
        store(node, moments, graph.n_basic + t)


@njit(**PIECE)
def reverse(graph, linear, quad, moments, adjoint):
    """Compute A of every node, and return the energies of LANES atoms.

    `linear` (n_nodes,) holds the coefficients of basis functions that are nodes, `quad` those of the terms in
    `graph.quad_other`. Cost: 3 LANES flops per factor of a product, 2 LANES per term of the quadratic form.
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
