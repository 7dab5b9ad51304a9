"""Limit, dual flow, primal flow and an independent integration agree: 200 random instances, three geometries each."""

import numpy as np
import pytest
import scipy.integrate

import hamtheory as ht

SHAPES = [(8, 24)]  # every shape compiles nine flows and limits: rather many instances than many shapes
SEEDS = range(200)


def instance(shape, seed):
    """A random problem, a random start away from zero, and the three geometries at random parameters."""
    rng = np.random.default_rng([*shape, seed])
    n, d = shape
    problem = ht.sparse_regression(n, d, int(rng.integers(1, n + 1)), seed=int(rng.integers(2**31)))
    theta0 = 10 ** rng.uniform(-2, 0.3) * rng.standard_normal(d)
    ham, hypentropy = ht.HAM(10 ** rng.uniform(-1, 2)), ht.Hypentropy(10 ** rng.uniform(-2, 1))
    return problem, theta0, {"gd": ht.Euclidean(), "ham": ham, "hypentropy": hypentropy}


def independent(problem, name, geo, theta0):
    """SciPy's LSODA on the flow in θ, from its right-hand side in NumPy, for 30 of its slowest time constants."""
    X, y = np.asarray(problem.X), np.asarray(problem.y)
    p = float(getattr(geo, "parameter", 0.0))
    metric = {
        "gd": lambda theta: np.ones_like(theta),
        "ham": lambda theta: 1 + p * np.abs(theta),
        "hypentropy": lambda theta: 2 * np.sqrt(theta**2 + p**2),
    }[name]
    flow = lambda t, theta: -metric(theta) * (X.T @ (X @ theta - y)) / len(y)  # noqa: E731
    slowest = np.linalg.eigvalsh(X @ X.T / len(y))[0] * metric(np.zeros(1))[0]
    end = 30 / slowest
    solution = scipy.integrate.solve_ivp(flow, (0, end), theta0, method="LSODA", rtol=1e-10, atol=1e-13)
    assert solution.success
    return solution.y[:, -1]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_four_ways_to_the_limit(shape):
    for seed in SEEDS:
        problem, theta0, geometries = instance(shape, seed)
        for name, geo in geometries.items():
            limit = ht.solve_limit(problem, geo, theta0)
            dual = ht.solve_flow(problem, geo, theta0, coordinates="dual", rtol=1e-9)
            primal = ht.solve_flow(problem, geo, theta0, coordinates="primal", rtol=1e-9)
            answers = [limit.theta, dual.theta, primal.theta, independent(problem, name, geo, theta0)]
            size = max(1.0, float(np.abs(answers[0]).max()))
            spread = max(float(np.abs(a - b).max()) for a in answers for b in answers)
            assert spread <= 1e-6 * size, (shape, seed, name, geo, spread)
            for found in (limit, dual, primal):
                assert found.result == ht.Result.converged
                assert found.stats["relative_gap"] <= 1e-8, (shape, seed, name)
