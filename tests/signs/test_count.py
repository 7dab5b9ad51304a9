"""Counting flips as they happen, against the trajectory; and what is made of the counts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht
from hamtheory.signs import Flips, agreement, count_flips, recovery_time, totals

PROBLEM = ht.sparse_regression(6, 12, 2, seed=0)
START = jnp.asarray(np.random.default_rng(1).normal(size=12))


def by_hand(thetas):
    """initial, sign, gross, first, last of one entry after the other, in plain Python."""
    columns = []
    for values in np.asarray(thetas).T:
        kept, initial, steps = 0, 0, []
        for step, value in enumerate(np.sign(values)):
            if value and kept and value != kept:
                steps.append(step)
            kept = value or kept
            initial = initial or kept
        columns.append((initial, kept, len(steps), *((steps[0], steps[-1]) if steps else (-1, -1))))
    return np.array(columns).T


def fields(flips):
    return np.stack([np.asarray(getattr(flips, n)) for n in ("initial", "sign", "gross", "first", "last")]).astype(int)


@pytest.mark.parametrize(
    "rule", [ht.GD(), ht.HAMStep(20.0, 0.0), ht.ProductGD(gamma=0.3)], ids=lambda r: type(r).__name__
)
def test_a_run_is_counted_as_its_trajectory(rule):
    how = {"learning_rate": 0.01, "steps": 300, "batch_size": 2, "key": jax.random.key(0)}
    plain, counted = ht.run(PROBLEM, rule, START, **how), ht.run(PROBLEM, ht.signs.FlipCounter(rule), START, **how)
    np.testing.assert_array_equal(plain.thetas, counted.thetas)
    truth = by_hand(plain.thetas)
    assert truth[2].sum() > 5
    for save in (0, 1, 57, 300):
        upto = by_hand(plain.thetas[: save + 1])
        np.testing.assert_array_equal(fields(jax.tree.map(lambda x: x[save], counted.states.flips)), upto)  # noqa: B023
    assert int(ht.signs.flips(plain.thetas).sum()) == truth[2].sum()


def test_many_runs_are_counted_one_by_one():
    rule = ht.signs.FlipCounter(ht.HAMStep(jnp.array([2.0, 20.0]), 0.0))
    starts = jnp.stack([START, -START])
    many = ht.run_many(PROBLEM, rule, starts, learning_rate=0.01, steps=200)
    for instance, alpha in enumerate((2.0, 20.0)):
        one = ht.run(PROBLEM, ht.HAMStep(alpha, 0.0), starts[instance], learning_rate=0.01, steps=200)
        flips = jax.tree.map(lambda x: x[instance], many.states.flips)  # noqa: B023
        np.testing.assert_array_equal(fields(flips), by_hand(one.thetas))


def test_a_counted_rule_knows_its_flow():
    counted = ht.signs.FlipCounter(ht.HAMStep(20.0, 0.0))
    assert isinstance(counted.of_flow(), ht.HAM)
    np.testing.assert_array_equal(counted.mirror_drift(START), ht.HAMStep(20.0, 0.0).mirror_drift(START))


def test_only_rules_are_counted(unchecked):
    with pytest.raises(TypeError, match="rule must be an algorithm"):
        ht.signs.FlipCounter(optax.sgd(0.1))


def trained(where=None, dtype=jnp.float32, steps=200):
    """A few tensors under a noisy optimizer: the optimizer's count, and the trajectory."""
    params = {"w": jnp.linspace(-1, 1, 12, dtype=dtype).reshape(3, 4), "b": jnp.array([0.0, 0.3], dtype)}
    optimizer = optax.chain(ht.optim.ham(optax.sgd(0.05), 0.05, alpha=5.0), count_flips(where))
    state, path = optimizer.init(params), [params]

    @jax.jit
    def step(params, state, key):
        grads = jax.tree.map(lambda p: p + jax.random.normal(key, p.shape, p.dtype), params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for key in jax.random.split(jax.random.key(0), steps):
        params, state = step(params, state, key)
        path.append(params)
    return state[-1], path


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
def test_the_optimizer_counts_what_the_parameters_do(dtype):
    state, path = trained(dtype=dtype)
    for name, flips in state.flips.items():
        truth = by_hand([np.asarray(p[name], float).ravel() for p in path])
        np.testing.assert_array_equal(fields(flips).reshape(5, -1), truth)
    assert truth[2].sum() > 0 and int(state.step) == 200
    found = totals(state.flips)
    assert found["entries"] == 14 == found["net"] + found["flipped_back"] + found["never"]
    assert found["gross"] == sum(int(f.gross.sum()) for f in state.flips.values())


def test_counting_changes_no_update():
    params = {"w": jnp.ones((2, 2))}
    grads = {"w": jnp.full((2, 2), 0.3)}
    for transformation in (count_flips(), count_flips(True)):
        updates, _ = transformation.update(grads, transformation.init(params), params)
        np.testing.assert_array_equal(updates["w"], grads["w"])


def test_where_chooses_the_tensors():
    state, _ = trained(where={"w": False, "b": True}, steps=2)
    assert state.flips["w"] is None and state.flips["b"].gross.shape == (2,)
    integers = {"w": jnp.ones(3), "n": jnp.arange(3)}
    assert count_flips().init(integers).flips["n"] is None


def test_counting_needs_the_parameters():
    transformation = count_flips()
    with pytest.raises(ValueError, match="params"):
        transformation.update({"w": jnp.ones(2)}, transformation.init({"w": jnp.ones(2)}))


def made(initial, sign, gross, first, last):
    return Flips(*(jnp.asarray(x) for x in (initial, sign, gross, first, last)))


def test_net_gross_and_back():
    flips = made([1, 1, 1, -1], [1, -1, 1, 1], [0, 1, 2, 3], [-1, 5, 2, 1], [-1, 5, 9, 8])
    assert flips.never.tolist() == [True, False, False, False]
    assert flips.net.tolist() == [False, True, False, True]
    assert flips.flipped_back.tolist() == [False, False, True, False]
    assert totals(flips) == {"entries": 4, "gross": 6, "net": 2, "flipped_back": 1, "never": 1}
    assert totals({"a": [flips, None], "b": flips})["gross"] == 12
    with pytest.raises(TypeError, match="flips must be"):
        totals({"a": jnp.ones(3)})


def test_recovery_is_the_last_flip_on_the_support():
    flips = made([1, -1, 1], [1, 1, 1], [0, 3, 2], [jnp.nan, 1.0, 2.0], [jnp.nan, 4.0, 9.0])
    assert float(recovery_time(flips, [1.0, 2.0, 0.0])) == 4.0
    assert float(recovery_time(flips, [1.0, 0.0, 0.0])) == 0.0
    assert float(recovery_time(flips, [1.0, -2.0, 0.0])) == np.inf
    assert np.isnan(float(recovery_time(flips, jnp.zeros(3))))
    with pytest.raises(ValueError, match="theta_star must have shape"):
        recovery_time(flips, jnp.ones(4))


def test_agreement():
    truth = np.array([1.0, -1.0, 2.0, 0.0])
    assert float(agreement([3.0, 1.0, 0.0, -1.0], truth)) == pytest.approx(1 / 3)
    assert agreement(np.stack([truth, -truth]), np.stack([truth, truth])).tolist() == [1.0, 0.0]
    assert np.isnan(float(agreement(truth, np.zeros(4))))
    with pytest.raises(ValueError, match="same shape"):
        agreement(truth.tolist(), truth[:2].tolist())
