"""The integrator of choice for these flows: collocation of high order, at the price of matrix products."""

import math
from functools import cache
from typing import Any

import numpy as np

from ._host_stepper import Field, Stepper, Vector


class Collocation(Stepper):
    """Radau IIA with nine stages, whose polynomial of degree nine is the dense output and is what errors are kept for.

    A trajectory of these flows is smooth (but for kinks of the metric) and stiff at its end, over many decades of time:
    where BDF's order of five at most takes a thousand steps, this takes fifty. What makes such a step cheap is that all
    stages are evaluated at once (matrix products instead of products with vectors), and that simplified Newton
    decouples: the stages by the eigenvalues of the method, the state by those of the Jacobian, see `linearise`.

    References:
        [hairer1996stiff], IV.5 and IV.8; the estimate of the error is ours.
    """

    stages = 9
    degree = 9
    _NEWTON = 0.2  # of the tolerance
    _PREDICTOR = 7  # the degree of the extrapolation from the last step

    def __init__(self, field: Field, first: float, reach: float):
        super().__init__(field, first, reach)
        self.h = self._to_reach(first)
        self._last: Any = None  # the length, start and state of the last step, and its increments
        self._linear: Any = None
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
            defect = self.missed(h, self.velocity, velocities)
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
            residual, velocities = self._missing(times, increments, h, method)
            self.evaluations += self.stages
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
                return increments, self._ended(velocities, increments, change, h), iteration
            before = size
        return None

    def _missing(self, times, increments, h, method):
        """What the stages miss of their equations, and their velocities."""
        velocities = self.field.velocity(times, self.state + increments)
        return h * (method.integrals @ velocities) - increments, velocities

    def _ended(self, velocities, increments, change, h):
        """The velocities after a last change."""
        return velocities + self._linear.product(change)

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
        _, _, state, increments = self._last
        return state + self.basis(times) @ increments

    def missed(self, h: float, first: Any, velocities: Any) -> Any:
        """What the polynomial of a step misses of a solution with these velocities at the start and at the nodes."""
        method = _radau(self.stages)
        return (first - method.backward @ velocities) * (h * method.error)

    def basis(self, times: Vector) -> Vector:
        """The matrix, (times, stages + 1), from the start and nodes of the last step to times in it."""
        length, start, _, _ = self._last
        return _lagrange(_radau(self.stages).knots, (times - start) / length)

    def nodes(self) -> tuple[Vector, Vector]:
        """The times of the stages of the last step, and the states there, whose last one is its end."""
        length, start, state, increments = self._last
        return start + length * _radau(self.stages).nodes, state + increments[1:]

    def integral(self, velocities: Vector) -> Vector:
        """What grows with these velocities at the nodes of the last step, at its start and its nodes."""
        grown = self._last[0] * (_radau(self.stages).integrals @ velocities)
        return np.concatenate([np.zeros_like(grown[:1]), grown])


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
        half = np.imag(values) >= 0  # of a conjugate pair one suffices
        twice = np.where(np.imag(values[half]) > 0, 2, 1)
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
