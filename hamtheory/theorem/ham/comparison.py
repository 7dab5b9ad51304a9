"""HAM against gradient descent: faster from the same point, and so along the whole path only in one dimension."""

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

import hamtheory as ht

from .._flows import euclidean, gradient, ham, integrate, regression
from .._theorem import Step, Theorem


def prove(dimension):
    n, a, x = sp.symbols("n alpha x", positive=True)
    theta = sp.Matrix(sp.symbols("theta1:4", real=True))
    X, y = sp.Matrix(2, 3, sp.symbols("x1:7", real=True)), sp.Matrix(sp.symbols("y1:3", real=True))
    residual = X * theta - y
    grad = sp.Matrix([(residual.dot(residual) / (2 * n)).diff(z) for z in theta])
    fall = lambda metric: grad.dot(sp.Matrix([metric(z) * g for z, g in zip(theta.flat(), grad.flat(), strict=True)]))  # noqa: E731
    # Both follow the same curve, where their velocities are parallel: all minors of (∇f, (1 + α|θ|)∇f) are 0.
    g, z = sp.symbols(f"g1:{dimension + 1}", real=True), sp.symbols(f"z1:{dimension + 1}", real=True)
    slow, fast = list(g), [(1 + a * sp.Abs(t)) * s for s, t in zip(g, z, strict=True)]
    minors = sum(
        (slow[i] * fast[j] - slow[j] * fast[i]) ** 2 for i in range(dimension) for j in range(i + 1, dimension)
    )
    t, target = sp.symbols("t y", real=True)
    r = sp.Function("r")(t)
    ratio = sp.log(r**2).diff(t).subs(r.diff(t), -(1 + a * sp.Abs(target + r)) * x**2 * r / n) + 2 * x**2 / n
    return [
        Step(
            "at a point, −df/dt is larger for HAM by α Σ|θᵢ|(∂ᵢf)²",
            sp.expand(
                fall(lambda s: 1 + a * sp.Abs(s))
                - fall(lambda s: sp.Integer(1))
                - a * sum(sp.Abs(s) * h**2 for s, h in zip(theta.flat(), grad.flat(), strict=True))
            ),
        ),
        Step("the flows have one curve", sp.expand(minors)),
        Step(
            "on which d ln f_HAM/dt + 2x²/n = −2α|θ|x²/n ≤ 0, and it is 0 for gradient descent",
            ratio.doit() + 2 * a * sp.Abs(target + r) * x**2 / n,
        ),
    ]


def check(rng, dimension):
    return max(_at_a_point(rng, 0.0), _paths(rng, dimension))


def violate(rng, dimension):
    return _at_a_point(rng, 10 ** rng.uniform(-1, 1))


def _at_a_point(rng, weight_decay):
    """The relative error of the difference of the two −df/dt, by differentiating the library's loss and a step."""
    n = int(rng.integers(1, 6))
    d = n + int(rng.integers(1, 6))
    alpha, (X, y), theta = 10 ** rng.uniform(-2, 3), regression(rng, n, d), jnp.asarray(rng.normal(size=d))
    problem = ht.LinearRegression(X, y)

    def falling(metric, weight_decay):
        velocity = -metric * problem.gradient(theta) - weight_decay * theta
        return -float(jax.jvp(problem.loss, (theta,), (velocity,))[1])

    ahead = falling(ht.HAM(alpha).inverse_metric(theta), weight_decay) - falling(jnp.ones(d), 0.0)
    formula = alpha * np.abs(theta) @ gradient(X, y, np.asarray(theta)) ** 2
    return abs(ahead / formula - 1)


def _paths(rng, dimension):
    """The largest (f_HAM/f_GD) − 1 along the two paths from the same start, in this dimension.

    In one, of any problem. In two: the error begins in the fast mode of ∇²f, which is no coordinate axis, and only one
    coordinate of the interpolator is large. HAM moves along that one, out of the fast mode.
    """
    alpha = 10 ** rng.uniform(0.5, 2)
    if dimension == 1:
        X, y, theta0 = rng.normal(size=(1, 1)), rng.normal(size=1), rng.normal(size=1)
        hessian = X[0, 0] ** 2
    else:
        angle, slow = rng.uniform(0.2, 0.3) * np.pi, 10 ** rng.uniform(-2, -1.3)
        fast_mode = np.array([np.cos(angle), np.sin(angle)])
        X = np.stack([fast_mode, np.sqrt(slow) * np.array([-fast_mode[1], fast_mode[0]])]) * np.sqrt(2)
        y = X @ np.array([30 / alpha, 0.0])
        theta0, hessian = np.array([30 / alpha, 0.0]) + 0.1 / alpha * fast_mode, 1.0
    ts = np.linspace(0, 4, 9)[1:] / hessian
    losses = []
    for flow in (ham(alpha), euclidean()):
        path = integrate(lambda t, x, of=flow: -of.inverse_metric(x) * gradient(X, y, x), theta0, ts)
        losses.append(np.sum((path @ X.T - y) ** 2, axis=1))
    return (losses[0] / losses[1]).max() - 1


THEOREM = Theorem(
    id="ham.comparison",
    title="From the same point HAM is faster than gradient descent; on its own path only in one dimension",
    source="own",
    statement=r"""-\tfrac{d}{dt}f(\theta_t)\Big|_{\mathrm{HAM}} + \tfrac{d}{dt}f(\theta_t)\Big|_{\mathrm{GD}}
= \alpha\sum_i|\theta_i|\,(\partial_i f)^2 \ge 0 \text{ at every point } \theta; \quad
\text{if } d = 1,\ f(\theta_t^{\mathrm{HAM}}) \le f(\theta_t^{\mathrm{GD}}) \text{ for all } t \ge 0
\text{ from the same } \theta_0; \quad \text{if } d \ge 2,\ \text{not always}""",
    hypotheses="f = ‖Xθ − y‖²/2n; no weight decay.",
    constants={"dimension": 1},
    check=check,
    tolerance=1e-12,
    why="rounding of differences of rates; along paths, the integrator's tolerance of 1e-12",
    violate=violate,
    violated="no weight decay: the term −βθ of HAM's flow changes the loss too",
    mutations={"the loss of HAM is below that of gradient descent at all times, in two dimensions": {"dimension": 2}},
    prove=prove,
    special="the rates at a point for n = 2 and d = 3, the paths for d = 1; not that these fail for d ≥ 2",
)
