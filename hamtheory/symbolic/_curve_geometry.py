"""Geometries of factors: of one output by its curve, and of several that share no variable."""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from .._array import Array, namespace, shown, static
from .._types import Parameter, Scalars
from .._validate import finite, is_traced, real_array
from ..geometry import AbstractGeometry, Horizon
from ._curve import Curve
from ._polynomials import expression_of, outputs_of

_NEARLY = 0.9  # of the way to the end of the domain


class CurveGeometry(AbstractGeometry):
    """The geometry of gradient flow on the variables of a polynomial θ = G(w), from a start w₀, by numbers.

    `g⁻¹(θ) = |∇G(w)|²` on the curve `dw/dτ = ∇G(w)` through w₀, on which θ increases, so that it has each θ once, and
    τ is R′(θ). The curve is computed by its Taylor series, to rounding; it ends at critical values of G, or at
    infinity, and θ is within that `domain`. R and R′ are zero at θ = 0 if this is in it, else at G(w₀). Unlike other
    geometries this one need not be even. Weight decay, if there is any, is that of θ, not of the factors.

    For NumPy only, in float64 within.

    Args:
        output: The text of a polynomial.
        **start: w₀, one keyword for each of its variables: a scalar, or an array that broadcasts against θ.

    Attributes:
        output: The text.
        start: w₀ in the order of the variables.

    Raises:
        ValueError: For a text that is no polynomial, for missing or unknown variables, and where ∇G(w₀) = 0. R′ and R
            raise it for θ outside of the domain, where g⁻¹ is NaN.
        TypeError: For arrays of JAX's.

    References:
        [li2022implicit], of whose commuting fields this is the case of one.

    ```python
    >>> from hamtheory import symbolic
    >>> geo = symbolic.CurveGeometry("u**3*w", u=1.0, w=0.0)
    >>> float(geo.inverse_metric(0.0)), [float(end) for end in geo.domain]
    (1.0, [-inf, inf])

    ```
    """

    name: ClassVar[str] = "factors"
    formula: ClassVar[str] = "|grad G|^2"
    output: str = static()
    start: tuple[Float[Array, "..."], ...]

    def __init__(self, output: str, **start: Parameter):
        (polynomial,) = outputs_of(output)
        self.output = str(expression_of(polynomial))
        self.start = values_of(variables_of(self.output), start, f"{self.output} has the variables")
        self._curves()

    @property
    def domain(self) -> tuple[Scalars, Scalars]:
        """Between which θ the factors can bring it: infinite, or critical values of G."""
        return self._ends("domain")

    def mirror_bound(self) -> Scalars:
        return self._ends("range")[1]

    def scales(self, size: Scalars) -> tuple[Scalars, Scalars]:
        theta = np.stack([factor * size for factor in (-1.0, 0.5, 1.0, 2.0)])
        mirror = self._asked("of_theta", "mirror_map", theta)
        if np.isnan(mirror).all(axis=0).any():  # the domain does not go so far
            places, curves = self._curves()
            anchors = np.array([curve.anchor for curve in curves])[places]
            theta = np.clip(theta, *(anchors + _NEARLY * (end - anchors) for end in self.domain))
            mirror = self._asked("of_theta", "mirror_map", theta)
        return np.nanmax(np.abs(mirror), axis=0), np.nanmax(self.inverse_metric(theta), axis=0)

    def inverse_metric(self, theta: Scalars) -> Scalars:
        return self._asked("of_theta", "inverse_metric", theta)

    def mirror_map(self, theta: Scalars) -> Scalars:
        return self._within(theta, self._asked("of_theta", "mirror_map", theta))

    def potential(self, theta: Scalars) -> Scalars:
        return self._within(theta, self._asked("of_theta", "potential", theta))

    def moment(self, theta: Scalars) -> Scalars:
        return self._asked("of_theta", "moment", theta)

    def inverse_mirror_map(self, mu: Scalars) -> Scalars:
        return self._asked("of_tau", "theta", mu)

    def conjugate(self, mu: Scalars) -> Scalars:
        return self._asked("of_tau", "conjugate", mu)

    def passage_time(self, a: Scalars, y: Scalars) -> Scalars:
        raise ValueError(f"{self!r} has no passage times: they are of even geometries with a formula")

    def arguments(self) -> dict[str, Any]:
        return {"output": self.output} | dict(zip(self._variables, self.start, strict=True))

    def __repr__(self) -> str:
        given = "".join(f", {name}={shown(x)}" for name, x in zip(self._variables, self.start, strict=True))
        return f'symbolic.CurveGeometry("{self.output}"{given})'

    @property
    def _variables(self) -> tuple[str, ...]:
        return variables_of(self.output)

    def _curves(self) -> tuple[np.ndarray, list[Curve]]:
        """The number of its curve for each entry of the start, and these curves."""
        kept = vars(self).get("_kept")
        if kept is None:
            values = np.stack(np.broadcast_arrays(*(np.asarray(x, float) for x in self.start)), axis=-1)
            points, places = np.unique(values.reshape(-1, values.shape[-1]), axis=0, return_inverse=True)
            curves = [curve_of(self.output, tuple(map(float, point))) for point in points]
            kept = vars(self)["_kept"] = places.reshape(values.shape[:-1]), curves
        return kept

    def _ends(self, what):
        places, curves = self._curves()
        ends = np.array([getattr(curve, what) for curve in curves])[places]
        return ends[..., 0][()], ends[..., 1][()]

    def _asked(self, how, what, x):
        if namespace(x) is not np:
            raise TypeError(f"{self!r} has no closed form, and is for NumPy; got an array of JAX's")
        places, curves = self._curves()
        x, places = np.broadcast_arrays(x, places)
        found = np.empty(x.shape)
        for place, curve in enumerate(curves):
            mask = places == place
            found[mask] = getattr(curve, how)(what, x[mask].astype(float))
        return found.astype(x.dtype)[()]

    def _within(self, theta, found):
        """What was found, if every θ is within the domain."""
        missing = np.isnan(found) & ~np.isnan(theta)
        if np.any(missing):
            low, high = self.domain
            outside = np.broadcast_to(missing & ~((low < theta) & (theta < high)), np.shape(found))
            if outside.any():
                index = np.unravel_index(np.argmax(outside), outside.shape)
                at = lambda value: float(np.broadcast_to(value, outside.shape)[index])  # noqa: E731
                raise ValueError(
                    f"theta must be within the domain of {self!r}, from {at(low):.6g} to {at(high):.6g}: the factors "
                    f"never bring it to {at(theta):.6g}"
                )
        return found


class SeparableGeometry(AbstractGeometry):
    """A geometry for each coordinate: `g⁻¹(θ)_i = g_i⁻¹(θ_i)`.

    Args:
        parts: The geometries, one an entry of the last axis of θ, d; their parameters are scalars.

    Attributes:
        parts: The same.

    Raises:
        ValueError: For none, for parameters that are no scalars, and for a θ with another last axis.

    ```python
    >>> import hamtheory as ht
    >>> geo = ht.symbolic.SeparableGeometry((ht.Euclidean(), ht.HAM(alpha=2.0)))
    >>> geo.inverse_metric([3.0, 3.0]).tolist()
    [1.0, 7.0]

    ```
    """

    name: ClassVar[str] = "separable"
    formula: ClassVar[str] = "one a coordinate"
    parts: tuple[AbstractGeometry, ...]

    def __init__(self, parts: tuple[AbstractGeometry, ...]):
        parts = tuple(parts)
        if not parts:
            raise ValueError("parts must hold at least one geometry; got none")
        for part in parts:
            if any(np.ndim(value) for value in part.arguments().values()):
                raise ValueError(f"parts must have scalar parameters; got {part!r}")
        self.parts = parts

    def inverse_metric(self, theta: Scalars) -> Scalars:
        return self._each("inverse_metric", theta)

    def mirror_map(self, theta: Scalars) -> Scalars:
        return self._each("mirror_map", theta)

    def inverse_mirror_map(self, mu: Scalars) -> Scalars:
        return self._each("inverse_mirror_map", mu)

    def potential(self, theta: Scalars) -> Scalars:
        return self._each("potential", theta)

    def conjugate(self, mu: Scalars) -> Scalars:
        return self._each("conjugate", mu)

    def moment(self, theta: Scalars) -> Scalars:
        return self._each("moment", theta)

    def scales(self, size: Scalars) -> tuple[Scalars, Scalars]:
        found = [part.scales(size[..., i]) for i, part in enumerate(self.parts)]
        mirrors, metrics = zip(*found, strict=True)
        return namespace(*mirrors).stack(mirrors, axis=-1), namespace(*metrics).stack(metrics, axis=-1)

    def mirror_bound(self) -> Scalars:
        bounds = [part.mirror_bound() for part in self.parts]
        return namespace(*bounds).stack(bounds)

    def horizon(self) -> Horizon:
        kinds = {part.horizon().s for part in self.parts}
        if len(kinds) > 1 or len({repr(part) for part in self.parts}) > 1:
            raise ValueError(f"{self!r} has no horizon that is known: its coordinates differ")
        return self.parts[0].horizon()

    def passage_time(self, a: Scalars, y: Scalars) -> Scalars:
        raise ValueError(f"passage times of {self!r} are those of its parts: ask geo.parts[i]")

    def arguments(self) -> dict[str, Any]:
        return {"parts": self.parts}

    def __repr__(self) -> str:
        return f"symbolic.SeparableGeometry(({', '.join(map(repr, self.parts))},))"

    def _each(self, method, x):
        xp, d = namespace(x), len(self.parts)
        if x.ndim == 0 or x.shape[-1] != d:
            raise ValueError(f"theta must have {d} entries, one for each of the outputs; got shape {x.shape}")
        return xp.stack([getattr(part, method)(x[..., i]) for i, part in enumerate(self.parts)], axis=-1)


def values_of(names: Sequence[str], given: dict[str, Any], whose: str) -> tuple[Scalars, ...]:
    """The values in the order of the names, one for each: finite arrays of float64."""
    missing, unknown = sorted(set(names) - set(given)), sorted(set(given) - set(names))
    if missing or unknown:
        wrong = [f"{', '.join(some)} {what}" for some, what in ((missing, "missing"), (unknown, "unknown")) if some]
        raise ValueError(f"{whose} {', '.join(names) or 'none'}: {'; '.join(wrong)}")
    if any(is_traced(value) for value in given.values()):
        raise TypeError(f"{whose} {', '.join(names)}, of concrete numbers; one is traced by JAX")
    return tuple(np.asarray(finite(real_array(given[name], name), name), float)[()] for name in names)


@functools.lru_cache(maxsize=256)
def variables_of(output: str) -> tuple[str, ...]:
    """The names of a polynomial's variables, in the order of their appearance."""
    return tuple(str(symbol) for symbol in outputs_of(output)[0].ring.symbols)


@functools.lru_cache(maxsize=4096)
def curve_of(output: str, start: tuple[float, ...]) -> Curve:
    """The curve of a polynomial through a point, computed but once."""
    (polynomial,) = outputs_of(output)
    if not any(Curve.slope(polynomial, start)):
        at = ", ".join(f"{name} = {x:.6g}" for name, x in zip(variables_of(output), start, strict=True))
        raise ValueError(f"the gradient of {output} is zero at {at}: its flow does not move, and there is no geometry")
    return Curve(polynomial, start)
