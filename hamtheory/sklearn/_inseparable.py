"""Where the flow of the logistic loss ends if no plane separates the classes.

The loss then has a least value, and the predictions `η = Xθ + b` at which it has it are unique. From zero `∇R(θ_t)` stays
in the row space, so that the flow ends at `argmin { R(θ) : Xθ + b = η }`: of few columns it is the one θ of maximum
likelihood, whatever the geometry, of many the one that the geometry prefers.
"""

from typing import NamedTuple

import numpy as np

from .._array import quiet

_SHORTEST = 1e-12


class Likelihood(NamedTuple):
    """The predictions η of the least loss, (n,).

    `gradient`: the length of the gradient in an orthonormal basis of the predictions over that of its terms.
    `is_finite`: whether it is proved that the loss has a least value, which it is by weights w > 0 with `Xᵀ(z w) = 0`.
    """

    predictions: np.ndarray
    gradient: float
    is_finite: bool
    steps: int


def least_loss(
    X: np.ndarray, z: np.ndarray, weights: np.ndarray, *, intercept: bool, tol: float, max_steps: int
) -> Likelihood:
    """The predictions of least `Σ w_i ln(1 + e^(−z_i η_i))`, by Newton's method in a basis of the range of X."""
    basis = _range(np.hstack([X, np.ones((len(X), 1))]) if intercept else X)
    place, steps, polished = np.zeros(basis.shape[1]), 0, False
    value, pull, slopes = _loss(basis @ place, z, weights)
    while True:
        gradient = -(z * pull) @ basis
        relative = float(np.linalg.norm(gradient) / np.linalg.norm(pull))
        if polished or steps >= max_steps or not np.isfinite(relative):
            break
        polished = relative <= tol  # one step more, as it converges quadratically
        step = _newton(basis, slopes, gradient)
        t, steps = 1.0, steps + 1
        while True:
            there = place + t * step
            found = _loss(basis @ there, z, weights)
            if found[0] <= value or t < _SHORTEST:
                break
            t /= 2
        if t < _SHORTEST:
            polished = True
            continue
        place, (value, pull, slopes) = there, found
    # Weights of the samples with a gradient of exactly 0, if those of this point can be made so and stay positive.
    is_finite = bool(np.all(np.abs(basis @ gradient) < pull))
    return Likelihood(basis @ place, relative, is_finite, steps)


def _loss(predictions: np.ndarray, z: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss, minus its slopes in the margins, and its second derivatives."""
    from scipy.special import expit

    margins = z * predictions
    pull = expit(-margins)
    return float(weights @ np.logaddexp(0.0, -margins)), weights * pull, weights * pull * expit(margins)


def _newton(basis: np.ndarray, slopes: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    with quiet():
        return -np.linalg.lstsq((basis.T * slopes) @ basis, gradient, rcond=None)[0]


def _range(matrix: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the range, of columns brought to one size before, which does not change it."""
    sizes = np.max(np.abs(matrix), axis=0)
    columns = matrix[:, sizes > 0] / sizes[sizes > 0]
    left, spread, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, spread > max(columns.shape) * np.finfo(float).eps * np.max(spread, initial=0.0)]
