"""Basis tables in the form that the kernels read: dense numbering, gather lists, fused leaf products.

Nodes are renumbered: basic moments first, then the *inner* nodes, which are factors of other products, in an order in
which every node follows its factors. Basis functions that are factors of no other product (most of them) are *leaves*
without a node: each is a sum of products of basic and inner nodes, so that their energy is one quadratic form,

    E_leaf = sum_pairs w_p M_l M_r,    w_p = sum_alpha xi_alpha mult(alpha, p),

in which a product of several functions occurs once. The reverse sweep starts from the derivative of this form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials.mtp.basis import Basis, Index

Row = tuple[int, int, int, int]  # mu and powers of x, y, z


class Graph(NamedTuple):
    """Basis as plain arrays for the kernels."""

    monomial_left: np.ndarray  # (n_monomials,) u^m = u^left u^right; the first are 1, x, y, z
    monomial_right: np.ndarray  # (n_monomials,)
    n_lower: int  # number of monomials, from the first on, that derivatives need
    sum_first: np.ndarray  # (R + 1,) moments that are summed over neighbours, by mu
    sum_monomial: np.ndarray  # (n_sums,)
    sum_node: np.ndarray  # (n_sums,)
    # the same sums in pairs, by mu: M[node] = sum_j f_mu x^a y^b z^c, and M[below] with z^(c - 1)
    column_first: np.ndarray  # (R + 1,)
    column_powers: np.ndarray  # (R,) number of powers of x, including x^0
    n_powers: int  # number of powers of x, y and z
    column_x: np.ndarray  # (n_columns,) a, b, c, node, below; the node n_nodes is unused
    column_y: np.ndarray
    column_z: np.ndarray
    column_node: np.ndarray
    column_below: np.ndarray
    # derivatives of the sums by x, y and z as polynomials in u: terms factor * A[node] u^monomial for each mu and
    # degree
    slope_first: np.ndarray  # (n_groups + 1,)
    slope_mu: np.ndarray  # (n_groups,)
    slope_share: np.ndarray  # (n_groups,) the part of P_mu of this degree is slope_share times u . grad of the part
    slope_monomial: np.ndarray  # (n_terms,)
    slope_node: np.ndarray  # (n_terms, 3)
    slope_factor: np.ndarray  # (n_terms, 3)
    constant_mu: np.ndarray  # (n_constant,) moments of degree 0, which have no derivatives
    constant_node: np.ndarray
    trace: np.ndarray  # (n_traces, 4) M[3] = M[0] + M[1] + M[2]
    n_basic: int
    n_nodes: int
    # inner nodes, from n_basic on: M[node] = sum of factor * M[left] * M[right]
    forward_first: np.ndarray  # (n_nodes - n_basic + 1,)
    forward_left: np.ndarray
    forward_right: np.ndarray
    forward_factor: np.ndarray
    # every node: adjoint[node] += sum of factor * adjoint[target] * M[other]
    reverse_first: np.ndarray  # (n_nodes + 1,)
    reverse_target: np.ndarray
    reverse_other: np.ndarray
    reverse_factor: np.ndarray
    # basis functions that are nodes
    linear_node: np.ndarray  # (n_linear,)
    linear_scalar: np.ndarray  # (n_linear,)
    # products of the leaves
    pair_left: np.ndarray  # (n_pairs,)
    pair_right: np.ndarray
    # leaf function `leaf_scalar` is the sum of leaf_factor * product `leaf_pair`; sorted by function
    leaf_first: np.ndarray  # (n_leaves + 1,)
    leaf_pair: np.ndarray
    leaf_factor: np.ndarray
    leaf_scalar: np.ndarray  # (n_leaves,)
    # every node: derivative of E_leaf by M[node] = sum of quad_factor * w[quad_pair] * M[quad_other]
    quad_first: np.ndarray  # (n_nodes + 1,)
    quad_other: np.ndarray
    quad_pair: np.ndarray
    quad_factor: np.ndarray  # 2 for squares, otherwise 1


def _lists(n: int, entries: Sequence[Sequence[tuple[int, ...]]]) -> tuple[np.ndarray, ...]:
    """Convert lists of tuples, one list per node, to offsets and columns."""
    first = _offsets([len(e) for e in entries])
    flat = [item for e in entries for item in e]
    width = len(flat[0]) if flat else 3
    return (first, *(np.array([item[k] for item in flat], dtype=np.float64) for k in range(width)))


def _offsets(lengths: Iterable[int]) -> np.ndarray:
    """Return the first index of each list in the concatenation of all, and the end."""
    return np.cumsum([0, *lengths])


def _index(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(values).astype(np.uint32))


def _lowered(index: Index, axis: int) -> Index:
    a, b, c = (n - (k == axis) for k, n in enumerate(index))
    return a, b, c


def _monomials(indices: set[Index]) -> tuple[list[Index], list[tuple[int, int]]]:
    """Return all indices and those with lower powers, sorted by degree, and for each the two whose product it is."""
    closed, new = {(0, 0, 0)}, {*indices, (1, 0, 0), (0, 1, 0), (0, 0, 1)}
    while new:
        closed |= new
        new = {_lowered(index, axis) for index in new for axis in range(3) if index[axis]} - closed
    ordered = sorted(closed, key=lambda i: (sum(i), [-n for n in i]))
    place = {index: k for k, index in enumerate(ordered)}
    factors = [(0, 0)] * 4
    for index in ordered[4:]:
        axis = next(k for k in range(3) if index[k])
        factors.append((place[_lowered(index, axis)], 1 + axis))
    return ordered, factors


def _columns(summed: list[Row], place: dict[Row, int], n_radial: int, unused: int) -> dict[str, Any]:
    """Arrange the sums in pairs that differ by one power of z and share the rest of their product."""
    lengths: list[int] = []
    columns: list[list[int]] = []
    for mu in range(n_radial):
        left = {row for row in summed if row[0] == mu}
        for row in sorted(left, reverse=True):
            if row in left:
                _, a, b, c = row
                below = (mu, a, b, c - 1)
                columns.append([a, b, c, place[row], place[below] if below in left else unused])
                left -= {row, below}
        lengths.append(len(columns) - sum(lengths))
    first, column = _offsets(lengths), _index(columns).reshape(-1, 5)
    return {
        "column_first": first,
        "column_powers": np.array([1 + column[a:b, 0].max(initial=0) for a, b in pairwise(first)]),
        "n_powers": 1 + int(column[:, :3].max(initial=0)),
        **{f"column_{name}": _index(column[:, k]) for k, name in enumerate(("x", "y", "z", "node", "below"))},
    }


def _slopes(summed: list[Row], place: dict[Row, int], monomial: dict[Index, int]) -> dict[str, Any]:
    """Return the derivatives of u^k by u, grouped by mu and degree, and collected by their monomial."""
    groups: dict[tuple[int, int], dict[Index, list[tuple[int, float]]]] = {}
    for mu, a, b, c in summed:
        index = a, b, c
        terms = groups.setdefault((mu, sum(index)), {})
        for axis in range(3):
            if index[axis]:
                terms.setdefault(_lowered(index, axis), [(0, 0.0)] * 3)[axis] = (place[mu, *index], float(index[axis]))
    constant = [key for key in groups if key[1] == 0]
    for key in constant:
        del groups[key]
    rows = [sorted((monomial[lower], entries) for lower, entries in terms.items()) for terms in groups.values()]
    flat = [term for terms in rows for term in terms]
    return {
        "n_lower": max([4, *(m + 1 for m, _ in flat)]),
        "slope_first": _offsets(map(len, rows)),
        "slope_mu": _index([mu for mu, _ in groups]),
        "slope_share": np.array([1 / degree for _, degree in groups]),
        "slope_monomial": _index([monomial for monomial, _ in flat]),
        "slope_node": _index([[node for node, _ in entries] for _, entries in flat]).reshape(-1, 3),
        "slope_factor": np.array([[c for _, c in entries] for _, entries in flat], dtype=np.float64).reshape(-1, 3),
        "constant_mu": _index([mu for mu, _ in constant]),
        "constant_node": _index([place[mu, 0, 0, 0] for mu, _ in constant]),
    }


def compile_graph(basis: Basis) -> Graph:
    """Arrange a basis for the kernels.

    Raises
    ------
    InputError
        A product uses a node before it is complete (invalid tables in a file).
    """
    n_basic = len(basis.basic)
    terms: dict[int, list[tuple[int, int, int]]] = {}
    used: set[int] = set()
    for left, right, factor, target in basis.products.tolist():
        if target in used or target in (left, right):
            raise InputError(f"product table: node {target} is used before it is complete")
        # Targets are kept in the order in which they are completed, even if a file does not group its products.
        terms[target] = [*terms.pop(target, []), (left, right, factor)]
        used.update((left, right))
    # In the order of completion, every node follows its factors.
    inner = [target for target in terms if target in used]
    node = {old: old for old in range(n_basic)} | {old: n_basic + k for k, old in enumerate(inner)}
    missing = sorted(used - set(node))
    if missing:
        raise InputError(f"product table: node {missing[0]} is used but never defined")
    n_nodes = n_basic + len(inner)

    forward = [[(node[a], node[b], c) for a, b, c in terms[old]] for old in inner]
    reverse: list[list[tuple[int, int, int]]] = [[] for _ in range(n_nodes)]
    for target, products in enumerate(forward, start=n_basic):
        for a, b, c in products:
            reverse[a].append((target, b, c))
            reverse[b].append((target, a, c))

    pairs: dict[tuple[int, int], int] = {}
    leaves, leaf_scalar, linear_node, linear_scalar = [], [], [], []
    for scalar, old in enumerate(basis.scalars.tolist()):
        if old in node:
            linear_node.append(node[old])
            linear_scalar.append(scalar)
        elif old in terms:
            merged: dict[int, int] = {}
            for a, b, c in terms[old]:
                pair = pairs.setdefault((min(node[a], node[b]), max(node[a], node[b])), len(pairs))
                merged[pair] = merged.get(pair, 0) + c
            leaves.append(sorted(merged.items()))
            leaf_scalar.append(scalar)
        else:
            raise InputError(f"scalar {scalar} maps to node {old}, which is never defined")
    quad: list[list[tuple[int, int, int]]] = [[] for _ in range(n_nodes)]
    for (a, b), pair in pairs.items():
        if a == b:
            quad[a].append((a, pair, 2))
        else:
            quad[a].append((b, pair, 1))
            quad[b].append((a, pair, 1))

    basic = [tuple(row) for row in basis.basic.tolist()]
    place = {row: k for k, row in enumerate(basic)}
    above = {
        (mu, a, b, c): [place.get((mu, a + 2, b, c)), place.get((mu, a, b + 2, c)), place.get((mu, a, b, c + 2))]
        for mu, a, b, c in basic
    }
    summed = [row for row in basic if None in above[row]]
    traced = sorted((row for row in basic if None not in above[row]), key=lambda row: -sum(row[1:]))
    ordered, factors = _monomials({row[1:] for row in summed})
    monomial = {index: k for k, index in enumerate(ordered)}
    summed.sort(key=lambda row: (row[0], monomial[row[1:]]))

    f_first, f_left, f_right, f_factor = _lists(len(inner), forward)
    r_first, r_target, r_other, r_factor = _lists(n_nodes, reverse)
    q_first, q_other, q_pair, q_factor = _lists(n_nodes, quad)
    leaf_first, leaf_pair, leaf_factor = _lists(len(leaves), leaves)[:3]
    return Graph(
        monomial_left=_index([a for a, _ in factors]),
        monomial_right=_index([b for _, b in factors]),
        sum_first=_offsets([sum(row[0] == mu for row in summed) for mu in range(basis.n_radial)]),
        sum_monomial=_index([monomial[row[1:]] for row in summed]),
        sum_node=_index([place[row] for row in summed]),
        **_columns(summed, place, basis.n_radial, n_nodes),
        **_slopes(summed, place, monomial),
        trace=_index([[*above[row], place[row]] for row in traced]).reshape(-1, 4),
        n_basic=n_basic,
        n_nodes=n_nodes,
        forward_first=f_first,
        forward_left=_index(f_left),
        forward_right=_index(f_right),
        forward_factor=f_factor,
        reverse_first=r_first,
        reverse_target=_index(r_target),
        reverse_other=_index(r_other),
        reverse_factor=r_factor,
        linear_node=_index(linear_node),
        linear_scalar=_index(linear_scalar),
        pair_left=_index([a for a, _ in pairs]),
        pair_right=_index([b for _, b in pairs]),
        leaf_first=leaf_first,
        leaf_pair=_index(leaf_pair),
        leaf_factor=leaf_factor,
        leaf_scalar=_index(leaf_scalar),
        quad_first=q_first,
        quad_other=_index(q_other),
        quad_pair=_index(q_pair),
        quad_factor=q_factor,
    )
