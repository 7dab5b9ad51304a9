"""Many limits at once: the same limits, whoever shares the batch."""

import equinox as eqx
import jax
import numpy as np
import pytest

import hamtheory as ht

N, D, LANES = 10, 30, 24
LOGS = np.concatenate([np.linspace(-30, 30, 16), np.geomspace(40, 1e4, 8)])


@pytest.fixture(scope="module")
def problem():
    return ht.sparse_regression(N, D, 3)


@pytest.fixture(scope="module")
def starts():
    return np.random.default_rng(0).standard_normal((LANES, D))


@pytest.fixture(scope="module")
def limits(problem, starts):
    return ht.solve_limits(problem, ht.HAM(log_alpha=LOGS), starts, width=8)


def test_every_instance_is_the_limit_found_alone(problem, starts, limits):
    assert (limits.result == 0).all()
    assert limits.residual.max() <= 1e-10 and limits.stats["relative_gap"].max() <= 1e-10
    for instance in range(LANES):
        alone = ht.solve_limit(problem, ht.HAM(log_alpha=LOGS[instance]), starts[instance])
        np.testing.assert_allclose(limits.theta[instance], alone.theta, atol=1e-8)
        np.testing.assert_allclose(limits.dual[instance], alone.dual, rtol=1e-5, atol=1e-8 * abs(alone.dual).max())


def test_an_instance_does_not_depend_on_the_others(problem, starts, limits):
    """Bit for bit: not on the order, nor on how many there are."""
    order = np.random.default_rng(1).permutation(LANES)
    shuffled = ht.solve_limits(problem, ht.HAM(log_alpha=LOGS[order]), starts[order], width=8)
    np.testing.assert_array_equal(shuffled.theta, limits.theta[order])
    np.testing.assert_array_equal(shuffled.stats["steps"], limits.stats["steps"][order])
    few = ht.solve_limits(problem, ht.HAM(log_alpha=LOGS[3:6]), starts[3:6], width=8)
    np.testing.assert_array_equal(few.theta, limits.theta[3:6])


def test_a_poisoned_problem_is_a_status_of_its_instances_alone(problem, starts):
    other = ht.sparse_regression(N, D, 3, seed=1)
    basis = other.row_space.basis.copy()
    basis[0, 0] = np.nan
    poisoned = eqx.tree_at(lambda p: p.row_space.basis, other, basis)
    rows = np.random.default_rng(2).standard_normal((N, D))
    rows[1] = rows[0]
    contradictory = ht.LinearRegression(rows, np.arange(float(N)))
    which, geos = np.arange(LANES) % 3, ht.HAM(log_alpha=LOGS)
    sound = ht.solve_limits([problem, other, problem], geos, starts, which=which, width=8)
    sick = ht.solve_limits([problem, poisoned, contradictory], geos, starts, which=which, width=8)
    names = np.array(ht.NAMES)[sick.result]
    assert (names[which == 0] == "converged").all()
    assert (names[which == 1] == "nonfinite").all()
    assert (names[which == 2] == "infeasible").all()
    np.testing.assert_array_equal(sick.theta[which == 0], sound.theta[which == 0])
    spent = ht.solve_limits(problem, ht.HAM(log_alpha=np.full(3, 1e3)), width=8, max_steps=2)
    assert (np.array(ht.NAMES)[spent.result] == "max_steps").all()


@pytest.mark.parametrize(
    "geos",
    [
        ht.Hypentropy(np.logspace(-6, 3, 9)),
        pytest.param(ht.DiagonalNetwork(3, np.logspace(-2, 1, 9)), marks=pytest.mark.slow),
        ht.Euclidean(),
    ],
    ids=["hypentropy", "depth 3", "euclidean"],
)
def test_other_geometries(problem, geos):
    starts = np.zeros((9, D))
    limits = ht.solve_limits(problem, geos, starts, width=4)
    assert (limits.result == 0).all() and limits.theta.shape == (9, D)
    for instance in (0, 8):
        geo = jax.tree.map(lambda parameter, instance=instance: parameter[instance], geos)
        np.testing.assert_allclose(limits.theta[instance], ht.solve_limit(problem, geo).theta, atol=1e-9)


@pytest.mark.parametrize("geos", [ht.HAM(log_alpha=LOGS), ht.Euclidean()], ids=["path", "at once"])
def test_many_y_on_one_x_are_as_with_an_x_each(problem, starts, geos):
    rng, X = np.random.default_rng(3), np.array(problem.X)
    X[4] = X[2]  # then not every y has a solution
    ys = rng.standard_normal((LANES, D)) @ X.T
    ys[5, 4] += 1.0
    shared = ht.LinearRegression(X, ys[0])
    found = ht.solve_limits(shared, geos, starts, ys=ys, width=8)
    each = ht.solve_limits([ht.LinearRegression(X, y) for y in ys], geos, starts, which=np.arange(LANES), width=8)
    np.testing.assert_array_equal(found.result, each.result)
    assert ht.NAMES[found.result[5]] == "infeasible" and np.count_nonzero(found.result) == 1
    np.testing.assert_allclose(found.theta, each.theta, atol=1e-8)
    few = ht.solve_limits(shared, jax.tree.map(lambda leaf: leaf[3:6], geos), starts[3:6], ys=ys[3:6], width=8)
    np.testing.assert_array_equal(few.theta, found.theta[3:6])


def test_what_ys_have_to_be(problem):
    for ys, said in ((np.zeros(N), "ys must have 2 axes"), (np.zeros((3, N + 1)), r"shape \(instances, 10\)"),
                     (np.full((3, N), np.nan), "ys must be finite")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            ht.solve_limits(problem, ht.Euclidean(), ys=ys)
    with pytest.raises(ValueError, match="numbers of instances disagree"):
        ht.solve_limits(problem, ht.HAM(log_alpha=LOGS), ys=np.zeros((3, N)))
    for problems, share in (([problem, problem], None), (problem, False)):
        with pytest.raises(ValueError, match="share one LinearRegression"):
            ht.solve_limits(problems, ht.Euclidean(), ys=np.zeros((2, N)), which=np.zeros(2, int), share=share)
