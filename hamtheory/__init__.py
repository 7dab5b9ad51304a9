"""hamtheory: which interpolator does an optimizer pick, and why?

In the order of the data flow: a problem, a geometry, its flow and its limit, with a certificate.
"""

from . import flow, geometry, limit, metrics, problem, sweeps, symbolic
from ._result import NAMES, Result, codes
from .flow import FlowBatch, FlowResult, ProductFlowResult, product_flow, solve_flow, solve_flows
from .geometry import HAM, DiagonalNetwork, Euclidean, Hypentropy, bregman_divergence
from .limit import (
    BasisPursuit,
    LimitBatch,
    LimitPath,
    LimitResult,
    RegularizationPath,
    basis_pursuit,
    certify_basis_pursuit,
    limit_path,
    min_norm,
    regularization_path,
    solve_limit,
    solve_limits,
)
from .problem import LinearRegression, datasets, sparse_regression
from .sweeps import SweepSpec, sweep
