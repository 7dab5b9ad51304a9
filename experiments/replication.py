"""What is claimed of HAM in training, put to the test on several splits of the data (T1): the design is in
docs/decisions/replication.md, and was committed before any of its networks was tested.

MNIST turned round: of 5,000 images, 1,000 to train and to search with, and 4,000 to test. Each split of the data has
its own search for every arm, of 32 trials, each trained once: 16 of a Latin hypercube, and 16 around the best of them,
as in `sparse_training`. The first 16 are of the base, which is HAM with α = β = 0: they count among HAM's trials, too,
so that HAM's search can end at its base. It looks at the validation part alone. Then `seeds` networks of each arm are
trained with what was found, and tested: the same seeds for all arms, others on each split.

    python -m experiments replication                     an hour or two on two cores; it goes on if interrupted
    python -m experiments.replication                     print T1 from the data that are there
"""

import concurrent.futures
import dataclasses
import multiprocessing
from pathlib import Path

import jax
import numpy as np
import xarray as xr

import hamtheory as ht

from . import sparse_training, store
from ._claims import CLAIMS, VERDICTS, judged, percent
from .sparse_training import HYPER, Cell, Searched, first_trials, flips, joined, lasting, second_trials, sound, tried

_TASK = "turned"


@dataclasses.dataclass(frozen=True)
class Config:
    """`splits`: seeds of the parts of the data; `claims`: names of what is put to the test; `trials`: of each of the
    two parts of the search; `validation`: the fraction of the data that it looks at; `margin`: the relative difference
    of errors that does not matter; `spread`: the standard deviation of a split's mean that the power was planned with,
    from a pilot on other splits; `epochs`: if given, replaces those of the task; `workers`: processes, each of which
    takes whole splits; `seed`: with that of the split, of the trials."""

    splits: tuple[int, ...] = (0, 1, 2, 3, 4)
    claims: tuple[str, ...] = tuple(CLAIMS)
    seeds: int = 8
    trials: int = 16
    validation: float = 0.05
    margin: float = 0.03
    spread: float = 0.03
    epochs: int | None = None
    workers: int = 2
    seed: int = 0

    @classmethod
    def smoke(cls) -> "Config":
        claims = tuple(name for name in CLAIMS if name.startswith("random"))
        return cls(splits=(0, 1), claims=claims, seeds=2, trials=2, epochs=2, workers=0)


def arms_of(config: Config) -> list[Cell]:
    """The arms that the claims are about, each once; a base before its HAM."""
    arms = {arm for name in config.claims for arm in (CLAIMS[name].better, CLAIMS[name].worse)}
    return [Cell(*arm) for arm in sorted(arms)]


def of_split(config: Config, split: int) -> sparse_training.Config:
    """The settings of a split: its parts of the data, and the trials of its search."""
    return sparse_training.Config(
        trials=config.trials,
        tuning_seeds=1,
        seeds=config.seeds,
        validation=config.validation,
        by="loss",
        split=split,
        epochs=config.epochs,
        workers=0,
        seed=config.seed + split,
    )


def search(settings: sparse_training.Config, arms: list[Cell]) -> dict[Cell, Searched]:
    """The trials of every arm on a split, as many of each."""
    bases = {dataclasses.replace(cell, ham=False): None for cell in arms}
    first = tried(settings, _TASK, {cell: first_trials(settings, cell) for cell in bases})
    for cell in [cell for cell in arms if cell.ham]:
        base = first[dataclasses.replace(cell, ham=False)]
        none = dict.fromkeys(("alpha", "beta"), np.zeros(settings.trials))
        first[cell] = base._replace(hyper=base.hyper | none)
    around = {cell: second_trials(settings, cell, first[dataclasses.replace(cell, ham=False)].found) for cell in arms}
    second = tried(settings, _TASK, around)
    return {cell: joined(first[cell], second[cell]) for cell in arms}


def split_of(config: Config, split: int) -> xr.Dataset:
    """The search on a split, and the test of what it chose."""
    settings, arms = of_split(config, split), arms_of(config)
    tuned = search(settings, arms)
    hypers = {cell: tuned[cell].found for cell in arms}
    seeds = range(split * config.seeds, (split + 1) * config.seeds)
    spec = sparse_training.specification(settings, _TASK, hypers, seeds, tested=True)
    swept = lasting(settings, spec)
    shape, dims = (len(arms), config.seeds), ("arm", "seed")
    codes = swept["status"].values.astype(int).reshape(shape)
    ends = {
        "test_accuracy": (sound(swept, "test_accuracy"), "accuracy on the test part"),
        "validation_accuracy": (sound(swept, "validation_accuracy"), "accuracy on the validation part"),
        "gross_flips": (flips(swept), "sign flips, per weight that is kept"),
    }
    found = {name: store.variable(dims, np.round(v.reshape(shape), 6), meaning) for name, (v, meaning) in ends.items()}
    found["status"] = store.status(dims, np.where(codes == ht.NAMES.index("reached_end"), 0, codes))
    found["chosen"] = store.variable("arm", [tuned[cell].best for cell in arms], "the trial that was chosen")
    for name in HYPER:
        values = [hypers[cell].get(name, np.nan) for cell in arms]
        found[name] = store.variable("arm", np.round(values, 8), f"{name} that was chosen")
    labels: dict[str, tuple] = {
        name: ("arm", [getattr(cell, name) for cell in arms]) for name in ("method", "sparsity", "ham")
    }
    labels["seed"] = "seed", np.arange(config.seeds), {"long_name": "seed, less that of the first of its split"}
    return xr.Dataset(found, coords=labels)


def run(config: Config) -> xr.Dataset:
    """All splits, and what they say of the claims."""
    sweeps = store.SWEEPS.get()
    if config.workers:
        spawn = multiprocessing.get_context("spawn")  # JAX's threads do not survive a fork
        with concurrent.futures.ProcessPoolExecutor(config.workers, spawn, _start, (sweeps,)) as pool:
            parts = list(pool.map(split_of, [config] * len(config.splits), config.splits))
    else:
        parts = [split_of(config, split) for split in config.splits]
    dataset = xr.concat(parts, xr.Variable("split", list(config.splits)))
    dataset = dataset.merge(judged(dataset, config.claims, config.margin, config.spread))
    return dataset.assign_attrs(margin=config.margin)


def _start(sweeps: Path | None) -> None:
    """Set a process up as its parent is: where sweeps lie, and what is compiled."""
    store.SWEEPS.set(sweeps)
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", str(store.ROOT / "compiled"))


def table(dataset: xr.Dataset) -> str:
    """T1 as text: by how many percent errors are smaller, or flips more, negative if it is the other way round."""
    head = (
        f"{'claim':34s} {'published':>9s} {'measured, 95 % of splits':>26s} {'sd of splits, seeds':>20s} "
        f"{'p':>7s} {'p, equal':>8s} {'power, reached':>15s}  verdict"
    )
    lines = [head, "-" * len(head)]
    for i, name in enumerate(dataset["claim"].values):
        row = dataset.isel(claim=i)
        mean, low, high = percent(row["effect"].values, errors=bool(row["primary"]))
        planned, reached = row["power"].values
        lines.append(
            f"{name:34s} {float(percent(row['published'])):+9.1f} {mean:+8.1f} [{low:+7.1f}, {high:+7.1f}] "
            f"{100 * row['split_sd'].item():13.1f}, {100 * row['seed_sd'].item():4.1f}  "
            f"{row['p'].item():7.4f} {row['p_equivalent'].item():8.4f} {planned:9.2f}, {reached:4.2f}  "
            + VERDICTS[int(row["verdict"])]
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(store.load("replication")))
