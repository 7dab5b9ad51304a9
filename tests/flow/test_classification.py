"""Flows of a classification loss: against SciPy in ordinary time, and against the largest margin far beyond it."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import hamtheory as ht
from tests.slow import slow

GEOMETRIES = {
    "gd": ht.Euclidean(),
    "ham": ht.HAM(alpha=3.0),
    "mw": ht.Hypentropy(gamma=0.2),
    "between": ht.symbolic.geometry("sqrt(1 + theta**2)**(1/2)"),
    "network": ht.DiagonalNetwork(3, 0.5),
}

NORMS = (1.0, 1.2, 1.75, 2.0, 2.25, 3.0, np.inf)


def drawn(seed, n=15, d=30, loss="logistic"):
    rng = np.random.default_rng(seed)
    return ht.BinaryClassification(rng.standard_normal((n, d)), np.resize([1, -1], n), loss)


@pytest.mark.parametrize("loss, name", [
    *(("logistic", name) for name in GEOMETRIES), ("exponential", "ham"),
    *slow(*(("exponential", name) for name in GEOMETRIES if name != "ham")),
])  # fmt: skip
def test_against_scipy_in_ordinary_time(name, loss):
    problem, geo = drawn(0, n=6, d=9, loss=loss), GEOMETRIES[name]
    theta0 = np.linspace(-0.3, 0.2, 9)
    flow = ht.solve_flow(problem, geo, theta0, log_loss=np.log(1e-8), rtol=1e-10, atol=1e-12)
    assert flow.result == ht.Result.reached_end and flow.log_loss[-1] == pytest.approx(np.log(1e-8), rel=1e-12)

    def velocity(t, theta):
        margins = problem.z * (problem.X @ theta)
        slope = 1 / (1 + np.exp(margins)) if loss == "logistic" else np.exp(-margins)
        return geo.inverse_metric(theta) * ((slope * problem.z) @ problem.X) / problem.n

    end = np.exp(flow.log_ts[-1])
    exact = solve_ivp(velocity, (0, end), theta0, method="LSODA", rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(flow.theta, exact.y[:, -1], rtol=1e-6, atol=1e-6 * np.abs(flow.theta).max())


@pytest.mark.parametrize("name", ["gd", "ham", "mw", "between"])
def test_far_down_with_a_bound_at_every_time(name):
    problem, geo = drawn(1), GEOMETRIES[name]
    best = ht.solve_margin(problem, geo)
    flow = ht.solve_flow(problem, geo, log_loss=-3000.0)
    assert np.isfinite(flow.thetas).all() and flow.log_loss[-1] == pytest.approx(-3000.0, rel=1e-12)
    assert (np.diff(flow.log_loss) < 0).all() and (np.diff(flow.log_ts) > 0).all() and flow.log_ts[-1] > 2900
    # Weak duality, with the flow's own weights: the largest margin lies between the two sides at every time.
    margins = ht.metrics.margin(problem, flow.thetas[1:], float(flow.horizon.rho))
    assert (margins <= float(best.margin) * (1 + 1e-9)).all()
    assert (flow.margin_bound >= float(best.margin) * (1 - 1e-12)).all() and (np.diff(flow.margin_bound) <= 0).all()
    np.testing.assert_allclose(flow.horizon.dual_gauge(flow.dual @ problem.signed), flow.margin_bound, rtol=1e-12)
    np.testing.assert_allclose(flow.margin_gap[1:], 1 - margins / flow.margin_bound[1:], atol=1e-12)
    missing = 1 - margins / float(best.margin)
    assert (missing <= flow.margin_gap[1:] + 1e-12)[margins > 0].all()
    assert missing[-1] < 0.07 and missing[-1] < 0.5 * missing[np.searchsorted(-flow.log_loss[1:], 30.0)]


@pytest.mark.parametrize(
    "formula",
    [
        "1",
        "(1 + theta**2)**(1/4)",
        "(1 + abs(theta))**(-1/2)",
        *(
            pytest.param(formula, marks=pytest.mark.slow)
            for formula in (
                "1 + 3*abs(theta)",
                "2*sqrt(theta**2 + 1/4)",
                "sqrt(1 + abs(theta))",
                "(1 + theta**4)**(3/20)",
                "log(2 + abs(theta))",
                "1 + abs(theta)*log(2 + abs(theta))",
                "1/(1 + theta**2)",
            )
        ),
    ],
)
def test_the_horizon_is_where_the_flow_goes(formula):
    problem, geo = drawn(5), ht.symbolic.geometry(formula)
    best = ht.solve_margin(problem, geo)
    flow = ht.solve_flow(problem, geo, log_loss=-1e6, rtol=1e-6, atol=1e-8)
    norm = float(flow.horizon.rho)
    assert flow.result == ht.Result.reached_end and norm == float(ht.symbolic.horizon(formula).rho)
    # In parts of the best one, the margin in the norm of the horizon is the largest, and still on its way there.
    share = {
        rho: ht.metrics.margin(problem, flow.theta, rho) / ht.solve_margin(problem, rho=rho).margin for rho in NORMS
    }
    share[norm] = ht.metrics.margin(problem, flow.theta, norm) / best.margin
    assert max(share, key=share.__getitem__) == norm and 0.95 < share[norm] <= 1 + 1e-9
    early = flow.thetas[np.searchsorted(-flow.log_loss, 100.0)]
    assert ht.metrics.margin(problem, early, norm) < ht.metrics.margin(problem, flow.theta, norm)


@pytest.mark.parametrize("name", ["gd", "ham"])
def test_primal_and_dual_coordinates_agree(name):
    problem, geo = drawn(2, n=8, d=12), GEOMETRIES[name]
    one, other = (ht.solve_flow(problem, geo, log_loss=-200.0, coordinates=c, rtol=1e-9) for c in ("dual", "primal"))
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-6, atol=1e-6 * np.abs(one.theta).max())
    assert one.log_ts[-1] == pytest.approx(float(other.log_ts[-1]), abs=1e-6)


def test_in_one_dimension_by_hand():
    # Of the exponential loss: for GD e^θ − 1 = t, for HAM dθ/dt = (1 + αθ)e^(−θ).
    problem = ht.BinaryClassification([[1.0], [-1.0]], [1, -1], "exponential")
    flow = ht.solve_flow(problem, ht.Euclidean(), log_loss=-400.0)
    np.testing.assert_allclose(flow.thetas[1:, 0], np.logaddexp(0, flow.log_ts[1:]), rtol=1e-8, atol=1e-10)
    flow = ht.solve_flow(problem, ht.HAM(alpha=2.0), log_loss=-400.0)
    np.testing.assert_allclose(flow.clock, np.log1p(2 * flow.thetas[:, 0]) / 2, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("geo", [
    pytest.param(ht.Hypentropy(gamma=1e-9), marks=pytest.mark.slow),
    pytest.param(ht.Hypentropy(gamma=1e-12), marks=pytest.mark.slow),
    ht.HAM(alpha=1e6),
])  # fmt: skip
def test_time_is_known_where_the_force_grows_by_orders(geo):
    # In one dimension dt/dθ = e^θ/g⁻¹(θ): most of the time goes by near 0.
    problem = ht.BinaryClassification([[1.0], [-1.0]], [1, -1], "exponential")
    flow = ht.solve_flow(problem, geo, log_loss=-20.0)
    for theta, log_t in zip(flow.thetas[1:, 0], flow.log_ts[1:], strict=True):
        points = np.sort(np.append(np.geomspace(1e-15, theta, 12), 0.0)) if theta > 1e-15 else np.array([0.0, theta])
        pieces = [
            quad(lambda x: np.exp(x) / geo.inverse_metric(x), *ends, epsrel=1e-12)[0] for ends in pairwise(points)
        ]
        assert log_t == pytest.approx(np.log(sum(pieces)), abs=2e-6)
    found = ht.solve_flow(problem, geo, ts=np.exp(flow.log_ts[[5, -1]]))
    np.testing.assert_allclose(found.thetas, flow.thetas[[5, -1]], rtol=1e-4)


def test_columns_of_very_different_size():
    rng = np.random.default_rng(1)
    X, z = rng.normal(size=(50, 2)) * [1500, 0.07], np.sign(rng.normal(size=50))
    X[:, 1] = np.abs(X[:, 1]) * z
    problem = ht.BinaryClassification(X, z)
    flow = ht.solve_flow(problem, ht.Euclidean(), log_loss=-100.0)
    late = 100.0 - 2 * np.log(float(ht.solve_margin(problem, rho=2.0).margin))  # d ln(1/L)/dt = γ² L, in the end
    assert (np.diff(flow.log_ts) > 0).all() and flow.log_ts[-1] == pytest.approx(late, abs=0.05)


@pytest.mark.parametrize("scale", [1e-150, 1e-20, 1e20, 1e150])
@pytest.mark.parametrize("coordinates", ["dual", "primal"])
def test_units_do_not_matter(scale, coordinates):
    problem = drawn(4, n=5, d=8)
    other = ht.BinaryClassification(scale * problem.X, problem.z)
    one, two = (ht.solve_flow(p, ht.Euclidean(), coordinates=coordinates) for p in (problem, other))
    assert two.result == ht.Result.reached_end and two.log_ts[-1] == pytest.approx(one.log_ts[-1] - 2 * np.log(scale))
    np.testing.assert_allclose(scale * two.theta, one.theta, rtol=1e-7, atol=1e-7 * np.abs(one.theta).max())
    assert float(two.margin_gap[-1]) == pytest.approx(float(one.margin_gap[-1]), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_units_in_which_the_flow_leaves_the_numbers(scale):
    problem = drawn(4, n=5, d=8)
    with pytest.raises(ValueError, match=r"X must have entries for which the flow of .* Divide X by it"):
        ht.solve_flow(ht.BinaryClassification(scale * problem.X, problem.z), ht.Euclidean())


def test_a_saddle_is_no_rest():
    # With α this large the entries grow one after the other, and in between the flow seems to rest.
    flow = ht.solve_flow(ht.sparse_classification(6, 9, 2), ht.HAM(log_alpha=5000.0), max_steps=3000, throw=False)
    assert flow.result != ht.Result.infeasible


def test_the_first_moments_have_the_times_that_were_asked_for():
    flow = ht.solve_flow(drawn(3), ht.HAM(alpha=1.0), ts=[1e-200, 1e-8, 1e300])
    np.testing.assert_allclose(flow.log_ts, np.log([1e-200, 1e-8, 1e300]))
    assert np.abs(flow.thetas[0]).max() < 1e-11 and flow.log_loss[-1] < -600
    np.testing.assert_allclose(flow.thetas[1], -1e-8 * drawn(3).gradient(np.zeros(30)), atol=1e-11)


def test_float32_data_are_integrated_in_float64():
    problem = drawn(3)
    flow = ht.solve_flow(
        ht.BinaryClassification(problem.X.astype(np.float32), problem.z.astype(np.float32)),
        ht.HAM(alpha=1.0),
        rtol=1e-5,
    )
    exact = ht.solve_flow(problem, ht.HAM(alpha=1.0)).theta
    assert flow.theta.dtype == np.float32
    np.testing.assert_allclose(flow.theta, exact, atol=1e-4 * np.abs(exact).max())


def test_at_given_times():
    problem, geo = drawn(3), ht.HAM(alpha=1.0)
    flow = ht.solve_flow(problem, geo, ts=[0.0, 0.5, 7.0, 1e6])
    np.testing.assert_allclose(np.exp(flow.log_ts[1:]), [0.5, 7.0, 1e6], rtol=1e-12)
    assert flow.log_ts[0] == -np.inf and flow.thetas.shape == (4, 30)
    again = ht.solve_flow(problem, geo, log_loss=float(flow.log_loss[2]))
    np.testing.assert_allclose(again.theta, flow.thetas[2], rtol=1e-6, atol=1e-8)


def test_classes_that_cannot_be_separated_come_to_rest():
    problem = drawn(4, n=60, d=4)
    for geo in (ht.Euclidean(), ht.HAM(alpha=5.0)):
        flow = ht.solve_flow(problem, geo)
        assert flow.result == ht.Result.infeasible
        assert np.abs(problem.gradient(flow.theta)).max() < 1e-7
        late = ht.solve_flow(problem, geo, ts=[1.0, 1e12])
        np.testing.assert_allclose(late.thetas[-1], flow.theta, atol=1e-6)
        assert np.exp(late.log_ts[-1]) == pytest.approx(1e12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"log_loss": 1.0}, r"log_loss must be below -0.366513, that of the start, and finite; got 1"),
        ({"log_loss": -np.inf}, "and finite; got -inf"),
        ({"log_loss": -5.0, "ts": [1.0]}, "log_loss and ts both say where to end"),
        ({"weight_decay": 0.1}, "weight_decay is for regressions"),
        ({"solver": "radau"}, "solver is for regressions"),
        ({"coordinates": "polar"}, "coordinates must be 'primal', 'dual' or None; got 'polar'"),
        ({"ts": [2.0, 1.0]}, "ts must be increasing"),
        ({"theta0": np.ones(3)}, r"theta0 must have shape \(30,\)"),
        ({"max_steps": 0}, "max_steps must be at least 1"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        ht.solve_flow(drawn(0), ht.HAM(alpha=1.0), **options)


def test_a_budget_that_is_too_small():
    with pytest.raises(RuntimeError, match="max steps"):
        ht.solve_flow(drawn(0), ht.HAM(alpha=1.0), max_steps=5)
    assert ht.solve_flow(drawn(0), ht.HAM(alpha=1.0), max_steps=5, throw=False).result == ht.Result.max_steps


def test_a_regression_has_no_log_loss():
    with pytest.raises(ValueError, match="log_loss is for classifications"):
        ht.solve_flow(ht.LinearRegression([[1.0, 2.0]], [1.0]), ht.Euclidean(), log_loss=-3.0)
