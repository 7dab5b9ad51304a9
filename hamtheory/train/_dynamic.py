"""Methods that go back and forth: AC/DC between dense and sparse, RigL and alternating training between masks."""

from dataclasses import dataclass
from fractions import Fraction
from math import cos, pi
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PyTree

from .._validate import count
from ._density import cubic_sparsity, exact, kept_of, shapes_of
from ._masks import best, everything, filled, largest, magnitude, masked, numbers, tensors_of, total_of
from ._method import AbstractMethod, at, fraction
from ._static import RandomPruning


@dataclass(frozen=True, kw_only=True)
class ACDC(AbstractMethod):
    """Alternating compressed / decompressed training.

    Dense for `warmup`; then sparse and dense phases of length `phase` in turn, sparse first; a last dense phase of
    length `last_dense`, and a last sparse one of length `last_sparse`, all in fractions of the training. At the
    beginning of a sparse phase the largest weights are kept, and the mask is fixed through the phase; at the beginning
    of a dense one all weights come back, from 0, and SGD's momentum is forgotten, that of all parameters. (Of the
    moments of another optimizer, those of the weights that come back are: own choice.)

    The defaults are those of the authors' code for ImageNet, 10, 5, 10 and 15 of 100 epochs: sparse from epoch 10, 20,
    …, 70 for 5 epochs each, dense from 75 to 85, sparse to the end. What the alternating part leaves over at its end,
    less than two phases, is added to the last dense phase (own choice; nothing is left over there). It is exact at
    every step: all weights in dense phases, ⌊(1 − sparsity) · total + 1/2⌋ in sparse ones.

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: As of `AbstractMethod`; "global" if left out, as published.
        dense_layers: As of `AbstractMethod`.
        warmup: How long the first dense phase is, a fraction of the training.
        phase: How long each sparse and each dense phase is, a fraction of the training.
        last_dense: How long the last dense phase is, a fraction of the training.
        last_sparse: How long the last sparse phase is, a fraction of the training.

    Raises:
        ValueError: For fractions out of range, or that leave no room for a sparse phase before the last.

    References:
        [peste2021acdc], from the authors' code (IST-DASLab/ACDC): phases, one threshold for all layers, momentum.

    ```python
    >>> import hamtheory.train as htt
    >>> htt.ACDC(sparsity=0.9).phases(100)[:3]  # the step, and whether sparse from there
    [(10, True), (15, False), (20, True)]

    ```
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
        """After how many steps a phase begins, and whether it is sparse; dense before the first.

        Args:
            steps: Of the whole training.

        Returns:
            A list of pairs, in the order of the steps.

        Raises:
            ValueError: Where a phase is shorter than a step.
        """
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

    def update(self, params, masks, gradient, step, steps, state=None):
        params, masks, state = super().update(params, masks, gradient, step, steps, state)
        dense = jnp.any(jnp.asarray([t for t, sparse in self.phases(steps) if not sparse], jnp.int32) == step)
        is_trace = lambda node: isinstance(node, optax.TraceState)  # noqa: E731
        clear = lambda x: jnp.where(dense, jnp.zeros((), x.dtype), x)  # noqa: E731
        forget = lambda node: jax.tree.map(clear, node) if is_trace(node) else node  # noqa: E731
        return params, masks, jax.tree.map(forget, state, is_leaf=is_trace)

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
    momentum at 0. k never changes: it is exact at every step. In the authors' code this change replaces the optimizer's
    step; here it comes after that step, and uses its gradient (own choice, and so is that there is none at t = 0).

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: "erk", if left out (own choice of those published), or "uniform".
        dense_layers: As of `AbstractMethod`.
        every: Δt in steps, 100, as published.
        alpha: α, 0.3, as published.
        stop_at: T_end as a fraction of the training, 3/4 (own choice; the authors' code has 25,000 steps for ImageNet).

    Raises:
        ValueError: For values out of range.
        TypeError: If `every` is no integer.

    References:
        [evci2020rigging], from the authors' code (google-research/rigl): rule, drop fraction, momentum, defaults.

    ```python
    >>> import hamtheory.train as htt
    >>> method = htt.RigL(sparsity=0.9, every=20)
    >>> [(step, method.dropped(step, 100, 1000)) for step in method.events(100).tolist()]
    [(20, 250), (40, 134), (60, 28)]

    ```
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
        """How many of a layer's weights are dropped.

        Args:
            step: The number of steps taken.
            steps: Of the whole training.
            number: How many weights the layer keeps.

        Returns:
            An integer.
        """
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


class Shared(NamedTuple):
    """Parameters of alternating sparse training. `theta`: the weights that all sub-networks share. `parts`: for each
    weight `Σ_j 2^j`, over the sub-networks j that keep it, an integer; None for the tensors that stay dense."""

    theta: PyTree
    parts: PyTree


@dataclass(frozen=True, kw_only=True)
class Alternating(AbstractMethod):
    """Alternating sparse training: K sub-networks of different sparsity share their weights, and take a step in turn.

    Sub-network j = 0, …, K − 1 is trained at the steps j, j + K, j + 2K, …, each under a mask of its own; the last one
    has the sparsity asked for, and is what is left at the end. Weights that a mask hides aren't set to 0: they may be
    part of another sub-network, and momentum and decay go on. After t₀ + Δt, t₀ + 2Δt, … steps, in multiples of K,
    each sub-network's mask is chosen anew, after its next step: first the largest weights, as many as the cubic
    schedule of `Gradual` says, from dense to the sub-network's own sparsity after n of these times; then, of the k
    weights that a layer has got, the `⌈r k⌉` smallest are replaced by those with the largest gradient among the places
    that the old mask had, `r = α/2 (1 + cos(π t/steps))`. After the n-th time only this second part is left.

    Left out: the authors' gradient correction, the projection of a sub-network's gradient off that of the one before
    it where they point against each other, which needs that gradient; a batch normalisation for each; and the delay
    from one sub-network's new mask to the next one's. It is exact at every step.

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: As of `AbstractMethod`; "global" if left out, as published.
        dense_layers: As of `AbstractMethod`.
        multiples: The densities of the other sub-networks, as multiples of that asked for, 1 at most; (5, 2.5), thus
            0.1, 0.05 and 0.02 for a sparsity of 0.98, as published for CIFAR-10.
        start_at: t₀ as a fraction of the training, 0, as published for CIFAR-10.
        stop_at: t₀ + nΔt as a fraction of the training, 110/160, as published for CIFAR-10.
        updates: n, 20 (own choice; as published for CIFAR-10 it is 43).
        alpha: α, 1/2, as published.

    Raises:
        ValueError: For values out of range; of `events` for steps that are too few for n updates.
        TypeError: If n is no integer.

    References:
        [yang2022more], from the authors' code (mengjian0502/AST).

    ```python
    >>> import hamtheory.train as htt
    >>> method = htt.Alternating(sparsity=0.98)
    >>> method.densities, method.rhythm(480)
    ([Fraction(1, 10), Fraction(1, 20), Fraction(1, 50)], (0, 15))

    ```
    """

    layers: str = "global"
    multiples: tuple[float, ...] = (5.0, 2.5)
    start_at: float = 0.0
    stop_at: float = 0.6875
    updates: int = 20
    alpha: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "multiples", tuple(self.multiples))
        if not 1 <= len(self.multiples) <= 3:
            raise ValueError(f"multiples must be one, two or three numbers; got {len(self.multiples)}")
        for multiple in self.multiples:
            fraction(multiple, "multiples", lambda x: 0 < x < float("inf"), "positive and finite")
        fraction(self.start_at, "start_at")
        fraction(self.stop_at, "stop_at", lambda x: self.start_at < x <= 1, "more than start_at and at most 1")
        fraction(self.alpha, "alpha")
        count(self.updates, "updates")

    @property
    def densities(self) -> list[Fraction]:
        """Of the sub-networks, in their order."""
        return [min(Fraction(1), exact(m) * self.density) for m in self.multiples] + [self.density]

    def rhythm(self, steps: int) -> tuple[int, int]:
        """t₀ and Δt, in steps: multiples of K.

        Args:
            steps: Of the whole training.

        Returns:
            t₀ and Δt, integers.

        Raises:
            ValueError: Where the steps are too few for the updates.
        """
        number = len(self.densities)
        start = at(self.start_at, steps) // number * number
        every = (at(self.stop_at, steps) - start) // self.updates // number * number
        if every < number:
            least = f"so that there are {number} steps for each update"
            raise ValueError(f"updates must be less, or steps more, {least}; got {self.updates} in {steps} steps")
        return start, every

    def density_of(self, part: int, update: int) -> Fraction:
        """The density of a sub-network after so many updates.

        Args:
            part: The number of the sub-network, from 0.
            update: How many updates there have been.

        Returns:
            The density, a fraction.
        """
        if update >= self.updates:
            return self.densities[part]
        return 1 - exact(cubic_sparsity(update, 0.0, float(1 - self.densities[part]), 0, self.updates))

    def parameters(self, weights, masks):
        chosen, every = self.chosen(weights), 2 ** len(self.densities) - 1
        parts = [jnp.full(w.shape, every, jnp.int32) for w in tensors_of(weights, chosen)]
        return Shared(weights, filled(weights, chosen, parts))

    def weights(self, params, masks):
        return masked(params.theta, masks)

    def clean(self, params, masks):
        return params

    def events(self, steps):
        self.rhythm(steps)
        return np.arange(1, steps + 1)

    def remask(self, params, masks, gradient, step, steps):
        number, (start, every), step = len(self.densities), self.rhythm(steps), jnp.asarray(step, jnp.int32)
        was, now = (step - 1) % number, jnp.where(step == steps, number - 1, step % number)
        since = step - 1 - was - start
        fresh = jax.lax.cond(
            (since > 0) & (since % every == 0),
            lambda: self.chosen_anew(params.theta, masks, gradient, was, since // every, step, steps),
            lambda: masks,
        )

        def noted(parts, old, new):
            return parts + (new.astype(parts.dtype) - old.astype(parts.dtype)) * (1 << was)

        parts = jax.tree.map(noted, params.parts, masks, fresh)
        masks = jax.tree.map(lambda part: (part >> now) % 2 == 1, parts)
        return Shared(params.theta, parts), masks

    def chosen_anew(
        self, theta: PyTree, masks: PyTree, gradient: PyTree, part: Int[Array, ""], update: Int[Array, ""], step, steps
    ) -> PyTree:
        """The masks of a sub-network after an update.

        Args:
            theta: The weights that all sub-networks share, a pytree.
            masks: Those so far, a pytree.
            gradient: Of the loss in the weights, dense.
            part: The number of the sub-network, from 0.
            update: The number of the update, from 1.
            step: The number of steps taken.
            steps: Of the whole training.

        Returns:
            A pytree of bool tensors like `masks`.
        """
        chosen, parts = self.chosen(theta), range(len(self.densities))
        tensors, old = tensors_of(theta, chosen), jax.tree.leaves(masks)
        shapes = shapes_of(tensors)
        table = jnp.asarray(
            [[numbers(shapes, self.density_of(j, i), self.layers) for j in parts] for i in range(1, self.updates + 1)],
            jnp.int32,
        )
        row = table[jnp.minimum(update, self.updates) - 1, part]
        greatest = best([_size(w) for w in tensors], list(row), self.layers)
        rate = jnp.asarray(self.alpha / 2, jnp.float32) * (1 + jnp.cos(step.astype(jnp.float32) * (pi / steps)))
        found = []
        for w, best_ones, mask, g in zip(tensors, greatest, old, tensors_of(gradient, chosen), strict=True):
            kept = jnp.where(update <= self.updates, best_ones, mask).sum(dtype=jnp.int32)
            drop = jnp.ceil(rate * kept.astype(jnp.float32) - 1e-3).astype(jnp.int32)
            staying = largest(_size(w), kept - drop)
            wanted = jnp.where(mask, _size(g), -jnp.ones((), g.dtype))  # other places only if there are too few
            found.append(staying | largest(jnp.where(staying, -jnp.inf, wanted), drop))
        return filled(theta, chosen, found)

    def promise(self, step, steps, weights):
        number, (start, every) = len(self.densities), self.rhythm(steps)
        part = number - 1 if step == steps else step % number
        update = max(0, (step - 1 - part - start) // every)
        return kept_of(self.density_of(part, update), total_of(weights, self.chosen(weights)))

    def _per_parameter(self, params, flags):
        return jax.tree.map(lambda _: None, params)


def moved(
    weights: Float[Array, "*shape"], mask: Bool[Array, "*shape"], gradient: Float[Array, "*shape"], number: int, drop
) -> Bool[Array, "*shape"]:
    """The mask of a layer after one change: of its `number` weights, the `drop` smallest go, and as many come."""
    staying = largest(jnp.where(mask, _size(weights), -jnp.inf), number - drop) & mask
    return staying | largest(jnp.where(staying, -jnp.inf, _size(gradient)), drop)


def _size(x):
    """|x|; 0 for NaN, which has to come before the places that are out of the question."""
    return jnp.where(jnp.isnan(x), jnp.zeros((), x.dtype), jnp.abs(x))
