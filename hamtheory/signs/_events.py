"""Sign flips of flows, at their true times."""

import numpy as np
from jaxtyping import Float

from .._array import Array
from .._flips import Flips
from .._validate import count, tolerance
from ..flow import FlowResult, crossings

_REACH = 64  # units of rounding
_FINEST = 3e-11  # every integrator offered then finds the time of a single crossing to 1e-7


class FlipEvents(Flips):
    """The `Flips` of a flow, with the times of the first flips of each entry.

    The other attributes are those of `Flips`.

    Attributes:
        times: Of the first flips of each entry, in order, (most, d), NaN where there are fewer. Their sum over the
            entries up to a time counts the flips until then, if no entry flips more than `most` times.
        arrivals: When the entry had come to zero before each, of a flow that dwells there, and leaves it at `times`;
            None of one that crosses it at once.
    """

    times: Float[Array, "most d"]
    arrivals: Float[Array, "most d"] | None = None


def flip_events(flow_result: FlowResult, *, most: int = 16, rtol: float | None = None) -> FlipEvents:
    """When each entry of a flow changes its sign: how often, first and last, and the times.

    The flow is integrated again, by the same solver, and every step is searched for roots of its dense output, two
    close ones among them. What was saved of the flow has no influence.

    Args:
        flow_result: Of `solve_flow` or `product_flow`, called outside `jit` and `vmap` (for many flows, see
            `solve_flows`).
        most: The flips of an entry whose times are kept; all are counted.
        rtol: The tolerance of the integrator, if that of the flow was looser; left out: 3e-11, or 64 units of rounding.
            With `dt` its steps stay.

    Returns:
        A `FlipEvents`. A balanced entry of m⊙w, |m₀| = |w₀|, never flips.

    Raises:
        TypeError: For anything but a flow's result.
        ValueError: For a result from inside `jit` or `vmap`.

    ```python
    >>> import hamtheory as ht
    >>> flow = ht.solve_flow(ht.LinearRegression([[1.0, 2.0]], [2.0]), ht.HAM(alpha=50.0), [0.1, -0.3])
    >>> events = ht.signs.flip_events(flow)
    >>> events.gross.tolist(), events.sign.tolist(), events.first.round(4).tolist()
    ([0, 1], [1, 1], [nan, 0.0146])

    ```
    """
    if not isinstance(flow_result, FlowResult):
        raise TypeError(
            f"flow_result must be that of ht.solve_flow or ht.product_flow; got {type(flow_result).__name__}"
        )
    if flow_result.how is None:
        raise ValueError(
            "flow_result must come from outside jit and vmap, where it says how to integrate it again; for many flows "
            "at once, use ht.solve_flows(..., flips=True)"
        )
    dtype = flow_result.theta.dtype
    finest = max(_FINEST, _REACH * float(np.finfo(np.dtype(dtype)).eps)) if rtol is None else rtol
    finest, most = tolerance(finest, "rtol", dtype, 16), count(most, "most")
    return FlipEvents(**crossings(flow_result, finest, most))


def flip_times(flow_result: FlowResult) -> Float[Array, " d"]:
    """When each entry of a flow first changes its sign.

    Args:
        flow_result: As in `flip_events`, which also tells how often, and when last.

    Returns:
        The times, (d,), in the time of the flow; NaN for an entry that never does.

    Raises:
        TypeError: As in `flip_events`.
        ValueError: As in `flip_events`.

    ```python
    >>> import hamtheory as ht
    >>> flow = ht.solve_flow(ht.LinearRegression([[1.0]], [1.0]), ht.HAM(alpha=50.0), [-0.7])
    >>> ht.signs.flip_times(flow).round(7).tolist()
    [0.0623039]
    >>> ht.signs.first_passage_time(ht.HAM(alpha=50.0), 0.7, 1.0).round(7).tolist()
    0.0623039

    ```
    """
    return flip_events(flow_result, most=1).first
