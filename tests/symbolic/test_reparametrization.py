"""Factors as text: invariants, verdict and geometry against hand derivations, flows against the factors'."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import sympy

import hamtheory as ht
from hamtheory.symbolic import CurveGeometry, SeparableGeometry, reparametrization
from tests.slow import slow

# By hand: how many invariants there are, and g⁻¹ of θ and of the variables' invariant where it is one radical.
ALONE = {
    "m*w": (["m**2 - w**2"], lambda t, c: np.sqrt(4 * t**2 + c**2)),
    "u**2 - v**2": (["u*v"], lambda t, c: 4 * np.sqrt(t**2 + 4 * c**2)),
    "u**2*v - v**3/3": (["u**3 - 3*u*v**2"], lambda t, c: (9 * t**2 + c**2) ** (2 / 3)),  # of z³: |3z²|², Re z³ = c
    "u**3*w": (["u**2 - 3*w**2"], None),
    "u*v*w": (["u**2 - v**2", "v**2 - w**2"], None),
    "u**3 - v**3": (["1/u + 1/v"], None),
    "u**2 + w": (["log(u) - 2*w"], None),
    "u*v*w + u*v": (["u**2 - v**2", "u**2 - w**2 - 2*w"], None),
    "u - u**3": ([], None),
}
STARTS = {
    "m*w": {"m": 0.9, "w": 0.3},
    "u**2 - v**2": {"u": 0.5, "v": 0.4},
    "u**2*v - v**3/3": {"u": 0.6, "v": 0.3},
    "u**3*w": {"u": 0.7, "w": 0.1},
    "u*v*w": {"u": 0.9, "v": 0.6, "w": -0.1},
    "u**3 - v**3": {"u": 0.7, "v": 0.5},
    "u**2 + w": {"u": 0.8, "w": -0.3},
    "u*v + u**2*w": {"u": 0.7, "v": 0.2, "w": 0.3},
    "u - u**3": {"u": 0.1},
}
NOT_MIRROR = [
    ["g**2*u", "g**2*v"],
    ["x*y*z", "x**2 - y**2"],
    ["u1*u2", "u2*u3", "u3*u4"],
    ["a**2 + b**2 - c**2 - d**2", "2*a*c + 2*b*d", "2*a*d - 2*b*c"],
]


def functions(outputs):
    """G and ∂G of arrays of the variables, by SymPy."""
    found = reparametrization(outputs)
    slopes = [[sympy.diff(G, w) for w in found.variables] for G in found.outputs]
    return (sympy.lambdify(found.variables, form, "numpy") for form in (list(found.outputs), slopes))


def rank(forms, variables, at):
    slopes = sympy.Matrix([[sympy.diff(form, w) for w in variables] for form in forms])
    return np.linalg.matrix_rank(np.array(slopes.subs(at), float)) if forms else 0


@pytest.mark.parametrize("text", ALONE)
def test_the_invariants_are_those_by_hand(text):
    """Both are constant along ∇G, and each is a function of the others."""
    found = reparametrization(text)
    assert found.mirror_flow and not found.brackets
    by_hand = [sympy.sympify(form, {str(w): w for w in found.variables}) for form in ALONE[text][0]]
    ours = list(found.invariants.values())
    field = [sympy.diff(found.outputs[0], w) for w in found.variables]
    for form in (*ours, *by_hand):
        rate = sum(sympy.diff(form, w) * slope for w, slope in zip(found.variables, field, strict=True))
        assert sympy.simplify(rate) == 0
    at = dict(zip(found.variables, (0.7, -1.3, 0.4), strict=False))
    assert len(ours) == len(by_hand) == len(found.variables) - 1
    assert rank(ours, found.variables, at) == rank([*ours, *by_hand], found.variables, at) == len(ours)


@pytest.mark.parametrize("text", [text for text, (_, metric) in ALONE.items() if metric])
def test_the_metric_is_that_by_hand(text):
    found = reparametrization(text)
    (name,) = found.invariants
    theta, c = np.array([-3.0, 0.0, 0.2, 50.0]), 0.3
    formula = sympy.lambdify((sympy.Symbol("theta", real=True), sympy.Symbol(name, real=True)), found.metric)
    np.testing.assert_allclose(formula(theta, c), ALONE[text][1](theta, c), rtol=1e-13)
    np.testing.assert_allclose(found.geometry(**{name: c}).inverse_metric(theta), ALONE[text][1](theta, c), rtol=1e-13)


THETA = np.concatenate([-np.logspace(-12, 12, 31), [0.0], np.logspace(-12, 12, 31)])


@pytest.mark.parametrize(
    ("text", "start", "geo"),
    [
        ("m*w", {"m": 1.0, "w": 0.0}, ht.Hypentropy(gamma=0.5)),
        ("m*w", {"m": 3.0, "w": -2.0}, ht.Hypentropy(gamma=2.5)),
        ("m*w", {"m": 0.0, "w": 1e-5}, ht.Hypentropy(gamma=0.5e-10)),
        ("u**2 - v**2", {"u": 0.1, "v": 0.1}, ht.DiagonalNetwork(2, scale=0.1)),
        ("u**3 - v**3", {"u": 0.2, "v": 0.2}, ht.DiagonalNetwork(3, scale=0.2)),
        ("u**4 - v**4", {"u": -1.0, "v": -1.0}, ht.DiagonalNetwork(4, scale=1.0)),
        ("2*u", {"u": 0.3}, None),
    ],
)
def test_curves_are_the_geometries_that_are_known_in_closed_form(text, start, geo):
    geo = geo or ht.symbolic.geometry("4")
    curve = CurveGeometry(text, **start)
    for method in ("inverse_metric", "mirror_map", "potential"):
        np.testing.assert_allclose(getattr(curve, method)(THETA), getattr(geo, method)(THETA), rtol=1e-12)
    bound = float(geo.mirror_bound())
    mu = geo.mirror_map(THETA[np.abs(THETA) < 1e3])
    mu = mu[np.abs(mu) < 0.99 * bound]
    np.testing.assert_allclose(curve.inverse_mirror_map(mu), geo.inverse_mirror_map(mu), rtol=1e-12)
    np.testing.assert_allclose(curve.conjugate(mu), geo.conjugate(mu), rtol=1e-12)
    np.testing.assert_allclose(curve.moment(geo.inverse_mirror_map(mu)), geo.conjugate(mu), rtol=1e-12)
    np.testing.assert_allclose(curve.mirror_bound(), bound, rtol=1e-12)
    assert curve.domain == (-np.inf, np.inf)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(4, 8))
    return ht.LinearRegression(X, X @ rng.uniform(0.05, 0.3, 8))


def flow_of_factors(problem, text, start, time):
    """θ at 0 and at a time, each coordinate having factors of its own."""
    value, slopes = functions(text)
    w0 = np.stack([np.broadcast_to(float(start[str(w)]), problem.d) for w in reparametrization(text).variables])

    def field(_, flat):
        w = flat.reshape(w0.shape)
        g = problem.gradient(np.broadcast_to(value(*w)[0], problem.d))
        return np.concatenate([-np.broadcast_to(slope, problem.d) * g for slope in slopes(*w)[0]])

    found = scipy.integrate.solve_ivp(field, (0, time), w0.ravel(), method="DOP853", rtol=1e-12, atol=1e-14)
    ends = (w0, found.y[:, -1].reshape(w0.shape))
    return [np.broadcast_to(value(*w)[0], problem.d).astype(float) for w in ends]


@pytest.mark.parametrize("text", STARTS)
def test_the_flow_is_that_of_the_factors(problem, text):
    theta0, theta = flow_of_factors(problem, text, STARTS[text], 2.0)
    assert np.max(np.abs(theta - theta0)) > 0.05
    geo = reparametrization(text).geometry_at(**STARTS[text])
    flow = ht.solve_flow(problem, geo, theta0, ts=[0.0, 2.0], rtol=1e-11)
    np.testing.assert_allclose(flow.theta, theta, rtol=0, atol=1e-9)


def test_the_limit_is_where_the_flow_of_the_factors_ends(problem):
    """Of a geometry that is not even: u² + w."""
    theta0, theta = flow_of_factors(problem, "u**2 + w", STARTS["u**2 + w"], 150.0)
    limit = ht.solve_limit(problem, reparametrization("u**2 + w").geometry_at(**STARTS["u**2 + w"]), theta0)
    assert problem.loss(theta) < 1e-15
    np.testing.assert_allclose(limit.theta, theta, rtol=0, atol=1e-7)


@pytest.mark.parametrize("text", [text for text in STARTS if text not in ("u - u**3", "u*v + u**2*w")])
def test_level_sets_have_the_geometry_of_the_starts_on_them(text):
    found, start = reparametrization(text), STARTS[text]
    geo = found.geometry(**found.invariants_at(**start))
    theta = np.array([-0.7, -1e-6, 0.0, 0.1, 2.0])
    want = CurveGeometry(text, **start)
    np.testing.assert_allclose(geo.inverse_metric(theta), want.inverse_metric(theta), rtol=1e-9)
    np.testing.assert_allclose(geo.mirror_map(theta), want.mirror_map(theta), rtol=1e-9, atol=1e-12)


def test_invariants_can_be_one_a_coordinate():
    theta = np.array([0.3, 0.3])
    for text, given, each in (
        ("m*w", {"c1": [0.5, 2.0]}, [{"c1": 0.5}, {"c1": 2.0}]),
        ("u**3*w", {"c1": [0.5, 2.0]}, [{"c1": 0.5}, {"c1": 2.0}]),
    ):
        found = reparametrization(text)
        want = [found.geometry(**one).inverse_metric(0.3) for one in each]
        np.testing.assert_allclose(found.geometry(**given).inverse_metric(theta), want, rtol=1e-12)


def test_a_curve_ends_at_critical_values():
    """u − u³ between ±2/√27, u² + v² above 0 where R′ is ¼ ln θ."""
    low, high = CurveGeometry("u - u**3", u=0.0).domain
    np.testing.assert_allclose((low, high), (-2 / np.sqrt(27), 2 / np.sqrt(27)), rtol=1e-9)
    geo = CurveGeometry("u**2 + v**2", u=3.0, v=4.0)
    theta = np.array([1e-8, 1.0, 25.0, 1e5])
    np.testing.assert_allclose(geo.mirror_map(theta), np.log(theta / 25) / 4, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(geo.inverse_mirror_map(np.array([-5.0, 2.0])), 25 * np.exp([-20.0, 8.0]), rtol=1e-12)
    assert geo.domain == (0.0, np.inf) and np.isnan(geo.inverse_metric(-1.0))
    with pytest.raises(ValueError, match=r"from 0 to inf: the factors never bring it to -1"):
        geo.mirror_map(np.array([1.0, -1.0]))


def test_outputs_without_common_variables_are_one_geometry_each():
    found = reparametrization(["m*w", "u**3*v", "z"])
    geo = found.geometry(c1=1.0, c2=0.7)
    assert found.mirror_flow and isinstance(geo, SeparableGeometry)
    parts = [reparametrization(text).geometry(**c) for text, c in (("m*w", {"c1": 1.0}), ("u**3*v", {"c1": 0.7}))]
    theta = np.array([0.3, -2.0, 5.0])
    want = [parts[0].inverse_metric(0.3), parts[1].inverse_metric(-2.0), 1.0]
    np.testing.assert_allclose(geo.inverse_metric(theta), want, rtol=1e-13)
    X = np.random.default_rng(0).normal(size=(2, 3))
    problem = ht.LinearRegression(X, X @ theta)
    flow, limit = ht.solve_flow(problem, geo), ht.solve_limit(problem, geo)
    np.testing.assert_allclose(flow.theta, limit.theta, atol=1e-6)
    shift = geo.mirror_map(limit.theta)
    np.testing.assert_allclose(X.T @ np.linalg.lstsq(X.T, shift, rcond=None)[0], shift, atol=1e-9)
    with pytest.raises(ValueError, match="3 entries"):
        geo.inverse_metric(np.ones(2))


def test_outputs_that_share_variables_may_commute():
    """Quadratic forms with the same axes: a metric that is a matrix, 4 ((θ₁, θ₂), (θ₂, θ₁))."""
    found = reparametrization(["u**2 + v**2", "2*u*v"])
    assert found.mirror_flow and not found.brackets
    one, two = sympy.symbols("theta_1 theta_2", real=True)
    assert found.metric == sympy.Matrix([[4 * one, 4 * two], [4 * two, 4 * one]])
    with pytest.raises(ValueError, match="share variables"):
        found.geometry()


@pytest.mark.parametrize("outputs", NOT_MIRROR, ids=" ".join)
def test_a_refusal_can_be_seen(outputs):
    """Two orders of driving the outputs end at one θ: by SciPy too. A mirror flow has one R′ there."""
    found = reparametrization(outputs)
    assert found.mirror_flow is False and found.metric is None
    with pytest.raises(ValueError, match=r"no mirror flow, because .* do not commute: .* bracket is"):
        found.geometry(**dict.fromkeys(found.invariants, 1.0))
    i, j = next(iter(found.brackets))
    paths = found.two_paths()
    value, slopes = functions(outputs)
    orders = [(i, j), (j, i)]
    for (first, second), end, driven in zip(orders, paths.ends, paths.driven, strict=True):
        w = paths.start
        for k in (first, second, *(k for k in range(len(outputs)) if k not in (i, j))):
            drive = lambda _, w, k=k: np.array(slopes(*w)[k], float)  # noqa: E731
            w = scipy.integrate.solve_ivp(drive, (0, driven[k]), w, method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
        np.testing.assert_allclose(w, end, rtol=1e-9)
        np.testing.assert_allclose(value(*w), paths.theta, rtol=1e-9)
    assert np.linalg.norm(paths.driven[0] - paths.driven[1]) > 1e-2 * np.linalg.norm(paths.driven)
    assert paths.difference > 1e-2


def test_some_refused_factors_have_a_velocity_by_theta_and_others_have_not():
    """g²u, g²v move on the level set of one invariant, a surface as is θ; xyz, x² − y² in all of space."""
    same, other = (reparametrization(NOT_MIRROR[k]) for k in (0, 1))
    assert (same.reach, other.reach) == (2, 3)
    apart = lambda paths: np.linalg.norm(paths.speeds[0] - paths.speeds[1]) / np.linalg.norm(paths.speeds)  # noqa: E731
    assert apart(same.two_paths()) < 1e-9 and "determines its velocity" in same.reason
    assert apart(other.two_paths()) > 1e-2 and "determines its velocity" not in other.reason


def test_brackets_are_those_by_hand():
    found = reparametrization(["u1*u2", "u2*u3"])
    u1, _, u3 = found.variables
    assert found.brackets == {(0, 1): (-u3, 0, u1)}  # the entry `li.not-commuting` of the ledger
    assert reparametrization(["g**2*u", "g**2*v"]).invariants == {
        "c1": sympy.sympify("g**2 - 2*u**2 - 2*v**2", {n: sympy.Symbol(n, real=True) for n in "guv"})
    }


def test_symmetries_are_read_off():
    assert "m ↔ w" in reparametrization("m*w").symmetries
    assert "u ↔ v: θ → −θ" in reparametrization("u**2 - v**2").symmetries
    assert any(text.startswith("m → λ") for text in reparametrization("m*w").symmetries)


def test_products_of_many_variables_are_in_the_budget():
    found = reparametrization("*".join(f"x{i}" for i in range(25)))
    assert len(found.invariants) == 24 and not found.notes


def test_what_is_beyond_the_budget_says_what_was_tried():
    assert "1 of up to 2" in reparametrization("u*v + u**2*w").notes[0]
    found = reparametrization(" + ".join(f"x{i}**3 - y{i}**3" for i in range(15)))
    (note,) = found.notes
    assert "more than 400 monomials of 30 variables" in note and "up to degree 2" in note
    start = {str(w): 0.1 for w in found.variables}
    with pytest.raises(ValueError, match=r"monomials.*; geometry_at takes a start"):
        found.geometry(**dict.fromkeys(found.invariants, 0.0))
    assert float(found.geometry_at(**start).inverse_metric(0.0)) == pytest.approx(30 * 9e-4, rel=1e-12)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ("", "empty"),
        ([], "got none"),
        ("3", "must have variables"),
        ("u - u", "must have variables"),
        (["m*w", "2"], "2 is constant"),
        ("exp(u)*w", r"w\*exp\(u\) is none, for exp\(u\): a polynomial has"),
        ("u/w", "for 1/w"),
        ("u**0.5", r"for sqrt\(u\)"),
        ("u**w", r"for u\*\*w"),
        ("sqrt(2)*u", "rational coefficients"),
        ("pi*u", "'pi' is taken"),
        ("theta*u", "'theta' is taken"),
        ("u^2", r"powers with \*\*"),
        ("__import__('os').getcwd()", "cannot read"),
        ("u.real", "cannot read"),
        ("u +", "not an expression"),
        ("lambda*u", "'lambda' is a word of Python's grammar; choose another name"),
        ("u·w", r"cannot read 'u·w' .* write products with \*"),
        ("1e-300*u*w", "coefficients from 1e-20 to 1e20: measure theta in other units; got 1.00E-300"),
        (["u", "u + 1e30*w"], "coefficients from 1e-20 to 1e20"),
        (sympy.Symbol("u w") * sympy.Symbol("v"), "names of Python's grammar; got 'u w'"),
        (sympy.Symbol("lambda") * sympy.Symbol("v"), "names of Python's grammar; got 'lambda'"),
        (sympy.Symbol("u") * sympy.Symbol("u", positive=True), "two symbols 'u' that differ"),
        ("(a + b + c + d + e + f)**60", "may have more than 2000 terms"),
    ],
)
def test_bad_texts_are_refused_with_the_reason(outputs, message):
    with pytest.raises(ValueError, match=message):
        reparametrization(outputs)


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        ("m*w", {}, "has the invariants c1: c1 missing"),
        ("m*w", {"c1": 1.0, "k": 2.0}, "k unknown"),
        ("m*w", {"c1": 0.0}, "is singular: at theta = 0 the gradient is zero"),
        ("m*w", {"c1": np.inf}, "finite"),
        ("u**3", {}, "singular"),
        ("u - u**3", {}, "branches with different metrics"),
        ("u**3*w", {"c1": -1.0}, "singular"),
        ("u**3 - v**3", {"c1": 0.0}, "singular"),
        ("1e8*u**2 - 1e-8*w**2", {"c1": 1.0}, "powers of more than 10000 in an invariant leave no level set"),
        ("u**4 - v**4", {"c1": -1.0}, "no point of the level set c1 = -1"),
    ],
)
def test_bad_level_sets_are_refused_with_the_reason(text, given, message):
    with pytest.raises(ValueError, match=message):
        reparametrization(text).geometry(**given)


@pytest.mark.parametrize("scale", ["1e-20", *slow("1e20")])
def test_theta_may_have_any_unit_within_the_range(scale):
    # Of sG it is g⁻¹(θ) = s²g⁻¹(θ/s).
    for text, start in (("m*w", {"m": 0.7, "w": 0.4}), ("u*v*w", {"u": 0.3, "v": 0.5, "w": 1.2})):
        one, other = reparametrization(text), reparametrization(f"{scale}*{text}")
        assert str(one.invariants) == str(other.invariants)
        want = float(scale) ** 2 * one.geometry_at(**start).inverse_metric(0.3)
        theta = 0.3 * float(scale)
        for geo in (other.geometry_at(**start), other.geometry(**other.invariants_at(**start))):
            assert float(geo.inverse_metric(theta)) == pytest.approx(float(want), rel=1e-9)


def test_what_would_take_minutes_is_refused():
    found = reparametrization("(a + b + c + d)**10")
    for geometry in (lambda: found.geometry(c1=0.0, c2=0.0, c3=0.0), lambda: found.geometry_at(a=1, b=1, c=1, d=1)):
        with pytest.raises(ValueError, match="outputs must have at most 1000 characters when multiplied out"):
            geometry()


def test_branches_of_high_powers_are_compared_without_a_warning():
    geo = reparametrization("u**100*w**99*v").geometry(c1=1.0, c2=1.0)
    u, v, w = (geo.arguments()[name] for name in "uvw")
    assert v == 0 and float(geo.inverse_metric(0.0)) == pytest.approx(float(u**200 * w**198), rel=1e-12)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="w missing; v unknown"):
        reparametrization("m*w").geometry_at(m=1.0, v=0.0)
    with pytest.raises(ValueError, match=r"the gradient of m\*w is zero at m = 0, w = 0"):
        reparametrization("m*w").geometry_at(m=0.0, w=0.0)
    with pytest.raises(ValueError, match="no such paths: one field commutes with itself"):
        reparametrization("m*w").two_paths()
    with pytest.raises(TypeError, match="is for NumPy"):
        CurveGeometry("m*w", m=1.0, w=0.0).inverse_metric(jnp.ones(2))


def test_a_closed_form_is_for_both_engines():
    geo = reparametrization("m*w").geometry(c1=2.0)
    assert isinstance(geo, ht.Hypentropy)
    mu = geo.mirror_map(jnp.array([0.0, 0.5]))
    np.testing.assert_allclose(mu, np.arcsinh([0.0, 0.5]) / 2, rtol=1e-12)


def test_dependent_outputs_are_no_mirror_flow():
    found = reparametrization(["u", "2*u"])
    assert found.mirror_flow is False and "depend on each other" in found.reason


def test_momentum_acts_through_one_number():
    """Heavy ball on m⊙w ends where λ d²w/dt² + dw/dt = −∇F does: with λ = γ/(1−β)² up to O(ε), ε = γ/(1−β), and with
    λ = γ(1+β)/(2(1−β)²) up to O(ε²)."""
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(3, 6)), 6
    y = X @ np.array([1.0, -1.0, 0, 0, 0, 0])
    start = np.append(np.full(d, 0.6), np.full(d, 0.1))

    def gradient(w):
        g = X.T @ (X @ (w[:d] * w[d:]) - y) / len(y)
        return np.append(w[d:] * g, w[:d] * g)

    def flow(inertia):
        field = lambda _, s: np.append(s[2 * d :], (-gradient(s[: 2 * d]) - s[2 * d :]) / inertia)  # noqa: E731
        end = scipy.integrate.solve_ivp(field, (0, 250), np.append(start, 0 * start), method="DOP853", rtol=1e-11)
        return end.y[:d, -1] * end.y[d : 2 * d, -1]

    def heavy_ball(step, momentum):
        w = before = start
        for _ in range(int(250 * (1 - momentum) / step)):
            w, before = w - step * gradient(w) + momentum * (w - before), w
        return w[:d] * w[d:]

    wanted = flow(1.0)
    apart = lambda theta: np.max(np.abs(theta - wanted))  # noqa: E731
    assert apart(flow(1e-2)) > 0.02  # it is a number that counts
    errors = {"leading": [], "corrected": []}
    for eps in (0.2, 0.1):
        errors["leading"].append(apart(heavy_ball(eps**2, 1 - eps)))  # γ/(1−β)² = 1
        momentum = (2 - eps) / (2 + eps)  # γ(1+β)/(2(1−β)²) = 1
        errors["corrected"].append(apart(heavy_ball(eps * (1 - momentum), momentum)))
    orders = {name: np.log2(large / small) for name, (large, small) in errors.items()}
    assert orders["leading"] == pytest.approx(1, abs=0.25) and orders["corrected"] == pytest.approx(2, abs=0.1)
    assert errors["corrected"][0] < errors["leading"][0] / 3
