"""The flow of a classification loss as the host integrates it: in the clock `s = ∫ L dt`, in units of its own.

With a_i = z_i x_i, margins m = Aθ and the weights `q_i = |ℓ′(m_i)|/Σ_j ℓ(m_j)`,

    dν/ds = q,    R′(θ) = R′(θ₀) + Aᵀν,    d ln L/ds = −‖Aᵀq‖²  in the inverse metric.

No number leaves the range, since the weights are formed from differences of logarithms. The coordinates are ν or,
where these are fewer, Aᵀν; or, if that is asked for, θ. ν itself, of which the certificate is made, then is the
integral of q. t is `t = v/L` with `dv/ds = 1 + v d ln L/ds`, v being of the size of a step of the clock, so that ln t is
known at any loss: one more coordinate.
"""

import math
from typing import Any

import numpy as np

from ..geometry import AbstractGeometry
from ..problem import BinaryClassification
from ._host_jacobians import Factored

Array = Any

_EASED = 100.0  # ln t is known to so many times `rtol`, where it is not asked for
_REST = 1e-8  # the force, relative to its terms, at which the flow has come to rest
_NUDGE = 1e-6  # relative, for the derivative of the metric


class ClassFlow:
    """States are (..., m + 1): coordinates, then v.

    Attributes:
        unit: ν and the clock over those of the state.
        largest: The largest entry of X, in the unit of which `rows` are a_i.
        is_nu: Whether the coordinates are ν.
    """

    def __init__(
        self,
        problem: BinaryClassification,
        geo: AbstractGeometry,
        theta0: Array,
        coordinates: str,
        rtol: float,
        atol: float,
        *,
        eased: bool,
    ):
        self.problem, self.geo, self.theta0 = problem, geo, theta0
        self.is_primal, self.is_nu = coordinates == "primal", coordinates == "dual" and problem.n <= problem.d
        rows = np.asarray(problem.signed, float)
        self.largest = float(np.max(np.abs(rows)))
        self.rows = rows / self.largest
        self.origin = np.asarray(geo.mirror_map(theta0), float)
        # The ν that makes margins of about 1.
        size = 1 / (self.largest * float(np.mean(np.sum(np.abs(self.rows), axis=1))))
        self.size = max(size, float(np.max(np.abs(theta0))))
        self.mirror_size = float(np.max(geo.mirror_map(np.full(problem.d, self.size))))
        self.unit = self.mirror_size / self.largest
        if not 1e-307 < self.unit < 1e307:
            raise ValueError(
                f"X must have entries for which the flow of {geo!r} is in the range of numbers; the largest is "
                f"{self.largest:.3g}. Divide X by it"
            )
        self._row_sizes = np.max(np.abs(self.rows), axis=1)
        self._rtol, self._atol, self._eased = rtol, atol, _EASED if eased else 1.0

    def initial(self) -> Array:
        if self.is_primal:
            return np.append(self.theta0 / self.size, 0.0)
        return np.zeros((self.problem.n if self.is_nu else self.problem.d) + 1)

    def theta(self, state: Array) -> Array:
        """θ, (..., d), at states (..., m + 1)."""
        inner = state[..., :-1]
        if self.is_primal:
            return self.size * inner
        return self.geo.inverse_mirror_map(self.origin + self.mirror_size * (inner @ self.rows if self.is_nu else inner))

    def weights_at(self, theta: Array) -> Array:
        """q, (..., n)."""
        return self.problem.weights_at(self.margins(theta))

    def margins(self, theta: Array) -> Array:
        return self.largest * (theta @ self.rows.T)

    def velocity(self, t: Any, state: Array) -> Array:
        theta = self.theta(state)
        q = self.weights_at(theta)
        pull = q @ self.rows
        moved = self.mirror_size * (self.geo.inverse_metric(theta) * pull)
        end = 1 - state[..., -1] * (self.largest * np.sum(pull * moved, axis=-1))
        inner = q if self.is_nu else moved / self.size if self.is_primal else pull
        return np.concatenate([inner, end[..., None]], axis=-1)

    def linearise(self, t: float, state: Array) -> Factored:
        """The Jacobian, but for how v depends on the others."""
        theta = self.theta(state)
        margins, metric = self.margins(theta), self.geo.inverse_metric(theta)
        q = self.problem.weights_at(margins)
        curved = q if self.problem.loss_name == "exponential" else q * -np.expm1(self.problem.log_slopes(margins))
        pull, unit = q @ self.rows, self.largest * self.mirror_size
        if self.is_nu:
            factor = np.linalg.qr((self.rows * np.sqrt(unit * metric)).T, mode="r").T
            weighted = curved[:, None] * factor - np.outer(q, q @ factor)
            values, vectors = _eigen(factor.T @ weighted)
            left, right = factor @ vectors, (weighted @ vectors).T
        else:
            root = np.sqrt(unit * metric)
            hessian = (self.rows.T * curved) @ self.rows - np.outer(pull, pull)
            if self.is_primal:
                # dθ/ds = g⁻¹ Aᵀq: of g⁻¹ there is a derivative, too.
                nudge = _NUDGE * np.maximum(np.abs(theta), _NUDGE * self.size)
                slope = (self.geo.inverse_metric(theta + nudge) - metric) / nudge
                hessian.flat[:: len(hessian) + 1] -= slope * pull / (self.largest * metric)
            values, vectors = _eigen(root[:, None] * hessian * root)
            left, right = root[:, None] * vectors, vectors.T * root @ hessian
            if self.is_primal:
                left, right = right.T, left.T
        fall = unit * float(np.sum(pull * metric * pull))
        left, right = (np.pad(part, (0, 1)) for part in (left, right))
        left[-1, -1], right[-1, -1] = fall, 1.0
        return Factored(left, np.append(values, fall), right)

    def weights(self, state: Array) -> Array:
        sizes = self._row_sizes if self.is_nu else 1.0
        largest = float(np.max(sizes * np.abs(state[:-1])))
        found = np.empty_like(state)
        found[:-1] = sizes / (self._rtol * largest + self._atol)
        found[-1] = 1 / (self._eased * self._rtol * abs(state[-1]) + self._atol)
        return found

    def norm(self, weighted: Array) -> float:
        return float(np.max(np.abs(weighted)))

    def error(self, error: Array, weights: Array) -> float:
        return self.norm(error * weights)

    def log_loss(self, state: Array) -> Any:
        return self.problem.log_loss_at(self.margins(self.theta(state)))

    def log_time(self, state: Array) -> Any:
        return np.log(state[..., -1]) + math.log(self.unit) - self.log_loss(state)

    def rests(self, theta: Array) -> bool:
        """Whether the forces of the samples cancel: of classes that cannot be separated, at the minimum of the loss."""
        q = self.weights_at(theta)
        metric = np.sqrt(self.geo.inverse_metric(theta))
        force = np.linalg.norm(metric * (q @ self.rows))
        terms = np.linalg.norm(metric * (q @ np.abs(self.rows)))
        return bool(np.isfinite(terms) and force <= _REST * terms)


def _eigen(matrix: Array) -> tuple[Array, Array]:
    if not np.isfinite(matrix).all():
        return np.full(len(matrix), np.nan), matrix
    return np.linalg.eigh(matrix)
