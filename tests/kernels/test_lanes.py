"""Vectors as a type of the compiler, beside the same slices in NumPy."""

import numpy as np
import pytest
from numba import njit

from electrolyte_ml.kernels.lanes import LANES, aligned, at, load, put, root, spread, store, total, width

pytestmark = pytest.mark.nojit


@njit
def compute(a, b, out, number):
    """What the kernels do with vectors, in one expression: numbers on either side, all operators, in place."""
    for j in range(0, a.shape[1], width(a)):
        x, y = load(a, 1, j), load(b, 2, j)
        z = 2.5 * x - y / number + spread(number, a)
        z *= root(y)
        z += 1
        store(z, out, 0, j)


@njit
def sums(a):
    return total(load(a, 0)), total(load(a, 1))


@njit
def single(rows, table, k):
    put(at(rows, 1, 3) + at(table, k), rows, 0, 5)


@njit
def rounded(a, out):
    store(load(a, 1), out, 1)


@njit
def zeros(rows, columns, like):
    return aligned(rows, columns, like)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arithmetic_stays_in_its_precision(dtype):
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 2, (2, 3, 32)).astype(dtype)
    out = np.zeros((1, 32), dtype)
    number = 0.1  # no float32 number
    compute(a, b, out, number)
    near = dtype(number)
    expected = (dtype(2.5) * a[1] - b[2] / near + near) * np.sqrt(b[2]) + 1
    assert np.abs(out[0] - expected).max() <= 4 * np.finfo(dtype).eps * np.abs(expected).max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_and_sums(dtype):
    a = np.arange(2 * 64 // dtype().itemsize, dtype=dtype).reshape(2, -1)
    assert sums(a) == tuple(a.sum(1))


def test_single_numbers():
    rows, table = np.random.default_rng(0).normal(size=(2, LANES)), np.array([1.0, 2.0, 4.0])
    expected = rows.copy()
    expected[0, 5] = rows[1, 3] + 4.0
    single(rows, table, np.uint32(2))
    assert np.array_equal(rows, expected)


def test_eight_doubles_are_rounded_into_a_row_of_eight_floats():
    a, out = np.random.default_rng(0).normal(size=(2, LANES)), np.zeros((2, LANES), np.float32)
    rounded(a, out)
    assert np.array_equal(out, np.stack([np.zeros(LANES), a[1].astype(np.float32)]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_buffers_begin_at_a_cache_line(dtype):
    for rows, columns in ((1, 1), (3, 8), (5, 24)):
        buffer = zeros(rows, columns, np.zeros(1, dtype))
        assert buffer.shape == (rows, columns) and buffer.dtype == dtype and not buffer.any()
        assert buffer.ctypes.data % 64 == 0
