"""Flows: integration in primal, dual and product coordinates."""

from ._integrate import FlowResult
from ._solve import ProductFlowResult, product_flow, solve_flow
from ._solvers import SOLVERS, stiffness

__all__ = ["SOLVERS", "FlowResult", "ProductFlowResult", "product_flow", "solve_flow", "stiffness"]
