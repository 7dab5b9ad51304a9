"""Where the flow of the logistic loss ends if no plane separates the classes.

The loss then has a least value, and the predictions `η = Xθ + b` that have it are unique. From zero `∇R(θ_t)` stays in
the row space, so that the flow ends at `argmin { R(θ) : Xθ + b = η }`: of few columns it is the one θ of maximum
likelihood, whatever the geometry, of many the one that the geometry prefers.
"""

from typing import NamedTuple

import numpy as np

from .._array import quiet

_SHORTEST = 1e-12


class Likelihood(NamedTuple):
    """The predictions η of the least loss, (n,), and an orthonormal basis of all predictions.

    `is_finite`: whether it is proved that the loss has a least value, which it is by weights w > 0 with `Xᵀ(z w) = 0`.
    """

    predictions: np.ndarray
    basis: np.ndarray
    is_finite: bool
    steps: int

    def gradient_at(self, predictions: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
        """The length of the gradient in the basis over that of its terms."""
        pull, _ = _slopes(predictions, z, weights)
        return _relative((z * pull) @ self.basis, pull)


def least_loss(
    X: np.ndarray, z: np.ndarray, weights: np.ndarray, *, intercept: bool, tol: float, max_steps: int
) -> Likelihood:
    """The predictions of least `Σ w_i ln(1 + e^(−z_i η_i))`, by Newton's method in a basis of the range of X."""
    basis = _range(np.hstack([X, np.ones((len(X), 1))]) if intercept else X)
    place, steps, is_last = np.zeros(basis.shape[1]), 0, False
    pull, curvature = _slopes(basis @ place, z, weights)
    gradient = -(z * pull) @ basis
    while steps < max_steps and not is_last and gradient.any():
        is_last = _relative(gradient, pull) <= tol  # one step more, as it converges quadratically
        step, t = _newton(basis, curvature, gradient), 2.0
        steps += 1
        while t > _SHORTEST:  # until the loss does not rise too fast again: it is convex
            t /= 2
            pull, curvature = _slopes(basis @ (place + t * step), z, weights)
            there = -(z * pull) @ basis
            if step @ there <= 0.5 * abs(step @ gradient):
                break
        place, gradient = place + t * step, there
    # By a change of each in proportion to itself the weights have a gradient of exactly 0: do they stay positive?
    change = basis @ _newton(basis, pull, gradient)
    return Likelihood(basis @ place, basis, bool(np.max(np.abs(change)) < 1), steps)


def _slopes(predictions: np.ndarray, z: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minus the slopes of the loss in the margins, and its second derivatives."""
    from scipy.special import expit

    margins = z * predictions
    pull = weights * expit(-margins)
    return pull, pull * expit(margins)


def _relative(gradient: np.ndarray, pull: np.ndarray) -> float:
    return float(np.linalg.norm(gradient) / np.linalg.norm(pull))


def _newton(basis: np.ndarray, weights: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    with quiet():
        return -np.linalg.lstsq((basis.T * weights) @ basis, gradient, rcond=None)[0]


def _range(matrix: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the range, of columns brought to one size before, which does not change it."""
    sizes = np.max(np.abs(matrix), axis=0)
    columns = matrix[:, sizes > 0] / sizes[sizes > 0]
    left, spread, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, spread > max(columns.shape) * np.finfo(float).eps * np.max(spread, initial=0.0)]
