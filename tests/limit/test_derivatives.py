"""Derivatives of limits, by the implicit function theorem, against differences of limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from tests.slow import others_slow

N, D = 6, 14
RNG = np.random.default_rng(5)
PROBLEM = ht.sparse_regression(N, D, 2, seed=4, noise=0.1)
WEIGHTS, START = jnp.asarray(RNG.standard_normal(D)), jnp.asarray(0.2 * RNG.standard_normal(D))
X, Y = jnp.asarray(PROBLEM.X), jnp.asarray(PROBLEM.y)
REPEATED = jnp.asarray(np.linalg.qr(RNG.standard_normal((D, N)))[0].T)  # all singular values are 1
FAMILIES = {
    "ham": lambda a: ht.HAM(alpha=a),
    "ln α": lambda a: ht.HAM(log_alpha=5 * a),
    "mw": lambda a: ht.Hypentropy(gamma=a / 100),
    "network": lambda a: ht.DiagonalNetwork(3, scale=a),
    "formula": lambda a: ht.symbolic.geometry("1 + a*theta**2", a=a),
}
POINT = 1.5


def value(make, a, X, y, theta0, weights=WEIGHTS, **options):
    limit = ht.solve_limit(ht.LinearRegression(X, y), make(a), theta0, tol=1e-13, throw=False, **options)
    return weights @ limit.theta


def difference(function, at, along, h=1e-5):
    return (function(at + h * along) - function(at - h * along)) / (2 * h)


SLOW = ("ln α", "mw", "network", "formula")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in FAMILIES]
)
def test_in_everything_given(name):
    f = lambda a, X, y, theta0: value(FAMILIES[name], a, X, y, theta0)  # noqa: E731
    args = (jnp.asarray(POINT), X, Y, START)
    backwards = jax.jit(jax.value_and_grad(f, range(4)))  # one program for the values, too
    forwards = jax.jit(lambda args, tangents: jax.jvp(f, args, tangents)[1])  # one program for all arguments
    for i, g in enumerate(backwards(*args)[1]):
        along = jnp.asarray(RNG.standard_normal(args[i].shape))
        wanted = difference(lambda x: backwards(*args[:i], x, *args[i + 1 :])[0], args[i], along)  # noqa: B023
        np.testing.assert_allclose(jnp.sum(g * along), wanted, rtol=2e-5, atol=1e-8)
        zeros = [jnp.zeros_like(arg) for arg in args]
        forward = forwards(args, (*zeros[:i], along, *zeros[i + 1 :]))
        np.testing.assert_allclose(forward, jnp.sum(g * along), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_second_derivatives_and_vmap_of_both():
    f = lambda a, y: value(FAMILIES["ham"], a, X, y, START)  # noqa: E731
    slope = jax.grad(f)
    np.testing.assert_allclose(jax.grad(slope)(POINT, Y), difference(lambda a: slope(a, Y), POINT, 1.0), rtol=1e-5)
    np.testing.assert_allclose(jax.jacfwd(slope)(POINT, Y), jax.jacrev(slope)(POINT, Y), rtol=1e-8)
    mixed = jax.jacfwd(jax.grad(f, 1))(POINT, Y)
    np.testing.assert_allclose(mixed, difference(lambda a: jax.grad(f, 1)(a, Y), POINT, 1.0), rtol=1e-4, atol=1e-8)
    many = jnp.array([0.5, 1.5, 20.0])
    for transformed in (jax.grad(f), jax.jacfwd(f)):
        np.testing.assert_allclose(
            jax.vmap(transformed, (0, None))(many, Y), [transformed(a, Y) for a in many], rtol=1e-9
        )


@pytest.mark.parametrize("name", ["ham", pytest.param("mw", marks=pytest.mark.slow)])
def test_repeated_singular_values(name):
    f = jax.jit(jax.value_and_grad(lambda X: value(FAMILIES[name], POINT, X, Y, START)))
    along = jnp.asarray(RNG.standard_normal((N, D)))
    wanted = difference(lambda X: f(X)[0], REPEATED, along)
    np.testing.assert_allclose(jnp.sum(f(REPEATED)[1] * along), wanted, rtol=1e-5)


def test_far_along_the_path():
    """At ln α = 200 the support is that of basis pursuit, and θ is linear in y on it."""

    @jax.jit
    def far(y):
        return ht.solve_limit(ht.LinearRegression(X, y), ht.HAM(log_alpha=200.0), tol=1e-10, throw=False).theta

    support = np.flatnonzero(np.abs(far(Y)) > 1e-6)
    wanted = np.zeros((D, N))
    wanted[support] = np.linalg.pinv(PROBLEM.X[:, support])
    assert support.size == N
    jacobian = jax.jit(jax.jacrev(far))(Y)
    np.testing.assert_allclose(jacobian, wanted, atol=0.05 * np.abs(wanted).max())
    along = jnp.asarray(RNG.standard_normal(N))
    np.testing.assert_allclose(jacobian @ along, difference(far, Y, along, 1e-4), rtol=1e-3, atol=1e-3)


def test_by_a_complex_step_of_the_closed_form():
    """Of one equation, `θ = (R*)′(λx)` with `xᵀθ = y`: dλ/dα by a step of 1e-30 i in the dual's equation."""
    x, y, alpha, h = np.array([1.0, 3.0]), 2.0, 7.0, 1e-30

    def theta(alpha, lam):
        return (np.exp(alpha * lam * x) - 1) / alpha

    lam = float(ht.solve_limit(ht.LinearRegression(x[None], [y]), ht.HAM(alpha=alpha), tol=1e-14).dual[0])
    by_alpha = np.imag(x @ theta(alpha + 1j * h, lam)) / h
    by_lam = np.imag(x @ theta(alpha, lam + 1j * h)) / h
    wanted = np.imag(theta(alpha + 1j * h, lam - 1j * h * by_alpha / by_lam)) / h
    one = ht.LinearRegression(jnp.asarray(x[None]), jnp.asarray([y]))
    found = jax.jit(jax.jacfwd(lambda a: ht.solve_limit(one, ht.HAM(alpha=a), tol=1e-14, throw=False).theta))(alpha)
    np.testing.assert_allclose(found, wanted, rtol=1e-11)


def test_of_the_dual_and_of_least_squares():
    long_y = jnp.asarray(RNG.standard_normal(20))
    tall = jnp.asarray(RNG.standard_normal((20, 5)))

    def least_squares(X):
        return ht.solve_limit(ht.LinearRegression(X, long_y), ht.HAM(alpha=3.0), throw=False).theta

    along = jnp.asarray(RNG.standard_normal((20, 5)))
    wanted = difference(lambda X: jnp.linalg.lstsq(X, long_y)[0], tall, along)
    forwards = jax.jit(lambda X, along: jax.jvp(least_squares, (X,), (along,))[1])
    np.testing.assert_allclose(forwards(tall, along), wanted, rtol=1e-6, atol=1e-9)

    @jax.jit
    def dual(a):
        return ht.solve_limit(ht.LinearRegression(X, Y), ht.HAM(alpha=a), START, tol=1e-13, throw=False).dual

    np.testing.assert_allclose(jax.jit(jax.jacfwd(dual))(POINT), difference(dual, POINT, 1.0), rtol=1e-4, atol=1e-9)


def test_the_nearest_interpolator():
    f = jax.jit(lambda X, y, theta0: WEIGHTS @ ht.min_norm(ht.LinearRegression(X, y), theta0))
    gradient = jax.jit(jax.grad(f, range(3)))(REPEATED, Y, START)
    for i, at in enumerate((REPEATED, Y, START)):
        args = [REPEATED, Y, START]
        along = jnp.asarray(RNG.standard_normal(at.shape))

        def at_one(x, i=i, args=args):
            return f(*args[:i], x, *args[i + 1 :])

        np.testing.assert_allclose(jnp.sum(gradient[i] * along), difference(at_one, at, along), rtol=1e-6)


DECAYING = {
    "ridge": lambda a: ht.Euclidean(),
    "ham": lambda a: ht.HAM(alpha=a),
    "nearly the lasso": lambda a: ht.HAM(alpha=1e4 * a),
    "the lasso": lambda a: ht.Hypentropy(gamma=a),
}


DECAY = (jnp.asarray(POINT), X, Y, jnp.asarray(0.1))


def decayed(name):
    return lambda a, X, y, beta: value(DECAYING[name], a, X, y, None, weight_decay=beta)


@pytest.mark.parametrize("name", others_slow(DECAYING, "ham", "the lasso"))
def test_under_weight_decay(name):
    f, args = decayed(name), DECAY
    backwards = jax.jit(jax.value_and_grad(f, range(4)))  # one program for the values, too
    for i, g in enumerate(backwards(*args)[1]):
        along = jnp.asarray(RNG.standard_normal(args[i].shape))
        wanted = difference(lambda x: backwards(*args[:i], x, *args[i + 1 :])[0], args[i], along)  # noqa: B023
        np.testing.assert_allclose(jnp.sum(g * along), wanted, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("name", others_slow(DECAYING, "ham"))
def test_the_second_derivative_in_the_weight_decay(name):
    slope = jax.grad(decayed(name), 3)
    both = jax.jit(jax.value_and_grad(slope, 3))
    wanted = difference(lambda b: both(*DECAY[:3], b)[0], DECAY[3], 1.0)
    np.testing.assert_allclose(both(*DECAY)[1], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_of_paths():
    logs = jnp.array([0.5, 3.0, 8.0])
    thetas = lambda logs: ht.limit_path(ht.LinearRegression(X, Y), ht.HAM, logs, START, tol=1e-13).thetas @ WEIGHTS  # noqa: E731
    np.testing.assert_allclose(jnp.diag(jax.jacrev(thetas)(logs)), difference(thetas, logs, 1.0), rtol=1e-5, atol=1e-9)
    betas = jnp.array([0.3, 0.1])
    thetas = lambda b: ht.regularization_path(ht.LinearRegression(X, Y), ht.HAM(alpha=2.0), b).thetas @ WEIGHTS  # noqa: E731
    np.testing.assert_allclose(jnp.diag(jax.jacrev(thetas)(betas)), difference(thetas, betas, 1.0), rtol=1e-5)
