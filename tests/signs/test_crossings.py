"""The roots of a step's dense output, against NumPy's; the events of a flow, against a path that is known."""

import dataclasses

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
import pytest

from hamtheory.flow import SOLVERS
from hamtheory.flow._crossings import _bernstein, _monomials, _nodes, _roots, degree_of
from tests.slow import others_slow

EPS = float(np.finfo(float).eps)
find = jax.jit(_roots)


def from_roots(roots, scale=1.0):
    """Coefficients of the powers, the lowest first."""
    return scale * np.poly(roots)[::-1]


def searched(columns, kept=None):
    """(roots, signs at 1) of polynomials given by their coefficients."""
    coefficients = jnp.asarray(np.stack(columns, axis=1))
    kept = jnp.sign(coefficients[0]) if kept is None else jnp.asarray(kept, float)
    found, signs = find(coefficients, coefficients.sum(axis=0), kept)
    return np.asarray(found), np.asarray(signs)


@pytest.mark.parametrize("degree", [1, 3, 4, 7])
def test_all_simple_roots_are_found_in_order(degree):
    rng = np.random.default_rng(degree)
    roots = np.sort(rng.uniform(-0.5, 1.5, (500, degree)), axis=1)
    polynomials = [from_roots(r, rng.normal()) for r in roots]
    found, signs = searched(polynomials)
    np.testing.assert_array_equal(signs, np.sign(np.sum(polynomials, axis=1)))
    tested = 0
    for r, f in zip(roots, found.T, strict=True):
        inside = r[(r > 0) & (r < 1)]
        # A root moves by the rounding of the coefficients over the distances to the others, which are small at times.
        distances = np.sort(np.abs(inside[:, None] - r), axis=1)[:, 1:]
        reach = 1e4 * EPS / np.prod(distances, axis=1)
        if np.any(reach > 1e-3):
            continue
        tested += 1
        got = f[np.isfinite(f)]
        assert len(got) == len(inside)
        assert np.all(np.abs(got - inside) <= reach)
    assert tested > 400


def test_two_crossings_closer_than_any_grid():
    gap = 1e-5
    found, signs = searched([from_roots([0.4, 0.4 + gap, -2.0, 3.0])])
    np.testing.assert_allclose(np.sort(found[:, 0])[:2], [0.4, 0.4 + gap], atol=1e-9)
    assert signs[0] == np.sign(from_roots([0.4, 0.4 + gap, -2.0, 3.0])[0])


def test_touching_zero_is_no_crossing():
    found, _ = searched([from_roots([0.4, 0.4, -2.0, 3.0]), from_roots([0.7, 0.7, 0.2, 0.2])])
    assert np.isinf(found).all()


def test_a_triple_root_is_one_crossing():
    found, signs = searched([from_roots([0.5, 0.5, 0.5, 2.0])])
    assert np.isfinite(found).sum() == 1 and signs[0] == -1
    assert abs(found[np.isfinite(found)][0] - 0.5) < 1e-4


def test_the_sign_from_before_counts_where_a_step_begins_at_zero():
    line = np.array([0.0, 1.0, 0.0, 0.0, 0.0])
    found, signs = searched([line, line, line], kept=[1, -1, 0])
    assert np.isfinite(found).sum(axis=0).tolist() == [0, 1, 0]
    assert found[np.isfinite(found)][0] <= 1e-6
    assert signs.tolist() == [1, 1, 1]


@pytest.mark.parametrize("degree", [1, 3, 4, 7])
def test_coefficients_from_values(degree):
    coefficients = np.random.default_rng(0).normal(size=degree + 1)
    values = np.polynomial.polynomial.polyval(_nodes(degree), coefficients)
    np.testing.assert_allclose(_monomials(degree) @ values, coefficients, atol=1e-11)
    hull = _bernstein(degree) @ values
    fine = np.polynomial.polynomial.polyval(np.linspace(0, 1, 201), coefficients)
    assert hull.min() <= fine.min() + 1e-12 and hull.max() >= fine.max() - 1e-12
    np.testing.assert_allclose(hull[[0, -1]], values[[0, -1]], atol=1e-12)


@pytest.mark.parametrize("name", others_slow(SOLVERS, "euler", "heun", "kvaerno5"))
def test_the_degree_is_that_of_the_dense_output(name):
    """A polynomial of the degree through the values at the nodes is the dense output everywhere in the step."""
    solver = SOLVERS[name]
    term = diffrax.ODETerm(lambda t, y, args: jnp.stack([jnp.cos(3 * t) * y[1], -y[0] * (1 + t)]))
    root_finder = getattr(solver, "root_finder", None)
    if root_finder is not None:
        solver = dataclasses.replace(solver, root_finder=optimistix.Newton(rtol=1e-12, atol=1e-12))
    t0, t1, y0 = jnp.asarray(0.2), jnp.asarray(0.9), jnp.array([1.0, 2.0])
    *_, dense, _, _ = solver.step(term, t0, t1, y0, None, solver.init(term, t0, t1, y0, None), jnp.array(False))
    path, degree = solver.interpolation_cls(t0=t0, t1=t1, **dense), degree_of(solver)
    values = jax.vmap(path.evaluate)(t0 + (t1 - t0) * jnp.asarray(_nodes(degree)))
    x = np.linspace(0, 1, 41)
    exact = np.asarray(jax.vmap(path.evaluate)(t0 + (t1 - t0) * jnp.asarray(x)))
    got = np.polynomial.polynomial.polyval(x, _monomials(degree) @ np.asarray(values)).T
    np.testing.assert_allclose(got, exact, atol=1e-12)
    if degree > 1:  # and not of a lower one
        lower = jax.vmap(path.evaluate)(t0 + (t1 - t0) * jnp.asarray(_nodes(degree - 1)))
        assert (
            np.abs(np.polynomial.polynomial.polyval(x, _monomials(degree - 1) @ np.asarray(lower)).T - exact).max()
            > 1e-9
        )


def test_an_unknown_solver_is_interpolated():
    assert degree_of(diffrax.Dopri5()) == 7
