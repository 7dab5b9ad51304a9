"""Two ways to one θ: what shows that factors make no mirror flow."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from sympy.polys.rings import PolyElement

from .._array import Array, quiet
from ._curve import Program
from ._polynomials import at

_TIMES = (0.5, 0.25, 0.1, 0.05)
_STEPS = 10


class TwoPaths(NamedTuple):
    """Two paths of the variables, each driven along one gradient after another, that end at one θ.

    Attributes:
        start: Where both start, w₀, (variables,).
        ends: Where they end, (2, variables).
        theta: θ there, (outputs,).
        distance: Between the two θ, relative: rounding.
        driven: For how long each output was driven, on each path, (2, outputs): in a mirror flow R′(θ) − R′(θ₀).
        speeds: `⟨∇G_i, ∇G_j⟩` at the ends, (2, outputs, outputs): in a mirror flow 1/R″(θ).
        difference: Between the two, relative to their size: of the speeds, or of what was driven if that is more.

    ```python
    >>> import hamtheory as ht
    >>> paths = ht.symbolic.reparametrization(["g*u", "g*v"]).two_paths()
    >>> bool(paths.distance < 1e-9 < 1e-3 < paths.difference)
    True

    ```
    """

    start: Float[Array, " variables"]
    ends: Float[Array, "2 variables"]
    theta: Float[Array, " outputs"]
    distance: float
    driven: Float[Array, "2 outputs"]
    speeds: Float[Array, "2 outputs outputs"]
    difference: float


@quiet()
def two_paths(outputs: Sequence[PolyElement], pair: tuple[int, int], seed: int) -> TwoPaths:
    """Two paths from a point in general position, along the gradients of a pair in either order, then of the others."""
    programs = [Program(output) for output in outputs]
    value = lambda w: np.array([float(at(output, [float(x) for x in w])) for output in outputs])  # noqa: E731
    start = np.random.default_rng(seed).uniform(0.5, 1.5, programs[0].count)
    others = [k for k in range(len(outputs)) if k not in pair]
    first, second = [*pair, *others], [*pair[::-1], *others]

    def end(order, times):
        w = start
        for k in order:
            w = _flowed(programs[k], w, times[k])
        return w

    for time in _TIMES:
        there = np.zeros(len(outputs))
        there[list(pair)] = time
        goal = end(first, there)
        back = _meeting(lambda times: value(end(second, times)), there, value(goal))
        if back is not None:
            ends = np.stack([goal, end(second, back)])
            fields = [np.stack([program.field(w) for program in programs]) for w in ends]
            speeds = np.stack([field @ field.T for field in fields])
            driven = np.stack([there, back])
            apart = lambda x: float(np.linalg.norm(x[0] - x[1]) / np.linalg.norm(x))  # noqa: E731
            thetas = np.stack([value(w) for w in ends])
            return TwoPaths(start, ends, thetas[0], apart(thetas), driven, speeds, max(apart(speeds), apart(driven)))
    raise ValueError(f"no two paths to one theta were found from seed = {seed}; try another one")


def _flowed(program, w, time):
    """w after a time along a gradient, by steps of its series."""
    for _ in range(_STEPS):
        w = np.array([np.polynomial.polynomial.polyval(1.0, c) for c in program.series(w, time / _STEPS)])
    return w


def _meeting(function, times, goal):
    """Times at which the function has the value `goal`, by Newton's method with differences; None if it fails."""
    for _ in range(30):
        miss = function(times) - goal
        if not np.isfinite(miss).all():
            return None
        if np.max(np.abs(miss)) <= 1e-13 * np.max(np.abs(goal)):
            return times
        step = 1e-6
        columns = [(function(times + step * e) - function(times - step * e)) / (2 * step) for e in np.eye(len(times))]
        change, *_ = np.linalg.lstsq(np.stack(columns, axis=1), -miss, rcond=1e-6)
        if not np.isfinite(change).all() or np.max(np.abs(change)) > 10:
            return None
        times = times + change
    return times if np.max(np.abs(function(times) - goal)) <= 1e-11 * np.max(np.abs(goal)) else None
