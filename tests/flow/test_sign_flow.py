"""Sign flows on factors, as inclusions: against events and sliding modes by SciPy, and as limits of smoothed ones."""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import hamtheory as ht
from tests.slow import slow

from .factors import CLASSES, factors_by_scipy, gradient_of, start


def sign_flow_by_events(problem, w0, end):
    """θ at the end, of the sign flow of any factors: SciPy between events, and sliding modes by enumeration.

    Written apart from the library: the factors themselves are the state, and which entries slide is found by trying.
    """
    hessian, d, of = problem.X.T @ problem.X / problem.n, problem.d, gradient_of(problem)

    def metric(w):
        return sum(np.abs(np.prod(np.delete(w, i, axis=0), axis=0)) for i in range(len(w)))

    def push(w, v, slide):
        v, M = v.copy(), metric(w)
        if slide:
            fixed = [k for k in range(d) if k not in slide]
            block = hessian[np.ix_(slide, slide)] * M[slide]
            v[slide] = np.linalg.solve(block, -hessian[np.ix_(slide, fixed)] @ (M * v)[fixed])
        return v

    def velocity(w, v):
        return -np.stack([v * np.sign(np.prod(np.delete(w, i, axis=0), axis=0)) for i in range(len(w))])

    def modes(w, v, candidates):
        """Of the candidates, which slide, so that all is consistent: each is tried as +1, −1 or sliding."""
        import itertools

        best = None
        for choice in itertools.product((0.0, 1.0, -1.0), repeat=len(candidates)):
            trial = v.copy()
            trial[candidates] = choice
            slide = [k for k, c in zip(candidates, choice, strict=True) if c == 0]
            full = push(w, trial, slide)
            rate = -hessian @ (metric(w) * full)
            wrong = max([max(0.0, -c * rate[k]) for k, c in zip(candidates, choice, strict=True)], default=0.0)
            wrong = max(wrong, max([abs(full[k]) - 1 for k in slide], default=-1.0))
            if best is None or wrong < best[0] - 1e-12:
                best = wrong, trial, slide
        return best[1], best[2]

    t, w, slide = 0.0, w0.copy(), []
    v = np.sign(of(np.prod(w, axis=0)))
    for _ in range(400):
        sides = np.sign(w)

        def events(t, x, v=v, slide=tuple(slide), sides=sides):
            y = x.reshape(w0.shape)
            g = of(np.prod(y, axis=0))
            full = push(y, v, list(slide))
            off = np.array([1 - abs(full[k]) if k in slide else v[k] * g[k] for k in range(d)])
            return np.concatenate([off, (sides * y).ravel()]) + 1e-12

        solved = scipy.integrate.solve_ivp(
            lambda t, x, v=v, slide=tuple(slide): velocity(
                x.reshape(w0.shape), push(x.reshape(w0.shape), v, list(slide))
            ).ravel(),
            (t, end),
            w.ravel(),
            "DOP853",
            rtol=1e-12,
            atol=1e-13,
            max_step=0.02,
            dense_output=True,
        )
        fine = np.linspace(t, end, 601)
        values = np.array([events(s, solved.sol(s)) for s in fine])
        below = np.flatnonzero((values < 0).any(axis=1))
        if not below.size:
            return np.prod(solved.y[:, -1].reshape(w0.shape), axis=0)
        left, right = fine[max(below[0] - 1, 0)], fine[below[0]]
        while right - left > 1e-15:
            middle = (left + right) / 2
            if middle in (left, right):
                break
            left, right = (middle, right) if (events(middle, solved.sol(middle)) >= 0).all() else (left, middle)
        hit = np.flatnonzero(events(right, solved.sol(right)) < 0)
        t, w = right, solved.sol(right).reshape(w0.shape)
        gradient = of(np.prod(w, axis=0))
        if np.linalg.norm(problem.residual(np.prod(w, axis=0))) < 1e-9:
            return np.prod(w, axis=0)
        candidates = sorted(
            {*slide, *[int(k) for k in hit if k < d], *np.flatnonzero(np.abs(gradient) < 1e-10).tolist()}
        )
        v, slide = modes(w, v, candidates)
    raise AssertionError("too many events")


COUNTS = [*slow(1), 2, *slow(3)]


@pytest.mark.parametrize("count", COUNTS)
def test_the_sign_flow_is_that_of_an_event_driven_solver(count):
    problem = ht.sparse_regression(3, 5, 1, seed=2)
    w0 = start(count, seed=4, d=5)
    end = 2.0 if count == 1 else 0.6
    flow = ht.steepest_flow(problem, w0, q=1.0, ts=[end])
    assert flow.stats["sliding"] >= 3  # there is something to test
    np.testing.assert_allclose(flow.theta, sign_flow_by_events(problem, w0, end), atol=1e-8)


@pytest.mark.parametrize("count", COUNTS)
def test_the_sign_flow_is_the_limit_of_smoothed_ones(count):
    problem = ht.sparse_regression(3, 5, 1, seed=2)
    w0, ts = start(count, seed=4, d=5), np.array([0.05, 0.1, 0.6])
    flow = ht.steepest_flow(problem, w0, q=1.0, ts=ts)
    coarse, fine, finest = (
        np.prod(factors_by_scipy(problem, w0, 1.0, ts, epsilon=epsilon, rtol=1e-10, method="Radau"), axis=0)
        for epsilon in (4e-7, 2e-7, 1e-7)
    )
    extrapolated, before = 2 * finest - fine, 2 * fine - coarse
    error = np.abs(extrapolated - before).max()  # what the extrapolation itself says of its error
    assert error < 1e-5
    np.testing.assert_allclose(flow.thetas, extrapolated, atol=1e-5)


def test_of_exponents_near_1_it_approaches_the_sign_flow():
    problem, w0 = ht.sparse_regression(3, 5, 1, seed=2), start(2, seed=4, d=5)
    sign = ht.steepest_flow(problem, w0, q=1.0).theta
    errors = [np.abs(ht.steepest_flow(problem, w0, q=q).theta - sign).max() for q in (1.2, 1.1, 1.05)]
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.1


@pytest.mark.slow
def test_the_sign_flow_of_a_classification_is_the_limit_of_smoothed_ones():
    ts, w0 = np.array([0.3, 0.6]), start(2, d=10)
    flow = ht.steepest_flow(CLASSES, w0, q=1.0, ts=ts)
    fine, finest = (
        np.prod(factors_by_scipy(CLASSES, w0, 1.0, ts, epsilon=epsilon, rtol=1e-9, method="LSODA"), axis=0)
        for epsilon in (4e-6, 2e-6)
    )
    np.testing.assert_allclose(flow.thetas, 2 * finest - fine, atol=1e-5)


def test_the_sign_flow_of_a_classification_reaches_any_loss():
    far = ht.steepest_flow(CLASSES, start(2, d=10), q=1.0, log_loss=-30.0)
    assert far.log_loss[-1] == pytest.approx(-30) and far.balance < 1e-8
    # Of one factor, θ grows by t in every entry that is pushed: the margin over the largest |θ| becomes the best.
    one = ht.steepest_flow(CLASSES, [np.zeros(10)], q=1.0, log_loss=-30.0)
    bounds = [(-1, 1)] * 10 + [(None, None)]
    constraints = np.c_[-CLASSES.signed, np.ones(CLASSES.n)]
    best = scipy.optimize.linprog(np.r_[np.zeros(10), -1], constraints, np.zeros(CLASSES.n), bounds=bounds)
    margin = CLASSES.margins(one.theta).min() / np.abs(one.theta).max()
    assert margin == pytest.approx(-best.fun, rel=0.05)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_under_strong_weight_decay_it_ends_where_no_factor_can_grow(count):
    # dw = −sign(∂) − 2βw rests at |w| = 1/(2β), where the signs are those of a gradient that θ hardly changes.
    problem, beta = ht.sparse_regression(3, 5, 1, seed=2), 5.0
    expected = -np.sign(problem.gradient(np.zeros(5))) / (2 * beta) ** count
    for options in ({}, {"ts": [0.1, 100.0]}):
        flow = ht.steepest_flow(problem, start(count, seed=4, d=5), q=1.0, weight_decay=beta, **options)
        assert flow.result == ht.Result.converged and flow.stats["violation"] < 1e-8
        np.testing.assert_allclose(flow.theta, expected, atol=2e-8)


def test_what_imbalanced_factors_hold_they_may_not_hold_once_they_are_balanced():
    # Of two factors θ = 1 is held while w₁ + w₂ ≥ 4β, and, as their difference decays, for good if β ≤ 1/2.
    problem, w0, ts = ht.LinearRegression([[1.0]], [1.0]), [[5.0], [0.1]], np.array([0.3, 1.0, 3.0, 30.0])
    held = ht.steepest_flow(problem, w0, q=1.0, weight_decay=0.3, ts=ts)
    np.testing.assert_allclose(held.thetas, 1.0, rtol=1e-12)
    np.testing.assert_allclose(held.factors[0] * held.factors[1], 1.0, rtol=1e-12)
    np.testing.assert_allclose((held.factors[0] - held.factors[1]).T, [4.9 * np.exp(-0.6 * ts)], rtol=1e-9, atol=1e-7)
    assert held.balance < 1e-9 and held.result == ht.Result.converged
    left = ht.steepest_flow(problem, w0, q=1.0, weight_decay=0.7, ts=ts)
    assert left.thetas[0, 0] == pytest.approx(1.0, rel=1e-9)
    for options in ({"ts": ts}, {}):
        end = ht.steepest_flow(problem, w0, q=1.0, weight_decay=0.7, **options).theta
        np.testing.assert_allclose(end, 1 / 1.4**2, rtol=1e-7)


def test_from_the_smallest_starts_it_is_the_flow_from_zero():
    problem = ht.sparse_regression(3, 5, 1, seed=2)
    ends = [ht.steepest_flow(problem, [np.full(5, s), np.full(5, 2 * s)], q=1.0).theta for s in (1e-12, 1e-100)]
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-9)
