"""The quantity `run`: discrete algorithms, for learning rates, sizes of mini-batches and draws."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from .. import metrics
from .._grid import grid, number, seeds
from .._result import NAMES
from .._validate import count, tolerance
from ..algorithm import GD, HYP, AbstractAlgorithm, HAMStep, MirrorDescent, NaturalGradient, ProductGD
from ..geometry import AbstractGeometry
from ..signs import FlipCounter
from ._batch import Batch
from ._declaration import Variable
from ._geometries import Geometries
from ._quantities import FLIPS, MEASURED, REACH, decay, flips_of, measured_of
from ._quantity import Quantity, register

_DIMS = ("learning_rate", "batch_size", "draw")
_RULES: dict[str, tuple[type[AbstractAlgorithm], ...]] = {
    "published": (GD, HAMStep, ProductGD),
    "hyp": (HYP,),
    "mirror": (MirrorDescent,),
    "natural": (NaturalGradient,),
}
_STEPS = 2000  # of a limit


@register
@dataclass(frozen=True)
class Run(Quantity):
    """The algorithm of each geometry, `ht.run_many`: an instance is a table over learning rates, batch sizes and draws.

    Attributes:
        steps: As in `ht.run`.
        learning_rate: A number, a list or a grid.
        relative: Whether learning rates are in units of the largest one that is stable at the limit of the flow,
            `ht.metrics.stable_learning_rate`, which must then exist.
        batch_size: A list of sizes; 0: all samples.
        replace: As in `ht.run`.
        label_noise: As in `ht.run`.
        draws: Seeds of the mini-batches and of the noise, the same for all instances.
        rule: "published" (`GD`; `HAMStep`; `ProductGD` with the imbalance γ), "hyp" (HAM's with the signs before the
            step), "mirror" or "natural" (mirror descent and natural gradient of any geometry).
        weight_decay: β ≥ 0 of the rule.
        tol: Stop at the first of `checks` steps with a relative residual of at most this; 0: take all steps.
        checks: How many steps are checked.
        spacing: Checks are evenly spaced ("linear"), or evenly in the logarithm ("log"), each step at first.
        losses: Also store the loss at the checks.
        flips: Also count sign flips at every step; the recovery time is a number of steps.

    Raises:
        ValueError: Where a spec is made of wrong settings.
        TypeError: Where a spec is made of wrong settings.

    References:
        As of `ht.run_many`.

    ```python
    >>> import hamtheory as ht
    >>> problems = {"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(10)}
    >>> geometries = {"family": "ham", "log_alpha": [0.0, 5.0, 10.0]}
    >>> spec = ht.SweepSpec(problems, geometries, quantity=ht.sweeps.Run(steps=100, learning_rate=[0.01, 0.1]))
    >>> spec.instances, spec.lengths()
    (30, {'learning_rate': 2, 'batch_size': 1, 'draw': 1})

    ```
    """

    name: ClassVar[str] = "run"
    few: ClassVar[int] = 2000
    steps: int = 10_000
    learning_rate: Any = 0.01
    relative: bool = False
    batch_size: Any = 0
    replace: bool = True
    label_noise: float = 0.0
    draws: Any = 0
    rule: str = "published"
    weight_decay: float = 0.0
    tol: float = 0.0
    checks: int = 100
    spacing: str = "linear"
    losses: bool = False
    flips: bool = False

    def settled(self, dtype: str) -> "Run":
        sizes = [self.batch_size] if np.ndim(self.batch_size) == 0 else list(self.batch_size)
        if not sizes:
            raise ValueError("batch_size must hold at least one size; got none")
        made = replace(
            self,
            steps=count(self.steps, "steps"),
            learning_rate=grid(self.learning_rate, "learning_rate"),
            batch_size=tuple(count(size, "batch_size", least=0) for size in sizes),
            label_noise=number(self.label_noise, "label_noise"),
            draws=seeds(self.draws, "draws"),
            weight_decay=decay(self),
            tol=0.0 if number(self.tol, "tol") == 0 else tolerance(self.tol, "tol", np.dtype(dtype), REACH),
            checks=count(self.checks, "checks"),
        )
        if np.min(np.asarray(made.learning_rate)) <= 0:
            raise ValueError(f"learning_rate must be positive; got {np.min(np.asarray(made.learning_rate)):g}")
        if made.label_noise < 0:
            raise ValueError(f"label_noise must not be negative; got {made.label_noise:g}")
        if self.rule not in _RULES:
            raise ValueError(f"rule must be one of {', '.join(map(repr, _RULES))}; got {self.rule!r}")
        if self.spacing not in ("linear", "log"):
            raise ValueError(f"spacing must be 'linear' or 'log'; got {self.spacing!r}")
        for name in ("relative", "replace", "losses", "flips"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be true or false; got {getattr(self, name)!r}")
        return made

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:
        for block in geometries:
            self._algorithm(block.build(block.at(np.zeros((), int))))

    def variables(self) -> dict[str, Variable]:
        kept = {name: MEASURED[name] for name in MEASURED if name not in ("duality_gap", "relative_gap", "steps")}
        kept |= {
            "steps": Variable("steps taken", dtype="int32"),
            "rate": Variable("learning rate"),
        }
        if self.flips:
            kept |= FLIPS
        if self.losses:
            kept["loss"] = Variable("loss |X theta - y|^2 / (2 n) at the checks", ("check",))
        return {name: replace(variable, dims=(*_DIMS, *variable.dims)) for name, variable in kept.items()}

    def dims(self) -> tuple[str, ...]:
        return _DIMS

    def coordinates(self) -> dict[str, tuple[Variable, np.ndarray]]:
        of = "learning rate" + (" in units of the largest stable one" if self.relative else "")
        draws = np.asarray(self.draws)
        made = {
            "learning_rate": (Variable(of, dtype="float64"), np.asarray(self.learning_rate)),
            "batch_size": (Variable("size of mini-batches, 0: all samples", dtype="int64"), np.array(self.batch_size)),
            "draw": (Variable("seed of the mini-batches and noise", dtype="int64"), draws),
        }
        if self.losses:
            made["check"] = (Variable("number of the step", dtype="int64"), self._checks())
        return made

    def _checks(self) -> np.ndarray:
        if self.spacing == "linear":
            return np.unique(np.round(np.linspace(0, self.steps, self.checks + 1)).astype(int))
        return np.union1d(0, np.round(np.geomspace(1, self.steps, self.checks)).astype(int))

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        dtype = instances.problems[0].X.dtype
        unit = stable_rates(instances) if self.relative else np.ones(len(instances))
        rates = (unit[:, None] * np.asarray(self.learning_rate)).astype(dtype)
        found = [self._sized(instances, rates, size) for size in self.batch_size]
        return {name: np.stack([part[name] for part in found], axis=2) for name in found[0]}

    def _sized(self, instances: Batch, rates: np.ndarray, size: int) -> dict[str, np.ndarray]:
        """What comes out with mini-batches of a size: arrays of (instances, learning rates, draws, ...)."""
        seeds = np.asarray(self.draws)
        drawn = seeds if size or self.label_noise else seeds[:1]
        outer = (*rates.shape, len(drawn))
        spread = np.repeat(np.arange(len(instances)), rates.shape[1] * len(drawn))
        rate = np.repeat(rates[:, :, None], len(drawn), axis=2).ravel()
        usable, which = np.isfinite(rate), instances.which[spread]
        take = lambda x: jnp.asarray(np.asarray(x)[spread])  # noqa: E731
        rule = self._algorithm(jax.tree.map(take, instances.geometry))
        some = replace(instances.take(spread, instances.geometry), alike=instances.alike * rates.shape[1] * len(drawn))
        ends = some.runs(
            FlipCounter(rule) if self.flips else rule,
            rates=np.where(usable, rate, 1).astype(rate.dtype),
            keys=jax.vmap(jax.random.key)(np.tile(drawn, rates.size)),
            like=np.tile(np.repeat(np.arange(rates.shape[1]), len(drawn)), len(instances)),
            steps=self.steps,
            batch_size=size or None,
            replace=self.replace,
            label_noise=self.label_noise,
            save_every=self._checks(),
            tol=self.tol or None,
        )
        measured = measured_of(ends["theta"], instances.truths[which])
        measured |= {"residual": ends["residual"], "steps": ends["steps"], "rate": rate}
        measured |= {"theta": ends["theta"]} | ({"loss": ends["loss"]} if self.losses else {})
        if "flips" in ends:
            measured |= flips_of(ends["flips"], instances.truths[which])
        measured["status"] = np.where(usable, ends["result"], NAMES.index("nonfinite")).astype(np.int8)
        shaped = {name: values.reshape(*outer, *values.shape[1:]) for name, values in measured.items()}
        # Where nothing is random all draws are one.
        return {name: np.repeat(x, len(seeds) // len(drawn), axis=2) for name, x in shaped.items()}

    def _algorithm(self, geometry: AbstractGeometry) -> AbstractAlgorithm:
        """The rule for this geometry, or a `ValueError`."""
        fitting = [rule for rule in _RULES[self.rule] if issubclass(type(geometry), rule.follows or ())]
        if not fitting:
            known = ", ".join(rule.follows.name for rule in _RULES[self.rule] if rule.follows)
            raise ValueError(f"rule {self.rule!r} is one of the families {known}; got {geometry.name!r}")
        try:
            return fitting[0].along(geometry, self.weight_decay)
        except ValueError as error:
            raise ValueError(f"rule {self.rule!r} of {geometry.name!r}: {error}") from None


def stable_rates(instances: Batch) -> np.ndarray:
    """The largest learning rate that is stable at the limit of each instance's flow; NaN where there is no limit."""
    tol = 1e-10 if instances.problems[0].dtype == np.float64 else 1e-5
    ends = instances.limits(tol=tol, max_steps=_STEPS)
    return np.where(ends.result == 0, instances.measured(metrics.stable_learning_rate, ends.theta), np.nan)
