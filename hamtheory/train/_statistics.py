"""What a number of seeds says about a mean, and about a difference of two methods."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.special import stdtrit  # that of scipy.stats takes a second to import

Instances = Float[np.ndarray, "*instances"]
Counts = Int[np.ndarray, "*instances"]


class Interval(NamedTuple):
    """A mean, and the ends of its confidence interval; see `interval`.

    Attributes:
        mean: float64, (...).
        low: The lower end, float64, (...).
        high: The upper end, float64, (...).
    """

    mean: Instances
    low: Instances
    high: Instances


class Paired(NamedTuple):
    """A mean difference, and the ends of its confidence interval; see `paired`.

    Attributes:
        mean: float64, (...).
        low: The lower end, float64, (...).
        high: The upper end, float64, (...).
        pairs: How many count.
        higher: In how many of them the first value is higher.
        lower: In how many of them the first value is lower.
    """

    mean: Instances
    low: Instances
    high: Instances
    pairs: Counts
    higher: Counts
    lower: Counts


def interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """The mean of some values and Student's confidence interval: `x̄ ± t s/√n`.

    s² is the variance with n − 1 below, and t the quantile `(1 + level)/2` of Student's distribution with n − 1 degrees
    of freedom. It is exact for independent normal values. Over seeds that share one split of the data it says how
    surely the mean over *seeds* is known; what another test set would give is in `sampling_error`.

    Args:
        values: Real numbers, (..., n), one for each seed; NaN is a seed that is left out.
        level: Between 0 and 1.

    Returns:
        An `Interval` of `mean`, `low`, `high`, float64, (...). The ends are NaN for less than two values, the mean for
            none.

    Raises:
        ValueError: For values without an axis, infinite ones, and a level out of range.

    References:
        Student's t, of any textbook.

    ```python
    >>> import numpy as np, hamtheory.train as htt
    >>> mean, low, high = htt.interval([1.0, 2.0, 3.0, np.nan])
    >>> round(float(mean), 4), round(float(low), 4), round(float(high), 4)  # 2 ± 4.3027/√3
    (2.0, -0.4841, 4.4841)

    ```
    """
    x = _values(values, "values")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1; got {level}")
    known = ~np.isnan(x)
    n = known.sum(axis=-1)
    mean = _ratio(np.where(known, x, 0.0).sum(axis=-1), n)
    squares = np.where(known, (x - mean[..., None]) ** 2, 0.0).sum(axis=-1)
    half = stdtrit(np.maximum(n - 1, 1), (1 + level) / 2) * np.sqrt(_ratio(squares, (n - 1) * n))
    return Interval(mean, np.asarray(mean - half), np.asarray(mean + half))


def paired(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Paired:
    """The mean of `a − b` over pairs, and Student's confidence interval of it, as `interval`.

    A pair is the same seed with and without something: the same initial weights, batches and images. What both have in
    common cancels, so this interval is narrower than two separate ones suggest.

    Args:
        a: Real numbers, (..., n), one for each seed; a pair with a NaN is left out.
        b: Real numbers of the same shape as `a`.
        level: As of `interval`.

    Returns:
        A `Paired` of `mean`, `low`, `high`, float64, as of `interval`; `pairs`, how many count; `higher`, `lower`: in
            how many of them a > b, and a < b. All of shape (...).

    Raises:
        ValueError: As of `interval`, and for different shapes.

    References:
        Student's t, of any textbook.

    ```python
    >>> import numpy as np, hamtheory.train as htt
    >>> found = htt.paired([0.5, 0.75, 1.0, np.nan], [0.25, 0.75, 0.25, 0.5])
    >>> round(float(found.mean), 4), int(found.pairs), int(found.higher), int(found.lower)
    (0.3333, 3, 2, 0)

    ```
    """
    x, y = _values(a, "a"), _values(b, "b")
    if x.shape != y.shape:
        raise ValueError(f"a and b must have the same shape, one entry a pair; got {x.shape} and {y.shape}")
    numbers = (np.asarray(found.sum(axis=-1)) for found in (~np.isnan(x - y), x > y, x < y))
    return Paired(*interval(x - y, level), *numbers)


def sampling_error(accuracy: ArrayLike, images: int) -> Instances:
    """The standard error of an accuracy that comes from the number of test images: `√(p (1 − p)/n)`, binomial.

    For the mean of several networks on the same images it is an upper bound: reached if they err on the same images.

    Args:
        accuracy: p, from 0 to 1, (...), or NaN.
        images: n.

    Returns:
        float64, (...).

    Raises:
        ValueError: For numbers out of range.

    References:
        The binomial variance.

    ```python
    >>> import hamtheory.train as htt
    >>> float(htt.sampling_error(0.9, 900))
    0.01

    ```
    """
    p = np.asarray(accuracy, np.float64)
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"accuracy must be from 0 to 1; got {p}")
    if images < 1:
        raise ValueError(f"images must be at least 1; got {images}")
    return np.asarray(np.sqrt(p * (1 - p) / images))


def _values(values: ArrayLike, name: str) -> np.ndarray:
    x = np.asarray(values, np.float64)
    if x.ndim == 0:
        raise ValueError(f"{name} must have an axis, one entry a seed; got the number {x}")
    if np.isinf(x).any():
        raise ValueError(f"{name} must be finite, or NaN for a seed that is left out; got an infinity")
    return x


def _ratio(sums, n) -> np.ndarray:
    """NaN where n is not positive."""
    return np.where(n > 0, sums / np.maximum(n, 1), np.nan)
