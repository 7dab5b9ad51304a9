"""Integrators on the host: an own collocation method for these flows, SciPy's, a stabilised one and fixed steps.

All of them are steppers: `step()` goes on by one step from `t`, `state` and `velocity`, `interpolate(times)` is the
dense output within the last one, a polynomial of degree `degree` (or one well approximated by it).
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

import numpy as np

Vector = np.ndarray
SCIPY = ("lsoda", "bdf", "radau", "dop853")
EXPLICIT = ("euler", "heun", "rk4")
METHODS = ("collocation", *SCIPY, "rkc", *EXPLICIT)


class Field(Protocol):
    """A vector field in natural units, on states (..., m) at times (...)."""

    def initial(self) -> Vector: ...
    def velocity(self, t: Any, state: Vector) -> Vector: ...
    def linearise(self, t: float, state: Vector) -> Any: ...
    def weights(self, state: Vector) -> Vector: ...
    def norm(self, weighted: Vector) -> float: ...
    def error(self, error: Vector, weights: Vector) -> float: ...


class Stepper:
    """`reach`: the time not to step beyond. `accepted`, `rejected`, `evaluations`, `jacobians`: counts."""

    degree = 3

    def __init__(self, field: Field, first: float, reach: float):
        self.field, self.reach, self.h = field, reach, first
        self.t = self.t_old = 0.0
        self.state = field.initial()
        self.velocity = field.velocity(0.0, self.state)
        self.accepted = self.rejected = self.jacobians = 0
        self.evaluations = 1

    def step(self) -> bool:
        """One step, accepted; False if none can be made."""
        raise NotImplementedError

    def interpolate(self, times: Vector) -> Vector:
        """The states, (times, m), at times within the last step."""
        raise NotImplementedError

    def _is_too_short(self, h: float) -> bool:
        return not (h > 4 * np.finfo(float).eps * self.t and h > 0)

    def _to_reach(self, h: float) -> float:
        """h, or what is left; no crumb is left behind."""
        left = self.reach - self.t
        return left if h > 0.999 * left else h


class Collocation(Stepper):
    """Radau IIA with nine stages, whose polynomial of degree nine is the dense output and is what errors are kept for.

    A trajectory of these flows is smooth (but for kinks of the metric) and stiff at its end, over many decades of time:
    where BDF's order of five at most takes a thousand steps, this takes fifty. What makes such a step cheap is that all
    stages are evaluated at once (matrix products instead of products with vectors), and that simplified Newton
    decouples: the stages by the eigenvalues of the method, the state by those of the Jacobian, see `linearise`.

    Source: [hairer1996stiff], IV.5 and IV.8; the estimate of the error is ours.
    """

    stages = 9
    degree = 9
    _NEWTON = 0.2  # of the tolerance
    _PREDICTOR = 7  # the degree of the extrapolation from the last step

    def __init__(self, field: Field, first: float, reach: float):
        super().__init__(field, first, reach)
        self.h = self._to_reach(first)
        self._last = self._linear = None
        self._contraction, self._solve, self._solve_h = 0.5, None, 0.0

    def step(self) -> bool:
        field, method = self.field, _radau(self.stages)
        weights = field.weights(self.state)
        fresh = False
        while True:
            h = self.h
            if self._is_too_short(h):
                return False
            increments = self._predicted(h, method)
            if self._linear is None:
                middle = self.state if self._last is None else self.state + increments[method.middle]
                self._linear, fresh = field.linearise(self.t + method.nodes[method.middle] * h, middle), True
                if not self._linear.is_finite():
                    self._linear = field.linearise(self.t, self.state)
                    if not self._linear.is_finite():
                        return False
                self.jacobians += 1
            if self._solve is None or self._solve_h != h or fresh:
                self._solve, self._solve_h = self._linear.solver(method.forth, h * method.shifts, method.back), h
            solve = self._solve
            found = self._newton(increments, h, method, solve, weights)
            if found is None:
                self.rejected += 1
                if fresh:
                    self.h *= 0.4
                self._linear, self._contraction = None, 0.5
                continue
            increments, velocities, iterations = found
            # How far the velocity at the start is from the polynomial through the others: all of the solution that
            # the polynomial misses, filtered where it is a stiff component at its equilibrium.
            defect = (self.velocity - method.backward @ velocities) * (h * method.error)
            error = field.error(self._linear.damped(defect, h * method.filter), weights)
            factor = min(5.0, max(0.1, 0.85 * max(error, 1e-30) ** (-1 / (self.stages + 1)))) if error == error else 0.1
            if error <= 1:
                break
            self.rejected += 1
            self.h *= factor
        self.accepted += 1
        self._last = (h, self.t, self.state, np.concatenate([np.zeros_like(increments[:1]), increments]))
        self.t_old, self.t = self.t, self.reach if h == self.reach - self.t else self.t + h
        self.state, self.velocity = self.state + increments[-1], velocities[-1]
        if iterations > 7 or (1 < factor < 1.4 and self._linear.costs_a_solver):
            factor = min(factor, 1.0)
        if iterations > self._linear.patience:
            self._linear = None
        self.h = self._to_reach(h * factor)
        return True

    def _newton(self, increments, h, method, solve, weights):
        """The stages, their velocities and the number of iterations; None if it does not converge."""
        before, contraction = math.inf, min(0.9, self._contraction**0.8)
        times = self.t + h * method.nodes
        for iteration in range(1, 11):
            velocities = self.field.velocity(times, self.state + increments)
            self.evaluations += self.stages
            residual = h * (method.integrals @ velocities) - increments
            change = solve(residual)
            increments = increments + change
            size = self.field.norm(change * weights)
            if not math.isfinite(size):
                return None
            if iteration > 1:
                contraction = size / before if before > 0 else 0.0
                if contraction >= 0.9 and size > self._NEWTON:
                    return None
            if size * contraction <= self._NEWTON * (1 - contraction) or size <= 1e-3 * self._NEWTON:
                self._contraction = max(contraction, 1e-16)
                return increments, velocities + self._linear.product(change), iteration
            before = size
        return None

    def _predicted(self, h, method):
        """The last step's polynomial, continued: of a lower degree the farther it is."""
        if self._last is None:
            return h * method.nodes[:, None] * self.velocity
        length, _, _, increments = self._last
        ratio = h / length
        degree = self._PREDICTOR if ratio < 2 else 3
        at = 1 + ratio * method.nodes
        return _lagrange(method.knots[-degree - 1 :], at) @ increments[-degree - 1 :] - increments[-1]

    def interpolate(self, times):
        length, start, state, increments = self._last
        return state + _lagrange(_radau(self.stages).knots, (times - start) / length) @ increments


class _Radau:
    """The coefficients of Radau IIA: `integrals` is the method's A, `back diag(shifts) forth` its decomposition."""

    def __init__(self, s: int):
        legendre = np.polynomial.legendre
        nodes = (np.sort(legendre.legroots(np.r_[np.zeros(s - 1), -1.0, 1.0]).real) + 1) / 2
        nodes[-1] = 1
        powers = np.vander(nodes, increasing=True)
        inverse = np.linalg.inv(powers)
        degrees = np.arange(1, s + 1)
        self.nodes, self.knots = nodes, np.r_[0.0, nodes]
        self.integrals = (nodes[:, None] ** degrees / degrees) @ inverse
        values, vectors = np.linalg.eig(self.integrals)
        inverted = np.linalg.inv(vectors)
        half = values.imag >= 0  # of a conjugate pair one suffices
        twice = np.where(values.imag[half] > 0, 2, 1)
        self.shifts, self.forth, self.back = values[half], inverted[half], vectors[:, half] * twice
        self.backward = inverse[0]  # from the values at the nodes to that at 0
        # The integral of a defect that is 1 at the start and 0 at the nodes, where it is largest.
        x = np.linspace(0, 1, 1001)
        defect = np.prod((nodes[:, None] - x) / nodes[:, None], axis=0)
        self.error = np.max(np.abs(np.cumsum(defect))) / 1000
        self.filter = 1 / s**2
        self.middle = int(np.argmin(np.abs(nodes - 0.55)))


@cache
def _radau(stages: int) -> _Radau:
    return _Radau(stages)


def _lagrange(knots: Vector, at: Vector) -> Vector:
    """The matrix, (points, knots), from values at the knots to those at other points."""
    differences = knots[:, None] - knots
    np.fill_diagonal(differences, 1)
    factors = np.repeat((at[:, None] - knots)[:, None, :], knots.size, axis=1)
    factors[:, np.arange(knots.size), np.arange(knots.size)] = 1
    return np.prod(factors, axis=2) / np.prod(differences, axis=1)


class Scipy(Stepper):
    """One of SciPy's integrators, with the exact Jacobian."""

    # The global error of these is a multiple of what they keep for each step.
    _SHARPER = {"lsoda": 0.1, "bdf": 0.1, "radau": 0.5, "dop853": 0.5}
    _DEGREES = {"lsoda": 12, "bdf": 5, "radau": 3, "dop853": 7}

    def __init__(self, field: Field, first: float, reach: float, method: str, rtol: float):
        import scipy.integrate

        super().__init__(field, first, reach)
        self.degree = self._DEGREES[method]
        kind = {"lsoda": "LSODA", "bdf": "BDF", "radau": "Radau", "dop853": "DOP853"}[method]
        implicit = {} if method == "dop853" else {"jac": self._jacobian}
        sharper = self._SHARPER[method]
        self._inner = getattr(scipy.integrate, kind)(
            self._evaluated,
            0.0,
            self.state,
            reach,
            rtol=max(sharper * rtol, 3e-14),
            atol=sharper / field.weights(self.state),
            first_step=min(first, reach),
            **implicit,
        )

    def _evaluated(self, t, state):
        self.evaluations += 1
        self.velocity = self.field.velocity(t, state)
        return self.velocity

    def _jacobian(self, t, state):
        self.jacobians += 1
        return self.field.linearise(t, state).matrix()

    def step(self) -> bool:
        if self._inner.status != "running":
            return False
        self._inner.step()
        if self._inner.status == "failed":
            return False
        self.accepted += 1
        self.t_old, self.t, self.state = self._inner.t_old, self._inner.t, self._inner.y
        return True

    def interpolate(self, times):
        return self._inner.dense_output()(times).T


class _Hermite(Stepper):
    """Steps whose dense output is the cubic through the ends and their velocities."""

    def interpolate(self, times):
        h = self.t - self.t_old
        x = ((times - self.t_old) / h)[:, None]
        start, end = h * self._from[1], h * self.velocity
        change = self.state - self._from[0]
        return self._from[0] + x * (start + x * (3 * change - 2 * start - end + x * (start + end - 2 * change)))

    def _go(self, h, state, velocity):
        self._from = self.state, self.velocity
        self.t_old, self.t = self.t, self.reach if h == self.reach - self.t else self.t + h
        self.state, self.velocity = state, velocity
        self.accepted += 1


class Fixed(_Hermite):
    """Explicit methods of orders 1, 2 and 4 at a fixed step."""

    def __init__(self, field: Field, dt: float, reach: float, method: str):
        super().__init__(field, dt, reach)
        self.dt = dt
        self._rule = getattr(self, f"_{method}")
        self.degree = 1 if method == "euler" else 3

    def step(self) -> bool:
        h = self._to_reach(self.dt)
        if self._is_too_short(h):
            return False
        state = self._rule(h)
        self._go(h, state, self._at(h, state))
        return True

    def _at(self, h, state):
        self.evaluations += 1
        return self.field.velocity(self.t + h, state)

    def _euler(self, h):
        return self.state + h * self.velocity

    def _heun(self, h):
        return self.state + h / 2 * (self.velocity + self._at(h, self.state + h * self.velocity))

    def _rk4(self, h):
        first = self.velocity
        second = self._at(h / 2, self.state + h / 2 * first)
        third = self._at(h / 2, self.state + h / 2 * second)
        return self.state + h / 6 * (first + 2 * second + 2 * third + self._at(h, self.state + h * third))

    def interpolate(self, times):
        if self.degree > 1:
            return super().interpolate(times)
        x = ((times - self.t_old) / (self.t - self.t_old))[:, None]
        return self._from[0] + x * (self.state - self._from[0])


class Chebyshev(_Hermite):
    """The Runge–Kutta–Chebyshev method of second order: explicit, with as many stages as stability asks for.

    Stable on `[−0.65(s² − 1), 0]`; for flows whose Jacobian has a real spectrum, as all of this package have. No
    factorisation: for dimensions at which none is possible.
    Source: [sommeijer1998rkc].
    """

    _LARGEST, _REFRESH = 256, 8

    def __init__(self, field: Field, first: float, reach: float):
        super().__init__(field, first, reach)
        vector = np.random.default_rng(0).standard_normal(self.state.size)
        self._vector, self._radius = vector / np.linalg.norm(vector), 0.0
        for _ in range(12):
            self._refresh()

    def _at(self, t, state):
        self.evaluations += 1
        return self.field.velocity(t, state)

    def _refresh(self):
        """One step of the power iteration, by a finite difference."""
        scale = max(np.linalg.norm(self.state), self.h * np.linalg.norm(self.velocity))
        nudge = np.finfo(float).eps ** 0.5 * (scale or 1.0)
        image = (self._at(self.t, self.state + nudge * self._vector) - self.velocity) / nudge
        size = np.linalg.norm(image)
        if np.isfinite(size) and size > 0:
            self._vector, self._radius = image / size, size

    def step(self) -> bool:
        if self.accepted % self._REFRESH == 0:
            self._refresh()
        weights = self.field.weights(self.state)
        radius = 1.2 * self._radius
        while True:
            longest = (self._LARGEST**2 - 1) / 1.54 / max(radius, np.finfo(float).tiny)
            h = self._to_reach(min(self.h, longest))
            if self._is_too_short(h):
                return False
            stages = int(min(max(2, 1 + math.sqrt(1.54 * h * radius + 1)), self._LARGEST))
            first, table = _chebyshev(stages)
            unit = h * self.velocity
            before, last = self.state, self.state + first * unit
            time_before, time = 0.0, first
            for mu, nu, weight, start in table:
                moved = weight * h * self._at(self.t + time * h, last) + start * unit
                new = (1 - mu - nu) * self.state + mu * last + nu * before + moved
                time_before, time = time, mu * time + nu * time_before + weight + start
                before, last = last, new
            velocity = self._at(self.t + h, last)
            error = self.field.norm((0.8 * (self.state - last) + 0.4 * h * (self.velocity + velocity)) * weights)
            factor = min(5.0, max(0.1, 0.8 * max(error, 1e-30) ** (-1 / 3))) if math.isfinite(error) else 0.1
            self.h = h * factor
            if error <= 1:
                self._go(h, last, velocity)
                return True
            self.rejected += 1
            self._refresh()
            radius = 1.2 * self._radius


@cache
def _chebyshev(s: int) -> tuple[float, list[tuple[float, float, float, float]]]:
    """`μ̃₁`, and `(μ_j, ν_j, μ̃_j, γ̃_j)` for j = 2 … s, from the Chebyshev polynomials at w₀."""
    w0 = 1 + 2 / 13 / s**2
    T, d1, d2 = [1.0, w0], [0.0, 1.0], [0.0, 0.0]  # T_j and its derivatives at w₀
    for j in range(2, s + 1):
        T.append(2 * w0 * T[j - 1] - T[j - 2])
        d1.append(2 * T[j - 1] + 2 * w0 * d1[j - 1] - d1[j - 2])
        d2.append(4 * d1[j - 1] + 2 * w0 * d2[j - 1] - d2[j - 2])
    w1 = d1[s] / d2[s]
    b = [d2[j] / d1[j] ** 2 for j in range(2, s + 1)]
    b = [b[0], b[0], *b]
    table = []
    for j in range(2, s + 1):
        weight = 2 * b[j] * w1 / b[j - 1]
        table.append((2 * b[j] * w0 / b[j - 1], -b[j] / b[j - 2], weight, -(1 - b[j - 1] * T[j - 1]) * weight))
    return b[1] * w1, table


def stepper(method: str | None, field: Field, first: float, reach: float, rtol: float, dt: float | None) -> Stepper:
    """The stepper of that name, ready to go. Left out: collocation, or RK4 where a fixed step is given."""
    if dt is not None:
        return Fixed(field, dt, reach, method or "rk4")
    makers: dict[str, Callable[[], Stepper]] = {
        "collocation": lambda: Collocation(field, first, reach),
        "rkc": lambda: Chebyshev(field, first, reach),
    }
    method = method or "collocation"
    return makers[method]() if method in makers else Scipy(field, first, reach, method, rtol)
