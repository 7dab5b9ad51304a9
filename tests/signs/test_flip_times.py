"""Flip times of flows against first-passage times, in all coordinates, by all integrators; balance; saved times."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import hamtheory as ht
from experiments import _one_dimension as one
from hamtheory.flow import SOLVERS
from hamtheory.signs import first_passage_time, flip_events, flip_times
from tests.slow import slow

TOLERANCE = 1e-7
EPS = float(np.finfo(float).eps)
PAIRS = [(0.7, 1.0), (3.0, 0.2), (0.05, 4.0), (1e-3, 1.0)]
GAMMAS, ALPHAS = np.logspace(-12, 0, 7), np.logspace(-3, 6, 10)
SPRING = ht.LinearRegression([[1.0]], [1.0])


def relative(time, truth):
    return abs(float(time) / float(truth) - 1)


# Closed forms and quadrature.


@pytest.mark.parametrize("coordinates", ["dual", "primal"])
@pytest.mark.parametrize("family, parameters", [(ht.Hypentropy, [*GAMMAS, 1e-100]), (ht.HAM, ALPHAS)])
def test_the_whole_range(family, parameters, coordinates):
    for a, y in PAIRS[:2]:
        for parameter in parameters:
            geo = family(parameter)
            time = first_passage_time(geo, a, y)
            flow = one.path(one.spring(y), geo, a, 1.5 * float(time), coordinates)
            assert relative(flip_times(flow)[0], time) <= TOLERANCE, (parameter, a, y)


def test_the_whole_range_in_factors():
    """γ is that of the factors as they are rounded."""
    for a, y in PAIRS[2:]:
        for gamma in GAMMAS:
            m, w = one.factors(a, gamma)
            geo = ht.Hypentropy(one.imbalance(m, w))
            time = first_passage_time(geo, -m * w, y)
            flow = one.product_path(one.spring(y), m, w, 1.5 * float(time))
            assert relative(flip_times(flow)[0], time) <= TOLERANCE, (gamma, a, y)


@pytest.mark.slow
@pytest.mark.parametrize("solver, family, parameters", [
    ("dopri8", ht.HAM, ALPHAS), ("kvaerno5", ht.HAM, ALPHAS),
    ("kvaerno3", ht.Hypentropy, GAMMAS), ("rkc", ht.Hypentropy, GAMMAS),
])  # fmt: skip
def test_the_other_integrators(solver, family, parameters):
    for geo in map(family, parameters[::3]):
        time = first_passage_time(geo, 0.7, 1.0)
        flow = ht.solve_flow(SPRING, geo, [-0.7], ts=[1.5 * float(time)], solver=solver)
        assert relative(flip_times(flow)[0], time) <= TOLERANCE, geo


def test_gradient_descent():
    for a, y in PAIRS:
        time = first_passage_time(ht.Euclidean(), a, y)
        flow = one.path(one.spring(y), ht.Euclidean(), a, 1.5 * float(time))
        assert relative(flip_times(flow)[0], time) <= TOLERANCE, (a, y)


# Balance.


def mixed(d):
    """A problem that asks each entry to change its sign, and factors that are balanced."""
    rng = np.random.default_rng(d)
    X = rng.standard_normal((d, d)) / np.sqrt(d) + 2 * np.eye(d)
    m = rng.uniform(0.5, 1.5, d)
    w = np.where(np.arange(d) % 2, 1.0, -1.0) * m
    return ht.LinearRegression(X, X @ -np.sign(w)), m, w


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
def test_balanced_factors_never_flip_in_any_integrator(solver):
    problem, m, w = mixed(4)
    w[-1] *= 1.01
    options = {"dt": 0.2} if solver in ("euler", "heun") else {"rtol": 1e-4, "atol": 1e-6}
    flow = ht.product_flow(problem, m, w, ts=np.linspace(0.0, 100.0, 101), solver=solver, throw=False, **options)
    flips = np.asarray(ht.signs.flips(flow.thetas))
    assert np.isfinite(flow.theta).all() and flow.ts[-1] == 100.0
    assert not flips[:, :-1].any()
    assert flips[:, -1].any()  # the entry that is not balanced does


def test_balanced_factors_have_no_flip_time():
    for size in (0.7, 1.0, 1.3):
        assert np.isnan(flip_times(one.product_path(SPRING, size, -size, 100.0))[0])
    # An imbalance of one rounding unit is one, and has its time.
    just, theory = one.product_path(SPRING, 1 + EPS, -1.0, 100.0), first_passage_time(ht.Hypentropy(EPS), 1.0, 1.0)
    assert relative(flip_times(just)[0], theory) <= TOLERANCE


@pytest.mark.parametrize("batch_size, noise", [*slow((None, 0.0), (2, 0.0)), (2, 0.3)])
def test_balanced_rules_never_flip(batch_size, noise):
    problem, m, w = mixed(6)
    options = {"batch_size": batch_size, "label_noise": noise, "key": jax.random.key(0)} if batch_size else {}

    def counted(rule, start=None):
        counter, schedule = ht.signs.FlipCounter(rule), {"learning_rate": 0.02, "steps": 4000, "save_every": 4000}
        return ht.run(problem, counter, start, **schedule, **options).states

    product = counted(ht.ProductGD(m0=m, w0=w))
    assert not product.flips.gross[-1].any()
    np.testing.assert_array_equal(np.abs(product.rule.m[-1]), np.abs(product.rule.w[-1]))
    assert not counted(ht.Exponentiated(), m * w).flips.gross[-1].any()
    assert counted(ht.ProductGD(m0=m, w0=w * (1 + 1e-12))).flips.gross[-1].any()


# What was saved does not matter.


def crossed_twice():
    """θ₁ = 0.3 − 0.6 e^(−t) + 0.4 e^(−4t) for gradient descent, and the two times at which it is zero."""
    V = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    target, start = np.array([0.3, 5.0]), np.array([0.3 - 0.6 + 0.4, 5.0 - 0.6 - 0.4])
    X = np.sqrt(2) * np.diag([1.0, 2.0]) @ V
    path = lambda t: 0.3 - 0.6 * np.exp(-t) + 0.4 * np.exp(-4 * t)  # noqa: E731
    roots = [scipy.optimize.brentq(path, *ends, xtol=1e-15) for ends in ((0, 0.3), (0.4, 1.0))]
    return ht.LinearRegression(X, X @ target), start, np.array(roots)


def test_two_crossings_within_a_step():
    problem, start, roots = crossed_twice()
    fixed = ht.solve_flow(problem, ht.Euclidean(), start, ts=np.array([0.6, 1.2]), solver="dopri8", dt=0.6)
    assert not np.asarray(ht.signs.flips(np.stack([start, *fixed.thetas]))).any()  # at the ends of the steps
    events = flip_events(fixed, most=3)
    assert events.gross.tolist() == [2, 0] and bool(events.flipped_back[0])
    np.testing.assert_allclose(events.times[:2, 0], roots, rtol=0.02)
    assert np.isnan(events.times[2, 0]) and events.last[0] == events.times[1, 0]


@pytest.mark.slow
def test_saved_times_do_not_matter():
    rng = np.random.default_rng(2)
    X, target = rng.standard_normal((8, 12)), np.zeros(12)
    target[rng.choice(12, 3, replace=False)] = 1.0
    problem, start, end = ht.LinearRegression(X, X @ target), rng.standard_normal(12), 30.0
    coarse, fine = (
        ht.solve_flow(problem, ht.Euclidean(), start, ts=end * np.linspace(0, 1, count) ** 4, solver="tsit5")
        for count in (6, 601)
    )
    few, many = flip_events(coarse), flip_events(fine)
    np.testing.assert_array_equal(few.gross, many.gross)
    np.testing.assert_allclose(few.times, many.times, rtol=1e-9)
    sampled = np.asarray(ht.signs.flips(fine.thetas))
    np.testing.assert_array_equal(sampled.sum(axis=0), many.gross)
    assert many.gross.max() == 3 and many.gross.min() == 0
    assert np.asarray(ht.signs.flips(coarse.thetas)).sum() < many.gross.sum()  # the coarse grid misses some
    # Each of them between the two saves between which the sign has changed.
    ts = np.asarray(fine.ts)
    for j in range(12):
        gaps = np.flatnonzero(sampled[:, j])
        times = np.asarray(many.times[: len(gaps), j])
        assert ((ts[gaps] <= times) & (times <= ts[gaps + 1])).all()


# Errors.


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bad", [None, np.zeros((3, 2)), "flow"])
def test_anything_but_a_flow_is_refused(bad):
    for function in (flip_times, flip_events):
        with pytest.raises(TypeError, match=r"flow_result must be that of ht\.solve_flow or ht\.product_flow; got"):
            function(bad)


def test_flows_from_inside_a_transformation_are_refused():
    flow = eqx.filter_eval_shape(lambda a: ht.solve_flow(SPRING, ht.HAM(a), [-0.7], ts=[1.0]), jnp.asarray(2.0))
    with pytest.raises(ValueError, match=r"flow_result must come from outside jit and vmap.*solve_flows"):
        flip_times(flow)
