"""What SymPy finds for θ > 0, where |θ| is θ: the raw material of a derivation and of a geometry's numerics."""

import dataclasses

import sympy

X = sympy.Dummy("x", positive=True)  # θ
Y = sympy.Dummy("y", positive=True)  # μ


@dataclasses.dataclass(frozen=True)
class Forms:
    """Closed forms on the positive half line, each None where none was found.

    `metric` is in X and the real symbols `parameters`; the others are in X, or Y, and `positive(parameter)`: they were
    derived, and are to be trusted, for positive parameters only.
    """

    parameters: tuple[sympy.Symbol, ...]
    metric: sympy.Expr  # g⁻¹(x)
    mirror: sympy.Expr | None  # R′(x)
    potential: sympy.Expr | None  # R(x)
    moment: sympy.Expr | None  # ∫₀ˣ s / g⁻¹(s) ds = x R′(x) − R(x) = R*(R′(x))
    inverse: sympy.Expr | None  # (R*)′(y)
    conjugate: sympy.Expr | None  # R*(y)
    bound: sympy.Expr | None  # sup R′, oo if unbounded


def positive(parameter: sympy.Symbol) -> sympy.Symbol:
    """The parameter as SymPy needs to see it to simplify."""
    return sympy.Symbol(parameter.name, positive=True)
