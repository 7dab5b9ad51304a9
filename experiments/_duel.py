"""The quantity `duel`: HAM against imbalanced m⊙w of the same bias, as flows and as algorithms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import numpy as np

import hamtheory as ht
from hamtheory.sweeps import FLIPS, Batch, Ends, Geometries, Quantity, Variable, flips_of, register

from ._matching import CONVERGED, LATE, Match, matched

SIDES = ("ham", "mw")
_FEWEST = 3  # points of a cluster of the search
_GAMMAS, _TIMES = np.linspace(3.0, -12.0, 26).tolist(), np.geomspace(1e-2, 1e4, 96).tolist()
_NARROW = 63  # instances in step, of an X each
_STEPS = 100_000  # of a flow, and of a limit
_FLAGS = {"flag_values": list(range(len(ht.NAMES))), "flag_meanings": " ".join(ht.NAMES)}


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

    An instance is a problem and a start; a point an α; `side` is ham or mw. `status`: of the limit and the match.

    References:
        The question, that of reviewers of [jacobs2026ham]; the limits of m⊙w, [woodworth2020kernel].
    """

    name: ClassVar[str] = "duel"
    curves: ClassVar[bool] = True
    few: ClassVar[int] = 1000
    log_gamma: Sequence[float] = tuple(_GAMMAS)
    limit_tol: float = 1e-10
    match_tol: float = 1e-7
    product: float | None = None
    target: float = 1e-6
    rtol: float = 1e-6
    tol: float = 1e-4
    ts: Sequence[float] = tuple(_TIMES)
    fraction: Sequence[float] = (0.5, 0.9)
    steps: int = 5000
    checks: int = 200
    reach: float = 0.5

    def check(self, geometries: Sequence[Geometries], starts: Sequence[Any]) -> None:
        points = {len(block) for block in geometries}
        if len(points) > 1 or any(block.family != "ham" for block in geometries):
            raise ValueError("a duel is one of ham with the m⊙w that matches it, on grids of one length")
        if len(self.log_gamma) < _FEWEST * max(points) or np.any(np.diff(self.log_gamma) >= 0):
            raise ValueError(f"log_gamma must be decreasing, with at least {_FEWEST} values for each α of ham")

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
            "fraction": (of, np.array(self.fraction, float)),
        }

    def sizes(self, geometries: Sequence[Geometries]) -> dict[str, int]:
        return {"point": len(geometries[0])} | super().sizes(geometries)

    def compute(self, instances: Batch) -> dict[str, np.ndarray]:
        logs = np.asarray(_parameter(instances.geometry))
        shape, d = logs.shape, instances.problems[0].d
        grid_of = np.array(self.log_gamma, float).astype(logs.dtype)
        flat = _Flat(instances, shape[1], self.limit_tol, len(grid_of))
        ham = replace(instances, geometry=ht.HAM(log_alpha=logs)).paths(tol=self.limit_tol, max_steps=_STEPS)
        thetas, codes = ham.theta.reshape(-1, d), ham.result.ravel()
        if self.product is None:
            # What is compiled is as long as the first grid.
            cluster = _FEWEST if instances.on_host else len(grid_of) // shape[1]
            match = matched(flat.path, flat.instance, thetas, codes, grid_of, cluster, self.match_tol)
        else:
            log_gamma = (np.log(self.product) - logs).astype(logs.dtype)
            path = flat.path(log_gamma)
            match = Match(
                log_gamma.ravel(), path.theta.reshape(-1, d), path.result.ravel(), np.ones(logs.size, np.int32)
            )
        least = np.array([np.abs(ht.basis_pursuit(problem)).sum() for problem in instances.problems])
        log_gamma = np.where(match.codes == CONVERGED, match.log_gamma, 0)  # something to compute with
        found = [
            self._side(flat, ht.HAM(log_alpha=logs.ravel()), thetas, codes, least),
            self._side(flat, ht.Hypentropy(log_gamma=log_gamma), match.thetas, match.codes, least),
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
        return shaped | {"least_l1": least[instances.which]}

    def _side(self, flat: "_Flat", geos: Any, thetas: np.ndarray, codes: np.ndarray, least: np.ndarray):
        """What there is to say of a geometry on all instances and points; nothing where it has no limit."""
        where, found = np.flatnonzero(codes == CONVERGED), {}
        if where.size:
            some, at = jax.tree.map(lambda x: x[where], geos), thetas[where]
            found = self._found(flat, some, at, where, least[flat.which[where]])
        whole = {}
        for name, variable in self.variables().items():
            if "side" in variable.dims:
                dtype = thetas.dtype if variable.dtype == "float" else np.dtype(variable.dtype)
                empty = LATE if name.endswith("status") else np.nan if dtype.kind == "f" else -1
                inner = (len(self.fraction),) if "fraction" in variable.dims else ()
                whole[name] = np.full((len(codes), *inner), empty, dtype)
                if where.size:
                    whole[name][where] = found[name]
        return whole

    def _found(self, flat: "_Flat", geos: Any, thetas: np.ndarray, where: np.ndarray, least: np.ndarray):
        """The same, of the places `where`, with their limits, and the least norms of their interpolators."""
        found = flat.measured(geos, thetas, where) | flat.flows(self, geos, where)
        found["l1_norm"] = np.abs(thetas).sum(axis=1)
        found["distance_to_theta_star"] = np.linalg.norm(thetas - flat.truths[where], axis=1)
        found["excess"] = found["l1_norm"] / least - 1
        parts = []
        for fraction in np.array(self.fraction, float):
            rates = (fraction * found["stable_rate"]).astype(thetas.dtype)
            part = flat.runs(self, geos, rates, found["condition"], where)
            parts.append(part | {"run_rate": rates, "run_excess": part.pop("run_l1") / least - 1})
        return found | {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}

    def first_at_target(self, at: np.ndarray, loss: np.ndarray, start: np.ndarray) -> np.ndarray:
        """When a loss, (instances, times), is first at `target · start`; infinite if never.

        By interpolation of its logarithm, in which a loss that decays exponentially is a straight line. `at`: the
        times, (times,); the loss at time 0 is `start`, (instances,).
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
    """The instances of a duel times its points, one after the other."""

    def __init__(self, instances: Batch, points: int, tol: float, longest: int):
        self.tol, self.longest = tol, longest
        self.instances, self.instance = instances, np.repeat(np.arange(len(instances)), points)
        self.which = instances.which[self.instance]
        self.truths = instances.truths[self.which]
        start = (
            np.zeros((len(self.instance), instances.problems[0].d))
            if instances.theta0s is None
            else instances.theta0s[self.instance]
        )
        X, y = (np.stack([getattr(problem, name) for problem in instances.problems]) for name in "Xy")
        residuals = np.einsum("lnd,ld->ln", X[self.which], start) - y[self.which]
        self.first_loss = np.square(residuals).sum(axis=1) / (2 * y.shape[1])

    def some(self, where: np.ndarray, geos: Any) -> Batch:
        """The places `where`, with a geometry each."""
        return self.instances.take(self.instance[where], geos)

    def path(self, log_gamma: np.ndarray, some: np.ndarray | None = None) -> Ends:
        """The limits of m⊙w along a curve of every instance, or of `some`, (instances, points)."""
        some, points = np.arange(len(self.instances)) if some is None else some, log_gamma.shape[1]
        if not self.instances.on_host:  # paths of one length are one compiled program
            log_gamma = np.pad(log_gamma, ((0, 0), (0, max(0, self.longest - points))), mode="edge")
        path = self.instances.take(some, ht.Hypentropy(log_gamma=log_gamma)).paths(tol=self.tol, max_steps=_STEPS)
        return jax.tree.map(lambda values: values[:, :points], path)

    def measured(self, geos: Any, thetas: np.ndarray, where: np.ndarray) -> dict[str, np.ndarray]:
        """What the metrics are at these limits."""
        return self.some(where, geos).measured(_at_limit, thetas)

    def flows(self, duel: Duel, geos: Any, where: np.ndarray) -> dict[str, np.ndarray]:
        ts = np.array(duel.ts, float)
        # By one method: with a mild bias a second one, for stiff instances, does not pay for its compilation.
        some = replace(self.some(where, geos), alike=_NARROW, on_host=False)
        ends = some.flows(ts=ts, rtol=duel.rtol, tol=duel.tol, max_steps=_STEPS, flips=True, solver="tsit5")
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
        rule = next(rule for rule in (ht.HAMStep, ht.ProductGD) if rule.follows is type(geos)).along(geos)
        checks = np.union1d(0, np.round(np.geomspace(1, duel.steps, duel.checks)).astype(int))
        ends = replace(self.some(where, geos), alike=_NARROW).runs(
            ht.signs.FlipCounter(rule),
            rates=rates,
            keys=jax.vmap(jax.random.key)(np.zeros(len(where), int)),
            like=condition,
            steps=duel.steps,
            save_every=checks,
            tol=float(np.sqrt(duel.target)) * duel.reach,
        )
        time = duel.first_at_target(checks[1:].astype(float), ends["loss"][:, 1:], self.first_loss[where])
        finite = np.isfinite(ends["theta"]).all(axis=1)
        return {
            "run_time": np.where(finite, time, np.inf),
            "run_l1": np.abs(ends["theta"]).sum(axis=1),
            "run_status": np.where(np.isfinite(time) & finite, CONVERGED, ends["result"]).astype(np.int8),
            **{f"run_{name}": values for name, values in flips_of(ends["flips"], self.truths[where]).items()},
        }


def _at_limit(problem, geo, theta):
    rate = ht.metrics.stable_learning_rate(problem, geo, theta)
    return {
        "residual": ht.metrics.relative_residual(problem, theta),
        "mean_metric": geo.inverse_metric(theta).mean(),
        "stable_rate": rate,
        "condition": 2 / (rate * ht.metrics.asymptotic_rate(problem, geo, theta)),
    }


def _parameter(geometry: Any) -> Any:
    return geometry.parameter
