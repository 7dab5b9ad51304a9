"""Methods whose masks are chosen once: never, before training, or in the middle of it."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from .._validate import count
from ._density import cubic_sparsity, exact, kept_of, shapes_of
from ._masks import apart, best, filled, magnitude, masked, numbers, tensors_of, total_of
from ._method import AbstractMethod, at, fraction


@dataclass(frozen=True, kw_only=True)
class Dense(AbstractMethod):
    """Dense training: nothing is pruned.

    Attributes:
        sparsity: 0.
        layers: As of `AbstractMethod`.
        dense_layers: As of `AbstractMethod`.

    Raises:
        ValueError: For any other sparsity.

    ```python
    >>> import hamtheory.train as htt
    >>> htt.Dense().sparsity
    0.0

    ```
    """

    def __post_init__(self):
        super().__post_init__()
        if self.sparsity:
            raise ValueError(f"sparsity must be 0 for Dense; got {self.sparsity}. OneShot trains densely, then prunes")

    def remask(self, params, masks, gradient, step, steps):
        return params, masks


@dataclass(frozen=True, kw_only=True)
class RandomPruning(AbstractMethod):
    """Pruning at initialisation, at random: each layer keeps a random set of the size that `layers` gives it.

    The mask is fixed from the first step to the last, and exact at each; published masks are drawn weight by weight,
    so that only their mean is. Repeated cyclic training of such a mask [gadhikar2024cyclic] is this method with an
    optimizer whose learning rate is periodic.

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: "erk", if left out (own choice), or "uniform".
        dense_layers: As of `AbstractMethod`.

    Raises:
        ValueError: For values out of range, and for the layers "global".

    References:
        [liu2022unreasonable], from the authors' code (VITA-Group/Random_Pruning): densities of the layers.

    ```python
    >>> import jax, jax.numpy as jnp, hamtheory.train as htt
    >>> masks = htt.RandomPruning(sparsity=0.9).start(jax.random.key(0), {"w": jnp.ones((10, 10))})
    >>> int(masks["w"].sum())
    10

    ```
    """

    def __post_init__(self):
        super().__post_init__()
        if self.layers == "global":
            raise ValueError('layers must be "erk" or "uniform" for random pruning; got "global"')

    def start(self, key, weights):
        chosen = self.chosen(weights)
        tensors = tensors_of(weights, chosen)
        size = sum(tensor.size for tensor in tensors)
        draws = apart(jax.random.uniform(key, (size,), "float32"), tensors)  # one draw compiles faster than many
        return filled(weights, chosen, best(draws, numbers(shapes_of(tensors), self.density, self.layers), self.layers))

    def remask(self, params, masks, gradient, step, steps):
        return params, masks


@dataclass(frozen=True, kw_only=True)
class MagnitudePruning(AbstractMethod):
    """Pruning at initialisation, by magnitude: the largest initial weights are kept, and the mask is fixed.

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: As of `AbstractMethod`; "erk" if left out (own choice). With "global", as in the code of
            [liu2022unreasonable], and He's initial weights, wide layers are emptied first.
        dense_layers: As of `AbstractMethod`.

    Raises:
        ValueError: For values out of range.

    References:
        [frankle2021missing], where it is one of those compared (from the abstract).

    ```python
    >>> import jax, jax.numpy as jnp, hamtheory.train as htt
    >>> weights = {"w": jnp.array([[3.0, -1.0], [0.5, -2.0]])}
    >>> htt.MagnitudePruning(sparsity=0.5).start(jax.random.key(0), weights)["w"].tolist()
    [[True, False], [False, True]]

    ```
    """

    def start(self, key, weights):
        return magnitude(weights, self.chosen(weights), self.density, self.layers)

    def remask(self, params, masks, gradient, step, steps):
        return params, masks


@dataclass(frozen=True, kw_only=True)
class OneShot(AbstractMethod):
    """One-shot magnitude pruning: dense training, then the largest weights are kept and trained on.

    Dense up to and without the step `at · steps`, and exactly as sparse as asked for from there on.

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: As of `AbstractMethod`; "global" if left out (own choice; published is a threshold, and what goes is
            what is below it).
        dense_layers: As of `AbstractMethod`.
        at: The fraction of the training that is dense, 1/2 (own choice).

    Raises:
        ValueError: For values out of range.

    References:
        [han2015learning], with one round of pruning: train, prune, train on (the rule from summaries of the paper).

    ```python
    >>> import hamtheory.train as htt
    >>> htt.OneShot(sparsity=0.9, at=0.25).events(100).tolist()
    [25]

    ```
    """

    layers: str = "global"
    at: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        fraction(self.at, "at", lambda x: 0 < x <= 1, "more than 0 and at most 1")

    def events(self, steps):
        return np.array([at(self.at, steps)])

    def remask(self, params, masks, gradient, step, steps):
        masks = magnitude(params, self.chosen(params), self.density, self.layers)
        return masked(params, masks), masks

    def promise(self, step, steps, weights):
        total = total_of(weights, self.chosen(weights))
        return kept_of(self.density, total) if step >= at(self.at, steps) else total


@dataclass(frozen=True, kw_only=True)
class Gradual(AbstractMethod):
    """Gradual magnitude pruning: at events through the training the smallest weights go.

    After t₀, t₀ + Δt, …, t₀ + nΔt steps, up to the sparsity `s_t = s_f + (s_i − s_f)(1 − (t − t₀)/(nΔt))³`.

    What has gone is 0, and doesn't come back. It is exact at every step: ⌊(1 − s_t) · total + 1/2⌋ weights, of the last
    event. With `cycles` > 1, cyclical pruning: the training is so many equal parts with such a schedule each; at the
    beginning of each, all weights come back, from 0, with their momentum forgotten.

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: As of `AbstractMethod`; "global" if left out (own choice).
        dense_layers: As of `AbstractMethod`.
        start_at: t₀ as a fraction of the training, or of each cycle; 0.1 (own choice; as a baseline on ImageNet,
            [kusupati2020str] has 0.2 in its code).
        stop_at: t₀ + nΔt as a fraction of the training, or of each cycle; 0.7 (own choice; there it is 0.79).
        updates: n, 20 (own choice).
        initial: s_i, 0, as usual there.
        cycles: How many equal parts with such a schedule the training has; 1 if left out, as in [zhu2017prune], and 3
            of the method "cyclical" (own choice).

    Raises:
        ValueError: For values out of range; of `events` for steps that are too few for n updates.
        TypeError: For counts that are no integers.

    References:
        [zhu2017prune] (the schedule), [srinivas2022cyclical] (periodic schedules, and that weights come back, from the
        abstract; the number of cycles, how they are cut, and from what weights come back, are own choices).

    ```python
    >>> import hamtheory.train as htt
    >>> htt.Gradual(sparsity=0.8, updates=4).schedule(100)
    [(10, 0.0), (25, 0.4625), (40, 0.7), (55, 0.7875), (70, 0.8)]

    ```
    """

    layers: str = "global"
    start_at: float = 0.1
    stop_at: float = 0.7
    updates: int = 20
    initial: float = 0.0
    cycles: int = 1

    def __post_init__(self):
        super().__post_init__()
        fraction(self.start_at, "start_at")
        fraction(self.stop_at, "stop_at", lambda x: self.start_at < x <= 1, "more than start_at and at most 1")
        fraction(self.initial, "initial", lambda x: 0 <= x <= self.sparsity, "from 0 to the final sparsity")
        count(self.updates, "updates")
        count(self.cycles, "cycles")

    def schedule(self, steps: int) -> list[tuple[int, float]]:
        """All events: after how many steps, and the sparsity from there on.

        Args:
            steps: Of the whole training.

        Returns:
            A list of pairs, in the order of the steps.

        Raises:
            ValueError: Where the steps are too few for the updates.
        """
        found = []
        for cycle in range(self.cycles):
            begin, end = steps * cycle // self.cycles, steps * (cycle + 1) // self.cycles
            first = begin + at(self.start_at, end - begin)
            every = (at(self.stop_at, end - begin) + begin - first) // self.updates
            if every < 1:
                least = "so that a cycle has a step for each update"
                raise ValueError(f"updates must be less, or steps more, {least}; got {self.updates} in {steps} steps")
            if cycle and first > begin:
                found.append((begin, 0.0))
            last = first + self.updates * every
            times = [first + i * every for i in range(self.updates + 1)]
            found += [(t, cubic_sparsity(t, self.initial, float(self.sparsity), first, last)) for t in times]
        return found

    def events(self, steps):
        return np.array([t for t, _ in self.schedule(steps)])

    def remask(self, params, masks, gradient, step, steps):
        chosen = self.chosen(params)
        tensors = tensors_of(params, chosen)
        shapes = shapes_of(tensors)
        table = jnp.asarray([numbers(shapes, 1 - exact(s), self.layers) for _, s in self.schedule(steps)], "int32")
        row = jnp.argmax(jnp.asarray(self.events(steps), "int32") == step)
        masks = filled(params, chosen, best([abs(tensor) for tensor in tensors], list(table[row]), self.layers))
        return masked(params, masks), masks

    def promise(self, step, steps, weights):
        sparsity = 0.0
        for t, value in self.schedule(steps):
            sparsity = value if step >= t else sparsity
        return kept_of(1 - exact(sparsity), total_of(weights, self.chosen(weights)))
