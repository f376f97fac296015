"""MaxVol: the square submatrix of (almost) largest volume, and the extrapolation grade (paper, eqs. 11-12).

The pool is a tall matrix B with one row b = dE/dtheta per configuration (or per atom). MaxVol selects as many rows as
there are columns, A, such that no exchange of a row of A for a row of B enlarges |det A| by more than a threshold.
Exchanging row j of A for b multiplies det A by the coefficient c_j of ``c = b A^-1``. The condition is therefore
``max_j |c_j| <= threshold`` for every row of the pool: the grade of the rows of the pool is at most about one, and a
row with a larger grade *extrapolates*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dger, idamax

from electrolyte_ml.errors import InputError
from electrolyte_ml.threads import one_blas_thread

_WORKING = 1024  # rows whose coefficients are updated: an exchange costs 1024 x m operations for a pool of any size
_STALE = 500  # exchanges before A is inverted anew, which limits the round-off of the rank-one updates
_CHUNK = 4096  # rows graded at once, which limits the memory for a large pool


@dataclass(frozen=True)
class MaxVolResult:
    """A square matrix of dominant rows.

    Attributes
    ----------
    matrix : ndarray, shape (m, m)
        A. Rows that no row of the pool has replaced are those of the start.
    inverse : ndarray, shape (m, m)
        A^-1.
    index : ndarray of int, shape (m,)
        Index in the pool of each row of A; -1 for a row of the start.
    swaps : int
        Number of exchanges.
    """

    matrix: np.ndarray
    inverse: np.ndarray
    index: np.ndarray
    swaps: int

    @property
    def selected(self) -> np.ndarray:
        """Indices of the rows of the pool that are in A, ascending (n_selected,)."""
        return np.sort(self.index[self.index >= 0])

    def grades(self, rows: np.ndarray) -> np.ndarray:
        """Return the extrapolation grade ``max_j |(b A^-1)_j|`` of each row b; rows (n, m) -> (n,)."""
        return _grades(rows, self.inverse)


@one_blas_thread()
def maxvol(
    rows: np.ndarray,
    *,
    threshold: float = 1.001,
    epsilon: float = 1e-6,
    start: MaxVolResult | None = None,
) -> MaxVolResult:
    """Exchange rows of a square matrix for rows of the pool until no exchange gains more than `threshold`.

    A starts as ``epsilon * diag(scale)``, where `scale` is the root mean square of each column of the pool. A
    non-singular start therefore need not be found in the pool: if its rows span only a subspace (scalings between
    radial and linear parameters, a fixed composition), some rows of the start remain in A. `epsilon` is thus the
    relative size below which a variation is ignored, and a row that leaves the pool's span by more than that has a
    grade above one.

    Parameters
    ----------
    rows : ndarray, shape (n, m)
        The pool B.
    threshold : float
        Smallest gain of an exchange, above 1; 1.001 as in MLIP-2. It limits the number of exchanges, since each
        multiplies |det A| by a larger factor.
    epsilon : float
        Size of the start relative to the columns' scale (ignored with `start`).
    start : MaxVolResult, optional
        Matrix to start from, whose rows are exchanged for those of `rows`.

    Returns
    -------
    MaxVolResult
        The result is deterministic: of equally good exchanges the first row and column is taken. A duplicate of a row
        of A has a grade of exactly one and never enters.

    Raises
    ------
    InputError
        The rows are not a matrix, have no columns, or are not finite (the message names the first such row), or a
        threshold is out of range.

    Notes
    -----
    The rows of largest grade form a working set whose coefficients C = B A^-1 are updated after each exchange (i, j)
    by the rank-one formula ``C -= C[:, j] (C[i] - e_j) / C[i, j]``. When no exchange is left in it, A is inverted anew
    and the whole pool is graded again, until no row is above the threshold.

    References
    ----------
    S. A. Goreinov et al., "How to find a good submatrix", in Matrix Methods (World Scientific, 2010), 247.
    I. S. Novikov et al., Mach. Learn.: Sci. Technol. 2, 025002 (2021).
    """
    rows = np.ascontiguousarray(rows, dtype=float)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise InputError(f"MaxVol needs a matrix with at least one column, got shape {rows.shape}")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
        raise InputError(f"MaxVol: row {bad[0]} of {len(rows)} holds NaN or infinity ({bad.size} such rows)")
    if not threshold > 1:
        raise InputError(f"MaxVol threshold must be above 1, got {threshold}")
    if not 0 < epsilon < 1:
        raise InputError(f"MaxVol epsilon must lie between 0 and 1, got {epsilon}")

    m = rows.shape[1]
    if start is None:
        matrix = np.diag(epsilon * _column_scale(rows))
    elif start.matrix.shape == (m, m):
        matrix = start.matrix.copy()
    else:
        raise InputError(f"MaxVol: rows have {m} columns, the matrix to go on from has {len(start.matrix)}")
    index = np.full(m, -1)
    inverse = np.linalg.inv(matrix)
    swaps = 0
    while len(outside := _worst(rows, inverse, threshold)):
        exchanges = _exchange(rows, outside, matrix, inverse, index, threshold)
        if exchanges == 0:  # a grade within round-off of the threshold
            break
        swaps += exchanges
        inverse = np.linalg.inv(matrix)
    return MaxVolResult(matrix=matrix, inverse=inverse, index=index, swaps=swaps)


def _worst(rows: np.ndarray, inverse: np.ndarray, threshold: float) -> np.ndarray:
    """Return the rows of largest grade above the threshold, largest first, at most _WORKING (indices)."""
    grades = np.concatenate(
        [_grades(rows[i : i + _CHUNK], inverse) for i in range(0, len(rows), _CHUNK)] or [np.empty(0)]
    )
    order = np.argsort(-grades, kind="stable")[:_WORKING]
    return order[grades[order] > threshold]


def _grades(rows: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Return the largest coefficient of each row, (n,).

    Rows of atoms of one species are zero in the columns of other species, in five of six columns with six species. Rows
    with the same first nonzero column are therefore multiplied together, without the columns that are zero in all.
    """
    first = (rows != 0).argmax(axis=1)
    grades = np.empty(len(rows))
    for column in np.unique(first):
        group = np.flatnonzero(first == column)
        part = rows[group]
        used = np.flatnonzero(part.any(axis=0))
        grades[group] = np.abs(part[:, used] @ inverse[used]).max(axis=1)
    return grades


def _column_scale(rows: np.ndarray) -> np.ndarray:
    """Return the root mean square of each column (m,); columns of zeros have the median of the others."""
    if len(rows) == 0:
        return np.ones(rows.shape[1])
    scale = np.sqrt(np.mean(rows**2, axis=0))
    nonzero = scale > 1e-12 * scale.max(initial=0.0)
    scale[~nonzero] = np.median(scale[nonzero]) if nonzero.any() else 1.0
    return scale


def _exchange(
    rows: np.ndarray,
    working: np.ndarray,
    matrix: np.ndarray,
    inverse: np.ndarray,
    index: np.ndarray,
    threshold: float,
) -> int:
    """Make the exchanges for the `working` rows, in place in `matrix` and `index`; return their number (<= _STALE)."""
    m = len(matrix)
    coefficients = rows[working] @ inverse  # (n_working, m)
    for swap in range(_STALE):
        i, j = divmod(int(idamax(coefficients.ravel())), m)
        pivot = coefficients[i, j]
        if abs(pivot) <= threshold:
            return swap
        matrix[j] = rows[working[i]]
        index[j] = working[i]
        row = coefficients[i].copy()
        row[j] -= 1.0
        column = coefficients[:, j].copy()
        # BLAS works in place only on Fortran order, the transpose of C order.
        dger(-1.0 / pivot, row, column, a=coefficients.T, overwrite_x=1, overwrite_y=1, overwrite_a=1)
    return _STALE
