"""Methods that train two factors for each weight: spred, PILoT and Sign-In."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from ._masks import masked
from ._method import AbstractMethod, at, fraction
from ._settling import AbstractSettling
from ._static import RandomPruning


class Product(NamedTuple):
    """Parameters of which the weights are `m ⊙ v`.

    Attributes:
        m: Of the tensors that are sparsified; None for those that stay dense, which are `v`.
        v: Of all.
    """

    m: PyTree
    v: PyTree


def factors(w: Float[Array, "*shape"], gap: float) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """m > 0 and v with `m v = w` and `m² − v² = gap` ≥ 0: `m² = (gap + √(gap² + 4w²))/2`.

    With gap = 0 they are √|w| and sign(w) √|w|. m² + v² is then 2|w|, which is the least of all m and v with m v = w.

    ```python
    >>> import jax.numpy as jnp
    >>> from hamtheory.train._products import factors
    >>> [x.round(4).tolist() for x in factors(jnp.asarray([-6.0, 0.0, 6.0]), 5.0)]
    [[3.0, 2.2361, 3.0], [-2.0, 0.0, 2.0]]

    ```
    """
    m = jnp.sqrt((gap + jnp.sqrt(gap**2 + 4 * w**2)) / 2)
    return m, jnp.where(m > 0, w / jnp.where(m > 0, m, jnp.ones((), w.dtype)), jnp.zeros((), w.dtype))


@dataclass(frozen=True, kw_only=True)
class _AbstractProduct(AbstractMethod):
    @abstractmethod
    def gap(self) -> float:
        """m² − v² at first."""

    def parameters(self, weights, masks):
        weights = masked(weights, masks)
        pairs = jax.tree.map(lambda w, mask: (None, w) if mask is None else factors(w, self.gap()), weights, masks)
        both = [jax.tree.map(lambda _, pair, i=i: pair[i], weights, pairs) for i in (0, 1)]
        return self.clean(Product(*both), masks)

    def weights(self, params, masks):
        product = jax.tree.map(lambda v, m: v if m is None else m * v, params.v, params.m)
        return masked(product, masks)

    def clean(self, params, masks):
        hide = lambda v, m, mask: m if mask is None else jnp.where(mask, m, jnp.zeros((), m.dtype))  # noqa: E731
        return Product(jax.tree.map(hide, params.v, params.m, masks), masked(params.v, masks))

    def _per_parameter(self, params, flags):
        return Product(flags, flags)


@dataclass(frozen=True, kw_only=True)
class Spred(_AbstractProduct, AbstractSettling):
    """spred: `w = m ⊙ v`, with weight decay `κ(‖m‖² + ‖v‖²)`, which is `2κ‖w‖₁` at the balanced factors of any w.

    m = √|w| and v = sign(w) √|w| at first (own choice; the authors' code draws both at random). Its penalty is added to
    the gradient, 2κm and 2κv, as weight decay λ = 2κ would: any optimizer then stops where `loss + λ‖w‖₁` is
    stationary. Small weights get small, not 0: at `1 − settle` of the training the largest are kept, and the others go
    for good, with the decay switched off; settle = 0 prunes after the last step. Exact from there on; the masks keep
    everything before. (The authors' code prunes by a threshold, or a ratio for each layer, after the training.)

    HAM, and every other optimizer, acts on m and v, each with its own gradient. So does its `where`: the parameters
    are a `Product`, and `where="^m/"` is one factor of the two.

    Attributes:
        sparsity: As of `AbstractMethod`.
        layers: As of `AbstractMethod`; "global" if left out (own choice).
        dense_layers: As of `AbstractMethod`.
        settle: The fraction of the training after the pruning, 0.2 (own choice).
        kappa: κ ≥ 0, against the mean loss of a batch, 1e-4 (own choice, λ = 2e-4: the authors' code tries λ from 1e-5
            to 1e-3 on CIFAR-10).

    Raises:
        ValueError: For values out of range.

    References:
        [ziyin2023spred], with the authors' code (zihao-wang/spred and zihao-wang/STR-sparse).

    ```python
    >>> import jax, jax.numpy as jnp, hamtheory.train as htt
    >>> method = htt.Spred(sparsity=0.5)
    >>> params, masks = method.init(jax.random.key(0), {"w": jnp.array([[4.0, -9.0]], "float32")}, steps=100)
    >>> params.m["w"].tolist(), params.v["w"].tolist()
    ([[2.0, 3.0]], [[2.0, -3.0]])

    ```
    """

    tunable: ClassVar[tuple[str, ...]] = ("kappa",)

    layers: str = "global"
    kappa: float = 1e-4

    def __post_init__(self):
        super().__post_init__()
        fraction(self.kappa, "kappa", lambda x: 0 <= x < float("inf"), "at least 0 and finite")

    def gap(self):
        return 0.0

    def strength(self, step, steps: int):
        """κ: constant, until the pruning.

        Args:
            step: The number of steps taken.
            steps: Of the whole training.

        Returns:
            A scalar, float32.
        """
        return jnp.where(jnp.asarray(step) < self.settled(steps), jnp.asarray(self.kappa, jnp.float32), jnp.float32(0))

    def regularised(self, grads, params, step, steps):
        kappa = self.strength(step, steps)
        add = lambda g, p: g + (2 * kappa).astype(g.dtype) * p  # noqa: E731
        v = jax.tree.map(lambda g, p, m: g if m is None else add(g, p), grads.v, params.v, params.m)
        return Product(jax.tree.map(add, grads.m, params.m), v)


@dataclass(frozen=True, kw_only=True)
class PILoT(Spred):
    """PILoT: `w = m ⊙ v` from imbalanced factors, `m² − v² = 1`, with a decay κ_t(‖m‖² + ‖v‖²) that fades.

    Imbalanced factors can change the sign of a weight: m v passes 0 with m > 0. The decay moves the implicit bias from
    L2 towards L1, and this stays when it is switched off: `κ_t = κ ρ^(100 t/steps)` until `off` of the training, and 0
    afterwards. The rest is as `Spred`.

    *Their Algorithm 1 is only half of it here.* After each epoch it multiplies the strength by δ ≥ 1 if the accuracy in
    training has not fallen, ‖w‖₁ is still K or more, and it is the first half of the training; and divides it by δ
    otherwise. A method isn't told that accuracy, so each epoch, of 100, is of the second kind here: ρ = 1/δ.

    Attributes:
        sparsity: As of `Spred`.
        layers: As of `Spred`.
        dense_layers: As of `Spred`.
        settle: As of `Spred`.
        kappa: As of `Spred`; 1e-3 (own choice; theirs was not read).
        imbalance: m² − v² at first, 1, as published.
        ratio: ρ, 0.95 (own choice; theirs was not read).
        off: The fraction of the training after which the decay is 0; 0.5 (own choice; theirs was not read).

    Raises:
        ValueError: For values out of range.

    References:
        [jacobs2025mask], Algorithm 1 from a summary that has lost its comparison signs.

    ```python
    >>> import jax, jax.numpy as jnp, hamtheory.train as htt
    >>> method = htt.PILoT(sparsity=0.5)
    >>> params, masks = method.init(jax.random.key(0), {"w": jnp.array([[4.0, -9.0]], "float32")}, steps=100)
    >>> (params.m["w"] ** 2 - params.v["w"] ** 2).round(3).tolist()
    [[1.0, 1.0]]

    ```
    """

    tunable: ClassVar[tuple[str, ...]] = ("kappa", "ratio")

    kappa: float = 1e-3
    imbalance: float = 1.0
    ratio: float = 0.95
    off: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        fraction(self.imbalance, "imbalance", lambda x: 0 <= x < float("inf"), "at least 0 and finite")
        fraction(self.ratio, "ratio", lambda x: 0 < x <= 1, "more than 0 and at most 1")
        fraction(self.off, "off")

    def gap(self):
        return float(self.imbalance)

    def strength(self, step, steps):
        step = jnp.asarray(step)
        power = jnp.asarray(self.ratio, jnp.float32) ** (step.astype(jnp.float32) * jnp.float32(100 / steps))
        stop = min(at(self.off, steps), self.settled(steps))
        return jnp.where(step < stop, jnp.asarray(self.kappa, jnp.float32) * power, jnp.float32(0))


@dataclass(frozen=True, kw_only=True)
class SignIn(_AbstractProduct, RandomPruning):
    """Sign-In: a random mask, and `w = m ⊙ v` whose imbalance is set back to `m² − v² = imbalance` again and again.

    In gradient flow w moves by `−√(4w² + (m² − v²)²)` times its gradient: with imbalance it can pass 0. Noise and decay
    let the imbalance fade. Setting it back changes m and v, and keeps w = m v, to rounding. The mask is that of random
    pruning at initialisation, exact at every step; what is masked has m = v = 0. The optimizer's momentum is left as it
    is (own choice: not read).

    HAM, and every other optimizer, acts on m and v, each with its own gradient.

    Attributes:
        sparsity: As of `RandomPruning`.
        layers: As of `RandomPruning`.
        dense_layers: As of `RandomPruning`.
        imbalance: m² − v², 1, as published.
        every: The fraction of the training between two resets, 0.05, thus every 5 of 100 epochs (own choice: the
            paper's is p epochs, but p was not read).

    Raises:
        ValueError: For values out of range, and as of `RandomPruning`.

    References:
        [gadhikar2025signin] (the rule, from summaries of the paper).

    ```python
    >>> import jax, jax.numpy as jnp, hamtheory.train as htt
    >>> method = htt.SignIn(sparsity=0.5)
    >>> params, masks = method.init(jax.random.key(0), {"w": jnp.array([[4.0, -9.0]], "float32")}, steps=100)
    >>> int(masks["w"].sum()), method.events(100)[:3].tolist()
    (1, [5, 10, 15])

    ```
    """

    imbalance: float = 1.0
    every: float = 0.05

    def __post_init__(self):
        super().__post_init__()
        fraction(self.imbalance, "imbalance", lambda x: 0 < x < float("inf"), "positive and finite")
        fraction(self.every, "every", lambda x: 0 < x <= 1, "more than 0 and at most 1")

    def gap(self):
        return float(self.imbalance)

    def events(self, steps):
        gap = max(1, at(self.every, steps))
        return np.arange(gap, steps, gap)

    def remask(self, params, masks, gradient, step, steps):
        return self.parameters(self.weights(params, masks), masks), masks
