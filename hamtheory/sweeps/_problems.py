"""Blocks of problems: drawn, real, or the user's."""

import abc
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .._grid import number, seeds
from .._validate import count
from ..problem import datasets, draw_sparse, read_arrays
from ._block import Block, of_kind, settle

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray | None]


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
        settle(self, n=count(self.n, "n"), d=count(self.d, "d"), k=count(self.k, "k", least=0))
        settle(self, noise=number(self.noise, "noise"), seeds=seeds(self.seeds, "seeds"))
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
        settle(self, path=str(path))
        settle(self, sha256=self.sha256 or self._digest())

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


_KINDS: dict[str, type] = {kind.kind: kind for kind in (Sparse, DataSet, File)}


def problems_of(table: Any, name: str) -> Problems:
    """A block of problems from itself, or a table with its `kind`."""
    return table if isinstance(table, Problems) else of_kind(table, _KINDS, name)
