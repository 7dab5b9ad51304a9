"""Sparsity methods with and without HAM, on real digits: the whole grid, each arm with an equal search (T1, F28).

For every data set, method and sparsity, networks are trained with the base optimizer, SGD with momentum and a cosine,
and with HAM around it. Both arms have the same search: `trials` points of one Latin hypercube, the same for all, with
the same learning rates and weight decays; HAM's α and β are further coordinates of these points. Each is trained with
the tuning seeds; the one with the best mean accuracy on the validation part is chosen (of equals, that with the least
cross-entropy), at each of the sparsities `tuned_at`; other sparsities take the choice of the nearest. Then `seeds`
networks are trained with it, and tested. The seeds of both arms are the same: initial weights, masks and orders of the
images are, so that differences are of pairs.

    python -m experiments sparse_training                 the grid: two hours on two cores; goes on if interrupted
    python -m experiments.sparse_training                 print T1 from the data that are there
"""

import dataclasses
import math
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import qmc

import hamtheory as ht
import hamtheory.train as htt

from . import store
from ._claims import BOUNDS, claims, table


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set, the network that is trained on it, and for how long."""

    model: str
    epochs: int
    batch_size: int


TASKS = {"digits": Task("mlp", 40, 32), "mnist5k": Task("strided", 20, 64)}
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
RANGES = {
    "learning_rate": (0.02, 0.5),
    "weight_decay": (1e-5, 3e-3),
    "kappa": (1e-5, 3e-3),
    "s_init": (-8.0, -2.0),
    "alpha": (0.3, 50.0),
    "beta": (1e-5, 1e-2),
}
OWN_RANGES = {("str", "weight_decay"): (1e-5, 1e-2), ("pilot", "kappa"): (1e-4, 3e-2)}
AXES = {"learning_rate": 0, "weight_decay": 1, "kappa": 1, "s_init": 2, "alpha": 3, "beta": 4}  # of the hypercube


@dataclasses.dataclass(frozen=True)
class Config:
    """`methods`: names of `hamtheory.train.method_of`; `sparsities`: of each; `trials`, `tuning_seeds`, `tuned_at`: of
    the search; `validation`: fraction of the data that it looks at; `sam`: ρ of dense training with SAM;
    `rigl_updates`: RigL's mask changes every so many of the training's steps, as a fraction of them; `resamples`: of
    the search, for the interval of what it might have found. `epochs`, if given, replaces those of the tasks."""

    data: tuple[str, ...] = ("digits", "mnist5k")
    methods: tuple[str, ...] = METHODS
    sparsities: tuple[float, ...] = (0.8, 0.9, 0.95, 0.98)
    tuned_at: tuple[float, ...] = (0.9, 0.98)
    trials: int = 12
    tuning_seeds: int = 2
    seeds: int = 10
    validation: float = 0.2
    sam: float = 0.05
    rigl_updates: float = 0.05
    resamples: int = 2000
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


def points(config: Config) -> np.ndarray:
    """The trials in the unit cube, (trials, axes): the same for all arms."""
    return qmc.LatinHypercube(max(AXES.values()) + 1, rng=config.seed).random(config.trials)


def searched(config: Config, cell: Cell) -> dict[str, list[float]]:
    """The hyperparameters of the trials of a cell."""
    arm = arm_of(config, cell, 1, None)
    names = (*arm.recipe(1).hyperparameters, *(name for name in arm.built.tunable if name in RANGES))
    cube, found = points(config), {}
    for name in names:
        low, high = OWN_RANGES.get((cell.method, name), RANGES[name])
        share = cube[:, AXES[name]]
        values = low + (high - low) * share if low < 0 else low * (high / low) ** share
        found[name] = [float(f"{value:.4g}") for value in values]
    return found


def arm_of(config: Config, cell: Cell, steps: int, hyper: dict[str, Any] | None) -> ht.sweeps.Arm:
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
    return ht.sweeps.Arm(method, settings, ham=cell.ham, sam=sam, hyper=filling if hyper is None else hyper)


def specification(
    config: Config, data: str, hypers: dict[Cell, dict[str, Any]], seeds: range
) -> ht.sweeps.TrainingSpec:
    """The sweep of these cells on a data set."""
    task = TASKS[data]
    epochs = config.epochs or task.epochs
    images = htt.images(data, validation=config.validation)
    steps = htt.steps_of(images, epochs, task.batch_size)
    arms = [arm_of(config, cell, steps, hyper) for cell, hyper in hypers.items()]
    how = {"epochs": epochs, "batch_size": task.batch_size, "validation": config.validation}
    return ht.sweeps.TrainingSpec(data, task.model, arms, seeds=seeds, **how)


def nearest(config: Config, cell: Cell) -> Cell:
    """The cell whose search a cell takes: of its own sparsity, or of the nearest in ln(1 − s)."""
    if cell.method in DENSE:
        return cell
    distance = lambda s: abs(math.log((1 - s) / (1 - cell.sparsity)))  # noqa: E731
    return dataclasses.replace(cell, sparsity=min(config.tuned_at, key=distance))


def best(validation: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The place of the best trial, of mean accuracies and losses with trials on the last axis: the highest accuracy,
    and of equals the least loss."""
    tied = validation >= validation.max(axis=-1, keepdims=True) - 1e-9
    return np.where(tied, losses, np.inf).argmin(axis=-1)


def search(config: Config, data: str) -> xr.Dataset:
    """What the search found in each of its cells: of every trial, means over the tuning seeds."""
    some = cells(config, config.tuned_at)
    first = 1000  # of the tuning seeds: none of those that are tested
    hypers = {cell: searched(config, cell) for cell in some}
    spec = specification(config, data, hypers, range(first, first + config.tuning_seeds))
    swept = store.swept(spec, "sparse_training", workers=config.workers, lasting=True)
    shape = (len(some), config.trials, config.tuning_seeds)
    parts = {name: sound(swept, name).reshape(shape) for name in ("validation_accuracy", "test_accuracy")}
    failed = (swept["status"].values != ht.NAMES.index("reached_end")).reshape(shape)
    loss = np.where(failed, np.inf, np.nan_to_num(swept["validation_loss"].values.reshape(shape), nan=np.inf))
    dims = ("cell", "trial")
    found = {name: (dims, values.mean(axis=-1)) for name, values in parts.items()}
    found |= {"validation_loss": (dims, loss.mean(axis=-1)), "failed": (dims, failed.mean(axis=-1))}
    for name in RANGES:
        rows = [hypers[cell].get(name, [np.nan] * config.trials) for cell in some]
        found[name] = (dims, np.array(rows))
    return xr.Dataset(found, coords={"cell": np.array([str(cell) for cell in some], object)})


def sound(swept: xr.Dataset, name: str) -> np.ndarray:
    """An accuracy; of a network that is no longer finite, that of a guess."""
    failed = swept["status"] != ht.NAMES.index("reached_end")
    return swept[name].where(~failed, 0.1).values.astype(float)


def run(config: Config) -> xr.Dataset:
    """The search, the test of what it chose, and the claims."""
    return xr.concat([_of_data(config, data) for data in config.data], xr.Variable("data", list(config.data)))


def _of_data(config: Config, data: str) -> xr.Dataset:
    tuned, final = search(config, data), cells(config, config.sparsities)
    hypers, places = {}, []
    for cell in final:
        row = tuned.sel(cell=str(nearest(config, cell)))
        place = best(row["validation_accuracy"].values, row["validation_loss"].values).item()
        values = {name: float(row[name].values[place]) for name in RANGES}
        hypers[cell] = {name: value for name, value in values.items() if not math.isnan(value)}
        places.append(place)
    swept = store.swept(
        specification(config, data, hypers, range(config.seeds)),
        "sparse_training",
        workers=config.workers,
        lasting=True,
    )
    shape, dims = (len(final), config.seeds), ("arm", "seed")
    of_seeds = {
        "test_accuracy": (sound(swept, "test_accuracy"), "accuracy on the test part"),
        "validation_accuracy": (sound(swept, "validation_accuracy"), "accuracy on the validation part"),
        "cost": (swept["cost"].values, "multiplications by weights in the masks, over those of dense training"),
        "density": (swept["kept"].values / swept["total"].values, "weights in the masks at the end, over all"),
        "gross_flips": (
            swept["gross_flips"].values[:, -1] / swept["kept"].values,
            "sign flips, per weight that is kept",
        ),
    }
    found = {
        name: store.variable(dims, np.round(values.reshape(shape), 6), meaning)
        for name, (values, meaning) in of_seeds.items()
    }
    codes = swept["status"].values.astype(int).reshape(shape)
    found["status"] = store.status(dims, np.where(codes == ht.NAMES.index("reached_end"), 0, codes))
    found["chosen"] = store.variable("arm", places, "the trial that was chosen")
    for name in RANGES:
        values = [hypers[cell].get(name, np.nan) for cell in final]
        found[name] = store.variable("arm", values, f"{name} that was chosen")
    for name in ("validation_accuracy", "test_accuracy", "failed"):
        rows = [tuned[name].sel(cell=str(nearest(config, cell))).values for cell in final]
        meaning = f"{name} of the trials of the search, mean over its seeds"
        found[f"searched_{name}"] = store.variable(("arm", "trial"), np.round(rows, 6), meaning)
    own = [nearest(config, cell) == cell for cell in final]
    images = len(htt.images(data, validation=config.validation).y_test)
    coords = {
        "method": ("arm", [cell.method for cell in final]),
        "sparsity": ("arm", [cell.sparsity for cell in final]),
        "ham": ("arm", [cell.ham for cell in final]),
        "searched": ("arm", own, {"long_name": "whether the search was at this sparsity"}),
        "seed": np.arange(config.seeds),
        "trial": np.arange(config.trials),
    }
    dataset = xr.Dataset(found, coords=coords, attrs={"test_images": images})
    rows, numbers = claims(dataset, config.resamples, config.seed)
    labels = {"claim": [row.name for row in rows], "group": ("claim", [row.group for row in rows])}
    labels["published"] = ("claim", [row.published for row in rows])
    for name, values in numbers.items():
        dims_ = ("claim", "bound")[: np.ndim(values)]
        dataset[name] = store.variable(dims_, np.round(values, 6), f"{name} of a claim")
    return dataset.assign_coords(labels | {"bound": list(BOUNDS)})


if __name__ == "__main__":
    print(table(store.load("sparse_training")))
