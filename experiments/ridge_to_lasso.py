"""From ridge to lasso: the limits of the flows under weight decay, against a library's paths."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

import hamtheory as ht

from . import store


@dataclasses.dataclass(frozen=True)
class Config:
    """One random problem with noise; `alphas` of HAM between gradient descent (ridge) and m⊙w (lasso).

    Strengths are those of the penalty's slope at |θ| = `unit`, from `lowest` of the largest |∇f(0)| to all of it, so
    that the paths can be compared.
    """

    n: int = 60
    d: int = 20
    k: int = 5
    noise: float = 1.0
    alphas: tuple[float, ...] = (1.0, 10.0, 100.0, 1e4)
    lowest: float = 1e-4
    points: int = 60
    unit: float = 1.0
    seed: int = 3

    @classmethod
    def smoke(cls) -> "Config":
        return cls(points=12, alphas=(1.0, 100.0))


def weight_decays(geo: ht.geometry.AbstractGeometry, strengths: np.ndarray, unit: float) -> np.ndarray:
    """The β for which the penalty's slope at |θ| = unit is the strength: 2β for m*w, βθ/g⁻¹(θ) for the others."""
    penalty = geo.penalty(1.0, np.float64)
    assert penalty is not None
    return strengths / float(penalty.derivative(np.float64(unit)))


def _library(problem: ht.LinearRegression, strengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lasso's path by coordinate descent, and ridge's by singular values, from scikit-learn."""
    from sklearn.linear_model import Ridge, lasso_path

    X, y = np.asarray(problem.X), np.asarray(problem.y)
    descending: Any = strengths[::-1]  # annotated as text there
    lasso = lasso_path(X, y, alphas=descending, tol=1e-14, max_iter=1_000_000)[1].T[::-1]
    ridge = [Ridge(alpha=problem.n * s, fit_intercept=False, solver="svd").fit(X, y).coef_ for s in strengths]
    return lasso, np.asarray(ridge)


def run(config: Config) -> xr.Dataset:
    """Coefficients along the paths in β, with their certificates, and their differences from the library's."""
    problem = ht.sparse_regression(config.n, config.d, config.k, seed=config.seed, noise=config.noise)
    largest = float(jnp.max(jnp.abs(problem.gradient(jnp.zeros(problem.d)))))
    strengths = largest * np.geomspace(config.lowest, 1.0, config.points)
    cases: dict[str, ht.geometry.AbstractGeometry] = {"GD": ht.Euclidean()}
    cases |= {f"HAM {alpha:g}": ht.HAM(alpha=alpha) for alpha in config.alphas}
    cases |= {"m*w": ht.Hypentropy(gamma=1.0)}
    paths = [
        ht.regularization_path(problem, geo, weight_decays(geo, strengths, config.unit), throw=False)
        for geo in cases.values()
    ]
    lasso, ridge = _library(problem, strengths)
    names = list(cases)
    thetas = np.array([path.thetas for path in paths])
    errors = [np.abs(thetas[0] - ridge).max(), np.abs(thetas[-1] - lasso).max()]
    dims = ("flow", "strength")
    return xr.Dataset(
        {
            "theta": store.variable((*dims, "coefficient"), thetas, "limit under weight decay"),
            "lasso": store.variable(("strength", "coefficient"), lasso, "lasso by coordinate descent (scikit-learn)"),
            "ridge": store.variable(("strength", "coefficient"), ridge, "ridge regression (scikit-learn)"),
            "weight_decay": store.variable(dims, [path.weight_decays for path in paths], "weight decay", "1/time"),
            "stationarity": store.variable(
                dims, [path.stationarity for path in paths], "relative violation of optimality"
            ),
            "relative_gap": store.variable(dims, [path.relative_gap for path in paths], "duality gap over value"),
            "steps": store.variable(dims, [path.steps for path in paths], "factorisations"),
            "library_error": store.variable("end", errors, "largest difference from the library"),
            "truth": store.variable("coefficient", problem.theta_star, "ground truth"),
            "status": store.status(dims, np.array([path.result for path in paths])),
        },
        coords={
            "flow": names,
            "alpha": store.variable("flow", [float(n.split()[1]) if " " in n else np.nan for n in names], "alpha"),
            "strength": store.variable(
                "strength", strengths / largest, "slope of the penalty at the unit, over |∇f(0)|"
            ),
            "end": ["ridge", "lasso"],
        },
    )
