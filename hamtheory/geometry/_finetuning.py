"""What pretraining leaves to fine-tuning: a γ for each coordinate."""

from typing import Any, NamedTuple

import numpy as np

from .._array import Array, namespace, quiet
from .._grid import number
from .._validate import is_traced, real_array
from ._hypentropy import Hypentropy


class FineTuning(NamedTuple):
    """The flow of a pretrained network, see `finetuning`.

    Attributes:
        geo: Its geometry, m⊙w's with a γ for each coordinate, (d,).
        theta0: Where it starts, (d,).
        sensitivity: `∂ln γ/∂ln|pretrained|`, (d,): from 0 to 1 with a readout of 0. With one that is not, and features
            smaller than the readouts were, it can be negative: then pretraining makes a coordinate dearer.

    ```python
    >>> import hamtheory as ht
    >>> tuned = ht.geometry.finetuning([0.0, 1.0], scale=1e-3, readout=0.1)
    >>> tuned.theta0.round(3).tolist(), tuned.sensitivity.round(3).tolist()
    ([0.0, 0.1], [0.0, 1.0])

    ```
    """

    geo: Hypentropy
    theta0: Array
    sensitivity: Array

    def exponents(self, theta: Any) -> tuple[Array, Array]:
        """How the potential R of a coordinate, which its limit minimises, grows with it and with the pretrained one.

        `∂ln R/∂ln|θ|`, which is 2 of ridge and 1 of L1, and `∂ln R/∂ln|pretrained|`, which is 0 where pretraining does
        not count and −1 where R is inversely proportional to it. With u = θ/γ the first one is
        `u asinh u/(u asinh u − √(1 + u²) + 1)` and the second one is `(1 − first) ∂ln γ/∂ln|pretrained|`.

        Args:
            theta: θ, (..., d), of which R counts from 0.

        Returns:
            Both, (..., d); at θ = 0 their limits.
        """
        xp = namespace(theta, self.theta0)
        with quiet():
            u = xp.abs(xp.asarray(theta, self.theta0.dtype)) / self.geo.gamma
            product = u * xp.arcsinh(u)
            exact = product / (product - u * (u / (1 + xp.hypot(u, 1.0))))
            own = xp.where(u < 1e-3, 2 - u**2 / 6, exact)
        return own, (1 - own) * self.sensitivity


def finetuning(pretrained: Any, *, scale: Any, imbalance: Any = 0.0, readout: Any = 0.0) -> FineTuning:
    """The flow of the diagonal network `θ = w₊⊙v₊ − w₋⊙v₋` whose features w were pretrained, and readouts v reset.

    Pretraining from `w± = a, v± = b` is the flow of m⊙w with γ = c = a² + b², and leaves, at θ = β,

        w₊² + w₋² = c(λ + √(1 + β²/c²)),    λ = (a² − b²)/c.

    Fine-tuning from `v± = r` then is the flow of m⊙w with `2γ = √((w₊² + w₋² + 2r²)² − 4r²(w₊ − w₋)²)`, from
    `θ₀ = r(w₊ − w₋)`: features that were used have a large γ, of which the cost is that of ridge, and the others a
    small one, of which it is that of L1.

    Args:
        pretrained: β, (d,): where pretraining ended.
        scale: c > 0.
        imbalance: λ, from −1 to 1: 1 if all of the network's size is in the features.
        readout: r ≥ 0. With λ = −1 and r = 0 a coordinate that pretraining left at 0 would stay there.

    Returns:
        A `FineTuning`.

    Raises:
        ValueError: For arguments out of range, and where γ would be 0.
        TypeError: Inside a transformation of JAX's.

    References:
        The set-up, [lippl2024inductive]; the equations here are derived from its flows.

    ```python
    >>> import hamtheory as ht
    >>> tuned = ht.geometry.finetuning([0.0, 1.0], scale=1e-3)
    >>> tuned.geo.gamma.round(4).tolist(), [x.round(2).tolist() for x in tuned.exponents([0.1, 0.1])]
    ([0.0005, 0.5], [[1.2, 1.99], [-0.0, -0.99]])

    ```
    """
    if is_traced(pretrained, scale, imbalance, readout):
        raise TypeError("finetuning must be asked of concrete numbers; one is traced by JAX")
    beta = np.asarray(real_array(pretrained, "pretrained", ndim=1), float)
    c, share, r = (number(x, name) for x, name in ((scale, "scale"), (imbalance, "imbalance"), (readout, "readout")))
    if not np.isfinite(beta).all():
        raise ValueError("pretrained must be finite; it holds NaN or infinities")
    if not c > 0:
        raise ValueError(f"scale must be positive; got {c:g}")
    if not -1 <= share <= 1:
        raise ValueError(f"imbalance must be from -1 to 1; got {share:g}")
    if not r >= 0:
        raise ValueError(f"readout must be at least 0; got {r:g}")
    with quiet():
        q = np.abs(beta) / c
        root = np.hypot(1, q)
        more = q * (q / (1 + root))  # √(1 + q²) − 1
        features = c * ((1 + share) + more)  # w₊² + w₋²
        apart = c * (1 - share) * more  # (w₊ − w₋)²
        total = features + 2 * r * r
        gamma = np.sqrt((total - 2 * r * np.sqrt(apart)) * (total + 2 * r * np.sqrt(apart))) / 2
        # ∂/∂ln q: of √(1 + q²) it is q²/√(1 + q²).
        slope = c * q * (q / root)
        sensitivity = (total - 2 * r * r * (1 - share)) * slope / (4 * gamma**2)
        theta0 = r * np.sign(beta) * np.sqrt(apart)
    if not (gamma > 0).all():
        raise ValueError(
            f"readout must be positive where imbalance = {share:g} and pretraining ended at 0: coordinate "
            f"{int(np.argmin(gamma))} would stay there"
        )
    return FineTuning(Hypentropy(gamma=gamma), theta0, np.where(q > 0, sensitivity, 0.0))
