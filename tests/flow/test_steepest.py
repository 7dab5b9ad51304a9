"""Steepest flows on factors: against the factors' own equations, and closed forms."""

import jax
import numpy as np
import pytest
import scipy.optimize

import hamtheory as ht
from tests.slow import slow

from .factors import CLASSES, factors_by_scipy, start

PROBLEM = ht.sparse_regression(4, 8, 2, seed=1)
TIMES = np.array([0.0, 0.05, 0.2, 0.5])
# Until entries slide, which costs an explicit solver far more steps.
ENDS = {1.25: 0.1, 1.5: 0.3, 2.0: 0.5}


@pytest.mark.parametrize("count", [2, 3, *slow(4)])
@pytest.mark.parametrize("q", [1.25, 1.5, 2.0])
def test_it_solves_the_equations_of_the_factors_and_conserves_what_they_do(q, count):
    w0 = start(count)
    ts = ENDS[q] * np.array([0.0, 0.2, 0.6, 1.0])
    flow = ht.steepest_flow(PROBLEM, w0, q=q, ts=ts, rtol=1e-10)
    by_scipy = factors_by_scipy(PROBLEM, w0, q, ts)
    np.testing.assert_allclose(flow.factors, by_scipy, atol=2e-8)
    np.testing.assert_allclose(flow.thetas, np.prod(by_scipy, axis=0), atol=1e-7)
    raised = np.abs(flow.factors) ** q
    conserved = raised[:1] - raised[1:]
    np.testing.assert_allclose(conserved, flow.conserved, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(conserved, np.repeat(conserved[:, :1], 4, axis=1), rtol=0, atol=1e-8)
    assert flow.drift < 1e-13
    assert flow.balance < 1e-8
    to_the_end = ht.steepest_flow(PROBLEM, w0, q=q)
    raised = np.abs(to_the_end.factors) ** q
    np.testing.assert_allclose(raised[0] - raised[1:], np.broadcast_to(conserved[:, :1], raised[1:].shape), atol=1e-8)
    assert to_the_end.result == ht.Result.converged and to_the_end.balance < 1e-7


@pytest.mark.parametrize("q", [1.25, 1.5, 2.0])
def test_with_decoupled_decay_the_conserved_quantities_shrink_like_an_exponential(q):
    w0, beta = start(3), 0.3
    ts = ENDS[q] * np.array([0.0, 0.5, 1.0])
    flow = ht.steepest_flow(PROBLEM, w0, q=q, ts=ts, weight_decay=beta, rtol=1e-10)
    np.testing.assert_allclose(flow.factors, factors_by_scipy(PROBLEM, w0, q, ts, beta), atol=2e-8)
    decayed = np.exp(-2 * q * beta * ts)[:, None]
    np.testing.assert_allclose(flow.conserved, flow.conserved[:, :1] * decayed, rtol=1e-9, atol=1e-12)
    assert flow.drift < 1e-8


def test_of_exponent_2_it_is_gradient_flow():
    m, w = start(2)
    for weight_decay in (0.0, 0.1):
        tight = {"rtol": 1e-11, "weight_decay": weight_decay, "ts": 10 * TIMES}
        product, flow = ht.product_flow(PROBLEM, m, w, **tight), ht.steepest_flow(PROBLEM, [m, w], **tight)
        np.testing.assert_allclose(flow.thetas, product.thetas, atol=1e-8)
        np.testing.assert_allclose(flow.factors, [product.ms, product.ws], atol=1e-8)
    gamma = 0.1
    hypentropy = ht.solve_flow(PROBLEM, ht.Hypentropy(gamma=gamma), rtol=1e-10)
    factors = [np.full(8, np.sqrt(2 * gamma)), np.zeros(8)]
    np.testing.assert_allclose(ht.steepest_flow(PROBLEM, factors, rtol=1e-10).theta, hypentropy.theta, atol=1e-8)


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize("geo", [ht.Euclidean(), ht.HAM(alpha=5.0)], ids=lambda geo: geo.name)
def test_of_one_factor_and_exponent_2_it_is_gradient_descent_or_ham(geo, weight_decay):
    alpha = getattr(geo, "alpha", 0.0)
    theta0, options = start(1)[0], {"rtol": 1e-11, "ts": 10 * TIMES}
    own = ht.solve_flow(PROBLEM, geo, theta0, weight_decay=weight_decay, coordinates="primal", **options)
    flow = ht.steepest_flow(PROBLEM, [theta0], hyperbolic=alpha, weight_decay=weight_decay / 2, **options)
    np.testing.assert_allclose(flow.thetas, own.thetas, atol=1e-8)


def test_balanced_factors_of_gradient_flow_keep_their_signs_and_come_to_rest():
    w = np.array([0.3, 0.5])
    problem = ht.LinearRegression(np.eye(2), [1.0, -1.0])
    flow = ht.steepest_flow(problem, [w, w], throw=False)
    assert flow.result == ht.Result.stuck
    assert flow.theta[0] == pytest.approx(1, abs=1e-3) and 0 < flow.theta[1] < 1e-3
    dead = ht.steepest_flow(problem, [[0.0, 0.3], [0.0, 0.1]], throw=False)
    assert dead.result == ht.Result.stuck and dead.theta[0] == 0


@pytest.mark.parametrize(("q", "count"), [(1.0, 2), (1.25, 2), (1.5, 2), (1.25, 3), (1.0, 4)])
def test_balanced_factors_pass_zero_where_the_exponent_is_below_1_as_the_limit_of_imbalanced_ones(q, count):
    problem = ht.LinearRegression([[1.0]], [-1.0])
    exact = ht.steepest_flow(problem, np.full((count, 1), 0.5), q=q, ts=[0.5, 1.0, 1.5, 2.0], rtol=1e-10)
    assert exact.theta[0] < 0
    near = np.full((count, 1), 0.5)
    errors = []
    for imbalance in (1e-3, 1e-6):
        near[1:] = (0.5**q + imbalance * np.arange(1, count)[:, None]) ** (1 / q)
        errors.append(np.abs(ht.steepest_flow(problem, near, q=q, ts=exact.ts, rtol=1e-10).thetas - exact.thetas).max())
    assert errors[1] < 0.2 * errors[0] and errors[1] < 0.05


def test_one_sample_arrives_in_finite_time_at_the_closed_form():
    # With r = xθ − y, of one factor: dr/dt = −|x|^q φ(r), so that |r|^(2−q) falls linearly.
    for q in (1.0, 1.3, 1.7):
        x, y = 1.5, 3.0
        flow = ht.steepest_flow(ht.LinearRegression([[x]], [y]), [[0.0]], q=q, rtol=1e-11)
        end = y ** (2 - q) / ((2 - q) * x**q)
        assert flow.result == ht.Result.converged
        assert flow.ts[-1] == pytest.approx(end, rel=1e-3)
        later = ht.steepest_flow(ht.LinearRegression([[x]], [y]), [[0.0]], q=q, ts=[end / 2, 2 * end, 1e6 * end])
        left = np.array([(y ** (2 - q) / 2) ** (1 / (2 - q)), 0, 0])
        np.testing.assert_allclose(x * later.thetas[:, 0] - y, -left, atol=1e-6)


@pytest.mark.parametrize("q", [1.0, *slow(1.5), 2.0])
@pytest.mark.parametrize("units", [(1e100, 1.0), (1e-100, 1e-30), (1.0, 1e90)])
def test_units_do_not_matter(q, units):
    X, theta = units
    w0 = start(3)
    own = ht.steepest_flow(PROBLEM, w0, q=q)
    scaled = ht.steepest_flow(ht.LinearRegression(X * PROBLEM.X, X * PROBLEM.y * theta), theta ** (1 / 3) * w0, q=q)
    np.testing.assert_allclose(scaled.theta / theta, own.theta, atol=1e-6)
    assert scaled.residual <= 1e-8 and scaled.drift < 1e-12 and scaled.balance < 1e-7


def test_steps_and_times_and_float32_and_jax():
    w0 = start(2)
    own = ht.steepest_flow(PROBLEM, w0, q=1.5)
    steps = ht.steepest_flow(PROBLEM, w0, q=1.5, save="steps")
    np.testing.assert_allclose(steps.theta, own.theta, atol=1e-7)
    assert len(steps.ts) == steps.thetas.shape[0] == steps.factors.shape[1] == steps.loss.size
    single = ht.LinearRegression(PROBLEM.X.astype(np.float32), PROBLEM.y.astype(np.float32))
    found = ht.steepest_flow(single, w0, q=1.5, rtol=1e-5)
    assert found.thetas.dtype == found.factors.dtype == np.float32
    np.testing.assert_allclose(found.theta, own.theta, atol=1e-3)
    on_device = ht.LinearRegression(jax.numpy.asarray(PROBLEM.X), jax.numpy.asarray(PROBLEM.y))
    assert isinstance(ht.steepest_flow(on_device, w0, q=1.0, rtol=1e-5).theta, np.ndarray)


def test_without_an_interpolator_it_ends_on_the_least_squares_set():
    rng = np.random.default_rng(3)
    problem = ht.LinearRegression(rng.standard_normal((8, 3)), rng.standard_normal(8))
    best = np.linalg.lstsq(problem.X, problem.y, rcond=None)[0]
    for q in (1.0, 1.5, 2.0):
        flow = ht.steepest_flow(problem, start(2, d=3), q=q)
        assert flow.result == ht.Result.infeasible
        np.testing.assert_allclose(flow.theta, best, atol=1e-6)


def test_the_budget_and_what_is_left_of_a_failure():
    with pytest.raises(RuntimeError, match=r"steepest_flow: max steps.*after 3 steps"):
        ht.steepest_flow(PROBLEM, start(2), q=1.5, max_steps=3)
    for q in (1.0, 1.5):
        flow = ht.steepest_flow(PROBLEM, start(2), q=q, max_steps=3, throw=False)
        assert flow.result == ht.Result.max_steps and np.isfinite(flow.theta).all()


def test_for_other_exponents_the_limit_is_not_the_projection():
    w0 = [np.full(8, 0.5), np.zeros(8)]
    kkts = [ht.steepest_flow(PROBLEM, w0, q=q).kkt for q in (2.0, 1.75, 1.5, 1.25, 1.0)]
    assert kkts[0] < 1e-12
    assert np.all(np.diff(kkts) > 0) and kkts[1] > 0.01
    by_gradient = ht.solve_limit(PROBLEM, ht.Hypentropy(gamma=0.125))
    np.testing.assert_allclose(ht.steepest_flow(PROBLEM, w0).theta, by_gradient.theta, atol=1e-6)
    flow = ht.steepest_flow(PROBLEM, w0, q=1.5)
    by_metric = scipy.optimize.minimize(
        lambda theta: np.sum([potential(abs(x)) for x in theta]),
        flow.theta,
        constraints={"type": "eq", "fun": PROBLEM.residual},
        options={"ftol": 1e-12},
    )
    assert np.abs(flow.theta - by_metric.x).max() > 0.01
    assert by_metric.fun < np.sum([potential(abs(x)) for x in flow.theta]) - 1e-4


def potential(size):
    """R with `R″ = 1/√(4|θ|^q + λ²)`, q = 1.5 and λ = 0.5^q."""
    return scipy.integrate.quad(lambda x: (size - x) / np.sqrt(4 * x**1.5 + 0.5**3), 0, size)[0]


def test_weight_decay_ends_where_the_force_is_a_power_of_theta():
    # φ(∇f) = −2β θ|θ|^(−m), m = q(L − 1)/L, once the factors are balanced.
    for q, count in ((2.0, 2), (1.5, 2), (1.5, 3), (1.25, 2)):
        flow = ht.steepest_flow(PROBLEM, start(count, seed=5), q=q, weight_decay=0.01, rtol=1e-9)
        assert flow.result == ht.Result.converged
        gradient, theta, m = PROBLEM.gradient(flow.theta), flow.theta, q * (count - 1) / count
        large = np.abs(theta) > 0.03
        force = np.sign(gradient) * np.abs(gradient) ** (q - 1)
        expected = -0.02 * theta * np.abs(theta) ** -m
        np.testing.assert_allclose(force[large], expected[large], rtol=1e-5)


def test_a_decay_that_rounding_hides_is_refused_where_it_has_to_be_resolved():
    for q, weight_decay in ((2.0, 1e-10), (1.5, 1e-6), (1.1, 1e-3)):
        with pytest.raises(ValueError, match=r"weight_decay must be 0, or larger, for q = .* and tol = 1e-08"):
            ht.steepest_flow(PROBLEM, start(2), q=q, weight_decay=weight_decay)
        flow = ht.steepest_flow(PROBLEM, start(2), q=q, weight_decay=weight_decay, ts=[0.1])
        without = ht.steepest_flow(PROBLEM, start(2), q=q, ts=[0.1])
        np.testing.assert_allclose(flow.theta, without.theta, atol=2 * weight_decay)


@pytest.mark.parametrize("q", [1.0, *slow(1.5), 2.0])
@pytest.mark.parametrize("others", [(1e10,), pytest.param((1e5, 1e3), marks=pytest.mark.slow), (1e75,)])
def test_far_larger_factors_are_a_unit_of_time(q, others):
    # θ = cw with c constant is `dθ = −c^q φ(∇f) dt`: the flow of one factor.
    one = ht.steepest_flow(PROBLEM, [np.zeros(8)], q=q)
    size = np.prod(others)
    flow = ht.steepest_flow(PROBLEM, [np.full(8, 1e-10 / size), *(np.full(8, c) for c in others)], q=q)
    near = 1e-6 if min(others) > 1e4 else 3 / min(others)
    np.testing.assert_allclose(flow.theta, one.theta, atol=near)
    assert flow.balance < 1e-7


def test_a_start_too_near_to_a_saddle_to_be_waited_for_is_a_failure():
    near = [np.full(8, 1e-20), np.full(8, 2e-20), np.full(8, 3e-20)]
    with pytest.raises(RuntimeError, match=r"steepest_flow: reached the end.*so near to a saddle"):
        ht.steepest_flow(PROBLEM, near)
    assert ht.steepest_flow(PROBLEM, near, ts=[1.0]).result == ht.Result.reached_end


def class_factors(q, count, ts, loss="logistic"):
    problem = ht.BinaryClassification(CLASSES.X, CLASSES.z, loss)
    w0 = start(count, d=10)
    return problem, w0, factors_by_scipy(problem, w0, q, ts, rtol=1e-10)


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize(("q", "count"), [(2.0, 2), (1.5, 3), (1.25, 2)])
def test_a_classification_solves_the_equations_of_the_factors(q, count, loss):
    ts = np.array([0.1, 0.4, 1.0])
    problem, w0, by_scipy = class_factors(q, count, ts, loss)
    flow = ht.steepest_flow(problem, w0, q=q, ts=ts, rtol=1e-9)
    np.testing.assert_allclose(flow.factors, by_scipy, atol=1e-6)
    assert flow.drift < 1e-12 and flow.balance < 1e-6 and flow.result == ht.Result.reached_end
    np.testing.assert_allclose(flow.log_ts, np.log(ts))


def test_a_classification_of_exponent_2_is_that_of_the_geometry():
    own = ht.solve_flow(CLASSES, ht.Hypentropy(gamma=0.125), log_loss=-50.0)
    flow = ht.steepest_flow(CLASSES, [np.full(10, 0.5), np.zeros(10)], log_loss=-50.0)
    np.testing.assert_allclose(flow.theta, own.theta, rtol=1e-6)
    assert flow.log_ts[-1] == pytest.approx(own.log_ts[-1], rel=1e-7)
    ham = ht.solve_flow(CLASSES, ht.HAM(alpha=3.0), log_loss=-50.0)
    flow = ht.steepest_flow(CLASSES, [np.zeros(10)], hyperbolic=3.0, log_loss=-50.0)
    np.testing.assert_allclose(flow.theta, ham.theta, atol=1e-6 * np.abs(ham.theta).max())


def test_classes_that_cannot_be_separated_come_to_rest():
    problem = ht.BinaryClassification([[1.0], [2.0], [-1.0]], [1, -1, -1])
    assert not problem.is_separable
    for q in (1.0, 1.5, 2.0):
        flow = ht.steepest_flow(problem, [[0.5], [0.2]], q=q)
        assert flow.result == ht.Result.infeasible
        assert np.abs(problem.gradient(flow.theta)).max() < 1e-6


def bad(**options):
    factors = options.pop("factors", start(2))
    return lambda: ht.steepest_flow(options.pop("problem", PROBLEM), factors, **options)


BAD = {
    "q below 1": (bad(q=0.9), ValueError, "q must be from 1 to 2; got 0.9"),
    "q above 2": (bad(q=2.5), ValueError, "q must be from 1 to 2; got 2.5"),
    "q is NaN": (bad(q=np.nan), ValueError, "q must be finite; got nan"),
    "q is many": (bad(q=[1.0, 2.0]), ValueError, "q must have 0 axes"),
    "shapes": (bad(factors=[np.ones(8), np.ones(7)]), ValueError, r"factors\[1\] must have shape \(8,\)"),
    "wrong d": (bad(factors=np.ones((2, 5))), ValueError, r"factors\[0\] must have shape \(8,\).*got shape \(5,\)"),
    "no factor": (bad(factors=[]), ValueError, "factors must hold at least one array; got none"),
    "a vector": (bad(factors=np.ones(8)), ValueError, r"factors\[0\] must have 1 axis"),
    "a number": (bad(factors=1.0), TypeError, "factors must be a sequence of arrays"),
    "NaN": (bad(factors=[np.full(8, np.nan)]), ValueError, r"factors\[0\] must be finite; got nan at index 0"),
    "product": (bad(factors=[np.full(8, 1e200)] * 2), ValueError, "the product of the factors must be finite"),
    "hyperbolic of two": (bad(hyperbolic=1.0), ValueError, "hyperbolic must be 0 of 2 factors"),
    "negative hyperbolic": (bad(hyperbolic=-1.0), ValueError, "hyperbolic must not be negative"),
    "negative decay": (bad(weight_decay=-1.0), ValueError, "weight_decay must not be negative"),
    "two zeros": (bad(factors=np.zeros((2, 8)), q=1.5), ValueError, "two zeros in an entry.*at index 0"),
    "save": (bad(save="often"), ValueError, "save must be 'log' or 'steps'"),
    "save and ts": (bad(save="steps", ts=[1.0]), ValueError, "either ts or save='steps'"),
    "ts": (bad(ts=[1.0, 0.5]), ValueError, "ts must be increasing"),
    "log_loss": (bad(log_loss=-3.0), ValueError, "log_loss is for classifications"),
    "rtol": (bad(rtol=1e-20), ValueError, "rtol=1e-20 is below"),
    "no problem": (lambda: ht.steepest_flow(np.eye(2), [np.ones(2)]), TypeError, "problem must be a regression"),
    "decay of classes": (
        lambda: ht.steepest_flow(CLASSES, [np.ones(10)], weight_decay=0.1),
        ValueError,
        "weight_decay is for regressions",
    ),
    "loss and times": (
        lambda: ht.steepest_flow(CLASSES, [np.ones(10)], log_loss=-30.0, ts=[1.0]),
        ValueError,
        "give one of them",
    ),
    "a loss above the start": (
        lambda: ht.steepest_flow(CLASSES, [np.zeros(10)], log_loss=3.0),
        ValueError,
        "log_loss must be below -0.366",
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    call, kind, message = BAD[name]
    with pytest.raises(kind, match=message):
        call()


def test_traced_arrays_are_refused_by_name():
    with pytest.raises(TypeError, match="traced by JAX"):
        jax.jit(lambda w: ht.steepest_flow(PROBLEM, w).theta)(start(2))


def test_an_interpolator_that_another_way_has_led_to_is_no_limit():
    """Rows that differ by 16 orders: the steps are accurate for some of them alone, and the balance tells."""
    n, d, found = 3, 12, []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, d)) * np.logspace(-8, 8, n)[:, None]
        problem = ht.LinearRegression(X, X @ rng.normal(size=d))
        start = [np.zeros(d), *np.full((2, d), 0.5)]
        found.append(ht.steepest_flow(problem, start, q=1.5, max_steps=3000, throw=False))
    astray = [flow for flow in found if flow.residual <= 1e-8 and flow.balance > 0.01]
    assert astray and all(flow.result == ht.Result.stalled for flow in astray)
    assert any(flow.result == ht.Result.converged and flow.balance < 1e-7 for flow in found)
