"""A geometry is one method: limit, flow, weight decay, flips, sweep and command line follow from it.

A new one is tried by its class and one line in `OF_ONE_METHOD` of `tests/geometries.py`.
"""

import dataclasses
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import hamtheory as ht
from hamtheory.cli import main
from hamtheory.geometry import AbstractGeometry
from tests.geometries import OF_ONE_METHOD

PROBLEM = ht.sparse_regression(6, 15, 2, seed=1)
EVERY = pytest.mark.parametrize("geo", OF_ONE_METHOD, ids=repr)


def mirrored(geo, theta):
    """R′ by SciPy."""
    integral = lambda x: scipy.integrate.quad(lambda s: 1 / geo.inverse_metric(np.float64(s)), 0, x, epsabs=1e-13)[0]  # noqa: E731
    return np.array([integral(x) for x in theta])


@EVERY
def test_all_methods_agree_with_each_other(geo):
    ht.geometry.check_geometry(geo, np.array([-2.0, -0.3, 0.1, 1.0, 7.0]))


@EVERY
def test_limit(geo):
    start = 0.3 * np.random.default_rng(0).standard_normal(15)
    limit = ht.solve_limit(PROBLEM, geo, start)
    assert limit.result == ht.Result.converged
    np.testing.assert_allclose(PROBLEM.X @ limit.theta, PROBLEM.y, atol=1e-9)
    moved = mirrored(geo, limit.theta) - mirrored(geo, start)
    np.testing.assert_allclose(moved, np.linalg.pinv(PROBLEM.X) @ (PROBLEM.X @ moved), atol=1e-9)


@EVERY
def test_flow_and_flips(geo):
    start = 0.3 * np.random.default_rng(0).standard_normal(15)
    flow = ht.solve_flow(PROBLEM, geo, start, rtol=1e-10)
    np.testing.assert_allclose(flow.theta, ht.solve_limit(PROBLEM, geo, start).theta, atol=1e-7)
    times, events = np.asarray(ht.signs.flip_times(flow)), ht.signs.flip_events(flow)
    flipped = np.flatnonzero(np.isfinite(times))
    assert flipped.size and np.all(np.sign(flow.theta) == (-1.0) ** np.asarray(events.gross) * np.sign(start))

    def velocity(_, theta):
        return -geo.inverse_metric(theta) * (PROBLEM.X.T @ (PROBLEM.X @ theta - PROBLEM.y)) / PROBLEM.n

    by_scipy = scipy.integrate.solve_ivp(
        velocity, (0, times[flipped].max()), start, "LSODA", rtol=1e-11, atol=1e-13, dense_output=True
    )
    for entry in flipped:
        at = by_scipy.sol(times[entry])
        assert abs(at[entry]) < 1e-6 * max(1, abs(velocity(0, at)[entry]))


@EVERY
def test_weight_decay_is_integrated_and_its_limit_refused(geo):
    with pytest.raises(ValueError, match="weight_decay must be 0 for"):
        ht.solve_limit(PROBLEM, geo, weight_decay=0.1)
    theta = ht.solve_flow(PROBLEM, geo, weight_decay=0.1, rtol=1e-9).theta
    rest = PROBLEM.gradient(theta) + 0.1 * theta / geo.inverse_metric(theta)
    assert np.abs(rest).max() < 1e-6


@pytest.mark.slow
@EVERY
def test_it_is_differentiable_and_vectorised(geo):
    kind, values = type(geo), geo.arguments()
    X, y = jnp.asarray(PROBLEM.X), jnp.asarray(PROBLEM.y)

    def norm(a, y):
        return jnp.abs(ht.solve_limit(ht.LinearRegression(X, y), kind(**values | {"a": a})).theta).sum()

    a = jnp.asarray(values["a"])
    slope = jax.jit(jax.grad(norm))(a, y)
    step = 1e-4 * values["a"]
    numbers = [np.abs(ht.solve_limit(PROBLEM, kind(**values | {"a": b})).theta).sum() for b in (a - step, a + step)]
    np.testing.assert_allclose(slope, (numbers[1] - numbers[0]) / (2 * step), rtol=1e-4)
    np.testing.assert_allclose(jax.vmap(norm, (0, None))(a + step * jnp.array([-1.0, 1.0]), y), numbers, rtol=1e-10)


@EVERY
def test_sweep(geo, tmp_path):
    grid = [0.5 * geo.a, 2 * geo.a]
    spec = {
        "problems": {"kind": "sparse", "n": 6, "d": 15, "k": 2, "seeds": [1, 2]},
        "geometries": [dataclasses.replace(geo, a=np.array(grid)), ht.Euclidean()],
        "keep_theta": True,
    }
    with ht.sweep(spec, tmp_path / "store", progress=False) as dataset:
        assert dataset.family.attrs["flag_meanings"] == f"{geo.name} gd"
        np.testing.assert_array_equal(dataset.parameter_a, 2 * [*grid, np.nan])
        for seed, a in itertools.product((1, 2), grid):
            limit = ht.solve_limit(ht.sparse_regression(6, 15, 2, seed=seed), dataclasses.replace(geo, a=a))
            row = dataset.isel(instance=dataset.instance[(dataset.seed == seed) & (dataset.parameter_a == a)].item())
            np.testing.assert_allclose(row.theta, limit.theta, atol=1e-9)
        assert ht.SweepSpec.from_table(json.loads(dataset.attrs["spec"])) == ht.SweepSpec(**spec)


@EVERY
def test_command_line(geo, capsys, tmp_path):
    values = [word for name, value in geo.arguments().items() for word in ("--parameter", f"{name}={value}")]
    where = ["--geometry", f"{type(geo).__module__}:{type(geo).__qualname__}", *values]
    out = tmp_path / "limit.npz"
    assert main(["limit", "sparse:6,15,2", "--seed", "1", *where, "--out", str(out)]) == 0
    assert f"{geo.name}: " in capsys.readouterr().out
    np.testing.assert_allclose(np.load(out)["theta"], ht.solve_limit(PROBLEM, geo).theta, atol=1e-12)
    assert main(["flow", "sparse:6,15,2", "--seed", "1", *where, "--flips"]) == 0


class Odd(AbstractGeometry):
    a: float

    def inverse_metric(self, theta):
        return 1 + self.a * theta


class Negative(AbstractGeometry):
    a: float

    def inverse_metric(self, theta):
        return 1 - self.a * theta**2


class Numpys(AbstractGeometry):
    a: float

    def inverse_metric(self, theta):
        return 1 + self.a * np.tanh(theta) ** 2


@pytest.mark.parametrize(("geo", "says"), [(Odd(0.5), "must be even"), (Negative(0.5), "must be positive")], ids=repr)
def test_what_is_no_metric_is_not_believed(geo, says, tmp_path):
    spec = {"problems": {"kind": "sparse", "n": 5, "d": 12, "k": 2, "seeds": [0]}, "geometries": [geo]}
    on_device = jax.tree.map(jnp.asarray, PROBLEM)
    for ask in (
        lambda: ht.solve_limit(PROBLEM, geo),
        lambda: ht.solve_flow(PROBLEM, geo),
        lambda: ht.bregman_divergence(geo, [5.0], [1.0]),
        lambda: ht.solve_limit(on_device, geo),
        lambda: ht.solve_limits(PROBLEM, type(geo)(np.array([0.1, 0.5]))),
        lambda: ht.sweep(spec, tmp_path / "store"),
    ):
        with pytest.raises(ValueError, match=f"inverse_metric of {type(geo).__name__} {says}"):
            ask()


def test_a_metric_of_numpys_alone_is_for_the_host_and_says_so():
    assert ht.solve_limit(PROBLEM, Numpys(0.5)).result == ht.Result.converged
    on_device = jax.tree.map(jnp.asarray, PROBLEM)
    for ask in (lambda: ht.solve_limit(on_device, Numpys(0.5)), lambda: ht.solve_limits(PROBLEM, Numpys(0.5), width=8)):
        with pytest.raises(TypeError, match=r"Numpys.inverse_metric .* hamtheory.geometry.namespace"):
            ask()
