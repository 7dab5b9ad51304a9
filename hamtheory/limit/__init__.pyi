"""Limits: where a flow ends, computed directly, and the two ends of the interpolation."""

from ._basis_pursuit import (
    BasisPursuit as BasisPursuit,
    basis_pursuit as basis_pursuit,
    certify_basis_pursuit as certify_basis_pursuit,
)
from ._batch import solve_limits as solve_limits
from ._paths import limit_path as limit_path, regularization_path as regularization_path
from ._result import LimitPath as LimitPath, LimitResult as LimitResult, RegularizationPath as RegularizationPath
from ._solve import min_norm as min_norm, solve_limit as solve_limit
