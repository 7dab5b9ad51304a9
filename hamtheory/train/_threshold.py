"""Soft thresholds that are learnt: STR."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ._masks import filled, masked, tensors_of
from ._method import fraction
from ._settling import AbstractSettling


class Thresholded(NamedTuple):
    """Parameters of STR.

    Attributes:
        theta: Before the thresholds.
        s: A scalar for each tensor that has one, None otherwise.

    References:
        [kusupati2020str].
    """

    theta: PyTree
    s: PyTree


def soft_threshold(theta: Float[Array, "*shape"], s: Float[Array, ""]) -> Float[Array, "*shape"]:
    """`sign(θ) max(|θ| − sigmoid(s), 0)`, with the derivatives `1[|θ| > sigmoid(s)]` in θ, and, summed over all of
    these entries, `−sign(θ) sigmoid'(s)` in s.

    ```python
    >>> import jax.numpy as jnp
    >>> from hamtheory.train._threshold import soft_threshold
    >>> soft_threshold(jnp.asarray([-2.0, 0.25, 1.0]), jnp.asarray(0.0)).tolist()
    [-1.5, 0.0, 0.5]

    ```
    """
    return jnp.sign(theta) * jax.nn.relu(jnp.abs(theta) - jax.nn.sigmoid(s).reshape((1,) * theta.ndim))


@dataclass(frozen=True, kw_only=True)
class STR(AbstractSettling):
    """Soft threshold reparametrisation: `w = sign(θ) max(|θ| − sigmoid(s), 0)`, with one s for each layer, learnt.

    The gradient of both gets `weight_decay` times themselves, thus that of `λ/2 (‖θ‖² + Σ s²)`: as s is negative at
    first, this raises the thresholds. So λ and the first s decide how sparse it gets, and no setting says it in
    advance. (Biases and tensors that stay dense don't decay here: own choice.)

    *The sparsity is made exact by magnitude*: at `1 − settle` of the training the largest |w| are kept and the decay is
    switched off; settle = 0 does this after the last step, and is closest to what is published, where the sparsity is
    reported as it comes. If fewer weights than asked for are left, the mask holds some that are 0.
    `TrainResult.nonzero` shows what the thresholds alone have done.

    HAM acts on θ, with its gradient through the threshold; not on s, which has no axes. Of a `where`, "^theta/" is θ.

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: As of `AbstractMethod`; "global" if left out (own choice).
        dense_layers: As of `AbstractMethod`.
        settle: The fraction of the training after the sparsity is made exact, 0.2 (own choice).
        weight_decay: λ ≥ 0, 5e-4 (own choice). Published for ResNet-50 on ImageNet, 100 epochs and a sparsity of 0.9: λ
            = 2.25e-5, and −3200 for `s_init`, where the threshold is 0, with derivative 0, until the decay alone has
            raised s.
        s_init: s at first, −4 (sigmoid: 0.018; own choice).

    Raises:
        ValueError: For values out of range.

    References:
        [kusupati2020str], from the authors' code (RAIVNLab/STR): rule, decay of s, settings.

    ```python
    >>> import jax, jax.numpy as jnp, hamtheory.train as htt
    >>> method = htt.STR(sparsity=0.5, s_init=0.0)  # a threshold of 1/2
    >>> params, masks = method.init(jax.random.key(0), {"w": jnp.array([[-2.0, 0.25, 1.0]], "float32")}, steps=100)
    >>> method.weights(params, masks)["w"].tolist()
    [[-1.5, 0.0, 0.5]]

    ```
    """

    tunable: ClassVar[tuple[str, ...]] = ("weight_decay", "s_init")

    weight_decay: float = 5e-4
    s_init: float = -4.0

    def __post_init__(self):
        super().__post_init__()
        fraction(self.weight_decay, "weight_decay", lambda x: 0 <= x < float("inf"), "at least 0 and finite")
        fraction(self.s_init, "s_init", lambda x: abs(x) < float("inf"), "finite")

    def parameters(self, weights, masks):
        thresholds = [jnp.asarray(self.s_init, w.dtype) for w in tensors_of(weights, self.chosen(weights))]
        return Thresholded(weights, filled(weights, self.chosen(weights), thresholds))

    def weights(self, params, masks):
        soft = lambda theta, s: theta if s is None else soft_threshold(theta, s)  # noqa: E731
        return masked(jax.tree.map(soft, params.theta, params.s), masks)

    def clean(self, params, masks):
        return Thresholded(masked(params.theta, masks), params.s)

    def regularised(self, grads, params, step, steps):
        on = jnp.asarray(step) < self.settled(steps)
        decay = jnp.where(on, jnp.asarray(self.weight_decay, jnp.float32), jnp.float32(0))
        add = lambda g, p: g + decay.astype(g.dtype) * p  # noqa: E731
        theta = jax.tree.map(lambda g, p, s: g if s is None else add(g, p), grads.theta, params.theta, params.s)
        return Thresholded(theta, jax.tree.map(add, grads.s, params.s))

    def _per_parameter(self, params, flags):
        return Thresholded(flags, jax.tree.map(lambda _: None, params.s))
