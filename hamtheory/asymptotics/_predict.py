"""The prediction for one geometry or many."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from .._array import Array, Struct, is_jax, mapped, quiet
from .._result import Result, throw_unless
from .._types import Parameter
from .._validate import count, is_traced, nonnegative, positive, real_array, tolerance
from ..geometry import AbstractGeometry, Penalty
from ._fixed_point import ENOUGH, LEAST, Equations, solve
from ._panels import signed
from ._prior import Prior, broadcast, check_noise, law_of

_MOST_NODES = 50_000  # in one array, which so stays in a core's cache: twice as fast as one of millions
_ROUNDING = 1e-13
# What two rules differ by can be small by chance: the error is this multiple of it, and at least this part of the same
# of the rule before, and the square of this part of that before it; of the first two, this number. Rules further back
# say nothing: without noise the first one may be off by an order.
_CAUTION, _GAIN, _FIRST = 4, 0.01, 5e-7
_LASSO = 1e-200  # of the signal: a barrier below it is none


class Prediction(Struct):
    """What limits of Gaussian data look like in high dimension, see `predict`; arrays of one shape.

    Attributes:
        mse: The mean square error of a coordinate, `E(θ − Θ)²`; 0 for a recovery, below 1e-260 of the signal.
        tau: τ: a coordinate is distributed as η_κ(Θ + τZ).
        kappa: κ, in the units of `mirror_map` (of the penalty, under weight decay).
        norms: The mean absolute value and the root mean square of a coordinate: the norms L1/d and L2/√d.
        support: The share of the coordinates of a size above `threshold`.
        threshold: Half the smallest atom but 0, or half the root mean square of a prior without one.
        result: A member of `hamtheory.Result`, of many an array of their numbers.
        stats: `error` (relative, of the mse, τ and κ: a multiple of what two rules differ by, the better of which
            counts), `steps` (Newton's).
    """

    mse: Float[Array, "..."]
    tau: Float[Array, "..."]
    kappa: Float[Array, "..."]
    norms: tuple[Float[Array, "..."], Float[Array, "..."]]
    support: Float[Array, "..."]
    threshold: float
    result: Any
    stats: dict[str, Array]


@quiet()
def predict(
    geo: AbstractGeometry | Sequence[AbstractGeometry],
    *,
    delta: Parameter,
    prior: Any,
    sigma: Parameter = 0.0,
    weight_decay: Parameter = 0.0,
    start: Any = None,
    tol: float = 1e-8,
    max_steps: int = 200,
    throw: bool = True,
) -> Prediction:
    """The mean square error, the norms and the support of limits, as n and d grow in proportion.

    X has independent entries N(0, 1), `y = Xθ* + √n σξ`, n = δd, the entries of θ* are those of a law Θ and ξ is
    standard normal. Then a coordinate of `solve_limit(problem, geo, weight_decay=β)` is distributed as η_κ(Θ + τZ),
    Z standard normal, `η_κ = (Id + κR′)⁻¹`, and with the penalty P of weight decay, if β > 0, in place of R,

        τ² = σ² + E(η_κ(Θ + τZ) − Θ)²/δ,    E η_κ′(Θ + τZ) = δ  (δ(1 − 1/κ) with P).

    Coordinates may differ in their geometry and in their start θ₀, jointly with Θ: then the expectations are over
    them, too, and η_κ inverts `θ + κ(R′(θ) − R′(θ₀))`.

    That is the limit; a problem of n rows scatters around it by a relative 1/√n or so. It does not hold for columns
    of different sizes, or correlated ones. Without noise and with enough rows, τ → 0 at the L1 end: a recovery.

    Args:
        geo: Any geometry, also one with many parameters: all arguments that are arrays are broadcast. Or a list of
            geometries, one for each atom: that of the coordinates whose entry of θ* it is.
        delta: δ = n/d: between 0 and 1; with weight decay, any that is positive.
        prior: The law Θ: (atoms, weights), where an atom is a number or a density, a function of θ that is smooth on
            either side of 0; or a density alone. Only the sizes matter.
        sigma: σ ≥ 0.
        weight_decay: β ≥ 0, where `solve_limit` knows it.
        start: θ₀: a number, or one for each atom, (atoms,); left out, zero, as it is under weight decay, which forgets
            it. Where R′ of coordinates that do not start at zero differ by many orders it stalls.
        tol: The largest `error`.
        max_steps: The budget of Newton steps.
        throw: Raise on anything but convergence (otherwise, see `.result`).

    Returns:
        A `Prediction`.

    Raises:
        TypeError: For traced values, and a prior of another kind.
        ValueError: For a δ out of range, a negative σ or β, shapes that do not broadcast, geometries or starts that are
            not as many as the atoms, a prior that is zero or whose weights do not sum to one, and a signal or noise
            whose square is no number.
        RuntimeError: On failure, if `throw`.

    References:
        [bayati2011dynamics], [donoho2009message]: the equations for the L1 norm, as those of message passing.

    ```python
    >>> import hamtheory as ht
    >>> prior = ([0.0, 1.0], [0.9, 0.1])
    >>> ht.asymptotics.predict(ht.HAM([0.01, 1.0, 100.0]), delta=0.5, prior=prior, sigma=0.1).mse.round(5).tolist()
    [0.05495, 0.05081, 0.02579]
    >>> tuned = [ht.Hypentropy(1e-3), ht.Hypentropy(0.5)]  # whoever is one has a large γ
    >>> float(ht.asymptotics.predict(tuned, delta=0.2, prior=prior).mse.round(5))
    0.0

    ```
    """
    tol, budget = tolerance(tol, "tol", np.float64, 64), count(max_steps, "max_steps")
    law = law_of(prior, start, apart=isinstance(geo, (list, tuple)))
    geos, delta, sigma, beta = _checked(geo, delta, sigma, weight_decay, law)
    if start is not None and beta.any():
        raise ValueError("start must be left out with weight_decay, under which the limit does not depend on it")
    named = [(i, *item) for i, one in enumerate(geos) for item in one.arguments().items()]
    own = {f"{name} of geo" + (f"[{i}]" if len(geos) > 1 else ""): np.shape(value) for i, name, value in named}
    shape = broadcast(
        "geo, delta, sigma and weight_decay",
        own | {"delta": delta.shape, "sigma": sigma.shape, "weight_decay": beta.shape},
    )
    flat = lambda leaf: np.broadcast_to(leaf, shape).ravel()  # noqa: E731
    delta, sigma, beta = (np.broadcast_to(array, shape).ravel() for array in (delta, sigma, beta))
    parts = []
    for some in _pieces(np.arange(delta.size), law, 1):
        part = mapped(lambda leaf: flat(leaf)[some], geos)  # noqa: B023
        parts.append(_solved(part, law, delta[some], sigma[some], beta[some], tol, budget))
    found = {name: np.concatenate([part[name] for part in parts]).reshape(shape)[()] for name in parts[0]}
    codes = found.pop("result")
    failed = np.flatnonzero(codes)
    if throw and failed.size:
        first = failed[0]
        detail = (
            f"{failed.size} of {codes.size} failed; the first with an error of {np.ravel(found['error'])[first]:.1e}"
        )
        throw_unless(np.ravel(codes)[first], (Result.converged,), None, "predict", detail)
    return Prediction(
        norms=(found.pop("l1"), found.pop("l2")),
        threshold=law.smallest / 2,
        result=codes if shape else Result(int(codes)),
        stats={name: found.pop(name) for name in ("error", "steps")},
        **found,
    )


def _checked(
    geo: Any, delta: Any, sigma: Any, beta: Any, law: Prior
) -> tuple[tuple[AbstractGeometry, ...], Array, Array, Array]:
    """The geometries and the arguments, in arrays of float64."""
    many = isinstance(geo, (list, tuple))
    geos = tuple(geo) if many else (geo,)
    for one in geos:
        if not isinstance(one, AbstractGeometry):
            raise TypeError(f"geo must be a geometry{', and so must each in a list' * many}; got {one!r}")
    if many and len(geos) != law.shares.size:
        raise ValueError(f"geo must be one, or one for each of the {law.shares.size} atoms of prior; got {len(geos)}")
    if is_traced(geos, delta, sigma, beta):
        raise TypeError("geo, delta, sigma and weight_decay must be concrete: predict cannot be traced")
    geos, delta, sigma, beta = (
        mapped(np.asarray, value) if is_jax(value) else value for value in (geos, delta, sigma, beta)
    )
    geos = mapped(lambda leaf: np.asarray(leaf, float)[()], geos)
    delta = positive(real_array(delta, "delta"), "delta").astype(float)
    sigma = nonnegative(real_array(sigma, "sigma"), "sigma").astype(float)
    beta = nonnegative(real_array(beta, "weight_decay"), "weight_decay").astype(float)
    check_noise(sigma, law)
    if np.any(beta > 0) and np.any(beta == 0):
        raise ValueError("weight_decay must be positive throughout, or 0; got both")
    if np.any((delta >= 1) & (beta == 0)):
        raise ValueError(
            "delta = n/d must be below 1 without weight_decay: from 1 on the limit is that of least squares, whatever "
            f"the geometry, with the mse sigma**2/(1 - 1/delta); got {delta.max():g}"
        )
    return geos, delta, sigma, beta


def _for_panels(geo: AbstractGeometry) -> AbstractGeometry:
    """The geometry with its parameters in the shape of nodes."""
    return mapped(lambda leaf: leaf.reshape(-1, 1, 1, 1), geo)


def _penalties(geo: AbstractGeometry, beta: np.ndarray, size: float) -> Penalty:
    """The penalty of each instance, in arrays."""
    made = []
    for i, strength in enumerate(beta):
        one = mapped(lambda leaf: leaf[i], geo)  # noqa: B023
        penalty = one.penalty(strength, float)
        if penalty is None:
            one.decayed(0.0, float(strength))  # a geometry that knows no weight decay at all says why
            raise ValueError(f"weight_decay must be 0 for {type(geo).__name__}: what its limits minimise is not known")
        barrier = penalty.barrier if penalty.barrier > _LASSO * size else 0.0
        made.append((max(penalty.slope, np.finfo(float).tiny), barrier, penalty.curvature))
    return Penalty(*(np.array(column).reshape(-1, 1, 1, 1) for column in np.transpose(made)))


def _pieces(instances: np.ndarray, law: Prior, level: int) -> list[np.ndarray]:
    """So many of these instances at a time as have room in one array of nodes."""
    panels, order, _ = law.rules[level]
    width = max(_MOST_NODES // (law.nodes(level).size.size * panels * order), 1)
    return np.split(instances, range(width, instances.size, width)) if instances.size else []


def _equations(geos, law: Prior, delta, sigma, beta) -> Equations:
    size, decays = law.size, bool(beta[0] > 0)
    sources: Any = tuple(_penalties(geo, beta, size) if decays else _for_panels(geo) for geo in geos)
    slopes = [
        source.derivative(np.float64(size)) if decays else source.mirror_map(np.float64(size)) for source in sources
    ]
    shares = law.shares if len(geos) > 1 else [1.0]
    each = [w * np.broadcast_to(np.ravel(slope), delta.shape) for w, slope in zip(shares, slopes, strict=True)]
    unit = np.sum(each, axis=0)
    decay = np.log(unit / size) if decays else np.full(delta.shape, -np.inf)
    return Equations(sources, unit, delta, (sigma / size) ** 2, decay)


def _support(equations: Equations, law: Prior, level: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`P(|η| > threshold)`."""
    tau, kappa = np.exp(x), np.exp(x + y)
    nodes = law.nodes(level).over(law.size)
    mirror = equations.mirror(law.size, nodes.atom)
    threshold = np.full((1, nodes.size.size, 1, 1), law.smallest / law.size / 2)
    cut = (threshold + kappa[:, None, None, None] * mirror(threshold))[..., 0, 0]
    shift = nodes.size + kappa[:, None] * signed(mirror, nodes.start[None, :, None, None])[..., 0, 0]
    above = sum(ndtr(-(cut + sign * shift) / tau[:, None]) for sign in (1, -1))
    return (above * nodes.weight).sum(axis=1)


def _solved(geos, law: Prior, delta, sigma, beta, tol: float, budget: int) -> dict[str, Any]:
    """The prediction for arrays of instances."""
    size, count = law.size, delta.size
    equations = _equations(geos, law, delta, sigma, beta)
    x, y = equations.start()
    square, step, error = (np.full(count, np.inf) for _ in range(3))
    last = np.zeros((3, count))  # what a rule and the one before differ by, times caution: of the last three rules
    steps, norms, support, rest = np.zeros(count, int), np.empty((2, count)), np.empty(count), np.arange(count)
    for level in range(len(law.rules)):
        for some in _pieces(rest, law, level):
            state, taken, norms[:, some] = solve(equations.some(some), law, level, x[some], y[some], budget)
            moved = np.abs(square[some] / state.square - 1), np.abs(state.x - x[some]), np.abs(state.y - y[some])
            last[:, some] = _CAUTION * np.max(moved, axis=0), *last[:2, some]
            x[some], y[some], square[some], step[some] = state.x, state.y, state.square, state.step
            steps[some] += taken
        if level == 0:
            last[0] = 0.0  # what the guess was off by
        elif level == 1:
            last[0] = np.maximum(last[0], _FIRST)
        if level:
            error[rest] = np.max(last[:, rest] * [[1], [_GAIN], [_GAIN**2]], axis=0)
        ended = ((error <= tol - _ROUNDING) | ~(step <= ENOUGH) | ~(x > LEAST))[rest] | (level == len(law.rules) - 1)
        for some in _pieces(rest[ended], law, level):
            support[some] = _support(equations.some(some), law, level, x[some], y[some])
        rest = rest[~ended]
        if not rest.size:
            break
    gone = x <= LEAST
    codes = np.where(~(step <= ENOUGH), Result.max_steps, np.where(error <= tol, Result.converged, Result.stalled))
    codes = np.where(gone, Result.converged, np.where(np.isfinite(x + y + square), codes, Result.nonfinite))
    return {
        "mse": np.where(gone, 0.0, square * size**2),
        "tau": np.where(gone, 0.0, np.exp(x) * size),
        "kappa": np.exp(x + y) * size / equations.unit,
        "l1": norms[0] * size,
        "l2": norms[1] * size,
        "support": support,
        "result": codes.astype(np.int32),
        "error": np.where(gone, 0.0, error + _ROUNDING),
        "steps": steps,
    }
