"""Gradient descent's geometry."""

from typing import Any, ClassVar

import numpy as np

from .._array import namespace
from .._types import Number, Scalars
from ._base import AbstractGeometry
from ._horizon import Horizon
from ._numerics import log1p_over
from ._penalty import Penalty


class Euclidean(AbstractGeometry):
    """The geometry of gradient descent: `g⁻¹(θ) = 1`, `R(θ) = θ²/2`.

    Its limit from θ₀ is the interpolator closest to θ₀ in the Euclidean norm.

    References:
        [gunasekar2018characterizing].

    ```python
    >>> import hamtheory as ht
    >>> float(ht.Euclidean().potential(3.0))
    4.5

    ```
    """

    name: ClassVar[str] = "gd"
    formula: ClassVar[str] = "1"

    def inverse_metric(self, theta: Scalars) -> Scalars:
        return namespace(theta).ones_like(theta)

    def mirror_map(self, theta: Scalars) -> Scalars:
        return theta

    def inverse_mirror_map(self, mu: Scalars) -> Scalars:
        return mu

    def potential(self, theta: Scalars) -> Scalars:
        return theta * theta / 2

    def conjugate(self, mu: Scalars) -> Scalars:
        return mu * mu / 2

    def moment(self, theta: Scalars) -> Scalars:
        return theta * theta / 2

    def hyperbola(self) -> tuple[Scalars, Scalars, Scalars]:
        return np.float64(1.0), np.float64(0.0), np.float64(0.0)

    def mirror_bound(self) -> Scalars:
        return np.float64(np.inf)

    def horizon(self) -> Horizon:
        return Horizon(0.0)

    def passage_time(self, a: Scalars, y: Scalars) -> Scalars:
        return log1p_over(1 / y, a, 0) / y

    def in_units(self, size: float) -> "tuple[Euclidean, float]":
        return self, 1.0

    def penalty(self, weight_decay: Number, dtype: Any) -> Penalty:
        beta = namespace(weight_decay).asarray(weight_decay, dtype)[()]
        infinite = namespace(beta).full_like(beta, np.inf)[()]
        return Penalty(infinite, infinite, beta)
