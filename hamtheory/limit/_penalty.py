"""What a limit under weight decay minimises besides the loss."""

from .._validate import is_traced
from ..geometry import AbstractGeometry, Penalty


def known_penalty(geo: AbstractGeometry, weight_decay, dtype) -> Penalty:
    """The penalty of a geometry under weight decay, or an error that says where else to go."""
    penalty = geo.penalty(weight_decay, dtype)
    if penalty is None:
        if not is_traced(weight_decay):
            geo.decayed(0.0, float(weight_decay))  # a geometry that knows no weight decay at all says why
        raise ValueError(
            f"weight_decay must be 0 for {type(geo).__name__} in solve_limit: what its limits minimise is known for "
            "Euclidean, Hypentropy and HAM with a scalar parameter; integrate solve_flow(..., weight_decay=...)"
        )
    return penalty
