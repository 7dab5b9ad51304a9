"""Does a geometry keep its promises? For authors of new ones."""

from typing import Any

import numpy as np

from .._arguments import entrance
from .._array import Array, in_dtype, is_jax, kept, leaves, mapped, on_device, quiet
from .._types import Parameter
from .._validate import is_traced
from ._base import AbstractGeometry
from ._divergence import divergence_terms

_SOME = np.array([1e-3, 0.3, 1.0, 7.0, 1e3])


def believe(geo: Any) -> None:
    """Refuse a geometry that is a metric and nothing else if that is seen not to be even, or not positive.

    All else is computed from its values at θ ≥ 0, which no residual and no gap can tell from an answer.

    Args:
        geo: A geometry, of which others than those of NumPy are believed.

    Raises:
        ValueError: Naming a θ.

    ```python
    >>> import hamtheory as ht
    >>> ht.geometry.believe(ht.HAM(alpha=2.0))

    ```
    """
    is_default = isinstance(geo, AbstractGeometry) and type(geo).mirror_map is AbstractGeometry.mirror_map
    if is_default and not is_traced(geo):
        kept(geo, "_believed", lambda: check_metric(mapped(np.asarray, geo)) or True)


def refuse_dead_zone(geo: Any, what: str) -> None:
    """Refuse a geometry whose mirror map jumps, for what cannot do with that.

    Args:
        geo: A geometry; anything else passes.
        what: What cannot, in a text.

    Raises:
        ValueError: Naming the geometry.

    ```python
    >>> import hamtheory as ht
    >>> ht.geometry.refuse_dead_zone(ht.HAM(alpha=2.0), "solve_flows")

    ```
    """
    if isinstance(geo, AbstractGeometry) and geo.dead_zone() is not None:
        raise ValueError(
            f"{what} needs a continuous mirror map; {type(geo).__name__} has a dead zone, in which θ is 0 and does not "
            "say where μ is: take ht.solve_limit or ht.solve_flow of a regression in NumPy's arrays, or ht.run"
        )


def check_metric(geo: AbstractGeometry) -> None:
    """The same of any geometry of NumPy's, at a few θ.

    Args:
        geo: The geometry.

    Raises:
        ValueError: Naming θ.
    """
    shape = (-1,) + (1,) * max((np.ndim(leaf) for leaf in leaves(geo)), default=0)
    points = _SOME.reshape(shape)
    with quiet():
        right, left = np.broadcast_arrays(geo.inverse_metric(points), geo.inverse_metric(-points))
    name = f"inverse_metric of {type(geo).__name__}"
    for theta, plus, minus in zip(_SOME, right, left, strict=True):
        if not (np.all(plus > 0) and np.all(minus > 0)):
            raise ValueError(f"{name} must be positive; at theta = ±{theta:g} it is {np.min(plus)}, {np.min(minus)}")
        finite = np.isfinite(plus) | np.isfinite(minus)
        if np.any((np.abs(plus - minus) > 1e-6 * plus) & finite):
            worst = np.unravel_index(np.argmax(np.abs(plus - minus)), plus.shape)
            raise ValueError(
                f"{name} must be even; it is {plus[worst]} at theta = {theta:g} but {minus[worst]} at {-theta:g}; "
                "write abs(theta) where |θ| is meant"
            )


@entrance
def check_geometry(geo: AbstractGeometry, theta: Parameter | None = None, *, rtol: float = 1e-7) -> None:
    """Check that the methods of a geometry belong together, by the identities between them.

    g⁻¹ is even and positive; R′ is odd, its derivative is 1/g⁻¹; (R*)′ inverts it, with derivative g⁻¹; R and R* have
    the right derivatives and satisfy Fenchel's equality `R(θ) + R*(R′(θ)) = θ R′(θ)`; the Bregman divergence is
    `½ (θ − θ₀)² / g⁻¹` to leading order. Derivatives come from automatic differentiation; and NumPy gives
    what JAX does.

    Args:
        geo: Any geometry.
        theta: Where, of any shape that broadcasts against its parameters; left out: ±10^k for k from −6 to 3, and 0.
        rtol: The largest relative error.

    Raises:
        AssertionError: Naming the first identity that fails.

    ```python
    >>> import hamtheory as ht
    >>> class Wrong(ht.Euclidean):
    ...     def potential(self, theta):
    ...         return abs(theta)
    >>> ht.geometry.check_geometry(ht.Euclidean())
    >>> ht.geometry.check_geometry(Wrong())
    Traceback (most recent call last):
    ...
    AssertionError: Wrong: dR/dθ = R′ fails: ...

    ```
    """
    import jax

    if theta is None:
        scale = 10.0 ** np.arange(-6, 4)
        theta = np.concatenate([-scale[::-1], [0.0], scale])
    with jax.enable_x64(True):
        _check(on_device(in_dtype(geo, np.float64)), jax.numpy.asarray(theta, float), rtol)
    if not is_jax(geo):
        _check_engines(in_dtype(geo, np.float64), np.asarray(theta, float), rtol)


def _check(geo: AbstractGeometry, theta: Array, rtol: float) -> None:
    import jax
    import jax.numpy as jnp

    mu = geo.mirror_map(theta)
    derivative = lambda f, x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]  # noqa: E731
    metric = geo.inverse_metric(theta)

    def same(what, got, want, absolute: Any = 0.0):
        error = jnp.max(jnp.abs(got - want) - rtol * jnp.abs(want) - absolute)
        assert bool(error <= 0), f"{type(geo).__name__}: {what} fails: got {got}, want {want} at theta = {theta}"

    same("g⁻¹(−θ) = g⁻¹(θ)", geo.inverse_metric(-theta), metric)
    assert bool(jnp.all(metric > 0)), f"{type(geo).__name__}: the inverse metric must be positive; got {metric}"
    same("R′(−θ) = −R′(θ)", geo.mirror_map(-theta), -mu)
    same("R″ = 1/g⁻¹", derivative(geo.mirror_map, theta) * metric, jnp.ones_like(theta))
    same("(R*)′(R′(θ)) = θ", geo.inverse_mirror_map(mu), theta)
    same("(R*)″ = g⁻¹", derivative(geo.inverse_mirror_map, mu), metric)
    same("dR/dθ = R′", derivative(geo.potential, theta), mu)
    same("dR*/dμ = θ", derivative(geo.conjugate, mu), theta)
    same("R + R* = θR′", geo.potential(theta) + geo.conjugate(mu), theta * mu)
    step = 1e-7 * theta
    leading = jnp.square(step) / 2 / metric
    same("D_R(θ + h, θ) = ½h²/g⁻¹", divergence_terms(geo, theta + step, theta), leading, absolute=1e-6 * leading)


def _check_engines(geo: AbstractGeometry, theta: np.ndarray, rtol: float) -> None:
    """That NumPy and JAX compute the same."""
    import jax

    mu = geo.mirror_map(theta)
    for name in ("inverse_metric", "mirror_map", "inverse_mirror_map", "potential", "conjugate"):
        x = mu if name in ("inverse_mirror_map", "conjugate") else theta
        host = getattr(geo, name)(x)
        with jax.enable_x64(True):
            device = np.asarray(getattr(geo, name)(jax.numpy.asarray(x)))
        same = np.allclose(host, device, rtol=rtol, atol=0, equal_nan=True)
        assert same, f"{type(geo).__name__}: {name} of NumPy is {host}, of JAX {device}, at {x}"
