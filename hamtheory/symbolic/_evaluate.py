"""SymPy expressions as JAX arrays, on request with a bound on what rounding did to them."""

import functools

import jax
import jax.numpy as jnp
import sympy
from sympy.codegen.cfunctions import expm1, log1p

_FUNCTIONS = {
    sympy.exp: jnp.exp,
    sympy.log: jnp.log,
    log1p: jnp.log1p,
    expm1: jnp.expm1,
    sympy.sin: jnp.sin,
    sympy.cos: jnp.cos,
    sympy.tan: jnp.tan,
    sympy.sinh: jnp.sinh,
    sympy.cosh: jnp.cosh,
    sympy.tanh: jnp.tanh,
    sympy.sech: lambda x: 1 / jnp.cosh(x),
    sympy.asin: jnp.arcsin,
    sympy.acos: jnp.arccos,
    sympy.atan: jnp.arctan,
    sympy.asinh: jnp.arcsinh,
    sympy.acosh: jnp.arccosh,
    sympy.atanh: jnp.arctanh,
    sympy.erf: jax.scipy.special.erf,
    sympy.erfc: jax.scipy.special.erfc,
    sympy.erfinv: jax.scipy.special.erfinv,
    sympy.Abs: jnp.abs,
    sympy.sign: jnp.sign,
}


def can_evaluate(expression: sympy.Expr) -> bool:
    """Whether `evaluate` knows every function in the expression, and its numbers are real."""
    known = (sympy.Symbol, sympy.Number, sympy.NumberSymbol, sympy.Add, sympy.Mul, sympy.Pow, *_FUNCTIONS)
    nodes = sympy.preorder_traversal(expression)
    return all(isinstance(node, known) and node.is_infinite is not True for node in nodes)


def evaluate(expression: sympy.Expr, values: dict[sympy.Symbol, jax.Array]) -> jax.Array:
    """The expression at `values`: arrays of one dtype, broadcast against each other."""
    return jnp.asarray(_walk(_stable(expression), values, None, {})[0])  # a constant is a Python number until here


def evaluate_with_bound(expression, values) -> tuple[jax.Array, jax.Array]:
    """Besides the value, a first-order bound on its absolute rounding error, `values` being exact.

    Every operation rounds, and passes on the errors of its operands times its derivatives (running error analysis):
    where terms cancel, the bound stays as large as the terms were.
    """
    unit = float(jnp.finfo(jnp.result_type(*values.values())).eps) / 2
    return _walk(_stable(expression), values, unit, {})


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


def _walk(node, values, unit, memo):
    """(value, bound), the bound being None where `unit`, the unit of rounding, is."""
    if node not in memo:
        memo[node] = _operation(node, values, unit, lambda child: _walk(child, values, unit, memo))
    return memo[node]


def _operation(node, values, unit, walk):
    if node in values:
        return values[node], None if unit is None else jnp.zeros_like(values[node])
    if node.is_number:
        return float(node), None if unit is None else unit * abs(float(node))
    if isinstance(node, sympy.Add):
        terms, errors = zip(*map(walk, node.args), strict=True)
        return sum(terms), unit and sum(errors) + unit * sum(map(abs, terms))
    if isinstance(node, sympy.Mul):
        factors, errors = zip(*map(walk, node.args), strict=True)
        value = functools.reduce(lambda a, b: a * b, factors)
        relative = unit and sum(e / abs(f) for e, f in zip(errors, factors, strict=True)) + unit * len(factors)
        return value, unit and abs(value) * relative
    if isinstance(node, sympy.Pow) and (legs := _hypotenuse(node)):
        (u, eu), (v, ev) = map(walk, legs)
        value = jnp.hypot(u, v)
        return value, unit and (abs(u) * eu + abs(v) * ev) / value + 2 * unit * value
    if isinstance(node, sympy.Pow) and node.exp.is_number:
        (base, error), power = walk(node.base), node.exp
        value = base ** int(power) if power.is_Integer else jnp.sqrt(base) ** int(2 * power)
        if not (2 * power).is_Integer:
            value = jnp.power(base, float(power))
        return value, unit and abs(value) * (abs(float(power)) * error / abs(base) + (2 + abs(float(power))) * unit)
    if isinstance(node, sympy.Pow):
        return walk(sympy.exp(node.exp * sympy.log(node.base), evaluate=False))
    argument, error = walk(node.args[0])
    function = _FUNCTIONS[node.func]
    if unit is None:
        return function(argument), None
    value, slope = jax.jvp(function, (argument,), (jnp.ones_like(argument),))
    return value, abs(slope) * error + 2 * unit * abs(value)
