"""Derivatives of a trajectory at given times, in both modes, inside `jit` and outside.

The derivative is a linear map T, of which diffrax offers both uses, but no single loop does: tangents through forward
mode, cotangents through checkpoints. So T is handed to JAX as the solution of `[1 −T; 0 1](x, t) = (0, t)`, a linear
system that comes with a solver, `x = Tt`, and with one for its transpose. In dual coordinates the state is ν itself,
`θ = (R*)′(R′(θ₀) + Xᵀν)`, in which no singular vector of X is differentiated.
"""

from typing import Any

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Float

from .._array import Array
from ..geometry import AbstractGeometry
from ..problem import LinearRegression
from ._fields import AbstractFlow, DualFlow


class _Raw(eqx.Module):
    """`dν/dt = −(Xθ − y)/n`, ν ∈ Rⁿ."""

    problem: LinearRegression
    geo: AbstractGeometry
    theta0: Float[Array, " d"]

    def initial(self):
        return jnp.zeros_like(self.problem.y)

    def velocity(self, t, state):
        return -self.problem.residual(self.theta(state)) / self.problem.n

    def theta(self, state):
        return self.geo.inverse_mirror_map(self.geo.mirror_map(self.theta0) + state @ self.problem.X)

    def absolute_scale(self):
        return DualFlow(*vars(self).values()).absolute_scale() / jnp.max(self.problem.row_space.singular_values)


@eqx.filter_custom_jvp
def saved(flow: AbstractFlow, ts: Float[Array, " times"], thetas: Array, theta: Array, plan: Any):
    """θ along the trajectory and at its end, as they were found, with their derivatives by the flow and by the times.

    Args:
        flow: The flow by which they are differentiated.
        ts: The times, likewise.
        thetas: At the times `ts`, without derivatives.
        theta: At the last of them, without derivatives.
        plan: How it was integrated.

    Returns:
        `thetas` and `theta`, and the loss along the former.
    """
    return thetas, theta, flow.problem.loss(thetas)


@saved.def_jvp
def _saved_jvp(primals, tangents):
    flow, ts, thetas, theta, plan = primals
    along, by_time = tangents[:2]

    inputs, rest = eqx.partition(flow, eqx.is_inexact_array)
    inputs, held = eqxi.nondifferentiable((inputs, (ts, plan)), name="solve_flow, twice")
    along = jax.tree.map(lambda x, dx: jnp.zeros_like(x) if dx is None else dx, inputs, along)

    def trajectory(inputs, adjoint):
        flow = eqx.combine(inputs, rest)
        found = _integrated(flow, held[0], held[1], adjoint)
        return found, flow.problem.loss(found)

    def forward(_, right):
        by, change = right
        found = jax.jvp(lambda x: trajectory(x, diffrax.ForwardMode()), (inputs,), (change,))[1]
        return jax.tree.map(jnp.add, by, found), change

    def backward(_, right):
        by, change = right
        transposed = jax.vjp(lambda x: trajectory(x, diffrax.RecursiveCheckpointAdjoint()), inputs)[1]
        return by, jax.tree.map(jnp.add, change, transposed(by)[0])

    found = thetas
    # Every right-hand side is to depend on the tangents, zeros among them: JAX transposes only what is linear.
    zero = sum(0 * jnp.sum(leaf) for leaf in jax.tree.leaves(along))
    along = jax.tree.map(lambda leaf: leaf + jnp.asarray(zero).astype(leaf.dtype), along)
    none = (jnp.zeros_like(thetas) + zero, jnp.zeros(thetas.shape[0], thetas.dtype) + zero)
    (changes, losses), _ = jax.lax.custom_linear_solve(lambda x: x, (none, along), forward, backward)
    if by_time is not None:
        speed = jax.vmap(lambda t, x: _speed(flow, t, x))(ts, found)
        changes = changes + speed * by_time[:, None]
        losses = losses + jnp.sum(flow.problem.gradient(found) * speed, axis=-1) * by_time
    return saved(flow, ts, thetas, theta, plan), (changes, changes[-1], losses)


def _speed(flow, t, theta):
    """dθ/dt."""
    geo, rate = flow.geo.decayed(t, getattr(flow, "weight_decay", jnp.zeros_like(t)))
    return -geo.inverse_metric(theta) * flow.problem.gradient(theta) - rate * theta


def _integrated(flow, ts, plan, adjoint):
    """θ at the times."""
    raw = _Raw(flow.problem, flow.geo, flow.theta0) if isinstance(flow, DualFlow) else flow
    unit = jax.lax.stop_gradient(raw.absolute_scale())
    controller = diffrax.ConstantStepSize()
    if plan.dt is None:
        controller = diffrax.PIDController(
            plan.rtol, jax.tree.map(lambda one: plan.atol * one, unit), pcoeff=0.1, icoeff=0.3
        )
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, state, args: raw.velocity(t, state)),
        plan.solver,
        t0=0.0,
        t1=jnp.maximum(ts[-1], jnp.finfo(ts.dtype).tiny),
        dt0=plan.dt,
        y0=raw.initial(),
        stepsize_controller=controller,
        saveat=diffrax.SaveAt(ts=ts),
        max_steps=plan.max_steps,
        adjoint=adjoint,
        throw=False,
    )
    return jax.vmap(raw.theta)(solution.ys)
