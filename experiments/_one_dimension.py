"""One parameter, one equation: flows from −a < 0, their times of crossing zero, and how their factors are balanced."""

import math

import numpy as np

import hamtheory as ht

POINTS = 241  # of a path
STALLED = ht.NAMES.index("stalled")
_WEAK = 1e-8


def spring(y: float) -> ht.LinearRegression:
    """`f = (θ − y)²/2`."""
    return ht.LinearRegression([[1.0]], [y]).without_truth()


def constant_drive() -> ht.LinearRegression:
    """`f = (cθ − 1/c)²/2` with a c so small that the force `−f′ = 1 − c²θ` is 1 to the rounding unit."""
    return ht.LinearRegression([[_WEAK]], [1 / _WEAK]).without_truth()


def path(problem, geo, a: float, end: float, coordinates: str = "dual") -> ht.FlowResult:
    """The flow from −a until a given time, denser at first."""
    ts = end * np.linspace(0, 1, POINTS) ** 3
    return ht.solve_flow(problem, geo, [-a], ts=ts, coordinates=coordinates, throw=False)


def product_path(problem, m: float, w: float, end: float) -> ht.ProductFlowResult:
    """That of the factors."""
    ts = end * np.linspace(0, 1, POINTS) ** 3
    return ht.product_flow(problem, [m], [w], ts=ts, throw=False)


def crossing(flow: ht.FlowResult, crosses: bool = True) -> tuple[float, int]:
    """When it first crosses zero, and the status of the flow: sound if it crosses, or comes to rest, as it should."""
    time, code = float(ht.signs.flip_times(flow)[0]), int(flow.result)
    if ht.NAMES[code] not in ("converged", "reached_end", "converged" if crosses else "stuck"):
        return time, code
    return time, 0 if math.isnan(time) != crosses else STALLED


def factors(a: float, gamma: float) -> tuple[float, float]:
    """m > 0 and w with mw = −a and m² − w² = 2γ, as far as they can be rounded to it."""
    m = math.sqrt(math.hypot(a, gamma) + gamma)
    return m, -a / m


def imbalance(m: float, w: float) -> float:
    """γ = |m² − w²|/2 of the factors as they have been rounded."""
    return (abs(m) - abs(w)) * (abs(m) + abs(w)) / 2
