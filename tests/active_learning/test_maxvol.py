"""MaxVol against what defines it: no exchange gains more than the threshold; volumes against brute force."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from electrolyte_ml.active_learning import maxvol
from electrolyte_ml.errors import InputError

THRESHOLD = 1.001


@st.composite
def pools(draw, max_rows=40, max_columns=8):
    """Matrices with columns of very different scales, of any rank, with duplicates."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, m = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
    rank = draw(st.integers(1, m))
    rows = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, m))
    rows = rows[rng.integers(n, size=n)] if draw(st.booleans()) else rows
    return rows * 10.0 ** rng.uniform(-4, 4, size=m)


@given(pools())
@settings(deadline=None, max_examples=100)
def test_no_row_of_the_pool_extrapolates(rows):
    result = maxvol(rows, threshold=THRESHOLD)
    # solved anew from A: the grade must not rest on the inverse that the algorithm has carried along
    grades = np.abs(np.linalg.solve(result.matrix.T, rows.T)).max(axis=0)
    assert grades.max() <= THRESHOLD * (1 + 1e-6)
    assert np.allclose(grades[result.selected], 1.0, atol=1e-6)


@given(pools())
@settings(deadline=None, max_examples=50)
def test_rows_of_a_are_the_rows_that_the_index_names(rows):
    result = maxvol(rows)
    chosen = result.index >= 0
    assert np.array_equal(result.matrix[chosen], rows[result.index[chosen]])
    assert len(set(result.index[chosen])) == chosen.sum()
    assert chosen.sum() <= np.linalg.matrix_rank(rows / np.maximum(np.abs(rows).max(axis=0), 1e-300))


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_volume_is_within_the_bound_of_a_dominant_submatrix(seed, m, surplus):
    """Every coefficient of a dominant A is at most t, so by Hadamard's inequality |det B| <= (t sqrt(m))^m |det A|."""
    rows = np.random.default_rng(seed).normal(size=(m + 1 + surplus, m))
    result = maxvol(rows, threshold=THRESHOLD)
    assert (result.index >= 0).all()
    best = max(abs(np.linalg.det(rows[list(chosen)])) for chosen in combinations(range(len(rows)), m))
    found = abs(np.linalg.det(result.matrix))
    assert found <= best * (1 + 1e-9)
    assert found >= best / (THRESHOLD * np.sqrt(m)) ** m


@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
@settings(deadline=None, max_examples=50)
def test_grades_of_rows_with_zeros_are_those_of_the_whole_product(seed, n):
    """Rows as of atoms of several species: blocks of their own, some columns in common, some rows of zeros."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 11)) * (rng.random((n, 11)) < 0.8)
    species = rng.integers(4, size=n)
    for z in range(3):
        rows[species != z, 3 * z : 3 * z + 3] = 0.0
    result = maxvol(rng.normal(size=(30, 11)))
    whole = [max(abs(row @ result.inverse)) for row in rows]
    assert result.grades(rows) == pytest.approx(whole, rel=1e-9, abs=1e-12)


def test_two_columns_find_the_widest_parallelogram():
    """Worked by hand: of four vectors in the plane, (3, 0) and (0, 2) span area 6, every other pair less."""
    rows = np.array([[1.0, 1.0], [3.0, 0.0], [0.5, -1.0], [0.0, 2.0]])
    result = maxvol(rows)
    assert result.selected.tolist() == [1, 3]
    assert result.grades(np.array([[6.0, 1.0]])) == pytest.approx([2.0])  # (6, 1) = 2 (3, 0) + 0.5 (0, 2)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_grades_do_not_depend_on_the_basis_of_the_columns(seed):
    """b A^-1 = (b T) (A T)^-1: the transformed A grades alike."""
    rng = np.random.default_rng(seed)
    rows, new = rng.normal(size=(30, 5)), rng.normal(size=(10, 5))
    transform = rng.normal(size=(5, 5)) + 3 * np.eye(5)
    one, other = maxvol(rows), maxvol(rows * np.array([1e-3, 1.0, 1e3, 10.0, 0.1]))
    assert np.array_equal(one.index, other.index)  # the start follows the scale of the columns
    assert one.grades(new) == pytest.approx(other.grades(new * np.array([1e-3, 1.0, 1e3, 10.0, 0.1])), rel=1e-8)
    transformed = maxvol(rows[one.selected] @ transform)
    assert transformed.grades(new @ transform) == pytest.approx(one.grades(new), rel=1e-6)


def test_rows_that_span_only_a_subspace_grade_those_that_leave_it():
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(3, 6))
    result = maxvol(rng.normal(size=(50, 3)) @ basis)
    assert (result.index >= 0).sum() == 3
    inside, outside = 0.5 * basis[:1], rng.normal(size=(1, 6))
    assert result.grades(inside)[0] < 3
    assert result.grades(outside)[0] > 1e4  # 1 / epsilon, up to a factor of order one


def test_a_column_that_the_pool_never_used_counts_as_new_once_it_is():
    rows = np.column_stack([np.random.default_rng(2).normal(size=(20, 2)), np.zeros(20)])
    result = maxvol(rows)
    assert result.grades(np.array([[0.1, 0.1, 0.01]]))[0] > 1e3


def test_duplicates_and_ties_are_settled_by_order():
    rows = np.repeat(np.eye(3), 4, axis=0)
    assert maxvol(rows).selected.tolist() == [0, 4, 8]
    assert maxvol(rows, start=maxvol(rows)).swaps == 0


def test_going_on_selects_only_what_is_new():
    rng = np.random.default_rng(3)
    known = rng.normal(size=(40, 4))
    start = maxvol(known)
    candidates = np.concatenate([0.1 * known[:10], [[10.0, 0.0, 0.0, 0.0]], known[:5]])
    result = maxvol(candidates, start=start)
    assert result.selected.tolist() == [10]
    assert (result.index == -1).sum() == 3


def test_more_rows_than_one_working_set_holds():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(9000, 12))
    assert maxvol(rows).grades(rows).max() <= THRESHOLD * (1 + 1e-9)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (np.array([[1.0, 2.0], [np.nan, 0.0]]), {}, "row 1 of 2"),
        (np.array([[1.0, np.inf]]), {}, "row 0 of 1"),
        (np.ones(3), {}, "shape"),
        (np.ones((3, 0)), {}, "shape"),
        (np.ones((3, 2)), {"threshold": 1.0}, "threshold"),
        (np.ones((3, 2)), {"epsilon": 0.0}, "epsilon"),
        (np.ones((3, 2)), {"start": maxvol(np.eye(3))}, "2 columns"),
    ],
)
def test_bad_input_is_refused_in_one_line(rows, options, message):
    with pytest.raises(InputError, match=message) as caught:
        maxvol(rows, **options)
    assert "\n" not in str(caught.value)


def test_same_submatrix_as_motep_up_to_volume():
    """An independent MaxVol starts elsewhere and may stop at another dominant submatrix, not at a far larger one."""
    grade = pytest.importorskip("motep.grade.maxvol")
    rows = np.random.default_rng(5).normal(size=(60, 6))
    theirs = np.linalg.slogdet(grade.MaxVol().run(rows).submatrix)[1]
    ours = np.linalg.slogdet(maxvol(rows).matrix)[1]
    assert abs(ours - theirs) < 6 * np.log(THRESHOLD * np.sqrt(6))
