"""From the text of factors to what their gradient flow conserves, and to the geometry that it has."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy
from sympy.polys.rings import PolyElement

from .._array import leaves
from .._types import Parameter
from ..geometry import AbstractGeometry, DiagonalNetwork, Hypentropy
from ._brackets import verdict
from ._curve_geometry import CurveGeometry, SeparableGeometry, values_of
from ._derive import check_even
from ._elimination import constants, matrix_of, metric_of
from ._geometry import SymbolicGeometry
from ._invariants import MOST_MONOMIALS, Search, find_invariants
from ._level_set import start_on
from ._parse import LONGEST, THETA
from ._polynomials import expression_of, gradient, inner, outputs_of, symbols_of
from ._symmetries import symmetries_of
from ._two_paths import TwoPaths, two_paths

_LANES = 64  # so many level sets are looked at, of arrays of invariants
_SOME = np.array([-30.0, -1.0, -0.01, 0.1, 3.0])
_SAME = 1e-9  # relative: the metric by its formula and by the curve


@dataclasses.dataclass(frozen=True)
class Reparametrization:
    """Factors θ = G(w), what their gradient flow conserves, and whether it is a mirror flow; see `reparametrization`.

    Attributes:
        outputs: G, as SymPy expressions in the variables.
        variables: w, in the order of their appearance.
        invariants: I(w), by their names c1, c2, ...: constant along the gradient flow of every loss of θ, and
            independent of each other.
        symmetries: Changes of the variables that leave θ as it is, or turn its sign, as texts.
        mirror_flow: Whether θ moves in a mirror flow, from every start; None: undecided.
        reason: Why.
        brackets: `[∇G_i, ∇G_j]` of the pairs of outputs, counted from 0, of which it is not zero.
        reach: The dimension of what the flows of all losses reach from a start in general position, at least. Where
            there is no mirror flow, and it is that of θ, then θ still determines its velocity.
        speed: `⟨∇G_i, ∇G_j⟩`, a matrix in the variables: θ moves by `dθ/dt = −speed · ∇f(θ)`.
        notes: What was not found, and what was tried.

    ```python
    >>> from hamtheory import symbolic
    >>> found = symbolic.reparametrization("u*v*w")
    >>> found.invariants
    {'c1': u**2 - v**2, 'c2': u**2 - w**2}
    >>> found.speed
    Matrix([[u**2*v**2 + u**2*w**2 + v**2*w**2]])

    ```
    """

    outputs: tuple[sympy.Expr, ...]
    variables: tuple[sympy.Symbol, ...]
    invariants: dict[str, sympy.Expr]
    symmetries: tuple[str, ...]
    mirror_flow: bool | None
    reason: str
    brackets: dict[tuple[int, int], tuple[sympy.Expr, ...]]
    reach: int
    speed: sympy.MatrixBase
    notes: tuple[str, ...]
    _polynomials: tuple[PolyElement, ...] = dataclasses.field(repr=False)
    _search: Search = dataclasses.field(repr=False)
    _parts: "tuple[Reparametrization, ...]" = dataclasses.field(repr=False)

    @functools.cached_property
    def metric(self) -> sympy.Expr | sympy.MatrixBase | None:
        """g⁻¹ in `theta` and c1, c2, ..., where one radical expresses it; of several outputs a matrix; None: unknown.

        It is sought by elimination within a bounded amount of work, and compared with |∇G|² at points in all
        directions. Where there is no mirror flow there is none.
        """
        if not self.mirror_flow:
            return None
        if len(self.outputs) == 1:
            return metric_of(self._polynomials[0], self._search)
        if self._parts:
            return _joint_metric(self._parts)
        return matrix_of(self._polynomials, self._search)

    def invariants_at(self, **start: Parameter) -> dict[str, Any]:
        """The invariants of a start, by their names.

        Args:
            **start: One keyword for each variable: a scalar, or an array.

        Returns:
            The values.

        Raises:
            ValueError: For missing or unknown variables.

        ```python
        >>> from hamtheory import symbolic
        >>> float(symbolic.reparametrization("m*w").invariants_at(m=2.0, w=1.0)["c1"])
        3.0

        ```
        """
        values = values_of([str(w) for w in self.variables], start, f"{self._text} has the variables")
        with np.errstate(all="ignore"):
            return {
                name: sympy.lambdify(self.variables, form, modules="numpy")(*values) + 0.0
                for name, form in self.invariants.items()
            }

    def geometry(self, **invariants: Parameter) -> AbstractGeometry:
        """The geometry of the flow of θ on a level set of the invariants.

        Of one output it is by a formula, if there is one that is even and positive, and else by numbers, on the curve
        through a point of the level set that Newton's method finds, preferably with θ = 0. Of several outputs that
        share no variable it is one for each coordinate.

        Args:
            **invariants: c1, c2, ..., one keyword for each: a scalar, or, of one output, an array that broadcasts
                against θ.

        Returns:
            A `Hypentropy`, a `DiagonalNetwork` or a `SymbolicGeometry`, for both engines; a `CurveGeometry`, for NumPy;
                of several outputs a `SeparableGeometry`.

        Raises:
            ValueError: Where there is no mirror flow, with the reason; where outputs share variables; for missing or
                unknown invariants, and where too few are known; where the level set seems empty, has branches with
                different metrics, or is singular at θ = 0.

        ```python
        >>> import hamtheory as ht
        >>> ht.symbolic.reparametrization("m*w").geometry(c1=2.0)
        Hypentropy(gamma=1.0)

        ```
        """
        self._check_geometry()
        values = values_of(list(self.invariants), invariants, f"{self._text} has the invariants")
        if len(self.outputs) > 1:
            given = iter(zip(self.invariants, values, strict=True))
            parts = [{name: next(given)[1] for name in part.invariants} for part in self._parts]
            return SeparableGeometry(tuple(p.geometry(**own) for p, own in zip(self._parts, parts, strict=True)))
        missing = len(self.variables) - 1 - len(self.invariants)
        if missing:
            raise ValueError(
                f"{self._text} has {missing} more invariants than were found, so that a level set of these is no "
                f"curve: {self.notes[0]}; geometry_at takes a start"
            )
        return self._on_level_set(values)

    def geometry_at(self, **start: Parameter) -> AbstractGeometry:
        """The geometry of the flow of θ from a start of the variables.

        Args:
            **start: One keyword for each variable: a scalar, or, of one output, an array that broadcasts against θ.

        Returns:
            As `geometry`.

        Raises:
            ValueError: Where there is no mirror flow, with the reason; where outputs share variables; for missing or
                unknown variables, and where the gradient of an output is zero.

        ```python
        >>> import hamtheory as ht
        >>> geo = ht.symbolic.reparametrization("u**2 + v**2").geometry_at(u=1.0, v=2.0)
        >>> float(geo.inverse_metric(3.0)), [float(end) for end in geo.domain]
        (12.0, [0.0, inf])

        ```
        """
        self._check_geometry()
        names = [str(w) for w in self.variables]
        values = dict(zip(names, values_of(names, start, f"{self._text} has the variables"), strict=True))
        if len(self.outputs) > 1:
            own = [{str(w): values[str(w)] for w in part.variables} for part in self._parts]
            return SeparableGeometry(tuple(p.geometry_at(**some) for p, some in zip(self._parts, own, strict=True)))
        numbers = CurveGeometry(self._text, **values)
        found = self._by_formula(tuple(self.invariants_at(**values).values()))
        return found if found is not None and _is_same(found, numbers) else numbers

    def two_paths(self, seed: int = 0) -> TwoPaths:
        """Two ways of driving the outputs, in different orders, that end at one θ: what refutes a mirror flow.

        In a mirror flow θ determines its own velocity, and the sum of what it was driven by.

        Args:
            seed: Of the start, a point in general position.

        Returns:
            A `TwoPaths`.

        Raises:
            ValueError: Where there is a mirror flow, and where no such paths were found from this start.

        ```python
        >>> import hamtheory as ht
        >>> paths = ht.symbolic.reparametrization(["g**2*u", "g**2*v"]).two_paths()
        >>> bool(paths.distance < 1e-9), bool(paths.difference > 1e-3)
        (True, True)

        ```
        """
        if self.mirror_flow or not self.brackets:
            raise ValueError(f"{self._text} has no such paths: {self.reason}")
        return two_paths(self._polynomials, next(iter(self.brackets)), seed)

    @property
    def _text(self) -> str:
        return ", ".join(map(str, self.outputs))

    def _check_geometry(self):
        if not self.mirror_flow:
            raise ValueError(f"no mirror flow, because {self.reason}")
        if len(self.outputs) > 1 and not self._parts:
            raise ValueError(
                f"the outputs {self._text} share variables: their mirror flow has a metric that is a matrix (`metric`, "
                "`speed`), and geometries here have one number a coordinate"
            )
        if len(self.outputs) == 1 and len(self._text) > LONGEST:
            raise ValueError(
                f"outputs must have at most {LONGEST} characters when multiplied out, for a geometry: its curve is "
                f"computed term by term; got {len(self._text)}"
            )

    def _on_level_set(self, values):
        """The geometry of one output at values of all its invariants."""
        lanes = np.stack([x.ravel() for x in np.broadcast_arrays(*values)], axis=-1) if values else np.zeros((1, 0))
        (polynomial,), shape = self._polynomials, np.broadcast_shapes(*(np.shape(x) for x in values))
        points, places = np.unique(lanes, axis=0, return_inverse=True)
        formula = self._by_formula(values)
        looked_at = points if formula is None else points[:_LANES]
        starts = np.array([start_on(polynomial, self._search, [float(x) for x in point]) for point in looked_at])
        if formula is not None:
            pairs = [(self._by_formula(tuple(point)), self._through(start)) for point, start in zip(points, starts)]  # noqa: B905
            if all(own is not None and _is_same(own, numbers) for own, numbers in pairs):
                return formula
            starts = np.array([start_on(polynomial, self._search, [float(x) for x in point]) for point in points])
        return self._through(starts[places.ravel()].T.reshape(len(self.variables), *shape))

    def _through(self, start):
        return CurveGeometry(self._text, **{str(w): x for w, x in zip(self.variables, start, strict=True)})

    def _by_formula(self, values):
        """A geometry of the formula, if there is one that is even and positive at these values; None else."""
        if self.metric is None:
            return None
        given = dict(zip(constants(len(values)), values, strict=True))
        degrees = {sum(powers) for powers in self._polynomials[0].monoms()}
        try:
            if degrees == {2} and (known := _built_in(self.metric, given)) is not None:
                return known
            check_even(self.metric)
            names = {str(c): value for c, value in given.items() if c in self.metric.free_symbols}
            return SymbolicGeometry(self.metric, **names)
        except ValueError:
            return None


def reparametrization(outputs: str | sympy.Expr | Sequence[str | sympy.Expr]) -> Reparametrization:
    """What gradient flow on the variables of θ = G(w) conserves, and whether θ moves in a mirror flow, from a text.

    The flow of a loss f is `dw/dt = −Σ_k ∂f/∂θ_k ∇G_k(w)`, so that `dθ/dt = −⟨∇G_i, ∇G_j⟩ ∇f(θ)`. An invariant has
    `⟨∇I, ∇G_k⟩ = 0` for every output. One output alone always is a mirror flow: on the curve `dw/dτ = ∇G(w)`, where τ
    is R′(θ). Several, with independent gradients, are one from every start if these commute, `[∇G_i, ∇G_j] = 0`. From a
    start w₀ they are one around it if and only if all iterated brackets annihilate the outputs,
    `⟨[∇G_i, ∇G_j], ∇G_k⟩ = 0` and so on, on what the flows reach from w₀: if θ is a function of what it was driven by,
    the order does not count, and if brackets do not move θ, the velocities ⟨∇G_i, ∇G_j⟩ are functions of θ, whose
    fields commute. So there is none from where one of these products is not zero, almost everywhere if it is one of
    polynomials. In between the verdict is left open.

    Invariants are sought by linear algebra on coefficients, in exact arithmetic: polynomials of low degree first; where
    they are too few, products of powers and exponentials.

    Args:
        outputs: The text of a polynomial with rational coefficients, such as `"u**3*w"`, or a SymPy expression; or a
            list of these, one for each entry of θ. Every name is a variable. A single output is that of every
            coordinate, each with variables of its own.

    Returns:
        A `Reparametrization`.

    Raises:
        ValueError: For a text that is empty, constant or no polynomial, with the place and the reason.
        TypeError: For what is neither text nor an expression.

    References:
        Commuting fields and mirror flows: [li2022implicit], Section 4; polynomial invariants by linear algebra:
        [marcotte2023abide]. The condition that is necessary and sufficient is own.

    ```python
    >>> from hamtheory import symbolic
    >>> symbolic.reparametrization("u**3*w").invariants
    {'c1': u**2 - 3*w**2}
    >>> symbolic.reparametrization(["g**2*u", "g**2*v"]).mirror_flow
    False

    ```
    """
    polynomials = outputs_of(outputs)
    return _made(polynomials)


@functools.lru_cache(maxsize=256)
def _made(polynomials: tuple[PolyElement, ...]) -> Reparametrization:
    ring, found = polynomials[0].ring, verdict(polynomials)
    parts = _parts_of(polynomials) if found.is_mirror_flow and len(polynomials) > 1 else ()
    count = len(ring.gens)
    if parts:
        search = Search((), 0, 0)
        forms = [form for part in parts for form in part.invariants.values()]
        notes = tuple(note for part in parts for note in part.notes)
    else:
        search = find_invariants(polynomials, count - found.orbit)
        forms = [invariant.expression() for invariant in search.found]
        notes = _notes(search, count - found.orbit, count)
    fields = [gradient(polynomial) for polynomial in polynomials]
    return Reparametrization(
        outputs=tuple(map(expression_of, polynomials)),
        variables=symbols_of(ring),
        invariants={str(name): form for name, form in zip(constants(len(forms)), forms, strict=True)},
        symmetries=symmetries_of(polynomials),
        mirror_flow=found.is_mirror_flow,
        reason=found.reason,
        brackets={pair: tuple(map(expression_of, field)) for pair, field in found.brackets.items()},
        reach=found.orbit,
        speed=sympy.ImmutableMatrix([[expression_of(inner(a, b)) for b in fields] for a in fields]),
        notes=notes,
        _polynomials=polynomials,
        _search=search,
        _parts=parts,
    )


def _notes(search: Search, wanted: int, count: int) -> tuple[str, ...]:
    if len(search.found) == wanted:
        return ()
    more = f": more than {MOST_MONOMIALS} monomials of {count} variables are not searched" if count > 5 else ""
    return (
        f"{len(search.found)} of up to {wanted} independent invariants were found among polynomials and products of "
        f"powers up to degree {search.degree}, of at most {search.monomials} monomials{more}",
    )


def _parts_of(polynomials):
    """Each output by itself, if no two of them share a variable."""
    names = [str(symbol) for symbol in polynomials[0].ring.symbols]
    used = [{name for m in p.monoms() for name, power in zip(names, m, strict=True) if power} for p in polynomials]
    if sum(map(len, used)) > len(set().union(*used)):
        return ()
    return tuple(_made(outputs_of(expression_of(polynomial))) for polynomial in polynomials)


def _joint_metric(parts):
    """The diagonal matrix of the parts' metrics, in theta_1, theta_2, ... and their invariants counted on."""
    if any(part.metric is None for part in parts):
        return None
    entries, before = [], 0
    for i, part in enumerate(parts, 1):
        own = {sympy.Symbol(f"c{k}", real=True): sympy.Symbol(f"c{k + before}", real=True) for k in range(1, 99)}
        entries.append(part.metric.xreplace({THETA: sympy.Symbol(f"theta_{i}", real=True), **own}))
        before += len(part.invariants)
    return sympy.diag(*entries)


def _built_in(metric: sympy.Expr, given: dict[sympy.Symbol, Any]) -> AbstractGeometry | None:
    """m⊙w's or u² − v²'s, if it is one of these at these values of the invariants; None else.

    Only of a quadratic form, of which weight decay moves the invariants as it does theirs.
    """
    square = sympy.Poly(sympy.expand(metric**2), THETA) if (metric**2).is_polynomial(THETA) else None
    if square is None or square.degree() != 2 or square.coeff_monomial(THETA):
        return None
    steep, rest = square.coeff_monomial(THETA**2), square.coeff_monomial(1)
    at_zero = sympy.lambdify(list(given), rest, modules="numpy")(*given.values())
    if steep == 4:
        return Hypentropy(gamma=np.sqrt(at_zero) / 2)
    if steep == 16:
        return DiagonalNetwork(2, scale=(at_zero / 64) ** 0.25)
    return None


def _is_same(formula: AbstractGeometry, numbers: CurveGeometry) -> bool:
    """Whether the formula is the metric of the curves, at a few θ."""
    theta = _SOME.reshape(-1, *(1,) * max(np.ndim(x) for x in (*leaves(formula), *leaves(numbers))))
    want, got = numbers.inverse_metric(theta), formula.inverse_metric(theta)
    return bool(np.all(np.abs(got - want) <= _SAME * np.abs(want)))
