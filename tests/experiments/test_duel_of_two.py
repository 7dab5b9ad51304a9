"""The duel of HAM and m⊙w: all of it on two problems of one row and two columns, of which everything is known."""

import numpy as np
import pytest
from scipy.integrate import quad

import hamtheory as ht
from experiments._duel import Duel

pytestmark = pytest.mark.slow  # paths, flows and runs of two geometries to compile

ALPHAS = (1.5, 40.0)
SCALE, FRACTIONS = 0.7, (0.25, 0.9)
LINE = ht.LinearRegression([[1.0, 2.0]], [2.0], [0.0, 1.0])
POINT = ht.LinearRegression([[1.0, 0.0]], [1.0], [1.0, 0.0])  # one dimension: the other entry stays where it starts


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of both problems, from the start or starts given, with settings of the duel."""
    folder = tmp_path_factory.mktemp("duel")
    files = []
    for name, problem in (("line", LINE), ("point", POINT)):
        np.savez(folder / f"{name}.npz", X=problem.X, y=problem.y, theta_star=problem.theta_star)
        files.append(ht.sweeps.File(str(folder / f"{name}.npz")))

    def sweep(starts="zeros", chunk=10, problems=files, **settings):
        spec = ht.SweepSpec(
            problems=problems,
            geometries=[{"family": "ham", "alpha": list(ALPHAS)}],
            starts=starts,
            quantity=Duel(fraction=FRACTIONS, **settings),
            chunk=chunk,
            keep_theta=True,
        )
        with ht.sweep(spec, folder / spec.hash[:8] / str(chunk), progress=False) as data:
            return data.load()

    return sweep


@pytest.fixture(scope="module")
def matched(swept):
    return swept()


@pytest.fixture(scope="module")
def equal(swept):
    """γ = 1/α, from −0.7 where the truth is 1."""
    return swept({"kind": "wrong", "scale": SCALE, "seeds": [0]}, product=1.0).isel(instance=1)


def geometries(alpha, product=1.0):
    return ht.HAM(alpha), ht.Hypentropy(product / alpha)


def match_of(alpha: float) -> tuple[np.ndarray, float]:
    """HAM's limit for θ₁ + 2θ₂ = 2 from zero, and the γ of m⊙w with the same one.

    R′(θ) = ν(1, 2): with u = e^{αν} HAM has αθ = (u − 1, u² − 1), and with v = e^{2ν} m⊙w has 2θ/γ =
    (v − 1/v, v² − 1/v²). Limits on the line with one L1 norm are one point, where θ₂/θ₁ = u + 1 = v + 1/v.
    """
    u = (np.sqrt(1 + 8 * (3 + 2 * alpha)) - 1) / 4
    theta = np.array([u - 1, u**2 - 1]) / alpha
    v = (u + 1 + np.sqrt((u + 1) ** 2 - 4)) / 2
    return theta, 2 * theta[0] / (v - 1 / v)


def test_the_match_is_the_known_one(matched):
    line = matched.isel(instance=0)
    assert (
        (line["status"] == 0).all() and (line["crossings"] == 1).all() and float(line["least_l1"]) == pytest.approx(1)
    )
    for point, alpha in enumerate(ALPHAS):
        theta, gamma = match_of(alpha)
        here = line.isel(point=point)
        np.testing.assert_allclose(here["theta"], [theta, theta], rtol=1e-6)
        assert float(here["log_gamma"]) == pytest.approx(np.log(gamma), abs=1e-5)
        assert abs(np.log(alpha * gamma)) > 0.05, "the match would be trivial"
        np.testing.assert_allclose(here["excess"], np.abs(theta).sum() - 1, rtol=1e-5)
        assert float(here["apart"]) <= 1e-6


def test_without_a_match_there_is_a_status_and_nothing_else(matched):
    """In one dimension every γ has the same limit: its norm passes HAM's nowhere."""
    point = matched.isel(instance=1)
    assert (point["status"].isel(side=0) == 0).all()
    for name in ("status", "flow_status", "run_status"):
        assert (point[name].isel(side=1) == ht.NAMES.index("reached_end")).all()
    for name in ("log_gamma", "apart"):
        assert point[name].isnull().all()
    for name in ("excess", "flow_time", "run_time", "condition"):
        assert point[name].isel(side=1).isnull().all() and np.isfinite(point[name].isel(side=0)).all()


def test_metrics_at_the_limits(matched):
    line, X = matched.isel(instance=0), np.asarray(LINE.X)
    for point, alpha in enumerate(ALPHAS):
        theta, gamma = match_of(alpha)
        metrics = np.array([1 + alpha * theta, 2 * np.hypot(theta, gamma)])
        here = line.isel(point=point)
        np.testing.assert_allclose(here["mean_metric"], metrics.mean(axis=1), rtol=1e-5)
        np.testing.assert_allclose(here["stable_rate"], 2 / (metrics @ X[0] ** 2), rtol=1e-5)
        np.testing.assert_allclose(here["condition"], 1, rtol=1e-9)


def test_flows_pass_zero_at_the_known_times(equal):
    assert (equal["flow_status"] == 0).all()
    for point, alpha in enumerate(ALPHAS):
        for side, geo in enumerate(geometries(alpha)):
            here = equal.isel(point=point, side=side)
            passage = float(ht.signs.first_passage_time(geo, SCALE, 1.0))
            assert float(here["flow_recovery_time"]) == pytest.approx(passage, rel=1e-4)
            assert (here["flow_gross_flips"], here["flow_net_flips"], here["flow_flipped_back"]) == (1, 1, 0)
            assert float(here["flow_signs_recovered"]) == 1
            # From −a to 1 − (1 + a) √target, where the loss is target times that of the start.
            near = 1 - (1 + SCALE) * 1e-3
            slow = lambda s: 1 / float(geo.inverse_metric(s)) / (1 - s)  # noqa: B023, E731
            time = quad(slow, -SCALE, 0)[0] + quad(slow, 0, near, epsrel=1e-9)[0]
            assert float(here["flow_time"]) == pytest.approx(time, rel=2e-3)


def test_at_inverse_parameters_the_metrics_differ_by_at_most_a_root_of_two(equal):
    """Of |θ| + γ and √(θ² + γ²): pointwise, and so in all that is monotone in the metric, in the data as well."""
    theta = np.concatenate([[0.0], np.geomspace(1e-8, 1e8, 500)])
    ham, mw = (np.asarray(geo.inverse_metric(theta)) for geo in geometries(7.0))
    quotient = (ham / 7.0) / (mw / 2)
    assert quotient.min() == pytest.approx(1) and quotient.max() == pytest.approx(np.sqrt(2), rel=1e-3)
    assert (quotient <= np.sqrt(2) * (1 + 1e-12)).all() and (quotient >= 1 - 1e-12).all()

    unit = np.array(ALPHAS)[:, None] * np.array([1, 0]) + np.array([0, 2])  # of time: α and 2
    for values in (equal["flow_recovery_time"] * unit, equal["flow_time"] * unit, equal["stable_rate"] * unit):
        ratio = (values.isel(side=1) / values.isel(side=0)).to_numpy()
        assert ((ratio > 1) & (ratio < np.sqrt(2))).all()


def test_runs_are_those_of_the_library(equal):
    """HYP* and gradient descent on m⊙w: the step at which the loss is a millionth, flips, and the last of them."""
    for point, alpha in enumerate(ALPHAS):
        for side, rule in enumerate((ht.HAMStep(alpha), ht.ProductGD(gamma=1 / alpha))):
            for i, fraction in enumerate(FRACTIONS):
                here = equal.isel(point=point, side=side, fraction=i)
                largest = 2 / float(geometries(alpha)[side].inverse_metric(1.0))
                assert float(here["run_rate"]) == pytest.approx(fraction * largest, rel=1e-6)
                start = np.asarray(equal["theta"].isel(point=0, side=0)) * [0, 1] + [-SCALE, 0]
                run = ht.run(POINT, rule, start, learning_rate=float(here["run_rate"]), steps=400)
                below = np.flatnonzero(np.asarray(run.loss) <= 1e-6 * float(run.loss[0]))
                signs = np.sign(np.asarray(run.thetas[:, 0]))
                flips = np.flatnonzero(signs[1:] != signs[:-1]) + 1
                assert below.size, "a case of which nothing can be seen"
                # Between checks the loss is interpolated; they are a few percent apart.
                assert below[0] - 1 - 0.04 * below[0] <= float(here["run_time"]) <= below[0] * 1.04
                assert int(here["run_gross_flips"]) == len(flips) and float(here["run_recovery_time"]) == flips[-1]
                assert int(here["run_status"]) == 0 and float(here["run_excess"]) == pytest.approx(SCALE, rel=5e-3)


def test_a_gamma_that_is_far_off_loses(swept, equal):
    far = swept({"kind": "wrong", "scale": SCALE, "seeds": [0]}, product=1e-6).isel(instance=1)
    steps = far["flow_recovery_time"] / far["stable_rate"]
    assert (steps.isel(side=1) > 2 * steps.isel(side=0)).all()
    runs = far["run_recovery_time"].isel(fraction=0)
    assert (runs.isel(side=1) > 2 * runs.isel(side=0)).all()
    assert (far["flow_time"].isel(side=0) == equal["flow_time"].isel(side=0)).all(), "HAM's own depends on its opponent"


def test_what_does_not_arrive_in_time_is_censored(swept):
    early = np.geomspace(1e-6, 1e-5, 96).tolist()
    few = swept({"kind": "wrong", "scale": SCALE, "seeds": [0]}, product=1.0, steps=4, ts=early).isel(instance=1)
    for kind in ("run", "flow"):
        assert (few[f"{kind}_time"].isel(side=1) == np.inf).all()
        assert (few[f"{kind}_status"].isel(side=1) == ht.NAMES.index("reached_end")).all()
    assert np.isfinite(few["run_excess"]).all(), "where it was is still known"


def test_an_instance_does_not_depend_on_its_chunk(swept, matched):
    starts = ["zeros", {"kind": "wrong", "scale": 0.3, "seeds": [1]}]
    together, alone = swept(starts, chunk=4), swept(starts, chunk=1)
    for name in together.data_vars:
        assert np.asarray(together[name]).tobytes() == np.asarray(alone[name]).tobytes(), name
        zero = matched[name].isel(instance=0) if "instance" in matched[name].dims else None
        if zero is not None and name not in ("problem", "start"):
            np.testing.assert_array_equal(zero, together[name].isel(instance=0), err_msg=name)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"log_gamma": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]}, "decreasing"),
        ({"log_gamma": [0.0, -1.0, -2.0]}, "at least 3 values for each"),
    ],
)
def test_bad_settings(settings, message, unchecked):
    with pytest.raises(ValueError, match=message):
        ht.SweepSpec(
            problems={"kind": "sparse", "n": 1, "d": 2, "k": 1, "seeds": [0]},
            geometries={"family": "ham", "alpha": [1.0, 2.0]},
            quantity={"name": "duel"} | settings,
        )


def test_only_ham_has_an_opponent():
    with pytest.raises(ValueError, match="ham"):
        ht.SweepSpec(
            problems={"kind": "sparse", "n": 1, "d": 2, "k": 1, "seeds": [0]},
            geometries={"family": "mw", "gamma": [1.0]},
            quantity="duel",
        )


def test_times_are_interpolated_in_the_logarithm():
    """A loss that decays exponentially is met exactly, and one that never gets there is censored."""
    duel, at = Duel(target=1e-6), np.geomspace(0.1, 100, 20)
    loss = 3.0 * np.exp(-np.array([[2.0], [0.01], [500.0]]) * at)
    found = duel.first_at_target(at, loss, np.full(3, 3.0))
    np.testing.assert_allclose(found[[0, 2]], np.log(1e6) / np.array([2.0, 500.0]), rtol=1e-9)
    assert found[1] == np.inf
