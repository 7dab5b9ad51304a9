"""Limits under weight decay by one primal-dual interior-point method, in JAX.

The method is that of `_host_interior`, which has its text. λ = 0 is no special case (an interpolator). What was tried
instead, and lost: docs/decisions/weight-decay.md.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from .._array import Array
from .._types import Number
from ..geometry import AbstractGeometry, Penalty
from ..metrics import relative_stationarity
from ..problem import LinearRegression

_BOUNDARY = 0.99  # the part of the way to |a| = 1 that a step may go
_RIDGE = 1e12  # beyond this μ, in units of θ, the penalty is quadratic in every digit
_LASSO = 1e-11  # below this μ, in units of θ, the path is left for its end
_STIFFEST = 1e12  # the largest weight of a column, over what determines the least eigenvalue of the matrix


def bounded(penalty: Penalty, problem: LinearRegression) -> Penalty:
    """The same with μ and λ within the range of numbers, and the minimiser the same to rounding.

    Ridge is where μ is far above θ, at λ/μ = β; a slope λ that is lost in the rounding of ∇f is that rounding.
    """
    barrier = jnp.minimum(penalty.barrier, _RIDGE * _size(problem))
    slope = jnp.where(penalty.barrier > barrier, penalty.curvature * barrier, penalty.slope)
    rounding = jnp.finfo(problem.dtype).eps * jnp.max(jnp.abs(problem.gradient(jnp.zeros(problem.d, problem.dtype))))
    return Penalty(jnp.maximum(slope, 256 * rounding), barrier, penalty.curvature)


class Interior(eqx.Module):
    """An interior point: θ, the dual coordinates ρ, the slacks `1 ∓ a`, and the barrier's current parameter."""

    theta: Float[Array, " d"]
    rho: Float[Array, " r"]
    upper: Float[Array, " d"]
    lower: Float[Array, " d"]
    barrier: Float[Array, ""]
    steps: Int[Array, ""]
    done: Bool[Array, ""]


def cold(problem: LinearRegression) -> Interior:
    """The start of the path: θ = 0, a = 0, and a barrier of the size of θ."""
    zero, one = jnp.zeros(problem.d, problem.dtype), jnp.ones(problem.d, problem.dtype)
    rho = jnp.zeros_like(problem.row_space.target)
    return Interior(zero, rho, one, one, _size(problem), jnp.zeros((), int), jnp.array(False))


def warm(problem: LinearRegression, solution: Interior) -> Interior:
    """The solution of a similar problem, moved into the interior."""
    inside = jnp.asarray(0.9, problem.dtype)
    a = inside * (solution.lower - solution.upper) / 2
    return Interior(
        solution.theta,
        inside * solution.rho,
        1 - a,
        1 + a,
        1e-2 * _size(problem),
        jnp.zeros((), int),
        jnp.array(False),
    )


def _size(problem: LinearRegression) -> Float[Array, ""]:
    space = problem.row_space
    size = jnp.max(jnp.abs(space.target @ space.basis))
    return jnp.where(size > 0, size, 1)


def regularised(
    problem: LinearRegression, geo: AbstractGeometry, penalty: Penalty, weight_decay, start: Interior, tol, max_steps
) -> Interior:
    """Minimise `f + P` from a point of the interior, until the geometry's stationarity condition holds to `tol`."""
    space, dtype = problem.row_space, problem.dtype
    size, tiny, eps = _size(problem), jnp.finfo(dtype).tiny, jnp.finfo(dtype).eps
    least_slack = 256 * eps
    spectrum = jnp.square(space.singular_values) / problem.n
    inactive = jnp.where(space.active, 0, 1).astype(dtype)
    squared = jnp.sum(jnp.square(space.basis), axis=0)
    slope, end = penalty.slope, penalty.barrier
    soft = jnp.where(space.active, slope / jnp.where(space.active, spectrum, 1), 0)
    softest = jnp.min(jnp.where(space.active, soft, jnp.inf))

    def lowered(barrier, factor):
        lower = jnp.maximum(barrier * factor, end)
        return jnp.where(lower < _LASSO * size, end, lower)

    def body(point):
        theta, barrier = point.theta, point.barrier
        size_of_entry = jnp.abs(theta)
        slack = jnp.maximum(jnp.where(theta >= 0, point.upper, point.lower), tiny)
        total = jnp.maximum(barrier + size_of_entry, tiny)
        # The complementarity |θ|(1 − a s) = μ a s, and the first equation.
        missing = barrier * (point.rho @ space.basis) - theta * slack
        residual = jnp.where(space.active, space.target - space.project(theta) - soft * point.rho, 0)
        weights = total / slack
        decisive = jnp.sort(weights * squared)[::-1][jnp.maximum(problem.rank - 1, 0)]
        largest = _STIFFEST * jnp.maximum(decisive, softest) / jnp.where(squared > 0, squared, 1)
        weights = jnp.minimum(weights, largest)
        hessian = (space.basis * weights[None, :]) @ space.basis.T + jnp.diag(soft + inactive * jnp.max(weights))
        # Dependent columns can leave it singular to rounding, whatever the weights.
        hessian = hessian + 32 * eps * jnp.max(jnp.diag(hessian)) * jnp.eye(soft.size, dtype=dtype)
        rhs = residual - jnp.where(space.active, space.project(weights * missing / total), 0)
        rho_step = jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(hessian), rhs)
        a_step = rho_step @ space.basis
        theta_step = weights * (a_step + missing / total)
        room = jnp.where(
            a_step > 0,
            point.upper / jnp.where(a_step > 0, a_step, 1),
            jnp.where(a_step < 0, point.lower / jnp.where(a_step < 0, -a_step, 1), jnp.inf),
        )
        t = jnp.minimum(1, _BOUNDARY * jnp.min(room))
        new = Interior(
            # Only a has bounds. A wrong sign of θ, with a at the other bound, can only be left by a whole step.
            theta=theta + theta_step,
            rho=point.rho + t * rho_step,
            # A slack below rounding would leave no room for what rounding does to the rest.
            upper=jnp.maximum(point.upper - t * a_step, least_slack),
            lower=jnp.maximum(point.lower + t * a_step, least_slack),
            barrier=jnp.where(t > 0.3, lowered(barrier, jnp.where(t > 0.9, 0.1, 0.5).astype(dtype)), barrier),
            steps=point.steps + 1,
            done=point.done,
        )
        return eqx.tree_at(lambda p: p.done, new, (barrier <= end) & (violation(new) <= tol))

    def violation(point):
        theta = reported(problem, point, end)
        stationarity = relative_stationarity(problem, geo, theta, weight_decay)
        return jnp.maximum(stationarity, primal_minus_dual(problem, penalty, theta, point)[2])

    final = jax.lax.while_loop(lambda p: ~p.done & (p.steps < max_steps), body, start)
    # The method converges quadratically: one step more is worth all digits.
    polished = body(final)
    keep = final.done & (violation(polished) < violation(final))
    return jax.tree.map(lambda new, old: jnp.where(keep, new, old), polished, final)


def reported(problem: LinearRegression, point: Interior, barrier: Number) -> Float[Array, " d"]:
    """θ; where |a| is clearly below 1 and μ is small, from the dual: `θ = μa/(1 − |a|)`, exactly 0 for the lasso."""
    slack, a = jnp.minimum(point.upper, point.lower), point.rho @ problem.row_space.basis
    by_dual = (slack > 1e-6) & (barrier < 1e-4 * _size(problem))
    return jnp.where(by_dual, barrier * a / jnp.where(by_dual, slack, 1), point.theta)


def primal_minus_dual(
    problem: LinearRegression, penalty: Penalty, theta: Float[Array, " d"], point: Interior
) -> tuple[Float[Array, " n"], Float[Array, ""], Float[Array, ""]]:
    """The dual point ν with `Xᵀν = λa`, the duality gap, and the gap over `f + P` at θ.

    The dual problem is `max yᵀν − (n/2)‖ν‖² − P*(Xᵀν)`. With `r = (y − Xθ)/n` the difference of the values is

        (n/2)‖r − ν‖² + Σ P(θ) + P*(Xᵀν) − θXᵀν,   the terms being   λμ (w − 1 − ln w) + λ|θ|(|a| − a sign θ),

    `w = (1 + |θ|/μ)(1 − |a|)`: nothing cancels. For μ = 0 they are `λ|θ|(1 − a sign θ)`. Where `r − ν` is nothing but
    the rounding of Xθ, it counts as zero.
    """
    space, (slope, barrier) = problem.row_space, (penalty.slope, penalty.barrier)
    a = point.rho @ space.basis
    # What is out of the range of X belongs to ν and to both values, and to neither Xᵀν nor their difference.
    outside = (problem.y - space.left @ (space.left.T @ problem.y)) / problem.n
    nu = space.dual(slope * point.rho)
    fitted = space.left @ (space.singular_values * (space.project(theta) - space.target))  # of the removable residual
    mismatch = -fitted / problem.n - nu
    rounding = 16 * jnp.finfo(theta.dtype).eps * jnp.linalg.norm(problem.y) / problem.n
    size = jnp.linalg.norm(mismatch)
    quadratic = jnp.where(size <= rounding, 0, problem.n * jnp.square(size) / 2)
    x, slack = jnp.abs(theta), jnp.minimum(point.upper, point.lower)
    along = a * jnp.sign(theta)
    finite = barrier > 0
    safe = jnp.where(finite, barrier, 1)
    ratio = x / safe
    excess = jnp.where(jnp.abs(a) < 0.5, ratio - jnp.abs(a) * (1 + ratio), (1 + ratio) * slack - 1)  # w − 1
    smooth = safe * jnp.where(jnp.abs(excess) < 1e-4, jnp.square(excess) / 2, excess - jnp.log1p(excess))
    hard = x * jnp.where(theta >= 0, point.upper, point.lower)
    terms = jnp.where(finite, smooth + x * (jnp.abs(a) - along), hard)
    small = x * (ratio / 2 * (1 - 2 * ratio / 3))
    value = jnp.where(finite, jnp.where(ratio < 1e-4, small, x - safe * jnp.log1p(ratio)), x)
    gap = quadratic + slope * jnp.sum(terms)
    primal = problem.n * jnp.sum(jnp.square(fitted / problem.n)) / 2 + slope * jnp.sum(value)
    return nu + outside, gap, gap / jnp.where(primal > 0, primal, 1)
