"""From text, or a SymPy expression, to an inverse metric in the library's own symbols. Nothing is ever evaluated."""

import ast
import keyword
import re
from collections.abc import Callable

import sympy

THETA = sympy.Symbol("theta", real=True)
THETA_0 = sympy.Symbol("theta_0", real=True)
MU = sympy.Symbol("mu", real=True)
_NAMES = "sqrt exp log sin cos tan sinh cosh tanh sech asinh acosh atanh asin acos atan erf erfc Abs"
FUNCTIONS = {name: getattr(sympy, name) for name in _NAMES.split()} | {"abs": sympy.Abs}
_HEADS = tuple(f for f in FUNCTIONS.values() if isinstance(f, type))
_OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
_RESERVED = {"mu": MU, "theta_0": THETA_0}
LONGEST = 1000  # characters: what a person would write


def parse(inverse_metric: str | sympy.Expr) -> sympy.Expr:
    """The inverse metric as an expression in `THETA` (real) and its parameters (real symbols).

    Text is read with Python's grammar: numbers, names, `+ - * / **`, brackets, and the functions in `FUNCTIONS`.
    Decimals become exact fractions.

    Args:
        inverse_metric: Text, or a SymPy expression.

    Returns:
        The expression.

    Raises:
        ValueError: With the place and the reason.
        TypeError: For what is neither text nor an expression.

    ```python
    >>> from hamtheory.symbolic._parse import parse
    >>> parse("1 + 0.5*abs(theta)")
    Abs(theta)/2 + 1

    ```
    """
    if isinstance(inverse_metric, str):
        expression = read(inverse_metric, "inverse_metric", _symbol)
    elif isinstance(inverse_metric, (sympy.Expr, int, float)):
        expression = _adopt(sympy.nsimplify(inverse_metric, rational=True))
    else:
        raise TypeError(f"inverse_metric must be text or a SymPy expression; got {type(inverse_metric).__name__}")
    if expression.has(sympy.I, sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        raise ValueError(f"inverse_metric must be a finite real function of theta; got {expression}")
    return expression


def parameters(expression: sympy.Expr) -> tuple[sympy.Symbol, ...]:
    """The symbols of an inverse metric other than θ, in the order of their names."""
    return tuple(sorted(expression.free_symbols - {THETA}, key=lambda symbol: symbol.name))


def _symbol(name: str) -> sympy.Expr:
    if name in ("theta", "θ"):
        return THETA
    if name == "pi":
        return sympy.pi
    if name in _RESERVED or name in FUNCTIONS:
        raise ValueError(f"inverse_metric: the name {name!r} is taken; choose another one for the parameter")
    return sympy.Symbol(name, real=True)


def read(text: str, argument: str, symbol: Callable[[str], sympy.Expr]) -> sympy.Expr:
    """The expression that a text is in Python's grammar: the argument's name is for complaints."""
    if len(text) > LONGEST:
        raise ValueError(f"{argument} must be at most {LONGEST} characters of text; got {len(text)}")

    def fail(node, reason):
        piece = ast.get_source_segment(source, node) or text
        raise ValueError(f"{argument}: cannot read {piece!r} in {text!r}: {reason}")

    def build(node):
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return sympy.Rational(str(number)) if abs(number) < 1e300 else fail(node, "the number is too large")
            case ast.Name(id=name) if "·" in name:  # in Python's grammar it may be within a name
                return fail(node, "write products with *")
            case ast.Name(id=name):
                return symbol(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -build(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return build(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                operands = build(left), build(right)
                if isinstance(op, ast.Pow) and operands[1].is_number and abs(operands[1]) > 100:
                    raise ValueError(f"{argument}: powers go up to 100; got an exponent of {operands[1]}")
                return _OPERATORS[type(op)](*operands)
            case ast.BinOp(op=ast.BitXor()):
                return fail(node, "write powers with **")
            case ast.Call(func=ast.Name(id=name), args=[argument_node], keywords=[]) if name in FUNCTIONS:
                return FUNCTIONS[name](build(argument_node))
            case ast.Call(func=ast.Name(id=name)):
                known = ", ".join(sorted(FUNCTIONS))
                return fail(node, f"{name} is not one of the functions of one argument that are known: {known}")
        return fail(node, "only numbers, names, + - * / **, brackets and functions of one argument are understood")

    source = text.strip()
    try:
        tree = ast.parse(source, mode="eval")
        return build(tree.body)
    except (SyntaxError, RecursionError, MemoryError) as error:
        words = [word for word in re.findall(r"\w+", text) if keyword.iskeyword(word)]
        why = f"{words[0]!r} is a word of Python's grammar; choose another name" if words else error
        raise ValueError(f"{argument}: {text!r} is not an expression: {why}") from None


def _adopt(expression: sympy.Expr) -> sympy.Expr:
    """A foreign expression with its symbols replaced, by name, and its functions checked."""
    heads = {f.func for f in expression.atoms(sympy.Function)} - set(_HEADS)
    foreign = expression.atoms(sympy.Integral, sympy.Derivative, sympy.Sum)
    if heads or foreign:
        names = sorted(str(head) for head in heads | foreign)
        raise ValueError(f"inverse_metric: {', '.join(names)} is not among the known functions: {', '.join(FUNCTIONS)}")
    return expression.xreplace({symbol: _symbol(symbol.name) for symbol in expression.free_symbols}).doit()
