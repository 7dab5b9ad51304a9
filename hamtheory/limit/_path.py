"""Following the limit from the L2 to the L1 end of a family of geometries, in JAX.

The method is that of `_host_path`, which has its text. What was tried instead, and lost: docs/decisions/paths.md.
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
from ..problem import LinearRegression, RowSpace

_GOOD, _BAD = 0.7, 2.0  # the error of ln|θ| up to which a step is followed by the next, and from which it is undone
_NEAR = 0.05  # the error from which a Newton step may arrive
_TARGET = 0.3  # the error that the step control aims at; it is of second order in the step
_RISE = 2.0  # how much ln|θ| of an entry may grow in a step
_SHORTEST = 1e-14  # part of a Newton step
_MOST_ARRIVALS = 60  # Newton steps at the target
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
    # Not `cond`: with many instances that is a choice all the same, and it copies whatever its branches refer to.
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


class Point(NamedTuple):
    """What there is at a point of the path: s, θ, ln(dθ/ds) and the residual `Qθ − b`."""

    s: Float[Array, " d"]
    theta: Float[Array, " d"]
    log_weight: Float[Array, " d"]
    residual: Float[Array, " r"]


class Factor(NamedTuple):
    """The solution operator of H, for rows; `ln w` in units of columns; and the floor below which that was raised."""

    solve: Callable[[Float[Array, "rows r"]], Float[Array, "rows r"]]
    squared: Float[Array, " d"]
    low: Float[Array, ""]


class Step(NamedTuple):
    """The Newton step from a point, two tangents there, and what they do to every entry.

    `newton`, and how s changes `along` it and |s| (`change`). `error`: by how much ln|θ| is `wrong` at most;
    `below`: how far each weight is below the floor; `misstep`: the error that a predictor could see. `growing`,
    `staying`: the tangents; `slopes`: those of s along them, (2, d).
    """

    newton: Float[Array, " r"]
    along: Float[Array, " d"]
    change: Float[Array, " d"]
    error: Float[Array, ""]
    wrong: Float[Array, " d"]
    below: Float[Array, " d"]
    misstep: Float[Array, ""]
    growing: Float[Array, " r"]
    staying: Float[Array, " r"]
    slopes: Float[Array, "2 d"]


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
    path = Path(problem, target, theta0, tol, state.steps + max_steps, straight=straight)
    final = jax.lax.while_loop(path.runs, lambda state: path.prove(path.advance(state)), state)
    point = path.point(final)
    return final, point, path.result(final, point)


class Path:
    """The path to the limit of `target`, for at most `budget` steps in all.

    `straight`: on the way the start's exponent grows in proportion to ℓ; otherwise θ₀ stays where it is, so that every
    point of the path is the limit from θ₀. `gram`: how `Q W Qᵀ` is formed from the diagonal of W.
    """

    def __init__(
        self,
        problem: LinearRegression,
        target: AbstractExponentialGeometry,
        theta0: Float[Array, " d"],
        tol: Number,
        budget: Number,
        *,
        straight: bool = True,
        gram: Gram | None = None,
    ):
        self.problem, self.target, self.theta0, self.tol, self.budget = problem, target, theta0, tol, budget
        self.geo, by = effective(problem, target, theta0)
        self.straight = straight
        space, dtype = problem.row_space, problem.dtype
        self.eps, self.zero = jnp.finfo(dtype).eps, jnp.zeros((), dtype)
        self.gram = gram_of(space) if gram is None else gram
        self.inactive = jnp.where(space.active, 0, 1).astype(dtype)
        self.column = jnp.linalg.norm(space.basis, axis=0)
        self.log_column = jnp.log(jnp.where(self.column > 0, self.column, 1)) + jnp.where(self.column > 0, 0, -jnp.inf)
        self.log_size = jnp.log(size_of(problem, theta0)) + jnp.max(self.geo.log_sparsity.astype(dtype))
        scale = jnp.linalg.norm(space.target) + jnp.linalg.norm(space.project(theta0))
        self.scale = jnp.where(scale > 0, scale, 1)
        self.unit = jnp.exp(target.log_exponent_unit(dtype) - by)
        self.at_end = self.geo.exponent(theta0)

    def origin(self, shift: Float[Array, ""]) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
        """The exponent of the start at a point of the path, and its slope."""
        if self.straight:
            slope = self.at_end / jnp.maximum(self.log_size, self.eps)
            moves = self.log_size > 0
            return jnp.where(moves, self.at_end + shift * slope, self.at_end), jnp.where(moves, slope, 0)
        here, theta0 = self.geo.shifted(shift), self.theta0
        s = here.exponent(theta0)
        return s, jnp.where(theta0 == 0, 0, theta0 / jnp.where(theta0 == 0, 1, jnp.exp(here.log_weight(s))))

    def evaluate(self, shift: Float[Array, ""], eta: Float[Array, " r"]) -> Point:
        """What there is at a point."""
        here, space = self.geo.shifted(shift), self.problem.row_space
        s = self.origin(shift)[0] + eta @ space.basis
        theta = here.from_exponent(s)
        return Point(s, theta, jnp.broadcast_to(here.log_weight(s), s.shape), self.missing(theta))

    def missing(self, theta: Float[Array, " d"]) -> Float[Array, " r"]:
        """`Qθ − b`."""
        space = self.problem.row_space
        return jnp.where(space.active, space.project(theta) - space.target, 0)

    def factorise(self, log_weight: Float[Array, " d"], floor: Number) -> Factor:
        """H, with weights raised to the floor."""
        squared = log_weight + 2 * self.log_column
        top = jnp.max(squared)
        low = top + jnp.log(floor)
        raised = jnp.where(self.column > 0, jnp.maximum(squared, low) - top - 2 * self.log_column, -jnp.inf)
        factor = cholesky(self.gram(jnp.exp(raised)) + jnp.diag(self.inactive), symmetrize_input=False)
        # With y = 0 nothing is ever large: keep 0 from being multiplied by an infinity.
        largest = jnp.exp(jnp.minimum(-top, 0.8 * jnp.log(jnp.finfo(self.problem.dtype).max)))

        def solve(rows):
            half = triangular_solve(factor, rows, lower=True, transpose_a=True)
            return triangular_solve(factor, half, lower=True) * largest

        return Factor(solve, squared, low)

    def floor(self, length: Float[Array, ""]) -> Float[Array, ""]:
        """That of the weights at the target, where the rounding of s, a few ε·ℓ, is what remains invisible."""
        return jnp.maximum(4096 * self.eps, 8 * self.eps * length)

    def advance(self, state: PathState) -> PathState:
        """One step: the last one is judged, then undone, shortened, or followed by the next."""
        point = self.evaluate(state.shift, state.eta)
        achieved = state.back[2] @ point.residual
        good = jnp.all(jnp.isfinite(point.residual)) & (achieved <= 0.5 * jnp.abs(state.slope))
        new = _where((state.trial == 0) | good, self.onwards(state, point), self.shorten(state))
        return eqx.tree_at(lambda n: n.steps, new, new.steps + 1)

    def onwards(self, state: PathState, point: Point) -> PathState:
        """The next step after one that was good, unless it was a predictor that went too far."""
        at_target, step = state.shift >= 0, self.step(state, point)
        # At the target, what small entries lack is for the corrector.
        close = at_target & (jnp.linalg.norm(point.residual) <= 1e-3 * self.scale)
        predicts = (step.error <= _GOOD) & ~at_target
        forward = _where(predicts, self.predict(state, point, step), self.correct(state, point, step))
        return _where((step.misstep > _BAD) & state.fresh & ~close, self.undo(state), forward)

    def step(self, state: PathState, point: Point) -> Step:
        """The Newton step and the tangents, by one factorisation."""
        s, theta, log_weight, residual = point
        space, at_target = self.problem.row_space, state.shift >= 0
        length = jnp.maximum(self.log_size + state.shift, 1)
        factor = self.factorise(log_weight, jnp.where(at_target, self.floor(length), jnp.sqrt(self.eps)))
        # The slope of s: that of the start's exponent, and the tangent's. Where H does not see, η/ℓ keeps entries
        # that start at 0 shrinking; a start that is far from 0 in units of 1/α carries s along by itself, and then η
        # should stay.
        start, drift = self.origin(state.shift)
        outward = drift + (s - start) / length
        weight = jnp.exp(log_weight)
        still = jnp.stack([theta - weight * outward, theta - weight * drift]) @ space.basis.T
        still = jnp.where(space.active[None], still, 0)
        found = factor.solve(jnp.concatenate([-residual[None], still]))
        along, more, other_slope = found @ space.basis
        change = jnp.abs(s + along) - jnp.abs(s)
        finite = jnp.all(jnp.isfinite(residual))
        wrong, below = self.errors(change, factor.squared, factor.low, finite)
        # A predictor is judged by what it could see: entries between the two floors wait for the target.
        visible = jnp.max(factor.squared) + jnp.log(jnp.sqrt(self.eps))
        misstep = jnp.max(self.errors(change, factor.squared, visible, finite)[0])
        return Step(
            found[0],
            along,
            change,
            jnp.max(wrong),
            wrong,
            below,
            misstep,
            state.eta / length + found[1],
            found[2],
            jnp.stack([outward + more, drift + other_slope]),
        )

    def errors(
        self, change: Float[Array, " d"], squared: Float[Array, " d"], low: Float[Array, ""], finite: Bool[Array, ""]
    ) -> tuple[Float[Array, " d"], Float[Array, " d"]]:
        """By how much ln|θ| is wrong: for an exponential, exactly. What is `below` may be wrong there, not above it."""
        decay = jnp.where(change > -1, -jnp.log1p(jnp.maximum(change, -1 + self.eps)), jnp.inf)
        below = jnp.maximum(low - squared, 0)
        growth = jnp.log1p(jnp.maximum(change - below, 0))
        wrong = jnp.where(change > 0, growth, jnp.where(below > 0, 0, decay))
        return jnp.where(finite, jnp.where(jnp.isnan(wrong), jnp.inf, wrong), jnp.inf), below

    def undo(self, state: PathState) -> PathState:
        """Back to before the last predictor, and a shorter one."""
        shift, eta, newton, tangent = state.back
        step = state.step / 4
        return self._moved(state, shift, eta + newton, tangent, step, step)

    def shorten(self, state: PathState) -> PathState:
        """Half of the last Newton step, which did not lower the slope along itself."""
        t = state.trial / 2
        before, newton = state.back[1:3]
        stalled = t <= _SHORTEST
        eta = jnp.where(stalled, before, before + t * newton)
        return eqx.tree_at(lambda n: (n.eta, n.trial, n.stalled), state, (eta, t, stalled))

    def predict(self, state: PathState, point: Point, step: Step) -> PathState:
        """A Newton step, and a step along a tangent, as far as no visible entry grows by more than `e^_RISE`."""
        grown = jnp.where(state.fresh, jnp.clip(self._ratio(step), 0.3, 4), 1)
        ceiling = step.below + _RISE + jnp.abs(point.s)
        ahead = point.s + step.along
        room = jnp.stack([jnp.maximum(ceiling - ahead, 0.3), jnp.maximum(ceiling + ahead, 0.3)])
        faster = jnp.stack([step.slopes, -step.slopes], axis=1) - 1  # (tangents, signs, d)
        time = jnp.where((faster > 0) & (self.column > 0)[None, None], room[None] / faster, jnp.inf)
        reach, other = jnp.min(time, axis=(1, 2))
        tangent = jnp.where(other > reach, step.staying, step.growing)
        by = jnp.minimum(state.step * grown, jnp.maximum(reach, other))
        moved = self._moved(state, state.shift, state.eta + step.newton, tangent, by, by)
        return eqx.tree_at(lambda n: n.back, moved, (state.shift, state.eta, step.newton, tangent))

    def correct(self, state: PathState, point: Point, step: Step) -> PathState:
        """The step that is exact for one exponential: shorter than Newton's if it grows, longer if it decays."""
        at_target = state.shift >= 0
        size = jnp.where(step.change == 0, 1, jnp.abs(step.change))
        grown = jnp.min(jnp.where(step.change > step.below, (step.below + step.wrong) / size, 1))
        worst = jnp.argmax(step.wrong)
        decays = (step.change[worst] < 0) & jnp.isfinite(step.error)
        t = jnp.where(grown < 0.999, grown, jnp.where(decays, step.wrong[worst] / size[worst], 1))
        t = jnp.where(jnp.isfinite(t) & (t > 0), t, 1)
        missing = jnp.linalg.norm(point.residual) / self.scale
        near = (missing <= self.tol) | ((missing <= jnp.sqrt(self.tol)) & (step.error <= _NEAR))
        shorter = jnp.where(state.fresh & ~at_target, jnp.clip(self._ratio(step), 0.3, 1), 1)
        return eqx.tree_at(
            lambda n: (n.eta, n.step, n.back, n.fresh, n.trial, n.slope, n.arrived, n.close),
            state,
            (
                state.eta + t * step.newton,
                state.step * shorter,
                (state.shift, state.eta, step.newton, step.growing),
                jnp.array(False),
                t,
                step.newton @ point.residual,
                jnp.where(at_target, state.arrived + 1, state.arrived),
                at_target & near,
            ),
        )

    def _ratio(self, step):
        return jnp.sqrt(_TARGET / jnp.maximum(step.error, 1e-3)).astype(self.problem.dtype)

    def _moved(self, state, shift, eta, tangent, step, by):
        by = jnp.minimum(by, -shift)
        arrives = by >= -shift
        return eqx.tree_at(
            lambda n: (n.shift, n.eta, n.step, n.fresh, n.trial),
            state,
            (
                jnp.where(arrives, 0, shift + by).astype(self.problem.dtype),
                eta + by * tangent,
                step,
                jnp.array(True),
                self.zero,
            ),
        )

    def prove(self, state: PathState) -> PathState:
        """The state, proven where it may be the limit, which costs as much as a step."""
        return jax.lax.cond(state.close, lambda: self.proven(state, self.point(state)), lambda: state)

    def proven(self, state: PathState, point: PathPoint) -> PathState:
        """The state, and whether it is the limit within tolerance."""
        return eqx.tree_at(lambda n: n.done, state, point.certificate.violation <= self.tol)

    def point(self, state: PathState) -> PathPoint:
        """The limit: θ(η), corrected once so that it satisfies the equations to rounding."""
        _, theta, log_weight, residual = self.evaluate(self.zero, state.eta)
        factor = self.factorise(log_weight, self.floor(jnp.maximum(self.log_size, 1)))
        weights = jnp.exp(jnp.where(factor.squared > factor.low, log_weight, -jnp.inf))
        correction = weights * (factor.solve(residual[None])[0] @ self.problem.row_space.basis)
        corrected = theta - correction
        small = jnp.max(jnp.abs(correction) / jnp.maximum(weights, jnp.finfo(theta.dtype).tiny)) <= 1e-3
        better = small & (jnp.linalg.norm(self.missing(corrected)) < jnp.linalg.norm(residual))
        theta = jnp.where(better, corrected, theta)
        coordinates = state.eta * self.unit
        return PathPoint(theta, coordinates, certify(self.problem, self.target, theta, self.theta0, coordinates))

    def runs(self, state: PathState) -> Bool[Array, ""]:
        """Whether a state is still on its way."""
        return ~state.done & ~state.stalled & (state.steps < self.budget) & (state.arrived < _MOST_ARRIVALS)

    def result(self, final: PathState, point: PathPoint) -> Any:
        """How a path has ended."""
        finite = jnp.all(jnp.isfinite(point.theta))
        lost = final.stalled | (final.arrived >= _MOST_ARRIVALS)
        unfinished = select(finite, select(lost, Result.stalled, Result.max_steps), Result.nonfinite)
        return select(final.done & finite, Result.converged, unfinished)
