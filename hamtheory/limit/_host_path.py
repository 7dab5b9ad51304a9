"""Following the limit from the L2 to the L1 end of a family of geometries, for one problem, in NumPy.

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

All of this is done in units of θ in which the nearest interpolator is of size 1, which moves ℓ: `θ = e^(−ℓ) Θ(s)`.

What was tried instead, and lost: docs/decisions/paths.md.

References:
    The path of an exponential penalty is asymptotically straight, [cominetti1994asymptotic].
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._array import quiet
from ..geometry import AbstractExponentialGeometry
from ..metrics import certified
from ..problem import LinearRegression
from ._host_newton import Ended, HostLimit, Vector, doubled
from ._host_point import EPS, ON_THE_WAY, Point, largest, log_weight_at_rest

_GOOD, _BAD = 1.3, 4.0  # the error of ln|θ| up to which a step is followed by the next, and from which it is undone
_NEAR = 4e-3  # the error from which a Newton step may arrive
_SQUARED = 1e-2  # times the tolerance, the fourth power of that error
_TARGET = 0.8  # the error that the step control aims at; it is of second order in the step
_SHRINKS = 0.9  # a predictor whose error shrinks by less when it is made shorter is not to blame: correct it
_LONGER = 16.0  # by which factor steps may grow
_RISE = 4.0  # how much ln|θ| of an entry may grow in a step
_FULL = 0.999  # a part of a Newton step from which on it is the whole
_SHORTEST = 1e-14  # part of a Newton step
_MOST_ARRIVALS = 60  # Newton steps at the target
_SHARP = 1e-5  # a correction of θ after which nothing is left to correct
_MOST_PROOFS = 3  # after so many, a certificate within tolerance will do
_MOST_CORRECTIONS = 3  # of θ at the end, each by the same matrix
_MOST_REFUSALS = 10  # proofs that failed where neither error nor residual had more to lose
_LUCK = 8.0  # by which factor rounding may change a certificate
_PATIENCE = 100  # steps from one limit to its neighbour, before the straight path is tried


class Path(Point):
    """A point near the path of one problem and start, and the steps that move it along.

    `step`: how far the next predictor goes. `back`: shift, η, Newton step and tangent before the last step; `fresh`:
    whether that was a predictor; `undone`: the error for which it was made shorter. `trial`: the part of a Newton step
    that it was, and that still is to be judged, or 0; `slope`: that of the dual along it, where it began. `close`: at
    the target, the last Newton step began so near to it that it may have arrived; `arrived`: how many there were.
    """

    def __init__(
        self, problem: LinearRegression, geo: AbstractExponentialGeometry, theta0: Vector, *, straight: bool = True
    ):
        super().__init__(problem, geo, theta0, straight)
        self.step, self.steps = 1.0, 0
        self._pause()

    def _pause(self) -> None:
        self.fresh, self.trial, self.slope, self.arrived, self.stalled = False, 0.0, 0.0, 0, False
        self.undone, self.proofs, self.refused, self.least = math.inf, 0, 0, math.inf
        self.close, self.current, self.factor = False, False, None
        self.back = (self.shift, self.eta, self.eta, self.eta)

    def retarget(self, geo: AbstractExponentialGeometry) -> None:
        """The same point of the path, seen from a target that is farther."""
        before = self.sparsity
        self._aim(geo)
        self.shift -= self.sparsity - before
        self._pause()

    def advance(self, tol: float) -> None:
        """One step: the last one is judged, then undone, shortened, or followed by the next."""
        if not self.current:
            self.evaluate()
        self.steps += 1
        if self.trial and not self.descended():
            self.shorten()
            return
        at_target = self.shift >= 0
        self.factorise(self.floor() if at_target else ON_THE_WAY)
        self.look_ahead()
        self.error, self.wrong, self.below = self.errors(self.low)
        # At the target, what small entries lack is for the corrector.
        near = at_target and self.norm <= 1e-3 * self.scale
        if self.fresh and self.error > _BAD and not near and _BAD < self.misstep() < _SHRINKS * self.undone:
            self.undo()
        elif self.error <= _GOOD and not at_target:
            self.predict()
        else:
            self.correct(tol)

    def begin(self, tol: float) -> None:
        """The first step from θ₀ = 0, as `advance` makes it: with one weight for all, H is a multiple of 1, Newton's
        step leads to the nearest interpolator, and the path has no slope."""
        weight = math.exp(log_weight_at_rest(self.profile) - (self.sparsity + self.shift))
        self.newton, self.residual, change = self.target / weight, -self.target, self.farthest / weight
        self.norm, self.error = math.sqrt(np.dot(self.target, self.target)), math.log1p(change)
        self.steps, self.evaluations = self.steps + 1, self.evaluations + 1
        if self.shift < 0:
            zero = np.zeros_like(self.eta)
            self.back = (self.shift, self.eta, self.newton, zero)
            self._move(self.newton, zero, self.step)
        else:
            self._go(self.error / change if self.error < _FULL * change else 1.0, tol)

    def descended(self) -> bool:
        """Whether the last Newton step lowered the slope of the dual along itself, as far as rounding can tell."""
        if not math.isfinite(self.norm):
            return False
        if float(np.dot(self.back[2], self.residual)) <= 0.5 * abs(self.slope):
            return True
        rounding = EPS * max(self.log_size, 16.0) * math.sqrt(np.dot(self.theta, self.theta))
        return self.norm <= rounding

    def misstep(self) -> float:
        """A predictor is judged by what it could see: entries between the two floors wait for the target."""
        if self.shift < 0:
            return self.error
        return self.errors(float(largest(self.squared)) + math.log(ON_THE_WAY))[0]

    def undo(self) -> None:
        """Back to before the last predictor, and a shorter one."""
        self.shift, before, newton, tangent = self.back
        self.step /= 4
        self.undone = self.misstep()
        self._move(before + newton, tangent, self.step)

    def shorten(self) -> None:
        """Half of the last Newton step, which did not lower the slope along itself."""
        self.trial /= 2
        _, before, newton, _ = self.back
        self.stalled = self.trial <= _SHORTEST
        self.eta = before if self.stalled else before + self.trial * newton
        self.current = False

    def _ratio(self) -> float:
        return math.sqrt(_TARGET / max(self.error, 1e-3))

    def predict(self) -> None:
        """A Newton step, and a step along a tangent, as far as no visible entry grows by more than `e^_RISE`."""
        start, drift = self.origins
        length = max(self.log_size + self.shift, 1.0)
        # The slope of s: that of the start's exponent, and the tangent's. Where H does not see, η/ℓ keeps entries that
        # start at 0 shrinking; a start that is far from 0 in units of 1/α carries s along by itself, and then η should
        # stay.
        outward = self.s / length
        if self.moved:
            outward += drift - start / length
        self.ceiling = self.below + self.size
        self.ceiling += _RISE
        more, reach = self.tangent(outward)
        tangent = self.eta / length + more
        self.step *= min(max(self._ratio(), 0.3), _LONGER) if self.fresh else 1.0
        if reach < self.step:
            staying, other = self.tangent(drift)
            if other > reach:
                tangent, reach = staying, other
            self.step = min(self.step, reach)
        self.back, self.undone = (self.shift, self.eta, self.newton, tangent), math.inf
        self._move(self.eta + self.newton, tangent, self.step)

    def tangent(self, outward: Vector | float) -> tuple[Vector, float]:
        """`H⁻¹ Q (θ − W s′)` where s has the slope s′ by itself, and how far an entry that is visible, or becomes so,
        lets us go."""
        still = self.weight * outward
        np.subtract(self.theta, still, out=still)
        found = self.solve(np.dot(self.basis, still))
        slope = np.dot(found, self.basis)
        slope += outward
        faster = np.abs(slope)
        faster -= 1
        room = self.ceiling - np.sign(slope) * self.ahead
        np.maximum(room, 0.3, out=room)
        faster /= room
        fastest = float(largest(faster))
        return found, 1 / fastest if fastest > 0 else math.inf

    def _move(self, eta: Vector, tangent: Vector, by: float) -> None:
        by = min(by, -self.shift)
        self.factor = None  # it was that of another shift
        self.shift = 0.0 if by >= -self.shift else self.shift + by
        self.eta = eta + by * tangent
        self.fresh, self.trial, self.current = True, 0.0, False

    def correct(self, tol: float) -> None:
        """The step that is exact for one exponential: shorter than Newton's if it grows, longer if it decays."""
        at_target = self.shift >= 0
        change, t = self.change, 1.0
        below: Any = None if isinstance(self.below, float) else self.below
        if below is None:
            most = float(largest(change))
            t = math.log1p(most) / most if most > 0 else 1.0
        elif (growing := (change > below).nonzero()[0]).size:
            rates = below[growing] + self.wrong[growing]
            rates /= change[growing]
            t = float(rates.min())
        if not t < _FULL:
            worst = int(np.argmax(self.wrong))
            t = float(self.wrong[worst] / -change[worst]) if change[worst] < 0 and math.isfinite(self.error) else 1.0
        if not (math.isfinite(t) and t > 0):
            t = 1.0
        if at_target and self.error <= _NEAR and below is not None:
            # Entries below the floor come up too slowly, since H overrates them: go until the first one is there.
            rising = ((change > 1) & (below > change)).nonzero()[0]
            if rising.size:
                self.arrived -= 1
                t = max(t, min(float((below[rising] / change[rising]).min()), _GOOD / max(self.error, EPS)))
        if self.fresh and not at_target:
            self.step *= min(max(self._ratio(), 0.3), 1.0)
        self._go(t, tol)

    def _go(self, t: float, tol: float) -> None:
        """So much of Newton's step; it squares the error, and so does the correction after it."""
        at_target, missing = self.shift >= 0, self.norm / self.scale
        self.close = at_target and (
            missing <= tol or (self.error <= _NEAR and (missing <= math.sqrt(tol) or self.error**4 <= _SQUARED * tol))
        )
        self.back = (self.shift, self.eta, self.newton, self.newton)
        self.slope = float(self.newton @ self.residual)
        self.eta = self.eta + t * self.newton
        self.fresh, self.trial, self.current = False, t, False
        self.arrived += at_target

    def prove(self, tol: float) -> HostLimit:
        """The limit: θ(η), corrected so that it satisfies the equations to rounding, with its certificate.

        Newton's last matrix is near enough for that.
        """
        if self.shift != 0:
            self.shift, self.current, self.factor = 0.0, False, None
        if not self.current:
            self.evaluate()
        self.proofs += 1
        if self.factor is None:
            self.factorise(self.floor())
        visible = None if self.lowest > self.low else self.squared > self.low
        weights = self.weight if visible is None else np.where(visible, self.weight, 0)
        theta, residual, norm, self.correction = self.theta, self.residual, self.norm, 0.0
        eta = self.eta
        for _ in range(_MOST_CORRECTIONS):
            step = self.solve(residual)
            relative = np.dot(step, self.basis)
            if visible is not None:
                relative *= visible
            corrected = theta - weights * relative
            after = np.dot(self.basis, corrected) - self.target
            left, moved = math.sqrt(np.dot(after, after)), float(largest(np.abs(relative)))
            self.correction = max(self.correction, moved)
            if not (left < 0.5 * norm and moved <= 1e-3):
                break
            theta, residual, norm, eta = corrected, after, left, eta - step
            if left <= 4 * EPS * self.scale:
                break
        return self._limit(theta, eta, tol)

    def _limit(self, theta: Vector, eta: Vector, tol: float) -> HostLimit:
        dtype = self.problem.dtype
        theta = np.ldexp(theta, self.exponent2)
        if self.seen is not None:
            whole = doubled(self.theta0).copy()
            whole[self.seen] = theta
            theta = whole
        log_scale = float(self.given.log_exponent_unit(dtype)) - self.by
        theta, coordinates = theta.astype(dtype, copy=False), np.zeros_like(self.problem.row_space.target)
        coordinates[: eta.size] = eta * math.exp(log_scale)
        certificate, misfit = certified(
            self.problem, self.given, doubled(theta), doubled(self.theta0), doubled(coordinates)
        )
        if certificate.violation <= tol:
            ended: Ended = "converged"
        elif not np.isfinite(theta).all():
            ended = "nonfinite"
        else:
            ended = "stalled" if self.stalled or self.arrived >= _MOST_ARRIVALS else "max_steps"
        return HostLimit(theta, coordinates, certificate, self.steps, self.evaluations, ended, misfit)

    def follow(self, tol: float, max_steps: int) -> HostLimit:
        """Go on until the limit is proven, or for so many steps."""
        with quiet():
            if self.eta.size == 0:
                return self._limit(self.start, self.eta, tol)
            budget = self.steps + max_steps
            while self.steps < budget and not self.stalled and self.arrived < _MOST_ARRIVALS:
                if self.steps == 0 and self.even and not self.moved:
                    self.begin(tol)
                else:
                    self.advance(tol)
                if self.close:
                    limit = self.prove(tol)
                    # What the correction leaves is of its square: the certificate may bear more than θ should.
                    if limit.ended == "converged" and (self.correction <= _SHARP or self.proofs > _MOST_PROOFS):
                        return limit
                    # Where Newton's steps have no more to gain, rounding is what remains; near the tolerance, it may
                    # fall out one way or the other.
                    hopeless = not limit.certificate.violation <= _LUCK * tol
                    still = max(self.error, float(largest(np.abs(self.newton)))) <= _NEAR  # nothing rises, even unseen
                    self.refused += hopeless and still and self.norm > 0.5 * self.least
                    self.least = min(self.least, self.norm)
                    self.stalled = self.stalled or self.refused > _MOST_REFUSALS
            shift = self.shift
            limit = self.prove(tol)
            if shift < 0:  # not there yet
                self.shift, self.current, self.factor = shift, False, None
            return limit


def follow(
    problem: LinearRegression,
    geo: AbstractExponentialGeometry,
    theta0: Vector,
    tol: float,
    max_steps: int,
) -> HostLimit:
    """The limit from θ₀, at the end of the straight path."""
    return Path(problem, geo, theta0).follow(tol, max_steps)


def follow_many(
    problem: LinearRegression,
    geos: Sequence[AbstractExponentialGeometry],
    theta0: Vector,
    tol: float,
    max_steps: int,
) -> list[HostLimit]:
    """The limits from θ₀ of members of one family, each followed from its neighbour, in the order given.

    `max_steps`: for each of them.
    """
    limits: dict[int, HostLimit] = {}
    path: Path | None = None
    for index in sorted(range(len(geos)), key=lambda index: float(geos[index].log_sparsity)):
        geo = geos[index]
        if path is None:
            path = Path(problem, geo, theta0, straight=False)
        else:
            path.retarget(geo)
        steps, evaluations = path.steps, path.evaluations
        limit = path.follow(tol, min(max_steps, _PATIENCE))
        spent, evaluated = path.steps - steps, path.evaluations - evaluations
        if limit.ended != "converged" and spent < max_steps:
            # A tiny start bends this path sharply where α|θ₀| ~ 1. The straight one has no bend.
            afresh = Path(problem, geo, theta0)
            other = afresh.follow(tol, max_steps - spent)
            spent, evaluated = spent + afresh.steps, evaluated + afresh.evaluations
            if other.ended == "converged":
                limit, path, afresh.straight = other, afresh, False
        limits[index] = replace(limit, steps=spent, evaluations=evaluated)
    return [limits[index] for index in range(len(geos))]
