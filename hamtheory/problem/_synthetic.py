"""Random problems, reproducible from their seed."""

import numpy as np

from .._validate import count, nonnegative_number
from ._classification import BinaryClassification
from ._regression import LinearRegression


def sparse_regression(n: int, d: int, k: int, seed: int = 0, noise: float = 0.0) -> LinearRegression:
    """A random sparse regression problem: `y = X θ* + noise · ε`, with standard Gaussian X and ε.

    Args:
        n: The number of rows.
        d: The number of columns.
        k: So many entries of θ*, at random places, are ±1 with random signs, and the others 0.
        seed: Of `numpy.random.default_rng`, the same numbers on every machine and in every dtype.
        noise: The standard deviation of the noise.

    Returns:
        A `LinearRegression` with `theta_star`, in float64.

    Raises:
        TypeError: For counts that are no integers.
        ValueError: For n or d below 1, k below 0 or above d, a negative seed, and noise that is negative or not finite.

    References:
        The set-up of [woodworth2020kernel] and [pesme2021implicit].

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.sparse_regression(n=40, d=100, k=5, seed=1)
    >>> problem.n, problem.d, int((problem.theta_star != 0).sum())
    (40, 100, 5)

    ```
    """
    n, d, k = count(n, "n"), count(d, "d"), count(k, "k", least=0)
    if k > d:
        raise ValueError(f"k must be at most d = {d}; got {k}")
    return LinearRegression(*draw_sparse(n, d, k, seed, float(nonnegative_number(noise, "noise"))))


def draw_sparse(n: int, d: int, k: int, seed: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arrays of `sparse_regression`, not yet a problem: for whoever draws many.

    The arguments are not checked.

    Args:
        n: As in `sparse_regression`.
        d: As in `sparse_regression`.
        k: As in `sparse_regression`.
        seed: As in `sparse_regression`.
        noise: As in `sparse_regression`.

    Returns:
        X (n, d), y (n,) and θ* (d,), in float64.

    References:
        As of `sparse_regression`.

    ```python
    >>> import hamtheory as ht
    >>> X, y, truth = ht.problem.draw_sparse(4, 8, 2, seed=0, noise=0.0)
    >>> bool((X @ truth == y).all())
    True

    ```
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    theta_star = np.zeros(d)
    theta_star[rng.choice(d, k, replace=False)] = rng.choice([-1.0, 1.0], k)
    y = X @ theta_star + noise * rng.standard_normal(n)
    return X, y, theta_star


def sparse_classification(n: int, d: int, k: int, seed: int = 0, flip: float = 0.0) -> BinaryClassification:
    """A random classification by a sparse teacher: `z = sign(X θ*)` with standard Gaussian X, and some classes wrong.

    The two classes are of one size, up to one sample: of every sample either x or −x is taken, which leaves it standard
    Gaussian given its class.

    Args:
        n: The number of samples, at least 2.
        d: The number of columns.
        k: So many entries of θ*, at random places, are ±1 with random signs, and the others 0.
        seed: Of `numpy.random.default_rng`.
        flip: The probability with which a sample is given the other class, from 0 to 1.

    Returns:
        A `BinaryClassification` with `theta_star`, in float64. Without flips θ* separates the classes.

    Raises:
        TypeError: For counts that are no integers.
        ValueError: For n below 2, d or k below 1, k above d, a negative seed, a flip out of range, and if the flips
            have left one class alone.

    References:
        As of `sparse_regression`, with classes in place of numbers.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.sparse_classification(n=40, d=100, k=5)
    >>> bool((problem.margins(problem.theta_star) > 0).all()), int(problem.z.sum())
    (True, 0)

    ```
    """
    n, d, k = count(n, "n", least=2), count(d, "d"), count(k, "k")
    if k > d:
        raise ValueError(f"k must be at most d = {d}; got {k}")
    flip = float(nonnegative_number(flip, "flip"))
    if flip > 1:
        raise ValueError(f"flip must be a probability, at most 1; got {flip:g}")
    rng = np.random.default_rng(count(seed, "seed", least=0))
    X = rng.standard_normal((n, d))
    theta_star = np.zeros(d)
    theta_star[rng.choice(d, k, replace=False)] = rng.choice([-1.0, 1.0], k)
    z = np.resize([1.0, -1.0], n)
    X = X * (z * np.sign(X @ theta_star))[:, None]
    return BinaryClassification(X, np.where(rng.random(n) < flip, -z, z), theta_star=theta_star)


def gaussian_mixture(n: int, d: int, separation: float, seed: int = 0) -> BinaryClassification:
    """Two Gaussian classes of one size, `x = z μ + ε`, with standard Gaussian ε and means in a random direction.

    Args:
        n: The number of samples, at least 2.
        d: The number of columns.
        separation: The distance 2‖μ‖ of the means, in standard deviations: the best classifier, the sign of ⟨μ, x⟩,
            is wrong with probability Φ(−‖μ‖).
        seed: Of `numpy.random.default_rng`.

    Returns:
        A `BinaryClassification` in float64, with μ/‖μ‖ as `theta_star`.

    Raises:
        TypeError: For counts that are no integers.
        ValueError: For n below 2, d below 1, a negative seed, and a separation that is negative or not finite.

    References:
        The textbook set-up of linear discriminant analysis.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.gaussian_mixture(n=40, d=10, separation=20.0)
    >>> float(problem.margins(problem.theta_star).mean().round(0)), problem.is_separable
    (10.0, True)

    ```
    """
    n, d = count(n, "n", least=2), count(d, "d")
    separation = float(nonnegative_number(separation, "separation"))
    rng = np.random.default_rng(count(seed, "seed", least=0))
    direction = rng.standard_normal(d)
    direction /= np.linalg.norm(direction)
    z = np.resize([1.0, -1.0], n)
    X = separation / 2 * np.outer(z, direction) + rng.standard_normal((n, d))
    return BinaryClassification(X, z, theta_star=direction)
