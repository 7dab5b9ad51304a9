"""Whatever is passed through the doors of the host engine: an answer, or an error that names an argument.

The only exceptions are `ValueError` and `TypeError` whose message has the name of an argument; no warning about numbers
comes out; and what is called converged has a residual, computed again in 120 digits, within the tolerance, as far as
float64 (float32) can tell.
"""

import os
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import hamtheory as ht
from tests.exact import Data, mp, vector

ARGUMENTS = (
    "X|y|theta0|m0|w0|alpha|log_alpha|gamma|log_gamma|depth|scale|log_scale|a(?= must| = )|ts|dt|grid|family|"
    "tol|rtol|atol|weight_decay|max_steps|coordinates|solver|save"
)
NAMES = re.compile(rf"(?<!\w)({ARGUMENTS})(?!\w)")
ODD = st.sampled_from(
    [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-320, 1e308, 1e6, "a", None, 1j, True, [1.0], np.ones((2, 2))]
)
SELDOM = st.integers(0, 40).map(lambda i: i == 0)
# The same examples every time; others, and with --hypothesis-seed any, if SEARCH is set.
USUAL = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "derandomize": "SEARCH" not in os.environ,
}


@st.composite
def arrays(draw, shape):
    """Numbers of any scale, of small integers, of ties, of zeros, in one of the types that users have."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["normal", "normal", "integers", "signs", "zeros", "spread"]))
    array = rng.standard_normal(shape)
    if kind in ("integers", "signs"):
        array = np.round(2 * array) if kind == "integers" else np.sign(array)
    elif kind == "zeros":
        array = array * (rng.random(shape) < 0.4)
    elif kind == "spread":
        array = array * 10.0 ** rng.uniform(-20, 20, shape)
    unit = draw(st.sampled_from([1.0, 1.0, 1.0, 1e-3, 1e5, 1e-30, 1e40, 1e-150, 1e150, 1e-305, 1e300]))
    with np.errstate(all="ignore"):
        return array * unit


@st.composite
def dressed(draw, array):
    """The array as something else, once in a while with a hole in it."""
    if draw(st.integers(0, 30)) == 0 and array.size:
        array = array.copy()
        array.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from([np.nan, np.inf, 1e308]))
    else:
        array = np.clip(array, -1e307, 1e307)
    if draw(st.integers(0, 60)) == 0:
        return array.astype(object) if draw(st.booleans()) else np.clip(array, -9, 9).astype(np.float16)
    with np.errstate(all="ignore"):
        return draw(
            st.sampled_from(
                [
                    lambda: array,
                    lambda: array,
                    lambda: array,
                    lambda: array.tolist(),
                    lambda: np.clip(array, -1e38, 1e38).astype(np.float32),
                    lambda: np.clip(array, -1e38, 1e38).astype(np.float32),
                    lambda: np.nan_to_num(np.clip(array, -9, 9)).astype(int),
                    lambda: array.astype(array.dtype.newbyteorder()),
                    lambda: array.astype(np.longdouble),
                    lambda: np.ma.masked_invalid(array),
                    lambda: np.asfortranarray(array)[::-1][::-1],
                    lambda: pd.DataFrame(array) if array.ndim == 2 else pd.Series(array),
                ]
            )
        )()


@st.composite
def problems(draw):
    """X and y: full and deficient rank, equal rows, rows and columns in other units, consistent or not."""
    n, d = draw(st.integers(1, 5)), draw(st.integers(1, 7))
    X = draw(arrays((n, d)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    what = draw(st.sampled_from(["any", "any", "rows", "columns", "twice", "near", "low"]))
    with np.errstate(all="ignore"):
        if what == "rows":
            X = X * 10.0 ** rng.uniform(-100, 100, (n, 1))
        elif what == "columns":
            X = X * 10.0 ** rng.uniform(-100, 100, (1, d))
        elif what == "twice":
            X = np.vstack([X, X[:1]])
        elif what == "near":
            X = np.vstack([X, X[:1] * (1 + 1e-10 * rng.standard_normal(d))])
        elif what == "low":
            X = rng.standard_normal((n, 1)) * X[:1]
        truth = rng.standard_normal(d) * (rng.random(d) < 0.6) * draw(st.sampled_from([1.0, 1.0, 1e-150, 1e-8, 1e100]))
        y = X @ truth if draw(st.integers(0, 3)) else draw(arrays((len(X) + (draw(st.integers(0, 40)) == 0),)))
    return draw(dressed(X)), draw(dressed(y))


@st.composite
def starts(draw, d):
    if draw(SELDOM):
        return draw(ODD)
    if draw(st.booleans()):
        return None
    return draw(dressed(draw(arrays((d,)))))


def numbers(low, high, odd=40):
    """The powers of ten between, seldom something odd."""
    power = st.floats(low, high).map(lambda x: 10.0**x)
    return st.integers(0, odd).flatmap(lambda i: ODD if i == 0 else power)


@st.composite
def geometries(draw):
    """What makes a geometry; an odd parameter is refused when it is called."""
    kind = draw(st.integers(0, 6))
    log = draw(ODD if draw(SELDOM) else st.floats(-1000, 5000) | st.floats(-20, 20))
    if kind == 0:
        return lambda: ht.Euclidean()
    if kind in (1, 2):
        alpha = draw(numbers(-12, 12))
        return (lambda: ht.HAM(alpha=alpha)) if kind == 1 else (lambda: ht.HAM(log_alpha=log))
    if kind in (3, 4):
        gamma = draw(numbers(-12, 12))
        return (lambda: ht.Hypentropy(gamma=gamma)) if kind == 3 else (lambda: ht.Hypentropy(log_gamma=log))
    if kind == 5:
        depth, scale = (
            draw(st.sampled_from([1, 2.5]) if draw(SELDOM) else st.sampled_from([2, 3, 4])),
            draw(numbers(-30, 3)),
        )
        return lambda: ht.DiagonalNetwork(depth, scale)
    a = draw(ODD if draw(SELDOM) else st.sampled_from([1e-3, 1.0, 30.0]))
    return lambda: ht.symbolic.geometry("1 + a*theta**2", a=a)


TOLERANCES = SELDOM.flatmap(lambda odd: ODD if odd else st.sampled_from([1e-4, 1e-4, 1e-6, 1e-8, 1e-10]))
STEPS = SELDOM.flatmap(lambda odd: ODD if odd else st.sampled_from([300, 300, 300, 20, 1]))
DECAYS = SELDOM.flatmap(lambda odd: ODD if odd else st.sampled_from([0.0, 0.0, 0.0, 0.0, 1e-3, 1.0, 1e30]))


@st.composite
def times(draw):
    if draw(st.booleans()):
        return None
    if draw(SELDOM):
        return draw(ODD)
    ts = draw(st.lists(st.floats(0, 1e3), max_size=4) | st.just([1e300]))
    return ts if draw(SELDOM) else sorted(set(ts))


def ask(call, what):
    """What the call gives, or None if it is refused as it should be."""
    refusal = None
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return call()
        except (ValueError, TypeError) as error:
            refusal = str(error)
    assert NAMES.search(refusal), (what, refusal)
    return None


def is_within(problem, theta, tol):
    """Whether the removable residual may be within the tolerance, as far as anyone can tell in the problem's dtype."""
    data, rounding = Data(problem.X, problem.y), mp.mpf(float(np.finfo(problem.dtype).eps)) * 2**52
    true = data.residual(vector(theta))
    return true.value <= mp.mpf(tol) * mp.mpf("1.001") + rounding * true.slack


def check(problem, thetas, residuals, results, tol, what):
    for theta, residual, result in zip(thetas, residuals, results, strict=True):
        if result == ht.Result.converged:
            assert np.isfinite(theta).all() and np.isfinite(residual), what
            assert is_within(problem, theta, tol), (what, residual)


@st.composite
def calls(draw):
    """A function, its arguments, and what it is asked for, all at once."""
    X, y = draw(problems())
    d = np.shape(X)[1]
    which = draw(st.sampled_from(["limit", "limit", "path", "flow", "product"]))
    more = {"max_steps": draw(STEPS), "throw": False}
    if which in ("limit", "path"):
        more["tol"] = draw(TOLERANCES)
    else:
        more |= {"rtol": draw(TOLERANCES), "ts": draw(times())}
    if which != "path":
        more["weight_decay"] = draw(DECAYS)
    if which == "product":
        return X, y, which, (draw(starts(d)), draw(starts(d))), more
    if which == "path":
        logs = ODD if draw(SELDOM) else st.lists(st.floats(-1000, 5000), max_size=4)
        family = draw(st.sampled_from([ht.Euclidean, None] if draw(SELDOM) else [ht.HAM, ht.Hypentropy]))
        return X, y, which, (family, draw(logs), draw(starts(d))), more
    return X, y, which, (draw(geometries()), draw(starts(d))), more


def go(call):
    X, y, which, arguments, more = call
    problem = ask(lambda: ht.LinearRegression(X, y), call)
    if problem is None:
        return
    if which in ("limit", "flow"):
        geo = ask(arguments[0], call)
        if geo is None:
            return
        solve = ht.solve_limit if which == "limit" else ht.solve_flow
        found = ask(lambda: solve(problem, geo, arguments[1], **more), call)
    elif which == "path":
        found = ask(lambda: ht.limit_path(problem, *arguments, **more), call)
        if found is not None:
            check(problem, found.thetas, found.residual, found.result, more["tol"], call)
        return
    else:
        found = ask(lambda: ht.product_flow(problem, *arguments, **more), call)
    # Under weight decay what converges is the stationarity, not the residual.
    if found is not None and more["weight_decay"] == 0:
        check(problem, [found.theta], [found.residual], [found.result], more.get("tol", more.get("rtol")), call)


@pytest.mark.usefixtures("unchecked")
@settings(max_examples=150, **USUAL)
@given(calls())
def test_doors(call):
    go(call)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
@settings(max_examples=10_000, **USUAL)
@given(calls())
def test_doors_ten_thousand_times(call):
    go(call)
