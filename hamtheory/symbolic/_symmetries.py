"""Changes of the variables that leave the outputs as they are, or turn their signs."""

import itertools
from collections.abc import Sequence

from sympy import QQ, Matrix
from sympy.polys.matrices import DomainMatrix
from sympy.polys.rings import PolyElement

_MOST_PAIRS = 200


def symmetries_of(outputs: Sequence[PolyElement]) -> tuple[str, ...]:
    """Scalings of the variables, changes of sign and exchanges of two, as texts."""
    names = [str(symbol) for symbol in outputs[0].ring.symbols]
    return (*_scalings(outputs, names), *_signs(outputs, names), *_exchanges(outputs, names))


def _scalings(outputs, names):
    """Of all monomials at once: `w_i → λ^a_i w_i` with `Σ a_i powers_i = 0`."""
    rows = sorted({m for output in outputs for m in output.monoms() if any(m)})
    matrix = DomainMatrix.from_Matrix(Matrix([list(row) for row in rows])).convert_to(QQ)
    for vector in matrix.nullspace().to_Matrix().tolist():
        scale = max(x.q for x in vector)
        powers = [int(x * scale) for x in vector]
        moved = [f"{w} → λ{'' if p == 1 else f'^{p}'}·{w}" for w, p in zip(names, powers, strict=True) if p]
        yield ", ".join(moved)


def _signs(outputs, names):
    """Of one variable, or of two."""
    count = len(names)
    turns = [(i,) for i in range(count)] + list(itertools.combinations(range(count), 2))[:_MOST_PAIRS]
    seen: list[set[int]] = []
    for turned in turns:
        effects = [{sum(m[i] for i in turned) % 2 for m in output.monoms()} for output in outputs]
        if any(len(effect) > 1 for effect in effects):
            continue
        if len(turned) == 2 and all({i} in seen for i in turned):  # it follows from those of one
            continue
        seen.append(set(turned))
        yield ", ".join(f"{names[i]} → −{names[i]}" for i in turned) + _effect([effect == {1} for effect in effects])


def _exchanges(outputs, names):
    """Of two variables."""
    pairs = list(itertools.combinations(range(len(names)), 2))[:_MOST_PAIRS]
    for i, j in pairs:
        swapped = [_swapped(output, i, j) for output in outputs]
        if all(new in (old, -old) for new, old in zip(swapped, outputs, strict=True)):
            yield f"{names[i]} ↔ {names[j]}" + _effect([a == -b for a, b in zip(swapped, outputs, strict=True)])


def _swapped(output, i, j):
    def moved(powers):
        powers = list(powers)
        powers[i], powers[j] = powers[j], powers[i]
        return tuple(powers)

    return output.ring.from_dict({moved(powers): c for powers, c in output.terms()})


def _effect(turned):
    """What happens to θ."""
    if not any(turned):
        return ""
    if len(turned) == 1:
        return ": θ → −θ"
    return ": " + ", ".join(f"θ_{k} → −θ_{k}" for k, turns in enumerate(turned, 1) if turns)
