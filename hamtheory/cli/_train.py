"""`hamtheory train`. Nothing heavy is imported before there is work to do."""

import contextlib
import dataclasses
import os
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import tyro

from . import _names

if TYPE_CHECKING:
    from ..train import AbstractMethod, Images, Recipe, TrainResult

METHODS = "dense, random, magnitude, oneshot, gradual, cyclical, acdc, rigl, alternating, str, spred, pilot, signin"
_Model = Literal["mlp", "cnn", "lenet", "strided"]
_MODEL = {"digits": "mlp", "mnist5k": "lenet"}
_EPOCHS = {"digits": 80, "mnist5k": 12}
_LEARNING_RATE = {"sgd": {"digits": 0.1, "mnist5k": 0.05}, "adam": {"digits": 3e-3, "mnist5k": 3e-3}}
_WEIGHT_DECAY = {"sgd": 2e-3, "adam": 1e-2}
_ALPHA, _BETA = 3.0, 1e-3
_CHECKPOINTS = 20  # in the course of a training


def _hint(text: str) -> Any:
    return tyro.conf.arg(help_behavior_hint=text)


def _number(metavar: str, hint: str = "") -> Any:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=hint)


@dataclass(frozen=True)
class Train:
    description: ClassVar[str] = f"""{_names.Train.description}

Each seed is a network of its own: initial weights, random mask and order of the
images. All are trained together; what is printed are means over them, with 95 %
intervals. The images come with the extra hamtheory[train].

examples:
  hamtheory train
  hamtheory train --method acdc --sparsity 0.9 --ham
  hamtheory train --data mnist5k --method rigl --sparsity 0.95 --compare
  hamtheory train --method gradual --sparsity 0.98 --set updates=10 --out gradual.npz
  hamtheory train --base adam --sam 0.05 --seeds 20 --checkpoint out/adam

Exit code 0: a network that met an infinity or NaN is data, named and left out of
the means. Exit code 1: all have, or it was interrupted. Exit code 2: bad input."""

    data: Literal["digits", "mnist5k"] = "digits"
    """1,797 digits of 8 x 8 pixels (seconds), or 5,000 of 28 x 28 (minutes)."""
    model: Annotated[_Model | None, _hint("(default: mlp; of mnist5k, lenet)")] = None
    """The network."""
    method: Annotated[str, tyro.conf.arg(metavar="NAME", help=f"How it becomes sparse: {METHODS}.")] = "dense"
    sparsity: Annotated[float | None, _number("S")] = None
    """The fraction of the weights that are 0 at the end, exactly: from 0 to below 1."""
    layers: Annotated[Literal["erk", "uniform", "global"] | None, _hint("(default: the method's own)")] = None
    """How those that stay are distributed over the layers."""
    settings: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]],
        tyro.conf.arg(name="set", metavar="NAME=VALUE", help_behavior_hint="(repeatable)"),
    ] = ()
    """Any other field of the method, as in hamtheory.train: every=50"""
    ham: Annotated[bool, _hint("")] = False
    """Put HAM around the optimizer."""
    alpha: Annotated[float | None, _number("A", f"(default: {_ALPHA:g})")] = None
    """Of HAM; the paper's is 200 for ImageNet, which small networks with large learning rates do not survive."""
    beta: Annotated[float | None, _number("B", f"(default: {_BETA:g})")] = None
    """Of HAM; the paper's is 1e-3."""
    compare: Annotated[bool, _hint("")] = False
    """Train the same without and with HAM, seed by seed, and report the difference."""
    sam: Annotated[float | None, _number("RHO")] = None
    """Sharpness-aware: take the gradient at this distance uphill."""
    base: Literal["sgd", "adam"] = "sgd"
    """SGD with momentum 0.9, or Adam."""
    clip: Annotated[float | None, _number("NORM")] = None
    """Shorten longer gradients to this norm."""
    learning_rate: Annotated[float | None, _number("RATE", "(default: 0.1; of mnist5k, 0.05; of adam, 0.003)")] = None
    """At first; it falls to 0 along a cosine."""
    weight_decay: Annotated[float | None, _number("RATE", "(default: 0.002; of adam, decoupled, 0.01)")] = None
    """Of the optimizer; str, spred and pilot have their own: --set"""
    epochs: Annotated[int | None, _hint("(default: 80; of mnist5k, 12)")] = None
    """How often each network sees all training images."""
    batch_size: int = 64
    """Images in a step."""
    seeds: int = 10
    """How many networks."""
    seed: int = 0
    """The first one's; the others' follow."""
    split_seed: int = 0
    """Which images are for training, validation and test."""
    checkpoint: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Store all there from time to time; the same command then goes on where it was interrupted."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")] = None
    """Write the result: curves, weights and masks to .npz, .zarr or .nc, the summary alone to .json"""
    json: Annotated[bool, _hint("")] = False
    """Print the summary as JSON."""
    quiet: Annotated[bool, _hint("")] = False
    """No progress bar."""

    def run(self, words: list[str]) -> int:
        """Do what the command line `words` asks for: 0, or 1 if no network is finite."""
        from ._output import check_target, to_json, write

        check_target(self.out)
        _check_folder(self.checkpoint)
        self._check()
        started = time.monotonic()
        from ..train import images
        from ._command import _note, _plain
        from ._train_summary import arrays, describe, table

        method = self._method()
        data = images(self.data, seed=self.split_seed)
        arms = {ham: self._recipe(data, method, ham) for ham in ([False, True] if self.compare else [self.ham])}
        try:
            with contextlib.nullcontext() if self.quiet else _note():
                results = {ham: self._train(data, method, *arm, self._folder(ham)) for ham, arm in arms.items()}
        except KeyboardInterrupt:
            again = "the same command goes on" if self.checkpoint else "with --checkpoint FOLDER it could go on"
            print(f"error: interrupted; {again}", file=sys.stderr)
            return 1
        summary = {
            "command": shlex.join(words),
            **describe(data, self.model or _MODEL[self.data], self.method, method, arms, results),
            "epochs": self._epochs,
            "batch_size": self.batch_size,
            "sam": self.sam,
            "clip": self.clip,
            "seconds": round(time.monotonic() - started, 2),
            "config": _plain(dataclasses.asdict(self)),
        }
        if self.out is not None:
            write(self.out, summary, arrays(results), None)
        print(to_json(summary) if self.json else table(summary, self.out))
        failed = [arm for arm in summary["arms"] if len(arm["nonfinite"]) == self.seeds]
        if failed:
            hint = "a smaller --alpha" if any(arm["ham"] for arm in failed) else "a smaller --learning-rate"
            which = f" {'with' if failed[0]['ham'] else 'without'} HAM" if self.compare else ""
            print(f"error: no network{which} stayed finite; try {hint}", file=sys.stderr)
        return 1 if failed else 0

    @property
    def _epochs(self) -> int:
        return _EPOCHS[self.data] if self.epochs is None else self.epochs

    def _check(self) -> None:
        """Errors of what no other part of the package would name as it is written on the command line."""
        if self.method == "dense":
            if self.sparsity is not None or self.layers is not None:
                flag = "--layers" if self.sparsity is None else "--sparsity"
                raise ValueError(f"{flag} needs a --method that is sparse; dense keeps all weights")
        elif self.sparsity is None and self.method in METHODS.split(", "):
            raise ValueError(f"--method {self.method} needs a --sparsity, such as --sparsity 0.9")
        for name, value in {"alpha": self.alpha, "beta": self.beta}.items():
            if value is not None and not (self.ham or self.compare):
                raise ValueError(f"--{name} is a parameter of HAM: it needs --ham or --compare")
        numbers = {"epochs": self._epochs, "batch-size": self.batch_size, "seeds": self.seeds}
        for name, value in numbers.items():
            if value < 1:
                raise ValueError(f"--{name} must be at least 1; got {value}")
        for name, value in {"seed": self.seed, "split-seed": self.split_seed}.items():
            if value < 0:
                raise ValueError(f"--{name} must be at least 0; got {value}")
        for name, value in {"alpha": self.alpha, "beta": self.beta, "weight-decay": self.weight_decay}.items():
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"--{name} must be at least 0 and finite; got {value:g}")
        for name, value in {"learning-rate": self.learning_rate, "sam": self.sam, "clip": self.clip}.items():
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"--{name} must be positive and finite; got {value:g}")

    def _method(self) -> "AbstractMethod":
        from ..train import decays, method_of

        fields = _fields(method_of(self.method))
        given = {"sparsity": self.sparsity, "layers": self.layers}
        values = {name: value for name, value in given.items() if value is not None} | self._settings(fields)
        method = method_of(self.method, **values)
        if self.weight_decay is not None and not decays(method):
            own = "weight_decay" if "weight_decay" in fields else "kappa"
            raise ValueError(
                f"--weight-decay is the optimizer's; {self.method} has a penalty of its own: --set {own}=VALUE"
            )
        return method

    def _settings(self, fields: dict[str, Any]) -> dict[str, Any]:
        """What --set says, in the types of the fields."""
        values: dict[str, Any] = {}
        for text in self.settings:
            name, equals, value = (part.strip() for part in text.partition("="))
            if not equals or not name:
                raise ValueError(f"--set must be NAME=VALUE, such as every=50; got {text!r}")
            if name in ("sparsity", "layers"):
                raise ValueError(f"--set {name}: write --{name} {value or 'VALUE'}")
            if name not in fields:
                raise ValueError(f"--set: {self.method} has no field {name!r}; it has: {', '.join(fields)}")
            if name in values:
                raise ValueError(f"--set {name} is given twice")
            values[name] = _parsed(name, value, fields[name])
        return values

    def _recipe(self, data: "Images", method: "AbstractMethod", ham: bool) -> tuple["Recipe", dict[str, float]]:
        """The optimizer, and its hyperparameters."""
        from ..train import Recipe, decays, steps_of

        if self.batch_size > len(data.y_train):
            raise ValueError(f"--batch-size must be at most {len(data.y_train)}, all training images")
        given = {
            "learning_rate": (self.learning_rate, _LEARNING_RATE[self.base][self.data]),
            "weight_decay": (self.weight_decay, _WEIGHT_DECAY[self.base]),
            "alpha": (self.alpha, _ALPHA),
            "beta": (self.beta, _BETA),
        }
        steps = steps_of(data, self._epochs, self.batch_size)
        recipe = Recipe(steps, base=self.base, ham=ham, clip=self.clip, decay=decays(method))
        values = {name: default if value is None else value for name, (value, default) in given.items()}
        return recipe, {name: values[name] for name in recipe.hyperparameters}

    def _train(
        self, data: "Images", method: "AbstractMethod", recipe: "Recipe", hyper: dict[str, float], folder: Path | None
    ) -> "TrainResult":
        from ..train import train

        return train(
            data,
            self.model or _MODEL[self.data],
            method,
            recipe,
            epochs=self._epochs,
            batch_size=self.batch_size,
            seeds=range(self.seed, self.seed + self.seeds),
            hyper=hyper,
            sam=self.sam,
            checkpoint=folder,
            checkpoint_every=-(-self._epochs // _CHECKPOINTS),
            progress=not self.quiet,
        )

    def _folder(self, ham: bool) -> Path | None:
        return None if self.checkpoint is None else self.checkpoint / f"{self.base}{'-ham' if ham else ''}"


def _fields(method: "AbstractMethod") -> dict[str, Any]:
    """The fields of a method that have no option of their own, with their defaults."""
    names = [field.name for field in dataclasses.fields(method)]
    return {name: getattr(method, name) for name in names if name not in ("sparsity", "layers")}


def _parsed(name: str, text: str, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(default, str):
        return text
    kind, what = (int, "an integer") if isinstance(default, int) else (float, "a number")
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"--set {name} must be {what}; got {text!r}") from None


def _check_folder(folder: Path | None) -> None:
    """Refuse, before any work, a folder that could not be written to afterwards."""
    if folder is None:
        return
    first = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not first.is_dir():
        raise NotADirectoryError(f"--checkpoint: {str(first)!r} is no folder")
    if not os.access(first, os.W_OK):
        raise PermissionError(f"--checkpoint: the folder {str(first)!r} cannot be written to")
