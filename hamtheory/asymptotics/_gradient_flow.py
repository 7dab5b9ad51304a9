"""The risk along gradient descent's flow, as integrals over the law of Marchenko and Pastur."""

from typing import Any

import numpy as np
from jaxtyping import Float

from .._array import Array, Struct, is_jax, quiet
from .._types import Parameter
from .._validate import is_traced, nonnegative, positive, real_array
from ._prior import broadcast, check_noise, law_of

_STEPS = (1 / 4, 1 / 8)
_REACH = (80.0, 55.0)  # of ln u: u^½ at the lower end, (1 − u)^(3/2) at the upper one
_CAUTION, _ROUNDING = 4, 1e-13


class FlowPrediction(Struct):
    """What gradient descent's flow looks like in high dimension, see `predict_gradient_flow`; arrays of one shape.

    Attributes:
        ts: The times.
        mse: The mean square error of a coordinate, `E(θ_t − Θ)²`: the sum of the next two.
        bias: Its part without noise.
        variance: Its part that is noise.
        residual: `‖y − Xθ_t‖²/n·d`.
        stats: `error` (relative, of all four: a multiple of what two rules differ by, the better of which counts).
    """

    ts: Float[Array, "..."]
    mse: Float[Array, "..."]
    bias: Float[Array, "..."]
    variance: Float[Array, "..."]
    residual: Float[Array, "..."]
    stats: dict[str, Array]


def predict_gradient_flow(ts: Parameter, *, delta: Parameter, prior: Any, sigma: Parameter = 0.0) -> FlowPrediction:
    """The mean square error of gradient descent's flow from zero at any time, as n and d grow in proportion.

    X has independent entries N(0, 1), `y = Xθ* + √n σξ`, n = δd, as in `predict`. In the eigenvectors of XᵀX/n a
    coordinate of θ_t is 1 − e^(−λt) of that of the least squares, so that with ρ the law of Marchenko and Pastur for
    the eigenvalues λ, which has 1 − δ of its mass at 0 if δ < 1,

        E(θ_t − Θ)² = EΘ² ∫ e^(−2λt) dρ(λ) + σ² ∫ (1 − e^(−λt))²/λ dρ(λ).

    Of the law of θ* only EΘ² matters. Only gradient descent's flow is linear in y: those of other geometries would
    take a dynamical mean-field theory.

    Args:
        ts: Times t ≥ 0, in those of `solve_flow`; all arguments that are arrays are broadcast.
        delta: δ = n/d > 0.
        prior: The law Θ, as in `predict`.
        sigma: σ ≥ 0.

    Returns:
        A `FlowPrediction`.

    Raises:
        TypeError: For traced values, and a prior of another kind.
        ValueError: For a negative time, a δ that is not positive, a negative σ, a prior that is no law, shapes that do
            not broadcast, and a signal or noise whose square is no number.

    References:
        [ali2019continuous], and what the best time costs over the best ridge.

    ```python
    >>> import hamtheory as ht
    >>> prior = ([0.0, 1.0], [0.9, 0.1])
    >>> ht.asymptotics.predict_gradient_flow([0.0, 1.0, 1e9], delta=0.5, prior=prior, sigma=0.1).mse.round(4).tolist()
    [0.1, 0.0581, 0.055]

    ```
    """
    if is_traced(ts, delta, sigma):
        raise TypeError("ts, delta and sigma must be concrete: predict_gradient_flow cannot be traced")
    law = law_of(prior)
    ts, delta, sigma = (np.asarray(value) if is_jax(value) else value for value in (ts, delta, sigma))
    ts = nonnegative(real_array(ts, "ts"), "ts").astype(float)
    delta = positive(real_array(delta, "delta"), "delta").astype(float)
    sigma = nonnegative(real_array(sigma, "sigma"), "sigma").astype(float)
    check_noise(sigma, law)
    shape = broadcast("ts, delta and sigma", {"ts": ts.shape, "delta": delta.shape, "sigma": sigma.shape})
    ts, delta, sigma = (np.array(np.broadcast_to(array, shape)) for array in (ts, delta, sigma))
    power = np.full(ts.shape, law.size**2)
    factors = np.stack([power, sigma**2, power, sigma**2], axis=-1)
    coarse, fine = (_sums(_integrals(ts, delta, step) * factors) for step in _STEPS)
    with quiet():
        moved = np.max(np.where(coarse == fine, 0, np.abs(coarse / fine - 1)), axis=0)
    error = np.asarray(_CAUTION * moved + _ROUNDING)
    return FlowPrediction(ts[()], *(part[()] for part in fine), stats={"error": error[()]})


def _sums(parts: np.ndarray) -> np.ndarray:
    """The error, its parts, and the residual, (4, ...)."""
    bias, variance, signal, noise = np.moveaxis(parts, -1, 0)
    return np.stack([bias + variance, bias, variance, signal + noise])


def _integrals(ts: np.ndarray, delta: np.ndarray, step: float) -> np.ndarray:
    """The four integrals of every instance, (..., 4)."""
    found = [_integral(t, ratio, step) for t, ratio in zip(ts.flat, delta.flat, strict=True)]
    return np.reshape(found, (*ts.shape, 4))


@quiet()
def _integral(t: float, delta: float, step: float) -> tuple[float, float, float, float]:
    """Of e^(−2λt), (1 − e^(−λt))²/λ, λ e^(−2λt), and of e^(−2λt) over XXᵀ; ρ has the total mass of one.

    The trapezoidal rule in ln u/(1 − u), λ = a + (b − a)u, with a and b the ends of the law: all terms are positive,
    and the integrands are analytic and bounded in a strip around the real line, whatever t is.
    """
    below, above = _REACH
    x = np.arange(-round((below + np.log1p(t)) / step), round(above / step) + 1) * step
    u, rest = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))
    root = np.sqrt(delta)
    least = ((delta - 1) / (root + 1) / root) ** 2  # (1 − 1/√δ)²
    s = least + 4 / root * u
    weights = step * 8 / np.pi * (u * rest) ** 1.5 / s
    left, done = np.exp(-2 * s * t), np.expm1(-s * t) ** 2 / s
    on = weights @ left
    return on + max(1 - delta, 0.0), weights @ done, weights @ (s * left), on + max(delta - 1, 0.0)
