"""One hidden neuron, each of its two layers with a geometry of its own: from which signs does it learn its teacher?"""

from functools import partial
from typing import Any, NamedTuple, cast

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Bool, Float

from .._array import Array
from .._device import finite, nonnegative, real_array
from .._result import Result, select
from .._types import Parameter
from .._validate import count, tolerance
from ._layers import Layer, Metric, checked, merged, moment

NEWTON = 24  # steps to the separatrix; they are four to six where I is nearly a power


class NeuronFlow(eqx.Module):
    """Where flows of a neuron ended, of the common shape of their starts; see `Neuron.flow`.

    Attributes:
        a: a at the end.
        w: w at the end.
        loss: The loss there.
        time: The time of the end.
        crossing_time: When a became positive; NaN if it did not, or was from the beginning.
        recovered: Whether the loss is within tolerance.
        result: `converged` if so, `stuck` where w reached zero or everything came to rest away from the teacher, else
            why it is undecided.
    """

    a: Float[Array, "..."]
    w: Float[Array, "..."]
    loss: Float[Array, "..."]
    time: Float[Array, "..."]
    crossing_time: Float[Array, "..."]
    recovered: Bool[Array, "..."]
    result: Any


class Neuron(eqx.Module):
    """The student `a σ(wz)` of the teacher `σ(z)`, σ the ReLU and z ~ N(0, 1), with a geometry for each layer.

        L(a, w) = ½E(a σ(wz) − σ(z))² = ¼(aw − 1)² for w > 0,  ¼(a²w² + 1) for w ≤ 0
        da/dt = −h_a(a) ∂L/∂a,   dw/dt = −h_w(w) ∂L/∂w

    Where w ≤ 0 its output is orthogonal to the teacher's. At w = 0 the derivative of the ReLU is taken to be 0, as JAX
    and PyTorch have it: the gradient vanishes, and the flow rests there.

    *Invariant.* `I_a(|a|) − I_w(|w|)`, with `I_h(x) = ∫₀ˣ s/h(s) ds`, since `a ∂L/∂a = w ∂L/∂w`. So the teacher is
    learned from

        a > 0, w > 0   always: the invariant's curve meets aw = 1 once, and the flow cannot leave the quadrant before
        a < 0, w > 0   if and only if I_a(|a₀|) < I_w(w₀) and h_a(0) > 0. Both sizes shrink; at I_a(|a₀|) > I_w(w₀) it
                       is w that reaches zero, and at equality both, in infinite time, at a saddle. Where h_a(0) = 0
                       (balanced m⊙w) a reaches zero in infinite time, and does not cross it
        a = 0, w > 0   if and only if h_a(0) > 0
        w ≤ 0          never: w rises at most to zero

    *Corollary.* I is strictly increasing. With one and the same geometry on both layers, h(0) > 0, whichever it is, the
    second case is |a₀| < w₀: gradient descent's. What enlarges it is h_a > h_w.

    Args:
        geometry_a: The geometry of a: any, or `ht.neuron.Balanced()`.
        geometry_w: The geometry of w: any, or `ht.neuron.Balanced()`.

    Raises:
        TypeError: For a layer that is anything else.
        ValueError: Where a parameter is so large (beyond e²⁸⁴) that the geometry has a unit of time of its own. In
            floating point h_a(0) > 0 fails for Hypentropy below γ = e⁻⁷⁰⁸, too.

    References:
        The setting and the four cases, [gadhikar2025signin], [jacobs2026ham]; the derivation of the invariant is our
        own (`ht.symbolic.neuron_invariant`).

    ```python
    >>> import hamtheory as ht
    >>> a0, w0 = [-0.5, -0.5], [0.6, 0.5]
    >>> ht.neuron.Neuron(ht.HAM(5.0), ht.HAM(5.0)).recovers(a0, w0).tolist()
    [True, False]
    >>> ht.neuron.Neuron(ht.HAM(5.0), ht.Euclidean()).recovers(a0, w0).tolist()
    [True, True]

    ```
    """

    geometry_a: Layer
    geometry_w: Layer

    def __init__(self, geometry_a: Layer, geometry_w: Layer):
        self.geometry_a, self.geometry_w = checked(geometry_a, "geometry_a"), checked(geometry_w, "geometry_w")

    def loss(self, a: Parameter, w: Parameter) -> Float[Array, "..."]:
        """L(a, w), elementwise.

        Args:
            a: Any shape that broadcasts against that of `w`.
            w: Any shape that broadcasts against that of `a`.

        Returns:
            The loss, of the common shape and dtype of `a` and `w`.

        Raises:
            ValueError: Where an entry is not finite, or the shapes do not broadcast.
        """
        return _loss(*_pair(a, w))

    def gradient(self, a: Parameter, w: Parameter) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """`(∂L/∂a, ∂L/∂w)`: `½(aw − 1)(w, a)` for w > 0, `½aw(w, a)` for w ≤ 0.

        Args:
            a: Any shape that broadcasts against that of `w`.
            w: Any shape that broadcasts against that of `a`.

        Returns:
            `∂L/∂a` and `∂L/∂w`.

        Raises:
            ValueError: As in `loss`.
        """
        a, w = _pair(a, w)
        return _gradient(a, w, w > 0)

    def invariant(self, a: Parameter, w: Parameter) -> Float[Array, "..."]:
        """`I_a(|a|) − I_w(|w|)`: negative where a can reach zero, positive where w can.

        *Accuracy.* Each of the two terms to some units of rounding, and their difference to those of the larger one.

        Args:
            a: Any shape that broadcasts against that of `w`.
            w: Any shape that broadcasts against that of `a`.

        Returns:
            The invariant, elementwise.

        Raises:
            ValueError: As in `loss`.
        """
        a, w = _pair(a, w)
        return moment(self.geometry_a, a) - moment(self.geometry_w, w)

    def recovers(self, a0: Parameter, w0: Parameter) -> Bool[Array, "..."]:
        """Whether the flow from (a₀, w₀) learns the teacher, by the theorem; elementwise.

        Within rounding of the separatrix `I_a(|a₀|) = I_w(w₀)` either answer may come.

        Args:
            a0: a₀, of any shape that broadcasts against that of `w0`.
            w0: w₀, of any shape that broadcasts against that of `a0`.

        Returns:
            True where it does.

        Raises:
            ValueError: As in `loss`.
        """
        a0, w0 = _pair(a0, w0)
        leaves_zero = self.geometry_a.inverse_metric(jnp.zeros_like(a0)) > 0
        return (w0 > 0) & ((a0 > 0) | (leaves_zero & ((a0 == 0) | (self.invariant(a0, w0) < 0))))

    def critical_size(self, w0: Parameter) -> Float[Array, "..."]:
        """The separatrix: the size |a₀| from which on a negative a₀ cannot be recovered from, given w₀.

        The x with `I_a(x) = I_w(w₀)`; 0 for w₀ ≤ 0 and where h_a(0) = 0, ∞ where I_a is bounded by less. By
        Newton's method in ln x, safeguarded, to some units of rounding times ln x. Elementwise.

        Args:
            w0: w₀, of any shape.

        Returns:
            The size |a₀|, elementwise.

        Raises:
            ValueError: Where an entry is not finite.
        """
        w0 = finite(real_array(w0, "w0"), "w0")
        return _critical_size(self.geometry_a, self.geometry_w, w0)

    def flow(
        self,
        a0: Parameter,
        w0: Parameter,
        *,
        rtol: float = 1e-9,
        atol: float = 1e-12,
        tol: float = 1e-12,
        rest: float = 1e-9,
        max_steps: int = 10_000,
    ) -> NeuronFlow:
        """Integrate the flow from every (a₀, w₀) until it has learned the teacher, w is zero, or all is at rest.

        Parameters of the geometries are scalars (others by `jax.vmap`).

        Args:
            a0: a₀, of any shape that broadcasts against that of `w0`.
            w0: w₀, of any shape that broadcasts against that of `a0`.
            rtol: The relative tolerance of Tsitouras' method.
            atol: Its absolute tolerance, times h(0): to within `atol` in mirror coordinates next to zero.
            tol: The loss at which the teacher is learned.
            rest: |da/dt| and |dw/dt|, per unit of min(h(0), 1) and of 1 + the curvature, below which a flow that does
                not have the signs of the teacher is at rest.
            max_steps: The budget of steps of each flow.

        Returns:
            A `NeuronFlow`. Nothing in it uses the invariant, but for the fact that w does not come back from zero.

        Raises:
            ValueError: For starts that are not finite, tolerances that are not positive or out of the dtype's reach, or
                parameters that are not scalars.

        ```python
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import hamtheory as ht
        >>> end = ht.neuron.Neuron(ht.Euclidean(), ht.Euclidean()).flow([-0.5, -0.6], 0.55)
        >>> end.recovered.tolist(), end.crossing_time.round(3).tolist(), end.w.round(3).tolist()
        ([True, False], [2.826, nan], [1.013, 0.0])

        ```
        """
        a0, w0 = _pair(a0, w0)
        for layer, name in ((self.geometry_a, "geometry_a"), (self.geometry_w, "geometry_w")):
            if any(jnp.ndim(leaf) for leaf in jax.tree.leaves(layer)):
                raise ValueError(f"{name} must have scalar parameters here; for several flows at once use jax.vmap")
        limits = _Limits(
            *(jnp.asarray(tolerance(value, name, a0.dtype, reach), a0.dtype) for value, name, reach in (
                (rtol, "rtol", 10), (tol, "tol", 1e-4),
            )),
            *(nonnegative(value, name).astype(a0.dtype) for value, name in ((atol, "atol"), (rest, "rest"))),
        )  # fmt: skip
        metrics = merged(self.geometry_a, a0.dtype), merged(self.geometry_w, a0.dtype)
        return _flows(*metrics, a0, w0, limits, count(max_steps, "max_steps"))


@eqx.filter_jit
def _critical_size(geometry_a, geometry_w, w0):
    leaves_zero = geometry_a.inverse_metric(jnp.zeros_like(w0)) > 0
    target = jnp.where(w0 > 0, moment(geometry_w, w0), 0)
    limits = jnp.finfo(w0.dtype)
    target, leaves_zero = jnp.broadcast_arrays(target, leaves_zero)
    least, most = (jnp.full_like(target, jnp.log(bound)) for bound in (limits.tiny, limits.max**0.45))
    w0 = jnp.broadcast_to(w0, target.shape)

    def refine(_, state):
        """Newton's step for ln I as a function of ln x, or half of the bracket where it leaves this."""
        x, low, high = state
        value, size = moment(geometry_a, jnp.exp(x)), jnp.exp(x)
        low, high = jnp.where(value < target, x, low), jnp.where(value < target, high, x)
        newton = x + jnp.log(target / value) * (value / size) * (geometry_a.inverse_metric(size) / size)
        kept = jnp.clip(newton, low, high)
        return jnp.where(jnp.abs(newton - kept) <= 1e-9, kept, (low + high) / 2), low, high

    start = jnp.where(w0 > 0, jnp.clip(jnp.log(jnp.where(w0 > 0, w0, 1)), least, most), 0)
    log_size = jax.lax.fori_loop(0, NEWTON, refine, (start, least, most))[0]
    size = jnp.where(moment(geometry_a, jnp.exp(most)) < target, jnp.inf, jnp.exp(log_size))
    return jnp.where((target > 0) & leaves_zero, size, 0)


class _Limits(NamedTuple):
    rtol: Float[Array, ""]
    tol: Float[Array, ""]
    atol: Float[Array, ""]
    rest: Float[Array, ""]


def _pair(a, w):
    """Both as finite arrays of one shape and dtype."""
    a, w = finite(real_array(a, "a"), "a"), finite(real_array(w, "w"), "w")
    dtype = jnp.result_type(a, w)
    try:
        a, w = jnp.broadcast_arrays(a.astype(dtype), w.astype(dtype))
    except ValueError:
        raise ValueError(f"a and w must broadcast against each other; got shapes {a.shape} and {w.shape}") from None
    return a, w


def _loss(a, w):
    return jnp.where(w > 0, jnp.square(a * w - 1), jnp.square(a * w) + 1) / 4


def _gradient(a, w, active):
    """That of the formula for w > 0 where `active`, and of the other one elsewhere."""
    residual = (a * w - jnp.where(active, 1, 0)) / 2
    return residual * w, residual * a


@eqx.filter_jit
def _flows(metric_a: Metric, metric_w: Metric, a0, w0, limits, max_steps):
    one = partial(_one, metric_a, metric_w, limits, max_steps)
    for _ in range(a0.ndim):
        one = jax.vmap(one)
    return one(a0, w0)


def _one(metric_a, metric_w, limits, max_steps, a0, w0):
    """In two parts, each with a smooth field: until a or w is zero if a₀ < 0 < w₀, and on to the end if w is not."""
    active = w0 > 0  # the formula of the side of the start holds to its edge, beyond which the flow does not go

    def metrics(state):
        return jnp.stack([metric_a.inverse_metric(state[0]), metric_w.inverse_metric(state[1])])

    def velocity(t, state, args):
        return -metrics(state) * jnp.stack(_gradient(state[0], state[1], active))

    def is_learned(state):
        return active & (_loss(state[0], state[1]) <= limits.tol)

    def is_at_rest(state):
        right = (state[0] > 0) & (state[1] > 0)  # from there it goes on, however slowly
        curvature = metrics(state) * jnp.square(state[::-1])
        return ~right & jnp.all(jnp.abs(velocity(0.0, state, None)) <= limits.rest * unit * (1 + curvature))

    zero = jnp.zeros_like(a0)
    # A metric that vanishes at zero keeps the sign: there, all of the accuracy is relative.
    unit = jnp.clip(metrics(jnp.stack([zero, zero])), jnp.finfo(zero.dtype).eps ** 2, 1)
    atol = limits.atol * unit
    controller = diffrax.PIDController(limits.rtol, atol, pcoeff=0.1, icoeff=0.3, norm=_error_norm)

    def integrate(start, t0, goes_on, events):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity), diffrax.Tsit5(), t0, jnp.where(goes_on, jnp.inf, t0), None, start,
            stepsize_controller=controller, max_steps=max_steps, adjoint=diffrax.ForwardMode(), throw=False,
            event=diffrax.Event(events, optimistix.Newton(rtol=1e-12, atol=1e-12)),
        )  # fmt: skip
        return cast(Any, solution.ys)[-1], cast(Any, solution.ts)[-1], solution.result

    # Events that are real numbers are found to be zero at a point between two steps, the others at the end of one.
    zeros = [lambda t, y, args, **_: y[0], lambda t, y, args, **_: y[1]]
    wrong = (a0 < 0) & active
    turn, turned, first = integrate(jnp.stack([a0, w0]), zero, wrong, [*zeros, lambda t, y, args, **_: is_at_rest(y)])
    crossed = wrong & (jnp.abs(turn[0]) <= 1e-6 * jnp.abs(turn[1])) & (turn[1] > 0) & ~is_at_rest(turn)
    in_time = (first == diffrax.RESULTS.event_occurred) | (first == diffrax.RESULTS.successful)
    end, time, second = integrate(
        turn, turned, (crossed & in_time) | ~wrong, lambda t, y, args, **_: is_learned(y) | is_at_rest(y)
    )
    loss = _loss(*end)
    recovered = active & (loss <= limits.tol)
    ended = in_time & ((second == diffrax.RESULTS.event_occurred) | (second == diffrax.RESULTS.successful))
    result = select(recovered, Result.converged, select(ended, Result.stuck, Result.max_steps))
    return NeuronFlow(
        a=end[0],
        w=end[1],
        loss=loss,
        time=time,
        crossing_time=jnp.where(crossed & in_time, turned, jnp.nan),
        recovered=recovered,
        result=select(jnp.all(jnp.isfinite(end)), result, Result.nonfinite),
    )


def _error_norm(scaled):
    """The largest; a step so long that it overflows counts as a large error, so that it is shortened."""
    size = jnp.max(jnp.abs(scaled))
    return jnp.where(jnp.isfinite(size), size, 1e10)
