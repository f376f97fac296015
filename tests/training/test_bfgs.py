"""BFGS with its update of the inverse Hessian in O(n^2), beside SciPy's."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen, rosen_der

from electrolyte_ml.training.bfgs import minimise_bfgs


def quadratic(n, seed=0):
    """A convex quadratic function of condition number 1000, and where it has its minimum."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n, n)))[0]
    matrix, best = axes * np.geomspace(1, 1000, n) @ axes.T, rng.normal(size=n)
    return lambda x: (0.5 * (x - best) @ matrix @ (x - best), matrix @ (x - best)), best


def quartic(x):
    """A function with flat directions: of pairs of parameters only the product matters."""
    rest = x[::2] * x[1::2] - 1.0
    gradient = np.empty_like(x)
    gradient[::2], gradient[1::2] = 2 * rest * x[1::2], 2 * rest * x[::2]
    return (rest**2).sum(), gradient


FUNCTIONS = {
    "rosen": (lambda x: (rosen(x), rosen_der(x)), np.linspace(-1.0, 1.5, 12)),
    "quartic": (quartic, np.linspace(0.2, 2.0, 20)),
    "quadratic": (quadratic(30)[0], np.zeros(30)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_iterates_as_scipy(name):
    """Value by value, in as many evaluations, until rounding tells."""
    function, start = FUNCTIONS[name]
    calls, values = {"ours": 0, "scipy": 0}, {"ours": [], "scipy": []}

    def counted(who):
        def call(x):
            calls[who] += 1
            return function(x)

        return call

    def scipys(intermediate_result):
        values["scipy"].append(intermediate_result.fun)

    x = minimise_bfgs(counted("ours"), start, 15, values["ours"].append)
    expected = minimize(
        counted("scipy"), start, jac=True, method="BFGS", callback=scipys, options={"maxiter": 15, "gtol": 1e-10}
    )
    assert len(values["ours"]) == expected.nit and calls["ours"] == calls["scipy"]
    np.testing.assert_allclose(values["ours"], values["scipy"], rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(x, expected.x, rtol=1e-7, atol=1e-9)


def test_a_minimum_ends_it():
    function, best = quadratic(8)
    values = []
    x = minimise_bfgs(function, np.zeros(8), 500, values.append)
    assert len(values) < 100 and np.all(np.diff(values) < 0)
    np.testing.assert_allclose(x, best, atol=1e-8)
    values.clear()
    assert np.array_equal(minimise_bfgs(function, best, 500, values.append), best) and not values


def test_no_step_lowers_a_function_whose_gradient_is_wrong():
    start = np.ones(3)
    assert np.array_equal(minimise_bfgs(lambda x: (x @ x, -2 * x), start, 10, lambda value: None), start)


def test_where_the_function_is_infinite_no_step_goes():
    """The minimum of x - log(x) is 1; beyond zero there is nothing."""

    def function(x):
        return (np.inf, np.zeros(1)) if x[0] <= 0 else (x[0] - np.log(x[0]), 1 - 1 / x)

    assert minimise_bfgs(function, np.array([50.0]), 60, lambda value: None)[0] == pytest.approx(1.0, abs=1e-6)


def test_no_iteration_evaluates_once():
    calls = []
    x = minimise_bfgs(lambda x: (calls.append(1), (x @ x, 2 * x))[1], np.ones(2), 0, lambda value: None)
    assert calls == [1] and np.array_equal(x, np.ones(2))
