from . import (
    algorithm as algorithm,
    asymptotics as asymptotics,
    cli as cli,
    flow as flow,
    geometry as geometry,
    limit as limit,
    metrics as metrics,
    neuron as neuron,
    optim as optim,
    problem as problem,
    reproduce as reproduce,
    signs as signs,
    sklearn as sklearn,
    sweeps as sweeps,
    symbolic as symbolic,
    theorem as theorem,
    train as train,
)
from ._result import NAMES as NAMES, Result as Result
from .algorithm import (
    GD as GD,
    HYP as HYP,
    Exponentiated as Exponentiated,
    HAMStep as HAMStep,
    LinearizedBregmanStep as LinearizedBregmanStep,
    ProductGD as ProductGD,
    RunResult as RunResult,
    run as run,
    run_many as run_many,
)
from .flow import (
    ClassificationFlow as ClassificationFlow,
    FlowResult as FlowResult,
    ProductFlowResult as ProductFlowResult,
    SteepestFlowResult as SteepestFlowResult,
    StochasticFlowResult as StochasticFlowResult,
    product_flow as product_flow,
    solve_flow as solve_flow,
    solve_flows as solve_flows,
    steepest_flow as steepest_flow,
    stochastic_flow as stochastic_flow,
)
from .geometry import (
    HAM as HAM,
    DiagonalNetwork as DiagonalNetwork,
    Euclidean as Euclidean,
    Hypentropy as Hypentropy,
    LinearizedBregman as LinearizedBregman,
    bregman_divergence as bregman_divergence,
)
from .limit import (
    BasisPursuit as BasisPursuit,
    ExactThreshold as ExactThreshold,
    LimitPath as LimitPath,
    LimitResult as LimitResult,
    MarginResult as MarginResult,
    RegularizationPath as RegularizationPath,
    basis_pursuit as basis_pursuit,
    certify_basis_pursuit as certify_basis_pursuit,
    exact_threshold as exact_threshold,
    limit_path as limit_path,
    margin_path as margin_path,
    min_norm as min_norm,
    regularization_path as regularization_path,
    solve_limit as solve_limit,
    solve_limits as solve_limits,
    solve_margin as solve_margin,
    solve_margins as solve_margins,
)
from .problem import (
    BinaryClassification as BinaryClassification,
    LinearRegression as LinearRegression,
    Prepared as Prepared,
    datasets as datasets,
    gaussian_mixture as gaussian_mixture,
    prepare as prepare,
    read_problem as read_problem,
    sparse_classification as sparse_classification,
    sparse_regression as sparse_regression,
)
from .sweeps import SweepSpec as SweepSpec, sweep as sweep

__version__: str
