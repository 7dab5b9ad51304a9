"""Bad input is refused before any work, with a message that names the argument."""

import math

import numpy as np
import pytest

import hamtheory as ht

KEY = np.zeros(2, np.uint32)
PROBLEM = ht.sparse_regression(4, 8, 2)
NAN = np.array([[1.0, 2.0], [3.0, np.nan]])


class OfOneNumber(ht.geometry.AbstractGeometry):
    def inverse_metric(self, theta):
        return 1 + math.tanh(theta) ** 2


class WithIf(ht.geometry.AbstractGeometry):
    def inverse_metric(self, theta):
        return 1 + theta**2 if abs(theta) < 1 else 2 * abs(theta)


BAD = {
    "y of another length": (lambda: ht.LinearRegression(np.eye(2), [1.0]), ValueError, "y must have one entry a row"),
    "X with one axis": (lambda: ht.LinearRegression([1.0, 2.0], [1.0]), ValueError, "X must have 2 axes"),
    "y with two axes": (lambda: ht.LinearRegression(np.eye(2), np.eye(2)), ValueError, "y must have 1 axis"),
    "empty X": (lambda: ht.LinearRegression(np.zeros((0, 3)), []), ValueError, "X must have at least one row"),
    "text in X": (lambda: ht.LinearRegression([["a", 1]], [1.0]), ValueError, "X must hold real numbers"),
    "the name of a column as y": (lambda: ht.LinearRegression(np.eye(2), "a"), ValueError, "y .*; got the text 'a'$"),
    "complex X": (lambda: ht.LinearRegression(1j * np.eye(2), [1, 2]), ValueError, "X must hold real numbers"),
    "ragged X": (lambda: ht.LinearRegression([[1, 2], [3]], [1, 2]), ValueError, "X must be a rectangular array"),
    "NaN in X": (lambda: ht.LinearRegression(NAN, [1, 2]), ValueError, "X must be finite; got nan at index 1, 1"),
    "inf in y": (lambda: ht.LinearRegression(np.eye(2), [1, np.inf]), ValueError, "y .* finite; got inf at index 1"),
    "theta_star": (
        lambda: ht.LinearRegression(np.eye(2), [1, 1], [1]),
        ValueError,
        "theta_star must have one entry a column of X, 2",
    ),
    "k above d": (lambda: ht.sparse_regression(3, 4, 5), ValueError, "k must be at most d = 4; got 5"),
    "fractional n": (lambda: ht.sparse_regression(2.5, 4, 1), TypeError, "n must be an integer; got 2.5"),
    "negative noise": (lambda: ht.sparse_regression(2, 4, 1, noise=-1), ValueError, "noise must not be negative"),
    "alpha = 0": (lambda: ht.HAM(alpha=0.0), ValueError, "alpha must be positive; got 0.0"),
    "alpha < 0": (lambda: ht.HAM(alpha=[1.0, -2.0]), ValueError, "alpha must be positive; got -2.0"),
    "alpha = NaN": (lambda: ht.HAM(alpha=np.nan), ValueError, "alpha must be finite; got nan"),
    "both alphas": (lambda: ht.HAM(alpha=1.0, log_alpha=0.0), ValueError, "exactly one of alpha and log_alpha"),
    "no alpha": (lambda: ht.HAM(), ValueError, "exactly one of alpha and log_alpha"),
    "log alpha": (lambda: ht.HAM(log_alpha=1e6), ValueError, "log_alpha must be within ±100000"),
    "gamma = 0": (lambda: ht.Hypentropy(gamma=0.0), ValueError, r"no mirror potential.*product_flow"),
    "gamma < 0": (lambda: ht.Hypentropy(gamma=-1.0), ValueError, "gamma must be positive; got -1.0"),
    "NaN in theta0": (lambda: ht.solve_limit(PROBLEM, ht.HAM(1.0), [np.nan] * 8), ValueError, "theta0 .* at index 0"),
    "shape of theta0": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), [0.0] * 7), ValueError, r"theta0 .* shape \(8,\)"),
    "limit's tol": (lambda: ht.solve_limit(PROBLEM, ht.HAM(1.0), tol=0.0), ValueError, "tol must be positive"),
    "limit's decay": (
        lambda: ht.solve_limit(PROBLEM, ht.HAM(np.ones(8)), weight_decay=0.1),
        ValueError,
        "scalar parameter",
    ),
    "limit's decay of a network": (
        lambda: ht.solve_limit(PROBLEM, ht.DiagonalNetwork(3, 0.1), weight_decay=0.1),
        ValueError,
        "shrinks its scale",
    ),
    "flow's decay of a network": (
        lambda: ht.solve_flow(PROBLEM, ht.DiagonalNetwork(3, 0.1), weight_decay=0.1),
        ValueError,
        "shrinks its scale",
    ),
    "family": (lambda: ht.limit_path(PROBLEM, ht.Euclidean, [1.0]), TypeError, "HAM or ht.Hypentropy.*ht.solve_limits"),
    "alpha in a grid of its logarithm": (
        lambda: ht.limit_path(PROBLEM, ht.HAM, [1.0, 1e6]),
        ValueError,
        "log_alpha must be within ±100000.*; got 1e[+]06. It is the natural logarithm of alpha",
    ),
    "another name of the variable": (
        lambda: ht.symbolic.geometry("1 + x**2"),
        ValueError,
        "x missing. The variable is theta",
    ),
    "a parameter left out": (lambda: ht.symbolic.geometry("1 + a*theta**2"), ValueError, r"\['a'\]: a missing$"),
    "a method for one number": (
        lambda: ht.solve_limit(PROBLEM, OfOneNumber()),
        TypeError,
        r"OfOneNumber.inverse_metric is for one number, .* write hamtheory.geometry.namespace\(theta\).tanh",
    ),
    "a method with an if": (
        lambda: ht.solve_limit(PROBLEM, WithIf()),
        TypeError,
        "WithIf.inverse_metric is for one number, .* instead of `if` its where",
    ),
    "empty grid": (lambda: ht.limit_path(PROBLEM, ht.HAM, []), ValueError, "grid must hold at least one"),
    "NaN in a grid": (lambda: ht.limit_path(PROBLEM, ht.HAM, [0.0, np.nan]), ValueError, "grid .* at index 1"),
    "decay of 0": (
        lambda: ht.regularization_path(PROBLEM, ht.Euclidean(), [1.0, 0.0]),
        ValueError,
        "weight_decays must be positive",
    ),
    "y = 0": (
        lambda: ht.certify_basis_pursuit(ht.LinearRegression(np.eye(2, 4), [0.0, 0.0])),
        ValueError,
        "y must not be 0",
    ),
    "decay < 0": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), weight_decay=-1), ValueError, "weight_decay must not be"),
    "coordinates": (
        lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), coordinates="polar"),
        ValueError,
        "coordinates must be",
    ),
    "dual with decay": (
        lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), coordinates="dual", weight_decay=0.1),
        ValueError,
        "coordinates='dual' needs weight_decay=0",
    ),
    "solver": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), solver="rk5"), ValueError, "must be one of collocation, "),
    "euler without dt": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), solver="euler"), ValueError, "dt must be given"),
    "dt < 0": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), dt=-1.0), ValueError, "dt must be positive"),
    "decreasing ts": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), ts=[1.0, 0.5]), ValueError, "ts must be increasing"),
    "empty ts": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), ts=[]), ValueError, "ts must hold at least one time"),
    "ts and steps": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), ts=[1.0], save="steps"), ValueError, "either ts or"),
    "save": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), save="all"), ValueError, "save must be 'log' or 'steps'"),
    "max_steps": (lambda: ht.solve_flow(PROBLEM, ht.HAM(1.0), max_steps=0), ValueError, "max_steps must be at least 1"),
    "m0": (lambda: ht.product_flow(PROBLEM, [1.0], [1.0] * 8), ValueError, r"m0 must have shape \(8,\)"),
    "data set": (lambda: ht.datasets.load("iris"), ValueError, "'fermentation', .*got 'iris'"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.usefixtures("unchecked")
def test_is_refused(case):
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()


OF_A_PROBLEM = {
    "solve_limit": lambda problem: ht.solve_limit(problem, ht.HAM(1.0)),
    "solve_limits": lambda problem: ht.solve_limits(problem, ht.HAM([1.0, 2.0])),
    "limit_path": lambda problem: ht.limit_path(problem, ht.HAM, [1.0]),
    "regularization_path": lambda problem: ht.regularization_path(problem, ht.HAM(1.0), [1.0]),
    "min_norm": ht.min_norm,
    "basis_pursuit": ht.basis_pursuit,
    "certify_basis_pursuit": ht.certify_basis_pursuit,
    "exact_threshold": ht.exact_threshold,
    "solve_flow": lambda problem: ht.solve_flow(problem, ht.HAM(1.0)),
    "solve_flows": lambda problem: ht.solve_flows(problem, ht.HAM([1.0, 2.0])),
    "product_flow": lambda problem: ht.product_flow(problem, [0.0] * 8, [1.0] * 8),
    "steepest_flow": lambda problem: ht.steepest_flow(problem, [[0.0] * 8, [1.0] * 8]),
    "stochastic_flow": lambda problem: ht.stochastic_flow(
        problem, ht.HAMStep(1.0), learning_rate=0.1, ts=[1.0], key=KEY
    ),
    "run": lambda problem: ht.run(problem, ht.GD(), learning_rate=0.1, steps=1),
    "run_many": lambda problem: ht.run_many(problem, ht.GD(), learning_rate=[0.1], steps=1),
    "solve_margin": lambda problem: ht.solve_margin(problem, ht.HAM(1.0)),
    "solve_margins": lambda problem: ht.solve_margins(problem, ht.HAM(1.0)),
    "margin": lambda problem: ht.metrics.margin(problem, [0.0] * 8),
    "asymptotic_rate": lambda problem: ht.metrics.asymptotic_rate(problem, ht.HAM(1.0), [0.0] * 8),
}
NO_PROBLEMS = {
    "an array": (PROBLEM.X, r"ndarray of shape \(4, 8\)|a ndarray"),
    "None": (None, "None|a NoneType"),
    "a path": ("data.csv", "'data.csv'|a str"),
    "a geometry": (ht.HAM(1.0), r"HAM\(alpha=1.0\)|a HAM"),
}


@pytest.mark.parametrize("given", NO_PROBLEMS)
@pytest.mark.parametrize("function", OF_A_PROBLEM)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_problem_is_refused_by_name(function, given):
    value, shown = NO_PROBLEMS[given]
    with pytest.raises(TypeError, match=rf"^problems? must be .*; got ({shown})$"):
        OF_A_PROBLEM[function](value)


@pytest.mark.parametrize("solve", [ht.solve_limit, ht.solve_flow, ht.solve_limits, ht.solve_flows])
@pytest.mark.parametrize(
    ("given", "shown"), [("ham", "'ham'"), (ht.HAM, "the class HAM"), ([ht.HAM(1.0)], "list"), (PROBLEM, "LinearR.*")]
)
@pytest.mark.usefixtures("unchecked")
def test_what_is_no_geometry_is_refused_by_name(solve, given, shown):
    with pytest.raises(TypeError, match=rf"^geos? must be a geometry, such as ht.HAM\(alpha=.*; got {shown}"):
        solve(PROBLEM, given)


@pytest.mark.parametrize("given", ["ham", ht.HAM, None])
@pytest.mark.usefixtures("unchecked")
def test_other_functions_of_a_geometry(given):
    for function in (
        lambda: ht.bregman_divergence(given, [1.0], [0.0]),
        lambda: ht.geometry.check_geometry(given),
        lambda: ht.signs.first_passage_time(given, 1.0, 1.0),
        lambda: ht.regularization_path(PROBLEM, given, [1.0]),
    ):
        with pytest.raises(TypeError, match=r"^geo(metry)? must be a geometry, such as"):
            function()


@pytest.mark.usefixtures("unchecked")
def test_one_of_several_is_no_problem():
    with pytest.raises(TypeError, match=r"^problems\[1\] must be .*; got ndarray of shape \(4, 8\)"):
        ht.solve_limits([PROBLEM, PROBLEM.X], ht.HAM(1.0), which=[0, 1])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("solve", [ht.solve_limit, ht.solve_flow, lambda problem, _: ht.certify_basis_pursuit(problem)])
def test_tolerance_out_of_reach_names_float64(solve):
    single = ht.LinearRegression(np.eye(2, 3, dtype=np.float32), np.ones(2, np.float32))
    with pytest.raises(ValueError, match=r"below what float32 can reach.*float64.*jax_enable_x64"):
        solve(single, ht.HAM(1.0))
