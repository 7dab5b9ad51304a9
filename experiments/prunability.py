"""Does HAM leave weights that are easier to prune? Magnitude pruning after dense training, without training again.

What would explain it away: weight decay and larger steps do that too. HAM's β is a decay, `exp(−ηβ)` a step, which is
that of the weight decay λ of SGD with the momentum μ at `β = λ/(1 − μ)`; and α is a larger learning rate, see
`training_flips`. So there are controls: the base with larger decays, with β alone, and with a larger learning rate.
"""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
import xarray as xr

import hamtheory as ht
import hamtheory.train as htt

from . import store

_MODEL, _DECAY = "mlp", 5e-4


@dataclasses.dataclass(frozen=True)
class Setting:
    """The hyperparameters of a training; κ that of m⊙w, which is without HAM and weight decay."""

    learning_rate: float = 0.1
    weight_decay: float = _DECAY
    alpha: float = 0.0
    beta: float = 0.0
    kappa: float | None = None

    @property
    def rule(self) -> str:
        """Its name: HAM is what has an α."""
        return "m*w" if self.kappa is not None else "HAM" if self.alpha else "base"


SETTINGS = (
    Setting(),
    Setting(learning_rate=0.03),
    Setting(learning_rate=0.04),
    Setting(learning_rate=0.06),
    Setting(learning_rate=0.15),
    Setting(weight_decay=2e-3),
    Setting(weight_decay=5e-3),
    Setting(weight_decay=1e-2),
    Setting(learning_rate=0.15, weight_decay=5e-3),
    Setting(beta=1e-3),
    Setting(beta=5e-2),
    Setting(alpha=3.0),
    Setting(alpha=3.0, beta=1e-3),
    Setting(alpha=10.0),
    Setting(alpha=10.0, beta=1e-3),
    Setting(alpha=10.0, beta=5e-2),
    Setting(learning_rate=0.03, alpha=30.0),
    Setting(learning_rate=0.15, alpha=5.0, beta=5e-2),
    Setting(kappa=1e-4),
    Setting(kappa=1e-3),
)


@dataclasses.dataclass(frozen=True)
class Config:
    """`seeds` dense networks of each of the `settings`; `sparsities` of the pruning, of all weights together.

    `bins` of |w|, evenly in the logarithm between `lowest` and `highest`. `share` of the L1 norm: how many weights
    carry it is the measure of sparsity. `validation` and `test`: fractions of the images.
    """

    data: str = "digits"
    settings: tuple[Setting, ...] = SETTINGS
    sparsities: tuple[float, ...] = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
    share: float = 0.99
    bins: int = 60
    lowest: float = 1e-5
    highest: float = 3.0
    epochs: int = 15
    batch_size: int = 32
    seeds: int = 10
    validation: float = 0.1
    test: float = 0.3

    @classmethod
    def smoke(cls) -> "Config":
        slow = {"learning_rate": 0.03}
        settings = (Setting(), Setting(**slow), Setting(**slow, alpha=30.0), Setting(weight_decay=1e-2))
        return cls(settings=settings, sparsities=(0.0, 0.5, 0.9), bins=20, epochs=8, seeds=4)


def pruned(weights: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """The weights, of which the ⌊(1 − sparsity) · total + 1/2⌋ largest of all tensors together remain."""
    sizes = np.concatenate([np.abs(w).ravel() for w in weights])
    kept = int(np.floor((1 - sparsity) * sizes.size + 0.5))
    least = np.partition(sizes, -kept)[-kept]
    return [np.where(np.abs(w) >= least, w, np.zeros((), w.dtype)) for w in weights]


def carriers(weights: Sequence[np.ndarray], share: float) -> float:
    """The smallest fraction of the weights that carries this share of the L1 norm."""
    sizes = np.sort(np.concatenate([np.abs(w).ravel() for w in weights]).astype(float))[::-1]
    sums = np.cumsum(sizes)
    return float((np.searchsorted(sums, share * sums[-1] * (1 - 1e-12)) + 1) / sizes.size)


def accuracy(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """The share of the images, (images, rows, columns), that a multilayer perceptron gets right."""
    values = x.reshape(len(x), -1)
    for place, (w, b) in enumerate(zip(weights, biases, strict=True)):
        values = (values if place == 0 else np.maximum(values, 0)) @ w.T + b
    return float(np.mean(values.argmax(axis=1) == y))


def trained(config: Config, images: htt.Images, settings: list[Setting]) -> tuple[list[tuple], list[tuple], np.ndarray]:
    """Weights and biases of the networks of some settings of one kind, seeds counting fastest, and how they ended."""
    product = settings[0].kappa is not None
    method = htt.Spred(sparsity=0.0, settle=0.0) if product else htt.Dense()
    steps = htt.steps_of(images, config.epochs, config.batch_size)
    recipe = htt.Recipe(steps, ham=not product, decay=not product)
    names = (*recipe.hyperparameters, *(("kappa",) if product else ()))
    hyper = {name: np.repeat([getattr(s, name) for s in settings], config.seeds).astype(np.float32) for name in names}
    how = {"epochs": config.epochs, "batch_size": config.batch_size, "progress": False}
    seeds = list(range(config.seeds)) * len(settings)
    end = htt.train(images, _MODEL, method, recipe, seeds=seeds, hyper=hyper, **how)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(end.weights)]
    weights, biases = ([leaf for leaf in leaves if leaf.ndim == axes] for axes in (3, 2))
    codes = np.where(end.result == ht.NAMES.index("reached_end"), 0, end.result)
    return list(zip(*weights, strict=True)), list(zip(*biases, strict=True)), codes


def run(config: Config) -> xr.Dataset:
    """Accuracies of all networks at all sparsities, how their weights are distributed, and measures of them."""
    images = htt.images(config.data, validation=config.validation, test=config.test)
    edges = np.geomspace(config.lowest, config.highest, config.bins + 1)
    settings = sorted(config.settings, key=lambda s: s.kappa is not None)
    cases = len(settings) * config.seeds
    accuracies, shares, norms = np.empty((cases, len(config.sparsities))), np.empty(cases), np.empty(cases)
    densities, codes, place = np.empty((cases, config.bins)), [], 0
    for product in (False, True):
        own = [s for s in settings if (s.kappa is not None) == product]
        if not own:
            continue
        networks, biases, ended = trained(config, images, own)
        codes.append(ended)
        for weights, bias in zip(networks, biases, strict=True):
            some = [pruned(weights, s) if s else weights for s in config.sparsities]
            accuracies[place] = [accuracy(w, bias, images.x_test, images.y_test) for w in some]
            shares[place] = carriers(weights, config.share)
            sizes = np.concatenate([np.abs(w).ravel() for w in weights]).astype(float)
            norms[place] = sizes.sum()
            densities[place] = np.histogram(sizes, edges)[0] / sizes.size / np.diff(np.log10(edges))
            place += 1
    shape, dims = (len(settings), config.seeds), ("setting", "seed")
    columns = {field.name: [getattr(s, field.name) for s in settings] for field in dataclasses.fields(Setting)}
    columns["kappa"] = [np.nan if kappa is None else kappa for kappa in columns["kappa"]]
    return xr.Dataset(
        {
            "test_accuracy": store.variable(
                (*dims, "sparsity"), accuracies.reshape(*shape, -1), "accuracy on the test part, after pruning"
            ),
            "carriers": store.variable(
                dims, shares.reshape(shape), f"smallest fraction of the weights with {config.share:.0%} of the L1 norm"
            ),
            "l1": store.variable(dims, norms.reshape(shape), "L1 norm of all weights"),
            "density": store.variable(
                ("setting", "size"), densities.reshape(*shape, -1).mean(axis=1), "density of lg |w|, mean over seeds"
            ),
            "status": store.status(dims, np.concatenate(codes).astype(int).reshape(shape)),
        },
        coords={
            "rule": ("setting", np.array([s.rule for s in settings], object)),
            **{name: ("setting", np.array(values, float)) for name, values in columns.items()},
            "sparsity": store.variable("sparsity", config.sparsities, "share of the weights that are pruned"),
            "size": store.variable("size", np.sqrt(edges[1:] * edges[:-1]), "|w|"),
            "seed": np.arange(config.seeds),
        },
        attrs={"test_images": len(images.y_test)},
    )
