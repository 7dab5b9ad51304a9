"""What follows from many predictions: the best parameter of a family, and where exact recovery begins."""

from typing import Any

import numpy as np

from .._array import Struct
from .._types import Number
from .._validate import nonnegative_number, positive, real_array
from ..geometry import AbstractExponentialGeometry, AbstractGeometry
from ._predict import Prediction, predict
from ._prior import Prior

_PLACES = np.concatenate([-np.geomspace(1e4, 16, 12), np.linspace(-14, 30, 45), np.geomspace(33, 1e4, 24)])
_FINE = 9  # points between the neighbours of the best one
_ROUNDS = 5
_TOL = 1e-6  # of predictions that are compared
_SLACK = 1e-7  # relative: an end of the range that is as good as the best one is the best one


class Best(Struct):
    """The member of a family with the least mean square error, see `best_parameter`.

    Attributes:
        geo: It, or the member at the end of the range.
        bracket: Bounds on its logarithmic parameter, `ln α` or `ln γ`; one of them is infinite if the L2 end or the L1
            end is the best.
        prediction: That of `geo`.
    """

    geo: AbstractExponentialGeometry
    bracket: tuple[float, float]
    prediction: Prediction


def best_parameter(
    family: type[AbstractExponentialGeometry], *, delta: Number, prior: Any, sigma: Number = 0.0
) -> Best:
    """The α, or γ, whose limits have the least mean square error in high dimension.

    The least of a grid over the whole range, and of finer grids between its neighbours. Near it the error is flat.

    Args:
        family: `ht.HAM` or `ht.Hypentropy`.
        delta: As in `predict`.
        prior: As in `predict`.
        sigma: As in `predict`.

    Returns:
        A `Best`.

    Raises:
        TypeError: For another family.
        ValueError: As `predict`.

    References:
        As of `predict`.

    ```python
    >>> import hamtheory as ht
    >>> best = ht.asymptotics.best_parameter(ht.HAM, delta=0.4, prior=([0.0, 1.0], [0.96, 0.04]), sigma=0.2)
    >>> best.geo.log_alpha.round(1).tolist(), best.prediction.mse.round(4).tolist()
    (5.8, 0.0244)

    ```
    """
    if not (isinstance(family, type) and issubclass(family, AbstractExponentialGeometry)):
        raise TypeError(f"family must be ht.HAM or ht.Hypentropy, the class itself; got {family!r}")
    delta, sigma = positive(real_array(delta, "delta", ndim=0), "delta"), nonnegative_number(sigma, "sigma")
    first, second = (float(family.at_log(log).log_sparsity) for log in (0.0, 1.0))
    log_of = lambda place: (place - first - np.log(Prior(prior).size)) / (second - first)  # noqa: E731
    member: Any = lambda place: family.at_log(log_of(place))  # noqa: E731
    errors = lambda places: predict(member(places), delta=delta, prior=prior, sigma=sigma, tol=_TOL).mse  # noqa: E731
    grid = _PLACES
    found = errors(grid)
    at_end = [side for side in (0, -1) if found[side] <= found.min() * (1 + _SLACK)]
    if at_end:
        side = at_end[0]
        geo = member(grid[side])
        outer = (-np.inf, grid[1]) if side == 0 else (grid[-2], np.inf)
    else:
        for _ in range(_ROUNDS):
            i = int(np.clip(np.argmin(found), 1, grid.size - 2))
            grid = np.linspace(grid[i - 1], grid[i + 1], _FINE)
            found = errors(grid)
        geo, outer = member(grid[np.argmin(found)]), (grid[0], grid[-1])
    bracket = sorted(float(log_of(end)) for end in outer)
    return Best(geo, (bracket[0], bracket[1]), predict(geo, delta=delta, prior=prior, sigma=sigma))


def transition(geo: AbstractGeometry, prior: Any, *, level: float = 1e-3) -> float:
    """The δ from which on θ* is recovered from data without noise.

    A finite parameter leaves an error at any δ < 1, for HAM one of α^(−m): recovery is an error √(mse/EΘ²) of at most
    `level`. At the L1 end the error vanishes from a δ on that depends on P(Θ = 0) alone, the phase transition of basis
    pursuit; that of `HAM(log_alpha=1e5)` is within 1e-4 of it.

    Args:
        geo: Any geometry, with scalar parameters.
        prior: As in `predict`.
        level: Positive.

    Returns:
        δ, between 0 and 1, to 1e-6; 1 if there is no recovery below.

    Raises:
        ValueError: As `predict`, and for a level that is not positive.

    References:
        [donoho2009message]: the transition of basis pursuit.

    ```python
    >>> import hamtheory as ht
    >>> round(ht.asymptotics.transition(ht.HAM(log_alpha=1e5), ([0.0, 1.0], [0.9, 0.1])), 3)
    0.329

    ```
    """
    bound = float(positive(real_array(level, "level", ndim=0), "level"))
    size = Prior(prior).size
    low, high = 0.0, 1.0
    while high - low > 1e-6:
        grid = np.linspace(low, high, 18)
        good = np.sqrt(predict(geo, delta=grid[1:-1], prior=prior, tol=_TOL).mse) <= bound * size
        first = int(np.argmax(good)) if good.any() else good.size
        low, high = float(grid[first]), float(grid[first + 1])
    return high
