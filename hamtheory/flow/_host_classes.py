"""The flow of a classification loss as the host integrates it: in the clock `s = ∫ L dt`, in units of its own.

With a_i = z_i x_i, margins m = Aθ and the weights `q_i = |ℓ′(m_i)|/Σ_j ℓ(m_j)`,

    dν/ds = q,    R′(θ) = R′(θ₀) + Aᵀν,    d ln L/ds = −‖Aᵀq‖²  in the inverse metric.

No number leaves the range, since the weights are formed from differences of logarithms. The coordinates are those of
Aᵀν in an orthonormal basis Q of the rows, `dλ/ds = QᵀAᵀq`: of rows that nearly cancel ν is far larger, and what it is
rounded to far more. Or, if that is asked for, θ. ν, of which the certificate is made, is the integral of q.
"""

from typing import Any

import numpy as np

from ..geometry import AbstractGeometry
from ..problem import BinaryClassification
from ._host_jacobians import Factored

Array = Any

_REST = 1e-8  # the force, relative to its terms, at which the flow has come to rest
_SOLVED = 100.0  # times `rtol`, the margins at the stages of a step
_KNOWN = 1e4  # times `rtol`, the margins at the end of a step
_AMPLIFIED = 100.0  # what an extrapolation makes of noise in the velocity
_ROUNDING = 8 * np.finfo(float).eps
_NUDGE = 1e-6  # relative, for the derivative of the metric


class ClassFlow:
    """States are coordinates, (..., m).

    Attributes:
        unit: The clock over that of the state.
        largest: The largest entry of X, in the unit of which `rows` are a_i.
    """

    def __init__(
        self,
        problem: BinaryClassification,
        geo: AbstractGeometry,
        theta0: Array,
        coordinates: str,
        rtol: float,
        atol: float,
    ):
        self.problem, self.geo, self.theta0 = problem, geo, theta0
        self.is_primal = coordinates == "primal"
        rows = np.asarray(problem.signed, float)
        self.largest = float(np.max(np.abs(rows)))
        self.rows = rows / self.largest
        self.origin = np.asarray(geo.mirror_map(theta0), float)
        # The ν that makes margins of about 1.
        size = 1 / (self.largest * float(np.mean(np.sum(np.abs(self.rows), axis=1))))
        self.size = max(size, float(np.max(np.abs(theta0))))
        self.mirror_size = float(np.max(geo.scales(np.full(problem.d, self.size))[0]))
        self.unit = self.mirror_size / self.largest
        if not 1e-307 < self.unit < 1e307:
            raise ValueError(
                f"X must have entries for which the flow of {geo!r} is in the range of numbers; the largest is "
                f"{self.largest:.3g}. Divide X by it"
            )
        self._basis = None if self.is_primal or problem.n >= problem.d else np.linalg.qr(self.rows.T)[0].T
        self._inner = self.rows if self._basis is None else self.rows @ self._basis.T
        self._rtol, self._atol = rtol, atol

    def initial(self) -> Array:
        if self.is_primal:
            return self.theta0 / self.size
        return np.zeros(self._inner.shape[1])

    def theta(self, state: Array) -> Array:
        """θ, (..., d)."""
        if self.is_primal:
            return self.size * state
        mirrored = state if self._basis is None else state @ self._basis
        return self.geo.inverse_mirror_map(self.origin + self.mirror_size * mirrored)

    def weights_at(self, theta: Array) -> Array:
        """q, (..., n)."""
        return self.problem.weights_at(self.margins(theta))

    def margins(self, theta: Array) -> Array:
        return self.largest * (theta @ self.rows.T)

    def velocity(self, t: Any, state: Array) -> Array:
        theta = self.theta(state)
        pull = self.weights_at(theta) @ self._inner
        return self.geo.inverse_metric(theta) * pull * (self.mirror_size / self.size) if self.is_primal else pull

    def fall(self, theta: Array, q: Array) -> Array:
        """`−d ln L/ds`, (...)."""
        pull = q @ self.rows
        return self.largest * self.mirror_size * np.sum(self.geo.inverse_metric(theta) * pull * pull, axis=-1)

    def linearise(self, t: float, state: Array) -> Factored:
        theta = self.theta(state)
        margins, metric = self.margins(theta), self.geo.inverse_metric(theta)
        q = self.problem.weights_at(margins)
        curved = q if self.problem.loss_name == "exponential" else q * -np.expm1(self.problem.log_slopes(margins))
        pull = q @ self._inner
        hessian = (self._inner.T * curved) @ self._inner - np.outer(pull, pull)
        root = np.sqrt(self.largest * self.mirror_size * metric)
        if self.is_primal:
            # dθ/ds = g⁻¹ Aᵀq: of g⁻¹ there is a derivative, too.
            nudge = _NUDGE * np.maximum(np.abs(theta), _NUDGE * self.size)
            slope = (self.geo.inverse_metric(theta + nudge) - metric) / nudge
            hessian.flat[:: len(hessian) + 1] -= slope * pull / (self.largest * metric)
        factor = np.diag(root) if self._basis is None else np.asarray(np.linalg.qr((self._basis * root).T, mode="r")).T
        weighted = hessian @ factor
        values, vectors = _eigen(factor.T @ weighted)
        left, right = factor @ vectors, (weighted @ vectors).T
        return Factored(right.T, values, left.T) if self.is_primal else Factored(left, values, right)

    def weights(self, state: Array) -> Array:
        """Of what the stages may still be off by: margins to `rtol`, too, of which alone the velocity is made.

        What margins are rounded to, far out, takes the place of `rtol`.
        """
        theta, largest = self.theta(state), float(np.max(np.abs(state)))
        noise = _ROUNDING * self.largest * float(np.max(np.abs(self.rows) @ np.abs(theta)))
        moved = self.largest * self.size if self.is_primal else self.largest * self.mirror_size
        slope = 1.0 if self.is_primal else self.geo.inverse_metric(theta)
        steepest = moved * float(np.max(np.sum(np.abs(self.rows) * slope, axis=1)))
        steepest = max(steepest, np.finfo(float).tiny)
        rounding = max(noise / steepest, _ROUNDING * largest)
        within = max(self._rtol, _AMPLIFIED * noise) * largest + self._atol
        within = min(within, max(_KNOWN * self._rtol / steepest, _AMPLIFIED * rounding))
        solved = min(within, max(_SOLVED * self._rtol / steepest, rounding))
        self._eased = solved / within
        return np.full_like(state, 1 / solved)

    def norm(self, weighted: Array) -> float:
        return float(np.max(np.abs(weighted)))

    def error(self, error: Array, weights: Array) -> float:
        return self.norm(error * weights) * self._eased

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
