"""The basis of a level: how many functions, which, and the products that evaluate them."""

from itertools import combinations, permutations, product
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import Contraction, basis, contractions
from electrolyte_ml.potentials.mtp.basis import radial_count
from electrolyte_ml.potentials.mtp.text import _SCALARS

# Published numbers of the MLIP package's templates, by number of factors where known.
COUNTS = {2: 1, 4: 2, 6: 5, 8: 9, 10: 16, 12: 29, 14: 52, 16: 92, 18: 163, 20: 288, 22: 500, 24: 864}
BY_FACTORS = {
    6: (2, 2, 1, 0),
    8: (2, 4, 2, 1),
    10: (3, 6, 5, 2),
    12: (3, 10, 10, 6),
    14: (4, 14, 20, 14),
    16: (4, 20, 35, 33),
    18: (5, 26, 62, 70),
    20: (5, 35, 100, 148),
}


@pytest.mark.parametrize("level", COUNTS)
def test_number_of_functions(level):
    assert len(contractions(level)) == COUNTS[level] == _SCALARS[level]


@pytest.mark.parametrize("level", BY_FACTORS)
def test_number_of_functions_by_factors(level):
    assert basis(level).counts_by_factors == BY_FACTORS[level]


@pytest.mark.parametrize(
    ("level", "species", "number"),
    [(12, 3, 248), (16, 3, 383), (20, 3, 651), (12, 6, 899), (16, 6, 1250), (20, 6, 1734)],
)
def test_number_of_parameters(level, species, number):
    assert basis(level).n_parameters(species) == number


@pytest.mark.parametrize(("level", "count"), [(2, 1), (6, 2), (8, 2), (10, 3), (12, 3), (16, 4), (20, 5), (24, 6)])
def test_radial_functions_of_a_level(level, count):
    assert radial_count(level) == count
    assert {mu for c in contractions(level) for mu in c.mus} == set(range(count))


def burnside(level: int, k: int) -> int:
    """Isomorphism classes of k factors, counted without a canonical form: the mean number of fixed points."""
    pairs = list(combinations(range(k), 2))
    budget = (level - 2 * k) // 2
    if budget < 0:
        return 0
    labelled = [
        (mus, dict(zip(pairs, edges)))
        for mus in product(range(budget // 2 + 1), repeat=k)
        for edges in product(range(budget + 1), repeat=len(pairs))
        if 2 * sum(mus) + sum(edges) <= budget
    ]
    fixed = sum(
        all(mus[p] == mu for p, mu in zip(order, mus))
        and all(edges[tuple(sorted((order[i], order[j])))] == n for (i, j), n in edges.items())
        for order in permutations(range(k))
        for mus, edges in labelled
    )
    assert fixed % factorial(k) == 0
    return fixed // factorial(k)


@pytest.mark.parametrize("level", [2, 4, 6, 8, 10, 12])
def test_functions_are_all_classes_of_multigraphs(level):
    assert sum(burnside(level, k) for k in (1, 2, 3, 4)) == len(contractions(level))


@pytest.mark.parametrize("level", [8, 16])
def test_functions_respect_the_definition(level):
    functions = contractions(level)
    assert len({c.canonical() for c in functions}) == len(functions)
    for c in functions:
        assert 1 <= len(c.mus) <= 4
        assert c.level == sum(2 + 4 * mu + nu for mu, nu in zip(c.mus, c.ranks)) <= level
        assert sum(c.ranks) == 2 * sum(c.edges)


@st.composite
def renamed(draw):
    """A multigraph, and the same with its factors in another order."""
    k = draw(st.integers(1, 4))
    mus = draw(st.lists(st.integers(0, 3), min_size=k, max_size=k))
    pairs = list(combinations(range(k), 2))
    edges = dict(zip(pairs, draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))))
    order = draw(st.permutations(range(k)))
    moved = tuple(edges[tuple(sorted((order[i], order[j])))] for i, j in pairs)
    return Contraction(tuple(mus), tuple(edges.values())), Contraction(tuple(mus[p] for p in order), moved)


@given(renamed())
def test_canonical_form_forgets_the_names_of_the_factors(pair):
    one, other = pair
    assert one.canonical() == other.canonical()
    assert one.canonical().level == one.level
    parts = one.components()
    assert sum(len(c.mus) for c in parts) == len(one.mus) and sum(c.level for c in parts) == one.level


def test_functions_are_linearly_independent(liquid):
    from electrolyte_ml.potentials import MomentTensorPotential

    potential = MomentTensorPotential.random(12, ("C",), seed=2)
    values = np.vstack([
        potential.site_energy_gradients(liquid(30, ("C",), seed))[:, -potential.basis.n_scalars :] for seed in range(3)
    ])  # fmt: skip
    values /= np.linalg.norm(values, axis=0)
    assert np.linalg.matrix_rank(values, tol=1e-10) == potential.basis.n_scalars


@pytest.mark.parametrize("level", range(2, 22, 2))
def test_products_use_only_what_is_complete(level):
    table = basis(level)
    n_basic = len(table.basic)
    used, made = set(range(n_basic)), set(range(n_basic))
    for left, right, factor, target in table.products.tolist():
        assert factor > 0 and left in made and right in made
        assert target >= n_basic and target not in used - set(range(n_basic))
        made.add(target)
        used |= {left, right}
    assert made == set(range(table.n_nodes)) and set(table.scalars.tolist()) <= made
    assert len(np.unique(table.basic, axis=0)) == n_basic


@pytest.mark.parametrize("level", [0, -2, 3, 7.5, 30, True])
def test_impossible_levels(level):
    with pytest.raises(InputError, match="even numbers from 2 to"):
        basis(level)
