"""Basis of a level: scalar contractions of moments, and the graph of products that evaluates them.

A moment M(mu, nu) is a symmetric tensor of rank nu. A *contraction* multiplies up to four moments and contracts all
their indices. It is a multigraph without loops: vertices are moments, edges are contracted pairs of indices, and a
vertex has as many edges as its moment has indices. Multigraphs that differ only by the names of their vertices are the
same function; every isomorphism class gives one basis function B_alpha.

Level (eqs. 3 and 6 of Chalykh et al.): lev M(mu, nu) = 2 + 4 mu + nu; the level of a product is the sum of the levels
of its factors. The basis of level L contains every class of level <= L.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, combinations_with_replacement, permutations, product
from math import factorial
from typing import Any

import numpy as np

from electrolyte_ml.errors import InputError

MAX_FACTORS = 4
MOST_RADIAL = 1000  # radial basis functions; 8 to 16 are usual
MAX_CUTOFF = 30.0  # Å; in a liquid, each atom then has ten thousand neighbours
MAX_LEVEL = 28

Moment = tuple[int, int]  # (mu, nu)
Split = tuple[int, int, int, int]
Index = tuple[int, int, int]  # (a, b, c): the component x^a y^b z^c of a symmetric tensor


@dataclass(frozen=True, order=True)
class Contraction:
    """Full contraction of moments.

    Attributes
    ----------
    mus : tuple of int
        Radial index mu of each factor.
    edges : tuple of int
        Number of contracted index pairs between factors (0,1), (0,2), ..., in the order of `itertools.combinations`.
    """

    mus: tuple[int, ...]
    edges: tuple[int, ...]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of factors, in the order of `edges`."""
        return list(combinations(range(len(self.mus)), 2))

    def between(self, i: int, j: int) -> int:
        """Return the number of index pairs contracted between factors i and j."""
        return self.edges[self.pairs.index((min(i, j), max(i, j)))]

    @property
    def ranks(self) -> tuple[int, ...]:
        """Tensor rank nu of each factor."""
        ranks = [0] * len(self.mus)
        for (i, j), n in zip(self.pairs, self.edges, strict=True):
            ranks[i] += n
            ranks[j] += n
        return tuple(ranks)

    @property
    def level(self) -> int:
        """Level by eq. 3."""
        return sum(2 + 4 * mu + nu for mu, nu in zip(self.mus, self.ranks, strict=True))

    def canonical(self) -> Contraction:
        """Return the representative of the isomorphism class: the largest under renaming of the factors."""
        k = len(self.mus)
        table = {pair: n for pair, n in zip(self.pairs, self.edges, strict=True)}
        best = max(
            (
                tuple((self.mus[p], self.ranks[p]) for p in order),
                tuple(table[min(order[i], order[j]), max(order[i], order[j])] for i, j in combinations(range(k), 2)),
            )
            for order in permutations(range(k))
        )
        return Contraction(tuple(mu for mu, _ in best[0]), best[1])

    def components(self) -> list[Contraction]:
        """Return the connected components as canonical contractions."""
        k = len(self.mus)
        label = list(range(k))
        for (i, j), n in zip(self.pairs, self.edges, strict=True):
            if n:
                old, new = label[j], label[i]
                label = [new if entry == old else entry for entry in label]
        parts = []
        for name in sorted(set(label)):
            members = [i for i in range(k) if label[i] == name]
            edges = tuple(self.between(i, j) for i, j in combinations(members, 2))
            parts.append(Contraction(tuple(self.mus[i] for i in members), edges).canonical())
        return sorted(parts, reverse=True)

    def __str__(self) -> str:
        factors = " ".join(f"M{mu},{nu}" for mu, nu in zip(self.mus, self.ranks, strict=True))
        links = " ".join(f"{i}-{j}:{n}" for (i, j), n in zip(self.pairs, self.edges, strict=True) if n)
        return f"{factors} [{links}]" if links else factors


def check_level(level: int) -> int:
    """Return a level if its basis can be built; otherwise raise `InputError`."""
    if isinstance(level, bool) or int(level) != level or level < 2 or level > MAX_LEVEL or level % 2:
        raise InputError(f"level {level} is not possible: levels are even numbers from 2 to {MAX_LEVEL}")
    return int(level)


def radial_count(level: int) -> int:
    """Return the number of radial functions f_mu in the basis of a level."""
    return (check_level(level) - 2) // 4 + 1


def _integer_tuples(length: int, total: int) -> list[tuple[int, ...]]:
    """Return all tuples of `length` non-negative integers with a sum of at most `total`."""
    if length == 0:
        return [()]
    return [(n, *rest) for n in range(total + 1) for rest in _integer_tuples(length - 1, total - n)]


@cache
def contractions(level: int) -> tuple[Contraction, ...]:
    """Return every distinct scalar contraction of at most four moments and of level <= `level`.

    Returns
    -------
    tuple of Contraction
        Ordered by number of factors, then by level.
    """
    check_level(level)
    candidates = set()
    for k in range(1, MAX_FACTORS + 1):
        budget = (level - 2 * k) // 2  # level = 2 k + 4 sum(mu) + 2 (number of edges)
        if budget < 0:
            break
        for mus in combinations_with_replacement(range(budget // 2 + 1), k):
            left = budget - 2 * sum(mus)
            if left < 0:
                continue
            for edges in _integer_tuples(k * (k - 1) // 2, left):
                candidates.add((mus, edges))
    classes = {Contraction(mus, edges).canonical() for mus, edges in _orbit_representatives(candidates)}
    return tuple(sorted(classes, key=lambda c: (len(c.mus), c.level, c.mus, c.edges)))


def _orbit_representatives(candidates: set[Any]) -> list[Any]:
    """Keep one member of each orbit of relabellings: this is much cheaper than the canonical form of every member."""
    kept = []
    pending = set(candidates)
    while pending:
        mus, edges = pending.pop()
        kept.append((mus, edges))
        k = len(mus)
        table = dict(zip(combinations(range(k), 2), edges, strict=True))
        for order in permutations(range(k)):
            if any(mus[p] != mu for p, mu in zip(order, mus, strict=True)):
                continue
            pending.discard((mus, tuple(table[min(order[i], order[j]), max(order[i], order[j])] for i, j in table)))
    return kept


@cache
def components(rank: int) -> tuple[Index, ...]:
    """Return the (rank+1)(rank+2)/2 distinct components of a symmetric tensor."""
    return tuple((a, b, rank - a - b) for a in range(rank, -1, -1) for b in range(rank - a, -1, -1))


def multiplicity(index: Index) -> int:
    """Return the number of entries of the full tensor that equal this component: rank! / (a! b! c!)."""
    a, b, c = index
    return factorial(a + b + c) // (factorial(a) * factorial(b) * factorial(c))


def _add(*indices: Index) -> Index:
    return (sum(i[0] for i in indices), sum(i[1] for i in indices), sum(i[2] for i in indices))


@dataclass(frozen=True)
class Basis:
    """Tables that compute basis functions from moments; a node of their graph has one value per atom.

    The first nodes are the basic moments M_k = sum_j f_mu(r_ij) x^a y^b z^c (unit vectors), the others are sums of
    products: M[target] = sum of multiplicity * M[left] * M[right]. The products of a target are adjacent, and follow
    those of their factors.

    Attributes
    ----------
    n_radial : int
        Radial functions per ordered pair of species.
    basic : (n_basic, 4) int array
        mu, a, b, c.
    products : (n_products, 4) int array
        left, right, multiplicity, target.
    scalars : (n_scalar,) int array
        Node of each basis function.
    n_nodes : int
    level : int or None
        None for tables of another program whose counts match no level.
    contractions : tuple of Contraction
        Contraction of each basis function; empty for tables that were not generated here.
    """

    n_radial: int
    basic: np.ndarray = field(repr=False)
    products: np.ndarray = field(repr=False)
    scalars: np.ndarray = field(repr=False)
    n_nodes: int
    level: int | None = None
    contractions: tuple[Contraction, ...] = field(default=(), repr=False)

    @property
    def n_scalars(self) -> int:
        """Number of basis functions."""
        return len(self.scalars)

    @property
    def counts_by_factors(self) -> tuple[int, ...]:
        """Numbers of basis functions with 1, 2, 3 and 4 factors."""
        return tuple(sum(len(c.mus) == k for c in self.contractions) for k in range(1, MAX_FACTORS + 1))

    def n_parameters(self, n_species: int, radial_basis_size: int = 8) -> int:
        """Return the number of parameters: radial and moment coefficients, and one shift per species."""
        return n_species**2 * self.n_radial * radial_basis_size + self.n_scalars + n_species


class _Graph:
    """Builder of the products; intermediate tensors are shared by all contractions that need them."""

    def __init__(self) -> None:
        self.basic: list[tuple[int, int, int, int]] = []
        self.nodes: dict[Hashable, Any] = {}  # key -> node
        self.products: dict[int, dict[tuple[int, int], int]] = {}  # target -> {(left, right): multiplicity}
        self.n_nodes = 0

    def moment(self, mu: int, index: Index) -> int:
        return self.nodes[(mu, index)]

    def add_basic(self, ranks: dict[int, int]) -> None:
        for mu, highest in sorted(ranks.items()):
            for rank in range(highest + 1):
                for index in components(rank):
                    self.nodes[(mu, index)] = self.n_nodes
                    self.basic.append((mu, *index))
                    self.n_nodes += 1

    def node(self, key: Hashable, terms: dict[tuple[int, int], int]) -> int:
        """Return the node of `key`; make it from `terms` if it does not exist yet."""
        if key not in self.nodes:
            self.nodes[key] = self.n_nodes
            self.products[self.n_nodes] = terms
            self.n_nodes += 1
        return self.nodes[key]


# A plan for a contraction is the order in which its factors are joined. Every intermediate tensor is symmetrised in
# each group of indices that is contracted with the same later factor: that factor is symmetric, so the result is the
# same.


def _pair_tensor(
    graph: _Graph, a: Moment, b: Moment, n: int, split: Split
) -> dict[tuple[Index, Index], dict[tuple[int, int], int]]:
    """Contract moments a = (mu, rank) and b over n index pairs; the free indices form two symmetric groups.

    `split` = (a to group 1, a to group 2, b to group 1, b to group 2). The component [g; h] includes the multiplicities
    of the merged indices, so that its later contraction needs one product per component.
    """
    (mu_a, _), (mu_b, _) = a, b
    a1, a2, b1, b2 = split
    parts: dict[tuple[Index, Index], dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
    for i1, i2, j1, j2 in product(components(a1), components(a2), components(b1), components(b2)):
        weight = multiplicity(i1) * multiplicity(i2) * multiplicity(j1) * multiplicity(j2)
        terms = parts[_add(i1, j1), _add(i2, j2)]
        for d in components(n):
            left, right = graph.moment(mu_a, _add(i1, i2, d)), graph.moment(mu_b, _add(j1, j2, d))
            terms[min(left, right), max(left, right)] += weight * multiplicity(d)
    return {key: dict(terms) for key, terms in parts.items()}


def _plans(c: Contraction) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the ways to evaluate a connected contraction of three or four factors, as (kind, order of factors)."""
    for order in permutations(range(len(c.mus))):
        if len(c.mus) == 3:
            if order[0] < order[1]:
                yield "dot", order
        elif order[0] < order[1]:
            yield "chain", order
            if order[2] < order[3] and c.between(order[2], order[3]):
                yield "pairs", order


def _build(graph: _Graph, c: Contraction, kind: str, order: tuple[int, ...], dry: bool) -> int:
    """Evaluate a contraction by a plan and return its node; if `dry`, return the number of products to be added."""
    moments = [(c.mus[p], c.ranks[p]) for p in order]
    n = {(i, j): c.between(order[i], order[j]) for i, j in permutations(range(len(order)), 2)}
    cost = 0

    def tensor(key: Hashable, make: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
        """Return the nodes of the components of a tensor, {component: node}; make them once."""
        nonlocal cost
        if key in graph.nodes:
            return graph.nodes[key]
        parts = make()
        cost += sum(len(terms) for terms in parts.values())
        if dry:
            return {component: None for component in parts}
        graph.nodes[key] = {component: graph.node((key, component), terms) for component, terms in parts.items()}
        return graph.nodes[key]

    a, b = moments[0], moments[1]
    if kind == "dot":
        split = (n[0, 2], 0, n[1, 2], 0)
        free = tensor(_pair_key(a, b, n[0, 1], split), lambda: _pair_tensor(graph, a, b, n[0, 1], split))
        terms = {(node, graph.moment(moments[2][0], g)): 1 for (g, _), node in free.items()}
    else:
        split = (n[0, 2], n[0, 3], n[1, 2], n[1, 3])
        first = _pair_key(a, b, n[0, 1], split)
        free = tensor(first, lambda: _pair_tensor(graph, a, b, n[0, 1], split))
        if kind == "pairs":
            to_first, to_second = split[0] + split[2], split[1] + split[3]
            plain = (to_first, 0, 0, to_second)
            second = _pair_key(moments[2], moments[3], n[2, 3], plain)

            def outer() -> dict[Any, Any]:
                parts = _pair_tensor(graph, moments[2], moments[3], n[2, 3], plain)
                # The multiplicities of g and h are already included in the first tensor.
                return {
                    (g, h): {pair: m // (multiplicity(g) * multiplicity(h)) for pair, m in terms.items()}
                    for (g, h), terms in parts.items()
                }

            other = tensor(("plain", second), outer)
            terms = {(free[g, h], other[g, h]): 1 for g, h in free}
        else:
            rest = n[2, 3]  # indices contracted between the third and the fourth factor

            def join() -> dict[Any, Any]:
                parts: dict[Any, Any] = defaultdict(lambda: defaultdict(int))
                for (g, h), node in free.items():
                    for d in components(rest):
                        parts[_add(h, d), (0, 0, 0)][node, graph.moment(moments[2][0], _add(g, d))] += multiplicity(d)
                return {key: dict(value) for key, value in parts.items()}

            triple = tensor(("triple", first, moments[2], rest), join)
            terms = {(node, graph.moment(moments[3][0], g)): 1 for (g, _), node in triple.items()}
    cost += len(terms)
    return cost if dry else graph.node(c, terms)


def _pair_key(a: Moment, b: Moment, n: int, split: Split) -> tuple[Any, ...]:
    """Return a key that is the same for equal tensors, independently of the order of the two factors."""
    return max(("pair", a, b, n, split), ("pair", b, a, n, (split[2], split[3], split[0], split[1])))


def _scalar_node(graph: _Graph, c: Contraction) -> int:
    """Return the node of a contraction, made by the plan that adds the fewest products to the graph."""
    if c in graph.nodes:
        return graph.nodes[c]
    parts = c.components()
    if len(parts) > 1:
        # Split off one part: the product of the others is itself a basis function, and usually exists already.
        rest = Contraction(*_union(parts[1:])).canonical()
        left, right = _scalar_node(graph, parts[0]), _scalar_node(graph, rest)
        return graph.node(c, {(min(left, right), max(left, right)): 1})
    if len(c.mus) == 1:
        return graph.moment(c.mus[0], (0, 0, 0))
    if len(c.mus) == 2:
        (a, b), rank = c.mus, c.edges[0]
        terms: dict[tuple[int, int], int] = defaultdict(int)
        for d in components(rank):
            left, right = graph.moment(a, d), graph.moment(b, d)
            terms[min(left, right), max(left, right)] += multiplicity(d)
        return graph.node(c, dict(terms))
    kind, order = min(_plans(c), key=lambda plan: _build(graph, c, plan[0], plan[1], dry=True))
    return _build(graph, c, kind, order, dry=False)


def _union(parts: list[Contraction]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return several contractions as one, without edges between them."""
    mus = tuple(mu for part in parts for mu in part.mus)
    edges, offset = {}, 0
    for part in parts:
        for (i, j), n in zip(part.pairs, part.edges, strict=True):
            edges[i + offset, j + offset] = n
        offset += len(part.mus)
    return mus, tuple(edges.get(pair, 0) for pair in combinations(range(len(mus)), 2))


@cache
def basis(level: int) -> Basis:
    """Generate the basis of a level from its definition.

    Parameters
    ----------
    level : int
        Even, from 2 to 28.

    Raises
    ------
    InputError
        The level is not possible.
    """
    functions = contractions(level)
    highest: dict[int, int] = {}
    for c in functions:
        for mu, nu in zip(c.mus, c.ranks, strict=True):
            highest[mu] = max(highest.get(mu, 0), nu)
    graph = _Graph()
    graph.add_basic(highest)
    scalars = [_scalar_node(graph, c) for c in functions]
    products = [
        (left, right, m, target)
        for target, terms in sorted(graph.products.items())
        for (left, right), m in sorted(terms.items())
    ]
    return Basis(
        n_radial=radial_count(level),
        basic=np.array(graph.basic, dtype=np.int64).reshape(-1, 4),
        products=np.array(products, dtype=np.int64).reshape(-1, 4),
        scalars=np.array(scalars, dtype=np.int64),
        n_nodes=graph.n_nodes,
        level=level,
        contractions=functions,
    )
