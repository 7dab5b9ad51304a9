"""Sparsity methods with and without HAM, on real digits: the whole grid, each arm with an equal search (F28).

It explores: a data set is split once. What is claimed of HAM is put to the test by `replication`.

For every data set, method and sparsity, networks are trained with the base optimizer, SGD with momentum and a cosine,
and with HAM around it. Both arms start from one search for the base, over the learning rate and the strength of decay
(or of what the method has in its place), and go on from the best of it with as many trials each, around both, with the
same learning rates and decays; HAM's trials have an η α and a β besides. (η α bounds what a step of HAM does; with α
itself, most trials with a large one diverge at the learning rates that are best for the base.) The points of a search
are a Latin hypercube, the same for all methods, sparsities and data sets; each is trained with the tuning seeds, and
the best is that with the highest mean accuracy on the validation part, of equals that with the least cross-entropy.
The search is at the sparsities `tuned_at`; the others take what was found at the nearest that is not sparser, since
denser networks are the first to become unstable. Then `seeds` networks are trained with it, and tested. The seeds of
both arms are the same: initial weights, masks and orders of the images are, so that differences are of pairs.

    python -m experiments sparse_training                 the grid: 25 minutes for digits, 65 for MNIST, on two cores;
                                                          it goes on if interrupted; on a GPU: --workers 0
"""

import dataclasses
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from scipy.stats import qmc

import hamtheory as ht
import hamtheory.train as htt

from . import store
from ._swept import swept


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set, the network that is trained on it, for how long, and the fraction of the data that is the test."""

    data: str
    model: str
    epochs: int
    batch_size: int
    test: float = 0.2


TASKS = {
    "digits": Task("digits", "mlp", 40, 32),
    "mnist5k": Task("mnist5k", "strided", 20, 64),
    "turned": Task("mnist5k", "mlp", 20, 32, test=0.8),
}
METHODS = (
    "random",
    "magnitude",
    "oneshot",
    "gradual",
    "cyclical",
    "alternating",
    "acdc",
    "rigl",
    "str",
    "spred",
    "pilot",
    "signin",
)
DENSE = ("dense", "sam")  # without a sparsity
# What is searched, and between which ends: evenly in the logarithm, but for s_init.
FIRST = {"learning_rate": (0.03, 0.3), "weight_decay": (1e-4, 1e-2), "kappa": (1e-4, 1e-2), "s_init": (-7.0, -3.0)}
OWN_FIRST = {("str", "weight_decay"): (3e-4, 3e-2), ("pilot", "kappa"): (3e-4, 3e-2)}
# Then factors of the best of the first part; and, with HAM, η α and β.
SECOND = {"learning_rate": (0.5, 2.0), "decay": (0.25, 4.0)}
SECOND_HAM = {"eta_alpha": (0.03, 1.0), "beta": (1e-5, 1e-2)}
HYPER = (*FIRST, "alpha", "beta")


@dataclasses.dataclass(frozen=True)
class Config:
    """`methods`: names of `hamtheory.train.method_of`; `sparsities`: of each; `trials`, of each of the two parts of the
    search, `tuning_seeds`, `tuned_at`: of the search; `validation`: fraction of the data that it looks at; `sam`: ρ of
    dense training with SAM; `clip`: the largest norm of a gradient, without which, at the learning rates that are best
    for most seeds, others collapse; `rigl_updates`: RigL's mask changes every so many of the training's steps, as a
    fraction of them; `by`: what the search ranks by, "accuracy" (of equals the least loss) or "loss";
    `split`: the seed of the parts of the data. `epochs`, if given, replaces those of the tasks.
    `workers`: processes."""

    data: tuple[str, ...] = ("digits", "mnist5k")
    methods: tuple[str, ...] = METHODS
    sparsities: tuple[float, ...] = (0.8, 0.9, 0.95, 0.98)
    tuned_at: tuple[float, ...] = (0.8, 0.95)
    trials: int = 8
    tuning_seeds: int = 2
    seeds: int = 10
    validation: float = 0.2
    sam: float = 0.05
    clip: float = 1.0
    rigl_updates: float = 0.05
    by: Literal["accuracy", "loss"] = "accuracy"
    split: int = 0
    epochs: int | None = None
    workers: int = 2
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        return cls(
            data=("digits",),
            methods=("random",),
            sparsities=(0.9,),
            tuned_at=(0.9,),
            trials=2,
            tuning_seeds=1,
            seeds=2,
            epochs=2,
            workers=0,
        )


@dataclasses.dataclass(frozen=True)
class Cell:
    """A method at a sparsity, with or without HAM."""

    method: str
    sparsity: float
    ham: bool


def cells(config: Config, sparsities: tuple[float, ...]) -> list[Cell]:
    """All of them; dense training first."""
    dense = [Cell(method, 0.0, ham) for method in DENSE for ham in (False, True)]
    return dense + [Cell(m, s, ham) for m in config.methods for s in sparsities for ham in (False, True)]


def points(config: Config, part: int) -> np.ndarray:
    """The trials of a part of the search in the unit cube, (trials, axes): the same for all arms."""
    return qmc.LatinHypercube((3, 4)[part], rng=np.random.default_rng([config.seed, part])).random(config.trials)


def first_trials(config: Config, cell: Cell) -> dict[str, np.ndarray]:
    """The hyperparameters of the first part, which is about the base alone."""
    cube, decay = points(config, 0), decay_of(config, cell)
    axes = {"learning_rate": 0, decay: 1} | ({"s_init": 2} if cell.method == "str" else {})
    return {
        name: between(OWN_FIRST.get((cell.method, name), FIRST[name]), cube[:, axis]) for name, axis in axes.items()
    }


def second_trials(config: Config, cell: Cell, found: dict[str, float]) -> dict[str, np.ndarray]:
    """Those of the second part, from what the first has found for the base."""
    cube, decay = points(config, 1), decay_of(config, cell)
    hyper = {name: np.full(config.trials, value) for name, value in found.items()}
    hyper["learning_rate"] = found["learning_rate"] * between(SECOND["learning_rate"], cube[:, 0])
    hyper[decay] = found[decay] * between(SECOND["decay"], cube[:, 1])
    if cell.ham:
        hyper["alpha"] = between(SECOND_HAM["eta_alpha"], cube[:, 2]) / hyper["learning_rate"]
        hyper["beta"] = between(SECOND_HAM["beta"], cube[:, 3])
    return hyper


def between(ends: tuple[float, float], share: np.ndarray) -> np.ndarray:
    """Numbers between two ends, evenly in the logarithm if these are positive."""
    low, high = ends
    return low + (high - low) * share if low < 0 else low * (high / low) ** share


def decay_of(config: Config, cell: Cell) -> str:
    """What makes the weights of a method small."""
    return "kappa" if "kappa" in arm_of(config, cell, 1, None).built.tunable else "weight_decay"


def arm_of(config: Config, cell: Cell, steps: int, hyper: dict[str, Any] | None) -> ht.train.Arm:
    """The arm of a cell, with these hyperparameters."""
    sam = config.sam if cell.method == "sam" else None
    method = "dense" if cell.method in DENSE else cell.method
    settings: dict[str, Any] = {} if method == "dense" else {"sparsity": cell.sparsity}
    if method == "rigl":
        settings["every"] = max(1, round(config.rigl_updates * steps))
    names = ("learning_rate", "alpha", "beta") if cell.ham else ("learning_rate",)
    filling: dict[str, Any] = dict.fromkeys(names, 0.1)
    if htt.decays(htt.method_of(method, **settings)):
        filling["weight_decay"] = 0.1
    return ht.train.Arm(
        method, settings, ham=cell.ham, sam=sam, clip=config.clip, hyper=filling if hyper is None else hyper
    )


def images_of(config: Config, data: str) -> htt.Images:
    """The images of a task."""
    task = TASKS[data]
    return htt.images(task.data, seed=config.split, validation=config.validation, test=task.test)


def specification(
    config: Config, data: str, hypers: dict[Cell, Any], seeds: range, *, tested: bool
) -> ht.train.TrainingSpec:
    """The sweep of these cells on a data set."""
    task, images = TASKS[data], images_of(config, data)
    epochs = config.epochs or task.epochs
    steps = htt.steps_of(images, epochs, task.batch_size)
    arms = []
    for cell, hyper in hypers.items():
        rounded = {name: [float(f"{value:.4g}") for value in np.atleast_1d(values)] for name, values in hyper.items()}
        arms.append(arm_of(config, cell, steps, rounded))
    how: dict[str, Any] = {"epochs": epochs, "batch_size": task.batch_size}
    parts: dict[str, Any] = {"validation": config.validation, "test": task.test}
    return ht.train.TrainingSpec(
        task.data, task.model, arms, seeds=seeds, split=config.split, tested=tested, **how, **parts
    )


def nearest(config: Config, cell: Cell) -> Cell:
    """The cell whose search a cell takes: at the nearest sparsity that is not above its own, or else the least."""
    if cell.method in DENSE:
        return cell
    below = [s for s in config.tuned_at if s <= cell.sparsity] or [min(config.tuned_at)]
    return dataclasses.replace(cell, sparsity=max(below))


def best(validation: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The place of the best trial, of mean accuracies and losses with trials on the last axis: the highest accuracy,
    and of equals the least loss."""
    tied = validation >= validation.max(axis=-1, keepdims=True) - 1e-9
    return np.where(tied, losses, np.inf).argmin(axis=-1)


class Searched(NamedTuple):
    """What a search found in a cell: hyperparameters of all trials, and means over the tuning seeds, (trials,)."""

    hyper: dict[str, np.ndarray]
    validation_accuracy: np.ndarray
    validation_loss: np.ndarray
    by: str

    @property
    def best(self) -> int:
        """The place of the best trial, as `Config.by` says."""
        if self.by == "loss":
            return int(self.validation_loss.argmin())
        return best(self.validation_accuracy, self.validation_loss).item()

    @property
    def found(self) -> dict[str, float]:
        """The hyperparameters that are best."""
        return {name: float(values[self.best]) for name, values in self.hyper.items()}


def search(config: Config, data: str) -> dict[Cell, Searched]:
    """Both parts of the search. A base arm has the trials of both, one with HAM those of the second."""
    some = cells(config, config.tuned_at)
    base = [cell for cell in some if not cell.ham]
    first = tried(config, data, {cell: first_trials(config, cell) for cell in base})
    starts = {cell: first[dataclasses.replace(cell, ham=False)].found for cell in some}
    second = tried(config, data, {cell: second_trials(config, cell, starts[cell]) for cell in some})
    return {cell: second[cell] if cell.ham else joined(first[cell], second[cell]) for cell in some}


def joined(first: Searched, second: Searched) -> Searched:
    """All trials of two parts."""
    hyper = {name: np.concatenate([first.hyper[name], second.hyper[name]]) for name in first.hyper}
    accuracy, loss = (np.concatenate(parts) for parts in zip(first[1:3], second[1:3], strict=True))
    return Searched(hyper, accuracy, loss, first.by)


def tried(config: Config, data: str, hypers: dict[Cell, dict[str, np.ndarray]]) -> dict[Cell, Searched]:
    """What trials come to on the validation part; no search ever looks at the test part."""
    first = 1000 * (1 + config.split)  # of the tuning seeds: none of those that are tested, and others on each split
    seeds = range(first, first + config.tuning_seeds)
    swept = lasting(config, specification(config, data, hypers, seeds, tested=False))
    shape = (len(hypers), config.trials, config.tuning_seeds)
    failed = (swept["status"].values != ht.NAMES.index("reached_end")).reshape(shape)
    loss = np.where(failed, np.inf, np.nan_to_num(swept["validation_loss"].values.reshape(shape), nan=np.inf))
    accuracy = sound(swept, "validation_accuracy").reshape(shape)
    accuracies, losses = (values.mean(axis=-1) for values in (accuracy, loss))
    return {cell: Searched(hypers[cell], accuracies[i], losses[i], config.by) for i, cell in enumerate(hypers)}


def lasting(config: Config, spec: ht.train.TrainingSpec) -> xr.Dataset:
    """The data of a sweep, which goes on whatever has changed in the sources."""
    return swept(spec, "sparse_training", workers=config.workers, lasting=True)


def sound(swept: xr.Dataset, name: str) -> np.ndarray:
    """An accuracy; of a network that is no longer finite, that of a guess."""
    failed = swept["status"] != ht.NAMES.index("reached_end")
    return swept[name].where(~failed, 0.1).values.astype(float)


def flips(swept: xr.Dataset) -> np.ndarray:
    """Sign flips until the end, for each weight that is kept."""
    return swept["gross_flips"].values[:, -1] / swept["kept"].values


def run(config: Config) -> xr.Dataset:
    """The search, and the test of what it chose."""
    return xr.concat([_of_data(config, data) for data in config.data], xr.Variable("data", list(config.data)))


def _of_data(config: Config, data: str) -> xr.Dataset:
    tuned, final = search(config, data), cells(config, config.sparsities)
    of = [tuned[nearest(config, cell)] for cell in final]
    hypers = {cell: one.found for cell, one in zip(final, of, strict=True)}
    swept = lasting(config, specification(config, data, hypers, range(config.seeds), tested=True))
    shape, dims = (len(final), config.seeds), ("arm", "seed")
    of_seeds = {
        "test_accuracy": (sound(swept, "test_accuracy"), "accuracy on the test part"),
        "validation_accuracy": (sound(swept, "validation_accuracy"), "accuracy on the validation part"),
        "cost": (swept["cost"].values, "multiplications by weights in the masks, over those of dense training"),
        "density": (swept["kept"].values / swept["total"].values, "weights in the masks at the end, over all"),
        "gross_flips": (
            flips(swept),
            "sign flips, per weight that is kept",
        ),
    }
    found = {
        name: store.variable(dims, np.round(values.reshape(shape), 6), meaning)
        for name, (values, meaning) in of_seeds.items()
    }
    codes = swept["status"].values.astype(int).reshape(shape)
    found["status"] = store.status(dims, np.where(codes == ht.NAMES.index("reached_end"), 0, codes))
    found["chosen"] = store.variable("arm", [one.best for one in of], "the trial that was chosen")
    for name in HYPER:
        values = [hypers[cell].get(name, np.nan) for cell in final]
        found[name] = store.variable("arm", np.round(values, 8), f"{name} that was chosen")
    own = [nearest(config, cell) == cell for cell in final]
    coords = {
        "method": ("arm", [cell.method for cell in final]),
        "sparsity": ("arm", [cell.sparsity for cell in final]),
        "ham": ("arm", [cell.ham for cell in final]),
        "searched": ("arm", own, {"long_name": "whether the search was at this sparsity"}),
        "seed": np.arange(config.seeds),
        "test_images": len(images_of(config, data).y_test),
    }
    return xr.Dataset(found, coords=coords)
