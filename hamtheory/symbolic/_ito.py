"""What the noise of the gradient does to the mirror coordinates of an algorithm."""

import sympy

from ._parse import THETA, parameters, parse

ETA, GRADIENT = sympy.Symbol("eta", real=True), sympy.Symbol("g", real=True)


def ito_drift(inverse_metric: str | sympy.Expr, step: str | sympy.Expr | None = None) -> sympy.Expr:
    """The drift coefficient κ(θ) of a step in mirror coordinates: `R′(θ⁺) − R′(θ) = −ηg + ½ κ(θ) η²g² + O(η³)`.

    −ηg stays in the row space of X, noise or not, and so does not touch the bias; what is left drifts, of stochastic
    gradients with `½ η κ(θ) E[g²]` per unit of time t = ηk. With `θ⁺ = θ − h ηg + a η²g² + O(η³)` and h = g⁻¹:
    `κ = 2a/h − h′`.

    Args:
        inverse_metric: As in `derive`.
        step: An expression in `theta` > 0, the gradient `g` and the learning rate `eta`; left out: the natural gradient
            step θ − η h(θ) g.

    Returns:
        κ as an expression in `theta` > 0; it is odd in θ.

    Raises:
        ValueError: Where the text cannot be read, or where the step is no first-order step of the metric's flow.

    References:
        For m⊙w, where the noise moves γ instead: [pesme2021implicit].

    ```python
    >>> from hamtheory.symbolic import HAM, ito_drift
    >>> ito_drift(HAM, "(theta - eta*g) * exp(-eta*alpha*g)")
    alpha/(alpha*theta + 1)
    >>> ito_drift(HAM)
    -alpha

    ```
    """
    positive = {symbol: sympy.Symbol(symbol.name, positive=True) for symbol in parameters(parse(inverse_metric))}
    theta = sympy.Symbol("theta", positive=True)
    h = parse(inverse_metric).subs({THETA: theta} | positive)
    if step is None:
        return sympy.simplify(-sympy.diff(h, theta))
    try:
        moved = parse(step)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("inverse_metric", "step")) from None
    moved = moved.subs({THETA: theta} | positive)
    first, second = (sympy.diff(moved, ETA, order).subs(ETA, 0) for order in (1, 2))
    wrong = sympy.simplify(moved.subs(ETA, 0) - theta), sympy.simplify(first + h * GRADIENT)
    if wrong != (0, 0):
        raise ValueError(f"step must be theta - eta*({h})*g + O(eta^2) for theta > 0; got {parse(step)}")
    return sympy.simplify(second / GRADIENT**2 / h - sympy.diff(h, theta))
