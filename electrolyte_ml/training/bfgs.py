"""BFGS with an update of the inverse Hessian in O(n^2) operations.

`scipy.optimize.minimize` multiplies two dense matrices in each update, which takes O(n^3) operations: with 1700
parameters, an iteration takes seconds even if the loss is cheap. Line search, first step and stopping rules are those
of SciPy's BFGS; the iterates agree except for rounding.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], tuple[float, np.ndarray]]

GRADIENT_TOLERANCE = 1e-10  # limit for the largest derivative
SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9  # the strong Wolfe conditions
SHORTEST, LONGEST = 1e-100, 1e100  # steps, as multiples of the quasi-Newton step


def minimise_bfgs(
    function: Function, start: np.ndarray, iterations: int, callback: Callable[[float], None]
) -> np.ndarray:
    """Minimise a function by a number of BFGS iterations; stop earlier if no step lowers the function.

    Parameters
    ----------
    function : callable
        Function that returns value and gradient (n,) at a point (n,).
    start : (n,) array
    iterations : int
        Largest number of iterations.
    callback : callable
        Called with the value of the function after each iteration.

    References
    ----------
    Nocedal and Wright, Numerical Optimization (Springer, 2006), eq. 6.17.
    """
    from scipy.linalg.blas import dsymv, dsyr2

    function = _cached(function)
    x = np.array(start, dtype=float)
    value, gradient = function(x)
    before = value + float(np.linalg.norm(gradient)) / 2  # the first trial step then has length 1
    inverse_hessian = np.eye(len(x), order="F")  # only the upper triangle is updated
    for _ in range(iterations):
        if not np.abs(gradient).max(initial=0.0) > GRADIENT_TOLERANCE:
            break
        direction = -dsymv(1.0, inverse_hessian, gradient)
        result = _line_search(function, x, direction, gradient, value, before)
        if result is None:
            break
        length, before, value = result
        step = length * direction
        x = x + step
        new_gradient = function(x)[1]
        change, gradient = new_gradient - gradient, new_gradient
        callback(value)
        product = step @ change
        if not (np.isfinite(value) and product > 0 and step.any()):
            break
        # H - (s w^T + w s^T), w = (H y - (1 + y^T H y / y^T s) s / 2) / y^T s
        moved = dsymv(1.0, inverse_hessian, change)
        other = (moved - 0.5 * (1 + change @ moved / product) * step) / product
        inverse_hessian = dsyr2(-1.0, step, other, a=inverse_hessian, overwrite_a=True)
    return x


def _line_search(
    function: Function, x: np.ndarray, direction: np.ndarray, gradient: np.ndarray, value: float, before: float
) -> tuple[float, float, float] | None:
    """Return length, first and last value of a step that satisfies the strong Wolfe conditions, or None.

    As in SciPy's BFGS, the search is that of Moré and Thuente, and, if it fails, that of Nocedal and Wright.
    """
    import warnings

    from scipy.optimize import line_search
    from scipy.optimize._linesearch import line_search_wolfe1  # the search of Moré and Thuente has no public name

    def value_at(point: np.ndarray) -> float:
        return function(point)[0]

    def gradient_at(point: np.ndarray) -> np.ndarray:
        return function(point)[1]

    options = {"c1": SUFFICIENT_DECREASE, "c2": CURVATURE, "amax": LONGEST}
    arguments = value_at, gradient_at, x, direction, gradient, value, before
    length, _, _, new, old, _ = line_search_wolfe1(*arguments, amin=SHORTEST, **options)
    if length is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            length, _, _, new, old, _ = line_search(*arguments, **options)
    return None if length is None else (length, old, new)


def _cached(function: Function) -> Function:
    """Return the function with a cache of its last result: line searches use value and gradient in separate calls."""
    last: list[tuple[np.ndarray, tuple[float, np.ndarray]]] = []

    def cached(point: np.ndarray) -> tuple[float, np.ndarray]:
        if not last or not np.array_equal(last[0][0], point):
            last[:] = [(point.copy(), function(point))]
        return last[0][1]

    return cached
