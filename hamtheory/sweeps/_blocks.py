"""What a sweep is made of: blocks of problems, of geometries and of starts."""

import abc
import hashlib
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .._grid import Grid, fields, grid, number, seeds
from .._validate import count
from ..geometry import AbstractGeometry, arguments_of, believe, name_of, named
from ..problem import datasets, draw_sparse, read_arrays

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray | None]


class Block(abc.ABC):
    """Problems or starts of one kind, one of them, or one a seed.

    Attributes:
        kind: What tables call it.
        seeds: The seeds; a block of one has none.
    """

    kind: ClassVar[str]
    seeds: Any

    def __len__(self) -> int:
        return len(self.seeds) if hasattr(self, "seeds") else 1

    def seed_of(self, index: np.ndarray) -> np.ndarray:
        """The seeds at these places.

        Args:
            index: The places, of any shape.

        Returns:
            Of the same shape; -1 where nothing is random.
        """
        own = getattr(self, "seeds", range(-1, 0))
        return own.start + np.asarray(index, np.int64) if isinstance(own, range) else np.asarray(own, np.int64)[index]


class Problems(Block):
    """A block of regression problems."""

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """One word for the block."""

    @property
    def shape(self) -> tuple[int, int] | None:
        """The shape of X, as far as the declaration knows it."""
        return None

    @abc.abstractmethod
    def arrays(self, place: int) -> Arrays:
        """The problem at a place.

        Args:
            place: Its number in the block.

        Returns:
            X, y and θ* (or None).
        """


@dataclass(frozen=True)
class Sparse(Problems):
    """The problems `ht.sparse_regression(n, d, k, seed, noise)` for every seed.

    Attributes:
        n: As in `ht.sparse_regression`.
        d: As in `ht.sparse_regression`.
        k: As in `ht.sparse_regression`.
        noise: As in `ht.sparse_regression`.
        seeds: A seed, a list or a range of them, or a table with `start` and `count`.

    Raises:
        ValueError: For numbers out of range.
        TypeError: For what is no number.

    References:
        As of `ht.sparse_regression`.

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

    @property
    def label(self) -> str:
        return f"sparse-{self.n}-{self.d}-{self.k}" + (f"-{self.noise:g}" if self.noise else "")

    @property
    def shape(self) -> tuple[int, int]:
        return self.n, self.d

    def arrays(self, place: int) -> Arrays:
        return draw_sparse(self.n, self.d, self.k, self.seeds[place], self.noise)


@dataclass(frozen=True)
class DataSet(Problems):
    """A real data set, `ht.datasets.load(name)`.

    Attributes:
        name: One of `ht.datasets.names()`.

    Raises:
        ValueError: For another name.

    References:
        As of `ht.datasets.load`.

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

    @property
    def label(self) -> str:
        return self.name

    @cache  # noqa: B019
    def arrays(self, place: int) -> Arrays:
        problem = datasets.load(self.name)
        return np.asarray(problem.X), np.asarray(problem.y), None


@dataclass(frozen=True)
class File(Problems):
    """The user's `.npz` with X and y (and theta_star, if it is known), or `.csv` with y in its last column.

    Attributes:
        path: Of the file.
        sha256: Of its content, taken now if it is left out: a file that changes later is refused.
        target: Of a `.csv`, the column that is y.

    Raises:
        ValueError: For another suffix.
        FileNotFoundError: If it is not there.

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
        _set(self, sha256=self.sha256 or self._digest())

    @property
    def label(self) -> str:
        return "_".join(Path(self.path).name.split())

    @cache  # noqa: B019
    def arrays(self, place: int) -> Arrays:
        found = self._digest()
        if found != self.sha256:
            raise ValueError(
                f"{self.path} has changed: its SHA-256 is {found[:12]}..., the spec has {self.sha256[:12]}..."
            )
        return read_arrays(self.path, self.target)

    def _digest(self) -> str:
        if not Path(self.path).is_file():
            raise FileNotFoundError(f"there is no file {self.path!r}")
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Geometries:
    """A family of geometries over a grid of its parameter, or over all combinations of several.

    Attributes:
        family: What `ht.geometry.named` takes: gd, ham, mw, network, formula, or a class of your own.
        parameters: What makes a geometry of that class, by name: each number is a number, a list, or a grid.

    Raises:
        ValueError: For an unknown family, parameters that it does not have, or at which there is no geometry.
        TypeError: For what is no number.

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
        is_number = lambda name, value: (own or {}).get(name, not isinstance(value, str))  # noqa: E731
        given = {
            name: grid(value, f"{self.family}'s {name}") if is_number(name, value) else value
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

        Args:
            geo: The geometry.

        Returns:
            The block.

        Raises:
            ValueError: For an array with more than one axis.
        """
        found = {}
        for name, value in geo.arguments().items():
            if np.ndim(value) > 1:
                raise ValueError(f"{name} of {geo.name} must be a number or have one axis; got shape {np.shape(value)}")
            found[name] = np.asarray(value).tolist() if hasattr(value, "dtype") else value
        return cls(name_of(type(geo)), found)

    def __len__(self) -> int:
        return math.prod(self.shape)

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
        return tuple(map(len, self.numbers.values()))

    @property
    def key(self) -> tuple[Any, ...]:
        """What geometries must share to be computed side by side."""
        return self.family, tuple(self.fixed.items()), tuple(self.numbers)

    @property
    def label(self) -> str:
        """One word for the block."""
        fixed = [str(value) for value in self.fixed.values() if not isinstance(value, str)]
        return "-".join([named(self.family).name, *fixed])

    def variable(self, name: str) -> str:
        """What data sets call a parameter.

        Args:
            name: Of the parameter.

        Returns:
            `parameter`, or `log_parameter`, of those that a geometry takes either way, like α or ln α; `parameter_NAME`
                otherwise.
        """
        own, plain = arguments_of(named(self.family)) or {}, name.removeprefix("log_")
        either = plain in own and f"log_{plain}" in own
        return ("log_" * name.startswith("log_") + "parameter") if either else f"parameter_{name}"

    def at(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The parameters of the geometries at these places.

        Args:
            index: The places, of any shape.

        Returns:
            Of each parameter, by name, an array of the same shape, in float64.
        """
        places = np.unravel_index(index, self.shape) if self.shape else ()
        found = zip(self.numbers.items(), places, strict=True)
        return {name: np.asarray(np.asarray(value)[place]) for (name, value), place in found}

    def build(self, values: Mapping[str, Any]) -> AbstractGeometry:
        """The geometries at these values of the parameters, as one.

        Args:
            values: Of each parameter of a grid, by name.

        Returns:
            A geometry.

        Raises:
            ValueError: As the class raises it.
            TypeError: As the class raises it.
        """
        return named(self.family)(**self.fixed, **values)


class Starts(Block):
    """A block of starts."""

    def direction(self, rng: np.random.Generator, truth: np.ndarray) -> np.ndarray | None:
        """A start over its `scale`.

        Args:
            rng: Draws it.
            truth: θ* of the problem, (d,), NaN where it is not known.

        Returns:
            Of shape (d,); None: zeros.
        """
        return None


@dataclass(frozen=True)
class Zeros(Starts):
    """The start θ₀ = 0.

    ```python
    >>> import hamtheory as ht
    >>> len(ht.sweeps.Zeros())
    1

    ```
    """

    kind: ClassVar[str] = "zeros"


@dataclass(frozen=True)
class Normal(Starts):
    """Normal starts of standard deviation `scale`, one a seed: the same ones for every problem with that d.

    Attributes:
        scale: Greater than 0.
        seeds: A seed, a list or a range of them, or a table with `start` and `count`.

    Raises:
        ValueError: For a scale that is not positive, and negative seeds.
        TypeError: For what is no number.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> starts = ht.sweeps.Normal(0.1, seeds=[3, 7])
    >>> len(starts), starts.seed_of(np.array([1])).tolist()
    (2, [7])

    ```
    """

    kind: ClassVar[str] = "normal"
    scale: float
    seeds: Any = 0

    def __post_init__(self):
        _set(self, scale=number(self.scale, "scale"), seeds=seeds(self.seeds, "seeds"))
        if self.scale <= 0:
            raise ValueError(f"scale must be positive; got {self.scale:g}")

    def direction(self, rng, truth):
        return rng.standard_normal(len(truth))


class WrongSigns(Normal):
    """Starts with all signs wrong: `θ₀ᵢ = −scale·sign(θ*ᵢ)`, and ±scale at random where θ*ᵢ = 0; one a seed.

    For problems with a ground truth.

    Attributes:
        scale: Greater than 0.
        seeds: A seed, a list or a range of them, or a table with `start` and `count`.

    Raises:
        ValueError: For a scale that is not positive, and negative seeds.
        TypeError: For what is no number.

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


_PROBLEMS: dict[str, type] = {kind.kind: kind for kind in (Sparse, DataSet, File)}
_STARTS: dict[str, type] = {kind.kind: kind for kind in (Zeros, Normal, WrongSigns)}


def problems_of(table: Any, name: str) -> Problems:
    """A block of problems from itself, or a table with its `kind`."""
    return table if isinstance(table, Problems) else _of_kind(table, _PROBLEMS, name)


def starts_of(table: Any, name: str) -> Starts:
    """A block of starts from itself, one of the words, or a table with its `kind`."""
    if isinstance(table, Starts):
        return table
    return _of_kind({"kind": table} if isinstance(table, str) else table, _STARTS, name)


def geometries_of(table: Any, name: str) -> Geometries:
    """A block of geometries, from a geometry or a table with its `family`; parameters may stand at the top level."""
    if isinstance(table, Geometries):
        return table
    if isinstance(table, AbstractGeometry):
        return Geometries.of(table)
    table = dict(_table(table, name))
    if "family" not in table:
        raise ValueError(f"{name} needs 'family'; got {', '.join(table) or 'nothing'}")
    family, inner = table.pop("family"), dict(_table(table.pop("parameters", {}), f"{name} parameters"))
    return Geometries(family, inner | table)


def _of_kind(table: Any, kinds: dict[str, type], name: str) -> Any:
    table = dict(_table(table, name))
    kind = table.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"{name} needs a kind, one of {', '.join(map(repr, kinds))}; got {kind!r}")
    return kinds[kind](**fields(table, kinds[kind], name))


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a table of names and values; got {value!r}")
    return value


def _set(block: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(block, name, value)
