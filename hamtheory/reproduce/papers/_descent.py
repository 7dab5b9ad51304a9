"""Gradient descent on diagonal networks at many step sizes, with full gradients and with single samples."""

import jax
import numpy as np

import hamtheory as ht


def descended(problem, gamma, rates, *, steps: int, batch_size: int | None, seed: int, draws: int = 1, **how):
    """Runs from θ = 0 of every rate, each with so many draws of the samples: a `RunResult` of (rates · draws) runs."""
    bare = ht.LinearRegression(problem.X, problem.y)
    every = np.repeat(np.asarray(rates, float), draws)
    return ht.run_many(
        bare,
        ht.ProductGD(gamma=gamma),
        np.zeros((every.size, problem.d)),
        learning_rate=every,
        steps=steps,
        batch_size=batch_size,
        key=None if batch_size is None else jax.random.key(seed),
        save_every=steps,
        progress=False,
        **how,
    )


def errors(problem, thetas) -> np.ndarray:
    """‖θ − θ*‖²."""
    return np.asarray(np.sum(np.square(np.asarray(thetas) - problem.theta_star), axis=-1))
