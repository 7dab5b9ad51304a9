"""Whatever `result` says: no reported residual or gap is below the true one, and "converged" is what it says.

The true ones are those of tests/exact.py, of the arrays that were given and that came back, in 120 digits. What is
reported was computed in float64: a residual may be off by the rounding of the sums of `|xθ|` and |y|, a gap by that of
`Σ |ν| (|X||θ| + ‖x‖‖θ‖ + |y|)` and by what the rounding of ν, which is no more exact, makes of it; a thousandth of the
value is for the digits of a certificate that is small itself. The rounding of a sum of n + d terms is `4 (n + d + 4)`
units. Where a quantity is below the tolerance by less than that, nobody can tell in float64.
"""

import numpy as np
import pytest

import hamtheory as ht
from tests.exact import Data, Flat, Ham, Hyperbolic, Network, Quadratic, length, mp, vector
from tests.slow import slow

SPIKES = np.array([1.5, 0.0, -0.7, 0.0, 0.0, 0.3])
SCALES = (1e-150, 1e-80, 1e-20, 1e20, 1e80, 1e150)
TOL = 1e-10
SUCCESS = (ht.Result.converged, ht.Result.infeasible)


def bank():
    """Problems by name."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((3, 6))
    y = X @ SPIKES
    problems = {"gaussian": (X, y), "y = 0": (X, 0 * y), "square": (np.triu(np.ones((4, 4))), [1.0, 2, 3, 4])}
    twice, other = np.vstack([X, X[:1]]), np.append(y, 1.0)
    for scale in SCALES:
        row, column = np.ones(3), np.ones(6)
        row[1], column[0] = scale, scale
        problems |= {
            f"X {scale:g}": (X * scale, y * scale),
            f"X alone {scale:g}": (X * scale, y),
            f"y {scale:g}": (X, y * scale),
            f"row {scale:g}": (X * row[:, None], y * row),
            f"column {scale:g}": (X * column, (X * column) @ SPIKES),
            f"unused column {scale:g}": (X * column[[1, 0, 2, 3, 4, 5]], y),
            f"inconsistent X {scale:g}": (twice * scale, other),
            f"inconsistent row {scale:g}": (twice * np.append(row, 1)[:, None], other * np.append(row, 1)),
        }
    low = np.outer([1.0, 2, 3], [1, 2, -1, 0, 0.5, 1]) + np.outer([1.0, -1, 1], [0, 1, 1, 2, 0, 0])
    ties = np.hstack([X[:, :2], X[:, :2], -X[:, :2]])
    near = np.vstack([X, X[0] + 1e-9 * X[1]])
    hilbert = 1 / (np.arange(4)[:, None] + np.arange(6) + 1.0)
    zeros = X * np.array([1, 0, 1, 1, 0, 0])
    small = np.vstack([X, 1e-9 * X[:1]])
    for name, matrix in {
        "twice": twice,
        "small twice": small,
        "low rank": low,
        "ties": ties,
        "nearly dependent": near,
    }.items():
        problems[name] = (matrix, matrix @ SPIKES)
    for name, matrix in {"hilbert": hilbert, "zero columns": zeros, "identity": np.eye(3, 6)}.items():
        problems[name] = (matrix, matrix @ SPIKES)
    return problems | {
        "hadamard": (np.array([[1.0, 1, 1, 1], [1, -1, 1, -1]]) / 2, [1.0, -2]),
        "inconsistent": (twice, other),
        "tall": (rng.standard_normal((6, 2)), rng.standard_normal(6)),
        "X = 0": (np.zeros((2, 3)), [0.0, 0]),
        "X = 0, inconsistent": (np.zeros((2, 3)), [1.0, 1]),
        "one row": ([[2.0, -3.0]], [1.0]),
        "one number": ([[2.0]], [-3.0]),
    }


def geometries():
    """Pairs of a geometry and its formulas, by name."""
    pairs = {"gd": (ht.Euclidean(), Flat())}
    for log in (-1000.0, -5.0, 0.0, 3.0, 20.0, 280.0, 290.0, 700.0, 5000.0):
        pairs[f"ham {log:g}"] = (ht.HAM(log_alpha=log), Ham(log))
    for log in (-5000.0, -700.0, -20.0, -3.0, 0.0, 5.0, 290.0, 1000.0):
        pairs[f"mw {log:g}"] = (ht.Hypentropy(log_gamma=log), Hyperbolic(log))
    for a in (1e-30, 1e-8, 1e-2, 1.0, 1e3):
        pairs[f"network 2 {a:g}"] = (ht.DiagonalNetwork(2, a), Hyperbolic(mp.log(2 * mp.mpf(a) ** 2), 4))
        for depth in (3, 4):
            pairs[f"network {depth} {a:g}"] = (ht.DiagonalNetwork(depth, a), Network(depth, mp.log(mp.mpf(a))))
    for a in (1e-3, 1.0, 1e4):
        pairs[f"formula {a:g}"] = (ht.symbolic.geometry("1 + a*theta**2", a=a), Quadratic(mp.mpf(a)))
    return pairs


BANK, GEOMETRIES = bank(), geometries()
ORDINARY = ("gd", "ham -1000", "ham 3", "ham 290", "ham 5000", "mw -700", "mw 0", "formula 1")


def starts(d):
    rng = np.random.default_rng(1)
    some, large = 0.3 * rng.standard_normal(d), 1e6 * rng.standard_normal(d)
    return {"zero": np.zeros(d), "some": some, "tiny": 1e-9 * np.eye(d)[0], "large": large}


def hides(name, start):
    """Whether the way back from R′(θ₀) has no digits left, as DiagonalNetwork says."""
    return name.startswith(("network 3", "network 4")) and name.endswith(("1e-30", "1e-08")) and start != "zero"


def check_limit(X, y, exact, theta0, limit, what):
    """`limit`: the public fields, each of one limit."""
    theta, dual, residual, gap, relative, result = limit
    data, ended = Data(X, y), ht.Result(int(result))
    if not np.isfinite(theta).all():
        assert ended == ht.Result.nonfinite, what
        return
    true = data.residual(vector(theta))
    assert true.holds(residual), (what, ended, residual, true)
    assert ended != ht.Result.converged or (true.within(TOL) and np.isfinite(dual).all()), (what, true)
    if np.isfinite(dual).all():
        unit = exact.unit
        absolute, true = data.gap(exact, vector(theta), vector(theta0), [v / unit for v in vector(dual)])
        assert true.holds(relative), (what, ended, relative, true)
        assert absolute.holds(gap), (what, ended, gap, absolute)
        assert ended not in SUCCESS or (true.within(TOL) and relative <= TOL), (what, relative, true)


def solve_and_check(problem_names, geometry_names, start_names):
    for name in problem_names:
        X, y = map(np.asarray, BANK[name])
        problem = ht.LinearRegression(X, y)
        for geometry in geometry_names:
            geo, exact = GEOMETRIES[geometry]
            for start in start_names:
                if hides(geometry, start):
                    continue
                theta0 = starts(problem.d)[start]
                limit = ht.solve_limit(problem, geo, theta0, tol=TOL, throw=False)
                fields = (limit.theta, limit.dual, limit.residual, limit.duality_gap)
                fields += (limit.stats["relative_gap"], limit.result)
                check_limit(X, y, exact, theta0, fields, (name, geometry, start))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("geometry", [*ORDINARY, *slow("network 3 1e-30")])
def test_limits(geometry):
    # In 400 digits, powers of every entry take a second a problem.
    solve_and_check(FEW if "network" in geometry else BANK, [geometry], ["zero"])
    if "network" in geometry:
        return
    solve_and_check([name for name in BANK if "e" not in name.split()[-1] or "1e-20" in name], [geometry], ["some"])


# All but deep networks, whose powers take 400 digits.
CLOSED = [name for name in GEOMETRIES if name == "gd" or name.startswith(("ham", "mw", "network 2", "formula"))]


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("geometry", CLOSED)
def test_limits_of_all(geometry):
    # R′ of a large entry under a formula is its bound, to rounding.
    solve_and_check(BANK, [geometry], ["zero", "some", "tiny"] + ["large"] * (not geometry.startswith("formula")))


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("geometry", ["network 3 1e-30", "network 3 0.01", "network 4 1e-08", "network 4 1"])
def test_limits_of_deep_networks(geometry):
    solve_and_check(BANK, [geometry], ["zero", "some"])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("family", [ht.HAM, pytest.param(ht.Hypentropy, marks=pytest.mark.slow)])
def test_paths(family):
    grid = np.array([-1000.0, -30, 0, 20, 290, 5000]) * (1 if family is ht.HAM else -1)
    for name in BANK:
        X, y = map(np.asarray, BANK[name])
        problem = ht.LinearRegression(X, y)
        path = ht.limit_path(problem, family, grid, tol=TOL, throw=False)
        fields = (path.thetas, path.duals, path.residual, path.duality_gap, path.relative_gap, path.result)
        for log, *limit in zip(grid, *fields, strict=True):
            exact = Ham(log) if family is ht.HAM else Hyperbolic(log)
            check_limit(X, y, exact, np.zeros(problem.d), limit, (name, family, log))


def interpolation(data, theta):
    """How much of `‖X θ − y‖` is more than the rounding of ten digits."""
    return data.residual(theta).value - mp.mpf(10) ** -10 * mp.sqrt(sum(t**2 for t in data.terms(theta))) / data.size


@pytest.mark.usefixtures("unchecked")
def test_closed_limits():
    for name in BANK:
        X, y = map(np.asarray, BANK[name])
        problem, data = ht.LinearRegression(X, y), Data(X, y)
        pursued, nearest = ht.basis_pursuit(problem), ht.min_norm(problem)
        if problem.is_consistent:
            assert interpolation(data, vector(nearest)) <= 0, name
            assert interpolation(data, vector(pursued)) <= 0, name
        if np.any(y) and np.any(X):
            pursuit = ht.certify_basis_pursuit(problem)
            total = mp.fsum(abs(t) for t in vector(pursuit.theta))
            assert abs(total - pursuit.norm) <= 1e-14 * total, name


def check_flow(X, y, exact, theta0, flow, what, tol=1e-8):
    data, theta = Data(X, y), vector(flow.theta)
    true = data.residual(theta)
    assert true.holds(flow.residual), (what, flow.result, flow.residual, true)
    assert flow.result != ht.Result.converged or true.within(tol), (what, flow.residual, true)
    if exact is not None and (flow.result == ht.Result.converged or len(data.independent()) == data.n):
        # θ₀ itself comes back with the rounding of R′.
        nu = data.nearest(exact, theta, vector(theta0)) if flow.stats["steps"] else [mp.mpf(0)] * data.n
        absolute, true = data.gap(exact, theta, vector(theta0), nu)
        relative = flow.stats["relative_gap"]
        assert true.holds(relative), (what, flow.result, relative, true)
        assert absolute.holds(flow.duality_gap), (what, flow.result, flow.duality_gap, absolute)
        assert flow.result not in SUCCESS or true.within(tol), (what, relative, true)


FLOWS = {
    "gd": ["zero", "some", "large"],
    "ham 3": ["zero", "some", "tiny", "large"],
    "ham 290": ["zero", "tiny"],
    "mw -20": ["zero", "some", "tiny"],
    "mw 5": ["zero", "some"],
    "network 2 0.01": ["some"],
    "network 3 0.01": ["zero", "some"],
    "formula 1": ["zero", "some"],
}
FEW = ["gaussian", "X 1e-150", "y 1e+80", "row 1e-20", "twice", "zero columns", "y = 0", "tall", "one row"]


def flow_and_check(problem_names, geometry, start_names):
    geo, exact = GEOMETRIES[geometry]
    for name in problem_names:
        X, y = map(np.asarray, BANK[name])
        problem = ht.LinearRegression(X, y)
        for start in start_names:
            theta0 = starts(problem.d)[start]
            flow = ht.solve_flow(problem, geo, theta0, max_steps=2000, throw=False)
            check_flow(X, y, exact, theta0, flow, (name, geometry, start))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "geometry", [pytest.param(name, marks=pytest.mark.slow) if name == "network 3 0.01" else name for name in FLOWS]
)
def test_flows(geometry):
    flow_and_check(FEW, geometry, FLOWS[geometry][:1])


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("geometry", [name for name in FLOWS if name in CLOSED and "formula" not in name])
def test_flows_of_all(geometry):
    flow_and_check(BANK, geometry, FLOWS[geometry])


def product_and_check(problem_names):
    for name in problem_names:
        X, y = map(np.asarray, BANK[name])
        problem = ht.LinearRegression(X, y)
        rng = np.random.default_rng(3)
        for size, balanced in ((1.0, False), (1e-5, False), (0.1, True)):
            m0, w0 = size * rng.standard_normal((2, problem.d))
            if balanced:
                m0[0], w0[0] = 0.0, 0.0
                m0[-1] = w0[-1]
            flow = ht.product_flow(problem, m0, w0, max_steps=2000, throw=False)
            m, w = vector(m0), vector(w0)
            exact = (
                None if balanced else [Hyperbolic(mp.log(abs(a * a - b * b) / 2)) for a, b in zip(m, w, strict=True)]
            )
            check_flow(X, y, exact, m0 * w0, flow, (name, size, balanced))


@pytest.mark.usefixtures("unchecked")
def test_product_flows():
    product_and_check(FEW)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_product_flows_of_all():
    product_and_check(BANK)


def least(data, theta, beta, alpha):
    """`min f + P` in 120 digits by Newton's method from a θ near its minimiser: P is the lasso's for α = ∞, on the
    support of θ, else HAM's, which is ridge's for α = 0. None where that is not optimal."""
    lasso, n = alpha == mp.inf, data.n
    support = [j for j, t in enumerate(theta) if t != 0] if lasso else list(range(data.d))
    slope = lambda t: 2 * beta * mp.sign(t) if lasso else beta * t / (1 + alpha * abs(t))  # noqa: E731
    bend = lambda t: mp.mpf(0) if lasso else beta / (1 + alpha * abs(t)) ** 2  # noqa: E731
    theta = list(theta)

    def gradient():
        missing = data.missing(theta)
        return [mp.fsum(row[j] * r for row, r in zip(data.rows, missing, strict=True)) / n for j in range(data.d)]

    for _ in range(8 if support else 0):
        whole = gradient()
        hessian = mp.matrix(len(support))
        for a, i in enumerate(support):
            for b, j in enumerate(support):
                hessian[a, b] = mp.fsum(row[i] * row[j] for row in data.rows) / n + (bend(theta[i]) if a == b else 0)
        try:
            step = mp.lu_solve(hessian, mp.matrix([whole[j] + slope(theta[j]) for j in support]))
        except ZeroDivisionError:
            return None
        for a, j in enumerate(support):
            theta[j] -= step[a]
    whole = gradient()
    top = max(abs(g) for g in data_slopes(data)) * mp.mpf(10) ** -40
    if any(abs(whole[j] + slope(theta[j])) > top for j in support):
        return None
    if lasso and any(abs(whole[j]) > 2 * beta + top for j in range(data.d) if j not in support):
        return None
    return theta


def data_slopes(data):
    return [mp.fsum(row[j] * y for row, y in zip(data.rows, data.y, strict=True)) / data.n for j in range(data.d)]


def penalised(data, theta, beta, alpha):
    """f + P."""
    loss = mp.fsum(r * r for r in data.missing(theta)) / (2 * data.n)
    if alpha == mp.inf:
        return loss + 2 * beta * mp.fsum(abs(t) for t in theta)
    if alpha == 0:
        return loss + beta * mp.fsum(t * t for t in theta) / 2
    return loss + beta * mp.fsum(alpha * abs(t) - mp.log1p(alpha * abs(t)) for t in theta) / alpha**2


PENALISED = {"ridge": (ht.Euclidean(), 0), "lasso": (ht.Hypentropy(0.1), mp.inf), "between": (ht.HAM(10.0), 10)}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", PENALISED)
def test_regularization_paths(name):
    (geo, alpha), known = PENALISED[name], 0
    alpha = mp.mpf(alpha)
    problems = [*FEW, "inconsistent", "hilbert", "ties", "nearly dependent", "X 1e+80", "column 1e-20", "y 1e-80"]
    for kind in problems:
        X, y = map(np.asarray, BANK[kind])
        if not np.any(y):
            continue
        problem, data = ht.LinearRegression(X, y), Data(X, y)
        steepest = float(max(abs(slope) for slope in data_slopes(data)))
        with np.errstate(under="ignore"):
            grid = steepest * np.array([2.0, 0.1, 1e-3])
        path = ht.regularization_path(problem, geo, grid, tol=TOL, throw=False)
        for beta, *point in zip(grid, path.thetas, path.duality_gap, path.relative_gap, path.result, strict=True):
            theta, gap, relative, result = point
            exact, beta = vector(theta), mp.mpf(float(beta))
            best = least(data, exact, beta, alpha)
            if best is None:
                continue
            known += 1
            value = penalised(data, exact, beta, alpha)
            rounding = data.units * length(data.terms(exact))  # of Xθ − y, whose square is in the loss
            slack = 4 * data.units * value + rounding * (length(data.missing(exact)) + rounding) / data.n
            excess = value - penalised(data, best, beta, alpha)
            what = (kind, name, float(beta), ht.Result(int(result)))
            assert excess >= 0, what
            assert excess <= mp.mpf(float(gap)) + slack, (*what, float(excess), gap)
            assert excess <= mp.mpf(float(relative)) * value + slack, (*what, float(excess / value), relative)
            assert result != ht.Result.converged or excess <= 2 * mp.mpf(TOL) * value + slack, what
    assert known >= 30
