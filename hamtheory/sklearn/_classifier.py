"""Classification by the direction of a flow."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .._array import quiet, replaced
from .._result import Result
from .._validate import fits
from ..geometry import AbstractGeometry
from ..limit import LimitResult, MarginResult, solve_limit
from ..problem import Prepared, prepare
from ._inseparable import least_loss
from ._margin import Separating, largest_margin
from ._parameters import GeometryParameters, geometry_of, warn_unless_converged, weights_of

_LEAST_TOL = 1e-11  # of limits of predictions that are known to so many digits


class _Plane(NamedTuple):
    """What separates one class from the others, in the units of X."""

    coefficients: np.ndarray
    intercept: float
    dual: np.ndarray
    result: MarginResult | LimitResult
    steps: int
    is_separable: bool
    is_finite: bool


class ImplicitBiasClassifier(GeometryParameters, ClassifierMixin, BaseEstimator):
    """Linear classification by where a flow of the logistic loss from zero goes.

    *Classes that can be separated*: the loss has no least value, and the direction of θ tends to that of the largest
    margin over the horizon of the geometry, ℓ_ρ (`ht.solve_margin`): ρ = 2 for `ht.Euclidean()`, a support vector
    machine with a hard margin, and ρ = 1 for `ht.HAM` and `ht.Hypentropy`, whatever α or γ. *Classes that cannot*: the
    loss has a least value, and the flow ends at the θ of maximum likelihood, that of least R where there are many. So
    the parameter of the geometry counts in that case alone, and only if X does not have full column rank.

    The intercept is no coordinate of the geometry: it takes its best value at every θ. Of several classes each is told
    from all others, and the largest of their decisions wins. Weights change the likelihood; a largest margin only those
    that are 0 do, and standard deviations. X becomes float64. There are no probabilities: of separable classes a flow
    makes them 0 and 1.

    Args:
        geometry: As in `ImplicitBiasRegressor`.
        fit_intercept: Whether there is an intercept.
        standardize: Divide the columns by their standard deviation first, another problem with another bias.
        tol: The largest relative duality gap of a margin; of a likelihood, the relative length of its gradient.
        max_steps: The budget of steps of each computation: a class may need some.

    Attributes:
        classes_: The classes, (classes,), of the rows of positive weight.
        coef_: The coefficients in the units of X, (1, d) of two classes, or (classes, d). Of separable classes they are
            scaled so that the decisions of the support vectors are ±1; of others, decisions are logarithms of odds.
        intercept_: The intercepts, (1,) or (classes,).
        dual_coef_: The multipliers of the rows, (1, samples) or (classes, samples): of separable classes those of
            `min ‖θ‖_ρ²/2`, as of a support vector machine; of others `R′(θ) = Xᵀ dual_coef_`.
        separable_: Which classes can be separated from the others, (1,) or (classes,).
        result_: The certificates in the units of the prepared problem, and of the rows of positive weight: a
            `MarginResult` of what is separable, else a `LimitResult`, in whose `stats["stationarity"]` is the relative
            gradient of the likelihood; a list if there are more than two classes.
        n_iter_: The steps; an array if there are more than two classes.
        n_features_in_: d.
        feature_names_in_: The names of the columns, if X has some.

    References:
        [pesme2024implicit]; [soudry2018implicit].

    ```python
    >>> import hamtheory as ht
    >>> X, z = [[3.0, 1.0], [0.0, 0.0]], ["yes", "no"]
    >>> for geometry in ("gd", "ham"):
    ...     model = ht.sklearn.ImplicitBiasClassifier(geometry).fit(X, z)
    ...     print(model.coef_.round(4).tolist(), model.intercept_.round(4).tolist(), model.predict([[1.0, 5.0]]))
    [[0.6, 0.2]] [-1.0] ['yes']
    [[0.6667, 0.0]] [-1.0] ['no']

    ```
    """

    def __init__(
        self,
        geometry: Any = "ham",
        *,
        fit_intercept: Any = True,
        standardize: Any = False,
        tol: Any = 1e-9,
        max_steps: Any = 200,
    ):
        self.geometry = geometry
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.tol = tol
        self.max_steps = max_steps

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "ImplicitBiasClassifier":
        """Find the plane of each class.

        Args:
            X: Samples, (samples, d), dense.
            y: Classes, (samples,), of any type.
            sample_weight: Weights ≥ 0, (samples,), or one number.

        Returns:
            The estimator.

        Raises:
            ValueError: For bad data or parameters, one class alone, and a geometry without a horizon.
            TypeError: For bad parameters.
        """
        geo = geometry_of(self.geometry)
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        options = {"intercept": bool(self.fit_intercept), "standardize": bool(self.standardize)}
        prepared = prepare(X, np.zeros(len(X)), sample_weight=weights_of(sample_weight, len(X)), **options)
        self.classes_ = np.unique(y[prepared.rows])
        if len(self.classes_) < 2:
            raise ValueError(
                f"y must have two classes or more in rows of positive weight; got one class, {self.classes_[0]!r}"
            )
        apart = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        planes = [self._plane(np.where(y == one, 1.0, -1.0)[prepared.rows], prepared, geo) for one in apart]
        self.coef_ = np.array([plane.coefficients for plane in planes])
        self.intercept_ = np.array([plane.intercept for plane in planes])
        self.dual_coef_ = np.array([plane.dual for plane in planes])
        self.separable_ = np.array([plane.is_separable for plane in planes])
        results, steps = [plane.result for plane in planes], [plane.steps for plane in planes]
        self.result_: Any = results if len(apart) > 1 else results[0]
        self.n_iter_: Any = np.array(steps) if len(apart) > 1 else steps[0]
        warn_unless_converged((plane.result.result for plane in planes), type(self).__name__)
        if any(plane.result.result == Result.converged and not plane.is_finite for plane in planes):
            warnings.warn(
                f"{type(self).__name__}: a plane touches both classes without errors beside it, so that the loss has "
                "no least value, and no largest margin says where the flow goes; theta is where its gradient is within "
                "tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def decision_function(self, X: Any) -> Float[np.ndarray, "..."]:
        """`Xθ + b` of each class: the largest one, or of two classes the sign, says which.

        Args:
            X: Samples, (samples, d).

        Returns:
            The decisions, (samples,) of two classes, or (samples, classes).
        """
        check_is_fitted(self)
        decisions = validate_data(self, X, dtype=np.float64, reset=False) @ self.coef_.T + self.intercept_
        return decisions[:, 0] if len(self.classes_) == 2 else decisions

    def predict(self, X: Any) -> Any:
        """The classes of samples.

        Args:
            X: Samples, (samples, d).

        Returns:
            The classes, (samples,), each one of `classes_`.
        """
        decisions = self.decision_function(X)
        places = (decisions > 0).astype(int) if decisions.ndim == 1 else np.argmax(decisions, axis=1)
        return self.classes_[places]

    @quiet()
    def _plane(self, z: np.ndarray, prepared: Prepared, geo: AbstractGeometry) -> _Plane:
        """The plane between the classes z = ±1 of the rows that count."""
        X = np.asarray(prepared.problem.X) / prepared.roots[:, None]
        fits(geo, X.shape[1])
        horizon = geo.horizon()
        units = np.asarray(horizon.units(), float)
        options = {"intercept": prepared.has_intercept, "tol": self.tol, "max_steps": self.max_steps}
        found = largest_margin(X / units, z, float(horizon.rho), **options)
        if not found.margin.theta.any():
            return self._likely(X, z, prepared, geo, found)
        theta = found.margin.theta / units / found.margin.margin
        coefficients = prepared.coefficients(theta)
        dual = np.zeros(prepared.samples)
        dual[prepared.rows] = z * found.margin.dual / found.margin.margin / found.margin.margin
        intercept = found.intercept / float(found.margin.margin) - float(coefficients @ prepared.centre)
        result = replaced(found.margin, theta=found.margin.theta / units)
        return _Plane(coefficients, intercept, dual, result, int(found.margin.stats["steps"]), True, True)

    def _likely(self, X: np.ndarray, z: np.ndarray, prepared: Prepared, geo: Any, found: Separating) -> _Plane:
        """The θ of least R among those of maximum likelihood."""
        weights, options = np.square(prepared.roots), {"tol": self.tol, "max_steps": self.max_steps}
        likely = least_loss(X, z, weights, intercept=prepared.has_intercept, **options)
        matched = prepare(X, likely.predictions, sample_weight=weights, intercept=prepared.has_intercept)
        limit = solve_limit(matched.problem, geo, tol=max(self.tol, _LEAST_TOL), throw=False)
        gradient = likely.gradient_at(matched.predict(limit.theta, X), z, weights)
        if limit.result in (
            Result.converged,
            Result.infeasible,
        ):  # θ is in the basis up to rounding, whatever that says
            ended = Result.max_steps if likely.steps >= self.max_steps else Result.stalled
            limit = replaced(limit, result=Result.converged if gradient <= 2 * self.tol else ended)
        limit = replaced(limit, stats={**limit.stats, "stationarity": np.float64(gradient)})
        coefficients = prepared.coefficients(limit.theta)
        intercept = float(matched.intercept(limit.theta)) - float(coefficients @ prepared.centre)
        dual = np.zeros(prepared.samples)
        dual[prepared.rows] = matched.dual(limit.dual)
        steps = int(found.margin.stats["steps"]) + likely.steps
        return _Plane(coefficients, intercept, dual, limit, steps, False, likely.is_finite)
