"""Stochastic differential equations that follow stochastic gradient descent in law."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray, UInt

from .._array import Array
from .._device import device_engine, positive, real_array, start, strength, times
from .._result import NAMES
from .._types import Number, Times, Vector
from .._validate import count, is_traced
from ..algorithm import AbstractAlgorithm, ProductGD
from ..geometry import AbstractGeometry
from ..metrics import gradient_second_moments, relative_residual
from ..problem import BinaryClassification, LinearRegression

NOISES = ("samples", "isotropic")


class StochasticFlowResult(eqx.Module):
    """Paths of a stochastic flow; see `stochastic_flow`.

    Attributes:
        ts: Times, (times,).
        thetas: θ along the paths, (paths, times, d).
        theta: The last points, (paths, d).
        loss: The loss along the paths, (paths, times).
        residual: `‖Xθ − y‖/‖y‖` at the ends, (paths,); of a classification, None.
        shift: What has moved the limit, (paths, times, d): of `ProductGD`, `ln(γ₀/γ_t)`; of the other algorithms c, by
            which the drift κ has moved `R′(θ_t) − R′(θ₀)` away from the row space of X.
        result: How each ended, `reached_end` or `nonfinite`, an index of `hamtheory.NAMES`, (paths,).
    """

    ts: Float[Array, " times"]
    thetas: Float[Array, "paths times d"]
    theta: Float[Array, "paths d"]
    loss: Float[Array, "paths times"]
    residual: Float[Array, " paths"] | None
    shift: Float[Array, "paths times d"]
    result: Int[Array, " paths"]


@device_engine
def stochastic_flow(
    problem: LinearRegression | BinaryClassification,
    algorithm: AbstractAlgorithm,
    theta0: Vector | None = None,
    *,
    learning_rate: Number,
    ts: Times,
    key: PRNGKeyArray | UInt[Array, "2"],
    batch_size: int | None = None,
    label_noise: Number = 0.0,
    paths: int = 1,
    substeps: int = 10,
    noise: str = "samples",
) -> StochasticFlowResult:
    """Paths of the stochastic differential equation that an algorithm with random gradients follows in law.

    With the time t = ηk and in mirror coordinates, `μ = R′(θ) = R′(θ₀) + Xᵀν + c` and

        dν = −(Xθ − y)/n dt + √η S(θ) dB,        dc = ½ η κ(θ) E[g²] dt,

    S Sᵀ being the covariance of a mini-batch's gradient in the coordinates ν, `E[g²]` the second moments of its
    entries, and κ the drift coefficient of the algorithm (`ht.symbolic.ito_drift`): 0 of `GD` and mirror descent,
    `α sign(θ)/(1+α|θ|)` of `HYP` and `HAMStep`, `−α sign(θ)` of the natural gradient of HAM. Of `ProductGD` c is 0,
    and `d ln γ = −η E[g²] dt` instead. All noise is in the row space of X: the limit moves by c, or by γ, alone.
    Of a classification, its `residual` stands for Xθ − y.

    Of order one in η in law, on times of order one: so are the loss, and the mean of the limit. The spread of the limit
    is of order η^(3/2) and beyond the model, which has no third moments.

    Args:
        problem: Any regression or classification.
        algorithm: One of those above, without weight decay, clipping or resets; or a rule of your own with `of_flow`
            and `mirror_drift`.
        theta0: The start, (d,); zeros if left out.
        learning_rate: η > 0.
        ts: Increasing times at which to save.
        key: Of `jax.random.key`.
        batch_size: Drawn with replacement, as in `run`. At least one of this and `label_noise`.
        label_noise: As in `run`, of regressions.
        paths: How many.
        substeps: Steps of the Euler–Maruyama method within η.
        noise: "samples", with the covariance of the mini-batches, or "isotropic", the model of [pesme2021implicit]: all
            squared residuals equal to their mean, and gradients not centred.

    Returns:
        A `StochasticFlowResult`. Nothing is raised for a path that leaves the range of numbers; its `result` says so.

    Raises:
        ValueError: For bad arguments.
        TypeError: For bad arguments.

    References:
        [pesme2021implicit] for m⊙w; the derivation of κ is our own.

    ```python
    >>> import jax
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0], [1.0, -1.0], [0.5, 0.5]], [2.0, 0.5, 1.0])
    >>> flow = ht.stochastic_flow(
    ...     problem, ht.ProductGD(gamma=0.1), learning_rate=0.02, ts=[9.0], batch_size=1, key=jax.random.key(0)
    ... )
    >>> flow.thetas.shape, bool((flow.shift > 0).all())
    ((1, 1, 2), True)

    ```
    """
    if noise not in NOISES:
        raise ValueError(f"noise must be one of {', '.join(map(repr, NOISES))}; got {noise!r}")
    problem = problem.without_truth()
    if batch_size is not None and count(batch_size, "batch_size") > problem.n:
        raise ValueError(f"batch_size must be at most the {problem.n} samples of the problem; got {batch_size}")
    delta, noisy = strength(label_noise, "label_noise", problem.dtype)
    if noisy and isinstance(problem, BinaryClassification):
        raise ValueError(f"label_noise must be 0 for a classification, whose labels are classes; got {label_noise!r}")
    if batch_size is None and not noisy:
        raise ValueError("give batch_size or label_noise: without either there is no noise, see solve_flow")
    theta0 = start(theta0, problem.d, problem.dtype)
    geometry = jax.tree.map(lambda x: x.astype(problem.dtype), _checked(algorithm, problem, theta0))
    eta = positive(real_array(learning_rate, "learning_rate", ndim=0), "learning_rate").astype(problem.dtype)
    ts = times(ts, problem.dtype)
    if not isinstance(key, jax.Array):
        raise TypeError(f"key must be a key such as jax.random.key(0); got {key!r}")
    model = _Model(
        problem,
        algorithm.in_dtype(problem.dtype),
        geometry,
        geometry.mirror_map(theta0),
        eta,
        delta if noisy else None,
        batch_size,
        noise == "isotropic",
    )
    keys = jax.random.split(key, count(paths, "paths"))
    thetas, shift = _paths(model, ts, keys, eta / count(substeps, "substeps"))
    is_finite = jnp.all(jnp.isfinite(thetas), axis=(1, 2))
    return StochasticFlowResult(
        ts=ts,
        thetas=thetas,
        theta=thetas[:, -1],
        loss=problem.loss(thetas),
        residual=relative_residual(problem, thetas[:, -1]) if isinstance(problem, LinearRegression) else None,
        shift=shift,
        result=jnp.where(is_finite, NAMES.index("reached_end"), NAMES.index("nonfinite")),
    )


def _checked(algorithm: AbstractAlgorithm, problem: Any, theta0: Array) -> AbstractGeometry:
    """The geometry of an algorithm whose drift is known, or an error."""
    try:
        geometry = algorithm.of_flow()
        algorithm.init(problem, theta0)
        if not isinstance(algorithm, ProductGD):
            jax.eval_shape(algorithm.in_dtype(problem.dtype).mirror_drift, theta0)
    except NotImplementedError:
        raise TypeError(
            "algorithm must be one whose of_flow and mirror_drift are known, such as ht.GD(), ht.HAMStep(alpha=100.0) "
            f"or ht.ProductGD(gamma=0.1); got {algorithm!r}"
        ) from None
    own = [getattr(algorithm, name, None) for name in ("beta", "weight_decay")]
    decays = any(value is not None and (is_traced(value) or np.any(np.asarray(value))) for value in own)
    others = ("clip", "gradient_below", "reset_every", "m0")
    if decays or any(getattr(algorithm, name, None) is not None for name in others):
        raise ValueError(
            "algorithm must be without weight decay, clip, gradient_below, resets and factors of its own; "
            f"got {algorithm!r}"
        )
    return geometry


class _Model(eqx.Module):
    """The drift and diffusion of (ν, c), or of (ν, ln(γ₀/γ)) for `ProductGD`."""

    problem: LinearRegression | BinaryClassification
    algorithm: AbstractAlgorithm
    geometry: AbstractGeometry
    mu0: Float[Array, " d"]
    eta: Float[Array, ""]
    label_noise: Float[Array, ""] | None
    batch_size: int | None = eqx.field(static=True)
    isotropic: bool = eqx.field(static=True)

    @property
    def shrinks(self) -> bool:
        """Whether the noise moves γ, and not the start."""
        return isinstance(self.algorithm, ProductGD)

    def theta(self, state):
        dual, shift = state
        mu = self.mu0 + dual @ self.problem.X
        if self.shrinks:
            # γ sinh 2μ: the inverse mirror map of the γ of the start, and what γ has shrunk by.
            return self.geometry.inverse_mirror_map(mu) * jnp.exp(-shift)
        return self.geometry.inverse_mirror_map(mu + shift)

    def drift(self, t, state, args):
        theta = self.theta(state)
        rate = self.eta * self.second_moments(theta)
        if not self.shrinks:
            rate = self.algorithm.mirror_drift(theta) * rate / 2
        return -self.problem.residual(theta) / self.problem.n, rate

    def second_moments(self, theta):
        """`E[g²]` of the entries of a stochastic gradient, (d,)."""
        noise = 0.0 if self.label_noise is None else self.label_noise
        if self.batch_size is None or not self.isotropic:
            return gradient_second_moments(self.problem, theta, batch_size=self.batch_size, label_noise=noise)
        square = jnp.mean(jnp.square(self.problem.residual(theta))) + jnp.square(noise)
        return square * jnp.mean(jnp.square(self.problem.X), axis=0) / self.batch_size

    def diffusion(self, t, state, args):
        n, b = self.problem.n, self.batch_size or self.problem.n
        residual = self.problem.residual(self.theta(state))
        scale = jnp.sqrt(self.eta / (n * b))

        def apply(brownian):
            moved = jnp.zeros_like(residual)
            if self.batch_size is not None and self.isotropic:
                moved = moved + jnp.sqrt(jnp.mean(jnp.square(residual))) * brownian[0]
            elif self.batch_size is not None:
                moved = moved + residual * (brownian[0] - jnp.mean(brownian[0]))
            if self.label_noise is not None:
                moved = moved + self.label_noise * brownian[1]
            return scale * moved, jnp.zeros_like(self.mu0)

        return lineax.FunctionLinearOperator(apply, jax.ShapeDtypeStruct((2, n), residual.dtype))


@eqx.filter_jit
def _paths(model: _Model, ts, keys, dt):
    """(paths, times, d) each: θ and the shift."""
    n, d = model.problem.X.shape

    def one(key):
        brownian = diffrax.UnsafeBrownianPath(jax.ShapeDtypeStruct((2, n), model.problem.dtype), key)
        terms = diffrax.MultiTerm(diffrax.ODETerm(model.drift), diffrax.ControlTerm(model.diffusion, brownian))
        state = jnp.zeros(n, model.problem.dtype), jnp.zeros(d, model.problem.dtype)
        solution = diffrax.diffeqsolve(
            terms,
            diffrax.Euler(),
            jnp.zeros_like(ts[0]),
            jnp.maximum(ts[-1], dt),
            dt,
            state,
            saveat=diffrax.SaveAt(ts=ts),
            adjoint=diffrax.DirectAdjoint(),
            max_steps=None,
            throw=False,
        )
        states: Any = solution.ys
        return jax.vmap(model.theta)(states), states[1]

    return jax.vmap(one)(keys)
