"""Following the limit from the L2 to the L1 end of a family of geometries.

For an exponential geometry the limit is `θ = θ(s)`, `s = s(θ₀) + Qᵀη`, with η the root of `Qθ − b`: r numbers. In the
exponent s everything is of moderate size. Newton's method on η converges from where no entry of θ is wrong by more
than a factor of about e; farther away it needs a path. Along ℓ (`log_sparsity`, moved by `shift` from where the
problem is nearly Euclidean up to 0) the tangent is known, `Q W (s₀′ + Qᵀη′) = Qθ` with `W = diag(dθ/ds)`, and one
Cholesky factorisation of `H = Q W Qᵀ` serves the Newton step and the tangent: each step of the loop moves η by
`p + Δ η′` and ℓ by Δ. Once the support is found the path is straight, and Δ grows geometrically.

W spans `e^(−ℓ)` to 1, far beyond what a factorisation bears. But an entry whose weight is below `√ε` of the largest
does not bend the path, and one below ε is invisible in `Qθ`. So in H such weights are raised to a floor, and what H
then does not determine is set by `η/ℓ`, which keeps the ratio s/ℓ of every entry: those entries shrink on. The exact
θ, and the exact weights on the right-hand side, are always used; only the direction of a step is approximate.

A start θ₀ ≠ 0 comes in by its exponent s₀. On the *straight* path s₀ grows in proportion to ℓ, from 0 to its value at
the target: that is linear programming with fixed costs `1 ∓ s₀/ℓ` and an entropy of weight 1/ℓ, so that the support is
decided early, while all entries are visible. With θ₀ kept fixed instead, every point of the path is a limit of its own,
which is what `limit_path` asks for; but where α|θ₀| ~ 1 the costs change, and if by then the small entries are far
below ε, what H does not see is wrong by many orders of magnitude (2 of 240 starts of size α^(−1/2) never came back).

What lost: QR of `√W Qᵀ` with sorted rows and column pivoting (as accurate, four times slower, no batches on a GPU); a
step control by the residual (blind to relative errors of small entries: three times as many steps); a floor at ε on
the way (the path then follows rounding errors: some paths took hundreds of steps).
Source: the path of an exponential penalty is asymptotically straight, [cominetti1994asymptotic].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.lax.linalg import cholesky, triangular_solve
from jaxtyping import Bool, Float, Int

from .._array import Array
from .._result import Result, select
from .._types import Number
from ..geometry import AbstractExponentialGeometry
from ..metrics import Certificate, certify
from ..problem import LinearRegression
from ..problem._row_space import RowSpace

_GOOD, _BAD = 0.7, 2.0  # the error of ln|θ| up to which a step is followed by the next, and from which it is undone
_NEAR = 0.05  # the error from which a Newton step may arrive
_TARGET = 0.3  # the error that the step control aims at; it is of second order in the step
_RISE = 2.0  # how much ln|θ| of an entry may grow in a step
_SHORTEST = 1e-14  # part of a Newton step
_EUCLIDEAN = 60.0  # where ln(α|θ|) is below minus this, the geometry is Euclidean in every digit


class PathState(eqx.Module):
    """A point near the path, how long the next step is to be, and where the last one came from.

    `shift`: ℓ minus its target. `eta`: η, as in the module's docstring. `back`: shift, η, Newton step and tangent
    before the last step; `fresh`: whether that was a predictor. `trial`: the part of a Newton step that it was, and
    that still is to be judged, or 0; `slope`: that of the dual along it, where it began. `close`: at the target, the
    last Newton step began so near to it that it may have arrived.
    """

    shift: Float[Array, ""]
    eta: Float[Array, " r"]
    step: Float[Array, ""]
    back: tuple[Float[Array, ""], Float[Array, " r"], Float[Array, " r"], Float[Array, " r"]]
    fresh: Bool[Array, ""]
    trial: Float[Array, ""]
    slope: Float[Array, ""]
    steps: Int[Array, ""]
    arrived: Int[Array, ""]
    close: Bool[Array, ""]
    done: Bool[Array, ""]
    stalled: Bool[Array, ""]


class PathPoint(eqx.Module):
    """The limit at the target, with the coordinates λ of its dual point and its certificate."""

    theta: Float[Array, " d"]
    coordinates: Float[Array, " r"]
    certificate: Certificate


def _where(condition, one, other):
    # Not `cond`: with many lanes that is a choice all the same, and it copies whatever its branches refer to.
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)


def size_of(problem: LinearRegression, theta0: Float[Array, " d"]) -> Float[Array, ""]:
    """The natural size of θ: the largest entry of θ₀ or of the nearest interpolator."""
    space = problem.row_space
    nearest = theta0 + (space.target - space.project(theta0)) @ space.basis
    size = jnp.maximum(jnp.max(jnp.abs(nearest)), jnp.max(jnp.abs(theta0)))
    return jnp.where(size > 0, size, 1)


def effective(problem: LinearRegression, geo, theta0: Float[Array, " d"]):
    """The geometry that is followed, and by how much it is shifted: by 0, unless geo is Euclidean in every digit."""
    sparsity = jnp.max(geo.log_sparsity.astype(problem.dtype))
    by = jnp.maximum(-_EUCLIDEAN - jnp.log(size_of(problem, theta0)) - sparsity, 0)
    return geo.shifted(by), by


def start_of_path(problem: LinearRegression, geo, theta0: Float[Array, " d"]) -> PathState:
    """Where the path to `geo` begins: at the target, or where `ln α|θ|` is 0."""
    space = problem.row_space
    log_size = jnp.log(size_of(problem, theta0)) + jnp.max(geo.log_sparsity.astype(problem.dtype))
    zero, origin = jnp.zeros((), problem.dtype), jnp.zeros_like(space.target)
    count = jnp.zeros((), int)
    return PathState(
        shift=jnp.minimum(zero, -log_size),
        eta=origin,
        step=zero + 1,
        back=(zero, origin, origin, origin),
        fresh=jnp.array(False),
        trial=zero,
        slope=zero,
        steps=count,
        arrived=count,
        close=jnp.array(False),
        done=jnp.array(False),
        stalled=jnp.array(False),
    )


def retarget(state: PathState, by: Number) -> PathState:
    """The same point of the path, seen from a target that is farther by `by` ≥ 0."""
    no = jnp.array(False)
    return eqx.tree_at(
        lambda s: (s.shift, s.fresh, s.trial, s.close, s.done, s.stalled, s.arrived),
        state,
        (state.shift - by, no, jnp.zeros_like(state.trial), no, no, no, jnp.zeros_like(state.arrived)),
    )


Gram = Callable[[Float[Array, " d"]], Float[Array, "r r"]]


def gram_of(space: RowSpace) -> Gram:
    """`w ↦ Q diag(w) Qᵀ`, formed anew for every w."""
    return lambda weights: (space.basis * weights[None, :]) @ space.basis.T


class Path(NamedTuple):
    """What there is to do on a path: is a state still on its way, the next state, the same but proven where it may be
    the limit (which costs as much as a step), the limit, the state proven by that, and how it ended."""

    runs: Callable[[PathState], Bool[Array, ""]]
    advance: Callable[[PathState], PathState]
    prove: Callable[[PathState], PathState]
    point: Callable[[PathState], PathPoint]
    proven: Callable[[PathState, PathPoint], PathState]
    result: Callable[[PathState, PathPoint], Any]


def follow(
    problem: LinearRegression,
    target: AbstractExponentialGeometry,
    theta0: Float[Array, " d"],
    state: PathState,
    tol: Number,
    max_steps: Number,
    *,
    straight: bool = True,
) -> tuple[PathState, PathPoint, Any]:
    """Follow the path from `state` to the limit of `target`, and prove it."""
    path = path_to(problem, target, theta0, tol, state.steps + max_steps, straight=straight)
    final = jax.lax.while_loop(path.runs, lambda state: path.prove(path.advance(state)), state)
    point = path.point(final)
    return final, point, path.result(final, point)


def path_to(
    problem: LinearRegression,
    target: AbstractExponentialGeometry,
    theta0: Float[Array, " d"],
    tol: Number,
    budget: Number,
    *,
    straight: bool = True,
    gram: Gram | None = None,
) -> Path:
    """The path to the limit of `target`, for at most `budget` steps in all.

    `straight`: on the way the start's exponent grows in proportion to ℓ; otherwise θ₀ stays where it is, so that every
    point of the path is the limit from θ₀. `gram`: how `Q W Qᵀ` is formed from the diagonal of W.
    """
    geo, by = effective(problem, target, theta0)
    space, dtype = problem.row_space, problem.dtype
    eps, zero = jnp.finfo(dtype).eps, jnp.zeros((), dtype)
    gram = gram_of(space) if gram is None else gram
    inactive = jnp.where(space.active, 0, 1).astype(dtype)
    column = jnp.linalg.norm(space.basis, axis=0)
    log_column = jnp.log(jnp.where(column > 0, column, 1)) + jnp.where(column > 0, 0, -jnp.inf)
    log_size = jnp.log(size_of(problem, theta0)) + jnp.max(geo.log_sparsity.astype(dtype))
    scale = jnp.linalg.norm(space.target) + jnp.linalg.norm(space.project(theta0))
    scale = jnp.where(scale > 0, scale, 1)
    unit = jnp.exp(target.log_exponent_unit(dtype) - by)
    at_end = geo.exponent(theta0)

    def origin(here, shift):
        """The exponent of the start at a point of the path, and its slope."""
        if straight:
            slope = at_end / jnp.maximum(log_size, jnp.finfo(dtype).eps)
            return jnp.where(log_size > 0, at_end + shift * slope, at_end), jnp.where(log_size > 0, slope, 0)
        s = here.exponent(theta0)
        return s, jnp.where(theta0 == 0, 0, theta0 / jnp.where(theta0 == 0, 1, jnp.exp(here.log_weight(s))))

    def evaluate(shift, eta):
        """s, θ, ln(dθ/ds) and the residual at a point."""
        here = geo.shifted(shift)
        s = origin(here, shift)[0] + eta @ space.basis
        theta = here.from_exponent(s)
        residual = jnp.where(space.active, space.project(theta) - space.target, 0)
        return here, s, theta, jnp.broadcast_to(here.log_weight(s), s.shape), residual

    def factorised(log_weight, floor):
        """The solution operator of H, for rows, with weights raised to the floor, and the mask of those above it."""
        squared = log_weight + 2 * log_column
        top = jnp.max(squared)
        low = top + jnp.log(floor)
        weights = jnp.exp(jnp.where(column > 0, jnp.maximum(squared, low) - top - 2 * log_column, -jnp.inf))
        factor = cholesky(gram(weights) + jnp.diag(inactive), symmetrize_input=False)
        # With y = 0 nothing is ever large: keep 0 from being multiplied by an infinity.
        largest = jnp.exp(jnp.minimum(-top, 0.8 * jnp.log(jnp.finfo(dtype).max)))

        def solve(rows):
            half = triangular_solve(factor, rows, lower=True, transpose_a=True)
            return triangular_solve(factor, half, lower=True) * largest

        return solve, squared, low

    def body(state):
        point = evaluate(state.shift, state.eta)
        residual = point[-1]
        achieved = state.back[2] @ residual
        good = jnp.all(jnp.isfinite(residual)) & (achieved <= 0.5 * jnp.abs(state.slope))
        new = _where((state.trial == 0) | good, onwards(state, point), shortened(state))
        return eqx.tree_at(lambda n: n.steps, new, new.steps + 1)

    def shortened(state):
        """Half of the last Newton step, which did not lower the slope along itself."""
        t = state.trial / 2
        before, newton = state.back[1:3]
        stalled = t <= _SHORTEST
        eta = jnp.where(stalled, before, before + t * newton)
        return eqx.tree_at(lambda n: (n.eta, n.trial, n.stalled), state, (eta, t, stalled))

    def onwards(state, point):
        here, s, theta, log_weight, residual = point
        at_target = state.shift >= 0
        length = jnp.maximum(log_size + state.shift, 1)
        floor = jnp.where(at_target, jnp.maximum(4096 * eps, 8 * eps * length), jnp.sqrt(eps))
        solve, squared, low = factorised(log_weight, floor)
        # The slope of s: that of the start's exponent, and the tangent's. Where H does not see, η/ℓ keeps entries
        # that start at 0 shrinking; a start that is far from 0 in units of 1/α carries s along by itself, and then η
        # should stay.
        start, drift = origin(here, state.shift)
        outward = drift + (s - start) / length
        weight = jnp.exp(log_weight)
        still = jnp.stack([theta - weight * outward, theta - weight * drift]) @ space.basis.T
        still = jnp.where(space.active[None], still, 0)
        found = solve(jnp.concatenate([-residual[None], still]))
        newton, growing, staying = found[0], state.eta / length + found[1], found[2]
        along, more, other_slope = found @ space.basis
        slopes = jnp.stack([outward + more, drift + other_slope])
        change = jnp.abs(s + along) - jnp.abs(s)
        finite = jnp.all(jnp.isfinite(residual))
        decay = jnp.where(change > -1, -jnp.log1p(jnp.maximum(change, -1 + eps)), jnp.inf)

        def errors(low):
            """By how much ln|θ| is wrong: for an exponential, exactly. It may be wrong below `low`, not above it."""
            below = jnp.maximum(low - squared, 0)
            growth = jnp.log1p(jnp.maximum(change - below, 0))
            wrong = jnp.where(change > 0, growth, jnp.where(below > 0, 0, decay))
            return jnp.where(finite, jnp.where(jnp.isnan(wrong), jnp.inf, wrong), jnp.inf), below

        wrong, below = errors(low)
        error = jnp.max(wrong)
        # A predictor is judged by what it could see: entries between the two floors wait for the target.
        misstep = jnp.max(errors(jnp.max(squared) + jnp.log(jnp.sqrt(eps)))[0])
        ratio = jnp.sqrt(_TARGET / jnp.maximum(error, 1e-3)).astype(dtype)

        def undo():
            shift, eta, newton, tangent = state.back
            step = state.step / 4
            return _moved(state, shift, eta + newton, tangent, step, step)

        def predict():
            grown = jnp.where(state.fresh, jnp.clip(ratio, 0.3, 4), 1)
            # How far until an entry that is visible, or becomes so, has grown by e^_RISE?
            ceiling = jnp.maximum(squared, low) + _RISE - squared + jnp.abs(s)
            room = jnp.stack([jnp.maximum(ceiling - s - along, 0.3), jnp.maximum(ceiling + s + along, 0.3)])
            faster = jnp.stack([slopes, -slopes], axis=1) - 1  # (tangents, signs, d)
            time = jnp.where((faster > 0) & (column > 0)[None, None], room[None] / faster, jnp.inf)
            reach, other = jnp.min(time, axis=(1, 2))
            tangent = jnp.where(other > reach, staying, growing)
            step = jnp.minimum(state.step * grown, jnp.maximum(reach, other))
            back = (state.shift, state.eta, newton, tangent)
            moved = _moved(state, state.shift, state.eta + newton, tangent, step, step)
            return eqx.tree_at(lambda n: n.back, moved, back)

        def correct():
            # The step that is exact for one exponential: shorter than Newton's if it grows, longer if it decays.
            size = jnp.where(change == 0, 1, jnp.abs(change))
            grown = jnp.min(jnp.where(change > below, (below + wrong) / size, 1))
            worst = jnp.argmax(wrong)
            decayed = jnp.where((change[worst] < 0) & jnp.isfinite(error), wrong[worst] / size[worst], 1)
            t = jnp.where(grown < 0.999, grown, decayed)
            t = jnp.where(jnp.isfinite(t) & (t > 0), t, 1)
            missing = jnp.linalg.norm(residual) / scale
            near = (missing <= tol) | ((missing <= jnp.sqrt(tol)) & (error <= _NEAR))
            shorter = jnp.where(state.fresh & ~at_target, jnp.clip(ratio, 0.3, 1), 1)
            return eqx.tree_at(
                lambda n: (n.eta, n.step, n.back, n.fresh, n.trial, n.slope, n.arrived, n.close),
                state,
                (
                    state.eta + t * newton,
                    state.step * shorter,
                    (state.shift, state.eta, newton, growing),
                    jnp.array(False),
                    t,
                    newton @ residual,
                    jnp.where(at_target, state.arrived + 1, state.arrived),
                    at_target & near,
                ),
            )

        # At the target, what small entries lack is for the corrector.
        close = at_target & (jnp.linalg.norm(residual) <= 1e-3 * scale)
        forward = _where((error <= _GOOD) & ~at_target, predict(), correct())
        return _where((misstep > _BAD) & state.fresh & ~close, undo(), forward)

    def proven(state, point):
        """The state, and whether it is the limit within tolerance."""
        return eqx.tree_at(lambda n: n.done, state, point.certificate.violation <= tol)

    def prove(state):
        return jax.lax.cond(state.close, lambda: proven(state, point_at(state)), lambda: state)

    def _moved(state, shift, eta, tangent, step, by):
        by = jnp.minimum(by, -shift)
        arrives = by >= -shift
        return eqx.tree_at(
            lambda n: (n.shift, n.eta, n.step, n.fresh, n.trial),
            state,
            (jnp.where(arrives, 0, shift + by).astype(dtype), eta + by * tangent, step, jnp.array(True), zero),
        )

    def point_at(state):
        """The limit: θ(η), corrected once so that it satisfies the equations to rounding."""
        _, _, theta, log_weight, residual = evaluate(zero, state.eta)
        floor = jnp.maximum(4096 * eps, 8 * eps * jnp.maximum(log_size, 1))
        solve, squared, low = factorised(log_weight, floor)
        weights = jnp.exp(jnp.where(squared > low, log_weight, -jnp.inf))
        correction = weights * (solve(residual[None])[0] @ space.basis)
        corrected = theta - correction
        after = jnp.where(space.active, space.project(corrected) - space.target, 0)
        small = jnp.max(jnp.abs(correction) / jnp.maximum(weights, jnp.finfo(dtype).tiny)) <= 1e-3
        better = small & (jnp.linalg.norm(after) < jnp.linalg.norm(residual))
        theta = jnp.where(better, corrected, theta)
        coordinates = state.eta * unit
        return PathPoint(theta, coordinates, certify(problem, target, theta, theta0, coordinates))

    def runs(state):
        return ~state.done & ~state.stalled & (state.steps < budget) & (state.arrived < 60)

    def result(final, point):
        finite = jnp.all(jnp.isfinite(point.theta))
        return select(
            final.done & finite,
            Result.converged,
            select(
                finite,
                select(final.stalled | (final.arrived >= 60), Result.stalled, Result.max_steps),
                Result.nonfinite,
            ),
        )

    return Path(runs, body, prove, point_at, proven, result)
