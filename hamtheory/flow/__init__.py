"""Flows: integration in primal, dual and product coordinates, one at a time or many."""

from ._batch import FlowBatch, solve_flows
from ._integrate import FlowResult
from ._solve import ProductFlowResult, product_flow, solve_flow
from ._solvers import SOLVERS, stiffness
from ._stochastic import StochasticFlowResult, stochastic_flow

__all__ = [
    "SOLVERS",
    "FlowBatch",
    "FlowResult",
    "ProductFlowResult",
    "StochasticFlowResult",
    "product_flow",
    "solve_flow",
    "solve_flows",
    "stiffness",
    "stochastic_flow",
]
