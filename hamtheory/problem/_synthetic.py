"""Random regression problems, reproducible from their seed."""

import numpy as np

from .._validate import count, nonnegative_number
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
