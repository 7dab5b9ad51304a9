"""Sweeps over trainings of networks: arms, their trials, and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import numpy as np

from .._grid import as_table, blocks_at, fields, grid, number, seeds
from .._result import FLAGS
from .._validate import count
from ..sweeps import Declaration, Variable
from ._data import images
from ._loop import checked, steps_of, train
from ._models import positions
from ._recipe import Recipe, decays, method_of


@dataclass(frozen=True)
class Arm:
    """A way to train: a sparsity method, an optimizer, and its hyperparameters, one set of them a trial.

    Attributes:
        method: See `hamtheory.train.method_of`.
        settings: The fields of the method.
        base: See `hamtheory.train.Recipe`.
        ham: See `hamtheory.train.Recipe`.
        sam: ρ of sharpness-aware minimization [foret2021sharpness].
        clip: See `hamtheory.train.Recipe`.
        hyper: For each hyperparameter of the recipe, and for any that is a tunable field of the method, a number, or as
            many numbers as there are trials.

    Raises:
        ValueError: For lists of different lengths, hyperparameters that are missing or unknown, a `sam` that is not
            positive, and as of `method_of` and `Recipe`.
        TypeError: For what is no number or no bool.

    References:
        Of the method and the recipe, theirs.

    ```python
    >>> import hamtheory as ht
    >>> hyper = {"learning_rate": [0.05, 0.1], "weight_decay": 5e-4}
    >>> arm = ht.train.Arm("rigl", {"sparsity": 0.9}, hyper=hyper)
    >>> len(arm), arm.label
    (2, 'rigl-sparsity=0.9')

    ```
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    base: str = "sgd"
    ham: bool = False
    sam: float | None = None
    clip: float | None = None
    hyper: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        hyper = {name: grid(values, f"hyper {name}") for name, values in self.hyper.items()}
        lengths = {len(values) for values in hyper.values()} - {1}
        if len(lengths) > 1:
            found = ", ".join(f"{name}: {len(values)}" for name, values in hyper.items())
            raise ValueError(f"hyper must have as many numbers of each as there are trials, or one; got {found}")
        object.__setattr__(self, "hyper", hyper)
        object.__setattr__(self, "settings", dict(self.settings))
        if self.sam is not None and number(self.sam, "sam") <= 0:
            raise ValueError(f"sam must be positive, or left out; got {self.sam}")
        if not isinstance(self.ham, bool):
            raise TypeError(f"ham must be true or false; got {self.ham!r}")
        recipe = self.recipe(1)
        known = (*recipe.hyperparameters, *self.built.tunable)
        wrong = [name for name in hyper if name not in known] + [n for n in recipe.hyperparameters if n not in hyper]
        if wrong:
            raise ValueError(
                f"hyper of {self.label} must have {', '.join(recipe.hyperparameters)}, and may have "
                f"{', '.join(self.built.tunable) or 'nothing else'}; got {', '.join(hyper) or 'nothing'}"
            )

    def __len__(self) -> int:
        return max((len(values) for values in self.hyper.values()), default=1)

    @property
    def built(self) -> Any:
        """The method."""
        return method_of(self.method, **self.settings)

    def recipe(self, steps: int) -> Any:
        """The optimizer, for a number of steps.

        Args:
            steps: Of the training.

        Returns:
            A `Recipe`.
        """
        return Recipe(steps, base=self.base, ham=self.ham, clip=self.clip, decay=decays(self.built))

    def trials(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The hyperparameters of some trials.

        Args:
            index: The places of the trials, of any shape.

        Returns:
            An array of this shape for each.
        """
        return {name: np.broadcast_to(np.asarray(v), len(self))[index] for name, v in self.hyper.items()}

    @property
    def label(self) -> str:
        """One word for it."""
        words = [
            self.method,
            *(
                f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
                for name, value in self.settings.items()
            ),
        ]
        words += [self.base] * (self.base != "sgd") + ["sam"] * (self.sam is not None) + ["ham"] * self.ham
        return "-".join("_".join(word.split()) for word in words)


@dataclass(frozen=True)
class TrainingSpec(Declaration):
    """What a sweep of trainings computes: `hamtheory.train.train` for every trial of every arm, and every seed.

    An instance is one (arm, trial, seed), the seeds counting fastest. All is float32, so that an instance's numbers may
    depend on its chunk, by rounding; a sweep that goes on computes whole chunks.

    Attributes:
        data: A name, see `hamtheory.train.images`.
        model: A name, see `hamtheory.train.train`.
        arms: A list of `ht.train.Arm`, or of tables,
            `{"method": "acdc", "settings": {"sparsity": 0.9}, "hyper": {"learning_rate": 0.1, "weight_decay": 5e-4}}`.
        epochs: Of each training.
        batch_size: Of each training.
        seeds: Of the initial weights, masks and orders of the images.
        split: The seed of the parts of the data.
        validation: The fraction of the validation part of the data.
        test: The fraction of the test part of the data.
        tested: Whether the test part is looked at; otherwise, as for a search, `test_accuracy` is NaN.
        chunk: Instances that are trained, and stored, together; those of the largest arm if it is left out. Those of
            one arm are one compiled program.

    Raises:
        ValueError: For bad arguments, naming the argument.
        TypeError: For bad arguments, naming the argument.

    ```python
    >>> import hamtheory as ht
    >>> arm = {"method": "random", "settings": {"sparsity": 0.9}}
    >>> hyper = {"learning_rate": [0.05, 0.1], "weight_decay": 5e-4}
    >>> spec = ht.train.TrainingSpec("digits", "mlp", arms=[arm | {"hyper": hyper}], epochs=5, seeds=range(10))
    >>> spec.instances, spec.arms[0].label
    (20, 'random-sparsity=0.9')

    ```
    """

    kind: ClassVar[str] = "training"
    dtype: ClassVar[str] = "float32"

    data: str
    model: str
    arms: Any
    epochs: int
    batch_size: int = 64
    seeds: Any = field(default_factory=lambda: range(10))
    split: int = 0
    validation: float = 0.1
    test: float = 0.2
    tested: bool = True
    chunk: Any = None

    def __post_init__(self):
        if isinstance(self.arms, (str, Mapping, Arm)) or not isinstance(self.arms, Sequence) or not len(self.arms):
            raise ValueError(f"arms must be a list of one arm at least; got {self.arms!r}")
        made: dict[str, Any] = {
            "arms": tuple(_arm(arm, f"arms[{i}]") for i, arm in enumerate(self.arms)),
            "epochs": count(self.epochs, "epochs"),
            "batch_size": count(self.batch_size, "batch_size"),
            "seeds": seeds(self.seeds, "seeds"),
            "split": count(self.split, "split", least=0),
            "validation": number(self.validation, "validation"),
            "test": number(self.test, "test"),
        }
        if not isinstance(self.tested, bool):
            raise TypeError(f"tested must be true or false; got {self.tested!r}")
        largest = max(map(len, made["arms"])) * len(made["seeds"])
        made["chunk"] = largest if self.chunk is None else count(self.chunk, "chunk")
        for name, value in made.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "TrainingSpec":
        """The spec of a table, as TOML and JSON have it.

        Args:
            table: Names and values.

        Returns:
            The spec.

        Raises:
            ValueError: For names that are unknown or missing, and as of `TrainingSpec`.
        """
        return cls(**fields({name: value for name, value in table.items() if name != "kind"}, cls, "the spec"))

    @property
    def instances(self) -> int:
        """The number of instances."""
        return sum(map(len, self.arms)) * len(self.seeds)

    @property
    def what(self) -> str:
        return "training"

    @property
    def axes(self) -> dict[str, int]:
        return {"arm": len(self.arms), "trial": sum(map(len, self.arms)), "seed": len(self.seeds)}

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """Those of all arms."""
        return tuple(dict.fromkeys(name for arm in self.arms for name in arm.hyper))

    def as_table(self) -> dict[str, Any]:
        return as_table(self)

    def layout(self) -> dict[str, Variable]:
        arms = {"flag_values": list(range(len(self.arms))), "flag_meanings": " ".join(arm.label for arm in self.arms)}
        epoch = ("epoch",)
        return {
            "arm": Variable("number of the arm", dtype="int32", attributes=arms),
            "trial": Variable("number of the trial of its arm", dtype="int32"),
            "seed": Variable("seed of weights, masks and orders", dtype="int64"),
            "sparsity": Variable("sparsity asked for", dtype="float64"),
            "ham": Variable("whether HAM is around the optimizer", dtype="int8"),
            **{name: Variable(f"hyperparameter {name}", dtype="float64") for name in self.hyperparameters},
            "status": Variable("how the training ended", (), "int8", attributes=FLAGS),
            "test_accuracy": Variable("accuracy on the test part, at the end"),
            "validation_accuracy": Variable("accuracy on the validation part, at the end"),
            "validation_loss": Variable("mean cross-entropy on the validation part, at the end", units="nat"),
            "total": Variable("weights in the tensors that are sparsified", dtype="int32"),
            "kept": Variable("of these, weights in the masks at the end", dtype="int32"),
            "cost": Variable("multiplications by weights in the masks, over those of dense training"),
            "nonzero": Variable("of these, weights that are not 0 at the end", dtype="int32"),
            "losses": Variable("mean cross-entropy over the batches of an epoch", epoch, units="nat"),
            "validation_accuracies": Variable("accuracy on the validation part, after each epoch", epoch),
            "kept_weights": Variable("weights in the masks after each epoch", epoch, "int32"),
            "gross_flips": Variable("sign flips of all weights until the end of each epoch", epoch, "int32"),
            "net_flips": Variable("weights whose sign is another than at first, after each epoch", epoch, "int32"),
            "flipped_back": Variable(
                "weights that flipped, and have their first sign after each epoch", epoch, "int32"
            ),
        }

    def lengths(self) -> dict[str, int]:
        return {"epoch": self.epochs}

    def coordinates(self) -> dict[str, tuple[Variable, np.ndarray]]:
        return {"epoch": (Variable("epochs taken", dtype="int64"), np.arange(1, self.epochs + 1))}

    def prepare(self) -> int | None:
        images = self._images()
        steps = max(1, steps_of(images, self.epochs, self.batch_size))  # of batches that are too large, see below
        for arm in self.arms:
            recipe = arm.recipe(steps)
            hyper = {name: values[:1].item() for name, values in arm.trials(np.arange(1)).items()}
            checked(images, self.model, arm.built, recipe, self.epochs, self.batch_size, 1, hyper, arm.sam)
        return None

    def compute(self, instances: np.ndarray, empty: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        images, arrays = self._images(), empty
        trial, seed = instances // len(self.seeds), np.asarray(self.seeds)[instances % len(self.seeds)]
        arm, place = blocks_at([len(arm) for arm in self.arms], trial)
        labels = {
            "arm": arm,
            "trial": place,
            "seed": seed,
            "sparsity": np.array([float(one.built.sparsity) for one in self.arms])[arm],
            "ham": np.array([one.ham for one in self.arms])[arm],
        }
        for name, values in labels.items():
            arrays[name][:] = values
        for number_ in np.unique(arm):
            own = np.flatnonzero(arm == number_)
            hyper = self.arms[number_].trials(place[own])
            for name, values in (hyper | self._trained(images, self.arms[number_], seed[own], hyper)).items():
                arrays[name][own] = values
        return arrays

    def _images(self) -> Any:
        found = images(self.data, seed=self.split, validation=self.validation, test=self.test)
        return found if self.tested else replace(found, x_test=found.x_test[:1], y_test=found.y_test[:1])

    def _trained(self, images: Any, arm: Arm, seed: np.ndarray, hyper: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        recipe = arm.recipe(steps_of(images, self.epochs, self.batch_size))
        how = {"epochs": self.epochs, "batch_size": self.batch_size, "seeds": seed.tolist(), "sam": arm.sam}
        values = {name: np.asarray(entries, np.float32) for name, entries in hyper.items()}
        end = train(images, self.model, arm.built, recipe, hyper=values, progress=False, **how)
        curves = {
            "losses": end.loss,
            "validation_accuracies": end.validation_accuracy,
            "kept_weights": end.kept,
            "gross_flips": end.gross,
            "net_flips": end.net,
            "flipped_back": end.flipped_back,
        }
        return {name: np.asarray(values).T for name, values in curves.items()} | {
            "status": end.result,
            "test_accuracy": end.final_test_accuracy if self.tested else np.full(len(seed), np.nan),
            "validation_accuracy": end.final_validation_accuracy,
            "validation_loss": end.final_validation_loss,
            "total": np.full(len(seed), end.total),
            "kept": end.final_kept,
            "cost": _cost(end, positions(self.model, images.shape, images.classes)),
            "nonzero": end.final_nonzero,
        }


def _cost(end: Any, positions: list[int]) -> np.ndarray:
    """The mean over all steps of the multiplications by weights in the masks, over those of all weights, (seeds,)."""
    tensors = [w[0] for w in jax.tree.leaves(end.weights) if np.ndim(w) >= 3]
    masks = [m for w, m in zip(*map(_leaves, (end.weights, end.masks)), strict=True) if np.ndim(w) >= 3]
    sizes, uses = np.array([w.size for w in tensors]), np.array(positions)
    kept = np.empty((*end.kept.shape, len(tensors)))
    kept[...] = sizes
    kept[..., [mask is not None for mask in masks]] = end.mean_kept
    return (kept @ uses).mean(axis=0) / float(sizes @ uses)


def _leaves(tree: Any) -> list:
    return jax.tree.leaves(tree, is_leaf=lambda leaf: leaf is None)


def _arm(value: Any, name: str) -> Arm:
    if isinstance(value, Arm):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be an Arm or a table; got {value!r}")
    return Arm(**fields(value, Arm, name))
