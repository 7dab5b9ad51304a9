"""Diagonal networks of any depth: against multiple precision, and against the gradient flow of their own parameters."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.integrate

import hamtheory as ht
from hamtheory.geometry import check_geometry
from hamtheory.metrics import invariant_drift
from tests.slow import slow

from .test_closed_forms import MAGNITUDES

METHODS = ("inverse_metric", "mirror_map", "potential", "inverse_mirror_map", "conjugate")
PROBLEM = ht.sparse_regression(6, 15, 2, seed=1)


class Exact:
    """The closed forms with u from Newton's method on `θ = u^L − v^L`, in units of a; for 0 ≤ θ and 0 ≤ z < 1."""

    def __init__(self, depth, scale):
        self.depth, self.a = depth, mpmath.mpf(float(scale))
        self.bound = mpmath.inf if depth == 2 else 1 / (depth * (depth - 2) * self.a ** (depth - 2))

    def factors(self, theta):
        depth, t = self.depth, theta / self.a**self.depth
        if depth == 2:  # uv = a²
            u = mpmath.sqrt((t + mpmath.sqrt(t**2 + 4)) / 2)
            return u, 1 / u
        smaller = lambda u: (2 - u ** (2 - depth)) ** (-1 / mpmath.mpf(depth - 2))  # noqa: E731
        u = (1 + t) ** (1 / mpmath.mpf(depth))  # above the root of a convex function: from there on u decreases
        for _ in range(50):
            v = smaller(u)
            step = (u**depth - v**depth - t) / (depth * (u ** (depth - 1) + v ** (2 * depth - 2) / u ** (depth - 1)))
            u -= step
            if abs(step) <= (u - 1) * mpmath.mpf(10) ** -30:
                break
        return u, smaller(u)

    def inverse_metric(self, theta):
        u, v = self.factors(theta)
        return (self.depth * self.a ** (self.depth - 1)) ** 2 * (u ** (2 * self.depth - 2) + v ** (2 * self.depth - 2))

    def mirror_map(self, theta):
        u, _ = self.factors(theta)
        return mpmath.log(u) / 2 if self.depth == 2 else (1 - u ** (2 - self.depth)) * self.bound

    def potential(self, theta):
        u, v = self.factors(theta)
        return theta * self.mirror_map(theta) - self.a**2 * (u**2 + v**2 - 2) / (2 * self.depth)

    def inverse_mirror_map(self, mu):  # Woodworth's h_L
        z, power = mu / self.bound, -mpmath.mpf(self.depth) / (self.depth - 2)
        return self.a**self.depth * ((1 - z) ** power - (1 + z) ** power)

    def conjugate(self, mu):
        z, power = mu / self.bound, -mpmath.mpf(2) / (self.depth - 2)
        return self.a**2 * ((1 - z) ** power + (1 + z) ** power - 2) / (2 * self.depth)


def relative_errors(values, exact, arguments, dtype):
    """Where the exact value is a normal number of the dtype; elsewhere it must over- or underflow."""
    tiny, largest = float(jnp.finfo(dtype).tiny), float(jnp.finfo(dtype).max)
    errors = np.zeros(len(arguments))
    for i, (value, argument) in enumerate(zip(np.asarray(values, float), np.asarray(arguments, float), strict=True)):
        with mpmath.workdps(800 if 0 < argument < 1e-20 else 250):  # differences of numbers near 1, of second order
            truth = exact(mpmath.mpf(argument))
            if truth > largest:
                assert value == np.inf
            elif truth < tiny:
                assert 0 <= value <= tiny
            else:
                errors[i] = float(abs(mpmath.mpf(value) / truth - 1))
    return errors


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("scale", [1e-6, *slow(1e-2, 1.0), 1e3])
@pytest.mark.parametrize("depth", [2, 3, *slow(4), 5, *slow(6)])
def test_every_method_over_the_whole_range(depth, scale, dtype):
    limits = jnp.finfo(dtype)
    tiny, largest, eps = float(limits.tiny), float(limits.max), float(limits.eps)
    geo, truth = ht.DiagonalNetwork(depth, scale), Exact(depth, np.asarray(scale, dtype))
    theta = jnp.asarray(MAGNITUDES[(largest >= MAGNITUDES) & ((tiny <= MAGNITUDES) | (MAGNITUDES == 0))], dtype)
    # The rounding of u is multiplied by the exponent in u^(2L−2); in R′ and R nothing is.
    for method, rounding in (("inverse_metric", 4 * depth), ("mirror_map", 8), ("potential", 8)):
        values = getattr(geo, method)(theta)
        assert values.dtype == dtype
        assert relative_errors(values, getattr(truth, method), theta, dtype).max() <= rounding * eps
    if depth == 2:  # the way back is sinh, as it is in Hypentropy
        return
    z = np.concatenate([MAGNITUDES[MAGNITUDES < 1], 1 - np.array([0.1, 1e-3, 1e-5, 1e-10])])
    mu = float(truth.bound) * z[z < 1 - 10 * eps]
    mu = jnp.asarray(mu[(mu == 0) | (mu >= tiny)], dtype)
    left = np.array([float(1 - mpmath.mpf(float(m)) / truth.bound) for m in mu])
    outside = jnp.asarray([1, -1, 1.001, jnp.inf], dtype) * geo.mirror_bound().astype(dtype)
    for method, power in (("inverse_mirror_map", depth), ("conjugate", 2)):
        values = getattr(geo, method)(mu)
        assert values.dtype == dtype
        # The argument's distance from the bound has the relative rounding error eps/left, and is raised to this power.
        amplified = np.maximum(1, power / (depth - 2) / left)
        assert np.all(relative_errors(values, getattr(truth, method), mu, dtype) <= 8 * amplified * eps)
        assert np.all(np.isnan(getattr(geo, method)(outside)))


@pytest.mark.parametrize(("depth", "scale"), [(3, 0.5), (6, 0.7), *slow((2, 0.1), (4, 2.0), (5, 0.7))])
def test_identities(depth, scale):
    check_geometry(ht.DiagonalNetwork(depth, scale))


def test_derivatives_in_theta_and_in_the_scale():
    def values(point):
        geo = ht.DiagonalNetwork(3, point[1])
        return jnp.stack([getattr(geo, method)(point[0]) for method in METHODS])

    points, h = jnp.asarray([[-1e-2, 0.8], [0.0, 0.8], [0.1, 0.8]]), 1e-4
    orders = [values, jax.jacrev(values), jax.jacfwd(jax.jacrev(values))]
    orders = [jax.jit(jax.vmap(order)) for order in orders]
    for lower, higher in itertools.pairwise(orders):
        for k, step in enumerate(h * jnp.eye(2)):
            # Central differences: their relative error is a few hundred h².
            difference = (lower(points + step[None]) - lower(points - step[None])) / (2 * h)
            np.testing.assert_allclose(higher(points)[..., k], difference, rtol=1e3 * h**2, atol=1e3 * h**2)


def test_depth_two_is_the_hypentropy_in_half_the_time():
    geo, twin = ht.DiagonalNetwork(2, 0.3), ht.Hypentropy(gamma=0.18)
    x = jnp.asarray([-1e3, -0.2, 0.0, 1e-9, 0.1, 5.0])
    same = lambda got, want: np.testing.assert_allclose(got, want, rtol=1e-14)  # noqa: E731
    same(geo.inverse_metric(x), 2 * twin.inverse_metric(x))
    same(geo.mirror_map(x), twin.mirror_map(x) / 2)
    same(geo.potential(x), twin.potential(x) / 2)
    mu = geo.mirror_map(x)
    same(geo.inverse_mirror_map(mu), twin.inverse_mirror_map(2 * mu))
    same(geo.conjugate(mu), twin.conjugate(2 * mu) / 2)
    assert geo.mirror_bound() == np.inf


def test_scales_are_arrays_or_logarithms_and_are_traced():
    scales, theta = jnp.asarray([0.1, 1.0, 3.0]), jnp.asarray([-1.0, 0.0, 2.0])
    together = ht.DiagonalNetwork(4, scales)
    by_log = ht.DiagonalNetwork(4, log_scale=jnp.log(scales))
    np.testing.assert_allclose(together.log_scale, by_log.log_scale, rtol=1e-15)
    for method in ("inverse_metric", "mirror_map", "potential"):
        values = getattr(together, method)(theta)
        np.testing.assert_allclose(getattr(by_log, method)(theta), values, rtol=1e-13)
    one_by_one = jax.jit(jax.vmap(lambda a, x: ht.DiagonalNetwork(4, a).potential(x)))
    np.testing.assert_allclose(one_by_one(scales, theta), values, rtol=1e-14)
    np.testing.assert_allclose(together.mirror_bound(), 1 / (8 * scales**2), rtol=1e-15)


def trained(depth, scale, times):
    """u and v by SciPy's integration of their gradient flow from u = v = a."""
    X, y = np.asarray(PROBLEM.X), np.asarray(PROBLEM.y)

    def flow(t, state):
        u, v = state.reshape(2, -1)
        gradient = X.T @ (X @ (u**depth - v**depth) - y) / len(y)
        return depth * np.concatenate([-(u ** (depth - 1)) * gradient, v ** (depth - 1) * gradient])

    start, end = np.full(2 * PROBLEM.d, scale), (0, times[-1])
    solution = scipy.integrate.solve_ivp(flow, end, start, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-14)
    assert solution.success
    return solution.y.T.reshape(len(times), 2, -1).swapaxes(0, 1)


@pytest.mark.parametrize(("depth", "scale"), [(2, 0.3), (3, 0.3), (4, 0.3), (6, 0.5)])
def test_the_parameters_stay_on_the_manifold(depth, scale):
    u, v = trained(depth, scale, np.linspace(0.05, 6, 10))
    if depth > 2:
        np.testing.assert_allclose(u ** (2.0 - depth) + v ** (2.0 - depth), 2 * scale ** (2.0 - depth), rtol=1e-10)
    # The inverse metric knows u and v from θ alone, and R′(θ) stays in the row space.
    geo, theta = ht.DiagonalNetwork(depth, scale), u**depth - v**depth
    metric = depth**2 * (u ** (2 * depth - 2) + v ** (2 * depth - 2))
    np.testing.assert_allclose(geo.inverse_metric(theta), metric, rtol=1e-9)
    assert invariant_drift(PROBLEM, geo, jnp.asarray(theta[-1]), jnp.zeros(PROBLEM.d)) < 1e-9


def test_the_flow_is_that_of_the_parameters():
    depth, scale, times = 4, 0.3, np.linspace(0.05, 6, 20)
    u, v = trained(depth, scale, times)
    assert np.abs(u[-1] ** depth - v[-1] ** depth).max() > 1  # it gets somewhere
    flow = ht.solve_flow(
        PROBLEM, ht.DiagonalNetwork(depth, scale), coordinates="primal", ts=times, rtol=1e-10, atol=1e-12,
        solver="tsit5",
    )  # fmt: skip
    np.testing.assert_allclose(flow.thetas, u**depth - v**depth, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [3, 5])
def test_limit_flow_and_parameters_agree(depth):
    geo = ht.DiagonalNetwork(depth, 0.3)
    limit, flow = ht.solve_limit(PROBLEM, geo), ht.solve_flow(PROBLEM, geo, coordinates="dual", solver="tsit5")
    assert limit.result == flow.result == ht.Result.converged
    np.testing.assert_allclose(flow.theta, limit.theta, atol=1e-6)
    early = np.asarray(flow.ts) < 6
    u, v = trained(depth, 0.3, np.asarray(flow.ts)[early])
    np.testing.assert_allclose(np.asarray(flow.thetas)[early], u**depth - v**depth, atol=1e-6)


def test_small_scales_lead_to_the_least_l1_norm():
    least = jnp.sum(jnp.abs(ht.basis_pursuit(PROBLEM)))
    norms = [jnp.sum(jnp.abs(ht.solve_limit(PROBLEM, ht.DiagonalNetwork(3, a)).theta)) for a in (1.0, 0.1, 1e-2, 1e-3)]
    excess = np.array(norms) / least - 1
    assert np.all(np.diff(excess) < 0)
    # R/bound is the L1 norm less O(a^(L−2)): at L = 3 the norm cannot exceed the least one by more than a few a.
    assert 0 <= excess[-1] + 1e-8 < 1e-2


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1e-2])
@pytest.mark.parametrize("size", [1e-160, 1.0, 1e160])
def test_depth_two_has_the_limits_of_the_hypentropy(scale, size):
    problem = ht.sparse_regression(5, 12, 2, seed=3)
    problem = ht.LinearRegression(problem.X, problem.y * size)
    geo, other = ht.DiagonalNetwork(2, scale), ht.Hypentropy(gamma=2 * scale**2)
    limit, expected = ht.solve_limit(problem, geo), ht.solve_limit(problem, other)
    np.testing.assert_allclose(limit.theta / size, expected.theta / size, rtol=1e-12, atol=1e-12)
    active = np.abs(limit.theta) > 1e-3 * size
    np.testing.assert_allclose((problem.X.T @ limit.dual)[active], geo.mirror_map(limit.theta)[active], rtol=1e-10)
    if size == 1:
        with jax.enable_x64(True):
            device = ht.solve_limit(jax.tree.map(jnp.asarray, problem), geo)
            np.testing.assert_allclose(limit.theta, device.theta, rtol=1e-9, atol=1e-12)


def test_depth_two_takes_a_scale_for_each_coordinate():
    scales, problem = np.array([0.3, 0.4, 0.5]), ht.LinearRegression([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], [1.0, 2.0])
    expected = ht.solve_limit(problem, ht.Hypentropy(gamma=2 * scales**2)).theta
    np.testing.assert_allclose(ht.solve_limit(problem, ht.DiagonalNetwork(2, scales)).theta, expected, rtol=1e-9)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("scale", [1e-8, 1e-2, 1.0])
@pytest.mark.parametrize("size", [1e-150, 1e100])
def test_a_network_in_other_units_is_a_network(depth, scale, size):
    # a^L is a length, so the limit of the data in other units is that of another scale.
    problem = ht.sparse_regression(5, 12, 2, seed=3)
    moved = ht.LinearRegression(problem.X, problem.y * size)
    found = ht.solve_limit(moved, ht.DiagonalNetwork(depth, scale * size ** (1 / depth)))
    expected = ht.solve_limit(problem, ht.DiagonalNetwork(depth, scale))
    np.testing.assert_allclose(found.theta / size, expected.theta, rtol=1e-9, atol=1e-11)
    # R is in units of a², where a^L is in those of θ.
    value = float(ht.bregman_divergence(ht.DiagonalNetwork(depth, scale), expected.theta, np.zeros(12)))
    assert abs(found.duality_gap) <= 1e-10 * value * size ** (2 / depth) and found.stats["relative_gap"] <= 1e-10


def test_no_weight_decay():
    geo, zero, gradient = ht.DiagonalNetwork(3, 0.3), jnp.zeros(3), jnp.ones(3)
    same, rate = geo.decayed(1.0, 0.0)
    assert same is geo and rate == 0
    np.testing.assert_array_equal(geo.stationarity(zero, gradient, 0.0), gradient)
    for call in (lambda beta: geo.decayed(1.0, beta)[1], lambda beta: geo.stationarity(zero, gradient, beta)):
        np.testing.assert_array_equal(eqx.filter_jit(call)(jnp.asarray(0.0)), call(0.0))
        with pytest.raises(ValueError, match=r"weight_decay must be 0 for DiagonalNetwork.*got 0\.1"):
            call(0.1)
        with pytest.raises(RuntimeError, match="weight_decay must be 0 for DiagonalNetwork"):
            eqx.filter_jit(call)(jnp.asarray(0.1))


BAD = {
    "depth 1": (lambda: ht.DiagonalNetwork(1, 1.0), ValueError, "depth must be at least 2; got 1"),
    "fractional depth": (lambda: ht.DiagonalNetwork(2.5, 1.0), TypeError, "depth must be an integer; got 2.5"),
    "depth True": (lambda: ht.DiagonalNetwork(True, 1.0), TypeError, "depth must be an integer"),
    "scale 0": (lambda: ht.DiagonalNetwork(3, 0.0), ValueError, "scale must be positive; got 0.0"),
    "scale < 0": (lambda: ht.DiagonalNetwork(3, [1.0, -2.0]), ValueError, "scale must be positive; got -2.0"),
    "scale NaN": (lambda: ht.DiagonalNetwork(3, np.nan), ValueError, "scale must be finite; got nan"),
    "no scale": (lambda: ht.DiagonalNetwork(3), ValueError, "exactly one of scale and log_scale"),
    "both": (lambda: ht.DiagonalNetwork(3, 1.0, log_scale=0.0), ValueError, "exactly one of scale and log_scale"),
    "range": (lambda: ht.DiagonalNetwork(5, [1.0, 1e-70]), ValueError, r"scale\*\*depth, the unit of theta, must be"),
    "log range": (lambda: ht.DiagonalNetwork(2, log_scale=400.0), ValueError, r"scale\*\*depth.*exp\(400\).*depth = 2"),
    "traced": (lambda: jax.jit(lambda a: ht.DiagonalNetwork(5, a).scale)(1e-70), RuntimeError, r"scale\*\*depth"),
    "limit's decay": (
        lambda: ht.solve_limit(PROBLEM, ht.DiagonalNetwork(3, 1.0), weight_decay=0.1),
        ValueError,
        "weight_decay must be 0 for DiagonalNetwork",
    ),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.usefixtures("unchecked")
def test_is_refused(case):
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()
