"""HAM's α and β: test accuracy against the base's, where its learning rate is good, and where it is too small.

The base is HAM with α = β = 0: its factor is then 1. So all networks of a method are trained by one program.
"""

import dataclasses
from typing import Any

import numpy as np
import xarray as xr

import hamtheory as ht

from . import store
from ._swept import swept

_MODEL = "mlp"


@dataclasses.dataclass(frozen=True)
class Config:
    """A map each for (method, learning rate) in `good`, with `alphas`, and in `small`, with `small_alphas`; `betas` of
    all, and the same `seeds`. Methods other than "dense" have this `sparsity`.

    The base is tried besides at half and at twice each rate of `good`. `validation` and `test`: fractions of the
    images.
    """

    data: str = "digits"
    good: tuple[tuple[str, float], ...] = (("dense", 0.1), ("random", 0.2), ("acdc", 0.1))
    small: tuple[tuple[str, float], ...] = (("random", 0.02),)
    sparsity: float = 0.9
    alphas: tuple[float, ...] = (0.0, 1.0, 3.0, 10.0, 30.0)
    small_alphas: tuple[float, ...] = (0.0, 3.0, 10.0, 30.0, 100.0)
    betas: tuple[float, ...] = (0.0, 0.01, 0.1)
    weight_decay: float = 5e-4
    epochs: int = 8
    batch_size: int = 32
    seeds: int = 5
    validation: float = 0.1
    test: float = 0.4

    def __post_init__(self):
        for name in ("alphas", "small_alphas", "betas"):
            if getattr(self, name)[0] != 0:
                raise ValueError(f"{name} must begin with 0, which is the base; got {getattr(self, name)}")
        if len(self.alphas) != len(self.small_alphas):
            raise ValueError("alphas and small_alphas must be equally many")

    @classmethod
    def smoke(cls) -> "Config":
        good, small, alphas = (("random", 0.2),), (("random", 0.02),), (0.0, 3.0, 100.0)
        few: dict[str, Any] = {"alphas": alphas, "small_alphas": (0.0, 10.0, 100.0), "betas": (0.0, 0.1)}
        return cls(good=good, small=small, epochs=5, seeds=3, **few)

    @property
    def maps(self) -> tuple[tuple[str, float, tuple[float, ...]], ...]:
        """Method, learning rate and alphas of each."""
        return (*((*one, self.alphas) for one in self.good), *((*one, self.small_alphas) for one in self.small))


def trials(config: Config, method: str) -> list[tuple[float, float, float]]:
    """Learning rate, α and β of the networks of a method: its maps, one after the other, and the base's other rates."""
    own = [(rate, alphas) for name, rate, alphas in config.maps if name == method]
    cells = [(rate, a, b) for rate, alphas in own for a in alphas for b in config.betas]
    others = [(rate * factor, 0.0, 0.0) for name, rate in config.good if name == method for factor in (0.5, 2)]
    return cells + others


def specification(config: Config, method: str) -> ht.train.TrainingSpec:
    """One arm: all trials of a method."""
    rates, alphas, betas = zip(*trials(config, method), strict=True)
    hyper = {"learning_rate": rates, "alpha": alphas, "beta": betas, "weight_decay": config.weight_decay}
    settings = {} if method == "dense" else {"sparsity": config.sparsity}
    how: dict[str, Any] = {"epochs": config.epochs, "batch_size": config.batch_size, "seeds": range(config.seeds)}
    how |= {"validation": config.validation, "test": config.test}
    arm = ht.train.Arm(method, settings, ham=True, hyper={name: np.array(x).tolist() for name, x in hyper.items()})
    return ht.train.TrainingSpec(config.data, _MODEL, [arm], **how)


def run(config: Config) -> xr.Dataset:
    """Accuracies of all networks of all maps, and what the base reaches at other learning rates on validation."""
    cases, cells = (-1, config.seeds), len(config.alphas) * len(config.betas)
    data = {method: swept(specification(config, method), "alpha_beta") for method, _ in config.good}

    def on_maps(name: str) -> np.ndarray:
        """(maps, alphas, betas, seeds)."""
        found = []
        for place, (method, *_) in enumerate(config.maps):
            before = sum(other == method for other, *_ in config.maps[:place])
            found.append(data[method][name].values.reshape(cases)[cells * before : cells * (before + 1)])
        return np.reshape(found, (len(config.maps), len(config.alphas), len(config.betas), config.seeds))

    tried = []  # at half the rate, at the rate, and at twice the rate
    for method, _ in config.good:
        validation = data[method]["validation_accuracy"].values.reshape(cases)
        tried.append(validation[[-2, 0, -1]])
    codes = on_maps("status").astype(int)
    dims = ("map", "alpha", "beta", "seed")
    return xr.Dataset(
        {
            "test_accuracy": store.variable(dims, on_maps("test_accuracy"), "accuracy on the test part"),
            "base_validation": store.variable(
                ("good_map", "factor", "seed"), tried, "accuracy of the base on the validation part"
            ),
            "status": store.status(dims, np.where(codes == ht.NAMES.index("reached_end"), 0, codes)),
        },
        coords={
            "method": ("map", np.array([method for method, *_ in config.maps], object)),
            "learning_rate": ("map", [rate for _, rate, _ in config.maps]),
            "small": ("map", [False] * len(config.good) + [True] * len(config.small)),
            "alphas": store.variable(("map", "alpha"), [alphas for *_, alphas in config.maps], "alpha", "1/theta"),
            "beta": store.variable("beta", config.betas, "beta"),
            "factor": store.variable("factor", [0.5, 1.0, 2.0], "learning rate over that of the map"),
            "seed": np.arange(config.seeds),
        },
        attrs={"sparsity": config.sparsity},
    )
