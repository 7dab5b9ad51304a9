"""Regression by the limit of a flow, with its parameter chosen by cross-validation along the path of limits."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_is_fitted, validate_data

from ..geometry import AbstractExponentialGeometry, AbstractGeometry
from ..limit import limit_path, regularization_path
from ..problem import Prepared, prepare
from ._parameters import GeometryParameters, geometry_of, warn_unless_converged, weights_of
from ._regressor import ImplicitBiasRegressor, Values

_POINTS = 12
_ENDS = (-3.0, 20.0)  # of ln(α|θ|): where the potential is that of L2, and of L1, within a few percent


class ImplicitBiasRegressorCV(GeometryParameters, RegressorMixin, BaseEstimator):
    """`ImplicitBiasRegressor` with the parameter of its geometry, or its weight decay, of least cross-validated error.

    For every fold the whole curve of limits is followed from point to point, as `ht.limit_path` and
    `ht.regularization_path` do. For other parameters, and any geometry, take `GridSearchCV` on `ImplicitBiasRegressor`.

    There is one target, as the errors of several, each in its own unit, have no sum that says which parameter is best.

    Args:
        geometry: As in `ImplicitBiasRegressor`; for `log_parameters` HAM or m⊙w, whose own parameter is replaced.
        log_parameters: Values of `ln α` (HAM) or `ln γ` (m⊙w), (points,), or how many, which are then placed from L2
            to L1 by the size of the least-L2 solution.
        weight_decays: Values of the weight decay instead, positive, (points,). With both left out, there are
            12 `log_parameters`.
        cv: How to split, as `sklearn.model_selection.check_cv` takes it: a number of folds, a splitter, or the splits.
        fit_intercept: As in `ImplicitBiasRegressor`.
        standardize: As in `ImplicitBiasRegressor`, in each fold by its own rows.
        tol: As in `ImplicitBiasRegressor`.
        max_steps: As in `ImplicitBiasRegressor`, of each point.

    Attributes:
        grid_: The values that were compared, (points,).
        mse_path_: The weighted mean square error of each on the rows held out, (points, folds).
        geometry_: The geometry that was chosen.
        weight_decay_: The weight decay that was chosen, or 0.
        coef_: Of all rows, with these, as are the following: see `ImplicitBiasRegressor`.
        intercept_: See there.
        dual_coef_: See there.
        result_: See there.
        n_iter_: See there.
        n_features_in_: d.
        feature_names_in_: The names of the columns, if X has some.

    ```python
    >>> import hamtheory as ht
    >>> problem = ht.sparse_regression(n=40, d=60, k=3, seed=1, noise=0.1)
    >>> model = ht.sklearn.ImplicitBiasRegressorCV("ham").fit(problem.X, problem.y)
    >>> model.mse_path_.shape, bool(model.geometry_.log_alpha > 5)
    ((12, 5), True)

    ```
    """

    coef_: Any
    intercept_: Any

    def __init__(
        self,
        geometry: Any = "ham",
        *,
        log_parameters: Any = None,
        weight_decays: Any = None,
        cv: Any = None,
        fit_intercept: Any = True,
        standardize: Any = False,
        tol: Any = 1e-10,
        max_steps: Any = 2000,
    ):
        self.geometry = geometry
        self.log_parameters = log_parameters
        self.weight_decays = weight_decays
        self.cv = cv
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.tol = tol
        self.max_steps = max_steps

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ImplicitBiasRegressorCV":
        """Follow the paths of all folds, and find the limit of all rows for the best point.

        Args:
            X: Samples, (samples, d), dense.
            y: The target, (samples,).
            sample_weight: Weights ≥ 0, (samples,), or one number, of the loss and of the errors.

        Returns:
            The estimator.

        Raises:
            ValueError: For bad data or parameters.
            TypeError: The same.
        """
        geo = geometry_of(self.geometry)
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        weights = weights_of(1.0 if sample_weight is None else sample_weight, len(X))
        everything = self._prepared(X, y, weights)
        weights = np.asarray(weights, float)
        self.grid_ = self._grid(geo, everything)
        splitter: Any = check_cv(self.cv)
        folds = list(splitter.split(X, y))
        self.mse_path_, shares = np.zeros((len(self.grid_), len(folds))), np.zeros(len(folds))
        results = []
        for place, (train, test) in enumerate(folds):
            prepared = self._prepared(X[train], y[train], weights[train])
            path = self._path(prepared, geo)
            results.extend(path.result)
            shares[place] = np.sum(weights[test])
            if shares[place] > 0:
                errors = np.square(prepared.predict(path.thetas, X[test]) - y[test])
                self.mse_path_[:, place] = errors @ (weights[test] / shares[place])
        best = int(np.argmin(np.nan_to_num(self.mse_path_ @ shares, nan=np.inf)))
        warn_unless_converged(results, type(self).__name__)
        return self._refitted(geo, best, X, y, weights)

    def predict(self, X: Any) -> Values:
        """`Xθ + b`.

        Args:
            X: Samples, (samples, d).

        Returns:
            The predictions, (samples,).
        """
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False) @ self.coef_ + self.intercept_

    def _prepared(self, X: np.ndarray, y: np.ndarray, weights: Any) -> Prepared:
        options = {"intercept": bool(self.fit_intercept), "standardize": bool(self.standardize)}
        return prepare(X, y, sample_weight=weights, **options)

    def _grid(self, geo: AbstractGeometry, prepared: Prepared) -> np.ndarray:
        """The values to compare."""
        if self.weight_decays is not None:
            if self.log_parameters is not None:
                raise ValueError("log_parameters and weight_decays both say what to compare; give one of them")
            return np.asarray(self.weight_decays, float)
        if not isinstance(geo, AbstractExponentialGeometry):
            raise ValueError(
                f"geometry must be one of HAM or m*w for a path over its parameter; got {geo!r}: give weight_decays, "
                "or take GridSearchCV on ImplicitBiasRegressor"
            )
        given = _POINTS if self.log_parameters is None else self.log_parameters
        if not isinstance(given, (int, np.integer)):
            return np.asarray(given, float)
        if given < 1:
            raise ValueError(f"log_parameters must be values, or how many, at least 1; got {given}")
        size = float(np.max(np.abs(prepared.problem.row_space.nearest)))
        sparsity = np.linspace(*_ENDS, given) - (np.log(size) if size > 0 else 0.0)
        origin, unit = (float(type(geo).at_log(log).log_sparsity) for log in (0.0, 1.0))
        return (sparsity - origin) / (unit - origin)

    def _path(self, prepared: Prepared, geo: AbstractGeometry) -> Any:
        options: dict[str, Any] = {"tol": self.tol, "max_steps": self.max_steps, "throw": False}
        if self.weight_decays is None:
            return limit_path(prepared.problem, type(geo), self.grid_, **options)  # type: ignore[arg-type]
        return regularization_path(prepared.problem, geo, self.grid_, **options)

    def _refitted(self, geo: Any, best: int, X: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Any:
        """The estimator with what all rows give at the best point."""
        chosen = float(self.grid_[best])
        decays = self.weight_decays is not None
        self.geometry_, self.weight_decay_ = (geo, chosen) if decays else (type(geo).at_log(chosen), 0.0)
        options = {"fit_intercept": self.fit_intercept, "standardize": self.standardize}
        options |= {"tol": self.tol, "max_steps": self.max_steps}
        final = ImplicitBiasRegressor(self.geometry_, weight_decay=self.weight_decay_, **options).fit(X, y, weights)
        for name in ("coef_", "intercept_", "dual_coef_", "result_", "n_iter_"):
            setattr(self, name, getattr(final, name))
        return self
