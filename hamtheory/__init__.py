"""hamtheory: which interpolator does an optimizer pick, and why?

In the order of the data flow: a problem, a geometry, its flow and its limit, with a certificate.
"""

from . import flow, geometry, limit, metrics, problem, symbolic
from ._result import NAMES, Result, codes
from .flow import FlowResult, ProductFlowResult, product_flow, solve_flow
from .geometry import HAM, Euclidean, Hypentropy, bregman_divergence
from .limit import LimitResult, basis_pursuit, min_norm, solve_limit
from .problem import LinearRegression, datasets, sparse_regression
