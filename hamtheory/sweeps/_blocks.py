"""What a sweep is made of: blocks of problems, of geometries and of starts. Declarations alone: nothing is computed."""

import abc
import hashlib
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .._validate import count
from ..geometry import AbstractGeometry, arguments_of, name_of, named
from ..geometry._check import believe
from ..problem import datasets
from ._grid import Grid, grid, number, numbers, seeds


class Problems(abc.ABC):
    """A block of regression problems."""

    kind: ClassVar[str]

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """One word for the block."""

    def seed_of(self, index: np.ndarray) -> np.ndarray:
        """The seed of each problem, -1 where nothing is random, of the shape of `index`: places in the block, of any
        shape.
        """
        return np.full(np.shape(index), -1, np.int64)


@dataclass(frozen=True)
class Sparse(Problems):
    """The problems `ht.sparse_regression(n, d, k, seed, noise)` for every seed.

    Fields: `n`, `d`, `k`, `noise`: as there. `seeds`: a seed, a list or a range of them, or a table with `start` and
      `count`.
    Errors: `ValueError` for numbers out of range; `TypeError` for what is no number.
    Source: as of `ht.sparse_regression`.

    ```python
    >>> import hamtheory as ht
    >>> block = ht.sweeps.Sparse(n=40, d=100, k=5, seeds=range(8))
    >>> len(block), block.label
    (8, 'sparse-40-100-5')

    ```
    """

    kind: ClassVar[str] = "sparse"
    n: int
    d: int
    k: int
    noise: float = 0.0
    seeds: Any = 0

    def __post_init__(self):
        _set(self, n=count(self.n, "n"), d=count(self.d, "d"), k=count(self.k, "k", least=0))
        _set(self, noise=number(self.noise, "noise"), seeds=seeds(self.seeds, "seeds"))
        if self.k > self.d:
            raise ValueError(f"k must be at most d = {self.d}; got {self.k}")
        if self.noise < 0:
            raise ValueError(f"noise must not be negative; got {self.noise}")

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def label(self) -> str:
        return f"sparse-{self.n}-{self.d}-{self.k}" + (f"-{self.noise:g}" if self.noise else "")

    def seed_of(self, index: np.ndarray) -> np.ndarray:
        return self.seeds.at(index)


@dataclass(frozen=True)
class DataSet(Problems):
    """A real data set, `ht.datasets.load(name)`.

    Fields: `name`: one of `ht.datasets.names()`.
    Errors: `ValueError` for another name.
    Source: as of `ht.datasets.load`.

    ```python
    >>> import hamtheory as ht
    >>> block = ht.sweeps.DataSet("fermentation")
    >>> len(block), block.label
    (1, 'fermentation')

    ```
    """

    kind: ClassVar[str] = "dataset"
    name: str

    def __post_init__(self):
        if self.name not in datasets.names():
            raise ValueError(f"name must be one of {', '.join(map(repr, datasets.names()))}; got {self.name!r}")

    def __len__(self) -> int:
        return 1

    @property
    def label(self) -> str:
        return self.name


@dataclass(frozen=True)
class File(Problems):
    """The user's `.npz` with X and y (and theta_star, if it is known), or `.csv` with y in its last column.

    Fields: `path`: of the file. `sha256`: of its content, taken now if it is left out: a file that changes later is
      refused. `target`: of a `.csv`, the column that is y.
    Errors: `ValueError` for another suffix; `FileNotFoundError` if it is not there.
    Source: own.

    ```python
    >>> import os, tempfile
    >>> import hamtheory as ht, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(path := os.path.join(folder, "mine.npz"), X=[[1.0, 2.0]], y=[2.0])
    ...     ht.sweeps.File(path).label
    'mine.npz'

    ```
    """

    kind: ClassVar[str] = "file"
    path: str
    sha256: str = ""
    target: str | None = None

    def __post_init__(self):
        path = Path(self.path).expanduser().absolute()
        if path.suffix.lower() not in (".npz", ".csv"):
            raise ValueError(f"path must end in .npz or .csv; got {str(self.path)!r}")
        _set(self, path=str(path))
        if not self.sha256:
            _set(self, sha256=digest_of(path))

    def __len__(self) -> int:
        return 1

    @property
    def label(self) -> str:
        return "_".join(Path(self.path).name.split())


@dataclass(frozen=True)
class Geometries:
    """A family of geometries over a grid of its parameter, or over all combinations of several.

    Arguments: `family`: what `ht.geometry.named` takes: gd, ham, mw, network, formula, or a class of your own;
      `parameters`: what makes a geometry of that class, by name: each number is a number, a list, or a grid.
    Errors: `ValueError` for an unknown family, parameters that it does not have, or at which there is no geometry;
      `TypeError` for what is no number.
    Source: own.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> block = ht.sweeps.Geometries("ham", {"alpha": {"start": 1.0, "stop": 100.0, "count": 3, "scale": "log"}})
    >>> len(block), block.at(np.array([1]))["alpha"].tolist()
    (3, [10.0])
    >>> ht.sweeps.Geometries.of(ht.DiagonalNetwork(depth=3, scale=[0.1, 1.0])).parameters
    {'depth': 3, 'scale': (0.1, 1.0)}

    ```
    """

    family: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        own = arguments_of(named(self.family))
        unknown = [name for name in self.parameters if own is not None and name not in own]
        if unknown:
            has = ", ".join(own) if own else "no parameter"
            raise ValueError(f"geometry {self.family} has no {', '.join(map(repr, unknown))}; it has: {has}")
        is_text = lambda value: isinstance(value, str)  # noqa: E731
        given = {
            name: grid(value, f"{self.family}'s {name}") if (own or {}).get(name, not is_text(value)) else value
            for name, value in self.parameters.items()
        }
        _set(self, parameters=given)
        try:
            inspect.signature(named(self.family)).bind(**given)
        except TypeError as error:
            raise ValueError(f"geometry {self.family}: {error}; got {', '.join(given) or 'nothing'}") from None
        self.build(self.at(np.arange(len(self))))
        believe(self.build(self.at(np.unique(np.linspace(0, len(self) - 1, 64).astype(int)))))

    @classmethod
    def of(cls, geo: AbstractGeometry) -> "Geometries":
        """The block of a geometry, whose arrays are grids.

        Errors: `ValueError` for an array with more than one axis.
        """
        found = {}
        for name, value in geo.arguments().items():
            if np.ndim(value) > 1:
                raise ValueError(f"{name} of {geo.name} must be a number or have one axis; got shape {np.shape(value)}")
            found[name] = np.asarray(value).tolist() if hasattr(value, "dtype") else value
        return cls(name_of(type(geo)), found)

    def __len__(self) -> int:
        return math.prod(self.shape)

    def _class(self) -> type[AbstractGeometry]:
        return named(self.family)

    @property
    def numbers(self) -> "dict[str, tuple[float, ...] | Grid]":
        """The grids, by the names of the parameters."""
        return {name: value for name, value in self.parameters.items() if isinstance(value, (tuple, Grid))}

    @property
    def fixed(self) -> dict[str, Any]:
        """The arguments that are no numbers of a grid: those that all geometries of the block have."""
        return {name: value for name, value in self.parameters.items() if name not in self.numbers}

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the grids of the parameters."""
        return tuple(len(numbers(value)) for value in self.numbers.values())

    @property
    def key(self) -> tuple[Any, ...]:
        """What geometries must share to be computed side by side."""
        return self.family, tuple(self.fixed.items()), tuple(self.numbers)

    @property
    def label(self) -> str:
        """One word for the block."""
        fixed = [str(value) for value in self.fixed.values() if not isinstance(value, str)]
        return "-".join([self._class().name, *fixed])

    def variable(self, name: str) -> str:
        """What data sets call a parameter: `parameter`, or `log_parameter`, of those that a geometry takes either way,
        like α or ln α; `parameter_NAME` otherwise."""
        own, plain = arguments_of(self._class()) or {}, name.removeprefix("log_")
        either = plain in own and f"log_{plain}" in own
        return ("log_" * name.startswith("log_") + "parameter") if either else f"parameter_{name}"

    def at(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The parameters of the geometries at these places, of any shape; in float64, of the same shape."""
        places = np.unravel_index(index, self.shape) if self.shape else ()
        found = zip(self.numbers.items(), places, strict=True)
        return {name: np.asarray(numbers(value)[place]) for (name, value), place in found}

    def build(self, values: Mapping[str, Any]) -> AbstractGeometry:
        """The geometries at these values of the parameters, as one.

        Errors: those of the class.
        """
        return self._class()(**self.fixed, **values)


@dataclass(frozen=True)
class Zeros:
    """The start θ₀ = 0.

    Source: own.

    ```python
    >>> import hamtheory as ht
    >>> len(ht.sweeps.Zeros())
    1

    ```
    """

    kind: ClassVar[str] = "zeros"

    def __len__(self) -> int:
        return 1

    def seed_of(self, index: np.ndarray) -> np.ndarray:
        """-1 everywhere, of the shape of `index`: nothing is random."""
        return np.full(np.shape(index), -1, np.int64)


@dataclass(frozen=True)
class Drawn(abc.ABC):
    """Starts of size `scale`, one a seed."""

    kind: ClassVar[str]
    scale: float
    seeds: Any = 0

    def __post_init__(self):
        _set(self, scale=number(self.scale, "scale"), seeds=seeds(self.seeds, "seeds"))
        if self.scale <= 0:
            raise ValueError(f"scale must be positive; got {self.scale:g}")

    def __len__(self) -> int:
        return len(self.seeds)

    def seed_of(self, index: np.ndarray) -> np.ndarray:
        """The seeds at these places, of any shape; of the same shape."""
        return self.seeds.at(index)

    @abc.abstractmethod
    def direction(self, rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
        """A start over its scale, for a problem with this θ*, (d,); NaN where it is not known."""


class Normal(Drawn):
    """Normal starts of standard deviation `scale`, one a seed: the same ones for every problem with that d.

    Fields: `scale` > 0. `seeds`: a seed, a list or a range of them, or a table with `start` and `count`.
    Errors: `ValueError` for a scale that is not positive, and negative seeds; `TypeError` for what is no number.
    Source: own.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> starts = ht.sweeps.Normal(0.1, seeds=[3, 7])
    >>> len(starts), starts.seed_of(np.array([1])).tolist()
    (2, [7])

    ```
    """

    kind: ClassVar[str] = "normal"

    def direction(self, rng, truth):
        return rng.standard_normal(len(truth))


class WrongSigns(Drawn):
    """Starts with all signs wrong: `θ₀ᵢ = −scale·sign(θ*ᵢ)`, and ±scale at random where θ*ᵢ = 0; one a seed.

    For problems with a ground truth.

    Fields: `scale` > 0. `seeds`: a seed, a list or a range of them, or a table with `start` and `count`.
    Errors: `ValueError` for a scale that is not positive, and negative seeds; `TypeError` for what is no number.
    Source: own.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> starts = ht.sweeps.WrongSigns(0.1)
    >>> (starts.scale * starts.direction(np.random.default_rng(0), np.array([1.0, -1.0]))).tolist()
    [-0.1, 0.1]

    ```
    """

    kind: ClassVar[str] = "wrong"

    def direction(self, rng, truth):
        return np.where(truth == 0, rng.choice([-1.0, 1.0], len(truth)), -np.sign(truth))


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _set(block: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(block, name, value)
