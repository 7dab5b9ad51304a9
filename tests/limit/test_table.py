"""Many limits on one X and y, from 0, by NumPy: those of `solve_limit`, whoever computes them."""

import subprocess
import sys

import numpy as np
import pytest

import hamtheory as ht
from hamtheory.limit import _host_table

from .instances import FAMILIES, KINDS, instance, logs

ELLS = np.concatenate([np.linspace(-30, 60, 58), np.random.default_rng(0).uniform(-8, 12, 22)])


def of(family, ells):
    return family.at_log(logs(family, ells))


@pytest.fixture(scope="module")
def problem():
    return instance("gaussian", 20)


@pytest.fixture(scope="module")
def limits(problem):
    return ht.solve_limits(problem, ht.HAM(log_alpha=ELLS))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [5, 30])
def test_each_is_the_limit_found_alone(kind, family, n):
    problem = instance(kind, n)
    _, found = _host_table.tabulated(problem, of(family, ELLS), 1e-10)
    assert found[ELLS < 12].all()  # the others may be left to other methods
    many = ht.solve_limits(problem, of(family, ELLS))
    assert (many.result == 0).all()
    assert many.residual.max() <= 1e-10 and many.stats["relative_gap"].max() <= 1e-10
    for i in range(0, len(ELLS), 5):
        alone = ht.solve_limit(problem, of(family, ELLS[i]))
        np.testing.assert_allclose(many.theta[i], alone.theta, atol=1e-8 * abs(alone.theta).max())
        # Far out, entries of θ that no residual sees leave ν fewer digits, and `solve_limit` fewer than the table.
        if ELLS[i] < 40:
            np.testing.assert_allclose(many.dual[i], alone.dual, rtol=1e-5, atol=1e-6 * abs(alone.dual).max())


def test_an_instance_does_not_depend_on_the_others(problem, limits):
    """Bit for bit: not on the order, nor on how many there are, nor on how far they reach."""
    order = np.random.default_rng(1).permutation(len(ELLS))
    shuffled = ht.solve_limits(problem, ht.HAM(log_alpha=ELLS[order]))
    np.testing.assert_array_equal(shuffled.theta, limits.theta[order])
    np.testing.assert_array_equal(shuffled.stats["steps"], limits.stats["steps"][order])
    low = np.flatnonzero(ELLS < 10)[::3]
    few = ht.solve_limits(problem, ht.HAM(log_alpha=ELLS[low]), share=True)
    np.testing.assert_array_equal(few.theta, limits.theta[low])
    np.testing.assert_array_equal(few.duality_gap, limits.duality_gap[low])


def test_on_all_cores_as_on_one(problem, monkeypatch):
    ells = np.resize(ELLS, 1500)
    together = ht.solve_limits(problem, ht.HAM(log_alpha=ells))
    monkeypatch.setattr(_host_table, "cores", lambda: 1)
    np.testing.assert_array_equal(ht.solve_limits(problem, ht.HAM(log_alpha=ells)).theta, together.theta)


@pytest.mark.parametrize("beyond", [3, 60])
def test_what_the_table_does_not_reach_is_found_by_others(problem, beyond):
    far = np.linspace(100, 1e4, beyond)
    seen = []
    report = lambda done, of: seen.append((done, of))  # noqa: E731
    many = ht.solve_limits(problem, ht.HAM(log_alpha=np.concatenate([ELLS, far])), report=report)
    assert (many.result == 0).all() and seen[-1] == (len(ELLS) + beyond,) * 2
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    last = ht.solve_limit(problem, ht.HAM(log_alpha=1e4))
    np.testing.assert_allclose(many.theta[-1], last.theta, atol=1e-8)


def test_a_table_that_ends_early_leaves_the_rest(problem, monkeypatch):
    solved = _host_table.Table._solved
    monkeypatch.setattr(
        _host_table.Table, "_solved", lambda self, eta, ell: solved(self, eta, ell) if ell < 5 else None
    )
    _, found = _host_table.tabulated(problem, ht.HAM(log_alpha=ELLS), 1e-10)
    assert found[ELLS < 3].all() and not found[ELLS > 5].any()
    assert (ht.solve_limits(problem, ht.HAM(log_alpha=ELLS)).result == 0).all()


def test_a_long_path_is_the_short_one(problem):
    grid = np.concatenate([np.linspace(-12, 30, 280), np.linspace(60, 1e4, 40)])
    path = ht.limit_path(problem, ht.HAM, grid[::-1])
    short = ht.limit_path(problem, ht.HAM, grid[::-1][::4])
    np.testing.assert_allclose(path.thetas[::4], short.thetas, atol=1e-9 * abs(short.thetas).max())
    assert (path.result == 0).all() and path.relative_gap.max() <= 1e-10
    np.testing.assert_array_equal(path.log_parameters, grid[::-1])


def test_an_inconsistent_y_has_no_interpolator():
    rng = np.random.default_rng(3)
    problem = ht.LinearRegression(rng.standard_normal((30, 10)), rng.standard_normal(30))
    many = ht.solve_limits(problem, ht.HAM(log_alpha=ELLS[20:76]))
    assert {ht.NAMES[code] for code in many.result} == {"infeasible"}
    alone = ht.solve_limit(problem, ht.HAM(log_alpha=ELLS[20]), throw=False)
    np.testing.assert_allclose(many.theta[0], alone.theta, rtol=1e-9)
    assert many.residual[0] == pytest.approx(float(alone.residual), rel=1e-12)


@pytest.mark.parametrize(
    "problem",
    [
        ht.LinearRegression([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]], [1.0, 2.0]),
        ht.LinearRegression([[3.0]], [1.0]),
        ht.LinearRegression([[1.0, 2.0]], [0.0]),
        ht.LinearRegression([[1e70, 2e70]], [1e-70]),
        ht.LinearRegression(np.float32([[1.0, 2.0]]), np.float32([2.0])),
    ],
    ids=["deficient", "one", "zero", "units", "float32"],
)
def test_odd_problems(problem):
    ells = np.linspace(-5, 10, 50).astype(problem.dtype)
    tol = 1e-10 if problem.dtype == np.float64 else 1e-5
    many = ht.solve_limits(problem, ht.HAM(log_alpha=ells), tol=tol)
    assert many.theta.dtype == problem.dtype and (many.result == 0).all()
    for i in (0, 30, 49):
        alone = ht.solve_limit(problem, ht.HAM(log_alpha=ells[i]), tol=tol)
        np.testing.assert_allclose(many.theta[i], alone.theta, rtol=1e-8 if tol == 1e-10 else 1e-4)


def test_a_thousand_limits_compile_nothing():
    code = """
import sys, numpy as np, hamtheory as ht
problem = ht.sparse_regression(8, 20, 2)
limits = ht.solve_limits(problem, ht.HAM(alpha=np.geomspace(1e-2, 1e4, 1000)))
few = ht.solve_limits([problem, problem], ht.HAM(alpha=np.ones(3)), which=[0, 1, 0])
assert not limits.result.any() and not few.result.any()
sys.exit("jax" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_few_are_solved_one_by_one(problem):
    rng = np.random.default_rng(4)
    other = instance("gaussian", 20, seed=5)
    alphas, starts, which = rng.uniform(1, 9, 4), rng.standard_normal((4, problem.d)), np.array([0, 1, 1, 0])
    seen = []
    many = ht.solve_limits(
        [problem, other], ht.HAM(alpha=alphas), starts, which=which, report=lambda *done: seen.append(done)
    )
    for i, place in enumerate(which):
        alone = ht.solve_limit([problem, other][place], ht.HAM(alpha=alphas[i]), starts[i])
        np.testing.assert_array_equal(many.theta[i], alone.theta)
        assert many.stats["steps"][i] == alone.stats["steps"]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_several_problems_are_solved_each_by_itself(problem):
    """One with many instances from a table, one with few one by one, in any order."""
    rng = np.random.default_rng(6)
    other = instance("gaussian", 20, seed=5)
    which = rng.permutation(np.repeat([0, 1], [60, 9]))
    logs, seen = rng.uniform(-6, 15, which.size), []
    many = ht.solve_limits(
        [problem, other], ht.HAM(log_alpha=logs), which=which, report=lambda *done: seen.append(done)
    )
    assert (many.result == 0).all() and seen[-1] == (69, 69)
    own = ht.solve_limits(problem, ht.HAM(log_alpha=logs[which == 0]))
    np.testing.assert_array_equal(many.theta[which == 0], own.theta)
    for i in np.flatnonzero(which)[:3]:
        np.testing.assert_array_equal(many.theta[i], ht.solve_limit(other, ht.HAM(log_alpha=logs[i])).theta)


def test_few_of_many_y(problem):
    ys = np.random.default_rng(5).standard_normal((3, problem.n))
    many = ht.solve_limits(problem, ht.Hypentropy(gamma=0.1), ys=ys)
    for y, theta in zip(ys, many.theta, strict=True):
        alone = ht.solve_limit(ht.LinearRegression(problem.X, y), ht.Hypentropy(gamma=0.1))
        np.testing.assert_allclose(theta, alone.theta, atol=1e-10)


@pytest.mark.parametrize("instances", [3, 60])
def test_bad_arguments_are_named(problem, instances):
    geos = ht.HAM(alpha=np.ones(instances))
    with pytest.raises(ValueError, match="tol"):
        ht.solve_limits(problem, geos, tol=-1.0)
    with pytest.raises(ValueError, match="max_steps"):
        ht.solve_limits(problem, geos, max_steps=0)
    with pytest.raises(ValueError, match="disagree"):
        ht.solve_limits(problem, geos, np.zeros((instances + 1, problem.d)))
    with pytest.raises(ValueError, match="which"):
        ht.solve_limits(problem, geos, which=np.ones(instances, int))


def test_certificates_of_rows_are_those_of_each(problem, limits):
    some = slice(10, 60, 7)
    coordinates = (problem.X.T @ limits.dual[some].T).T @ problem.row_space.basis.T
    rows = ht.metrics.certified_rows(problem, ht.HAM(log_alpha=ELLS[some, None]), limits.theta[some], coordinates)
    for i, (ell, theta) in enumerate(zip(ELLS[some], limits.theta[some], strict=True)):
        one, _ = ht.metrics.certified(problem, ht.HAM(log_alpha=ell), theta, np.zeros(problem.d), coordinates[i])
        assert rows.residual[i] == pytest.approx(float(one.residual), abs=1e-15)
        assert rows.relative_gap[i] == pytest.approx(float(one.relative_gap), abs=1e-14)


def test_a_wrong_limit_is_not_certified(problem, monkeypatch):
    corrected = _host_table.Table.corrected

    def wrong(self, sparsity, cell):
        eta, theta, steps = corrected(self, sparsity, cell)
        return eta, theta * (1 + 1e-8), steps

    monkeypatch.setattr(_host_table.Table, "corrected", wrong)
    _, found = _host_table.tabulated(problem, ht.HAM(log_alpha=ELLS), 1e-10)
    assert not found[ELLS < 20].any()
