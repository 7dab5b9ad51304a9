"""Sign flips over training: a randomly pruned network with the base optimizer, Sign-In, and HAM.

*What would explain flips away.* HAM adds `−ηα|θ|g` to a step of SGD, which moves θ by `−ηg/(1 − μ)` in the long run,
with the momentum μ. So its step is that of the learning rate `η(1 + (1 − μ)α|θ|)`; and larger steps flip more signs
with any optimizer. The control is the base with larger learning rates: at that of the mean of |θ| over the kept
weights, at the start. The base's flips there are interpolated between its rates, in the logarithm, seed by seed.
Sign-In's factors, with m² − w² = γ, have the step `η√(4θ² + γ²)`.
"""

import dataclasses
from math import pi, sqrt
from typing import Any

import jax
import numpy as np
import xarray as xr

import hamtheory as ht
import hamtheory.train as htt

from . import store
from ._swept import swept

METHODS = ("random", "signin")  # a program each: the base is HAM with α = β = 0, whose factor is 1
CURVES = {
    "gross": ("gross_flips", "sign flips so far, per kept weight"),
    "net": ("net_flips", "share of the kept weights whose sign is another than at first"),
    "flipped_back": ("flipped_back", "share of the kept weights that flipped, and have their first sign"),
}
_MODEL, _MOMENTUM, _GAP = "mlp", 0.9, 1.0  # the last two as `Recipe` and Sign-In have them


@dataclasses.dataclass(frozen=True)
class Config:
    """Networks with a random mask, of this `sparsity` and ERK densities; `seeds` of each, the same for all rules.

    Learning rates of the base, `rates`, and of Sign-In, `product_rates`; learning rate and α of HAM, `hams`, whose β is
    0. `validation` and `test`: fractions of the images.
    """

    data: str = "digits"
    sparsity: float = 0.9
    rates: tuple[float, ...] = (0.01, 0.03, 0.1, 0.2, 0.3)
    product_rates: tuple[float, ...] = (0.03, 0.1, 0.2)
    hams: tuple[tuple[float, float], ...] = (
        (0.01, 30.0),
        (0.01, 100.0),
        (0.03, 10.0),
        (0.03, 33.0),
        (0.1, 3),
        (0.1, 10),
    )
    weight_decay: float = 5e-4
    epochs: int = 16
    batch_size: int = 32
    seeds: int = 10
    validation: float = 0.1
    test: float = 0.3

    @classmethod
    def smoke(cls) -> "Config":
        return cls(rates=(0.01, 0.1, 0.3), product_rates=(0.1,), hams=((0.01, 100.0), (0.1, 10.0)), epochs=8, seeds=4)


def specification(config: Config, method: str) -> ht.train.TrainingSpec:
    """One arm, so that all is one chunk: the base's and HAM's runs, or those of Sign-In."""
    if method == "signin":
        hyper = {"learning_rate": list(config.product_rates)}
    else:
        rates, alphas = zip(*((rate, 0.0) for rate in config.rates), *config.hams, strict=True)
        hyper = {"learning_rate": list(rates), "alpha": list(alphas), "beta": 0.0}
    settings, ham = {"sparsity": config.sparsity}, method != "signin"
    arm = ht.train.Arm(method, settings, ham=ham, hyper=hyper | {"weight_decay": config.weight_decay})
    how: dict[str, Any] = {"epochs": config.epochs, "batch_size": config.batch_size, "seeds": range(config.seeds)}
    how |= {"validation": config.validation, "test": config.test}
    return ht.train.TrainingSpec(config.data, _MODEL, [arm], **how)


def initial_size(config: Config) -> float:
    """The mean of |θ| over the kept weights at the start: that of normal numbers of the variance 2/inputs."""
    images = htt.images(config.data)
    model = jax.eval_shape(lambda key: htt.MLP(images.shape, images.classes, key=key), jax.random.key(0))
    shapes = [leaf.shape for leaf in jax.tree.leaves(model) if len(leaf.shape) == 2]
    counts = htt.layer_counts(shapes, 1 - config.sparsity)
    return sum(kept * sqrt(4 / (pi * inputs)) for kept, (_, inputs) in zip(counts, shapes, strict=True)) / sum(counts)


def effective_rates(config: Config, rule: np.ndarray, rate: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The learning rates of the base with the same steps, at the start."""
    size = initial_size(config)
    factors = {"base": 1.0, "HAM": 1 + (1 - _MOMENTUM) * alpha * size, "Sign-In": sqrt(4 * size**2 + _GAP**2)}
    return rate * np.select([rule == name for name in factors], list(factors.values()))


def run(config: Config) -> xr.Dataset:
    """Flips after each epoch, and the accuracy at the end; the flips that the base has at the same effective rate."""
    parts = [swept(specification(config, method), "training_flips") for method in METHODS]

    def joined(name: str) -> np.ndarray:
        """(runs, seeds, ...) of all rules."""
        values = np.concatenate([part[name].values for part in parts])
        return values.reshape(-1, config.seeds, *values.shape[1:])

    numbers = {"base": len(config.rates), "HAM": len(config.hams), "Sign-In": len(config.product_rates)}
    rule, rate = np.repeat(list(numbers), list(numbers.values())), joined("learning_rate")[:, 0]
    alpha = np.zeros(len(rule))
    alpha[rule == "HAM"] = [x for _, x in config.hams]
    effective, kept = effective_rates(config, rule, rate, alpha), joined("kept")
    dims = ("run", "seed")
    data = {
        name: store.variable((*dims, "epoch"), joined(of) / kept[..., None], meaning)
        for name, (of, meaning) in CURVES.items()
    }
    for name in ("gross", "net"):
        ends = data[name].values[..., -1]
        meaning = f"{name} flips of the base at the same effective learning rate, per kept weight"
        data[f"{name}_base"] = store.variable(
            dims, at_rates(rate[rule == "base"], ends[rule == "base"], effective), meaning
        )
    codes = joined("status").astype(int)
    data |= {
        "test_accuracy": store.variable(dims, joined("test_accuracy"), "accuracy on the test part"),
        "effective_rate": store.variable("run", effective, "effective learning rate at the start"),
        "status": store.status(dims, np.where(codes == ht.NAMES.index("reached_end"), 0, codes)),
    }
    coords = {
        "rule": ("run", rule.astype(object)),
        "learning_rate": ("run", rate),
        "alpha": ("run", alpha),
        "seed": np.arange(config.seeds),
        "epoch": store.variable("epoch", np.arange(1, config.epochs + 1), "number of epochs"),
    }
    return xr.Dataset(data, coords, attrs={"test_images": _test_images(config)})


def at_rates(rates: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values at these rates, (wanted, seeds), from those at `rates`, (rates, seeds): linear in the rate's logarithm."""
    order = np.argsort(rates)
    logs = np.log(rates[order])
    found = [np.interp(np.log(wanted), logs, one, np.nan, np.nan) for one in values[order].T]
    return np.transpose(found)


def _test_images(config: Config) -> int:
    return len(htt.images(config.data, validation=config.validation, test=config.test).y_test)
