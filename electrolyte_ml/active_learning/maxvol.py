"""MaxVol: the square submatrix of (almost) largest volume, and the extrapolation grade (paper, eqs. 11-12).

The pool is a tall matrix B, one row b = dE/dtheta per configuration (or per atom). MaxVol picks as many rows as there
are columns, A, so that no single exchange of a row of A for a row of B enlarges |det A| by more than a threshold.
Since exchanging row j of A for b multiplies det A by the coefficient c_j of ``c = b A^-1``, that is the same as
``max_j |c_j| <= threshold`` for every row of the pool: the grade of the rows that made A is at most about one, and
a row with a larger grade *extrapolates*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dger, idamax

from electrolyte_ml.errors import InputError

_WORKING = 1024  # rows whose coefficients are kept up to date together: an exchange costs 1024 x m, whatever the pool
_STALE = 500  # exchanges before A is inverted anew, so that round-off of the rank-one updates cannot pile up
_CHUNK = 4096  # rows graded at once: bounds the memory of a pass over a large pool


@dataclass(frozen=True)
class MaxVolResult:
    """A square matrix of dominant rows.

    Attributes
    ----------
    matrix : ndarray, shape (m, m)
        A. Rows that the pool could not replace are still those of the start.
    inverse : ndarray, shape (m, m)
        A^-1.
    index : ndarray of int, shape (m,)
        Which row of the pool each row of A is; -1 where it is a row of the start.
    swaps : int
        Exchanges made.
    """

    matrix: np.ndarray
    inverse: np.ndarray
    index: np.ndarray
    swaps: int

    @property
    def selected(self) -> np.ndarray:
        """Rows of the pool that are in A, ascending (n_selected,)."""
        return np.sort(self.index[self.index >= 0])

    def grades(self, rows: np.ndarray) -> np.ndarray:
        """Extrapolation grade ``max_j |(b A^-1)_j|`` of each row b; rows (n, m) -> (n,)."""
        return _grades(rows, self.inverse)


def maxvol(
    rows: np.ndarray,
    *,
    threshold: float = 1.001,
    epsilon: float = 1e-6,
    start: MaxVolResult | None = None,
) -> MaxVolResult:
    """Exchange rows of a square matrix for rows of the pool until no exchange gains more than `threshold`.

    A starts as ``epsilon * diag(scale)``, `scale` being the root mean square of each column of the pool, and therefore
    never has to be found non-singular in the pool: rows that span only a subspace (scalings between radial and
    linear parameters, a fixed composition) leave the remaining rows of the start in place. `epsilon` is thus
    the relative size below which a variation counts as none, and a row that leaves the pool's span by more
    than that has a grade above one.

    Parameters
    ----------
    rows : ndarray, shape (n, m)
        The pool B.
    threshold : float
        Above 1; 1.001 as in MLIP-2. Bounds the number of exchanges, since each multiplies |det A| by more than it.
    epsilon : float
        Size of the start relative to the columns' scale (ignored with `start`).
    start : MaxVolResult, optional
        A to go on from: which of `rows` would enter it?

    Returns
    -------
    MaxVolResult
        Deterministic: of equally good exchanges the first row and column is taken; a duplicate of a row of A has a
        grade of exactly one and never enters.

    Raises
    ------
    InputError
        Not a matrix, no columns, NaN or infinite rows (named), thresholds out of range.

    Notes
    -----
    The rows of largest grade form a working set whose coefficients C = B A^-1 are updated after each exchange (i, j)
    by the rank-one formula ``C -= C[:, j] (C[i] - e_j) / C[i, j]``. Once it offers no exchange A is inverted afresh
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
        made = _exchange(rows, outside, matrix, inverse, index, threshold)
        if made == 0:  # a grade within round-off of the threshold
            break
        swaps += made
        inverse = np.linalg.inv(matrix)
    return MaxVolResult(matrix=matrix, inverse=inverse, index=index, swaps=swaps)


def _worst(rows: np.ndarray, inverse: np.ndarray, threshold: float) -> np.ndarray:
    """The rows of largest grade above the threshold, largest first, at most _WORKING (indices)."""
    grades = np.concatenate(
        [_grades(rows[i : i + _CHUNK], inverse) for i in range(0, len(rows), _CHUNK)] or [np.empty(0)]
    )
    order = np.argsort(-grades, kind="stable")[:_WORKING]
    return order[grades[order] > threshold]


def _grades(rows: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Largest coefficient of each row, (n,).

    Rows of atoms of one species are zero in the columns of the others, five of six with six species: rows that begin in
    the same column are multiplied together, without the columns in which all of them are zero.
    """
    first = (rows != 0).argmax(axis=1)
    grades = np.empty(len(rows))
    for column in np.unique(first):
        alike = np.flatnonzero(first == column)
        part = rows[alike]
        used = np.flatnonzero(part.any(axis=0))
        grades[alike] = np.abs(part[:, used] @ inverse[used]).max(axis=1)
    return grades


def _column_scale(rows: np.ndarray) -> np.ndarray:
    """Root mean square of each column (m,); columns that are zero throughout take the median of the others."""
    if len(rows) == 0:
        return np.ones(rows.shape[1])
    scale = np.sqrt(np.mean(rows**2, axis=0))
    seen = scale > 1e-12 * scale.max(initial=0.0)
    scale[~seen] = np.median(scale[seen]) if seen.any() else 1.0
    return scale


def _exchange(
    rows: np.ndarray,
    working: np.ndarray,
    matrix: np.ndarray,
    inverse: np.ndarray,
    index: np.ndarray,
    threshold: float,
) -> int:
    """Make the exchanges that the `working` rows offer, in place in `matrix` and `index`; how many (at most _STALE)."""
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
        # BLAS works in place on Fortran order: the transpose of our C order.
        dger(-1.0 / pivot, row, column, a=coefficients.T, overwrite_x=1, overwrite_y=1, overwrite_a=1)
    return _STALE
