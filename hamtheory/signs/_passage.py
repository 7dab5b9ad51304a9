"""First-passage times in one dimension: when a coordinate that has the wrong sign reaches zero."""

from jaxtyping import Float

from .._arguments import entrance
from .._array import Array, floating, namespace, quiet
from .._types import Parameter
from .._validate import positive
from ..geometry import AbstractGeometry


@entrance
def first_passage_time(geometry: AbstractGeometry, a: Parameter, y: Parameter) -> Float[Array, "..."]:
    """The time at which the flow of `f = (θ − y)²/2` in one dimension, started at θ₀ = −a < 0 < y, reaches zero.

    `T = ∫₀^a ds / (g⁻¹(s) (y + s))`. In closed form, of positive terms, for

        Euclidean     T = ln(1 + a/y)
        HAM           T = ln(1 + (αy − 1) a/(y + a)) / (αy − 1)
        Hypentropy    T = asinh((ρ/γ) a/(a + y) (1 + (a/y) γ/(γ + √(a² + γ²)))) / 2ρ,    ρ = √(y² + γ²)

    HAM's is a/(y + a) at αy = 1, and ~ ln(αa)/(αy) as α → ∞; that of m⊙w ~ ln(2ay/(γ(a + y)))/(2y) as γ → 0. The
    balanced flow of m⊙w, γ = 0, never arrives: T = ∞. Every other geometry is integrated by quadrature of its inverse
    metric, on panels that are refined until they have converged.

    *Accuracy.* Closed forms and quadrature have a few units of rounding; NaN where 10,000 panels are too few, as for a
    metric that oscillates.

    Args:
        geometry: Any geometry. `a` and `y` are broadcast against each other and against its parameters.
        a: The distance from zero at the start, > 0.
        y: The target, > 0.

    Returns:
        The time T, of the common shape and of the dtype of `a` and `y`, in the time of the flow as `solve_flow` has it.
        Far out (HAM beyond α = e²⁸⁴) geometries change the unit of time, and so that of T. The logarithm of the time
        without this change is `ln T − geometry.log_rescaling`.

    Raises:
        ValueError: Where `a` or `y` is not positive and finite.

    References:
        For the flow of HAM, [jacobs2026ham]; for that of m⊙w, [woodworth2020kernel]; the derivation is our own.

    ```python
    >>> import hamtheory as ht
    >>> round(float(ht.signs.first_passage_time(ht.HAM(alpha=50.0), 0.7, 1.0)), 4)
    0.0623
    >>> round(float(ht.signs.first_passage_time(ht.Euclidean(), 0.7, 1.0)), 4)
    0.5306

    ```
    """
    a, y = positive(a, "a"), positive(y, "y")
    a, y = floating(a, geometry), floating(y, geometry)
    xp = namespace(a, y)
    a, y = (xp.asarray(value, xp.result_type(a, y)) for value in (a, y))
    a, y = xp.broadcast_arrays(a, y)
    with quiet():
        return geometry.passage_time(a, y)
