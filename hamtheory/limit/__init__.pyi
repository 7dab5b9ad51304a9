"""Limits: where a flow ends, computed directly, and the two ends of the interpolation."""

from ._basis_pursuit import BasisPursuit as BasisPursuit, basis_pursuit as basis_pursuit, certify_basis_pursuit as certify_basis_pursuit
from ._batch import LimitBatch as LimitBatch, solve_limits as solve_limits
from ._limit_path import LimitPath as LimitPath, limit_path as limit_path
from ._regularization_path import RegularizationPath as RegularizationPath, regularization_path as regularization_path
from ._solve import LimitResult as LimitResult, min_norm as min_norm, solve_limit as solve_limit
