"""What an entry of the ledger is: a statement, its derivation, and a check that can fail."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import sympy
from sympy.core.function import AppliedUndef


class Step(NamedTuple):
    """A step of a derivation: what it says, and an expression that must be 0, for all values of its symbols.

    Attributes:
        says: In words.
        zero: The expression.
    """

    says: str
    zero: sympy.Expr


@dataclass(frozen=True, kw_only=True)
class Theorem:
    """An entry of the ledger.

    A statement has *constants*, the numbers in it that could be others: a factor 2, an exponent. `check` and `prove`
    take them by name, and believe in none. A *mutation* gives some of them other values, which makes the statement
    false; then the check fails, and so does the proof, if it depends on them.

    Attributes:
        id: `topic.name`.
        title: In a few words.
        source: The key in references.bib, and the place there; after it, what is our own: "...; the rate: own". "own",
            and what of it comes from elsewhere, for a statement that no source makes.
        statement: In LaTeX, with the constants as they are.
        hypotheses: In words.
        check: Of a random generator and the constants: the error of the statement on a random instance that has the
            hypotheses, in units that make `tolerance` a bound for all instances; of an inequality, by how much it is
            violated.
        tolerance: The bound of the error, for all instances.
        why: What the tolerance is made of.
        violate: The same as `check` on an instance without one of the hypotheses, which then exceeds the tolerance.
        violated: Which of the hypotheses that is.
        mutations: For each, by name, the constants that are others.
        constants: Their values, by name.
        prove: Of the constants: steps that must be zero, all of them symbolically. None: the claim is not symbolic.
        special: The special case that `prove` derives, in words; None: it derives the whole statement.
        published: Where the source says something else that is not true, that statement, in LaTeX; then the mutation
            named "as published" is it.
        correction: What is wrong with what was published, in words.
        is_erratum: Whether that is a constant, or the meaning of a symbol, with which put right the source's claim
            stands; if it isn't, the claim itself is false.

    Raises:
        ValueError: Without a mutation, for one that changes no constant or an unknown one, for a special case without
            a proof, and where `published`, `correction`, the mutation "as published" and `is_erratum` do not go
            together.

    ```python
    >>> import hamtheory as ht
    >>> theorem = ht.theorem.ledger()["mw.lasso"]
    >>> theorem.topic, theorem.error(seed=0) <= theorem.tolerance < theorem.error_without(seed=0)
    ('mw', True)

    ```
    """

    id: str
    title: str
    source: str
    statement: str
    hypotheses: str
    check: Callable[..., float]
    tolerance: float
    why: str
    violate: Callable[..., float]
    violated: str
    mutations: Mapping[str, Mapping[str, Any]]
    constants: Mapping[str, Any] = field(default_factory=dict)
    prove: Callable[..., list[Step]] | None = None
    special: str | None = None
    published: str | None = None
    correction: str | None = None
    is_erratum: bool = False

    def __post_init__(self):
        if not self.mutations:
            raise ValueError(f"mutations of {self.id} must hold one at least: a check that can't fail shows nothing")
        for name, values in self.mutations.items():
            unknown = [key for key in values if key not in self.constants]
            if unknown or not values:
                raise ValueError(f"mutation {name!r} of {self.id} must change some of {', '.join(self.constants)}")
        if self.special is not None and self.prove is None:
            raise ValueError(f"special of {self.id} is the case that its proof is about, and it has none")
        if (self.published is None) != (self.correction is None):
            raise ValueError(f"published and correction of {self.id} go together")
        if self.published is not None and "as published" not in self.mutations:
            raise ValueError(f"{self.id} is not as published: its mutations must hold 'as published'")
        if self.is_erratum and self.published is None:
            raise ValueError(f"is_erratum of {self.id} is about what was published, and nothing is")

    @property
    def topic(self) -> str:
        """The part of `id` before the dot."""
        return self.id.partition(".")[0]

    @property
    def label(self) -> str:
        """How it is known: "proved", "proved in a special case" (`special`) or "checked numerically"."""
        if self.prove is None:
            return "checked numerically"
        return "proved" if self.special is None else "proved in a special case"

    @property
    def as_published(self) -> str:
        """Whether the source says the same.

        "yes"; "in part", where some of the statement is our own, and "own", where all of it is; "erratum" and "false",
        where the source says something else.
        """
        if self.published is not None:
            return "erratum" if self.is_erratum else "false"
        if self.source.startswith("own"):
            return "own"
        return "in part" if re.search(r"\bown\b", self.source) else "yes"

    def error(self, seed: int, mutation: str | None = None) -> float:
        """The error on the instance of a seed, of the statement or of a mutation of it; infinite for NaN.

        Args:
            seed: That of the instance.
            mutation: The name of one; left out: the statement itself.

        Returns:
            The error, in units that `tolerance` bounds.
        """
        return _error(self.check(self._rng(seed), **self.values(mutation)))

    def error_without(self, seed: int) -> float:
        """The error on an instance without one of the hypotheses.

        Args:
            seed: That of the instance.

        Returns:
            The error; infinite for NaN.
        """
        return _error(self.violate(self._rng(seed), **self.constants))

    def steps(self, mutation: str | None = None) -> list[Step]:
        """The steps of the derivation, of the statement or of a mutation of it.

        Args:
            mutation: The name of one; left out: the statement itself.

        Returns:
            The steps; none if the claim is not symbolic.
        """
        return [] if self.prove is None else self.prove(**self.values(mutation))

    def values(self, mutation: str | None = None) -> dict[str, Any]:
        """The constants, of the statement or of a mutation of it.

        Args:
            mutation: The name of one; left out: the statement itself.

        Returns:
            The values, by the names of the constants.
        """
        return dict(self.constants) | dict(self.mutations[mutation] if mutation is not None else {})

    def _rng(self, seed: int) -> np.random.Generator:
        return np.random.default_rng([seed, *self.id.encode()])


def _error(value: Any) -> float:
    value = float(value)
    return float("inf") if np.isnan(value) else value


def is_zero(expression: sympy.Expr) -> bool:
    """Whether SymPy simplifies an expression to 0: by rules alone, never by trying numbers.

    False does not mean that the expression is not 0: none of the rules has shown it.

    Args:
        expression: Any expression of SymPy's.

    Returns:
        True if one of the rules shows it.

    ```python
    >>> import sympy
    >>> import hamtheory as ht
    >>> x = sympy.Symbol("x", real=True)
    >>> ht.theorem.is_zero(sympy.cosh(x) ** 2 - sympy.sinh(x) ** 2 - 1), ht.theorem.is_zero(x)
    (True, False)

    ```
    """
    expression = sympy.sympify(expression)
    for attempt in (
        lambda e: e,
        sympy.expand,
        sympy.simplify,
        lambda e: sympy.simplify(sympy.expand(e.rewrite(sympy.exp))),
        lambda e: sympy.simplify(sympy.powsimp(sympy.expand_log(sympy.expand(e), force=False))),
        lambda e: sympy.radsimp(sympy.simplify(e)),
    ):
        if attempt(expression) == 0:
            return True
    return False


def is_refuted(expression: sympy.Expr) -> bool:
    """Whether numbers show that an expression is not 0 for all values of its symbols.

    Every symbol is given a random number that its assumptions allow, every undefined function a random one that is
    positive and convex, and what comes out is more than 1e-12, evaluated to 30 digits, in each of three draws. An
    expression that can't be evaluated is not refuted: that no rule simplifies it shows nothing.

    Args:
        expression: Any expression of SymPy's.

    Returns:
        True if the numbers show it.

    ```python
    >>> import sympy
    >>> import hamtheory as ht
    >>> x = sympy.Symbol("x", positive=True)
    >>> ht.theorem.is_refuted(sympy.log(x**2) - 2 * sympy.log(x)), ht.theorem.is_refuted(sympy.sqrt(x) - x)
    (False, True)

    ```
    """
    rng = np.random.default_rng(0)
    return all(_size(sympy.sympify(expression), rng) > 1e-12 for _ in range(3))


def _size(expression: Any, rng: np.random.Generator) -> float:
    """The absolute value of an expression at random numbers; 0 if it has none."""
    x = sympy.Dummy("x")
    number = lambda: sympy.Rational(int(rng.integers(20, 200)), 100)  # noqa: E731
    for function in sorted({f.func for f in expression.atoms(AppliedUndef)}, key=str):
        a, b, c, d, e = (number() for _ in range(5))
        expression = expression.replace(function, sympy.Lambda(x, a + b * sympy.exp(c * x) + d * sympy.exp(-e * x)))
    values = {}
    for symbol in sorted(expression.free_symbols, key=str):
        value = sympy.Integer(int(rng.integers(2, 6))) if symbol.is_integer else number()
        values[symbol] = value if symbol.is_positive or rng.integers(2) else -value
    found = expression.doit().subs(values).evalf(30)
    return abs(complex(found)) if found.is_number and found.is_finite else 0.0
