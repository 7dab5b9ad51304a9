"""SymPy expressions as arrays of NumPy or JAX, on request with a bound on what rounding did to them."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
from sympy.codegen.cfunctions import expm1, log1p

from .._array import Array, namespace

_FUNCTIONS = {
    sympy.exp: "exp",
    sympy.log: "log",
    log1p: "log1p",
    expm1: "expm1",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tan: "tan",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.tanh: "tanh",
    sympy.sech: "sech",
    sympy.asin: "arcsin",
    sympy.acos: "arccos",
    sympy.atan: "arctan",
    sympy.asinh: "arcsinh",
    sympy.acosh: "arccosh",
    sympy.atanh: "arctanh",
    sympy.erf: "erf",
    sympy.erfc: "erfc",
    sympy.erfinv: "erfinv",
    sympy.Abs: "abs",
    sympy.sign: "sign",
}


def can_evaluate(expression: sympy.Expr) -> bool:
    """Whether `evaluate` knows every function in the expression, and its numbers are real."""
    known = (sympy.Symbol, sympy.Number, sympy.NumberSymbol, sympy.Add, sympy.Mul, sympy.Pow, *_FUNCTIONS)
    nodes = sympy.preorder_traversal(expression)
    return all(isinstance(node, known) and node.is_infinite is not True for node in nodes)


def evaluate(expression: sympy.Expr, values: dict[sympy.Symbol, Array]) -> Array:
    """The expression at `values`: arrays of one dtype and module, broadcast against each other."""
    arrays = tuple(values.values())
    xp = namespace(*arrays)
    found = _compiled(expression, tuple(values), xp)(*arrays)
    return found if hasattr(found, "dtype") else xp.full_like(arrays[0], found)  # of a number


@functools.lru_cache(maxsize=4096)
def _compiled(expression: sympy.Expr, symbols: tuple[sympy.Symbol, ...], xp: Any) -> Callable[..., Array]:
    """The expression as a function of its symbols: a list of operations on numbered values, each made once."""
    places: dict[sympy.Basic, int] = {symbol: i for i, symbol in enumerate(symbols)}
    numbers: list[float] = []
    steps: list[tuple[Callable, tuple[int, ...]]] = []

    def number(value):
        numbers.append(value)
        return -len(numbers)

    def visit(node):
        if node not in places:
            places[node] = number(float(node)) if node.is_number else operate(node)
        return places[node]

    def operate(node):
        function, operands = _operation(node, xp)
        inputs = tuple(map(visit, operands))
        steps.append((function, inputs))
        return len(symbols) + len(steps) - 1

    last = visit(_stable(expression))
    numbers.reverse()

    def call(*values):
        # Numbers are at the end, where negative places count from.
        results = [*values, *[None] * len(steps), *numbers]
        for place, (function, inputs) in enumerate(steps, len(symbols)):
            results[place] = function(*[results[i] for i in inputs])
        return results[last]

    return call


def evaluate_with_bound(expression: sympy.Expr, values: dict[sympy.Symbol, Array]) -> tuple[Array, Array]:
    """Besides the value at `values`, of JAX, a first-order bound on its absolute rounding error, `values` being exact.

    Every operation rounds, and passes on the errors of its operands times its derivatives (running error analysis):
    where terms cancel, the bound stays as large as the terms were.
    """
    import jax
    import jax.numpy as jnp

    dtype = next(iter(values.values())).dtype
    unit = float(jnp.finfo(dtype).eps) / 2
    known = {symbol: (value, jnp.zeros_like(value)) for symbol, value in values.items()}

    def visit(node):
        if node not in known:
            known[node] = bounded(node)
        return known[node]

    def bounded(node):
        if node.is_number:
            value = jnp.asarray(float(node), dtype)
            return value, unit * jnp.abs(value)
        function, operands = _operation(node, jnp)
        operands, errors = zip(*map(visit, operands), strict=True)
        value = function(*operands)
        if node.is_Add:
            return value, sum(errors) + unit * sum(map(jnp.abs, operands))
        rounded = len(operands) + (abs(float(node.exp)) if node.is_Pow and node.exp.is_number else 0)
        bound = (1 + rounded) * unit * jnp.abs(value)
        for i, error in enumerate(errors):
            of_one = lambda x, i=i: function(*operands[:i], x, *operands[i + 1 :])  # noqa: E731
            slope = jax.jvp(of_one, (operands[i],), (jnp.ones_like(operands[i]),))[1]
            bound = bound + jnp.abs(slope) * error
        return value, bound

    return visit(_stable(expression))


def _operation(node: sympy.Expr, xp: Any) -> tuple[Callable, tuple[sympy.Expr, ...]]:
    """The function of a node, and what it is applied to."""
    if isinstance(node, sympy.Add):
        return _add, node.args
    if isinstance(node, sympy.Mul):
        return _multiply, node.args
    if isinstance(node, sympy.Pow) and (legs := _hypotenuse(node)):
        return lambda a, b: xp.hypot(*_alike(xp, a, b)), tuple(legs)
    if isinstance(node, sympy.Pow) and node.exp.is_number:
        power = node.exp
        if power.is_Integer:
            return lambda base: base ** int(power), (node.base,)
        if (2 * power).is_Integer:
            return lambda base: xp.sqrt(base) ** int(2 * power), (node.base,)
        return lambda base: base ** float(power), (node.base,)
    if isinstance(node, sympy.Pow):
        return lambda base, power: base**power, node.args
    return _function_of(node, xp), node.args


def _add(first, *rest):
    for other in rest:
        first = first + other
    return first


def _multiply(first, *rest):
    for other in rest:
        first = first * other
    return first


def _alike(xp, a, b):
    """Numbers of Python's as arrays of the other's dtype."""
    dtype = a.dtype if hasattr(a, "dtype") else b.dtype
    return xp.asarray(a, dtype), xp.asarray(b, dtype)


def _function_of(node: sympy.Expr, xp: Any) -> Callable[[Array], Array]:
    """The function of one argument that a node applies."""
    name = _FUNCTIONS[node.func]
    if name == "sech":
        return lambda x: 1 / xp.cosh(x)
    if name.startswith("erf"):
        return getattr(importlib.import_module("scipy.special" if xp is np else "jax.scipy.special"), name)
    return getattr(xp, name)


@functools.lru_cache(maxsize=4096)
def _stable(expression):
    """With `log(1 + u)` and `c exp(u) - c` as the functions that do not cancel."""
    logarithm = lambda node: isinstance(node, sympy.log) and node.args[0].is_Add and 1 in node.args[0].args  # noqa: E731
    expression = expression.replace(logarithm, lambda node: log1p(node.args[0] - 1))
    return expression.replace(lambda node: node.is_Add, _with_expm1)


def _with_expm1(total):
    terms = list(total.args)
    for term in total.args:
        exponentials = [factor for factor in sympy.Mul.make_args(term) if isinstance(factor, sympy.exp)]
        if len(exponentials) == 1 and -(scale := term / exponentials[0]) in terms:
            terms = [other for other in terms if other not in (term, -scale)] + [scale * expm1(exponentials[0].args[0])]
    return total if len(terms) == len(total.args) else sympy.Add(*terms)


def _hypotenuse(node):
    """The legs u, v of `√(u² + v²)`, else None."""
    if node.exp == sympy.S.Half and isinstance(node.base, sympy.Add) and len(node.base.args) == 2:
        legs = [sympy.sqrt(term) for term in node.base.args]
        radical = any(power.exp.is_Integer is False for leg in legs for power in leg.atoms(sympy.Pow))
        if not radical and not any(leg.has(sympy.I) for leg in legs):
            return legs
    return None
