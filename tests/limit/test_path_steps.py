"""The steps of a path one by one, on both engines: evaluate, factorise, predict, correct, undo, shorten."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from hamtheory.limit._host_path import Path as HostPath
from hamtheory.limit._path import Path as DevicePath, start_of_path

PROBLEM = ht.sparse_regression(5, 12, 2, seed=3)
GEO = ht.HAM(log_alpha=20.0)
RNG = np.random.default_rng(0)


class Host:
    """The path on the host at a point."""

    def __init__(self, shift, eta, start=None):
        self.path = HostPath(PROBLEM, GEO, np.zeros(PROBLEM.d) if start is None else start)
        self.path.shift, self.path.eta, self.unit = shift, np.array(eta), 2.0**self.path.exponent2
        self.path.evaluate()

    def values(self):
        return self.path.s, self.unit * self.path.theta, self.unit * self.path.residual

    def weights(self):
        return self.unit * self.path.weight

    def solved(self, floor, row):
        self.path.factorise(floor)
        return self.path.solve(row) / self.unit

    def _judged(self):
        path = self.path
        path.factorise(1e-8)
        path.look_ahead()
        path.error, path.wrong, path.below = path.errors(path.low)

    def newton(self):
        self._judged()
        return self.path.newton, self.path.error

    def predicted(self):
        self._judged()
        self.path.predict()
        return self.path.shift, self.path.eta, self.path.back[3]

    def corrected(self):
        self._judged()
        self.path.correct(1e-10)
        return self.path.eta

    def undone(self):
        self._judged()
        self.path.predict()
        step = self.path.step
        self._judged_again()
        self.path.undo()
        return self.path.step / step

    def _judged_again(self):
        self.path.evaluate()
        self._judged()


class Device:
    """The path on the device at a point."""

    def __init__(self, shift, eta, start=None):
        self.problem = jax.tree.map(jnp.asarray, PROBLEM)
        geo, start = jax.tree.map(jnp.asarray, GEO), jnp.zeros(PROBLEM.d) if start is None else jnp.asarray(start)
        self.path = DevicePath(self.problem, geo, start, 1e-10, 1000)
        state = start_of_path(self.problem, geo, start)
        self.state = type(state)(**vars(state) | {"shift": jnp.asarray(shift), "eta": jnp.asarray(eta)})
        self.point = self.path.evaluate(self.state.shift, self.state.eta)

    def values(self):
        return self.point.s, self.point.theta, self.point.residual

    def weights(self):
        return jnp.exp(self.point.log_weight)

    def solved(self, floor, row):
        return self.path.factorise(self.point.log_weight, floor).solve(jnp.asarray(row)[None])[0]

    def newton(self):
        step = self.path.step(self.state, self.point)
        return step.newton, step.error

    def _step(self):
        return self.path.step(self.state, self.point)

    def predicted(self):
        moved = self.path.predict(self.state, self.point, self._step())
        return moved.shift, moved.eta, moved.back[3]

    def corrected(self):
        return self.path.correct(self.state, self.point, self._step()).eta

    def undone(self):
        moved = self.path.predict(self.state, self.point, self._step())
        return self.path.undo(moved).step / moved.step


ENGINES = pytest.mark.parametrize("engine", [Host, Device])


def eta_of(shift, start=None):
    """η of the limit at this point of the straight path from zero, by the dual of its own member of the family."""
    geo = ht.HAM(log_alpha=float(GEO.log_alpha) + shift)
    limit = ht.solve_limit(PROBLEM, geo, start, tol=1e-13)
    return PROBLEM.row_space.basis @ geo.exponent(limit.theta)


@ENGINES
def test_evaluate(engine):
    shift, eta = -3.0, RNG.standard_normal(5)
    s, theta, residual = engine(shift, eta).values()
    geo, space = ht.HAM(log_alpha=17.0), PROBLEM.row_space
    np.testing.assert_allclose(s, eta @ space.basis, atol=1e-14)
    np.testing.assert_allclose(theta, geo.from_exponent(s), rtol=1e-12)
    np.testing.assert_allclose(residual, space.basis @ geo.from_exponent(s) - space.target, atol=1e-13)


@ENGINES
def test_the_start_enters_in_proportion(engine):
    """s₀ is 0 where the path begins and that of θ₀ at the target, in between in proportion to ℓ."""
    start = 0.1 * RNG.standard_normal(12)
    whole = engine(0.0, np.zeros(5), start).values()[0]
    np.testing.assert_allclose(whole, GEO.exponent(start), rtol=1e-12)
    log_size = engine(0.0, np.zeros(5), start).path.log_size
    half = engine(-float(log_size) / 2, np.zeros(5), start).values()[0]
    np.testing.assert_allclose(half, whole / 2, rtol=1e-12)


@ENGINES
def test_factorise(engine):
    at = engine(-2.0, 0.5 * RNG.standard_normal(5))
    H = (PROBLEM.row_space.basis * np.asarray(at.weights())) @ PROBLEM.row_space.basis.T
    row = RNG.standard_normal(5)
    np.testing.assert_allclose(at.solved(1e-15, H @ row), row, rtol=1e-10)
    raised = engine(-2.0, 40 * RNG.standard_normal(5))  # weights from e^-40 to e^40: a floor keeps it definite
    assert np.all(np.isfinite(raised.solved(1e-8, row)))


@ENGINES
def test_newton_is_exact_to_second_order(engine):
    eta, off = eta_of(-5.0), RNG.standard_normal(5)
    off /= np.abs(off @ PROBLEM.row_space.basis).max()
    left = []
    for size in (1e-2, 1e-3):
        newton, error = engine(-5.0, eta + size * off).newton()
        left.append(np.abs(size * off + newton).max())
        assert error < 10 * size
    assert 50 < left[0] / left[1] < 200


@ENGINES
def test_predict_follows_the_tangent(engine):
    """The tangent is dη/dℓ along the path, and a step along it is wrong by its square."""
    h = 1e-4
    slope = (eta_of(-6.0 + h) - eta_of(-6.0 - h)) / (2 * h)
    shift, eta, tangent = engine(-6.0, eta_of(-6.0)).predicted()
    np.testing.assert_allclose(tangent, slope, atol=1e-5)
    assert -6.0 < shift <= 0 and np.abs(eta - eta_of(float(shift))).max() < np.abs(eta - eta_of(-6.0)).max()


@ENGINES
def test_correct_approaches_the_limit(engine):
    eta = eta_of(0.0)
    off = RNG.standard_normal(5)
    off *= 0.3 / np.abs(off @ PROBLEM.row_space.basis).max()
    before = np.abs(off).max()
    for _ in range(5):
        off = np.asarray(engine(0.0, eta + off).corrected()) - eta
        assert np.abs(off).max() < max(0.5 * before, 1e-9)
        before = np.abs(off).max()
    assert before < 1e-8


@ENGINES
def test_undo_takes_a_quarter_of_the_step(engine):
    assert engine(-6.0, eta_of(-6.0)).undone() == pytest.approx(0.25)


def test_both_engines_take_the_same_newton_step():
    eta = 0.7 * RNG.standard_normal(5)
    (host, error), (device, other) = (engine(-4.0, eta).newton() for engine in (Host, Device))
    np.testing.assert_allclose(host, device, rtol=1e-9)
    assert error == pytest.approx(float(other), rel=1e-9)


def test_an_error_is_that_of_the_logarithm():
    """Of one equation for one entry deep in the exponential, to the last digits: Newton's step says what is missing."""
    problem = ht.LinearRegression([[2.0]], [3.0])
    path = HostPath(problem, ht.HAM(log_alpha=500.0), np.zeros(1))
    wanted = float(ht.HAM(log_alpha=500.0).exponent(np.array(1.5)))
    for off in (0.3, -0.3, 2.0):
        path.shift, path.eta = 0.0, np.sign(path.basis[0]) * np.array([wanted + off])
        path.evaluate()
        path.factorise(path.floor())
        path.ahead = path.s + -path.solve(path.residual) @ path.basis
        path.change = np.abs(path.ahead) - path.size
        assert path.errors(path.low)[0] == pytest.approx(abs(off), rel=1e-6)


@pytest.mark.parametrize("log_alpha", [-40.0, -7.0, -1.0, 20.0])
@pytest.mark.parametrize("family", [ht.HAM, ht.Hypentropy])
def test_the_first_step_is_that_of_any_other(family, log_alpha):
    geo, zero = family.at_log(log_alpha if family is ht.HAM else -log_alpha), np.zeros(PROBLEM.d)
    first, any_other = HostPath(PROBLEM, geo, zero), HostPath(PROBLEM, geo, zero)
    first.begin(1e-10)
    any_other.advance(1e-10)
    assert first.even and first.eta.any()
    for name in ("shift", "eta", "newton", "error", "norm", "step", "fresh", "trial", "slope", "close", "arrived"):
        one, other = getattr(first, name), getattr(any_other, name)
        np.testing.assert_allclose(one, other, rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(first.back[0], any_other.back[0])
    np.testing.assert_allclose(first.back[3], any_other.back[3], atol=1e-12)
