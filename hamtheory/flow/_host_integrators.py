"""The integrators on the host besides collocation: SciPy's, a stabilised one and fixed steps. And all by name."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from ._host_collocation import Collocation
from ._host_stepper import Field, Stepper

SCIPY = ("lsoda", "bdf", "radau", "dop853")
EXPLICIT = ("euler", "heun", "rk4")  # at a fixed step
METHODS = ("collocation", *SCIPY, "rkc", *EXPLICIT)


class Scipy(Stepper):
    """One of SciPy's integrators, with the exact Jacobian."""

    def __init__(self, field: Field, first: float, reach: float, method: str, rtol: float):
        import scipy.integrate

        super().__init__(field, first, reach)
        # The global error of these is a multiple of what they keep for each step.
        kind, self.degree, sharper = {
            "lsoda": ("LSODA", 12, 0.1),
            "bdf": ("BDF", 5, 0.1),
            "radau": ("Radau", 3, 0.5),
            "dop853": ("DOP853", 7, 0.5),
        }[method]
        implicit = {} if method == "dop853" else {"jac": self._jacobian}
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

    References:
        [sommeijer1998rkc].
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
        scale = max(float(np.linalg.norm(self.state)), self.h * float(np.linalg.norm(self.velocity)))
        nudge = np.finfo(float).eps ** 0.5 * (scale or 1.0)
        image = (self._at(self.t, self.state + nudge * self._vector) - self.velocity) / nudge
        size = float(np.linalg.norm(image))
        if np.isfinite(size) and size > 0:
            self._vector, self._radius = image / size, float(size)

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
        "collocation": lambda: getattr(field, "integrator", Collocation)(field, first, reach),
        "rkc": lambda: Chebyshev(field, first, reach),
    }
    method = method or "collocation"
    return makers[method]() if method in makers else Scipy(field, first, reach, method, rtol)
