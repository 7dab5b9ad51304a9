"""Methods by name, and the optimizers that networks are trained with here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import optax

from .._validate import count
from ..optim import ham
from ._dynamic import ACDC, Alternating, RigL
from ._method import AbstractMethod, one_of
from ._products import PILoT, SignIn, Spred
from ._static import Dense, Gradual, MagnitudePruning, OneShot, RandomPruning
from ._threshold import STR

METHODS: dict[str, Callable[..., AbstractMethod]] = {
    "dense": Dense,
    "random": RandomPruning,
    "magnitude": MagnitudePruning,
    "oneshot": OneShot,
    "gradual": Gradual,
    "cyclical": partial(Gradual, cycles=3),
    "acdc": ACDC,
    "rigl": RigL,
    "alternating": Alternating,
    "str": STR,
    "spred": Spred,
    "pilot": PILoT,
    "signin": SignIn,
}
BASES = ("sgd", "adam")


def method_of(name: str, **settings: Any) -> AbstractMethod:
    """A sparsity method by its name.

    Args:
        name: "dense", "random", "magnitude", "oneshot", "gradual", "cyclical" (`Gradual` in three cycles),
            "alternating", "acdc", "rigl", "str", "spred", "pilot" or "signin": a key of `ht.train.METHODS`.
        **settings: Its fields.

    Returns:
        The method.

    Raises:
        ValueError: For an unknown name, and of the method for its settings.
        TypeError: For a setting that the method does not have.

    References:
        Each method has its own.

    ```python
    >>> import hamtheory.train as htt
    >>> htt.method_of("acdc", sparsity=0.9).sparsity
    0.9

    ```
    """
    one_of(name, "method", tuple(METHODS))
    return METHODS[name](**settings)


@dataclass(frozen=True)
class Recipe:
    """An optimizer as a function of its hyperparameters, for `train`; equal recipes are compiled once.

    SGD with momentum ("sgd"), or Adam with decoupled weight decay ("adam"); a cosine from the learning rate to 0; and
    HAM around it, with that learning rate.

    The hyperparameters: `learning_rate`; `weight_decay`, if `decay`: `λ θ` is added to the gradient of SGD, and
    `−η λ θ` to Adam's step; `alpha` and `beta`, if `ham`.

    Attributes:
        steps: Of the training.
        base: "sgd" or "adam".
        ham: Whether HAM is put around it.
        momentum: Of SGD, 0.9 (own choice).
        clip: The largest norm of the gradient of all parameters together; a longer one is shortened to it, for both
            steps of HAM. None: any. With large learning rates, networks otherwise collapse early, now and then.
        decay: Whether the optimizer decays weights; not so for methods with a penalty of their own, `decays`.

    Raises:
        ValueError: For fewer than one step, an unknown `base` and a `clip` that is not positive and finite, and in a
            call where a hyperparameter is missing.
        TypeError: If `steps` is no integer.

    ```python
    >>> import hamtheory.train as htt
    >>> data = htt.images("digits")
    >>> recipe = htt.Recipe(htt.steps_of(data, epochs=3), ham=True)
    >>> hyper = {"learning_rate": 0.1, "weight_decay": 5e-4, "alpha": 3.0, "beta": 0.0}
    >>> end = htt.train(data, "mlp", htt.Dense(), recipe, epochs=3, seeds=2, hyper=hyper)
    >>> bool((end.final_test_accuracy > 0.9).all())
    True

    ```
    """

    steps: int
    base: str = "sgd"
    ham: bool = False
    momentum: float = 0.9
    clip: float | None = None
    decay: bool = True

    def __post_init__(self):
        count(self.steps, "steps")
        one_of(self.base, "base", BASES)
        if self.clip is not None and not 0 < float(self.clip) < float("inf"):
            raise ValueError(f"clip must be a positive number, or None; got {self.clip}")

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """Those that it reads."""
        return ("learning_rate", *(("weight_decay",) if self.decay else ()), *(("alpha", "beta") if self.ham else ()))

    def __call__(self, hyper: Mapping[str, Any]) -> optax.GradientTransformation:
        missing = [name for name in self.hyperparameters if name not in hyper]
        if missing:
            raise ValueError(f"hyper must have {', '.join(missing)} too; got {', '.join(hyper) or 'nothing'}")
        rate = optax.cosine_decay_schedule(hyper["learning_rate"], self.steps)
        decay = hyper["weight_decay"] if self.decay else 0.0
        if self.base == "adam":
            base = optax.adamw(rate, weight_decay=decay)
        else:
            base = optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate, momentum=self.momentum))
        if self.ham:
            base = ham(base, rate, alpha=hyper["alpha"], beta=hyper["beta"])
        return base if self.clip is None else optax.chain(optax.clip_by_global_norm(self.clip), base)


def decays(method: AbstractMethod) -> bool:
    """Whether the optimizer should decay weights: not if the method has a penalty of its own (STR, spred, PILoT).

    Args:
        method: Any.

    Returns:
        A bool.

    ```python
    >>> import hamtheory.train as htt
    >>> htt.decays(htt.RigL(sparsity=0.9)), htt.decays(htt.Spred(sparsity=0.9))
    (True, False)

    ```
    """
    return not {"weight_decay", "kappa"} & set(method.tunable)
