"""The geometry of the linearized Bregman iteration, whose limits are exactly sparse."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._array import Array, namespace
from .._types import Number, Parameter, Scalars
from .._validate import nonnegative, positive
from ._base import AbstractGeometry
from ._horizon import Horizon
from ._numerics import log1p_over


class LinearizedBregman(AbstractGeometry):
    """The geometry of the linearized Bregman iteration: `R(θ) = λ|θ| + θ²/(2δ)`, `g⁻¹(θ) = δ` where θ ≠ 0.

    R′ jumps at 0 from −λ to λ: while |μ| ≤ λ, `θ = δ soft(μ, λ)` is 0, exactly. The flow is that of μ,
    `dμ/dt = −∇f(θ)`, also known as the inverse scale space of `λ|θ| + θ²/(2δ)`; there is none in θ alone, which does
    not say where in [−λ, λ] an entry at 0 is. Starts at 0 are at μ = 0, the middle, and so is `mirror_map(0)`.

    The limit from zero is `argmin { λ‖θ‖₁ + ‖θ‖²/(2δ) : Xθ = y }`, which depends on λδ alone and from a finite λδ on is
    the solution of basis pursuit: `ht.exact_threshold` says from which. λ = 0 is gradient descent in another unit of
    time.

    One problem at a time, by NumPy: `solve_limit`, `solve_flow`, signs, `ht.asymptotics.predict`, and the rule
    `ht.LinearizedBregmanStep`. What needs R″, or θ to be the state of the flow, refuses it by name.

    Args:
        lam: λ ≥ 0; a scalar, or an array that broadcasts against θ.
        delta: δ > 0; likewise.

    Raises:
        ValueError: For a λ that is negative, a δ that is not positive, and where one is not finite.

    References:
        [yin2008bregman], [yin2010analysis]; the flow, [burger2006nonlinear].

    ```python
    >>> import hamtheory as ht
    >>> geo = ht.LinearizedBregman(lam=1.0, delta=2.0)
    >>> geo.inverse_mirror_map([-1.5, 0.7, 3.0]).tolist()
    [-1.0, 0.0, 4.0]
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> ht.solve_limit(problem, geo).theta.tolist()
    [0.0, 1.0]

    ```
    """

    lam: Float[Array, "..."]
    delta: Float[Array, "..."]

    name: ClassVar[str] = "bregman"
    formula: ClassVar[str] = "delta where theta != 0"
    example: ClassVar[Mapping[str, Any]] = {"lam": 1.0, "delta": 1.0}

    def __init__(self, lam: Parameter, delta: Parameter = 1.0):
        self.lam, self.delta = nonnegative(lam, "lam")[()], positive(delta, "delta")[()]

    def dead_zone(self) -> Scalars:
        return self.lam

    def inverse_metric(self, theta: Scalars) -> Scalars:
        xp, (lam, delta) = namespace(theta, self.lam), self._in(theta)
        return xp.where((theta == 0) & (lam > 0), xp.zeros_like(delta), delta)

    def mirror_map(self, theta: Scalars) -> Scalars:
        lam, delta = self._in(theta)
        return lam * namespace(theta).sign(theta) + theta / delta

    def inverse_mirror_map(self, mu: Scalars) -> Scalars:
        xp, (lam, delta) = namespace(mu, self.lam), self._in(mu)
        return delta * (xp.maximum(mu - lam, 0) + xp.minimum(mu + lam, 0))

    def potential(self, theta: Scalars) -> Scalars:
        lam, delta = self._in(theta)
        return lam * abs(theta) + theta * theta / (2 * delta)

    def conjugate(self, mu: Scalars) -> Scalars:
        return self.moment(self.inverse_mirror_map(mu))

    def moment(self, theta: Scalars) -> Scalars:
        return theta * theta / (2 * self._in(theta)[1])

    def mirror_bound(self) -> Scalars:
        return np.float64(np.inf)

    def horizon(self) -> Horizon:
        return Horizon(0.0, None if np.ndim(self.delta) == 0 else 1 / self.delta)

    def passage_time(self, a: Scalars, y: Scalars) -> Scalars:
        # When it comes to 0; it leaves, to the other side, 2λ/y later.
        return log1p_over(1 / y, a, 0) / (y * self._in(a)[1])

    def known_divergence(self, theta: Scalars, theta0: Scalars, mu: Scalars | None = None) -> Scalars:
        xp, (lam, delta) = namespace(theta, self.lam), self._in(theta)
        slope = lam * xp.sign(theta0) if mu is None else xp.clip(mu, -lam, lam)
        step = theta - theta0
        return step * step / (2 * delta) + (lam - slope * xp.sign(theta)) * abs(theta)

    def in_units(self, size: float) -> "tuple[LinearizedBregman, float]":
        return LinearizedBregman(self.lam / self.lam.dtype.type(size), self.delta), 1.0

    def decayed(self, t: Number, weight_decay: Number) -> "tuple[AbstractGeometry, Number]":
        raise ValueError(
            f"weight_decay must be 0 for {type(self).__name__}, whose flow is that of μ: what decay does to an entry "
            f"at 0 is not defined; got {weight_decay}"
        )

    def _in(self, x: Scalars) -> tuple[Scalars, Scalars]:
        return self.lam.astype(x.dtype), self.delta.astype(x.dtype)
