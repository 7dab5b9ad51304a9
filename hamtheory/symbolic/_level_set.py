"""A point on the level set of given invariants, by Newton's method from many starts."""

import itertools
from collections.abc import Sequence

import numpy as np
import sympy
from sympy.polys.rings import PolyElement

from .._array import quiet
from ._curve import Curve
from ._invariants import Search
from ._polynomials import expression_of, symbols_of

_STARTS = 60
_HIGHEST = 10_000  # power in an invariant
_CLOSE = 1e-12  # of the sum of the terms' sizes: then the equations hold
_ALIKE = 1e-6  # relative: then two branches have the same metric
_COEFFICIENTS = 6  # of θ(τ), by which branches are told from each other
_CRITICAL = 1e-7  # of the size of ∇G where the variables have that of the invariants: below, it counts as zero
_NOTHING = 1e-25  # of the largest variable: what Newton's method leaves of a zero
_FLOOR = 1e-10  # of the size of an equation, by which its error is measured where its terms vanish


def start_on(output: PolyElement, search: Search, values: Sequence[float]) -> list[float]:
    """A point w with I(w) = `values` and G(w) = 0; if there is none, with another G(w).

    Raises:
        ValueError: Where no point was found, where θ = 0 is a critical point there, and where the level set has
            branches with different metrics.
    """
    if any(abs(power) > _HIGHEST for invariant in search.found for power in invariant.logs):
        raise ValueError(
            f"powers of more than {_HIGHEST} in an invariant leave no level set; geometry_at takes a start"
        )
    equations = _Equations(output, search)
    size = equations.size(values)
    text = expression_of(output)
    says = ", ".join(f"c{i} = {value:.6g}" for i, value in enumerate(values, 1))
    says = f"the level set {says} of {text}" if says else f"the line of the variable of {text}"

    def regular(theta):
        target = np.array([*values, theta * equations.theta_size(size)])
        found = equations.solutions(target, size)
        return [w for w in found if not equations.is_critical(w, size)], len(found)

    through_zero, found = regular(0.0)
    sides = [through_zero] if through_zero else [side for theta in (1.0, -1.0) if (side := regular(theta)[0])]
    if not through_zero and found and len(sides) != 1:
        raise ValueError(
            f"{says} is singular: at theta = 0 the gradient is zero, and no flow passes; geometry_at takes a start, "
            "which says on what side of it"
        )
    if not sides:
        raise ValueError(
            f"no point of {says} was found from {_STARTS} starts: it is empty, or far from all of them; geometry_at "
            "takes a start"
        )
    if len(sides) > 1 or not _are_alike(output, sides[0]):
        raise ValueError(
            f"{says} has branches with different metrics: geometry_at takes a start, which says on what branch"
        )
    point = sides[0][0]
    return [float(x) if abs(x) > _NOTHING * np.max(np.abs(point)) else 0.0 for x in point]


class _Equations:
    """The invariants and G as functions with derivatives."""

    def __init__(self, output: PolyElement, search: Search):
        self.variables = symbols_of(output.ring)
        self.forms = [*(invariant.expression() for invariant in search.found), expression_of(output)]
        slopes = [[sympy.diff(form, w) for w in self.variables] for form in self.forms]
        self._values = sympy.lambdify(self.variables, self.forms, modules="numpy")
        self._slopes = sympy.lambdify(self.variables, slopes, modules="numpy")
        sizes = [sympy.Add(*(abs(term) for term in sympy.Add.make_args(sympy.expand(form)))) for form in self.forms]
        self._sizes = sympy.lambdify(self.variables, sizes, modules="numpy")
        self._gradient_sizes = sympy.lambdify(
            self.variables,
            [sympy.Add(*(abs(t) for t in sympy.Add.make_args(sympy.expand(s)))) for s in slopes[-1]],
            modules="numpy",
        )
        degrees = [invariant.degree for invariant in search.found]
        self._powers = [*degrees, _common({sum(powers) for powers in output.monoms()})]

    def size(self, values) -> float:
        """That of the variables, as the invariants show it."""
        powers = zip(values, self._powers, strict=False)
        sizes = [abs(value) ** (1 / power) for value, power in powers if value and power]
        return max(sizes, default=1.0)

    def theta_size(self, size) -> float:
        return size ** self._powers[-1] if self._powers[-1] else 1.0

    def is_critical(self, w, size) -> bool:
        slope = np.array(self._slopes(*w), float)[-1]
        usual = np.array(self._gradient_sizes(*np.full(len(w), size)), float)
        return bool(np.max(np.abs(slope)) <= _CRITICAL * np.max(usual))

    def solutions(self, target, size) -> list[np.ndarray]:
        """Points that solve the equations, of at most one copy each."""
        draw = np.random.default_rng(0)
        found: list[np.ndarray] = []
        for _ in range(_STARTS):
            w = self._newton(target, size, size * draw.normal(size=len(self.variables)) * 10 ** draw.uniform(-1, 1))
            if w is not None and not any(np.max(np.abs(w - v)) <= _ALIKE * np.max(np.abs(v)) for v in found):
                found.append(w)
        return found

    def _newton(self, target, size, w):
        """From w on, by damped steps of least length; None where the equations do not come to hold."""
        with np.errstate(all="ignore"):
            least = np.maximum(_FLOOR * size ** np.array(self._powers), np.abs(target))
            units = np.maximum(np.array(self._sizes(*w), float), least)
            if not np.all(np.isfinite(units) & (units > 0)):
                return None
            error = (np.array(self._values(*w), float) - target) / units
            for _ in range(80):
                slopes = np.array(self._slopes(*w), float) / units[:, None]
                if not np.isfinite(slopes).all():
                    return None
                step = np.linalg.lstsq(slopes, -error, rcond=1e-14)[0]
                for part in (1.0, 0.5, 0.25, 0.1, 0.03, 0.01, 1e-3):
                    fresh = w + part * step
                    miss = (np.array(self._values(*fresh), float) - target) / units
                    if np.linalg.norm(miss) < (1 - 0.1 * part) * np.linalg.norm(error):
                        break
                else:
                    break
                w, error = fresh, miss
                units_now = np.maximum(np.array(self._sizes(*w), float), least)
                error, units = error * units / units_now, units_now
            return w if np.all(np.abs(error) <= _CLOSE) else None


def _common(degrees: set[int]) -> int:
    """The degree of all terms; 0 if they differ."""
    return degrees.pop() if len(degrees) == 1 else 0


@quiet()
def _are_alike(output, points) -> bool:
    """Whether θ(τ) is the same function from all of them."""
    series = [Curve(output, w).expansion(_COEFFICIENTS) for w in points[:16]]
    return all(
        np.all(np.abs(a - b) <= _ALIKE * np.maximum.accumulate(np.abs(a) + np.abs(b)))
        for a, b in itertools.combinations(series, 2)
    )
