"""The invariant of a ReLU neuron whose two layers have metrics of their own, derived and verified."""

import dataclasses

import sympy

from ._budget import within_budget
from ._derive import check_even
from ._forms import positive
from ._parse import THETA, parameters, parse

A, W = sympy.Symbol("a", real=True), sympy.Symbol("w", real=True)
_S = sympy.Dummy("s", positive=True)
_T = sympy.Dummy("t", positive=True)
_NEVER = (sympy.nan, sympy.zoo, sympy.oo, sympy.Integral, sympy.Limit, sympy.I)


@dataclasses.dataclass(frozen=True)
class NeuronInvariant:
    """What is constant along the flow of a neuron, as SymPy expressions; made by `neuron_invariant`.

    Attributes:
        expression: The invariant `I_a(|a|) − I_w(|w|)` in the real symbols `a` and `w` and positive parameters.
        moment_a: Its term of a, `I(x) = ∫₀ˣ s/h(s) ds`, in the positive symbol `x`.
        moment_w: Its term of w, likewise.
        rates: Of each quadrant, by the signs of a and w, the derivative of the invariant along the flow of any loss
            L(aw), simplified: 0, all of them.
    """

    expression: sympy.Expr
    moment_a: sympy.Expr
    moment_w: sympy.Expr
    rates: dict[tuple[int, int], sympy.Expr]


X = sympy.Symbol("x", positive=True)


def neuron_invariant(
    inverse_metric_a: str | sympy.Expr, inverse_metric_w: str | sympy.Expr | None = None
) -> NeuronInvariant:
    """The invariant of `da/dt = −h_a(a) ∂L/∂a`, `dw/dt = −h_w(w) ∂L/∂w` for a loss of a ReLU neuron.

    `a σ(wz)` depends on (a, w) by the product aw on each side of w = 0, so that `a ∂L/∂a = w ∂L/∂w`, and

        d/dt (I_a(|a|) − I_w(|w|)) = −a ∂L/∂a + w ∂L/∂w = 0,    I_h(x) = ∫₀ˣ s/h(s) ds.

    SymPy finds the integrals, within a bounded amount of work; their derivatives are compared with s/h(s), and the
    derivative of the invariant along the flow is formed in every quadrant, for L(aw) of both sides with functions that
    are left open, and simplified to zero, before anything is returned.

    Parameters of the same name are the same in both metrics; none is called a, w or x.

    Args:
        inverse_metric_a: That of the layer a, as in `derive`, but for one that vanishes at zero, such as that of
            balanced m⊙w, `"2*Abs(theta)"`, which is admitted.
        inverse_metric_w: That of the layer w, of the same kind; left out: a's.

    Returns:
        A `NeuronInvariant`.

    Raises:
        ValueError: Where a text cannot be read, a name is taken, a metric is not even, or no closed form is found.

    References:
        The setting: [gadhikar2025signin].

    ```python
    >>> from hamtheory.symbolic import HAM, neuron_invariant
    >>> found = neuron_invariant(HAM, "1")
    >>> found.expression
    -w**2/2 + Abs(a)/alpha - log(alpha*Abs(a) + 1)/alpha**2
    >>> set(found.rates.values())
    {0}

    ```
    """
    metrics = [_metric(text) for text in (inverse_metric_a, inverse_metric_w) if text is not None]
    metric_a, metric_w = metrics[0], metrics[-1]
    moment_a, moment_w = _moment(metric_a), _moment(metric_w)
    rates = {(i, j): _rate(metric_a, metric_w, moment_a, moment_w, i, j) for i in (1, -1) for j in (1, -1)}
    if any(rate != 0 for rate in rates.values()):  # pragma: no cover: the moments have been compared already
        raise ValueError(f"the derivative of the invariant of {metric_a} and {metric_w} was not simplified to zero")
    expression = moment_a.subs(X, sympy.Abs(A)) - moment_w.subs(X, sympy.Abs(W))
    return NeuronInvariant(expression, moment_a, moment_w, rates)


def _metric(text):
    """The inverse metric at θ = s > 0, of positive parameters."""
    expression = parse(text)
    taken = sorted({"a", "w", "x"} & {name.name for name in parameters(expression)})
    if taken:
        raise ValueError(
            f"inverse_metric: the name {taken[0]!r} is taken: a and w are the layers and x is their size; choose "
            f"another one for the parameter of {expression}"
        )
    check_even(expression)
    return expression.subs(THETA, _S).xreplace({name: positive(name) for name in parameters(expression)})


def _moment(metric):
    """`∫₀ˣ s/h(s) ds`, compared by its derivative and its value at zero."""
    form = within_budget(lambda: sympy.integrate(sympy.apart(_S / metric, _S), _S))
    if form is None or form.has(*_NEVER):
        form = within_budget(lambda: sympy.integrate(_S / metric, _S))
    if form is not None and not form.has(*_NEVER):
        form = sympy.expand(form - form.subs(_S, 0))
        slope = within_budget(lambda: sympy.simplify(sympy.diff(form, _S) - _S / metric))
        if slope == 0:
            return form.subs(_S, X)
    raise ValueError(
        f"no closed form was found for the integral of s/h(s), h(s) = {metric.subs(_S, sympy.Symbol('s'))}"
    )


def _rate(metric_a, metric_w, moment_a, moment_w, sign_a, sign_w):
    """The derivative along the flow where a and w have these signs: |a| is `s` and |w| is `t` in it."""
    loss = sympy.Function("L_right" if sign_w > 0 else "L_left")
    a, w = sign_a * _S, sign_w * _T
    u = sympy.Dummy("u", real=True)
    slope = sympy.diff(loss(u), u).subs(u, a * w)
    velocity_a, velocity_w = -metric_a * w * slope, -metric_w.subs(_S, _T) * a * slope
    # d|a|/dt = sign(a) da/dt.
    rate = sympy.diff(moment_a.subs(X, _S), _S) * sign_a * velocity_a
    rate -= sympy.diff(moment_w.subs(X, _T), _T) * sign_w * velocity_w
    simple = within_budget(lambda: sympy.simplify(rate))
    return rate if simple is None else simple
