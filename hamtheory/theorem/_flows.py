"""What the entries on flows share: random problems, three geometries, and an integrator not the library's."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

import hamtheory as ht


class Formulas(NamedTuple):
    """A geometry of the library, and the formulas of its flow in NumPy."""

    geo: ht.geometry.AbstractGeometry
    inverse_metric: Callable[[Any], Any]
    mirror_map: Callable[[Any], Any]
    inverse_mirror_map: Callable[[Any], Any]


def euclidean() -> Formulas:
    """Gradient descent."""
    return Formulas(ht.Euclidean(), np.ones_like, lambda x: x, lambda mu: mu)


def ham(alpha: float) -> Formulas:
    """HAM."""
    return Formulas(
        ht.HAM(alpha),
        lambda x: 1 + alpha * np.abs(x),
        lambda x: np.sign(x) * np.log1p(alpha * np.abs(x)) / alpha,
        lambda mu: np.sign(mu) * np.expm1(alpha * np.abs(mu)) / alpha,
    )


def product(gamma: float) -> Formulas:
    """m⊙w."""
    return Formulas(
        ht.Hypentropy(gamma),
        lambda x: 2 * np.hypot(x, gamma),
        lambda x: np.arcsinh(x / gamma) / 2,
        lambda mu: gamma * np.sinh(2 * mu),
    )


def any_of_three(rng) -> Formulas:
    """One of the three geometries, with its parameter over three orders of magnitude."""
    return (euclidean(), ham(10 ** rng.uniform(-1, 2)), product(10 ** rng.uniform(-2, 1)))[rng.integers(3)]


def regression(rng, n: int, d: int, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """X of rank n, the eigenvalues of XXᵀ/n within `spread` of 1, and y in its range, n ≤ d."""
    left, right = (np.linalg.qr(rng.normal(size=(size, n)))[0] for size in (n, d))
    singular = np.sqrt(n * spread ** rng.uniform(-1, 1, n))
    X = (left * singular) @ right.T
    return X, X @ rng.normal(size=d)


def gradient(X, y, theta) -> np.ndarray:
    """∇f of `f = ‖Xθ − y‖²/2n`."""
    return X.T @ (X @ theta - y) / len(y)


def dual_limit(flow: Formulas, X, y, theta0) -> np.ndarray:
    """The ν of the flow's limit, `Xθ(ν) = y`, by Newton's method with steps that shrink the residual."""
    nu, origin = np.zeros(len(y)), flow.mirror_map(theta0)
    residual = lambda at: X @ flow.inverse_mirror_map(origin + X.T @ at) - y  # noqa: E731
    for _ in range(200):
        now, theta = residual(nu), flow.inverse_mirror_map(origin + X.T @ nu)
        if np.linalg.norm(now) <= 1e-15 * np.linalg.norm(y):
            break
        direction, step = np.linalg.solve((X * flow.inverse_metric(theta)) @ X.T, -now), 1.0
        while step > 1e-10 and not np.linalg.norm(residual(nu + step * direction)) < np.linalg.norm(now):
            step /= 2
        nu = nu + step * direction
    return nu


NODES, WEIGHTS = np.polynomial.legendre.leggauss(23)


def product_path(X, y, m0, w0, weight_decay: float, end: float) -> tuple[ht.flow.ProductFlowResult, np.ndarray]:
    """The library's flow of m⊙w, at the nodes of a quadrature and at `end`, and its `∫₀^end ∇f dt` by it."""
    path = ht.product_flow(
        ht.LinearRegression(X, y),
        m0,
        w0,
        weight_decay=weight_decay,
        ts=np.append(end * (1 + NODES) / 2, end),
        rtol=1e-12,
        atol=1e-14,
    )
    slopes = (np.asarray(path.thetas)[:-1] @ X.T - y) @ X / len(y)
    return path, end / 2 * WEIGHTS @ slopes


def factors_velocity(X, y, decay_m=lambda t: 0.0, decay_w=None):
    """The flow of (m, w), in one vector, for θ = m⊙w with the penalty `β_m(t)‖m‖² + β_w(t)‖w‖²`; one β if left out."""
    decay_w = decay_w or decay_m

    def velocity(t, state):
        m, w = np.split(state, 2)
        slope = gradient(X, y, m * w)
        return -np.concatenate([w * slope + 2 * decay_m(t) * m, m * slope + 2 * decay_w(t) * w])

    return velocity


def integrate(velocity, start, ts, rtol: float = 1e-12, atol: float = 1e-14, method: str = "DOP853") -> np.ndarray:
    """The states at times `ts`, (times, states), from `start` at 0, by SciPy."""
    solution = solve_ivp(velocity, (0, ts[-1]), start, method=method, t_eval=ts, rtol=rtol, atol=atol)
    if not solution.success:
        raise RuntimeError(solution.message)
    return solution.y.T
