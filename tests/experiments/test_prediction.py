"""F33: what high dimension predicts, against limits."""

import numpy as np
import pytest
from scipy.stats import t as student

import hamtheory as ht
from experiments import prediction

from .scales import every_scale

pytestmark = pytest.mark.slow  # some thousand limits

CONFIG = prediction.Config.smoke()


@pytest.fixture(scope="module")
def small():
    return prediction.run(CONFIG)


data = every_scale(prediction, "prediction", small="small")
stored = every_scale(prediction, "prediction")


def test_every_case_is_certified(small):
    assert (small["status"] == 0).all() and (small["size_status"] == 0).all()
    assert small["residual"].max() <= CONFIG.tol
    assert all(variable.attrs["long_name"] for variable in small.data_vars.values())


def test_the_draws_are_of_the_set_up():
    """Columns of variance 1, of the correlation that is said; entries of the law; noise √n σ."""
    for kind, expected in (("Gaussian", 0.0), ("Rademacher", 0.0), ("correlated", 0.5)):
        X = prediction.columns(kind, 4000, 50, 0.5, np.random.default_rng(0))
        assert np.abs(np.mean(np.square(X)) - 1) < 0.02
        assert np.mean(X[:, 1:] * X[:, :-1]) == pytest.approx(expected, abs=0.02)
        assert np.mean(X[:, 2:] * X[:, :-2]) == pytest.approx(expected**2, abs=0.02)
    truth = prediction.entries("two sizes", 100_000, np.random.default_rng(0))
    sizes, weights = prediction.LAWS["two sizes"]
    shares = [np.mean(np.abs(truth) == size) for size in sizes]
    np.testing.assert_allclose(shares, weights, atol=0.01)
    one = prediction.problem("spikes", "Gaussian", 500, 20, 0.7, CONFIG, [9])
    assert np.std(one.y - one.X @ one.theta_star) == pytest.approx(0.7 * np.sqrt(500), rel=0.15)


def test_families_are_those_of_one_sparsity():
    """ℓ is where each of them turns from L2 to L1: R′(e^−ℓ) is of the order of R″(0) e^−ℓ, and less."""
    for make in prediction.FAMILIES.values():
        geo = make(3.0)
        ratio = geo.mirror_map(np.exp(-3.0)) * geo.inverse_metric(0.0) / np.exp(-3.0)
        assert 0.4 < ratio < 1


@pytest.mark.claim("prediction.scores")
def test_means_are_off_by_what_chance_allows(data):
    """The cases of one law, δ and σ share their problems: the worst of each such block, and what is within two."""
    score, draws = np.abs(data["score"]), data.sizes["draw"]
    allowed = student.isf(0.5e-3 / score.size, draws - 1)
    assert score.max() < allowed
    assert (score <= 2).mean() > 0.88


@pytest.mark.claim("prediction.root-n")
def test_one_problem_is_off_by_one_over_root_n(data):
    rows, off = data["rows"].values, ((data["size_mean"] - 1) ** 2 + data["size_spread"] ** 2) ** 0.5
    for kind in ("Gaussian", "Rademacher"):
        slope = np.polyfit(np.log(rows), np.log(off.sel(kind=kind).values), 1)[0]
        assert -0.75 < slope < -0.25, kind
        error = data["size_spread"].sel(kind=kind) / np.sqrt(data["size_problems"])
        assert (np.abs(data["size_mean"].sel(kind=kind) - 1) < 4 * error).all()


@pytest.mark.claim("prediction.correlated")
def test_of_correlated_columns_the_limit_is_another(data):
    """Larger by a tenth or more at the largest size, beyond three standard errors."""
    last = data.isel(rows=-1).sel(kind="correlated")
    assert last["size_mean"] - 1 > max(0.1, 3 * last["size_spread"] / np.sqrt(last["size_problems"]))


@pytest.mark.claim("prediction.best-alpha")
def test_the_more_noise_the_smaller_the_best_alpha(data):
    best = np.clip(data["best_log"].transpose("map_delta", "map_sigma").values, -1e3, 1e3)
    assert (np.diff(best, axis=1) <= 1e-2).all() and (best[:, 0] > best[:, -1]).all()


@pytest.mark.claim("prediction.excess")
def test_the_predicted_best_is_nearly_the_best_of_limits(data):
    assert (data["excess"] <= 0.02).all() and (data["excess"] >= -0.02).all()


def test_curves_pass_through_the_predictions(small):
    """Two calls of `predict`: many at once, and one setting."""
    for family in small["family"].values:
        own = small["predicted"].sel(law="spikes").isel(setting=np.flatnonzero(small["setting_family"] == family))
        for i, log in enumerate(own["setting_log"].values):
            many = ht.asymptotics.predict(
                prediction.FAMILIES[family](np.array([log, 1.0])), delta=0.5, sigma=0.3, prior=prediction.LAWS["spikes"]
            )
            assert many.mse[0] == pytest.approx(float(own.sel(delta=0.5, sigma=0.3)[i]), rel=1e-7)
