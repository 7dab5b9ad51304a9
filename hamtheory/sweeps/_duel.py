"""The quantity `duel`: HAM against imbalanced m⊙w of the same bias, as flows and as algorithms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import numpy as np

from .. import metrics
from .._result import NAMES
from .._validate import count, tolerance
from ..algorithm import HAMStep, ProductGD
from ..flow import solve_flows
from ..geometry import HAM, Hypentropy, named
from ..limit import basis_pursuit
from ..signs._count import FlipCounter
from . import _engines
from ._blocks import Geometries
from ._grid import Grid, grid, number, numbers
from ._matching import CONVERGED, LATE, Match, matched
from ._quantities import FLIPS, REACH, flips_of, measured_of
from ._quantity import LaneBatch, Quantity, Variable, register

SIDES = ("ham", "mw")
_FEWEST = 3  # points of a cluster of the search
_GAMMAS, _TIMES = Grid(3.0, -12.0, 26), Grid(1e-2, 1e4, 96, "log")
_NARROW = 63  # lanes in step, of an X each
_STEPS = 100_000  # of a flow, and of a limit
_FLAGS = {"flag_values": list(range(len(NAMES))), "flag_meanings": " ".join(NAMES)}


@register
@dataclass(frozen=True)
class Duel(Quantity):
    """HAM with each α of a curve, and m⊙w with the γ whose limit from the same start has the same L1 norm.

    *The match.* ‖θ_∞(γ)‖₁ is known on the decreasing grid `log_gamma` of ln γ (`ht.limit_path`, to `limit_tol`), and
    need not be monotone: from a start with wrong signs it has a minimum, and equal norms on both sides of it. Of all
    neighbours on the grid between which it passes HAM's norm, those count whose limit, on the chord, is nearest to
    HAM's; between these secants go on until the logarithms of the norms agree to `match_tol`. Where there are none, m⊙w
    has nothing but the status `reached_end`; where the search ends early, `stalled`. `product`: no search, but
    γ = product/α.

    *Why the two can differ by little.* With γ = 1/α the metrics are proportional, up to a factor from 1/√2 to 1:

        √(θ² + γ²)  ≤  (1 + α|θ|)/α = |θ| + γ  ≤  √2 √(θ² + γ²),

    since `(|θ| + γ)² = θ² + γ² + 2γ|θ|` and `0 ≤ 2γ|θ| ≤ θ² + γ²`. In units of time in which the metrics are |θ| + γ
    and √(θ² + γ²), first-passage times `∫ ds/(g⁻¹(s)(y + s))`, and 1/λ_max and 1/λ_min⁺ of `X diag(g⁻¹(θ)) Xᵀ` at one
    θ, are those of HAM up to a factor from 1 to √2, and the condition number up to one from 1/√2 to √2. As α → ∞ the
    passage from −a to y > 0 takes ln(αa)/(αy) against ln(1/γ)/(2y), in these units both `ln(αa)/y` to leading order.
    What is matched is not γ = 1/α: at the L1 end it is 2/α, where α R_α and 2 R_γ agree to the next order.

    *Flows*, `ht.solve_flows` with `rtol` and `tol`: sign flips, and the time until the loss is `target` times what it
    was, by interpolation of its logarithm between the times `ts`. *Runs*, `HAMStep` and `ProductGD` at each `fraction`
    of the largest stable learning rate at the limit: flips, and the steps until the same loss, by interpolation between
    `checks` evenly spaced in the logarithm. They end at a relative residual of `reach √target`: the target itself, of a
    start at zero, at a `reach` of 1. (From others the loss starts at ρ² times that of zero, and a run ends after its
    target if ρ ≥ reach.) What has not got there within the times or the `steps` has an infinite time, and a status.

    A lane is a problem and a start; a point an α; `side` is ham or mw. `status`: of the limit and the match.
    Source: own, the question of reviewers of [jacobs2026ham]; the limits of m⊙w, [woodworth2020kernel].

    ```python
    >>> import hamtheory as ht
    >>> problems = {"kind": "sparse", "n": 4, "d": 8, "k": 2, "seeds": range(10)}
    >>> geometries = {"family": "ham", "log_alpha": [0.0, 5.0, 10.0]}
    >>> spec = ht.SweepSpec(problems, geometries, quantity=ht.sweeps.Duel())
    >>> spec.lanes, spec.lengths()["point"]
    (10, 3)

    ```
    """

    name: ClassVar[str] = "duel"
    curves: ClassVar[bool] = True
    few: ClassVar[int] = 1000
    log_gamma: Any = _GAMMAS
    limit_tol: float = 1e-10
    match_tol: float = 1e-7
    product: float | None = None
    target: float = 1e-6
    rtol: float = 1e-6
    tol: float = 1e-4
    ts: Any = _TIMES
    fraction: Any = (0.5, 0.9)
    steps: int = 5000
    checks: int = 200
    reach: float = 0.5

    def settled(self, dtype: str) -> "Duel":
        within = lambda name: tolerance(number(getattr(self, name), name), name, np.dtype(dtype), REACH)  # noqa: E731
        made = replace(
            self,
            log_gamma=grid(self.log_gamma, "log_gamma"),
            limit_tol=within("limit_tol"),
            match_tol=within("match_tol"),
            product=None if self.product is None else number(self.product, "product"),
            target=within("target"),
            rtol=within("rtol"),
            tol=within("tol"),
            ts=grid(self.ts, "ts"),
            fraction=grid(self.fraction, "fraction"),
            steps=count(self.steps, "steps"),
            checks=count(self.checks, "checks"),
            reach=number(self.reach, "reach"),
        )
        logs, ts = numbers(made.log_gamma), numbers(made.ts)
        if len(logs) < 2 or np.any(np.diff(logs) >= 0):
            raise ValueError(f"log_gamma must be at least two decreasing numbers; got {logs}")
        if np.min(ts) <= 0 or np.any(np.diff(ts) <= 0):
            raise ValueError(f"ts must be increasing times that are positive; got {ts}")
        for name, most in (("product", np.inf), ("reach", 1.0), ("target", 0.5)):
            value = getattr(made, name)
            if value is not None and not 0 < value <= most:
                raise ValueError(f"{name} must be positive and at most {most:g}; got {value:g}")
        if np.min(numbers(made.fraction)) <= 0:
            raise ValueError(f"fraction must be positive; got {np.min(numbers(made.fraction)):g}")
        if made.tol > np.sqrt(made.target) / 2:
            raise ValueError(f"tol must be at most √target/2 = {np.sqrt(made.target) / 2:g}; got {made.tol:g}")
        return made

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:
        for block in geometries:
            if named(block.family) is not HAM:
                raise ValueError(f"a duel is one of ham with the m⊙w that matches it; got {block.family!r}")
        sizes = {len(block) for block in geometries}
        if len(sizes) > 1:
            raise ValueError(f"the grids of a duel must have one length; got {', '.join(map(str, sorted(sizes)))}")
        least = _FEWEST * max(sizes)
        if len(numbers(self.log_gamma)) < least:
            raise ValueError(f"log_gamma must have at least {least} values, {_FEWEST} for each α of ham")

    def variables(self) -> dict[str, Variable]:
        of = {
            "log_alpha": Variable("natural logarithm of alpha", ("point",), "float64"),
            "log_gamma": Variable("natural logarithm of the matched gamma", ("point",), "float64"),
            "crossings": Variable("gammas on the grid with that norm", ("point",), "int32"),
            "apart": Variable("distance of the two limits over the L2 norm of HAM's", ("point",)),
            "least_l1": Variable("least L1 norm of an interpolator"),
        }
        each = {
            "l1_norm": Variable("L1 norm of the limit"),
            "excess": Variable("L1 norm of the limit over the least one, minus 1"),
            "distance_to_theta_star": Variable("L2 distance of the limit to the ground truth, NaN without one"),
            "residual": Variable("relative residual of the limit"),
            "mean_metric": Variable("mean over the entries of the inverse metric at the limit"),
            "stable_rate": Variable("largest stable learning rate at the limit"),
            "condition": Variable("condition number of X diag(inverse metric) X^T at the limit"),
            "flow_time": Variable("time until the loss is at its target, infinite if it has not got there"),
            "flow_status": Variable("how the flow ended", dtype="int8", attributes=_FLAGS),
            **{f"flow_{name}": variable for name, variable in FLIPS.items()},
        }
        runs = {
            "run_time": Variable("steps until the loss is at its target, infinite if it has not got there"),
            "run_rate": Variable("learning rate of the run"),
            "run_excess": Variable("L1 norm of the end of the run over the least one, minus 1"),
            "run_status": Variable("how the run ended", dtype="int8", attributes=_FLAGS),
            **{f"run_{name}": variable for name, variable in FLIPS.items()},
        }
        each = {name: replace(v, dims=("point", "side")) for name, v in each.items()}
        return of | each | {name: replace(v, dims=("point", "side", "fraction")) for name, v in runs.items()}

    def dims(self) -> tuple[str, ...]:
        return "point", "side"

    def coordinates(self) -> dict[str, tuple[Variable, np.ndarray]]:
        flags = {"flag_values": [0, 1], "flag_meanings": " ".join(SIDES)}
        of = Variable("learning rate in units of the largest stable one", dtype="float64")
        return {
            "side": (Variable("geometry", dtype="int8", attributes=flags), np.arange(2, dtype=np.int8)),
            "fraction": (of, numbers(self.fraction)),
        }

    def sizes(self, geometries: Sequence[Geometries]) -> dict[str, int]:
        return {"point": len(geometries[0])} | super().sizes(geometries)

    def compute(self, lanes: LaneBatch) -> dict[str, np.ndarray]:
        logs = np.asarray(_parameter(lanes.geometry))
        shape, d = logs.shape, lanes.problems[0].d
        grid_of = numbers(self.log_gamma).astype(logs.dtype)
        flat = _Flat(lanes, shape[1], self.limit_tol, len(grid_of))
        ham = _engines.paths(replace(lanes, geometry=HAM(log_alpha=logs)), tol=self.limit_tol, max_steps=_STEPS)
        thetas, codes = ham.theta.reshape(-1, d), ham.result.ravel()
        if self.product is None:
            # What is compiled is as long as the first grid.
            cluster = _FEWEST if lanes.on_host else len(grid_of) // shape[1]
            match = matched(flat.path, flat.lane, thetas, codes, grid_of, cluster, self.match_tol)
        else:
            log_gamma = (np.log(self.product) - logs).astype(logs.dtype)
            path = flat.path(log_gamma)
            match = Match(
                log_gamma.ravel(), path.theta.reshape(-1, d), path.result.ravel(), np.ones(logs.size, np.int32)
            )
        least = np.array([np.abs(basis_pursuit(problem)).sum() for problem in lanes.problems])
        log_gamma = np.where(match.codes == CONVERGED, match.log_gamma, 0)  # something to compute with
        found = [
            self._side(flat, HAM(log_alpha=logs.ravel()), thetas, codes, least),
            self._side(flat, Hypentropy(log_gamma=log_gamma), match.thetas, match.codes, least),
        ]
        both = {name: np.stack([side[name] for side in found], axis=1) for name in found[0]}
        both["theta"] = np.stack([thetas, match.thetas], axis=1)
        both["status"] = np.stack([codes, match.codes], axis=1).astype(np.int8)
        curve = {
            "log_alpha": logs.ravel().astype(float),
            "log_gamma": match.log_gamma.astype(float),
            "crossings": match.crossings,
            "apart": np.linalg.norm(match.thetas - thetas, axis=1) / np.linalg.norm(thetas, axis=1),
        }
        shaped = {name: x.reshape(*shape, *x.shape[1:]) for name, x in (both | curve).items()}
        return shaped | {"least_l1": least[lanes.which]}

    def _side(self, flat: "_Flat", geos: Any, thetas: np.ndarray, codes: np.ndarray, least: np.ndarray):
        """What there is to say of a geometry on all lanes and points; nothing where it has no limit."""
        where, found = np.flatnonzero(codes == CONVERGED), {}
        if where.size:
            some, at = jax.tree.map(lambda x: x[where], geos), thetas[where]
            found = self._found(flat, some, at, where, least[flat.which[where]])
        whole = {}
        for name, variable in self.variables().items():
            if "side" in variable.dims:
                dtype = thetas.dtype if variable.dtype == "float" else np.dtype(variable.dtype)
                empty = LATE if name.endswith("status") else np.nan if dtype.kind == "f" else -1
                inner = (len(numbers(self.fraction)),) if "fraction" in variable.dims else ()
                whole[name] = np.full((len(codes), *inner), empty, dtype)
                if where.size:
                    whole[name][where] = found[name]
        return whole

    def _found(self, flat: "_Flat", geos: Any, thetas: np.ndarray, where: np.ndarray, least: np.ndarray):
        """The same, of the places `where`, with their limits, and the least norms of their interpolators."""
        of = measured_of(thetas, flat.truths[where])
        found = flat.measured(geos, thetas, where) | flat.flows(self, geos, where)
        found |= {name: of[name] for name in ("l1_norm", "distance_to_theta_star")}
        found["excess"] = of["l1_norm"] / least - 1
        parts = []
        for fraction in numbers(self.fraction):
            rates = (fraction * found["stable_rate"]).astype(thetas.dtype)
            part = flat.runs(self, geos, rates, found["condition"], where)
            parts.append(part | {"run_rate": rates, "run_excess": part.pop("run_l1") / least - 1})
        return found | {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}

    def first_at_target(self, at: np.ndarray, loss: np.ndarray, start: np.ndarray) -> np.ndarray:
        """When a loss, (lanes, times), is first at `target · start`; infinite if never.

        By interpolation of its logarithm, in which a loss that decays exponentially is a straight line. `at`: the
        times, (times,); the loss at time 0 is `start`, (lanes,).
        """
        at, loss = np.concatenate([[0], at]), np.concatenate([start[:, None], loss], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(loss) - np.log(self.target * start)[:, None]
        there = logs <= 0
        i = np.maximum(np.argmax(there, axis=1), 1)
        row = np.arange(len(loss))
        before, after = logs[row, i - 1], np.maximum(logs[row, i], -745.0)
        with np.errstate(invalid="ignore"):
            time = at[i - 1] + (at[i] - at[i - 1]) * before / (before - after)
        return np.where(there.any(axis=1), time, np.inf)


class _Flat:
    """The lanes of a duel times its points, one after the other."""

    def __init__(self, lanes: LaneBatch, points: int, tol: float, longest: int):
        self.tol, self.longest = tol, longest
        self.lanes, self.lane = lanes, np.repeat(np.arange(len(lanes)), points)
        self.which = lanes.which[self.lane]
        self.truths = lanes.truths[self.which]
        start = np.zeros((len(self.lane), lanes.problems[0].d)) if lanes.theta0s is None else lanes.theta0s[self.lane]
        X, y = (np.stack([getattr(problem, name) for problem in lanes.problems]) for name in "Xy")
        residuals = np.einsum("lnd,ld->ln", X[self.which], start) - y[self.which]
        self.first_loss = np.square(residuals).sum(axis=1) / (2 * y.shape[1])

    def some(self, where: np.ndarray, geos: Any) -> LaneBatch:
        """The places `where`, with a geometry each."""
        return _some(self.lanes, self.lane[where], geos)

    def path(self, log_gamma: np.ndarray, some: np.ndarray | None = None) -> _engines.Limits:
        """The limits of m⊙w along a curve of every lane, or of `some`, (lanes, points)."""
        some, points = np.arange(len(self.lanes)) if some is None else some, log_gamma.shape[1]
        if not self.lanes.on_host:  # paths of one length are one compiled program
            log_gamma = np.pad(log_gamma, ((0, 0), (0, max(0, self.longest - points))), mode="edge")
        lanes = _some(self.lanes, some, Hypentropy(log_gamma=log_gamma))
        path = _engines.paths(lanes, tol=self.tol, max_steps=_STEPS)
        return _engines.Limits(*(values[:, :points] for values in path))

    def measured(self, geos: Any, thetas: np.ndarray, where: np.ndarray) -> dict[str, np.ndarray]:
        """What the metrics are at these limits."""
        return _engines.measured(_at_limit, self.some(where, geos), thetas)

    def flows(self, duel: Duel, geos: Any, where: np.ndarray) -> dict[str, np.ndarray]:
        ts = numbers(duel.ts)
        # By one method: with a mild bias a second one, for stiff lanes, does not pay for its compilation.
        how = {"ts": ts, "rtol": duel.rtol, "tol": duel.tol, "max_steps": _STEPS, "flips": True, "solver": "tsit5"}
        ends = _engines._batched(_engines.Flows, solve_flows, self.some(where, geos), _NARROW, how)
        assert ends.flips is not None and ends.loss is not None
        time = duel.first_at_target(ts, ends.loss, self.first_loss[where])
        return {
            "flow_time": np.where(ends.result == CONVERGED, time, np.inf),
            "flow_status": np.where(np.isfinite(time), ends.result, LATE).astype(np.int8),
            **{f"flow_{name}": values for name, values in flips_of(ends.flips, self.truths[where]).items()},
        }

    def runs(
        self, duel: Duel, geos: Any, rates: np.ndarray, condition: np.ndarray, where: np.ndarray
    ) -> dict[str, np.ndarray]:
        some = self.some(where, geos)
        rule = next(rule for rule in (HAMStep, ProductGD) if rule.follows is type(geos)).along(geos)
        checks = np.union1d(0, np.round(np.geomspace(1, duel.steps, duel.checks)).astype(int))
        ends = _engines.runs(
            some.problems,
            some.which,
            FlipCounter(rule),
            some.theta0s,
            rates=rates,
            keys=jax.vmap(jax.random.key)(np.zeros(len(where), int)),
            alike=_NARROW,
            like=condition,
            how={
                "steps": duel.steps,
                "save_every": checks,
                "batch_size": None,
                "replace": True,
                "label_noise": 0.0,
                "tol": float(np.sqrt(duel.target)) * duel.reach,
            },
        )
        time = duel.first_at_target(checks[1:].astype(float), ends["loss"][:, 1:], self.first_loss[where])
        finite = np.isfinite(ends["theta"]).all(axis=1)
        return {
            "run_time": np.where(finite, time, np.inf),
            "run_l1": np.abs(ends["theta"]).sum(axis=1),
            "run_status": np.where(np.isfinite(time) & finite, CONVERGED, ends["result"]).astype(np.int8),
            **{f"run_{name}": values for name, values in flips_of(ends["flips"], self.truths[where]).items()},
        }


def _some(lanes: LaneBatch, which: np.ndarray, geos: Any) -> LaneBatch:
    """Lanes, each as often as it is asked for, with these geometries."""
    theta0s = None if lanes.theta0s is None else lanes.theta0s[which]
    return replace(lanes, which=lanes.which[which], theta0s=theta0s, geometry=geos)


def _at_limit(problem, geo, theta):
    rate = metrics.stable_learning_rate(problem, geo, theta)
    return {
        "residual": metrics.relative_residual(problem, theta),
        "mean_metric": geo.inverse_metric(theta).mean(),
        "stable_rate": rate,
        "condition": 2 / (rate * metrics.asymptotic_rate(problem, geo, theta)),
    }


def _parameter(geometry: Any) -> Any:
    return geometry.parameter
