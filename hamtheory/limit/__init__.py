"""Limits: where a flow ends, computed directly, and the two ends of the interpolation."""

from ._basis_pursuit import BasisPursuit, basis_pursuit, certify_basis_pursuit
from ._batch import LimitBatch, solve_limits
from ._limit_path import LimitPath, limit_path
from ._regularization_path import RegularizationPath, regularization_path
from ._solve import LimitResult, min_norm, solve_limit

__all__ = [
    "BasisPursuit",
    "LimitBatch",
    "LimitPath",
    "LimitResult",
    "RegularizationPath",
    "basis_pursuit",
    "certify_basis_pursuit",
    "limit_path",
    "min_norm",
    "regularization_path",
    "solve_limit",
    "solve_limits",
]
