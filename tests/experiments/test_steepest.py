"""F38: steepest flows on factors arrive in finite time, elsewhere than at a projection."""

import numpy as np
import pytest

import hamtheory as ht
from experiments import steepest
from figures import steepest as figure_module

pytestmark = pytest.mark.slow  # flows of many exponents

CONFIG = steepest.Config.smoke()


@pytest.fixture(scope="module")
def data():
    return steepest.run(CONFIG)


@pytest.mark.claim("steepest.drift")
def test_every_flow_converges_and_keeps_its_certificates(data):
    assert (data["status"] == 0).all() and (data["draw_status"] == 0).all()
    several = data.where(data["depth"] > 1, drop=True)
    assert (several["drift"] < 1e-12).all() and (data["balance"] < 1e-6).all()
    assert np.isnan(data["drift"].sel(depth=1)).all()  # one factor conserves nothing


@pytest.mark.claim("steepest.arrival")
def test_it_arrives_and_rests(data):
    assert (data["arrival"].diff("q") > 0).all()
    problem = ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=CONFIG.seed)
    for q in (1.0, 1.5):
        loose = ht.steepest_flow(problem, steepest.start(CONFIG, 2), q=q, tol=1e-4, rtol=1e-8)
        tight = ht.steepest_flow(problem, steepest.start(CONFIG, 2), q=q, tol=1e-8, rtol=1e-8)
        assert tight.ts[-1] < 1.2 * loose.ts[-1]  # of gradient flow it is twice the time
        later = ht.steepest_flow(problem, steepest.start(CONFIG, 2), q=q, rtol=1e-8, ts=[2 * tight.ts[-1], 1e6])
        np.testing.assert_allclose(later.thetas[0], later.thetas[1], atol=1e-7)


@pytest.mark.claim("steepest.recovery")
def test_gradient_flow_and_depth_recover(data):
    error = data["error"].median("instance")
    assert (error.diff("q") < 0).all()
    assert (error.sel(q=2.0).diff("depth") < 0).all()
    assert (error.sel(q=1.0) >= 0.5).all()


@pytest.mark.claim("steepest.kkt")
def test_it_is_a_projection_of_gradient_flow_alone(data):
    assert (data["kkt"].sel(q=2.0) < 1e-10).all()
    assert (data["kkt"].where(data["q"] < 2, drop=True) > 0.05).all()


def test_the_powers_of_weight_decay(data):
    known = data.where(np.isfinite(data["own_power"]), drop=True)
    assert known.sizes["draw"] >= 3
    np.testing.assert_allclose(known["own_power"], known["own_theory"], atol=1e-4)
    np.testing.assert_allclose(known["penalty_power"], known["penalty_theory"], atol=1e-3)


def test_figure(data):
    figure = figure_module.draw(data)
    lines = figure.axes[1].get_lines()
    np.testing.assert_allclose(lines[0].get_ydata(), data["error"].isel(depth=0).median("instance"))
    np.testing.assert_allclose(figure.axes[3].get_lines()[0].get_ydata(), data["own_power"])
