"""The flows, as a user calls them."""

from typing import Any, overload

import numpy as np

from .._arguments import entrance
from .._array import is_jax
from .._types import Number, Times, Vector
from ..geometry import AbstractGeometry
from ..problem import BinaryClassification, LinearRegression
from ._result import ClassificationFlow, FlowResult, ProductFlowResult

# Integrators of the host: implicit collocation, the stabilised explicit method, SciPy's, and those of a fixed step.
_OF_FIXED_STEP = ("euler", "heun", "rk4")
HOST_SOLVERS = ("collocation", "rkc", "lsoda", "bdf", "radau", "dop853", *_OF_FIXED_STEP)


def _is_on_host(solver: Any, dt: Any) -> bool:
    """Whether the integrator is one of the host's; diffrax's are the device engine's."""
    known = HOST_SOLVERS if dt is None else _OF_FIXED_STEP
    return solver is None or (isinstance(solver, str) and solver in known)


@overload
def solve_flow(
    problem: LinearRegression, geo: AbstractGeometry, theta0: Vector | None = None, **options: Any
) -> FlowResult: ...


@overload
def solve_flow(
    problem: BinaryClassification, geo: AbstractGeometry, theta0: Vector | None = None, **options: Any
) -> ClassificationFlow: ...


@entrance
def solve_flow(  # pyright: ignore[reportInconsistentOverload]
    problem: LinearRegression | BinaryClassification,
    geo: AbstractGeometry,
    theta0: Vector | None = None,
    *,
    weight_decay: Number = 0.0,
    ts: Times | None = None,
    log_loss: float | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    coordinates: str | None = None,
    solver: Any = None,
    dt: Number | None = None,
    tol: float | None = None,
    save: str = "log",
    max_steps: int = 100_000,
    progress: bool = False,
    throw: bool = True,
) -> FlowResult | ClassificationFlow:
    """Integrate the Riemannian gradient flow `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ)` from θ₀, with weight decay if asked for.

    The flow of a classification loss goes on for ever where the classes can be separated: it is integrated in the clock
    `s = ∫ L dt` down to any `log_loss`, and saved at its stages or at `ts`.

    The flow of `LinearizedBregman` is integrated exactly, by NumPy alone: `rtol` and `atol` do not matter to it, and
    its steps are events.

    Inside `jit` and `vmap` the paths cannot be trimmed (their last point is repeated) nor the stiffness looked at (dual
    flows then take Kvaerno5).

    Args:
        problem: Any regression or classification.
        geo: Any geometry.
        theta0: The start, (d,); zeros if left out.
        weight_decay: Of regressions, the paper's β ≥ 0. `dθ/dt = −g⁻¹(θ) ⊙ ∇f − βθ`, and for `Hypentropy` the θ-flow of
            m⊙w under `β(‖m‖² + ‖w‖²)`, whose geometry moves: `dθ/dt = −2√(θ² + γ_t²) ⊙ ∇f − 4βθ`, `γ_t = γ e^(−4βt)`.
        ts: Increasing times ≥ 0 at which to save. Left out: until converged, saved as `save` says.
        log_loss: Of classifications, instead of `ts`: down to where ln L is this; −300 if both are left out.
        rtol: The integrator's relative tolerance. On the way to convergence it and `atol` are tightened to a tenth of
            `tol`, at which errors in stiff directions would hover.
        atol: Its absolute tolerance, in units of the natural size of the coordinates.
        coordinates: "primal" (θ itself) or "dual" (`Xᵀν = R′(θ) − R′(θ₀)`, at most n numbers, without weight decay).
            Left out: dual if possible.
        solver: A name in `hamtheory.flow.SOLVERS` or a diffrax solver. Left out: Tsit5, or Kvaerno5 if the flow is
            stiff.
        dt: A fixed step size in units of time, for studies of the integrator; left out: adaptive.
        tol: Converged when the relative residual and the relative duality gap (with weight decay, the relative
            violation of the limit's optimality condition) are at most this; `rtol` if left out.
        save: Without `ts`: evenly in log t ("log"), or at the integrator's own steps ("steps").
        max_steps: The integrator's budget.
        progress: Show a bar on work over two seconds.
        throw: Raise on failure, instead of returning the partial trajectory with its `result`.

    Returns:
        A `FlowResult`. If `Xθ = y` has no solution the flow runs to the least-squares set, and `result` says
        `infeasible`; that is no failure, nor is `reached_end` for given `ts`. Of a classification a
            `ClassificationFlow`.

    Raises:
        ValueError: For bad arguments and for tolerances out of the dtype's reach.
        TypeError: For what is no problem, or no geometry.
        RuntimeError: On failure, if `throw`.

    References:
        [jacobs2026ham]; the dual coordinates, [li2022implicit]; the solvers, [kidger2021on], [tsitouras2011runge],
        [kvaerno2004singly].

    ```python
    >>> import hamtheory as ht
    >>> flow = ht.solve_flow(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.Euclidean())
    >>> flow.theta.round(6).tolist()
    [0.4, 0.8]

    ```
    """
    if isinstance(problem, BinaryClassification):
        from ._classification import solve_classification

        return solve_classification(
            problem,
            geo,
            theta0,
            log_loss=log_loss,
            ts=ts,
            rtol=rtol,
            atol=atol,
            coordinates=coordinates,
            max_steps=max_steps,
            throw=throw,
            weight_decay=weight_decay,
            solver=solver,
            dt=dt,
            tol=tol,
        )
    if log_loss is not None:
        raise ValueError(f"log_loss is for classifications; of a regression the flow converges, got {log_loss}")
    if is_jax(problem, geo, theta0, weight_decay, ts) or not _is_on_host(solver, dt):
        from ._device import solve_flow as solve
    else:
        from ._host_solve import solve_flow as solve
    return solve(
        problem,
        geo,
        theta0,
        weight_decay=weight_decay,
        ts=ts,
        rtol=rtol,
        atol=atol,
        coordinates=coordinates,
        solver=solver,
        dt=dt,
        tol=tol,
        save=save,
        max_steps=max_steps,
        progress=progress,
        throw=throw,
    )


@entrance
def product_flow(
    problem: LinearRegression,
    m0: Vector,
    w0: Vector,
    *,
    weight_decay: Number = 0.0,
    ts: Times | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    solver: Any = None,
    dt: Number | None = None,
    tol: float | None = None,
    save: str = "log",
    max_steps: int = 100_000,
    progress: bool = False,
    throw: bool = True,
) -> ProductFlowResult:
    """Integrate gradient flow on the factors of θ = m⊙w, with the penalty `β(‖m‖² + ‖w‖²)`.

    `dm/dt = −(w ⊙ ∇f + 2βm)`, `dw/dt = −(m ⊙ ∇f + 2βw)`, integrated in m + w and m − w, whose product is the imbalance.
    In θ it is the flow of `Hypentropy(|m₀² − w₀²|/2)` from m₀⊙w₀. Where |m₀| = |w₀| (balanced) it cannot change the
    sign of θ; where both are zero it never moves.

    Args:
        problem: As in `solve_flow`.
        m0: m at the start, (d,).
        w0: w at the start, (d,).
        weight_decay: As in `solve_flow`.
        ts: As in `solve_flow`.
        rtol: As in `solve_flow`.
        atol: As in `solve_flow`.
        solver: As in `solve_flow`.
        dt: As in `solve_flow`.
        tol: As in `solve_flow`.
        save: As in `solve_flow`.
        max_steps: As in `solve_flow`.
        progress: As in `solve_flow`.
        throw: As in `solve_flow`.

    Returns:
        A `FlowResult` with `ms` and `ws`, (times, d), besides `thetas`. A flow that comes to rest away from the
        interpolators has the result `stuck`.

    Raises:
        ValueError: As in `solve_flow`.
        RuntimeError: As in `solve_flow`.

    References:
        [woodworth2020kernel], [jacobs2025mask].

    ```python
    >>> import hamtheory as ht
    >>> flow = ht.product_flow(ht.LinearRegression([[1.0, 2.0]], [2.0]), [1e-4, 1e-4], [0.0, 0.0])
    >>> flow.theta.round(3).tolist()
    [0.0, 1.0]

    ```
    """
    if is_jax(problem, m0, w0, weight_decay, ts) or not _is_on_host(solver, dt):
        from ._device import product_flow as solve
    else:
        from ._host_solve import product_flow as solve
    return solve(
        problem,
        m0,
        w0,
        weight_decay=weight_decay,
        ts=ts,
        rtol=rtol,
        atol=atol,
        solver=solver,
        dt=dt,
        tol=tol,
        save=save,
        max_steps=max_steps,
        progress=progress,
        throw=throw,
    )


def crossings(flow_result: FlowResult, rtol: float, most: int) -> dict[str, Any]:
    """The crossings of zero of a flow, which is integrated again at least to `rtol`: what `ht.signs.flip_events` says.

    The arguments are not checked.

    Args:
        flow_result: As in `ht.signs.flip_events`.
        rtol: As in `ht.signs.flip_events`.
        most: As in `ht.signs.flip_events`.

    Returns:
        The fields of `ht.signs.FlipEvents`.

    ```python
    >>> import hamtheory as ht
    >>> flow = ht.solve_flow(ht.LinearRegression([[1.0]], [1.0]), ht.HAM(alpha=50.0), [-0.7])
    >>> ht.flow.crossings(flow, rtol=1e-8, most=1)["gross"].tolist()
    [1]

    ```
    """
    how: Any = flow_result.how
    if not (is_jax(flow_result.theta) or isinstance(how, tuple)):
        return how.crossings(rtol, most)
    import jax

    from ._events import crossings_of, sharper

    flow, plan = how
    # Out of a result in NumPy's arrays, it is still JAX that integrates, in the precision of the flow.
    with jax.enable_x64(flow.problem.X.dtype == np.float64):
        flow, plan = jax.tree.map(lambda x: jax.numpy.asarray(x) if isinstance(x, np.ndarray) else x, (flow, plan))
        found, _ = crossings_of(flow, sharper(plan, rtol), most)
    return vars(found.flips) | {"times": found.times}
