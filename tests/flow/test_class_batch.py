"""Many classification flows at once: those of the host, whoever shares the batch."""

import jax
import numpy as np
import pytest

import hamtheory as ht

LEVELS = [-0.5, -30.0, -300.0]


def drawn(seed, n=6, d=9, loss="logistic"):
    rng = np.random.default_rng(seed)
    return ht.BinaryClassification(rng.standard_normal((n, d)), np.resize([1, -1], n), loss)


def powers(s):
    return ht.symbolic.geometry("(1 + abs(theta))**s", s=s)


@pytest.mark.parametrize(
    "family, parameters, loss, scale",
    [
        pytest.param(lambda _: ht.Euclidean(), [0.0, 0.0, 0.0], "logistic", 0.0, marks=pytest.mark.slow),
        (lambda alpha: ht.HAM(alpha=alpha), [0.5, 10.0, 1e4], "exponential", 0.3),
        (lambda gamma: ht.Hypentropy(gamma=gamma), [1.0, 0.01, 1e-4], "logistic", 0.1),
        pytest.param(powers, [0.25, 0.5, 0.5], "logistic", 0.1, marks=pytest.mark.slow),
    ],
)
def test_each_is_that_of_the_host(family, parameters, loss, scale):
    problems = [drawn(seed, loss=loss) for seed in range(3)]
    theta0s = scale * np.random.default_rng(9).standard_normal((3, 9))
    geos = family(np.array(parameters))
    many = ht.solve_flows(problems, geos, theta0s, which=np.arange(3), log_loss=LEVELS, rtol=1e-7)
    assert (many.result == ht.Result.reached_end).all()
    np.testing.assert_allclose(many.log_loss, np.broadcast_to(LEVELS, (3, 3)), rtol=1e-9)
    for i, problem in enumerate(problems):
        geo = family(parameters[i])
        best = ht.solve_margin(problem, geo)
        for place, level in enumerate(LEVELS):
            one = ht.solve_flow(problem, geo, theta0s[i], log_loss=level, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(many.thetas[i, place], one.theta, rtol=0, atol=1e-6 * np.abs(one.theta).max())
            assert many.log_ts[i, place] == pytest.approx(float(one.log_ts[-1]), abs=1e-4)
            assert many.clock[i, place] == pytest.approx(float(one.clock[-1]), rel=1e-6)
        margins = ht.metrics.margin(problem, many.thetas[i], float(many.horizon[i].rho))
        np.testing.assert_allclose(many.margin_gap[i], 1 - margins / many.margin_bound[i], atol=1e-12)
        assert (many.margin_bound[i] >= float(best.margin) * (1 - 1e-12)).all()
        image = many.dual[i] @ problem.signed
        np.testing.assert_allclose(many.horizon[i].dual_gauge(image), many.margin_bound[i], rtol=1e-9)


def test_batch_mates_do_not_matter():
    # Among them one whose classes cannot be separated, and one that takes many more steps.
    rows = np.random.default_rng(0).standard_normal((5, 9))
    mixed = ht.BinaryClassification(np.vstack([rows, rows[:1]]), [1, -1, 1, -1, 1, -1])
    problems, alphas = [drawn(0), mixed, drawn(1), drawn(2)], np.array([1.0, 3.0, 1e6, 0.1])
    which = np.arange(4)
    many = ht.solve_flows(problems, ht.HAM(alpha=alphas), which=which, width=8)
    assert many.result.tolist() == [1, 2, 1, 1]
    for some in (which[::-1], which[2:]):
        again = ht.solve_flows(problems, ht.HAM(alpha=alphas[some]), which=some, width=8)
        for name in ("thetas", "log_ts", "margin_bound"):
            np.testing.assert_array_equal(getattr(again, name), getattr(many, name)[some])


def test_classes_that_cannot_be_separated_come_to_rest():
    # Of more samples than columns: in Aᵀν.
    problems = [drawn(0, n=12, d=3), ht.sparse_classification(12, 3, 1)]
    many = ht.solve_flows(problems, ht.HAM(alpha=[5.0, 5.0]), which=np.arange(2), log_loss=[-0.4, -200.0])
    assert many.result.tolist() == [ht.Result.infeasible, ht.Result.reached_end]
    for i, problem in enumerate(problems):
        one = ht.solve_flow(problem, ht.HAM(alpha=5.0), log_loss=-200.0)
        np.testing.assert_allclose(many.theta[i], one.theta, rtol=0, atol=1e-6 * np.abs(one.theta).max())
    assert many.log_loss[0, 1] > -200 and np.abs(problems[0].gradient(many.theta[0])).max() < 1e-7


def test_a_budget_and_a_start_below_the_level():
    start = 5 * drawn(0).separability().theta / drawn(0).separability().margin
    starts = np.stack([np.zeros(9), start])
    many = ht.solve_flows(drawn(0), ht.Euclidean(), starts, log_loss=[-1.0, -4.0], max_steps=3)
    assert many.result.tolist() == [ht.Result.max_steps, ht.Result.reached_end]
    np.testing.assert_array_equal(many.thetas[1], np.stack([start, start]))
    assert many.stats["steps"].tolist() == [3, 0]


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"log_loss": [-5.0, -1.0]}, ValueError, r"log_loss must be .* falling ones; got \[-5.0, -1.0\]"),
        ({"log_loss": -np.inf}, ValueError, "log_loss must be a finite number"),
        ({"log_loss": "deep"}, TypeError, "log_loss must be a number"),
        ({"ts": [1.0]}, ValueError, "ts is for regressions"),
        ({"solver": "rkc"}, ValueError, "solver is for regressions"),
        ({"tol": 1e-6}, ValueError, "tol is for regressions"),
        ({"flips": True}, ValueError, "flips is for regressions"),
        ({"rtol": 0.0}, ValueError, "rtol must be"),
        ({"theta0s": np.ones((1, 3))}, ValueError, r"theta0s must have shape \(instances, 9\)"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        ht.solve_flows(drawn(0), ht.HAM(alpha=1.0), **options)


def test_traced_data_are_refused():
    with pytest.raises(TypeError, match="must be asked of concrete data"):
        jax.jit(lambda alpha: ht.solve_flows(drawn(0), ht.HAM(alpha=alpha)).theta)(np.ones(2))


def test_of_one_kind_and_of_classifications():
    regression = ht.LinearRegression([[1.0, 2.0]], [1.0])
    with pytest.raises(ValueError, match="log_loss is for classifications"):
        ht.solve_flows(regression, ht.Euclidean(), log_loss=-3.0)
    with pytest.raises(ValueError, match="problems must be of one kind and loss"):
        ht.solve_flows([drawn(0), drawn(0, loss="exponential")], ht.Euclidean(), which=np.arange(2))
