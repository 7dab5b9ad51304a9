"""One hidden neuron, in each of the four cases of the signs, and students of any width."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.integrate

import hamtheory as ht
from hamtheory.neuron import Balanced, Neuron, Teacher, arc_cosine_kernel, can_change_sign
from hamtheory.neuron._layers import moment

EPS = float(np.finfo(float).eps)
GD, HAM, PRODUCT = ht.Euclidean(), ht.HAM(5.0), ht.Hypentropy(0.1)
CUSTOM = ht.symbolic.geometry("1 + a*theta**2", a=3.0)
FLOWS = {
    "GD": Neuron(GD, GD),
    "balanced": Neuron(Balanced(), Balanced()),
    "m*w": Neuron(PRODUCT, PRODUCT),
    "Sign-In": Neuron(ht.Hypentropy(1.0), PRODUCT),
    "HAM": Neuron(HAM, HAM),
    "HAM on a": Neuron(HAM, GD),
    "HAM on w": Neuron(GD, HAM),
}
SIZES = np.geomspace(0.02, 5, 9)


LANES = 400  # of every call, so that all of them are one program


def learned(neuron, a0, w0):
    a0, w0 = np.broadcast_arrays(np.asarray(a0, float), np.asarray(w0, float))
    padded = [np.concatenate([x.ravel(), np.ones(LANES - x.size)]) for x in (a0, w0)]
    end = jax.tree.map(lambda x: np.asarray(x)[: a0.size].reshape(a0.shape), neuron.flow(*padded))
    codes = np.asarray(end.result)
    assert np.isin(codes, [ht.NAMES.index("converged"), ht.NAMES.index("stuck")]).all()
    assert np.array_equal(codes == 0, end.recovered)
    return np.asarray(end.recovered), end


@pytest.mark.parametrize("name", FLOWS)
def test_right_signs_always_recover(name):
    """a > 0, w > 0: the curve of the invariant meets aw = 1 once, and the flow reaches no axis before."""
    a0, w0 = np.meshgrid(SIZES, SIZES)
    recovered, end = learned(FLOWS[name], a0, w0)
    assert recovered.all() and FLOWS[name].recovers(a0, w0).all()
    np.testing.assert_allclose(end.a * end.w, 1, atol=2.1e-6)  # (aw − 1)²/4 <= 1e-12
    assert np.isnan(end.crossing_time).all()


# Wrong output sign: which flows recover at |a₀| = 0.9 w₀, and at 1.05 w₀, w₀ = 1.
WRONG = {"GD": (1, 0), "balanced": (0, 0), "m*w": (1, 0), "Sign-In": (1, 1), "HAM": (1, 0), "HAM on a": (1, 1),
         "HAM on w": (0, 0)}  # fmt: skip


@pytest.mark.parametrize("name", FLOWS)
def test_a_wrong_output_sign_recovers_below_the_separatrix(name):
    """a < 0 < w: both sizes shrink, on I_a(|a|) − I_w(w) = const. It is a that reaches zero first where that is
    negative, and it crosses if h_a(0) > 0. At |a₀| ≈ w₀ what decides is which layer is faster: one and the same
    geometry is gradient descent; HAM on a, or γ_a > γ_w, helps; HAM on w hurts; balanced m⊙w never crosses."""
    recovered, end = learned(FLOWS[name], [-0.9, -1.05], 1.0)
    assert recovered.tolist() == list(map(bool, WRONG[name]))
    assert np.array_equal(np.isfinite(end.crossing_time), recovered)
    stuck = ~recovered
    assert np.all(np.asarray(end.a)[stuck] <= 0) and np.all(
        np.abs(np.asarray(end.w)[stuck & (name != "balanced")]) < 1e-9
    )


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", FLOWS)
def test_a_wrong_input_sign_never_recovers(name, sign):
    """w < 0: the output is orthogonal to the teacher's, L = ¼(a²w² + 1), both sizes only decay; nor does w = 0."""
    a0, w0 = np.meshgrid(sign * SIZES[::2], -SIZES[::2])
    recovered, end = learned(FLOWS[name], a0, np.concatenate([w0[:-1], np.zeros_like(w0[:1])]))
    assert not recovered.any() and (end.w <= 0).all() and (sign * end.a > 0).all()
    np.testing.assert_allclose(end.loss, 0.25, atol=1e-6)


@pytest.mark.parametrize("name", FLOWS)
def test_random_draws_agree_with_the_criterion(name):
    rng = np.random.default_rng(3)
    a0, w0 = rng.choice([-1, 1], (2, 400)) * 10 ** rng.uniform(-2, 1, (2, 400))
    neuron = FLOWS[name]
    recovered, end = learned(neuron, a0, w0)
    np.testing.assert_array_equal(recovered, neuron.recovers(a0, w0))
    # The invariant, to the tolerance of the solver, 1e-9, of its terms; they grow.
    terms = [np.asarray(neuron.invariant(a, 0.0) - neuron.invariant(0.0, w)) for a, w in ((a0, w0), (end.a, end.w))]
    change = np.abs(neuron.invariant(end.a, end.w) - neuron.invariant(a0, w0))
    assert (change <= 3e-9 * np.maximum(*terms)).all()


@pytest.mark.parametrize(
    "geometry",
    [
        ht.HAM(0.01),
        ht.HAM(300.0),
        ht.Hypentropy(1e-9),
        ht.Hypentropy(10.0),
        pytest.param(CUSTOM, marks=pytest.mark.slow),
    ],
)
def test_one_geometry_on_both_layers_has_the_basin_of_gradient_descent(geometry):
    """I is strictly increasing: I(|a₀|) < I(w₀) is |a₀| < w₀, whatever it is."""
    w0, ratio = np.meshgrid([0.05, 1.0, 4.0], [0.3, 0.999, 1.001, 3.0])
    neuron = Neuron(geometry, geometry)
    np.testing.assert_array_equal(neuron.recovers(-ratio * w0, w0), ratio < 1)
    np.testing.assert_array_equal(learned(neuron, -ratio * w0, w0)[0], ratio < 1)
    np.testing.assert_allclose(neuron.critical_size(w0[0]), w0[0], rtol=1e-12)
    assert not neuron.recovers(-ratio * w0, -w0).any()


def test_a_layer_that_is_faster_enlarges_the_basin():
    """I_a decreases where h_a increases: the critical size is above w₀ exactly if h_a > h_w, and grows with α."""
    w0 = np.geomspace(0.01, 10, 7)
    sizes = np.array([Neuron(ht.HAM(alpha), GD).critical_size(w0) for alpha in (1e-9, 1.0, 10.0, 1e6)])
    assert (np.diff(sizes, axis=0) > 0).all()
    np.testing.assert_allclose(sizes[0], w0, rtol=1e-7)
    np.testing.assert_allclose(sizes[-1][-3:], 1e6 * w0[-3:] ** 2 / 2, rtol=1e-4)  # |a|/α − … = w²/2
    for gamma_a, gamma_w in ((1.0, 0.1), (0.1, 1.0)):  # (√(w² + γ_w²) − γ_w + γ_a)² − γ_a²
        got = Neuron(ht.Hypentropy(gamma_a), ht.Hypentropy(gamma_w)).critical_size(w0)
        want = np.sqrt((np.hypot(w0, gamma_w) - gamma_w + gamma_a) ** 2 - gamma_a**2)
        np.testing.assert_allclose(got, want, rtol=1e-10)
        assert ((got > w0) == (gamma_a > gamma_w)).all()


@pytest.mark.parametrize("name", ["GD", "HAM", "HAM on a"])
def test_on_the_separatrix_it_takes_for_ever(name):
    """At I_a(|a₀|) = I_w(w₀) the flow tends to the saddle at zero, of rates ±½ there: T ~ −ln(distance)."""
    near, nearer = 1 - 1e-4, 1 - 1e-8
    critical = FLOWS[name].critical_size(1.0)
    recovered, end = learned(FLOWS[name], [-critical * near, -critical * nearer], 1.0)
    assert recovered.all()
    np.testing.assert_allclose(np.diff(end.crossing_time), np.log(1e4), rtol=3e-3)


def test_zero_output_weight():
    """a = 0 < w: the force on a is positive there, unless its metric vanishes."""
    for name, neuron in FLOWS.items():
        assert bool(neuron.recovers(0.0, 0.7)) == bool(learned(neuron, 0.0, 0.7)[0]) == (name != "balanced")


@pytest.mark.parametrize("geometry, inverse", [
    (GD, lambda y: np.sqrt(2 * y)), (PRODUCT, lambda y: np.sqrt((2 * y + 0.1) ** 2 - 0.01)),
])  # fmt: skip
def test_crossing_times_against_quadrature(geometry, inverse):
    """On the curve of the invariant w is a function of s = |a|: T = ∫ 2 ds/(h(s) w(s) (1 + s w(s)))."""
    neuron = Neuron(geometry, geometry)
    metric = lambda s: float(geometry.inverse_metric(s))  # noqa: E731
    for a, w in ((0.5, 0.6), (2.0, 2.5)):
        level = float(neuron.invariant(0.0, w) - neuron.invariant(0.0, a))
        other = lambda s: inverse(float(moment(geometry, jnp.asarray(s))) - level)  # noqa: B023, E731
        want = scipy.integrate.quad(lambda s: 2 / (metric(s) * other(s) * (1 + s * other(s))), 0, a, epsrel=1e-10)[0]  # noqa: B023
        np.testing.assert_allclose(learned(neuron, -a, w)[1].crossing_time, want, rtol=1e-8)


def test_moments_against_many_digits():
    x = np.array([1e-100, 1e-9, 1e-3, 0.19, 0.21, 7.0, 1e9, 1e150])
    with mpmath.workdps(500):
        exact = [
            (HAM, lambda x: x / 5 - mpmath.log1p(5 * x) / 25),
            (PRODUCT, lambda x: (mpmath.sqrt(x**2 + mpmath.mpf(0.1) ** 2) - mpmath.mpf(0.1)) / 2),
            (CUSTOM, lambda x: mpmath.log1p(3 * x**2) / 6),
        ]
        for geometry, integral in exact:
            got = moment(geometry, jnp.asarray(x))
            ratios = [float(mpmath.mpf(float(g)) / integral(mpmath.mpf(float(v)))) for g, v in zip(got, x, strict=True)]
            np.testing.assert_allclose(ratios, 1, rtol=200 * EPS if geometry is CUSTOM else 8 * EPS)


@pytest.mark.parametrize("a, w", [(0.7, 1.3), (-0.7, 1.3), (0.7, -1.3), (-2.0, -0.1)])
def test_loss_and_gradient_are_expectations(a, w):
    """By quadrature over z, and by JAX."""
    neuron, relu = FLOWS["GD"], lambda x: np.maximum(x, 0)
    density = lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi)  # noqa: E731
    half = lambda f: scipy.integrate.quad(f, -12, 0)[0] + scipy.integrate.quad(f, 0, 12)[0]  # noqa: E731
    want = half(lambda z: (a * relu(w * z) - relu(z)) ** 2 * density(z)) / 2
    np.testing.assert_allclose(neuron.loss(a, w), want, rtol=1e-9)
    np.testing.assert_allclose(neuron.gradient(a, w), jax.grad(neuron.loss, (0, 1))(a, w), rtol=1e-14)
    np.testing.assert_array_equal(neuron.gradient(a, 0.0), 0)


# Wider students.


def test_the_kernel_is_an_expectation():
    """Against quadrature over the angle of z in the plane of u and v, at nearly equal and opposite vectors, too."""
    for phi in (0.0, 1e-9, 0.3, np.pi / 2, 2.5, 2.8, np.pi - 1e-3, np.pi):
        u, v = np.array([2.0, 0.0]), 3 * np.array([np.cos(phi), np.sin(phi)])
        # E r² = 2 in two dimensions, and the angle of z is uniform.
        integrand = lambda t: np.cos(t) * np.cos(t - phi)  # noqa: B023, E731
        want = 6 * 2 * scipy.integrate.quad(integrand, phi - np.pi / 2, np.pi / 2, epsabs=1e-15)[0] / (2 * np.pi)
        np.testing.assert_allclose(arc_cosine_kernel(u, v), want, rtol=1e-9, atol=1e-15)
    delta = 1e-3  # δ³/3 next to opposite vectors
    close = arc_cosine_kernel([1.0, 0.0], [-np.cos(delta), np.sin(delta)])
    np.testing.assert_allclose(close, delta**3 / 3 * (1 - delta**2 / 10) / (2 * np.pi), rtol=1e-11)
    np.testing.assert_array_equal(arc_cosine_kernel(np.zeros(3), np.ones(3)), 0)
    np.testing.assert_allclose(arc_cosine_kernel([1e-200, 0.0], [1e200, 0.0]), 0.5, rtol=4 * EPS)


def test_the_kernel_is_differentiated_everywhere():
    rng = np.random.default_rng(0)
    u, v = jnp.asarray(rng.normal(size=(2, 3)))
    slope, step = jax.grad(arc_cosine_kernel)(u, v), 1e-6
    for i, unit in enumerate(jnp.eye(3)):
        difference = (arc_cosine_kernel(u + step * unit, v) - arc_cosine_kernel(u - step * unit, v)) / (2 * step)
        np.testing.assert_allclose(slope[i], difference, atol=1e-9)
    np.testing.assert_allclose(jax.grad(arc_cosine_kernel)(u, 3 * u), 1.5 * u, rtol=8 * EPS)  # E σ'(u·z) z σ(3u·z)
    np.testing.assert_allclose(jax.grad(arc_cosine_kernel)(u, -u), 0, atol=1e-15)
    np.testing.assert_array_equal(jax.grad(arc_cosine_kernel)(jnp.zeros(3), v), 0)


def test_students_in_one_dimension_are_the_neuron():
    teacher, neuron = Teacher([1.0], [[1.0]]), FLOWS["HAM"]
    for a, w in ((0.7, 1.3), (-0.7, 1.3), (0.7, -1.3)):
        np.testing.assert_allclose(teacher.loss([a], [[w]]), neuron.loss(a, w), rtol=1e-14)
        slope_a, slope_w = teacher.gradient([a], [[w]])
        np.testing.assert_allclose([slope_a[0], slope_w[0, 0]], neuron.gradient(a, w), rtol=1e-14, atol=1e-16)


def test_gradient_of_students():
    rng = np.random.default_rng(1)
    teacher = Teacher([1.0, -0.5], rng.normal(size=(2, 3)))
    a, w = jnp.asarray(rng.normal(size=4)), jnp.asarray(rng.normal(size=(4, 3)))
    for got, want in zip(teacher.gradient(a, w), jax.grad(teacher.loss, (0, 1))(a, w), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-14)


def flow_of(layers, a0, w0, end_time):
    return Teacher([1.0, 0.6], [[0.8, 0.6], [-1.0, 0.3]]).flow(
        *layers, a0, w0, end_time=end_time, tol=1e-6, max_steps=2000
    )


@pytest.mark.parametrize("layers", [
    pytest.param((GD, GD), marks=pytest.mark.slow), pytest.param((HAM, HAM), marks=pytest.mark.slow),
    (HAM, GD), (Balanced(), Balanced()),
])  # fmt: skip
def test_neurons_of_any_student_keep_their_invariants(layers):
    """a_j ∂L/∂a_j = Σ_l w_jl ∂L/∂w_jl: I_a(|a_j|) − Σ_l I_w(|w_jl|) is constant, and forbids changes of sign."""
    rng = np.random.default_rng(2)
    a0, w0 = rng.normal(size=(20, 3)), rng.normal(size=(20, 3, 2))
    end = flow_of(layers, a0, w0, 20.0)
    of = lambda a, w: moment(layers[0], jnp.asarray(a)) - moment(layers[1], jnp.asarray(w)).sum(axis=-1)  # noqa: E731
    np.testing.assert_allclose(of(end.a, end.w), of(a0, w0), atol=2e-4)
    changed = np.sign(end.a) * np.sign(a0) < 0
    can = np.asarray(can_change_sign(*layers, a0, w0))
    assert not (changed & ~can).any()
    assert changed.any() == can.any() == (layers[0].inverse_metric(0.0) > 0)


def test_uniform_ham_lets_more_neurons_change_in_more_dimensions():
    """I(√x) is concave: Σ I(|w_l|) > I(‖w‖₂), up to ‖w‖₁ as α → ∞. With one input nothing changes."""
    w0 = np.array([[0.8, 0.8]])
    for size, gd, ham in ((1.1, True, True), (1.2, False, True), (1.59, False, False), (1.7, False, False)):
        assert can_change_sign(GD, GD, [-size], w0).tolist() == [gd]
        assert can_change_sign(HAM, HAM, [-size], w0).tolist() == [ham]
    assert can_change_sign(ht.HAM(1e6), ht.HAM(1e6), [-1.59], w0).tolist() == [True]
    assert not can_change_sign(ht.HAM(1e6), ht.HAM(1e6), [-1.61], w0).any()
    # And so it does, next to two neurons that are zero and stay so.
    a0, w0 = np.tile([-1.2, 0, 0], (20, 1)), np.tile([[0.8, 0.8], [0, 0], [0, 0]], (20, 1, 1))
    ends = [flow_of((layer, layer), a0, w0, 200.0) for layer in (GD, HAM)]
    assert ends[0].a[0, 0] < 0 < ends[1].a[0, 0]
    assert (ends[1].a[:, 1:] == 0).all() and (ends[1].w[:, 1:] == 0).all()


BAD = {
    "geometry": (lambda: Neuron("HAM", GD), TypeError, "geometry_a must be a geometry"),
    "unit of time": (lambda: Neuron(GD, ht.HAM(log_alpha=1000.0)), ValueError, "geometry_w = HAM .* unit of time"),
    "NaN": (lambda: FLOWS["GD"].recovers([0.0, np.nan], 1.0), ValueError, "a must be finite; got nan at index 1"),
    "shapes": (lambda: FLOWS["GD"].loss([1.0, 2.0], [1.0, 2.0, 3.0]), ValueError, "a and w must broadcast"),
    "array": (lambda: Neuron(ht.HAM([1.0, 2.0]), GD).flow(1.0, 1.0), ValueError, "geometry_a .* scalar parameters"),
    "tol": (lambda: FLOWS["GD"].flow(1.0, 1.0, rtol=0.0), ValueError, "rtol must be positive"),
    "steps": (lambda: FLOWS["GD"].flow(1.0, 1.0, max_steps=0), ValueError, "max_steps must be at least 1"),
    "teacher": (lambda: Teacher([1.0], [[1.0], [2.0]]), ValueError, r"b and v must have shapes \(k,\) and \(k, p\)"),
    "student": (lambda: Teacher([1.0], [[1.0]]).loss([1.0], [1.0]), ValueError, "a and w must have shapes"),
    "w0": (lambda: can_change_sign(GD, GD, [1.0], [1.0]), ValueError, "a0 and w0 must have shapes"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.usefixtures("unchecked")
def test_bad_input(case):
    call, error, words = BAD[case]
    with pytest.raises(error, match=words):
        call()
