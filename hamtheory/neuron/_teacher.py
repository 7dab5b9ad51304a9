"""Students of any width and a teacher of the same kind: losses in closed form, flows, and the signs that can change."""

from typing import Any, NamedTuple, cast

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Real

from .._array import Array, ArrayLike
from .._device import finite, nonnegative, positive, real_array
from .._result import Result, select
from .._types import Parameter
from .._validate import count, tolerance
from ._layers import Layer, Metric, checked, merged, moment

DEAD = 100  # times the absolute tolerance: the largest entry of the input weights of a neuron that is as good as zero


class StudentFlow(eqx.Module):
    """Where flows of students ended; see `Teacher.flow`.

    Attributes:
        a: The output weights there, (..., m).
        w: The input weights there, (..., m, p).
        loss: The loss there, (...).
        time: The time of the end, (...).
        steps: The number of steps, (...).
        result: `converged` where the loss is within tolerance, `stuck` at rest above it, `reached_end` at the last
            time, else why it ended before.
    """

    a: Float[Array, "*batch m"]
    w: Float[Array, "*batch m p"]
    loss: Float[Array, "*batch"]
    time: Float[Array, "*batch"]
    steps: Any
    result: Any


def arc_cosine_kernel(u: Parameter, v: Parameter) -> Float[Array, "..."]:
    """`E σ(u·z)σ(v·z) = |u||v| (sin φ + (π − φ) cos φ)/2π` for z ~ N(0, I), σ the ReLU and φ the angle of u and v.

    *Accuracy.* Some units of rounding, relative, but for vectors nearly opposite, whose angle is known to one.

    Args:
        u: Vectors, (..., p), broadcast against `v`.
        v: Vectors, (..., p), broadcast against `u`.

    Returns:
        Of shape (...). Its derivative with respect to u, `(|v| sin φ u/|u| + (π − φ) v)/2π`, is that of JAX, too, at
        equal, opposite and zero vectors included, where it is `E σ'(u·z) z σ(v·z)` with σ'(0) = 0.

    Raises:
        ValueError: Where an entry is not finite.

    References:
        [cho2009kernel].

    ```python
    >>> import hamtheory as ht
    >>> ht.neuron.arc_cosine_kernel([1.0, 0.0], [[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0]]).round(4).tolist()
    [1.0, 0.3183, 0.0]

    ```
    """
    u, v = finite(real_array(u, "u"), "u"), finite(real_array(v, "v"), "v")
    dtype = jnp.result_type(u, v)
    return _compiled(*jnp.broadcast_arrays(u.astype(dtype), v.astype(dtype)))


class Teacher(eqx.Module):
    """The teacher `Σ_k b_k σ(v_k·z)` of students `Σ_j a_j σ(w_j·z)`, z ~ N(0, I) in p dimensions.

        L(a, w) = ½E(Σ a_j σ(w_j·z) − Σ b_k σ(v_k·z))² = ½(aᵀK(w, w)a − 2aᵀK(w, v)b + bᵀK(v, v)b)
        da_j/dt = −h_a(a_j) ∂L/∂a_j,   dw_jl/dt = −h_w(w_jl) ∂L/∂w_jl

    with the arc-cosine kernel K, and metrics that are applied entry by entry.

    Args:
        b: The output weights, (k,), finite.
        v: The input weights, (k, p), finite.

    Raises:
        ValueError: For other shapes.

    References:
        The setting, [gadhikar2025signin]; the kernel, [cho2009kernel].

    ```python
    >>> import jax
    >>> jax.config.update("jax_enable_x64", True)
    >>> import hamtheory as ht
    >>> teacher = ht.neuron.Teacher([1.0], [[1.0, 0.0]])
    >>> round(float(teacher.loss([0.5, 0.5], [[1.0, 0.0], [1.0, 0.0]])), 6)
    0.0
    >>> teacher.flow(ht.Euclidean(), ht.Euclidean(), [-0.1], [[0.1, 0.9]]).a.round(2).tolist()
    [0.82]

    ```
    """

    b: Float[Array, " k"]
    v: Float[Array, "k p"]

    def __init__(self, b: Parameter, v: Parameter):
        b, v = finite(real_array(b, "b", 1), "b"), finite(real_array(v, "v", 2), "v")
        if b.shape[0] != v.shape[0] or b.shape[0] == 0 or v.shape[1] == 0:
            raise ValueError(f"b and v must have shapes (k,) and (k, p), not empty; got {b.shape} and {v.shape}")
        dtype = jnp.result_type(b, v)
        self.b, self.v = b.astype(dtype), v.astype(dtype)

    def loss(self, a: Parameter, w: Parameter) -> Float[Array, "..."]:
        """The loss L of students.

        Args:
            a: Output weights, (..., m).
            w: Input weights, (..., m, p).

        Returns:
            L, of shape (...).

        Raises:
            ValueError: For other shapes, and where an entry is not finite.
        """
        return _over_batch(_loss, self, *self._students(a, w))

    def gradient(self, a: Parameter, w: Parameter) -> tuple[Float[Array, "*batch m"], Float[Array, "*batch m p"]]:
        """`(∂L/∂a, ∂L/∂w)`, with the derivative of the ReLU at zero taken to be 0.

        Args:
            a: Output weights, (..., m).
            w: Input weights, (..., m, p).

        Returns:
            `∂L/∂a`, (..., m), and `∂L/∂w`, (..., m, p).

        Raises:
            ValueError: As in `loss`.
        """
        return _over_batch(_gradient, self, *self._students(a, w))

    def flow(
        self,
        geometry_a: Layer,
        geometry_w: Layer,
        a0: Parameter,
        w0: Parameter,
        *,
        end_time: float | Real[ArrayLike, ""] = 1e4,
        rtol: float = 1e-6,
        atol: float = 1e-9,
        tol: float = 1e-8,
        rest: float = 1e-8,
        max_steps: int = 20_000,
    ) -> StudentFlow:
        """Integrate students until their loss is `tol`, they are at rest, or until the end.

        Students with more neurons than the teacher approach it slower than exponentially. The kink of the ReLU attracts
        some input weights in finite time: a neuron none of whose input weights exceeds 100 `atol` is dead, and rests.
        Entries whose metric vanishes at zero are integrated in their logarithms.

        Args:
            geometry_a: The geometry of all a_j, with scalar parameters.
            geometry_w: The geometry of all w_jl, with scalar parameters.
            a0: Output weights at the start, (..., m).
            w0: Input weights at the start, (..., m, p).
            end_time: The last time of the flow.
            rtol: The relative tolerance of Tsitouras' method.
            atol: Its absolute tolerance, times h(0).
            tol: The loss that is enough, over that of the zero student.
            rest: The largest rate of change at rest, per unit of h(0).
            max_steps: The budget of steps of each student.

        Returns:
            A `StudentFlow`.

        Raises:
            ValueError: For shapes that do not fit, starts that are not finite, or tolerances out of reach.
        """
        a0, w0 = self._students(a0, w0)
        layers = checked(geometry_a, "geometry_a"), checked(geometry_w, "geometry_w")
        for layer, name in zip(layers, ("geometry_a", "geometry_w"), strict=True):
            if any(jnp.ndim(leaf) for leaf in jax.tree.leaves(layer)):
                raise ValueError(f"{name} must have scalar parameters here; for several flows at once use jax.vmap")
        limits = _Limits(
            positive(end_time, "end_time").astype(a0.dtype),
            jnp.asarray(tolerance(rtol, "rtol", a0.dtype, 10), a0.dtype),
            nonnegative(atol, "atol").astype(a0.dtype),
            jnp.asarray(tolerance(tol, "tol", a0.dtype, 10), a0.dtype),
            nonnegative(rest, "rest").astype(a0.dtype),
        )
        metric_a, metric_w = (merged(layer, a0.dtype) for layer in layers)
        return _flows(self, metric_a, metric_w, a0, w0, limits, count(max_steps, "max_steps"))

    def _students(self, a, w):
        a, w = finite(real_array(a, "a"), "a"), finite(real_array(w, "w"), "w")
        if a.ndim < 1 or w.shape != (*a.shape, self.v.shape[1]):
            raise ValueError(
                f"a and w must have shapes (..., m) and (..., m, {self.v.shape[1]}), with the {self.v.shape[1]} "
                f"dimensions of the teacher; got {a.shape} and {w.shape}"
            )
        return a.astype(self.b.dtype), w.astype(self.b.dtype)


def can_change_sign(geometry_a: Layer, geometry_w: Layer, a0: Parameter, w0: Parameter) -> Bool[Array, "..."]:
    """Which neurons of a ReLU network can change the sign of their output weight, of any width, on any data and loss.

    `I_a(|a_j|) − Σ_l I_w(|w_jl|)` is constant for each neuron j, with `I_h(x) = ∫₀ˣ s/h(s) ds`: σ is positively
    homogeneous, so `a_j ∂L/∂a_j = Σ_l w_jl ∂L/∂w_jl` whatever L is. Where this is positive, or where h_a(0) = 0, a_j
    keeps its sign for ever. A necessary condition; for one neuron with one input, and w > 0, it is also sufficient
    (`Neuron`).

    With one geometry on both layers it is |a| < |w| for one input, and |a| < ‖w‖₂ for gradient descent. In more
    dimensions HAM, whose I(√x) is concave, lets neurons change their sign that gradient descent does not: up to
    |a| < ‖w‖₁ as α → ∞.

    Args:
        geometry_a: The geometry of a_j.
        geometry_w: The geometry of w_jl.
        a0: Output weights at the start, (..., m).
        w0: Input weights at the start, (..., m, p).

    Returns:
        Of shape (..., m), at zero output weight whether it can leave it.

    Raises:
        ValueError: For shapes that do not fit, or entries that are not finite.

    References:
        For gradient descent, [du2018algorithmic]; the general case is our own derivation.

    ```python
    >>> import hamtheory as ht
    >>> a0, w0 = [-1.2], [[0.8, 0.8]]
    >>> for geometry in (ht.Euclidean(), ht.HAM(5.0)):
    ...     print(ht.neuron.can_change_sign(geometry, geometry, a0, w0).tolist())
    [False]
    [True]

    ```
    """
    a0, w0 = finite(real_array(a0, "a0"), "a0"), finite(real_array(w0, "w0"), "w0")
    if a0.ndim < 1 or w0.shape[:-1] != a0.shape:
        raise ValueError(f"a0 and w0 must have shapes (..., m) and (..., m, p); got {a0.shape} and {w0.shape}")
    dtype = jnp.result_type(a0, w0)
    a0, w0 = a0.astype(dtype), w0.astype(dtype)
    layer_a, layer_w = checked(geometry_a, "geometry_a"), checked(geometry_w, "geometry_w")
    leaves_zero = layer_a.inverse_metric(jnp.zeros_like(a0)) > 0
    return leaves_zero & (moment(layer_a, a0) < jnp.sum(moment(layer_w, w0), axis=-1))


class _Limits(NamedTuple):
    end_time: Float[Array, ""]
    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    tol: Float[Array, ""]
    rest: Float[Array, ""]


def _angle(u, v):
    """Sizes and directions of both, sin φ, cos φ and π − φ: from |û − v̂| and |û + v̂|, accurate for any angle."""

    def polar(x):
        largest = jnp.max(jnp.abs(x), axis=-1, keepdims=True)
        scale = jnp.where(largest > 0, largest, 1)
        size = scale * jnp.linalg.norm(jnp.where(largest > 0, x / scale, 1), axis=-1, keepdims=True)
        return jnp.where(largest > 0, size, 0), jnp.where(largest > 0, x / size, 0)

    (size_u, to_u), (size_v, to_v) = polar(u), polar(v)
    apart = jnp.linalg.norm(to_u - to_v, axis=-1, keepdims=True)
    along = jnp.linalg.norm(to_u + to_v, axis=-1, keepdims=True)
    sine, cosine = apart * along / 2, (along - apart) * (along + apart) / 4
    return (size_u, to_u), (size_v, to_v), sine, cosine, 2 * jnp.arctan2(along, apart)


@jax.custom_jvp
def _kernel(u, v):
    (size_u, _), (size_v, _), sine, cosine, rest = _angle(u, v)
    square = jnp.square(rest)  # sin δ − δ cos δ, δ = π − φ, which cancels where vectors are nearly opposite
    series = 0.0
    for coefficient in (-12 / 6227020800, 10 / 39916800, -8 / 362880, 6 / 5040, -4 / 120, 2 / 6):
        series = coefficient + square * series
    shape = jnp.where(rest < 0.4, rest * square * series, sine + rest * cosine)
    return (size_u * size_v * shape / (2 * jnp.pi))[..., 0]


@_kernel.defjvp
def _(primals, tangents):
    (u, v), (du, dv) = primals, tangents
    along_u, along_v = jnp.sum(_slope(u, v) * du, axis=-1), jnp.sum(_slope(v, u) * dv, axis=-1)
    return _kernel(u, v), along_u + along_v


_compiled = jax.jit(_kernel)


def _slope(u, v):
    """The derivative of the kernel with respect to u; 0 at u = 0."""
    (_, to_u), (size_v, _), sine, _, rest = _angle(u, v)
    slope = (size_v * sine * to_u + rest * v) / (2 * jnp.pi)
    return jnp.where(jnp.any(u != 0, axis=-1, keepdims=True), slope, 0)


def _pairs(u, v):
    """All of u, (m, p), with all of v, (k, p)."""
    shape = (u.shape[0], *v.shape)
    return jnp.broadcast_to(u[:, None], shape), jnp.broadcast_to(v[None], shape)


def _loss(teacher, a, w):
    weights, vectors = jnp.concatenate([a, -teacher.b]), jnp.concatenate([w, teacher.v])
    return weights @ _kernel(*_pairs(vectors, vectors)) @ weights / 2


def _gradient(teacher, a, w):
    """∂L/∂a_j is w_j·s_j and ∂L/∂w_j is a_j s_j, both with s_j = E σ'(w_j·z) z (student − teacher)."""
    weights, vectors = jnp.concatenate([a, -teacher.b]), jnp.concatenate([w, teacher.v])
    slopes = jnp.tensordot(_slope(*_pairs(w, vectors)), weights, axes=([1], [0]))
    return jnp.sum(w * slopes, axis=1), a[:, None] * slopes


@eqx.filter_jit
def _over_batch(function, teacher, a, w):
    one = lambda a, w: function(teacher, a, w)  # noqa: E731
    for _ in range(a.ndim - 1):
        one = jax.vmap(one)
    return one(a, w)


@eqx.filter_jit
def _flows(teacher, metric_a: Metric, metric_w: Metric, a0, w0, limits, max_steps):
    one = lambda a0, w0: _flow(teacher, metric_a, metric_w, a0, w0, limits, max_steps)  # noqa: E731
    for _ in range(a0.ndim - 1):
        one = jax.vmap(one)
    return one(a0, w0)


def _flow(teacher, metric_a, metric_w, a0, w0, limits, max_steps):
    """In the logarithms of entries whose metric vanishes at zero, which have the sign of their start for ever."""
    start = jnp.concatenate([a0[:, None], w0], axis=1)  # all in one matrix, (m, 1 + p): a in its first column
    least = jnp.finfo(start.dtype).tiny

    def metric(theta):
        return jnp.concatenate([metric_a.inverse_metric(theta[:, :1]), metric_w.inverse_metric(theta[:, 1:])], axis=1)

    at_zero = metric(jnp.zeros_like(start))
    logarithmic, signs = at_zero == 0, jnp.sign(start)

    def to_theta(state):
        return jnp.where(logarithmic, signs * jnp.exp(jnp.where(logarithmic, state, 0)), state)

    def loss(theta):
        return _loss(teacher, theta[:, 0], theta[:, 1:])

    def slope(theta):
        """The gradient, 0 for neurons that are dead: the ReLU has a kink at w = 0, which attracts some of them."""
        slope_a, slope_w = _gradient(teacher, theta[:, 0], theta[:, 1:])
        alive = jnp.max(jnp.abs(theta[:, 1:]), axis=1, keepdims=True) > DEAD * limits.atol
        return jnp.where(alive, jnp.concatenate([slope_a[:, None], slope_w], axis=1), 0)

    def velocity(t, state, args):
        theta = to_theta(state)
        size = jnp.maximum(jnp.abs(theta), least)
        rate = jnp.where(logarithmic, signs * metric(size) / size, metric(theta))
        return -rate * slope(theta)

    # Next to zero an error is one in mirror coordinates; that of a logarithm is relative.
    atol = jnp.where(logarithmic, limits.rtol, limits.atol * jnp.minimum(at_zero, 1))
    enough = limits.tol * loss(jnp.zeros_like(start))

    def is_at_rest(theta):
        unit = jnp.where(logarithmic, 1, jnp.minimum(at_zero, 1))
        return jnp.all(jnp.abs(metric(theta) * slope(theta)) <= limits.rest * unit)

    def ends(t, y, args, **_):
        theta = to_theta(y)
        return (loss(theta) <= enough) | is_at_rest(theta)

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(velocity),
        diffrax.Tsit5(),
        jnp.zeros_like(limits.end_time),
        limits.end_time,
        None,
        jnp.where(logarithmic, jnp.log(jnp.maximum(jnp.abs(start), least)), start),
        stepsize_controller=diffrax.PIDController(limits.rtol, atol, pcoeff=0.1, icoeff=0.3, norm=_norm),
        event=diffrax.Event(ends),
        max_steps=max_steps,
        adjoint=diffrax.ForwardMode(),
        throw=False,
    )
    end, time = to_theta(cast(Any, solution.ys)[-1]), cast(Any, solution.ts)[-1]
    last = loss(end)
    in_time = (solution.result == diffrax.RESULTS.successful) | (solution.result == diffrax.RESULTS.event_occurred)
    undecided = select(in_time, Result.reached_end, Result.max_steps)
    result = select(last <= enough, Result.converged, select(is_at_rest(end), Result.stuck, undecided))
    return StudentFlow(
        a=end[:, 0],
        w=end[:, 1:],
        loss=last,
        time=time,
        steps=solution.stats["num_steps"],
        result=select(jnp.all(jnp.isfinite(end)), result, Result.nonfinite),
    )


def _norm(scaled):
    """The largest; a step so long that it overflows counts as a large error, so that it is shortened."""
    size = jnp.max(jnp.abs(scaled))
    return jnp.where(jnp.isfinite(size), size, 1e10)
