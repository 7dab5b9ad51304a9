"""Flows: integration in primal, dual and product coordinates, one at a time or many."""

from ._batch import FlowBatch, solve_flows
from ._integrate import FlowResult
from ._solve import ProductFlowResult, product_flow, solve_flow
from ._solvers import SOLVERS, stiffness

__all__ = [
    "SOLVERS",
    "FlowBatch",
    "FlowResult",
    "ProductFlowResult",
    "product_flow",
    "solve_flow",
    "solve_flows",
    "stiffness",
]
