"""What is monotone along the path from L2 to L1, and what is not: the optimal values are, the norms are not.

R_α″ = 1/(1 + α|θ|) decreases in α and α R_α″ = α/(1 + α|θ|) increases; with R(0) = R′(0) = 0 so do R_α and α R_α at
every θ, and hence their minima over the interpolators: `min R_α` falls and `α min R_α` rises, from zero. (From θ₀ ≠ 0
the same holds for `D_R`, whose second derivative in θ is R″.) Nothing of the kind holds for the norms of the minimiser.
"""

import dataclasses

import mpmath
import numpy as np
import tqdm
import xarray as xr

import hamtheory as ht

from . import store
from ._paths import path_summary, path_variables, whole_range

KINDS = ("gaussian", "uneven", "correlated", "signs")
# The smallest counterexample found, in integers; with one equation there is none. Its rows are orthogonal, and the
# interpolator of least L2 norm, (1, 0, −2)/5, is that of least L1 norm too.
ROWS, TARGET = ((1, 0, -2), (2, 1, 1)), (1, 0)


@dataclasses.dataclass(frozen=True)
class Config:
    """`instances` random problems for each shape (n, d) and kind of X: standard Gaussian; with columns scaled by
    10^U(−1, 1); three common factors and 0.3 of Gaussian; ±1. θ* has n/4 spikes of ±1, or is Gaussian, by turns.

    `tol`: a norm counts as rising where it does so by more than this, relative. `digits`: of the counterexample.
    """

    shapes: tuple[tuple[int, int], ...] = ((2, 40), (8, 40), (20, 40), (36, 40), (2, 3))
    instances: int = 50
    points: tuple[int, int] = (61, 13)
    lowest: float = -30.0
    knee: float = 60.0
    highest: float = 1e4
    tol: float = 1e-8
    digits: int = 50
    counterexample: tuple[float, float, int] = (-4.0, 12.0, 33)
    seed: int = 0

    @classmethod
    def quick(cls) -> "Config":
        return cls(instances=20)

    @classmethod
    def smoke(cls) -> "Config":
        return cls(shapes=((2, 3), (8, 20)), instances=3, points=(31, 7))


def random_problem(kind: str, n: int, d: int, dense: bool, rng: np.random.Generator) -> ht.LinearRegression:
    """A consistent random problem; of three columns, none is left out by the truth."""
    X = rng.standard_normal((n, d))
    if kind == "uneven":
        X *= 10 ** rng.uniform(-1, 1, d)
    elif kind == "correlated":
        X = 0.3 * X + rng.standard_normal((n, 3)) @ rng.standard_normal((3, d))
    elif kind == "signs":
        X = np.where(X > 0, 1.0, -1.0)
    theta = rng.standard_normal(d)
    if not dense:
        spikes = rng.choice(d, max(1, n // 4), replace=False)
        theta = np.zeros(d)
        theta[spikes] = rng.choice([-1.0, 1.0], spikes.size)
    return ht.LinearRegression(X, X @ theta)


def exact_norms(logs: np.ndarray, digits: int) -> tuple[list, list]:
    """L1 and L2 norms of HAM's limits on the counterexample, as mpmath numbers of `digits` digits.

    With z in the kernel of X the limit is the `θ = p + τz` with `Σ zᵢ sign(θᵢ) ln(1 + α|θᵢ|) = 0`, increasing in τ.
    """
    with mpmath.workdps(digits):
        (a, b, c), (e, f, g) = (tuple(map(mpmath.mpf, row)) for row in ROWS)
        z = (b * g - c * f, c * e - a * g, a * f - b * e)
        squared = sum(v * v for v in z)
        gram = mpmath.matrix([[a * a + b * b + c * c, a * e + b * f + c * g], [0, e * e + f * f + g * g]])
        gram[1, 0] = gram[0, 1]
        nu = mpmath.lu_solve(gram, mpmath.matrix(list(map(mpmath.mpf, TARGET))))
        p = [nu[0] * x + nu[1] * y for x, y in zip((a, b, c), (e, f, g), strict=True)]
        l1, l2 = [], []
        for log in logs:
            alpha = mpmath.exp(mpmath.mpf(float(log)))

            def slope(tau, alpha=alpha):
                theta = [x + tau * v for x, v in zip(p, z, strict=True)]
                return sum(v * mpmath.sign(t) * mpmath.log1p(alpha * abs(t)) for v, t in zip(z, theta, strict=True))

            low, high = -10 / mpmath.sqrt(squared), 10 / mpmath.sqrt(squared)
            for _ in range(int(3.4 * digits)):
                middle = (low + high) / 2
                low, high = (middle, high) if slope(middle) < 0 else (low, middle)
            theta = [x + (low + high) / 2 * v for x, v in zip(p, z, strict=True)]
            l1.append(sum(map(abs, theta)))
            l2.append(mpmath.sqrt(sum(t * t for t in theta)))
    return l1, l2


def run(config: Config) -> xr.Dataset:
    """Norms and optimal values along the path, for all problems; the counterexample, exactly and by the solver."""
    rng = np.random.default_rng(config.seed)
    sparsity = whole_range(config.lowest, config.knee, config.highest, *config.points)
    labels, cases = [], []
    cells = [(shape, kind) for shape in config.shapes for kind in KINDS]
    for (n, d), kind in tqdm.tqdm(cells, desc="monotonicity", leave=False, delay=2):
        for i in range(config.instances):
            problem = random_problem(kind, n, d, bool(i % 2), rng)
            labels.append((n, d, kind, bool(i % 2)))
            cases.append(path_summary(problem, "HAM", sparsity))
    stacked = np.array([[case[i] for case in cases] for i in range(6)])
    l1, l2, value = stacked[:3]
    # The largest relative rise of L1 above an earlier value, fall of L2 below one, and violation of the theorems.
    rises = np.max(l1 / np.minimum.accumulate(l1, axis=1) - 1, axis=1)
    falls = np.max(1 - l2 / np.maximum.accumulate(l2, axis=1), axis=1)
    with np.errstate(invalid="ignore"):  # y = 0 has the value 0 everywhere
        up, down = np.diff(value, axis=1), np.diff(value + sparsity, axis=1)
    violation = np.maximum(np.nan_to_num(up), -np.nan_to_num(down)).max(axis=1)
    logs = np.linspace(*config.counterexample)
    exact_l1, exact_l2 = exact_norms(logs, config.digits)
    example = ht.LinearRegression(np.array(ROWS, float), np.array(TARGET, float))
    solved = ht.limit_path(example, ht.HAM, logs, throw=False)
    rise = max(later / exact_l1[i] - 1 for i in range(len(logs)) for later in exact_l1[i:])
    n, d, kind, dense = zip(*labels, strict=True)
    dims = ("instance", "sparsity")
    return xr.Dataset(
        {
            **path_variables(dims, stacked),
            "l1_rise": store.variable("instance", rises, "largest relative rise of the L1 norm"),
            "l2_fall": store.variable("instance", falls, "largest relative fall of the L2 norm"),
            "violation": store.variable("instance", violation, "largest relative violation of monotone values"),
            "example_l1": store.variable("log_alpha", [float(v) for v in exact_l1], "L1 norm, exactly"),
            "example_l2": store.variable("log_alpha", [float(v) for v in exact_l2], "L2 norm, exactly"),
            "example_solver_l1": store.variable("log_alpha", np.abs(solved.thetas).sum(axis=1), "L1 norm, by Newton"),
            "example_rise": store.variable((), float(rise), "relative rise of the L1 norm, exactly"),
        },
        coords={
            "n": ("instance", list(n)),
            "d": ("instance", list(d)),
            "kind": ("instance", list(kind)),
            "dense": ("instance", list(dense)),
            "sparsity": store.variable("sparsity", sparsity, "ln alpha"),
            "log_alpha": store.variable("log_alpha", logs, "ln alpha of the counterexample"),
        },
        attrs={"tol": config.tol, "rows": str(ROWS), "target": str(TARGET)},
    )
