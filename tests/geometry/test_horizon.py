"""The horizon of a geometry: how its metric grows, and the norm that follows."""

import re

import numpy as np
import pytest

import hamtheory as ht
from tests.slow import slow

GROWTH = {
    "1": 0.0,
    "1 + a*abs(theta)": 1.0,
    "2*sqrt(theta**2 + a**2)": 1.0,
    "(1 + abs(theta))**(1/2)": 0.5,
    "1 + abs(theta)**(1/3)": 1 / 3,
    "1/(1 + theta**2)": -2.0,
    "1/cosh(theta)": -np.inf,
    "1 + log(1 + abs(theta))": 0.0,
    "1 + abs(theta)*log(2 + theta**2)": 1.0,
    "1 + a*theta**2/(1 + abs(theta))": 1.0,
    "(2 + theta**2)**(3/8)*log(3 + abs(theta))": 0.75,
    "1 + tanh(theta)**2": 0.0,
}


BOUNDED = ["1 + theta**2", "exp(abs(theta))", "1 + abs(theta)*log(2 + theta**2)**2", "(1 + abs(theta))**(9/8)"]
# A geometry of a formula derives all its forms: a second or more for each.
QUICK = ("(1 + abs(theta))**(1/2)", "1 + theta**2")
UNDERFLOWS = "1/cosh(theta)"  # as no geometry may


def quick(formulas):
    return [f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in formulas if f != UNDERFLOWS]


@pytest.mark.parametrize("formula, s", [*list(GROWTH.items())[:7], *slow(*list(GROWTH.items())[7:])])
def test_growth_by_sympy(formula, s):
    exact = ht.symbolic.horizon(formula)
    assert float(exact.s) == s and float(exact.rho) == 2 - s and exact.error == 0


@pytest.mark.parametrize("formula", quick(GROWTH))
def test_growth_by_numbers(formula):
    s = GROWTH[formula]
    values = {} if re.search(r"\ba\b", formula) is None else {"a": 2.0}
    geo = ht.symbolic.geometry(formula, **values)
    by_numbers = ht.geometry.AbstractGeometry.horizon(geo)
    assert abs(by_numbers.s - s) <= by_numbers.error + 1e-9 and by_numbers.error < 0.01
    assert geo.horizon().s == pytest.approx(s, abs=1e-12)


def test_growth_with_a_parameter():
    assert str(ht.symbolic.horizon("(1 + abs(theta))**p").rho) == "2 - p"
    assert ht.symbolic.geometry("1 + abs(theta)**p", p=0.25).horizon().rho == 1.75


@pytest.mark.parametrize("formula", [*BOUNDED[:2], *slow(*BOUNDED[2:])])
def test_a_bounded_mirror_map_has_none(formula):
    with pytest.raises(ValueError, match="has no horizon, as its mirror map is bounded"):
        ht.symbolic.horizon(formula)


@pytest.mark.parametrize("formula", quick(BOUNDED))
def test_a_bounded_mirror_map_has_none_by_numbers(formula):
    with pytest.raises(ValueError, match="has no horizon, as its mirror map is bounded"):
        ht.geometry.AbstractGeometry.horizon(ht.symbolic.geometry(formula))


def test_a_metric_that_goes_up_and_down_for_ever_has_none():
    with pytest.raises(ValueError, match="d ln g⁻¹/d ln θ still changes by"):
        ht.symbolic.horizon("2 + sin(theta**2)")


def test_classes_that_know():
    assert ht.Euclidean().horizon().rho == 2
    for geo in (ht.HAM(log_alpha=5000.0), ht.Hypentropy(log_gamma=-1e4), ht.DiagonalNetwork(2, 0.1)):
        assert geo.horizon().rho == 1
    with pytest.raises(ValueError, match=r"bounded: g⁻¹ grows like \|θ\|\^1.333"):
        ht.DiagonalNetwork(3, 0.1).horizon()
    weighted = ht.HAM(alpha=np.array([1.0, 4.0])).horizon()
    assert weighted.gauge([1.0, -4.0]) == 2.0 and ht.Euclidean().horizon().gauge([3.0, 4.0]) == 5.0
    assert ht.geometry.Horizon(-np.inf).gauge([3.0, -4.0]) == 4.0


class Own(ht.geometry.AbstractGeometry):
    power: float

    def inverse_metric(self, theta):
        return (1 + theta * theta) ** (self.power / 2)


def test_one_method_is_enough():
    assert Own(0.6).horizon().rho == pytest.approx(1.4, abs=1e-12)
    with pytest.raises(ValueError, match="must have scalar parameters"):
        Own(np.array([0.1, 0.2])).horizon()


@pytest.mark.parametrize("rho, s", [(1.0, 1.0), (1.5, 0.5), (2.0, 0.0), (4.0, -2.0)])
def test_the_level_sets_of_the_potential_approach_the_gauge(rho, s):
    geo = ht.HAM(alpha=3.0) if s == 1 else Own(s)
    horizon = geo.horizon()
    assert horizon.rho == pytest.approx(rho)
    directions = np.random.default_rng(0).standard_normal((20, 6))
    directions /= horizon.gauge(directions)[:, None]

    def spread(radius):
        values = geo.potential(radius * directions).sum(axis=-1)
        return float(np.ptp(values) / values.max())

    near, far = (spread(radius) for radius in (10.0, 1e12))
    assert far <= max(0.2 * near, 1e-14) and far < (0.06 if s == 1 else 1e-4)
