"""Flows: integration in primal, dual and product coordinates, one at a time or many."""

from ._many import solve_flows as solve_flows
from ._result import (
    ClassificationFlow as ClassificationFlow,
    FlowResult as FlowResult,
    ProductFlowResult as ProductFlowResult,
    SteepestFlowResult as SteepestFlowResult,
)
from ._solve import crossings as crossings, product_flow as product_flow, solve_flow as solve_flow
from ._solvers import SOLVERS as SOLVERS, stiffness as stiffness
from ._steepest import steepest_flow as steepest_flow
from ._stochastic import StochasticFlowResult as StochasticFlowResult, stochastic_flow as stochastic_flow
