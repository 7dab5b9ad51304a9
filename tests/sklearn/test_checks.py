"""All of scikit-learn's own checks of estimators, and how these fit into what else it has."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import hamtheory as ht
from hamtheory.sklearn import ImplicitBiasClassifier, ImplicitBiasRegressor, ImplicitBiasRegressorCV

ROOT = Path(__file__).parent.parent.parent
PROBLEM = ht.sparse_regression(30, 50, 3, seed=3, noise=0.1)
X, y = PROBLEM.X + 2.0, PROBLEM.y - 1.0
EVERY = [ImplicitBiasRegressor(), ImplicitBiasRegressorCV(log_parameters=4), ImplicitBiasClassifier()]


# Some of its classes touch in a plane, of which the classifier warns, as it should.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.usefixtures("unchecked")
@parametrize_with_checks(EVERY)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", EVERY, ids=lambda one: type(one).__name__)
def test_no_check_is_taken_out(estimator):
    tags = estimator.__sklearn_tags__()
    assert not tags._skip_test and not tags.no_validation and not tags.non_deterministic
    parts = [tags.classifier_tags, tags.regressor_tags]
    assert not any(part.poor_score for part in parts if part is not None)


@pytest.mark.parametrize(
    "geo, name, values",
    [
        (ht.HAM(alpha=3.0), "alpha", [0.1, 10.0]),
        (ht.HAM(alpha=3.0), "log_alpha", [-3.0, 5000.0]),
        (ht.HAM(log_alpha=3.0), "alpha", [0.1, 10.0]),
        ("mw", "gamma", [0.1, 10.0]),
        (ht.DiagonalNetwork(2, 1.0), "depth", [2, 3]),
        (ht.symbolic.geometry("1 + a*theta**2", a=1.0), "a", [0.5, 2.0]),
    ],
    ids=str,
)
def test_a_search_over_a_parameter_of_a_geometry(geo, name, values):
    model = make_pipeline(StandardScaler(), ImplicitBiasRegressor(geo, tol=1e-8))
    search = GridSearchCV(model, {f"implicitbiasregressor__geometry__{name}": values}, cv=3).fit(X, y)
    best = search.best_estimator_[-1].geometry
    family = ht.geometry.named(geo) if isinstance(geo, str) else type(geo)
    assert type(best) is family and best.arguments()[name] in values
    other = dict(best.arguments()) | {name: values[0]}
    alone = make_pipeline(StandardScaler(), ImplicitBiasRegressor(family(**other), tol=1e-8))
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(
        cross_val_score(alone, X, y, cv=3).mean(), rel=1e-9
    )


def test_parameters():
    model = ImplicitBiasRegressor(ht.HAM(alpha=3.0))
    assert model.get_params()["geometry__alpha"] == 3.0 and "geometry__alpha" not in model.get_params(deep=False)
    model.set_params(geometry="mw", geometry__gamma=2.0, weight_decay=0.5)
    assert repr(model.geometry) == "Hypentropy(gamma=2.0)" and model.weight_decay == 0.5
    assert repr(clone(model).geometry) == repr(model.geometry)
    with pytest.raises(ValueError, match="geometry__alpha is no parameter of Hypentropy"):
        model.set_params(geometry__alpha=2.0)
    for geometry, error, match in ((3, TypeError, "geometry must be"), ("nonsense", ValueError, "geometry must be")):
        assert "geometry__alpha" not in ImplicitBiasRegressor(geometry).get_params()
        with pytest.raises(error, match=match):
            ImplicitBiasRegressor(geometry).fit(X, y)
    with pytest.raises(ValueError, match="geometry must be an object"):
        ImplicitBiasRegressor("formula").fit(X, y)


@pytest.mark.parametrize("estimator", EVERY, ids=lambda one: type(one).__name__)
def test_frames_pickles_clones_and_single_precision(estimator):
    target = y > np.median(y) if estimator is EVERY[2] else y
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(50)])
    model = clone(estimator).fit(frame, target)
    assert list(model.feature_names_in_) == list(frame.columns) and model.n_features_in_ == 50
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    np.testing.assert_array_equal(clone(model).fit(X, target).coef_, model.coef_)
    single = clone(estimator).fit(X.astype(np.float32), target)
    assert single.coef_.dtype == np.float64
    np.testing.assert_array_equal(single.coef_, clone(estimator).fit(X.astype(np.float32).astype(float), target).coef_)
    with pytest.raises((TypeError, ValueError), match=r"[Ss]parse"):
        clone(estimator).fit(scipy.sparse.csr_array(X), target)


def test_predictions_out_of_fold_and_their_weights():
    model = ImplicitBiasRegressor(ht.HAM(alpha=30.0), weight_decay=0.1)
    weights = np.random.default_rng(0).uniform(0.1, 3.0, 30)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = clone(model).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_val_predict(routed, X, y, cv=3, params={"sample_weight": weights})
        scores = cross_val_score(routed, X, y, cv=3, params={"sample_weight": weights})
    for fold, test in enumerate(np.array_split(np.arange(30), 3)):
        train = np.setdiff1d(np.arange(30), test)
        alone = clone(model).fit(X[train], y[train], weights[train])
        np.testing.assert_array_equal(found[test], alone.predict(X[test]))
        assert scores[fold] == alone.score(X[test], y[test], weights[test])


def test_the_host_engine_does_the_work_and_an_import_waits_for_nobody():
    code = (
        "import sys, hamtheory as ht; assert 'sklearn' not in sys.modules; ht.sklearn; "
        "ht.sklearn.ImplicitBiasRegressorCV(cv=2).fit([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0], [2.0, 2.0]], [1, 2, 3, 4]); "
        "ht.sklearn.ImplicitBiasClassifier().fit([[1.0], [2.0], [3.0]], [0, 0, 1]); assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_without_scikit_learn_the_error_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import hamtheory as ht; ht.sklearn"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode and "ImportError: hamtheory.sklearn needs scikit-learn: pip install" in found.stderr
