"""What follows from an inverse metric alone: against closed forms at 60 digits, in both engines, and differentiated."""

import subprocess
import sys
from collections.abc import Callable

import cloudpickle
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from mpmath import mp

import hamtheory as ht
from hamtheory._array import static
from hamtheory.geometry import AbstractGeometry, check_geometry, namespace
from tests.slow import others_slow, slow

EPS = float(np.finfo(float).eps)
THETA = np.array([-1e30, -2e3, -0.3, 0.0, 1e-150, 1e-9, 0.4999, 0.51, 7.0, 1e5, 1e100])


class Quadratic(AbstractGeometry):
    a: float

    def inverse_metric(self, theta):
        return 1 + self.a * theta**2


class Power(AbstractGeometry):
    s: float

    def inverse_metric(self, theta):
        return (1 + abs(theta)) ** self.s


class Linear(AbstractGeometry):
    alpha: float

    def inverse_metric(self, theta):
        return 1 + self.alpha * abs(theta)


class Hyperbola(AbstractGeometry):
    name = "mine"
    gamma: float

    def inverse_metric(self, theta):
        return 2 * namespace(theta).hypot(theta, self.gamma + 0 * theta)


class Rooted(AbstractGeometry):
    c: float

    def inverse_metric(self, theta):
        return 1 + abs(abs(theta) - self.c) ** 0.5


class Constant(AbstractGeometry):
    def inverse_metric(self, theta):
        return 1.0


def log_or_power(s, x):
    """∫₀ˣ (1 + t)^−s dt."""
    return mpmath.log1p(x) if s == 1 else ((1 + x) ** (1 - s) - 1) / (1 - s)


def rooted(c, x):
    """∫ ds and ∫ s ds of 1/(1 + √|s − c|), with t = √|s − c|."""
    first = lambda t: 2 * (t - mpmath.log(1 + t))  # noqa: E731
    second = lambda t: 2 * (t**3 / 3 - t**2 / 2 + t - mpmath.log(1 + t))  # noqa: E731
    root, t = mpmath.sqrt(c), mpmath.sqrt(abs(x - c))
    if x < c:
        return first(root) - first(t), c * (first(root) - first(t)) - (second(root) - second(t))
    return first(root) + first(t), c * (first(root) + first(t)) - second(root) + second(t)


# R′(x) and ∫₀ˣ s/g⁻¹ for x > 0.
EXACT: dict[type, Callable] = {
    Quadratic: lambda a, x: (mpmath.atan(mpmath.sqrt(a) * x) / mpmath.sqrt(a), mpmath.log(1 + a * x**2) / (2 * a)),
    Power: lambda s, x: (log_or_power(s, x), log_or_power(s - 1, x) - log_or_power(s, x)),
    Linear: lambda a, x: (mpmath.log(1 + a * x) / a, (x - mpmath.log(1 + a * x) / a) / a),
    Hyperbola: lambda g, x: (mpmath.asinh(x / g) / 2, (mpmath.sqrt(x**2 + g**2) - g) / 2),
    Rooted: rooted,
}
GEOMETRIES = [
    *(Quadratic(a) for a in (4.0, 1e-40, 1e40)),
    *(Power(s) for s in (0.5, 1.0, 1.5)),
    *(Linear(alpha) for alpha in (1e-12, 3.0, 1e100)),
    *(Hyperbola(gamma) for gamma in (1e-100, 1e-3, 1e6)),
    *(Rooted(c) for c in (0.0, 0.5)),
]
ONE_EACH = (0, 3, 7, 10, 13)
ALL = [
    pytest.param(geo, id=str(geo), marks=[] if i in ONE_EACH else pytest.mark.slow) for i, geo in enumerate(GEOMETRIES)
]


def exact(geo, theta):
    """R′, R, the moment, and how many times larger than that of R′ relative errors of θ are."""
    found = []
    with mp.workdps(400):
        (parameter,) = (mpmath.mpf(value) for name, value in vars(geo).items() if not name.startswith("_"))
        for value in np.abs(theta):
            x = mpmath.mpf(float(value))
            mirror, moment = EXACT[type(geo)](parameter, x) if x else (x, x)
            condition = 1 if not x else mirror * mpmath.mpf(float(geo.inverse_metric(value))) / x
            found.append([float(v) for v in (mirror, x * mirror - moment, moment, condition)])
    mirror, potential, moment, condition = np.transpose(found)
    return np.sign(theta) * mirror, potential, moment, condition


def close(got, want, units, eps=EPS):
    got, want = np.asarray(got, float), np.asarray(want, float)
    return np.all(np.abs(got - want) <= units * eps * np.abs(want))


@pytest.mark.parametrize("geo", ALL)
@pytest.mark.parametrize("engine", [np, jnp], ids=["numpy", "jax"])
def test_integrals_against_closed_forms(geo, engine):
    # Where g⁻¹ overflows it is infinite, and 1/g⁻¹ is zero.
    theta = THETA[np.isfinite(geo.inverse_metric(THETA))]
    mirror, potential, moment, condition = exact(geo, theta)
    assert close(geo.mirror_map(engine.asarray(theta)), mirror, 8 if geo.__dict__.get("c") != 0.5 else 32)  # at a kink
    assert close(geo.potential(engine.asarray(theta)), potential, 16)
    assert close(geo.moment(engine.asarray(theta)), moment, 32)
    # What μ can tell of θ: nothing where R′ is flat.
    known = condition < 1e6
    back = geo.inverse_mirror_map(engine.asarray(mirror))
    conjugate = geo.conjugate(engine.asarray(mirror))
    assert type(back) is type(engine.asarray(mirror))
    assert close(back[known], theta[known], 16 * (1 + condition[known]))
    assert close(conjugate[known], moment[known], 32 * (1 + condition[known]))


@pytest.mark.parametrize("geo", ALL)
def test_single_precision(geo):
    # Parameters and integrals within the range of float32.
    (parameter,) = (value for name, value in vars(geo).items() if not name.startswith("_"))
    if not 1e-20 < parameter < 1e20 and parameter != 0:
        return
    eps = float(np.finfo(np.float32).eps)
    theta = np.array([-2e3, -0.3, 0.0, 1e-9, 0.49, 0.51, 7.0, 1e5], np.float32)
    geo = type(geo)(float(np.float32(parameter)))
    mirror, potential, moment, condition = exact(geo, theta.astype(float))
    known = condition < 1e2
    for engine in (np, jnp):
        x, mu = engine.asarray(theta), engine.asarray(mirror, np.float32)
        for method, at, want, units in [
            ("mirror_map", x, mirror, 64),
            ("potential", x, potential, 64),
            ("moment", x, moment, 64),
            ("inverse_mirror_map", mu[known], theta[known], 16 * (1 + condition[known])),
            ("conjugate", mu[known], moment[known], 32 * (1 + condition[known])),
        ]:
            got = getattr(geo, method)(at)
            assert got.dtype == np.float32
            assert close(got, want, units, eps), (engine, method, got, want)


@pytest.mark.parametrize(
    "geo", [Quadratic(4.0), Rooted(0.5), Constant(), *slow(Power(0.5), Linear(3.0), Hyperbola(1e-3))]
)
def test_the_contract(geo):
    check_geometry(geo)


def test_names_and_text():
    assert Quadratic.name == "quadratic" and Hyperbola(1.0).name == "mine"
    assert str(Quadratic(4.0)) == "Quadratic(a=4.0)" and str(Quadratic(np.arange(2.0))) == "Quadratic(a=[0., 1.])"


def test_bounds():
    for engine in (float, jnp.asarray):
        assert close(Quadratic(engine(4.0)).mirror_bound(), np.pi / 4, 4)
        assert close(Power(engine(1.5)).mirror_bound(), 2, 4)
        assert close(Power(engine(1.1)).mirror_bound(), 10, 16)
        for geo in (Power(engine(1.0)), Power(engine(0.5)), Linear(engine(3.0)), Hyperbola(engine(1e-3))):
            assert geo.mirror_bound() == np.inf
    assert np.array_equal(np.isinf(Power(np.array([0.5, 1.5])).mirror_bound()), [True, False])


def test_outside_of_the_range():
    geo = Quadratic(4.0)
    mu = np.array([-np.nan, -1.0, np.pi / 4 * (1 + 1e-15), 0.1, np.inf, -0.0])
    for engine in (np, jnp):
        for method in ("inverse_mirror_map", "conjugate"):
            found = np.asarray(getattr(geo, method)(engine.asarray(mu)))
            np.testing.assert_array_equal(np.isnan(found), [True, True, True, False, True, False])
        assert np.isnan(geo.mirror_map(engine.asarray(np.nan)))


def test_what_cannot_be_resolved_is_not_a_number():
    class Wave(AbstractGeometry):
        def inverse_metric(self, theta):
            return 2 + namespace(theta).cos(theta)

    with mp.workdps(20):
        want = mpmath.quad(lambda s: 1 / (2 + mpmath.cos(s)), mpmath.linspace(0, 70, 71))
    found = Wave().mirror_map(np.array([70.0, 1e9, 70.0]))
    assert close(found[[0, 2]], float(want), 8) and np.isnan(found[1])
    assert Wave().mirror_bound() == np.inf


def test_a_shelf():
    """A metric that is about what it is at zero however far out: what is between zero and there is not passed over."""

    class Shelf(AbstractGeometry):
        height: float
        width: float

        def inverse_metric(self, theta):
            return 1 / (1 - self.height * theta**2 / (theta**2 + self.width**2))

    x = np.array([1e-3, 1.0, 30.0, 1e5, 1e12, 1e30])
    for height in (0.45, 1e-3, 1e-9):
        for width in (1.0, 1e-8):
            want = (1 - height) * x + height * width * np.arctan(x / width)
            assert close(Shelf(height, width).mirror_map(x), want, 8)
            assert close(Shelf(height, width).mirror_map(jnp.asarray(x)), want, 32)


def test_a_jump():
    class Step(AbstractGeometry):
        def inverse_metric(self, theta):
            return 1 + (abs(theta) > 0.7)

    found = Step().mirror_map(np.array([0.3, 0.7, 1.7]))
    np.testing.assert_allclose(found, [0.3, 0.7, 1.2], rtol=1e-14)
    np.testing.assert_allclose(Step().inverse_mirror_map(found), [0.3, 0.7, 1.7], rtol=1e-14)


METHODS = ("mirror_map", "potential", "moment", "inverse_mirror_map", "conjugate")


@pytest.mark.parametrize(
    "shape", [pytest.param((3,), marks=pytest.mark.slow), (2, 1), (1,), pytest.param((2, 3), marks=pytest.mark.slow)]
)
def test_parameters_broadcast(shape):
    parameter = np.geomspace(1e-3, 50.0, int(np.prod(shape))).reshape(shape)
    theta = np.array([[0.2, -3.0, 1e-5], [0.0, 40.0, 2.0]]) / 50
    spread = jnp.asarray(np.broadcast_to(parameter, np.broadcast_shapes(shape, (1, 1))))  # JAX is strict in tests
    for method in METHODS:
        got = getattr(Linear(parameter), method)(theta)
        each = np.broadcast_to(parameter, (2, 3))
        one = [getattr(Linear(float(a)), method)(x) for a, x in zip(each.flat, theta.flat, strict=True)]
        np.testing.assert_allclose(got.ravel(), one, rtol=1e-13)
        np.testing.assert_allclose(getattr(Linear(spread), method)(theta), got, rtol=1e-13)
        assert getattr(Linear(parameter), method)(0.1).shape == shape
    assert Linear(parameter).mirror_bound().shape == shape
    a, y = np.full((2, 3), 0.7), np.array([1e-30, 1.0, 40.0])
    got = Linear(parameter).passage_time(*np.broadcast_arrays(a, y))
    np.testing.assert_allclose(got, ht.HAM(parameter).passage_time(*np.broadcast_arrays(a, y)), rtol=1e-13)


def test_more_parameters_than_a_table_takes():
    alpha = np.geomspace(1e-2, 1e2, 5000)
    for method in ("mirror_map", "inverse_mirror_map"):
        got, want = (getattr(family(alpha), method)(0.03) for family in (Linear, ht.HAM))
        np.testing.assert_allclose(got, want, rtol=1e-13)


@pytest.mark.parametrize("engine", [np, jnp], ids=["numpy", "jax"])
def test_passage_times(engine):
    pairs = np.array([(a, y) for a in (1e-30, 1e-8, 0.7, 40.0, 1e12) for y in (1e-12, 1e-3, 1.0, 300.0, 1e20)])
    for mine, known in [(Linear(3.0), ht.HAM(3.0)), (Linear(1e9), ht.HAM(1e9)), (Hyperbola(1e-3), ht.Hypentropy(1e-3))]:
        got = mine.passage_time(*engine.asarray(pairs.T))
        np.testing.assert_allclose(got, known.passage_time(*pairs.T), rtol=1e-13)


# Derivatives.


def quadratic(method, a, x):
    root = mpmath.sqrt(a)
    return {
        "mirror_map": lambda: mpmath.atan(root * x) / root,
        "potential": lambda: x * mpmath.atan(root * x) / root - mpmath.log(1 + a * x**2) / (2 * a),
        "moment": lambda: mpmath.log(1 + a * x**2) / (2 * a),
        "inverse_mirror_map": lambda: mpmath.tan(root * x) / root,
        "conjugate": lambda: -mpmath.log(mpmath.cos(root * x)) / a,
    }[method]()


@pytest.mark.parametrize("method", others_slow(METHODS, "potential", "inverse_mirror_map"))
def test_derivatives_of_any_order_in_both_modes(method):
    a, x = 0.8, -0.6
    f = lambda a, x: getattr(Quadratic(a), method)(x)  # noqa: E731
    with mp.workdps(40):
        want = lambda i, j: float(mpmath.diff(lambda a, x: quadratic(method, a, x), (a, x), (i, j)))  # noqa: E731
        first, second = [want(1, 0), want(0, 1)], [want(2, 0), want(1, 1), want(0, 2)]
        third = want(2, 1)
    arguments = jnp.asarray(a), jnp.asarray(x)
    np.testing.assert_allclose(jax.jit(jax.grad(f, (0, 1)))(*arguments), first, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(f, (0, 1)))(*arguments), first, rtol=1e-12)
    for outer, inner in [(jax.jacfwd, jax.grad), (jax.jacrev, jax.jacfwd)]:
        (aa, ax), (xa, xx) = jax.jit(outer(inner(f, (0, 1)), (0, 1)))(*arguments)
        np.testing.assert_allclose([aa, ax, xx, xa], [*second, second[1]], rtol=1e-11)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(jax.jacfwd(jax.jacfwd(f)), 1))(*arguments), third, rtol=1e-10)


def test_derivatives_of_passage_times():
    def closed(alpha, a, y):
        return (mpmath.log(1 + alpha * a) - mpmath.log(1 + a / y)) / (alpha * y - 1)

    at = 3.0, 0.7, 1.3
    f = lambda alpha, a, y: Linear(alpha).passage_time(a, y)  # noqa: E731
    arguments = tuple(map(jnp.asarray, at))
    gradient = jax.jit(jax.grad(f, (0, 1, 2)))(*arguments)
    hessian = jax.jit(jax.jacfwd(jax.jacrev(f, (0, 1, 2)), (0, 1, 2)))(*arguments)
    with mp.workdps(40):
        for i in range(3):
            order = np.eye(3, dtype=int)[i]
            np.testing.assert_allclose(gradient[i], float(mpmath.diff(closed, at, tuple(order))), rtol=1e-12)
            for j in range(3):
                both = tuple(int(k) for k in order + np.eye(3, dtype=int)[j])
                np.testing.assert_allclose(hessian[i][j], float(mpmath.diff(closed, at, both)), rtol=1e-11)


@pytest.mark.parametrize("method", others_slow(METHODS, "potential", "inverse_mirror_map"))
def test_derivatives_at_array_parameters_and_vmap(method):
    alpha, theta = jnp.array([[0.1, 3.0, 50.0]]), jnp.array([[0.02, -0.3, 0.01], [0.0, 0.7, 0.04]])
    total = lambda family: lambda alpha, x: jnp.sum(getattr(family(alpha), method)(x) * jnp.arange(6.0).reshape(2, 3))  # noqa: E731
    found = jax.grad(total(Linear), (0, 1))(alpha, theta)
    with jax.numpy_rank_promotion("allow"):
        known = jax.grad(total(ht.HAM), (0, 1))(alpha, theta)
    for got, want in zip(found, known, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-11)
    mapped = lambda family: jax.jit(jax.vmap(jax.grad(lambda a, x: getattr(family(a), method)(x))))(alpha[0], theta[1])  # noqa: E731
    np.testing.assert_allclose(mapped(Linear), mapped(ht.HAM), rtol=1e-11)


def test_a_static_field_and_two_parameters():
    class Two(AbstractGeometry):
        power: int = static()
        a: float
        b: float

        def inverse_metric(self, theta):
            return self.a + self.b * theta**self.power

    geo = Two(2, 3.0, np.float64(0.5))
    scaled = lambda a, b, x: jnp.arctan(jnp.sqrt(b / a) * x) / jnp.sqrt(a * b)  # noqa: E731
    x = np.array([0.3, -4.0])
    np.testing.assert_allclose(geo.mirror_map(x), scaled(3.0, 0.5, x), rtol=1e-14)
    at = jnp.asarray(3.0), jnp.asarray(0.5), jnp.asarray(x)
    got = jax.jacrev(lambda a, b, x: Two(2, a, b).mirror_map(x), (0, 1))(*at)
    want = jax.jacrev(scaled, (0, 1))(*at)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    # NumPy's numbers in a geometry, JAX's arrays in a call.
    np.testing.assert_allclose(jax.jit(geo.mirror_map)(jnp.asarray(x)), geo.mirror_map(x), rtol=1e-14)


def test_bounds_are_differentiated():
    got = jax.grad(lambda a: Quadratic(a).mirror_bound())(jnp.asarray(4.0))
    np.testing.assert_allclose(got, -np.pi / 4 * 4**-1.5, rtol=1e-12)


def test_a_copy_leaves_the_table_behind():
    geo = Linear(3.0)
    geo.mirror_map(0.3)
    copy = cloudpickle.loads(cloudpickle.dumps(geo))
    assert list(vars(copy)) == ["alpha"] and copy.mirror_map(0.3) == geo.mirror_map(0.3)


def test_the_wrong_module_is_named():
    class Mine(AbstractGeometry):
        def inverse_metric(self, theta):
            return 1 + jnp.abs(theta)

    with pytest.raises(TypeError, match=r"Mine.inverse_metric .* hamtheory.geometry.namespace"):
        Mine().mirror_map(np.array([1.0]))
    np.testing.assert_allclose(Mine().mirror_map(jnp.array([1.0])), np.log(2), rtol=1e-14)


def test_the_host_does_without_jax():
    text = """
import sys
import hamtheory as ht
class Quadratic(ht.geometry.AbstractGeometry):
    a: float
    def inverse_metric(self, theta):
        return 1 + self.a * theta**2
geo = Quadratic(4.0)
x = geo.inverse_mirror_map(geo.mirror_map([0.1, 3.0]))
print(x, geo.mirror_bound(), geo.conjugate(0.2), geo.passage_time(x, x))
assert "jax" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", text], check=True)
