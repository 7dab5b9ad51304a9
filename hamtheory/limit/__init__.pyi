"""Limits: where a flow ends, computed directly, and the two ends of the interpolation."""

from ._basis_pursuit import (
    BasisPursuit as BasisPursuit,
    basis_pursuit as basis_pursuit,
    certify_basis_pursuit as certify_basis_pursuit,
)
from ._exact import ExactThreshold as ExactThreshold, exact_threshold as exact_threshold
from ._many import solve_limits as solve_limits
from ._margin import margin_path as margin_path, solve_margin as solve_margin
from ._margins import solve_margins as solve_margins
from ._paths import limit_path as limit_path, regularization_path as regularization_path
from ._result import (
    LimitPath as LimitPath,
    LimitResult as LimitResult,
    MarginResult as MarginResult,
    RegularizationPath as RegularizationPath,
)
from ._solve import min_norm as min_norm, solve_limit as solve_limit
