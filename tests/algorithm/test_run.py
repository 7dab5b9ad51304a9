"""How runs are saved, stopped, drawn and compiled."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht
from hamtheory.algorithm import _loop
from tests.slow import others_slow

N, D = 8, 20
PROBLEM = ht.sparse_regression(N, D, 2, seed=4)
START = np.random.default_rng(0).standard_normal(D)
HAM = ht.HAMStep(20.0, 0.01)
SGD = {"batch_size": 3, "key": jax.random.key(3), "label_noise": 0.1}
ADAM = optax.adam(1.0)
ALGORITHMS = {
    "gd": ht.GD(),
    "exponentiated": ht.Exponentiated(0.01),
    "hyp": ht.HYP(20.0, 0.01),
    "ham": HAM,
    "around steepest": ht.HAMStep(20.0, 0.01, base=ht.algorithm.SteepestDescent(1.5)),
    "around adam": ht.HAMStep(20.0, 0.01, base=ADAM),
    "bregman": ht.LinearizedBregmanStep(0.3, 2.0),
    "product": ht.ProductGD(0.01, gamma=0.1, reset_every=7),
}


QUICK = ("gd", "ham", "around adam", "product")  # without a state, with one, with one of another's, of two factors
SOME = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ALGORITHMS]


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, eqx.filter(a, eqx.is_array), eqx.filter(b, eqx.is_array))


def equations(jaxpr):
    """Its equations, and those of what it calls."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns") or hasattr(x, "jaxpr")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


@pytest.mark.parametrize("name", others_slow(ALGORITHMS, "ham", "product"))
@pytest.mark.parametrize("replace", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_saves_and_chunks_change_nothing(name, replace, monkeypatch):
    """Bit for bit."""

    def run(save_every):
        return ht.run(
            PROBLEM,
            ALGORITHMS[name],
            START,
            learning_rate=0.003,
            steps=500,
            save_every=save_every,
            replace=replace,
            **SGD,
        )

    everything = run(1)
    assert everything.steps.tolist() == list(range(501))
    some = run(130)
    assert some.steps.tolist() == [0, 130, 260, 390, 500]
    few = run([3, 4, 400])
    assert few.steps.tolist() == [0, 3, 4, 400, 500]
    monkeypatch.setattr(_loop, "_MOST_STEPS", 37)
    monkeypatch.setattr(_loop, "_MOST_SAVES", 4)
    for other in (some, few, run(1), run(130), run([3, 4, 400])):
        np.testing.assert_array_equal(other.thetas, everything.thetas[other.steps])
        np.testing.assert_array_equal(other.loss, everything.loss[other.steps])
        np.testing.assert_array_equal(other.theta, everything.theta)
        assert other.residual == everything.residual


def test_many_steps_need_the_memory_of_the_saves_alone():
    run = lambda: ht.run(PROBLEM, HAM, learning_rate=0.001, steps=1_000_000, save_every=250_000)  # noqa: E731
    end = run()
    assert end.thetas.shape == (5, D) and end.stats["steps"] == 1_000_000
    sizes = [out.aval.size for equation in equations(jax.make_jaxpr(run)().jaxpr) for out in equation.outvars]
    assert max(sizes) <= N * max(N, D)


def test_keys():
    run = lambda key: ht.run(PROBLEM, HAM, learning_rate=0.003, steps=50, batch_size=2, key=key)  # noqa: E731
    same(run(jax.random.key(0)), run(jax.random.key(0)))
    same(run(jax.random.key(0)), run(jax.random.PRNGKey(0)))
    assert np.any(run(jax.random.key(0)).theta != run(jax.random.key(1)).theta)
    full = ht.run(PROBLEM, HAM, learning_rate=0.003, steps=50)
    same(full, ht.run(PROBLEM, HAM, learning_rate=0.003, steps=50, key=jax.random.key(0)))


def test_epochs_take_every_sample_once():
    """One pass over one-hot samples with η = b: every visited coordinate jumps to its label, and is visited once."""
    problem = ht.LinearRegression(np.eye(6), np.arange(1.0, 7.0))
    run = lambda steps: ht.run(  # noqa: E731
        problem, ht.GD(), learning_rate=2.0, steps=steps, batch_size=2, replace=False, key=jax.random.key(5)
    )
    visited = np.asarray(run(9).thetas) != 0
    assert visited.sum(axis=1).tolist() == [0, 2, 4, 6, 6, 6, 6, 6, 6, 6]
    np.testing.assert_array_equal(run(3).theta, problem.y)


def test_schedules():
    decay = optax.exponential_decay(0.01, 100, 0.5)
    end = ht.run(PROBLEM, HAM, START, learning_rate=decay, steps=300)
    theta = jnp.asarray(START)
    for k in range(300):
        rate = 0.01 * 0.5 ** (k / 100)
        half = theta - rate * PROBLEM.gradient(theta)
        theta = half * jnp.exp(-rate * (20.0 * jnp.sign(half) * PROBLEM.gradient(theta) + 0.01))
    np.testing.assert_allclose(end.theta, theta, rtol=0, atol=1e-10)
    constant = ht.run(PROBLEM, HAM, START, learning_rate=lambda k: 0.01, steps=100)
    np.testing.assert_array_equal(constant.theta, ht.run(PROBLEM, HAM, START, learning_rate=0.01, steps=100).theta)
    cosine = ht.run(PROBLEM, HAM, START, learning_rate=optax.cosine_decay_schedule(0.01, 100), steps=150)
    np.testing.assert_array_equal(cosine.thetas[100], cosine.thetas[150])  # the rate is 0 from there on


def test_schedules_over_traced_numbers():
    rates = jnp.array([0.003, 0.01])
    many = jax.vmap(lambda rate: ht.run(PROBLEM, HAM, START, learning_rate=lambda k: rate / (1 + k), steps=50).theta)(
        rates
    )
    for rate, theta in zip(rates, many, strict=True):
        one = ht.run(PROBLEM, HAM, START, learning_rate=lambda k, rate=rate: rate / (1 + k), steps=50)
        np.testing.assert_allclose(theta, one.theta, rtol=0, atol=1e-12)


def test_tol_stops_at_the_first_save_that_is_within():
    whole = ht.run(PROBLEM, ht.GD(), learning_rate=0.1, steps=3000, save_every=10)
    within = np.flatnonzero(
        np.asarray(np.linalg.norm(PROBLEM.residual(whole.thetas), axis=1)) <= 1e-6 * np.linalg.norm(PROBLEM.y)
    )
    end = ht.run(PROBLEM, ht.GD(), learning_rate=0.1, steps=3000, save_every=10, tol=1e-6)
    assert end.result == ht.Result.converged and whole.result == ht.Result.reached_end
    assert end.steps[-1] == 10 * within[0] == end.stats["steps"] < 3000
    assert float(end.residual) <= 1e-6
    np.testing.assert_array_equal(end.thetas, whole.thetas[: within[0] + 1])


@pytest.mark.parametrize("save_every", [1, 7, 100_000])
def test_divergence_is_reported_with_its_step(save_every, monkeypatch):
    """GD on f = θ²/2 from 1 with η = 11 multiplies by −10 a step: the first power of ten beyond float64 is 10³⁰⁹."""
    problem = ht.LinearRegression([[1.0]], [0.0])
    monkeypatch.setattr(_loop, "_MOST_STEPS", 1000)
    kwargs = {"learning_rate": 11.0, "steps": 100_000, "save_every": save_every}
    with pytest.raises(RuntimeError, match=r"run: non-finite.*infinity or NaN after step 309 of 100000.*throw=False"):
        ht.run(problem, ht.GD(), [1.0], **kwargs)
    end = ht.run(problem, ht.GD(), [1.0], throw=False, **kwargs)
    assert end.result == ht.Result.nonfinite
    assert end.stats["nonfinite_step"] == 309
    assert np.all(np.isfinite(end.thetas[:-1])) and not np.all(np.isfinite(end.thetas[-1]))
    assert end.steps[-1] == {1: 309, 7: 315, 100_000: 1000}[save_every]
    np.testing.assert_allclose(np.log10(np.abs(end.thetas[:-1, 0])), end.steps[:-1], rtol=1e-12)


def test_inside_jit_and_vmap_the_end_is_repeated():
    """The instances: one converges, one runs to its end, one diverges."""
    rates = jnp.array([0.3, 1e-4, 30.0])
    kwargs = {"steps": 400, "save_every": 10, "tol": 1e-6, "throw": False}
    many = jax.jit(jax.vmap(lambda rate: ht.run(PROBLEM, ht.GD(), learning_rate=rate, **kwargs)))(rates)
    kinds = [ht.Result.converged, ht.Result.reached_end, ht.Result.nonfinite]
    for instance, (rate, kind) in enumerate(zip(rates, kinds, strict=True)):
        one = ht.run(PROBLEM, ht.GD(), learning_rate=rate, **kwargs)
        assert one.result == kind and (many.result == kind)[instance]
        last = one.steps.size - 1
        np.testing.assert_array_equal(many.steps[instance], one.steps[np.minimum(np.arange(41), last)])
        assert many.stats["nonfinite_step"][instance] == one.stats["nonfinite_step"]
        np.testing.assert_allclose(many.thetas[instance, : last + 1], one.thetas, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(many.thetas[instance, last:], many.theta[instance][None].repeat(41 - last, 0))
    with pytest.raises(RuntimeError, match="non-finite"):
        jax.vmap(lambda rate: ht.run(PROBLEM, ht.GD(), learning_rate=rate, steps=400).theta)(rates).block_until_ready()


@pytest.mark.parametrize("name", SOME)
def test_jit_is_the_same_up_to_rounding(name):
    run = lambda start: ht.run(PROBLEM, ALGORITHMS[name], start, learning_rate=0.003, steps=100, **SGD)  # noqa: E731
    one, other = run(START), eqx.filter_jit(run)(START)
    np.testing.assert_allclose(other.thetas, one.thetas, rtol=0, atol=1e-13)
    np.testing.assert_allclose(other.loss, one.loss, rtol=1e-13)


def test_vmap_equals_a_loop():
    alphas, rates = jnp.array([1.0, 20.0, 100.0]), jnp.array([0.01, 0.003, 0.001])
    keys = jax.random.split(jax.random.key(0), 3)

    def run(alpha, rate, key):
        return ht.run(
            PROBLEM, ht.HAMStep(alpha, 0.01), START, learning_rate=rate, steps=200, batch_size=3, replace=False, key=key
        )

    many = jax.jit(jax.vmap(run))(alphas, rates, keys)
    for instance in range(3):
        one = run(alphas[instance], rates[instance], keys[instance])
        np.testing.assert_allclose(many.thetas[instance], one.thetas, rtol=0, atol=1e-11)
        np.testing.assert_allclose(many.loss[instance], one.loss, rtol=0, atol=1e-11)
    end = jax.jit(jax.vmap(lambda rule: ht.run(PROBLEM, rule, START, learning_rate=0.001, steps=20).theta))
    fields = end(ht.HAMStep(alphas, jnp.full(3, 0.01)))
    for alpha, theta in zip(alphas, fields, strict=True):
        one = ht.run(PROBLEM, ht.HAMStep(alpha, 0.01), START, learning_rate=0.001, steps=20)
        np.testing.assert_allclose(theta, one.theta, rtol=0, atol=1e-12)
    decays = jnp.array([0.0, 0.1, 1.0])
    products = jax.vmap(
        lambda decay: ht.run(PROBLEM, ht.ProductGD(decay, gamma=0.1), START, learning_rate=0.01, steps=20).ms
    )(decays)
    for decay, ms in zip(decays, products, strict=True):
        one = ht.run(PROBLEM, ht.ProductGD(decay, gamma=0.1), START, learning_rate=0.01, steps=20)
        np.testing.assert_allclose(ms, one.ms, rtol=0, atol=1e-12)


def test_vmap_over_problems():
    problems = [PROBLEM, ht.sparse_regression(N, D, 2, seed=5)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
    many = jax.vmap(lambda problem: ht.run(problem, HAM, START, learning_rate=0.003, steps=50).theta)(stacked)
    for problem, theta in zip(problems, many, strict=True):
        np.testing.assert_allclose(
            theta, ht.run(problem, HAM, START, learning_rate=0.003, steps=50).theta, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("how", [{}, SGD, {**SGD, "replace": False}], ids=["all", "drawn", "epochs"])
def test_instances_share_their_products_with_the_data(name, how):
    """One problem, many instances: matrix products without a batch axis, no copy of X or of a mini-batch for each."""
    instances = 5
    jaxpr = jax.make_jaxpr(
        jax.vmap(
            lambda start, rate: ht.run(
                PROBLEM, ALGORITHMS[name], start, learning_rate=rate, steps=9, throw=False, **how
            )
        )
    )(jnp.ones((instances, D)), jnp.full(instances, 0.01))
    products = 0
    for equation in equations(jaxpr.jaxpr):
        if equation.primitive.name == "dot_general":
            (_, batch), shape = equation.params["dimension_numbers"], equation.outvars[0].aval.shape
            assert batch == ((), ()) and instances in shape
            products += 1
        if equation.primitive.name not in ("jit", "while", "cond", "scan"):
            for out in equation.outvars:
                assert out.aval.size <= 10 * instances * D and {instances, N, D} != set(out.aval.shape) != {
                    instances,
                    3,
                    D,
                }
    assert products >= 2


TRACES = []


class Counted(ht.algorithm.AbstractAlgorithm):
    """Another rule, and a note of every trace of its step."""

    rule: ht.algorithm.AbstractAlgorithm
    unused: float  # a Python number, which JAX by itself would compile in

    def init(self, problem, theta0):
        return self.rule.init(problem, theta0)

    def step(self, state, gradient, learning_rate):
        TRACES.append(type(self.rule))
        return self.rule.step(state, gradient, learning_rate)

    def theta(self, state):
        return self.rule.theta(state)


@pytest.mark.parametrize("name", others_slow(ALGORITHMS, *QUICK))
def test_compiles_once_per_shape(name):
    rules = {
        "gd": lambda a, b: ht.GD(),
        "exponentiated": lambda a, b: ht.Exponentiated(b),
        "hyp": lambda a, b: ht.HYP(a, b),
        "ham": lambda a, b: ht.HAMStep(a, b, clip=a),
        "around steepest": lambda a, b: ht.HAMStep(a, b, base=ht.algorithm.SteepestDescent(1 + b)),
        "around adam": lambda a, b: ht.HAMStep(a, b, base=ADAM),
        "bregman": lambda a, b: ht.LinearizedBregmanStep(b, a),
        "product": lambda a, b: ht.ProductGD(b, gamma=a, reset_every=int(a)),
    }

    def run(a, b, rate, steps, save_every):
        rule = Counted(rules[name](a, b), float(a))
        how = {"learning_rate": rate, "steps": steps, "save_every": save_every}
        ht.run(PROBLEM, rule, a * START, **how)
        ht.run(PROBLEM, rule, a * START, batch_size=2, key=jax.random.key(steps), **how)

    run(1.0, 0.0, 0.01, 10, 1)
    assert TRACES
    TRACES.clear()
    run(2, 0.1, np.float32(0.001), 3000, [3, 5])
    run(jnp.asarray(3.0), jnp.asarray(0.2), 1e-4, 3000, 2)
    assert not TRACES


def test_inside_jit_it_is_traced_once():
    solve = eqx.filter_jit(eqx.debug.assert_max_traces(ht.run, max_traces=1))
    for alpha, rate in ((0.5, 0.01), (7.0, 0.001)):
        for start in (jnp.zeros(D), jnp.ones(D)):
            solve(PROBLEM, ht.HAMStep(jnp.array(alpha)), start, learning_rate=jnp.array(rate), steps=10)


def test_rules_of_a_users_own():
    class Momentum(ht.algorithm.AbstractAlgorithm):
        mu: float

        def init(self, problem, theta0):
            return {"theta": theta0, "velocity": jnp.zeros_like(theta0)}

        def step(self, state, gradient, learning_rate):
            velocity = self.mu * state["velocity"] - learning_rate * gradient
            return {"theta": state["theta"] + velocity, "velocity": velocity}

        def theta(self, state):
            return state["theta"]

    end = ht.run(PROBLEM, Momentum(0.9), learning_rate=0.01, steps=1000, tol=1e-8)
    np.testing.assert_allclose(end.theta, ht.min_norm(PROBLEM), atol=1e-6)
    assert end.states["velocity"].shape == end.thetas.shape
    with pytest.raises(AttributeError, match="only runs of ProductGD"):
        _ = end.ms


@pytest.mark.parametrize("name", [*others_slow(ALGORITHMS, "gd", "product"), "strongly typed"])
def test_single_precision(name):
    single = ht.LinearRegression(np.asarray(PROBLEM.X, np.float32), np.asarray(PROBLEM.y, np.float32))
    rule = ALGORITHMS.get(name, ht.HAMStep(jnp.array(20.0, jnp.float64)))
    how = {"learning_rate": 0.003, "steps": 50, "batch_size": 3, "key": jax.random.key(3)}
    end, double = ht.run(single, rule, START, **how), ht.run(PROBLEM, rule, START, **how)
    assert end.thetas.dtype == end.loss.dtype == np.float32
    np.testing.assert_allclose(end.thetas, np.asarray(double.thetas, np.float32), rtol=0, atol=1e-4)


def test_progress_bar(capsys, monkeypatch):
    ht.run(PROBLEM, HAM, learning_rate=0.001, steps=100)
    capsys.readouterr()
    ht.run(PROBLEM, HAM, learning_rate=0.001, steps=100)
    assert capsys.readouterr().err == ""  # silent on short work
    monkeypatch.setattr(_loop, "_PATIENCE", 0.0)
    ht.run(PROBLEM, HAM, learning_rate=0.001, steps=5000)
    assert "5.00k/5.00k" in capsys.readouterr().err
    ht.run(PROBLEM, HAM, learning_rate=0.001, steps=5000, progress=False)
    assert capsys.readouterr().err == ""
