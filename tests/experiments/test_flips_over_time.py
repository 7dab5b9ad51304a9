"""F19: what keeps signs flipping, what stops them, and what never starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hamtheory as ht
from experiments import flips_over_time as experiment
from figures import flips_over_time as figure_module

pytestmark = pytest.mark.slow  # two compilations a rule

CONFIG = experiment.Config.smoke()
NEVER = ["m*w 0", "exponentiated"]
HAMS = ["HYP", "HYP*", "natural gradient", "mirror descent"]


@pytest.fixture(scope="module")
def data():
    return experiment.run(CONFIG)


def end(data, name, **chosen):
    return data[name].isel(step=-1).sel(**chosen)


def rates(data, rule):
    """Flips a step under label noise, in the first and in the second half of the run."""
    gross, steps = data["gross"].sel(rule=rule, noise="label noise"), data["step"].values
    half = int(np.searchsorted(steps, steps[-1] / 2))
    middle, last = (gross.isel(step=i).mean().item() for i in (half, -1))
    return middle / steps[half], (last - middle) / (steps[-1] - steps[half])


def test_every_case_is_sound(data):
    assert (data["status"] == 0).all()
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"] and not np.isnan(variable.drop_sel(rule=[])).all(), name


def test_counts_hang_together(data):
    assert (data["gross"].diff("step") >= 0).all()
    assert (data["gross"] >= data["net"] + 2 * data["flipped_back"]).all()
    assert (data["net"] + data["flipped_back"] <= CONFIG.d).all()
    assert ((data["gross"] - data["net"]) % 2 == 0).all()


@pytest.mark.claim("ham.exponentiated")
def test_balanced_factors_and_the_exponentiated_gradient_never_flip(data):
    assert (data["gross"].sel(rule=NEVER) == 0).all()
    assert (data["log_gamma"].sel(rule="m*w 0") == -np.inf).all()  # |m| = |w| to the bit, under all noise
    assert (end(data, "gross").drop_sel(rule=NEVER).mean(("problem", "draw")) > 1).all()


@pytest.mark.claim("pesme.effective-gamma")
def test_a_step_shrinks_the_imbalance():
    """`m² − w²` is multiplied by `1 − η²g²`, and from |m| = |w| θ by a square."""
    rng = np.random.default_rng(0)
    m, w, g = (jnp.asarray(rng.standard_normal(50)) for _ in range(3))
    rule, state = ht.ProductGD(m0=m, w0=w), ht.algorithm.ProductState(m, w, None)
    new = rule.step(state, g, jnp.asarray(0.7))
    np.testing.assert_allclose(new.m**2 - new.w**2, (m**2 - w**2) * (1 - (0.7 * g) ** 2), rtol=1e-10, atol=1e-13)
    balanced = rule.step(ht.algorithm.ProductState(m, -m, None), g, jnp.asarray(0.7))
    np.testing.assert_allclose(balanced.m * balanced.w, -(m**2) * (1 + 0.7 * g) ** 2, rtol=1e-10, atol=1e-13)


@pytest.mark.claim("flips_over_time.decay", "flips_over_time.mw", "pesme.effective-gamma")
def test_label_noise_takes_the_imbalance_away(data):
    """At the interpolators by `exp(−η²δ²hᵢ/n)` a step, whose mean over the entries is that of h, near 1."""
    logs = data["log_gamma"].sel(noise="label noise")
    late = int(np.searchsorted(data["step"].values, CONFIG.steps / 4))
    steps = CONFIG.steps - data["step"].values[late]
    for gamma in CONFIG.gammas:
        rule = f"m*w {gamma:g}"
        fall = (logs.isel(step=late) - logs.isel(step=-1)).sel(rule=rule).transpose("start", "problem", "draw")
        problems = [ht.sparse_regression(CONFIG.n, CONFIG.d, CONFIG.k, seed=i) for i in range(CONFIG.problems)]
        h = np.array([np.mean(np.square(np.asarray(p.X))) for p in problems])[None, :, None]
        rate = data["learning_rate"].sel(rule=rule).transpose("start", "problem", "draw")
        expected = steps * h * (rate * CONFIG.noise) ** 2 / CONFIG.n
        # E[g²] has the square of the gradient of θ − θ̂ besides, a share ηh/(2 − ηh) on average: η is a fifth of 2/λ.
        assert (fall / expected > 0.95).all() and (fall / expected < 1.3).all()
        assert rates(data, rule)[1] < rates(data, rule)[0]  # so it flips less and less often


@pytest.mark.claim("flips_over_time.sign-in")
def test_sign_in_restores_it(data):
    """It begins as balanced factors; each reset gives γ back, and the flips with it go on."""
    sign_in = data.sel(rule="Sign-In")
    assert (sign_in["gross"].where(data["step"] < CONFIG.reset_every, 0) == 0).all()
    np.testing.assert_allclose(end(sign_in, "log_gamma"), np.log(CONFIG.reset_gamma), rtol=1e-9)
    constant = end(data, "gross", rule=f"m*w {CONFIG.reset_gamma:g}", noise="label noise")
    assert end(sign_in, "gross", noise="label noise").mean() > 1.2 * constant.mean()
    wrong = data["agreement"].sel(start="wrong")
    assert (wrong.sel(rule="m*w 0") == 0).all() and end(sign_in, "agreement", start="wrong").mean() > 0.1


def test_theory_in_one_dimension():
    """There `z⁺ = (1 − ηh)z + noise`: at θ̂ = 0 the sign changes with the probability arccos(1 − ηh)/π."""
    X = np.array([[2.0], [1.0]])
    h = 5 / 2
    (found,) = experiment.flips_per_step(X, np.ones(1), np.zeros(1), 0.1, 3.0)
    assert found == pytest.approx(np.arccos(1 - 0.1 * h) / np.pi, rel=1e-12)
    rng, steps = np.random.default_rng(0), 200_000
    theta, value, noise = 0.05, 0.0, 0.3 * 0.1 * rng.standard_normal((steps, 2)) @ X[:, 0] / 2
    path = np.empty(steps)
    for i in range(steps):
        value = path[i] = value * (1 - 0.1 * h) + noise[i]
    measured = np.mean(np.diff(np.sign(path + theta)) != 0)
    (found,) = experiment.flips_per_step(X, np.ones(1), np.array([theta]), 0.1, 0.3)
    assert found > 0.01 and measured == pytest.approx(found, rel=0.1)


@pytest.mark.claim("flips_over_time.stationary")
def test_stationary_flips_are_those_of_theory(data):
    """Of gradient descent exactly, up to chance; of rules whose limit stays or moves slowly to first order."""
    for rule, within in (("GD", 0.05), ("mirror descent", 0.35), ("natural gradient", 0.25), ("m*w 0.5", 0.25)):
        measured, theory = (data[name].sel(rule=rule).mean() for name in ("per_step", "per_step_theory"))
        assert theory > 0.01 and abs(measured / theory - 1) < within, rule


@pytest.mark.claim("flips_over_time.label-noise")
def test_who_flips_for_ever_under_label_noise(data):
    for rule in ("GD", "mirror descent", "natural gradient", "Sign-In"):
        first, second = rates(data, rule)
        assert second > 0.7 * first, rule
    for rule in ("HYP", "HYP*"):
        assert rates(data, rule)[1] < 0.05 * rates(data, "mirror descent")[1]


@pytest.mark.claim("flips_over_time.all-samples")
def test_other_noise_ends(data):
    """With all samples and with mini-batches nothing is left to flip at an interpolator."""
    quiet = data["gross"].sel(noise=["all samples", "mini-batches"])
    late = int(np.searchsorted(data["step"].values, CONFIG.steps / 2))
    assert (quiet.isel(step=-1) == quiet.isel(step=late)).all()


@pytest.mark.claim("flips_over_time.mini-batches")
def test_noise_flips_back_and_forth(data):
    """More flips, and about as many net; those of gradient descent, whose limit is the same, exactly."""
    for rule in ["GD", *HAMS]:
        for start in experiment.STARTS:
            alone, small = (end(data, "gross", rule=rule, noise=x, start=start) for x in experiment.NOISES[:2])
            assert small.mean() > 1.1 * alone.mean(), (rule, start)
    net = end(data, "net", rule="GD")
    np.testing.assert_array_equal(net.sel(noise="all samples"), net.sel(noise="mini-batches"))
    for rule in ("HYP", "HYP*", "mirror descent"):
        net = end(data, "net", rule=rule).mean(("start", "problem", "draw"))
        assert (abs(net.sel(noise="mini-batches") / net.sel(noise="all samples") - 1) < 0.1).all(), rule


@pytest.mark.claim("flips_over_time.hyp-and-hyp-star")
def test_hyp_and_its_published_form(data):
    """They differ where a step crosses zero, by `exp(2ηα|g|)`: without noise it is the next step's size alone."""
    one, other = (end(data, "gross", rule=rule, noise="all samples") for rule in ("HYP", "HYP*"))
    assert abs(one - other).max() <= 2 and abs(one.mean() / other.mean() - 1) < 0.05
    net = [end(data, "net", rule=rule).mean() for rule in ("HYP", "HYP*")]
    assert abs(net[0] / net[1] - 1) < 0.1


@pytest.mark.claim("flips_over_time.truth")
def test_label_noise_and_the_truth(data):
    """It takes the natural gradient and m⊙w towards it, and HYP* not."""
    share = end(data, "agreement", start="wrong").mean(("problem", "draw"))
    gain = share.sel(noise="label noise") - share.sel(noise="all samples")
    gain = dict(zip(data["rule"].values, gain.values, strict=True))
    assert gain["natural gradient"] > 0.1 and gain["m*w 0.1"] > 0.1
    assert gain["HYP*"] < 0.1


def test_gradient_descent_to_the_bit():
    problem = ht.sparse_regression(4, 8, 2)
    theta, rate = jnp.linspace(-1, 1, 8), jnp.asarray(0.1)
    gradient = problem.gradient(theta)
    step = ht.HAMStep(experiment._FLAT).step(theta, gradient, rate)
    np.testing.assert_array_equal(step, ht.GD().step(theta, gradient, rate))


@pytest.mark.parametrize("gamma", [0.0, 0.3])
def test_factors_at_the_start(gamma):
    theta = jnp.linspace(-1, 1, 6)
    rule, start = jax.vmap(lambda t: experiment._rule(CONFIG, "product", t, 1.0, jnp.asarray(gamma), 5))(theta[None])
    assert isinstance(rule, ht.ProductGD) and (start == 0).all()
    m, w = np.asarray(rule.m0).ravel(), np.asarray(rule.w0).ravel()
    np.testing.assert_allclose(m * w, np.asarray(theta), atol=1e-15)
    np.testing.assert_allclose(m**2 - w**2, np.full(6, 2 * gamma), atol=1e-14)
    assert gamma or (np.abs(m) == np.abs(w)).all()


def test_figure(data):
    import matplotlib.pyplot as plt

    figure = figure_module.draw(data)
    axes = figure.axes
    assert [ax.get_title(loc="left")[1] for ax in axes] == list("abcdefghi")
    assert all(ax.get_xlabel() or ax.get_xticklabels() for ax in axes)
    for column, noise in enumerate(experiment.NOISES):
        for rule, line in zip(data["rule"].values, axes[column].lines, strict=True):
            drawn = data["gross"].sel(rule=rule, noise=noise, start="wrong").isel(step=slice(1, None))
            np.testing.assert_allclose(np.array(line.get_ydata()), drawn.median(("problem", "draw")).values)
    plt.close(figure)
