"""Many flows at once: the same flows, whoever shares the batch."""

import itertools

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from hamtheory.flow import SOLVERS

N, D, LANES = 10, 30, 40
ALPHAS = np.logspace(-2, 3, LANES)


@pytest.fixture(scope="module")
def problem():
    return ht.sparse_regression(N, D, 3)


@pytest.fixture(scope="module")
def flows(problem):
    return ht.solve_flows(problem, ht.HAM(alpha=ALPHAS), width=16)


def test_every_instance_ends_at_its_limit(problem, flows):
    assert (flows.result == 0).all()
    assert flows.residual.max() <= 1e-8 and flows.stats["relative_gap"].max() <= 1e-8
    for instance in (0, 13, 27, LANES - 1):
        limit = ht.solve_limit(problem, ht.HAM(alpha=ALPHAS[instance]))
        np.testing.assert_allclose(flows.theta[instance], limit.theta, atol=1e-6)


def test_losses_along_the_way_are_those_of_single_flows(problem):
    ts = np.geomspace(1e-3, 30, 20)
    many = ht.solve_flows(problem, ht.HAM(alpha=ALPHAS), ts=ts, width=16, rtol=1e-6)
    for instance in (0, 20, LANES - 1):
        one = ht.solve_flow(problem, ht.HAM(alpha=ALPHAS[instance]), ts=ts, rtol=1e-10, atol=1e-12)
        # Errors relative to the state accumulate over the steps, a few hundred; where it has converged it rests.
        np.testing.assert_allclose(many.loss[instance], one.loss, rtol=1e-3, atol=1e-5 * float(one.loss[0]))


def test_an_instance_does_not_depend_on_the_others(problem, flows):
    """Bit for bit: not on the order, how many there are, or what is wrong with one of them."""
    order = np.random.default_rng(0).permutation(LANES)
    shuffled = ht.solve_flows(problem, ht.HAM(alpha=ALPHAS[order]), width=16)
    np.testing.assert_array_equal(shuffled.theta, flows.theta[order])
    np.testing.assert_array_equal(shuffled.stats["steps"], flows.stats["steps"][order])
    few = ht.solve_flows(problem, ht.HAM(alpha=ALPHAS[5:8]), width=16)
    np.testing.assert_array_equal(few.theta, flows.theta[5:8])


def test_the_width_changes_nothing_but_rounding(problem, flows):
    wide = ht.solve_flows(problem, ht.HAM(alpha=ALPHAS), width=64)
    np.testing.assert_array_equal(wide.stats["steps"], flows.stats["steps"])
    np.testing.assert_allclose(wide.theta, flows.theta, atol=1e-12)


def test_a_poisoned_problem_is_a_status_of_its_instances_alone(problem):
    other = ht.sparse_regression(N, D, 3, seed=1)
    basis = other.row_space.basis.copy()
    basis[0, 0] = np.nan
    poisoned = eqx.tree_at(lambda p: p.row_space.basis, other, basis)
    rows = np.random.default_rng(2).standard_normal((N, D))
    rows[1] = rows[0]
    contradictory = ht.LinearRegression(rows, np.arange(float(N)))
    which = np.arange(LANES) % 3
    starts = np.random.default_rng(1).standard_normal((LANES, D))
    sound = ht.solve_flows(
        [problem, other, problem], ht.HAM(alpha=ALPHAS), starts, which=which, width=16, max_steps=20_000
    )
    sick = ht.solve_flows(
        [problem, poisoned, contradictory], ht.HAM(alpha=ALPHAS), starts, which=which, width=16, max_steps=20_000
    )
    names = np.array(ht.NAMES)[sick.result]
    assert (names[which == 0] == "converged").all()
    assert (names[which == 1] == "nonfinite").all()
    assert (names[which == 2] == "infeasible").all()
    np.testing.assert_array_equal(sick.theta[which == 0], sound.theta[which == 0])
    spent = ht.solve_flows(problem, ht.HAM(alpha=ALPHAS), width=16, max_steps=20)
    assert (np.array(ht.NAMES)[spent.result] == "max_steps").all()


@pytest.mark.parametrize("family", [ht.Hypentropy, pytest.param(ht.DiagonalNetwork, marks=pytest.mark.slow)])
def test_other_geometries(problem, family):
    parameters = np.logspace(-2, 1, 8) if family is ht.Hypentropy else np.logspace(-1, 0, 8)
    build = (lambda p: ht.Hypentropy(p)) if family is ht.Hypentropy else (lambda p: ht.DiagonalNetwork(3, p))
    flows = ht.solve_flows(problem, build(parameters), width=16)
    assert (flows.result == 0).all()
    for instance in (0, 7):
        limit = ht.solve_limit(problem, build(parameters[instance]))
        np.testing.assert_allclose(flows.theta[instance], limit.theta, atol=1e-6)


def test_progress_counts_every_instance_once(problem):
    seen = []
    ht.solve_flows(
        problem, ht.HAM(alpha=ALPHAS), width=16, report=lambda done, instances: seen.append((done, instances))
    )
    assert seen[-1] == (LANES, LANES) and all(a < b for (a, _), (b, _) in itertools.pairwise(seen))


def test_bad_input(problem, unchecked):
    wide = ht.sparse_regression(N, D + 1, 3)
    for message, call in {
        r"problems must have one shape": lambda: ht.solve_flows([problem, wide], ht.HAM(ALPHAS)),
        r"which must say": lambda: ht.solve_flows([problem, problem], ht.HAM(ALPHAS)),
        r"which must hold one index of the 1 problems": lambda: ht.solve_flows(problem, ht.HAM(ALPHAS), which=[1]),
        r"geos must have one number an instance": lambda: ht.solve_flows(problem, ht.HAM(np.ones((3, problem.d)))),
        r"numbers of instances disagree": lambda: ht.solve_flows(problem, ht.HAM(ALPHAS), which=[0, 0]),
        r"theta0s must have shape \(instances, 30\)": lambda: ht.solve_flows(problem, ht.HAM(ALPHAS), np.zeros(D)),
        r"solver must be one of": lambda: ht.solve_flows(problem, ht.HAM(ALPHAS), solver="kvaerno5"),
        r"ts must be increasing": lambda: ht.solve_flows(problem, ht.HAM(ALPHAS), ts=[1.0, 1.0]),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()


def test_the_stabilised_method_is_stable_as_far_as_it_says():
    """On y′ = −ρy with a step at the end of the region of stability; and with too few stages it is not."""
    method, rho = SOLVERS["rkc"], 7.0
    term = diffrax.ODETerm(lambda t, y, args: -rho * y)
    growth = jax.jit(
        lambda h, radius: method.step(
            term,
            jnp.zeros(()),
            h,
            jnp.ones(1),
            None,
            eqx.tree_at(lambda s: (s.radius, s.tried), method.init(term, 0.0, h, jnp.ones(1), None), (radius, 1)),
            False,
        )[0][0]
    )
    for stages in (2, 3, 5, 10, 50, 128):
        # From inside: the estimate of the radius has a margin of 1.2, and the formula for s one of its own.
        h = (stages - 1) ** 2 / (1.54 * 1.2 * rho) * 0.999
        assert method.stages(h, jnp.asarray(rho)) <= stages
        assert abs(growth(jnp.asarray(h), jnp.asarray(rho))) < 1
        # With the stages for a fourth of the radius the same step is outside.
        if stages >= 10:
            assert abs(growth(jnp.asarray(h), jnp.asarray(rho / 4))) > 1


def test_few_are_integrated_one_by_one():
    """By `solve_flow`, which compiles nothing, as by the batches."""
    rng = np.random.default_rng(5)
    problems = [ht.sparse_regression(8, 20, 2, seed=seed) for seed in range(2)]
    geos, starts, which = ht.HAM(alpha=[0.5, 20.0, 300.0]), rng.standard_normal((3, 20)), np.array([1, 0, 1])
    seen = []
    how = {"which": which, "ts": [0.1, 1.0, 1e9], "flips": True, "rtol": 1e-8}
    few = ht.solve_flows(problems, geos, starts, report=lambda *done: seen.append(done), **how)
    batch = ht.solve_flows(problems, geos, starts, width=8, **how)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    np.testing.assert_array_equal(few.result, batch.result)
    np.testing.assert_allclose(few.theta, batch.theta, atol=1e-6)
    np.testing.assert_allclose(few.loss[:, :2], batch.loss[:, :2], rtol=1e-5, atol=1e-10)
    assert few.loss[:, 2].max() < 1e-15
    np.testing.assert_array_equal(few.flips.gross, batch.flips.gross)
    np.testing.assert_allclose(few.flips.first, batch.flips.first, rtol=1e-4)
    for i, place in enumerate(which):
        alone = ht.solve_flow(problems[place], ht.HAM(alpha=geos.alpha[i]), starts[i], rtol=1e-8, tol=1e-8)
        np.testing.assert_array_equal(few.theta[i], alone.theta)


def test_few_that_fail_say_so():
    problem = ht.sparse_regression(8, 20, 2)
    spent = ht.solve_flows(problem, ht.HAM(alpha=[1.0, 10.0]), ts=[1e-3, 1e3], max_steps=2)
    assert {ht.NAMES[code] for code in spent.result} == {"max_steps"}
    assert np.isnan(spent.loss[:, -1]).all()
    with pytest.raises(ValueError, match="disagree"):
        ht.solve_flows(problem, ht.HAM(alpha=[1.0, 10.0]), which=np.zeros(3, int))
