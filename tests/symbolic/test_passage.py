"""The first-passage time, derived, against the integral, its numbers and its known limits."""

import numpy as np
import pytest
import sympy

import hamtheory as ht
from hamtheory.symbolic import EUCLIDEAN, HAM, HYPENTROPY, first_passage
from tests.slow import others_slow

A, Y, ALPHA, GAMMA, B = sympy.symbols("a y alpha gamma b", positive=True)
GEOMETRIES = {EUCLIDEAN: (ht.Euclidean, None), HAM: (ht.HAM, ALPHA), HYPENTROPY: (ht.Hypentropy, GAMMA)}


@pytest.mark.parametrize("metric", GEOMETRIES)
def test_formula_and_numbers_agree(metric):
    make, name = GEOMETRIES[metric]
    time = first_passage(metric).time
    for a, y in [(0.7, 1.25), (0.01, 3.0), (30.0, 0.2)]:
        for p in (1e-12, 1e-3, 0.3, 1.0, 50.0, 1e6):
            geo = make() if name is None else make(p)
            exact = {A: sympy.Rational(a), Y: sympy.Rational(y), **({} if name is None else {name: sympy.Rational(p)})}
            want = float(sympy.N(time.subs(exact), 30))
            np.testing.assert_allclose(ht.signs.first_passage_time(geo, a, y), want, rtol=1e-13)


def test_the_formulas_of_the_theory():
    assert sympy.simplify(first_passage(EUCLIDEAN).time - sympy.log((Y + A) / Y)) == 0
    ham = (sympy.log(1 + ALPHA * A) - sympy.log((Y + A) / Y)) / (ALPHA * Y - 1)
    assert sympy.simplify(sympy.expand_log(first_passage(HAM).time - ham, force=True)) == 0


CASES = {
    "HAM": (HAM, sympy.log((Y + A) / Y), sympy.log(ALPHA) / (ALPHA * Y)),
    "mw": (HYPENTROPY, -sympy.log(GAMMA) / (2 * Y), sympy.log((Y + A) / Y) / (2 * GAMMA)),
    "square": ("1 + b*theta**2", sympy.log((Y + A) / Y), sympy.pi / (2 * sympy.sqrt(B) * Y)),
}


@pytest.mark.parametrize("case", others_slow(CASES, "HAM"))
def test_leading_terms(case):
    metric, small, large = CASES[case]
    found = first_passage(metric).asymptotics()
    for got, want in zip(found, (small, large), strict=True):
        assert sympy.simplify(sympy.expand_log(got - want, force=True)) == 0


@pytest.mark.slow
def test_no_closed_form_is_no_error():
    derived = first_passage("2 + cos(b*theta)")
    assert derived.time is None
    assert derived.integrand.free_symbols == {sympy.Symbol("s", positive=True), Y, B}


def test_bad_input():
    for name in ("a", "y", "s"):
        with pytest.raises(ValueError, match=f"inverse_metric: the name '{name}' is taken"):
            first_passage(f"1 + {name}*theta**2")
    with pytest.raises(ValueError, match="must be even"):
        first_passage("2 + theta")
    with pytest.raises(ValueError, match=r"parameter must be one of \['alpha'\]; got 'gamma'"):
        first_passage(HAM).asymptotics("gamma")
    with pytest.raises(ValueError, match=r"parameter must be one of \[\]; got None"):
        first_passage(EUCLIDEAN).asymptotics()


@pytest.mark.slow
def test_another_rational_metric():
    time = first_passage("1 + b*theta**2").time
    geo = ht.symbolic.geometry("1 + b*theta**2", b=40.0)
    want = float(sympy.N(time.subs({A: sympy.Rational(0.7), Y: sympy.Rational(1.25), B: 40}), 30))
    np.testing.assert_allclose(ht.signs.first_passage_time(geo, 0.7, 1.25), want, rtol=1e-13)
