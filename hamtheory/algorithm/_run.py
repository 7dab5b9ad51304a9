"""Discrete algorithms, as a user runs them."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PRNGKeyArray, UInt

from .._array import Array
from .._device import device_engine, nonnegative_number, positive, real_array, start, strength
from .._result import Result, throw_unless
from .._types import Number, Vector
from .._validate import count, is_traced, tolerance
from ..problem import BinaryClassification, LinearRegression
from ._base import AbstractAlgorithm
from ._loop import Plan, RunResult, first_carry, trajectory
from ._sampler import Sampler

_MOST_MEMORY = 1 << 34  # bytes of saves: 16 GiB


_NO_REVERSE_MODE = (
    "run can be differentiated in forward mode alone: use jax.jacfwd or jax.jvp. The flow that a rule follows, and its "
    "limit, have both modes: solve_flow at given ts, and solve_limit"
)


@device_engine
def run(
    problem: LinearRegression | BinaryClassification,
    algorithm: AbstractAlgorithm,
    theta0: Vector | None = None,
    *,
    learning_rate: Number | Callable[..., Any],
    steps: int,
    batch_size: int | None = None,
    replace: bool = True,
    label_noise: Number = 0.0,
    key: PRNGKeyArray | UInt[Array, "2"] | None = None,
    save_every: int | Sequence[int] | Int[np.ndarray, " saves"] | Int[Array, " saves"] = 1,
    integrand: Callable[..., Any] | None = None,
    tol: float | None = None,
    progress: bool = True,
    throw: bool = True,
) -> RunResult:
    """Run a discrete algorithm from θ₀: `steps` updates with the gradient of the loss, or of mini-batches of it.

    Compiles once a shape, and not for a new learning rate, another parameter or other saves. Inside `jit` and `vmap`
    all steps are taken and the path cannot be trimmed (its last point is repeated); under `vmap` with one problem, and
    one key, the gradients of all runs are two matrix products.

    Args:
        problem: Any regression or classification.
        algorithm: `GD`, `Exponentiated`, `HYP`, `HAMStep`, `ProductGD`, `LinearizedBregmanStep`, or a rule of
            your own (`hamtheory.algorithm.AbstractAlgorithm`).
        theta0: The start, (d,); zeros if left out.
        learning_rate: η > 0, or a function of the number of the step, from 0, such as an optax schedule (which is
            compiled in).
        steps: How many updates are made.
        batch_size: The size b of a mini-batch B, whose gradient is `X_Bᵀ(X_Bθ − y_B)/b`, or of
            classes the mean of those of its samples; left out: all samples.
        replace: Draw the mini-batch from all samples at every step; if false, go through them in epochs of `n // b`
            steps, in a new order each.
        label_noise: Of regressions, the standard deviation of the normal noise that is added to the labels in use, anew
            at every step.
        key: Of `jax.random.key`, for mini-batches and for label noise.
        save_every: Save at every so many steps; or the numbers of the steps to save, increasing. Step 0 and the last
            one are saved in any case. All saves are held in memory, 16 GiB at most.
        integrand: A function φ(problem, algorithm, θ, η) whose sum `Σ η_k φ(θ_k, η_k)` over the steps before each save
            is returned as `integral`: an array, or a pytree of them. Let it be a named function, which compiles once.
        tol: Of regressions, stop at the first save with a relative residual of at most this; left out: take all steps.
        progress: Show a bar on work over two seconds.
        throw: Raise if the iterates leave the range of numbers, instead of returning the trajectory up to there.

    Returns:
        A `RunResult`, whose `result` is `reached_end`, `converged` (only with `tol`) or `nonfinite`.

    Raises:
        ValueError: For bad arguments.
        TypeError: For bad arguments.
        RuntimeError: On failure.

    References:
        [jacobs2026ham]; for mini-batches and noisy labels: [pesme2021implicit], [even2023sgd].

    ```python
    >>> import jax
    >>> import hamtheory as ht
    >>> problem = ht.LinearRegression([[1.0, 2.0]], [2.0])
    >>> end = ht.run(problem, ht.HAMStep(alpha=20.0), learning_rate=0.01, steps=200, save_every=50)
    >>> end.steps.tolist(), end.theta.round(2).tolist()
    ([0, 50, 100, 150, 200], [0.16, 0.92])
    >>> rates = jax.numpy.array([0.001, 0.01])
    >>> ends = jax.vmap(lambda rate: ht.run(problem, ht.GD(), learning_rate=rate, steps=100))(rates)
    >>> ends.loss[:, -1].round(4).tolist()
    [0.7339, 0.0001]

    ```
    """
    if not isinstance(algorithm, AbstractAlgorithm):
        raise TypeError(f"algorithm must be one such as ht.GD() or ht.HAMStep(alpha=100.0); got {algorithm!r}")
    problem, steps = problem.without_truth(), count(steps, "steps")
    refuse_of_classes(problem, tol)
    largest = jnp.iinfo(jax.dtypes.canonicalize_dtype(int)).max
    if steps > largest:
        raise ValueError(f"steps must be at most {largest}, what integers hold without jax_enable_x64; got {steps}")
    plan = Plan(
        problem,
        algorithm.in_dtype(problem.dtype),
        sampler_of(problem, batch_size, replace, label_noise, key),
        rate_of(learning_rate, steps, problem.dtype),
        checked_integrand(integrand),
    )
    grid = grid_of(save_every, steps, problem)
    within = None if tol is None else jnp.asarray(tolerance(tol, "tol", problem.dtype, 16), problem.dtype)
    result = trajectory(plan, first_carry(plan, start(theta0, problem.d, problem.dtype)), grid, within, progress)
    if is_traced(result):
        result = eqxi.nondifferentiable_backward(result, msg=_NO_REVERSE_MODE)
    return _checked(result, steps, throw)


def refuse_of_classes(problem: LinearRegression | BinaryClassification, tol: float | None) -> None:
    """An error for what a classification does not have."""
    if tol is not None and isinstance(problem, BinaryClassification):
        raise ValueError(f"tol must be left out for a classification, which has no residual to end at; got {tol!r}")


def sampler_of(problem, batch_size, replace, label_noise, key) -> Sampler:
    if batch_size is not None and count(batch_size, "batch_size") > problem.n:
        raise ValueError(f"batch_size must be at most the {problem.n} samples of the problem; got {batch_size}")
    noise, noisy = strength(label_noise, "label_noise", problem.dtype)
    if noisy and isinstance(problem, BinaryClassification):
        raise ValueError(f"label_noise must be 0 for a classification, whose labels are classes; got {label_noise!r}")
    if batch_size is None and not noisy:
        return Sampler(None, None, True, None)
    if key is None:
        raise ValueError("key must be given for mini-batches and for label noise, such as jax.random.key(0)")
    if not isinstance(key, jax.Array):
        raise TypeError(f"key must be a key such as jax.random.key(0); got {key!r}")
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.wrap_key_data(key)
    if key.ndim:
        raise ValueError(f"key must be a single key; got shape {key.shape}. For many runs at once, use jax.vmap")
    return Sampler(key, batch_size, bool(replace), noise if noisy else None)


def rate_of(learning_rate, steps: int, dtype):
    """A number as an array, or a schedule whose values have been looked at, at both ends."""
    if not callable(learning_rate):
        return positive(real_array(learning_rate, "learning_rate", ndim=0), "learning_rate").astype(dtype)
    for k in (0, steps - 1):
        nonnegative_number(learning_rate(jnp.asarray(k)), f"learning_rate({k})")
    if is_traced(learning_rate):
        return learning_rate
    # What it closes over may be traced.
    converted = eqx.filter_closure_convert(learning_rate, jnp.asarray(0))
    return converted if is_traced(converted) else learning_rate


def checked_integrand(integrand):
    """`None` or a function."""
    if integrand is not None and not callable(integrand):
        raise TypeError(f"integrand must be a function of the problem, the rule, θ and the rate; got {integrand!r}")
    return integrand


def grid_of(save_every, steps: int, problem: LinearRegression | BinaryClassification) -> np.ndarray:
    """The numbers of the steps to save."""
    if isinstance(save_every, (int, np.integer)):
        size = steps // count(save_every, "save_every") * problem.d * problem.dtype.itemsize
        if size > _MOST_MEMORY:
            raise ValueError(f"save_every={save_every} keeps {size >> 30} GiB over {steps} steps; save less often")
        return np.append(np.arange(0, steps, save_every), steps)
    grid = np.asarray(save_every)
    if grid.dtype.kind not in "iu":
        raise TypeError(f"save_every must be an integer or hold the numbers of steps; got {save_every!r}")
    if grid.ndim != 1 or grid.size == 0 or np.any(np.diff(grid) <= 0) or grid[0] < 0 or grid[-1] > steps:
        raise ValueError(f"save_every must hold increasing numbers from 0 to steps={steps}; got {save_every!r}")
    return np.union1d(grid, [0, steps])


def _checked(result: RunResult, steps: int, throw: bool) -> RunResult:
    if not throw:
        return result
    detail = ""
    if not is_traced(result):
        detail = (
            f"infinity or NaN after step {int(result.stats['nonfinite_step'])} of {steps}; learning_rate too large?"
        )
    return throw_unless(result.result, (Result.reached_end, Result.converged), result, "run", detail)
