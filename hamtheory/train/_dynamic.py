"""Methods that go back and forth: AC/DC between dense and sparse, RigL between sparse masks."""

from dataclasses import dataclass
from math import cos, pi

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .._validate import count
from ._density import exact, kept_of, shapes_of
from ._masks import everything, filled, largest, magnitude, masked, numbers, tensors_of, total_of
from ._method import AbstractMethod, at, fraction
from ._static import RandomPruning


@dataclass(frozen=True, kw_only=True)
class ACDC(AbstractMethod):
    """Alternating compressed / decompressed training.

    Dense for `warmup`; then sparse and dense phases of length `phase` in turn, sparse first; a last dense phase of
    length `last_dense`, and a last sparse one of length `last_sparse`, all in fractions of the training. At the
    beginning of a sparse phase the largest weights are kept, and the mask is fixed through the phase; at the beginning
    of a dense one all weights come back, from 0, with their momentum forgotten.

    The defaults are those reported for ImageNet, 10, 5, 10 and 15 of 100 epochs: sparse from epoch 10, 20, …, 70
    for 5 epochs each, dense from 75 to 85, sparse to the end. What the alternating part leaves over at its end, less
    than two phases, is added to the last dense phase. It is exact at every step: all weights in dense phases,
    ⌊(1 − sparsity) · total + 1/2⌋ in sparse ones.

    Fields: as all methods, and these. `layers`: "global" if left out.
    Errors: `ValueError` for fractions out of range, or that leave no room for a sparse phase before the last.
    Source: [peste2021acdc], not read itself: a recipe of SparseML has the same phases, and a warm-up of 5 epochs.
    """

    layers: str = "global"
    warmup: float = 0.1
    phase: float = 0.05
    last_dense: float = 0.1
    last_sparse: float = 0.15

    def __post_init__(self):
        super().__post_init__()
        for name in ("warmup", "last_dense"):
            fraction(getattr(self, name), name, lambda x: 0 <= x < 1, "at least 0 and less than 1")
        for name in ("phase", "last_sparse"):
            fraction(getattr(self, name), name, lambda x: 0 < x < 1, "more than 0 and less than 1")
        if self.warmup + self.phase + self.last_dense + self.last_sparse > 1 + 1e-9:
            raise ValueError(
                "warmup, phase, last_dense and last_sparse must add up to 1 at most; got "
                f"{self.warmup}, {self.phase}, {self.last_dense} and {self.last_sparse}"
            )

    def phases(self, steps: int) -> list[tuple[int, bool]]:
        """After how many steps a phase begins, and whether it is sparse; dense before the first."""
        warmup, phase, tail = exact(self.warmup), exact(self.phase), exact(self.last_sparse)
        stop, last, found, k = at(1 - exact(self.last_dense) - tail, steps), at(1 - tail, steps), [], 0
        while (begin := at(warmup + k * phase, steps)) < stop:
            end = at(warmup + (k + 1) * phase, steps)
            if end <= begin:
                raise ValueError(f"phase must be a step at least; got {self.phase} of {steps} steps")
            if end > stop and k % 2 == 0:  # no room for a sparse phase
                break
            found.append((begin, k % 2 == 0))
            k += 1
        if found and found[-1][1]:
            found.append((stop, False))
        return [*(one for one in found if one[0] < last), (last, True)]

    def events(self, steps):
        return np.array([t for t, _ in self.phases(steps)])

    def remask(self, params, masks, gradient, step, steps):
        chosen = self.chosen(params)
        sparse = jnp.any(jnp.asarray([t for t, sparse in self.phases(steps) if sparse], jnp.int32) == step)
        few = magnitude(params, chosen, self.density, self.layers)
        masks = jax.tree.map(lambda a, b: jnp.where(sparse, a, b), few, everything(params, chosen))
        return masked(params, masks), masks

    def promise(self, step, steps, weights):
        total, sparse = total_of(weights, self.chosen(weights)), False
        for t, value in self.phases(steps):
            sparse = value if step >= t else sparse
        return kept_of(self.density, total) if sparse else total


@dataclass(frozen=True, kw_only=True)
class RigL(RandomPruning):
    """The rigged lottery: a random mask, some of whose weights move every Δt steps to where the gradient is largest.

    After t = Δt, 2Δt, … steps, while t < T_end, each layer of k weights drops its `⌊f k⌋` smallest ones,
    `f = α/2 (1 + cos(π t/T_end))`, and grows as many, where the dense gradient is largest among the places that are
    then empty. These include those just dropped: such a weight stays as it is. Grown weights start at 0, and their
    momentum at 0. k never changes: it is exact at every step. The paper replaces the optimizer's step by this change;
    here it comes after that step, and uses its gradient.

    Fields: as all methods; `layers`: "erk" or "uniform". `every`: Δt in steps, 100; `alpha`: α, 0.3; `stop_at`: T_end
      as a fraction of the training, 3/4; as published.
    Source: [evci2020rigging], Algorithm 1 (rule and defaults from memory).
    """

    every: int = 100
    alpha: float = 0.3
    stop_at: float = 0.75

    def __post_init__(self):
        super().__post_init__()
        count(self.every, "every")
        fraction(self.alpha, "alpha", lambda x: 0 < x <= 1, "more than 0 and at most 1")
        fraction(self.stop_at, "stop_at")

    def events(self, steps):
        return np.arange(self.every, at(self.stop_at, steps), self.every)

    def dropped(self, step: int, steps: int, number: int) -> int:
        """How many of a layer's `number` weights are dropped after `step` steps."""
        return int(self.alpha / 2 * (1 + cos(pi * step / at(self.stop_at, steps))) * number + 1e-9)

    def remask(self, params, masks, gradient, step, steps):
        chosen, events = self.chosen(params), self.events(steps)
        tensors = tensors_of(params, chosen)
        counts = numbers(shapes_of(tensors), self.density, self.layers)
        table = jnp.asarray([[self.dropped(int(t), steps, k) for k in counts] for t in events], jnp.int32)
        drops = table[jnp.argmax(jnp.asarray(events, jnp.int32) == step)]
        layers = zip(tensors, jax.tree.leaves(masks), tensors_of(gradient, chosen), counts, drops, strict=True)
        masks = filled(params, chosen, [moved(*layer) for layer in layers])
        return masked(params, masks), masks


def moved(
    weights: Float[Array, "*shape"], mask: Bool[Array, "*shape"], gradient: Float[Array, "*shape"], number: int, drop
) -> Bool[Array, "*shape"]:
    """The mask of a layer after one change: of its `number` weights, the `drop` smallest go, and as many come."""
    staying = largest(jnp.where(mask, _size(weights), -jnp.inf), number - drop) & mask
    return staying | largest(jnp.where(staying, -jnp.inf, _size(gradient)), drop)


def _size(x):
    """|x|; 0 for NaN, which has to come before the places that are out of the question."""
    return jnp.where(jnp.isnan(x), jnp.zeros((), x.dtype), jnp.abs(x))
