"""What the panels of Woodworth et al., Figure 1, share: noisy samples of a vector with equal entries."""

import numpy as np

import hamtheory as ht


def problem(samples: int, d: int, sparsity: int, variance: float, seed: int) -> ht.LinearRegression:
    """Gaussian X, noise of this variance, and r* entries of 1/√r*."""
    rng = np.random.default_rng(seed)
    X, theta = rng.standard_normal((samples, d)), np.zeros(d)
    theta[rng.choice(d, sparsity, replace=False)] = 1 / np.sqrt(sparsity)
    return ht.LinearRegression(X, X @ theta + np.sqrt(variance) * rng.standard_normal(samples), theta)


def limits(one: ht.LinearRegression, alphas) -> np.ndarray:
    """The limits from w₊ = w₋ = α, (alphas, d): their γ is 2α²."""
    return np.asarray(ht.limit_path(one, ht.Hypentropy, np.log(2 * np.square(alphas)), tol=1e-8).thetas)


def errors(one: ht.LinearRegression, thetas) -> np.ndarray:
    """‖β − β*‖²: the excess population error."""
    return np.asarray(np.sum(np.square(thetas - one.theta_star), axis=-1))
