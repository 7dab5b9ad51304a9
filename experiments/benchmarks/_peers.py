"""The usual ways to compute a limit or a trajectory of HAM's flow from zero, to measure against.

Each is written as one would who knows the tool: compiled once, warm, with the stopping rule that its users have.
"""

import functools
from typing import Any, cast

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate

import hamtheory as ht

EXPLICIT = {"Tsit5": diffrax.Tsit5(), "Dopri8": diffrax.Dopri8()}
IMPLICIT = {"Kvaerno5": diffrax.Kvaerno5()}


def conic(problem: ht.LinearRegression, alpha: float | None, **settings: Any) -> tuple[np.ndarray, float]:
    """Basis pursuit, or HAM's Bregman projection of 0 for an α, by Clarabel's interior-point method through CVXPY.

    Also the seconds of Clarabel itself, without CVXPY's translation of the problem.
    """
    import cvxpy as cp  # pyright: ignore[reportMissingImports]  (extra `bench`: not there when CI checks types)

    X, y = np.asarray(problem.X), np.asarray(problem.y)
    theta = cp.Variable(problem.d)
    if alpha is None:
        objective = cp.norm1(theta)
    else:  # (1 + αt) ln(1 + αt) − αt with t ≥ |θ| is a relative entropy: exponential cones
        t = cp.Variable(problem.d)
        objective = cp.sum(cp.kl_div(1 + alpha * t, np.ones(problem.d)))
    constraints = [X @ theta == y] if alpha is None else [X @ theta == y, cp.abs(theta) <= t]
    task = cp.Problem(cp.Minimize(objective), constraints)
    task.solve(solver=cp.CLARABEL, **settings)
    if theta.value is None:
        raise RuntimeError(f"Clarabel: {task.status}")
    return np.asarray(theta.value), float(task.solver_stats.solve_time or 0)


def newton_loop(problem: ht.LinearRegression, alpha: float, tol: float = 1e-10) -> np.ndarray:
    """Damped Newton steps on the dual of HAM's Bregman projection of 0, in plain NumPy, until the residual is small."""
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    nu = np.zeros(len(y))

    def at(nu):
        s = alpha * (X.T @ nu)
        weights = np.exp(np.minimum(np.abs(s), 700))
        theta = np.sign(s) * np.expm1(np.minimum(np.abs(s), 700)) / alpha
        return theta, weights, float(np.sum((weights - 1 - np.abs(s)) / alpha**2) - y @ nu)

    theta, weights, value = at(nu)
    for _ in range(500):
        gradient = X @ theta - y
        if np.linalg.norm(gradient) <= tol * np.linalg.norm(y):
            break
        step = -np.linalg.solve((X * weights) @ X.T, gradient)
        t, slope = 1.0, float(gradient @ step)
        while True:
            new = at(nu + t * step)
            # Near the end the decrease drowns in rounding: then a smaller gradient will do.
            if new[2] <= value + 1e-4 * t * slope or t < 1e-12 or -slope < 1e-12 * abs(value):
                break
            t /= 2
        nu, (theta, weights, value) = nu + t * step, new
    return theta


def lsoda(
    problem: ht.LinearRegression,
    alpha: float,
    *,
    rtol: float = 1e-9,
    residual: float = 1e-8,
    ts: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """HAM's flow in θ by SciPy's LSODA, until the relative residual is small: the end, and the loss at `ts`."""
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    flow = lambda t, theta: -(1 + alpha * np.abs(theta)) * (X.T @ (X @ theta - y)) / len(y)  # noqa: E731
    arrived = lambda t, theta: np.linalg.norm(X @ theta - y) / np.linalg.norm(y) - residual  # noqa: E731
    arrived.terminal = True  # type: ignore[attr-defined]
    end = 1e3 / float(problem.convergence_rate)
    found = scipy.integrate.solve_ivp(
        flow,
        (0, end),
        np.zeros(X.shape[1]),
        method="LSODA",
        rtol=rtol,
        atol=1e-3 * rtol,
        events=arrived,
        dense_output=ts is not None,
    )
    theta = found.y[:, -1]
    if ts is None:
        return theta, None
    along = np.where(ts <= found.t[-1], found.sol(np.minimum(ts, found.t[-1])), theta[:, None])
    return theta, np.square(X @ along - y[:, None]).sum(axis=0) / (2 * len(y))


@functools.partial(jax.jit, static_argnames=("solver", "save", "max_steps"))
def vmapped(problem, alphas, rtol, residual, ts, *, solver, save: bool = False, max_steps: int = 20_000):
    """All flows by one vmapped diffrax solve in the same dual coordinates: ends, residuals, losses at `ts`."""

    def one(alpha):
        geo, space = ht.HAM(log_alpha=jnp.log(alpha)), problem.row_space
        theta_of = lambda y: geo.inverse_mirror_map(y @ space.basis)  # noqa: E731
        misfit = lambda y: space.project(theta_of(y)) - space.target  # noqa: E731
        unit = geo.mirror_map(jnp.max(jnp.abs(space.target @ space.basis)))
        event = diffrax.Event(lambda t, y, args, **_: ht.metrics.relative_residual(problem, theta_of(y)) <= residual)
        last = diffrax.SubSaveAt(t1=True)
        path = diffrax.SubSaveAt(ts=ts) if save else None
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: -jnp.square(space.singular_values) * misfit(y) / problem.n),
            solver,
            0.0,
            1e6,
            None,
            jnp.zeros_like(space.target),
            stepsize_controller=diffrax.PIDController(rtol, 1e-2 * rtol * unit, pcoeff=0.1, icoeff=0.3),
            saveat=diffrax.SaveAt(subs=(path, last) if save else (last,)),
            event=event,
            max_steps=max_steps,
            throw=False,
        )
        times, states = cast(Any, found.ts), cast(Any, found.ys)
        end = theta_of(states[-1][0])
        loss = None
        if save:
            reached = jnp.isfinite(times[0])[:, None]
            loss = problem.loss(jax.vmap(theta_of)(jnp.where(reached, states[0], states[-1][0][None])))
        return end, ht.metrics.relative_residual(problem, end), loss

    return jax.vmap(one)(alphas)


def mapped(problem, logs: np.ndarray) -> np.ndarray:
    """The limits of HAM at these ln α by `lax.map` of the compiled solver of one."""
    return np.asarray(_mapped(jax.tree.map(jnp.asarray, problem), jnp.asarray(logs)))


@jax.jit
def _mapped(problem, logs):
    return jax.lax.map(lambda log: ht.solve_limit(problem, ht.HAM(log_alpha=log)).theta, logs)


def taylor(problem, tol: float = 1e-8, most: int = 100_000):
    """The end of the flow of m⊙w at γ, from zero and to a relative residual of `tol`, by heyoka in dual coordinates.

    Returns: a function of γ; what it takes to compile is spent here.
    """
    import heyoka as hy  # pyright: ignore[reportMissingImports]

    U, s, Q = np.linalg.svd(problem.X, full_matrices=False)
    b, rank, size = U.T @ problem.y, len(s), np.linalg.norm(problem.y)
    x = hy.make_vars(*[f"x{i}" for i in range(rank)])
    dot = lambda weights, terms: hy.sum([float(w) * t for w, t in zip(weights, terms, strict=True)])  # noqa: E731
    theta = [hy.par[0] * hy.sinh(2 * dot(column, x)) for column in Q.T]
    rhs = [(x[i], float(s[i] / problem.n) * (float(b[i]) - float(s[i]) * dot(Q[i], theta))) for i in range(rank)]
    integrator = hy.taylor_adaptive(rhs, [0.0] * rank, pars=[1.0], tol=1e-9, compact_mode=True)

    def end(gamma: float) -> np.ndarray:
        integrator.time, integrator.state[:], integrator.pars[0] = 0.0, 0.0, gamma
        for _ in range(most):
            integrator.step()
            found = gamma * np.sinh(2 * (integrator.state @ Q))
            if np.linalg.norm(s * (Q @ found) - b) <= tol * size:
                break
        return found

    return end
