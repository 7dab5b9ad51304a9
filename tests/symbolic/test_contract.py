"""A formula becomes a geometry: the built-in ones come out as they were written by hand, and bad ones are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import sympy

import hamtheory as ht
from hamtheory import symbolic

THETA = jnp.array([-1e3, -2.0, -1e-6, 0.0, 1e-9, 0.3, 7.0, 1e5])
BUILT_IN = {
    "gd": (symbolic.EUCLIDEAN, {}, ht.Euclidean()),
    "ham": (symbolic.HAM, {"alpha": 30.0}, ht.HAM(30.0)),
    "hypentropy": (symbolic.HYPENTROPY, {"gamma": 0.02}, ht.Hypentropy(0.02)),
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_geometries_are_derived(name):
    text, parameters, written = BUILT_IN[name]
    derived = symbolic.geometry(text, **parameters)
    mu = written.mirror_map(THETA)
    for method in ("inverse_metric", "mirror_map", "potential"):
        np.testing.assert_allclose(getattr(derived, method)(THETA), getattr(written, method)(THETA), rtol=1e-12)
    for method in ("inverse_mirror_map", "conjugate"):
        np.testing.assert_allclose(getattr(derived, method)(mu), getattr(written, method)(mu), rtol=1e-10)
    assert derived.mirror_bound() == jnp.inf


@pytest.mark.parametrize("name", BUILT_IN)
def test_their_derivations_are_closed_and_symbolically_right(name):
    derivation = symbolic.derive(BUILT_IN[name][0])
    theta = next(s for s in sympy.sympify(derivation.potential).free_symbols if s.name == "theta")
    x = sympy.Symbol("x", positive=True)
    metric, mirror, potential = (
        sympy.sympify(e).subs(theta, x)
        for e in (derivation.inverse_metric, derivation.mirror_map, derivation.potential)
    )
    assert sympy.simplify(sympy.diff(mirror, x) * metric - 1) == 0
    assert sympy.simplify(sympy.diff(potential, x) - mirror) == 0
    assert sympy.simplify(potential.subs(x, 0)) == 0


def test_a_bounded_mirror_map_keeps_to_its_domain():
    geo = symbolic.geometry("1 + a*theta**2", a=4.0)
    bound = float(geo.mirror_bound())
    np.testing.assert_allclose(bound, np.pi / 4, rtol=1e-14)
    mu = jnp.array([-0.5, 0.1, 0.785])
    np.testing.assert_allclose(geo.inverse_mirror_map(mu), jnp.tan(2 * mu) / 2, rtol=1e-10)
    assert jnp.isnan(geo.inverse_mirror_map(jnp.array([0.79, -1.0]))).all()


@pytest.mark.slow
@pytest.mark.slow
def test_end_to_end_limit_and_flow():
    problem = ht.sparse_regression(6, 15, 2, seed=1)
    geo = symbolic.geometry("1 + a*theta**2", a=3.0)
    limit = ht.solve_limit(problem, geo)
    assert limit.stats["relative_gap"] < 1e-10
    flow = ht.solve_flow(problem, geo, coordinates="primal", solver="tsit5")
    np.testing.assert_allclose(flow.theta, limit.theta, atol=1e-6)


def test_without_a_closed_form_it_says_so_and_computes_by_quadrature():
    geo = symbolic.geometry("1 + a*log(1 + theta**2)", a=2.0)
    assert geo.derivation.notes
    theta = jnp.array([0.5, 3.0])
    mu = [scipy.integrate.quad(lambda s: 1 / (1 + 2 * np.log1p(s**2)), 0, float(t), epsabs=1e-13)[0] for t in theta]
    np.testing.assert_allclose(geo.mirror_map(theta), mu, rtol=1e-11)
    np.testing.assert_allclose(geo.inverse_mirror_map(jnp.array(mu)), theta, rtol=1e-10)


def test_can_be_vmapped_over_its_parameter():
    values = jax.vmap(lambda a: symbolic.geometry("1 + a*theta**2", a=a).mirror_map(1.0))(jnp.array([1.0, 4.0]))
    np.testing.assert_allclose(values, [np.arctan(1.0), np.arctan(2.0) / 2], rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ("1 + theta", {}, "even"),
        ("theta**2", {}, "positive"),
        ("1 - theta**2", {}, "positive"),
        ("1 + a*theta**2", {}, "a missing"),
        ("1 + theta**2", {"b": 1.0}, "b unknown"),
        ("1 + a*theta**2", {"a": -1.0}, "positive"),
        ("__import__('os').getcwd()", {}, "."),
        ("1 +", {}, "."),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_metrics_are_refused_with_the_reason(text, parameters, message):
    with pytest.raises(ValueError, match=message):
        symbolic.geometry(text, **parameters)
