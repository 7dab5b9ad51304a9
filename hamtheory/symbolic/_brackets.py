"""Do the fields ∇G_k commute? Which brackets do not, and what that says of a mirror flow."""

import dataclasses
import itertools
from collections.abc import Sequence

from sympy.polys.rings import PolyElement

from ._invariants import points_of, rank
from ._polynomials import at, expression_of, gradient, inner, symbols_of

_ORDERS = 4  # of iterated brackets, which are looked at where those of pairs do not decide
_MOST_FIELDS = 200
_MOST_TERMS = 20_000

Field = tuple[PolyElement, ...]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether the outputs make a mirror flow (None: undecided), why, and the brackets of pairs that are not zero.

    `orbit` is the dimension of what the flows reach from a point in general position, at least.
    """

    is_mirror_flow: bool | None
    reason: str
    brackets: dict[tuple[int, int], Field]
    orbit: int


def bracket(x: Field, y: Field) -> Field:
    """`[X, Y] = (DY) X − (DX) Y`."""
    return tuple(inner(gradient(b), x) - inner(gradient(a), y) for a, b in zip(x, y, strict=True))


def verdict(outputs: Sequence[PolyElement]) -> Verdict:
    """What the brackets of the fields say.

    If all are zero, there is a mirror flow. If there is one, from any start on, every bracket of two or more of the
    fields annihilates every output: where one does not, there is none.
    """
    fields: list[Field] = [gradient(output) for output in outputs]
    point = next(iter(points_of(len(fields[0]), 1)))
    values = lambda some: [[at(part, point) for part in field] for field in some]  # noqa: E731
    independent = rank(values(fields))
    pairs = {
        (i, j): found
        for i, j in itertools.combinations(range(len(fields)), 2)
        if any(found := bracket(fields[i], fields[j]))
    }
    if not pairs and independent < len(fields):
        reason = (
            f"the gradients of the {len(fields)} outputs span {independent} dimensions only: they depend on each "
            "other, and no potential of all of them has a Hessian there"
        )
        return Verdict(False, reason, pairs, independent)
    if not pairs:
        alone = "one field commutes with itself" if len(fields) == 1 else "the gradients of the outputs commute"
        return Verdict(True, alone, pairs, independent)
    for (i, j), found in pairs.items():
        for k, field in enumerate(fields):
            if product := inner(found, field):
                orbit = _orbit(fields, list(pairs.values()), values)
                reason = _refusal(outputs, i, j, found, k, product)
                if orbit == len(fields):
                    reason += (
                        "; from a start they reach no more dimensions than there are outputs, so that theta still "
                        "determines its velocity, in a metric that is no Hessian"
                    )
                return Verdict(False, reason, pairs, orbit)
    return _iterated(outputs, fields, pairs, values)


def _refusal(outputs, i, j, found, k, product):
    names = [str(expression_of(output)) for output in outputs]
    coordinates = ", ".join(str(symbol) for symbol in symbols_of(outputs[0].ring))
    components = ", ".join(str(expression_of(part)) for part in found)
    return (
        f"the gradients of {names[i]} and {names[j]} do not commute: in ({coordinates}) their bracket is "
        f"({components}), and its product with the gradient of {names[k]} is {expression_of(product)}, "
        "so that theta depends on the order of what it is driven by"
    )


def _iterated(outputs, fields, pairs, values):
    """The verdict where all brackets of pairs annihilate the outputs: by those of more fields."""
    known, latest = [*fields, *pairs.values()], list(pairs.values())
    for order in range(3, _ORDERS + 1):
        latest = [found for x in fields for y in latest if any(found := bracket(x, y))]
        if not latest:
            reason = f"the brackets of the gradients annihilate every output, and those of {order} of them are zero"
            return Verdict(True, reason, pairs, rank(values(known)))
        if len(latest) > _MOST_FIELDS or sum(len(part) for field in latest for part in field) > _MOST_TERMS:
            break
        for found, (k, field) in itertools.product(latest, enumerate(fields)):
            if product := inner(found, field):
                reason = (
                    f"the gradients do not commute: a bracket of {order} of them has the product "
                    f"{expression_of(product)} with the gradient of {expression_of(outputs[k])}, so that theta depends "
                    "on the order of what it is driven by"
                )
                return Verdict(False, reason, pairs, rank(values([*known, *latest])))
        known += latest
    reason = (
        f"it is undecided: the gradients do not commute, but all brackets of up to {order} of them annihilate every "
        "output"
    )
    return Verdict(None, reason, pairs, rank(values(known)))


def _orbit(fields, latest, values):
    """The dimension of the span of the fields and of their brackets, as far as it grows."""
    known = [*fields, *latest]
    dimension, whole = rank(values(known)), len(fields[0])
    while dimension < whole and len(fields) * len(latest) <= _MOST_FIELDS:
        latest = [found for x in fields for y in latest if any(found := bracket(x, y))]
        if sum(len(part) for field in latest for part in field) > _MOST_TERMS:
            break
        known += latest
        before, dimension = dimension, rank(values(known))
        if dimension == before:
            break
    return dimension
