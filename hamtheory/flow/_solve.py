"""The flows, as a user calls them."""

from typing import TypeVar

import diffrax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._result import Result, throw_unless
from .._types import Number, Times, Vector
from .._validate import count, finite, is_traced, nonnegative_number, positive, real_array, start, strength, tolerance
from ..geometry import AbstractGeometry
from ..limit import solve_limit
from ..problem import LinearRegression
from ..problem._regression import without_truth
from ._fields import DualFlow, PrimalFlow, ProductFlow
from ._integrate import FlowResult, Plan, integrate
from ._progress import progress_report
from ._solvers import STIFF, solver_named, stiffness

_REACH = 16
_Flow = TypeVar("_Flow", bound=FlowResult)
_SUCCESS = (Result.converged, Result.reached_end, Result.infeasible)


def solve_flow(
    problem: LinearRegression,
    geo: AbstractGeometry,
    theta0: Vector | None = None,
    *,
    weight_decay: Number = 0.0,
    ts: Times | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    coordinates: str | None = None,
    solver: str | diffrax.AbstractSolver | None = None,
    dt: Number | None = None,
    tol: float | None = None,
    save: str = "log",
    max_steps: int = 100_000,
    progress: bool = False,
    throw: bool = True,
) -> FlowResult:
    """Integrate the Riemannian gradient flow `dθ/dt = −g⁻¹(θ) ⊙ ∇f(θ)` from θ₀, with weight decay if asked for.

    Arguments:
      `problem`, `geo`: any regression and any geometry. `theta0`: the start, (d,); zeros if left out.
      `weight_decay`: the paper's β ≥ 0. `dθ/dt = −g⁻¹(θ) ⊙ ∇f − βθ`, and for `Hypentropy` the θ-flow of m⊙w under
        `β(‖m‖² + ‖w‖²)`, whose geometry moves: `dθ/dt = −2√(θ² + γ_t²) ⊙ ∇f − 4βθ`, `γ_t = γ e^(−4βt)`.
      `ts`: increasing times ≥ 0 at which to save. Left out: until converged, saved evenly in log t (`save="log"`) or
        at the integrator's own steps (`save="steps"`).
      `rtol`, `atol`: the integrator's tolerances; `atol` is in units of the natural size of the coordinates. On the
        way to convergence they are tightened to a tenth of `tol`, at which errors in stiff directions would hover.
      `coordinates`: "primal" (θ itself) or "dual" (`Xᵀν = R′(θ) − R′(θ₀)`, at most n numbers, without weight decay).
        Left out: dual if possible.
      `solver`: a name in `hamtheory.flow.SOLVERS` or a diffrax solver. Left out: Tsit5, or Kvaerno5 if the flow is
        stiff. `dt`: a fixed step size in units of time, for studies of the integrator; left out: adaptive.
      `tol`: converged when the relative residual and the relative duality gap (with weight decay, the relative
        violation of the limit's optimality condition) are at most this; `rtol` if left out.
      `max_steps`: the integrator's budget. `progress`: show a bar on work over two seconds.
      `throw`: raise on failure, instead of returning the partial trajectory with its `result`.
    Returns: a `FlowResult`. If `Xθ = y` has no solution the flow runs to the least-squares set, and `result` says
      `infeasible`; that is no failure, nor is `reached_end` for given `ts`.
    Errors: `ValueError` for bad arguments and for tolerances out of the dtype's reach; `RuntimeError` on failure.

    Inside `jit` and `vmap` the paths cannot be trimmed (their last point is repeated) nor the stiffness looked at
    (dual flows then take Kvaerno5).
    Source: [jacobs2026ham]; the dual coordinates: [li2022implicit]; the solvers: [kidger2021on], [tsitouras2011runge],
      [kvaerno2004singly].

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> import hamtheory as ht
    >>> flow = ht.solve_flow(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.Euclidean())
    >>> flow.theta.round(6).tolist()
    [0.4, 0.8]

    ```
    """
    problem = without_truth(problem)
    theta0 = start(theta0, problem.d, problem.dtype)
    beta, decays = strength(weight_decay, "weight_decay", problem.dtype)
    if decays and not is_traced(beta):
        geo.decayed(0.0, float(beta))  # a geometry that knows no weight decay says so here
    if coordinates not in (None, "primal", "dual"):
        raise ValueError(f"coordinates must be 'primal', 'dual' or None; got {coordinates!r}")
    if coordinates == "dual" and decays:
        raise ValueError("coordinates='dual' needs weight_decay=0: weight decay leaves the row space; use 'primal'")
    if coordinates == "primal" or decays:
        flow = PrimalFlow(problem, geo, theta0, beta)
    else:
        flow = DualFlow(problem, geo, theta0)
    if solver is None:
        solver = _choose_solver(problem, geo, theta0, decays, isinstance(flow, DualFlow))
    plan = _plan(problem, ts, rtol, atol, solver, dt, tol, save, max_steps, progress)
    return _checked(integrate(flow, plan), throw, "solve_flow")


class ProductFlowResult(FlowResult):
    """A `FlowResult` of m⊙w in parameter space, with the factors `ms` and `ws`, (times, d).

    Its `states` are m + w and m − w.
    Source: own.
    """

    @property
    def ms(self) -> Float[Array, "times d"]:
        """m along the trajectory."""
        return (self.states[0] + self.states[1]) / 2

    @property
    def ws(self) -> Float[Array, "times d"]:
        """w along the trajectory."""
        return (self.states[0] - self.states[1]) / 2


def product_flow(
    problem: LinearRegression,
    m0: Vector,
    w0: Vector,
    *,
    weight_decay: Number = 0.0,
    ts: Times | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    solver: str | diffrax.AbstractSolver | None = None,
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

    Arguments: `m0`, `w0` of shape (d,); the others as in `solve_flow`.
    Returns: a `FlowResult` with `ms` and `ws`, (times, d), besides `thetas`. A flow that comes to rest away from the
      interpolators has the result `stuck`.
    Errors: as `solve_flow`.
    Source: [woodworth2020kernel], [jacobs2025mask].

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> import hamtheory as ht
    >>> flow = ht.product_flow(ht.LinearRegression([[1.0, 2.0]], [2.0]), [1e-4, 1e-4], [0.0, 0.0])
    >>> flow.theta.round(3).tolist()
    [0.0, 1.0]

    ```
    """
    problem = without_truth(problem)
    m0, w0 = (start(factor, problem.d, problem.dtype, label) for factor, label in ((m0, "m0"), (w0, "w0")))
    weight_decay = nonnegative_number(weight_decay, "weight_decay").astype(problem.dtype)
    plan = _plan(problem, ts, rtol, atol, solver or "tsit5", dt, tol, save, max_steps, progress)
    result = integrate(ProductFlow(problem, m0, w0, weight_decay), plan)
    return _checked(ProductFlowResult(**vars(result)), throw, "product_flow")


def _choose_solver(problem, geo, theta0, decays: bool, dual: bool) -> str:
    if decays or is_traced(problem, geo, theta0):
        return "kvaerno5" if dual else "tsit5"
    limit = solve_limit(problem, geo, theta0, tol=1e-4, throw=False)
    # In primal coordinates an implicit step costs a dense d x d solve, in dual ones at most n x n.
    return "kvaerno5" if dual and float(stiffness(problem, geo, limit.theta)) > STIFF else "tsit5"


def _plan(problem, ts, rtol, atol, solver, dt, tol, save, max_steps, progress) -> Plan:
    dtype = problem.dtype
    rtol = tolerance(rtol, "rtol", dtype, _REACH)
    tol = rtol if tol is None else tolerance(tol, "tol", dtype, _REACH)
    atol = tolerance(atol, "atol", dtype, 0)
    solver = solver_named(solver, dt is not None, rtol, atol)
    if save not in ("log", "steps"):
        raise ValueError(f"save must be 'log' or 'steps'; got {save!r}")
    if ts is not None:
        if save == "steps":
            raise ValueError("give either ts or save='steps', not both")
        ts = finite(real_array(ts, "ts", ndim=1), "ts").astype(dtype)
        if ts.size == 0:
            raise ValueError("ts must hold at least one time; got none")
        if not is_traced(ts) and (float(ts[0]) < 0 or np.any(np.diff(np.asarray(ts)) <= 0)):
            raise ValueError(f"ts must be increasing times that are at least 0; got {np.asarray(ts)}")
    as_array = lambda value: jnp.asarray(value, dtype)  # noqa: E731
    # Errors in stiff directions hover at the integrator's tolerance: converging to tol takes a tighter one.
    tighter = min(1.0, 0.1 * tol / rtol) if ts is None else 1.0
    return Plan(
        solver=solver,
        rtol=as_array(tighter * rtol),
        atol=as_array(tighter * atol),
        tol=as_array(tol),
        dt=None if dt is None else positive(dt, "dt").astype(dtype),
        ts=ts,
        save=save,
        max_steps=count(max_steps, "max_steps"),
        report=progress_report(float(tol), ts) if progress else None,
    )


def _checked(result: _Flow, throw: bool, what: str) -> _Flow:
    if not throw:
        return result
    detail = ""
    if not is_traced(result):
        stats = result.stats
        detail = (
            f"time {float(stats['time']):.3g} after {int(stats['steps'])} steps, relative residual "
            f"{float(result.residual):.2e}, violation of the convergence criterion {float(stats['violation']):.2e}"
        )
    return throw_unless(result.result, _SUCCESS, result, what, detail)
