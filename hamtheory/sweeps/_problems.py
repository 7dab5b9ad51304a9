"""Blocks of problems, regressions or classifications: drawn, real, or the user's."""

import abc
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .._grid import number, seeds
from .._validate import count
from ..problem import (
    SUFFIXES,
    BinaryClassification,
    datasets,
    draw_sparse,
    gaussian_mixture,
    read_arrays,
    sparse_classification,
    suffix_of,
)
from ._block import Block, of_kind, settle

_LOSS = "logistic"  # where none is named
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray | None]


class Ensemble(NamedTuple):
    """What is known of Gaussian problems, however large.

    Attributes:
        delta: n/d.
        sigma: Standard deviation of the noise over √n.
        share: Of the entries of θ* that are not 0.
        size: Of these.

    ```python
    >>> import hamtheory as ht
    >>> ht.sweeps.Sparse(n=40, d=100, k=5).ensemble(0)
    Ensemble(delta=0.4, sigma=0.0, share=0.05, size=1.0)

    ```
    """

    delta: float
    sigma: float
    share: float
    size: float


class Problems(Block):
    """A block of problems.

    Attributes:
        drawn: Whether there are arrays, drawn or read.
        loss: That of classifications; None: they are regressions.
    """

    drawn: ClassVar[bool] = True
    loss: str | None = None

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
            X, y or the classes, and θ* (or None).
        """

    def ensemble(self, place: int) -> Ensemble | None:
        """What the problem at a place is one of.

        Args:
            place: Its number in the block.

        Returns:
            The ensemble; None for data, and where no theory is known.
        """
        return None


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

    def ensemble(self, place: int) -> Ensemble:
        return Ensemble(self.n / self.d, self.noise / self.n**0.5, self.k / self.d, 1.0)


@dataclass(frozen=True)
class _Classes(Problems):
    """What drawn classifications share."""

    _words: ClassVar[tuple[str, ...]]  # the fields in the label; of `flip` only where there is one
    n: int
    d: int

    def __post_init__(self):
        settle(self, n=count(self.n, "n", least=2), d=count(self.d, "d"), seeds=seeds(self.seeds, "seeds"))
        _known(self.loss)

    @property
    def label(self) -> str:
        own = [f"{getattr(self, name):g}" for name in self._words if getattr(self, name) or name != "flip"]
        words = [self.kind, *own, *([] if self.loss == _LOSS else [self.loss])]
        return "-".join(words)

    @property
    def shape(self) -> tuple[int, int]:
        return self.n, self.d


@dataclass(frozen=True)
class SparseClassification(_Classes):
    """The problems `ht.sparse_classification(n, d, k, seed, flip)` for every seed.

    Attributes:
        n: As in `ht.sparse_classification`.
        d: As in `ht.sparse_classification`.
        k: As in `ht.sparse_classification`.
        flip: As in `ht.sparse_classification`.
        loss: "logistic" or "exponential".
        seeds: A seed, a list or a range of them, or a table with `start` and `count`.

    Raises:
        ValueError: For numbers out of range, and another loss.
        TypeError: For what is no number.

    References:
        As of `ht.sparse_classification`.

    ```python
    >>> import hamtheory as ht
    >>> block = ht.sweeps.SparseClassification(n=15, d=30, k=3, seeds=range(8))
    >>> len(block), block.label
    (8, 'sparse-classification-15-30-3')

    ```
    """

    kind: ClassVar[str] = "sparse-classification"
    _words: ClassVar[tuple[str, ...]] = ("n", "d", "k", "flip")
    k: int
    flip: float = 0.0
    loss: str = "logistic"
    seeds: Any = 0

    def __post_init__(self):
        super().__post_init__()
        settle(self, k=count(self.k, "k"), flip=number(self.flip, "flip"))
        if self.k > self.d:
            raise ValueError(f"k must be at most d = {self.d}; got {self.k}")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip must be a probability, from 0 to 1; got {self.flip:g}")

    def arrays(self, place: int) -> Arrays:
        return _arrays_of(sparse_classification(self.n, self.d, self.k, self.seeds[place], self.flip))


@dataclass(frozen=True)
class Mixture(_Classes):
    """The problems `ht.gaussian_mixture(n, d, separation, seed)` for every seed.

    Attributes:
        n: As in `ht.gaussian_mixture`.
        d: As in `ht.gaussian_mixture`.
        separation: As in `ht.gaussian_mixture`.
        loss: "logistic" or "exponential".
        seeds: A seed, a list or a range of them, or a table with `start` and `count`.

    Raises:
        ValueError: For numbers out of range, and another loss.
        TypeError: For what is no number.

    References:
        As of `ht.gaussian_mixture`.

    ```python
    >>> import hamtheory as ht
    >>> ht.sweeps.Mixture(n=40, d=10, separation=4.0, loss="exponential").label
    'mixture-40-10-4-exponential'

    ```
    """

    kind: ClassVar[str] = "mixture"
    _words: ClassVar[tuple[str, ...]] = ("n", "d", "separation")
    separation: float
    loss: str = "logistic"
    seeds: Any = 0

    def __post_init__(self):
        super().__post_init__()
        settle(self, separation=number(self.separation, "separation"))
        if self.separation < 0:
            raise ValueError(f"separation must not be negative; got {self.separation:g}")

    def arrays(self, place: int) -> Arrays:
        return _arrays_of(gaussian_mixture(self.n, self.d, self.separation, self.seeds[place]))


@dataclass(frozen=True)
class DataSet(Problems):
    """A real data set, `ht.datasets.load(name)`.

    Attributes:
        name: One of `ht.datasets.names()` or of `ht.datasets.names("classification")`.
        loss: Of classes, "logistic", which it is if left out, or "exponential".

    Raises:
        ValueError: For another name, another loss, and a loss of what has no classes.

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
    loss: str | None = None

    def __post_init__(self):
        known = datasets.names() + datasets.names("classification")
        if self.name not in known:
            raise ValueError(f"name must be one of {', '.join(map(repr, known))}; got {self.name!r}")
        if self.name in datasets.names("classification"):
            settle(self, loss=_known(self.loss or _LOSS))
        elif self.loss is not None:
            raise ValueError(f"loss is for classes, which {self.name!r} has not; got {self.loss!r}")

    @property
    def label(self) -> str:
        return self.name

    @cache  # noqa: B019
    def arrays(self, place: int) -> Arrays:
        return _arrays_of(datasets.load(self.name))


@dataclass(frozen=True)
class File(Problems):
    """The user's file, of any kind that `ht.read_problem` reads.

    Attributes:
        path: As in `ht.read_problem`.
        sha256: Of its content, taken now if it is left out: a file that changes later is refused.
        target: As in `ht.read_problem`.
        loss: "logistic" or "exponential": y are classes, ±1 or 0 and 1, of text also yes and no; left out: it is a
            regression.
        decimal: As in `ht.read_problem`; left out: a point.

    Raises:
        ValueError: For another suffix, and another loss.
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
    loss: str | None = None
    decimal: str | None = None  # no ".", so that stores from before there was one are still those of their specs

    def __post_init__(self):
        if self.loss is not None:
            _known(self.loss)
        path = Path(self.path).expanduser().absolute()
        if suffix_of(str(path)) not in SUFFIXES:
            raise ValueError(f"path must end in {', '.join(SUFFIXES)}; got {str(self.path)!r}")
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
        X, y, truth = read_arrays(self.path, self.target, decimal=self.decimal or ".", classes=self.loss is not None)
        if self.loss:
            try:
                BinaryClassification(np.ones((len(y), 1)), y)
            except ValueError as error:
                raise ValueError(f"{self.path}, whose y are classes: {error}") from None
        return X, y, truth

    def _digest(self) -> str:
        if not Path(self.path).is_file():
            raise FileNotFoundError(f"there is no file {self.path!r}")
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _known(loss: Any) -> str:
    """The loss, if a classification has such a one."""
    return BinaryClassification(np.ones((2, 1)), np.array([0, 1]), loss).loss_name


def _arrays_of(problem: Any) -> Arrays:
    return problem.X, problem.z if isinstance(problem, BinaryClassification) else problem.y, problem.theta_star


KINDS: dict[str, type] = {kind.kind: kind for kind in (Sparse, SparseClassification, Mixture, DataSet, File)}


def problems_of(table: Any, name: str) -> Problems:
    """A block of problems from itself, or a table with its `kind`."""
    return table if isinstance(table, Problems) else of_kind(table, KINDS, name)
