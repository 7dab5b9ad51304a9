"""Regression by the limit of a flow."""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..limit import LimitResult, solve_limit
from ..problem import Prepared, prepare
from ._parameters import GeometryParameters, geometry_of, warn_unless_converged, weights_of

Values = Float[np.ndarray, "..."]


class ImplicitBiasRegressor(GeometryParameters, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression by the limit of a flow from zero, `argmin { R(θ) : Xθ + b = y }`, or `argmin f + P`.

    What it learns from fewer rows than columns is the solution that the potential R of the geometry prefers: the one of
    least L2 norm for `ht.Euclidean()`, of least L1 norm at the far end of `ht.HAM` and `ht.Hypentropy`, and any between
    them. If no solution exists, it is the preferred one of the least-squares solutions, which is where the flow goes.

    The intercept b is no coordinate of the geometry, and weights are as if rows were repeated: see `ht.prepare`.
    Several targets are fitted one by one, as in a flow of a matrix, whose columns are coupled neither by the loss nor
    by a separable geometry. X and y become float64.

    Args:
        geometry: A geometry, or the name of one, with the arguments of its example: "ham", "mw", "gd", "network". Its
            arguments are parameters of the estimator, `geometry__alpha` or `geometry__log_alpha` of HAM.
        weight_decay: As in `ht.solve_limit`, of the mean loss. On a geometry near L1 it is the lasso's penalty.
        fit_intercept: Whether there is an intercept.
        standardize: Divide the columns by their standard deviation first, another problem with another bias.
        tol: As in `ht.solve_limit`.
        max_steps: As in `ht.solve_limit`.

    Attributes:
        coef_: The coefficients in the units of X, (d,), or (targets, d).
        intercept_: The intercept, a number, or (targets,).
        dual_coef_: The multipliers ν of the rows, (samples,), or (targets, samples): `R′(θ) = Xᵀν` (`R′` of
            `scale · coef_`, and X divided by `scale`, if standardised). They sum to zero if there is an intercept.
        result_: The `LimitResult` with its certificate, in the units of the prepared problem; a list for several
            targets.
        n_iter_: The Newton steps; a list for several targets.
        n_features_in_: d.
        feature_names_in_: The names of the columns, if X has some.

    References:
        [gunasekar2018characterizing].

    ```python
    >>> import hamtheory as ht
    >>> X, y = [[1.0, 2.0], [0.0, 0.0]], [3.0, 1.0]
    >>> for alpha in (1e-6, 1e6):
    ...     model = ht.sklearn.ImplicitBiasRegressor(ht.HAM(alpha), fit_intercept=False)
    ...     print(model.fit(X[:1], y[:1]).coef_.round(3).tolist())
    [0.6, 1.2]
    [0.0, 1.5]
    >>> model = model.set_params(geometry__log_alpha=5000.0, fit_intercept=True).fit(X, y)
    >>> model.predict([[0.0, 1.0]]).round(6).tolist()
    [2.0]

    ```
    """

    coef_: Any
    intercept_: Any

    def __init__(
        self,
        geometry: Any = "ham",
        *,
        weight_decay: Any = 0.0,
        fit_intercept: Any = True,
        standardize: Any = False,
        tol: Any = 1e-10,
        max_steps: Any = 2000,
    ):
        self.geometry = geometry
        self.weight_decay = weight_decay
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.tol = tol
        self.max_steps = max_steps

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ImplicitBiasRegressor":
        """Find the limit.

        Args:
            X: Samples, (samples, d), dense.
            y: Targets, (samples,) or (samples, targets).
            sample_weight: Weights ≥ 0, (samples,), or one number.

        Returns:
            The estimator.

        Raises:
            ValueError: For bad data or parameters.
            TypeError: The same.
        """
        geo = geometry_of(self.geometry)
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        weights = weights_of(sample_weight, len(X))
        fits = [self._fitted(X, target, weights, geo) for target in y.reshape(len(y), -1).T]
        found = [limit for _, limit in fits]
        coefficients = [prepared.coefficients(limit.theta) for prepared, limit in fits]
        intercepts = [float(prepared.intercept(limit.theta)) for prepared, limit in fits]
        duals = [prepared.dual(limit.dual) for prepared, limit in fits]
        steps = [int(limit.stats["steps"]) for limit in found]
        if y.ndim == 1:
            self.coef_, self.intercept_, self.dual_coef_ = coefficients[0], intercepts[0], duals[0]
            self.result_, self.n_iter_ = found[0], steps[0]
        else:
            self.coef_, self.intercept_, self.dual_coef_ = map(np.array, (coefficients, intercepts, duals))
            self.result_, self.n_iter_ = found, steps
        warn_unless_converged((limit.result for limit in found), type(self).__name__)
        return self

    def predict(self, X: Any) -> Values:
        """`Xθ + b`.

        Args:
            X: Samples, (samples, d).

        Returns:
            The predictions, (samples,) or (samples, targets).
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return X @ self.coef_.T + self.intercept_

    def _fitted(self, X: np.ndarray, y: np.ndarray, weights: Any, geo: Any) -> tuple[Prepared, LimitResult]:
        prepared = prepare(
            X, y, sample_weight=weights, intercept=bool(self.fit_intercept), standardize=bool(self.standardize)
        )
        options: dict[str, Any] = {"weight_decay": self.weight_decay, "tol": self.tol, "max_steps": self.max_steps}
        return prepared, solve_limit(prepared.problem, geo, **options, throw=False)
