"""Limits: where a flow ends, computed directly, and the two ends of the interpolation."""

from ._basis_pursuit import basis_pursuit
from ._solve import LimitResult, min_norm, solve_limit

__all__ = ["LimitResult", "basis_pursuit", "min_norm", "solve_limit"]
