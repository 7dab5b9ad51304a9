"""The invariant of a neuron, derived: against the formulas of the theory, the numerics, and other hands."""

import numpy as np
import pytest
import sympy

import hamtheory as ht
from hamtheory.neuron import Neuron
from hamtheory.symbolic import EUCLIDEAN, HAM, HYPENTROPY, neuron_invariant
from hamtheory.symbolic._neuron import X, _metric, _rate

ALPHA, GAMMA, B = sympy.symbols("alpha gamma b", positive=True)
MOMENTS = {
    EUCLIDEAN: X**2 / 2,
    HAM: X / ALPHA - sympy.log(1 + ALPHA * X) / ALPHA**2,
    HYPENTROPY: (sympy.sqrt(X**2 + GAMMA**2) - GAMMA) / 2,
    "2*Abs(theta)": X / 2,
    "1 + b*theta**2": sympy.log(1 + B * X**2) / (2 * B),
}


@pytest.mark.parametrize("metric", MOMENTS)
def test_the_formulas_of_the_theory(metric):
    found = neuron_invariant(metric)
    assert sympy.simplify(found.moment_a - MOMENTS[metric]) == 0 == found.moment_a.subs(X, 0)
    assert found.moment_w == found.moment_a
    assert set(found.rates) == {(1, 1), (1, -1), (-1, 1), (-1, -1)} and set(found.rates.values()) == {0}


@pytest.mark.parametrize("metric", MOMENTS)
def test_one_geometry_on_both_layers_has_the_basin_of_gradient_descent(metric):
    """I′ = s/h > 0: I(|a₀|) < I(w₀) if and only if |a₀| < w₀."""
    assert sympy.simplify(sympy.diff(neuron_invariant(metric).moment_a, X)).is_positive


def test_sign_in_enlarges_the_basin_if_and_only_if_its_reset_of_a_is_larger():
    """∂/∂γ of √(x² + γ²) − γ is negative: from |a₀| = w₀ it is the smaller γ whose layer survives."""
    slope = sympy.diff(sympy.sqrt(X**2 + GAMMA**2) - GAMMA, GAMMA)
    # γ/√(x² + γ²) < 1, as the square of its inverse is 1 + x²/γ².
    assert sympy.simplify((1 / (slope + 1)) ** 2 - 1 - X**2 / GAMMA**2) == 0
    found = neuron_invariant("2*sqrt(theta**2 + gamma_a**2)", "2*sqrt(theta**2 + gamma_w**2)")
    a, w = sympy.symbols("a w", real=True)
    at = {a: -sympy.Rational(1, 2), w: sympy.Rational(1, 2)}
    for gamma_a, gamma_w in ((1, sympy.Rational(1, 100)), (sympy.Rational(1, 100), 1)):
        names = {sympy.Symbol("gamma_a", positive=True): gamma_a, sympy.Symbol("gamma_w", positive=True): gamma_w}
        assert (found.expression.subs(at).subs(names) < 0) == (gamma_a > gamma_w)


def test_different_layers_against_the_numbers():
    found = neuron_invariant(HAM, HYPENTROPY).expression
    neuron = Neuron(ht.HAM(5.0), ht.Hypentropy(0.25))
    for a, w in ((-0.7, 1.2), (3.0, -0.01), (1e-3, 40.0)):
        exact = {"a": sympy.Rational(a), "w": sympy.Rational(w), "alpha": 5, "gamma": sympy.Rational(1, 4)}
        want = float(sympy.N(found.subs({name: exact[name.name] for name in found.free_symbols}), 30))
        np.testing.assert_allclose(neuron.invariant(a, w), want, rtol=1e-12)


def test_what_is_no_invariant_is_seen():
    """The check that is made before anything is returned, of half of the moment."""
    metric = _metric(HAM)
    assert _rate(metric, metric, MOMENTS[HAM], MOMENTS[HAM] / 2, 1, 1) != 0
    assert _rate(metric, metric, MOMENTS[HAM], MOMENTS[HAM], -1, 1) == 0


def test_bad_input():
    with pytest.raises(ValueError, match="the name 'a' is taken"):
        neuron_invariant("1 + a*theta**2")
    with pytest.raises(ValueError, match="must be even"):
        neuron_invariant("1", "2 + theta")
    with pytest.raises(ValueError, match="no closed form was found"):
        neuron_invariant("cosh(b*theta)")
