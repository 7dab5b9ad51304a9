# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # HAM in your optax loop
#
# You have a model, a loss and an optax optimizer. HAM is one line around the optimizer: it takes the base's step, and
# then a hyperbolic one. Here an Equinox network learns the digits of scikit-learn, with Adam, with HAM around Adam,
# and, so that the comparison is fair, with HAM's weight decay alone. Both have four trials, the best of which, on
# digits for validation, is taken. Everything else, seeds and batches too, is the same.

# %%
import os

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from sklearn.datasets import load_digits

import hamtheory as ht

SMOKE = bool(os.environ.get("HAMTHEORY_SMOKE"))  # if set, everything is smaller; nothing else changes

# %%
pixels, digits = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(digits))
pixels, digits = (pixels[order] / 16).astype(np.float32), digits[order]
validation, test, learning_rate = slice(1000, 1300), slice(1300, None), 3e-3  # the first 1,000 are for training
seeds, epochs, batch = (1, 2, 100) if SMOKE else (5, 40, 50)


def loss_of(model, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(x), y).mean()


def train_with(optimizer, seed):
    """Your loop, whatever the optimizer."""
    model = eqx.nn.MLP(64, 10, 128, 1, key=jax.random.key(seed))
    state = optimizer.init(eqx.filter(model, eqx.is_array))
    start, rng = model, np.random.default_rng(seed)

    @eqx.filter_jit
    def step(model, state, x, y):
        gradients = eqx.filter_grad(loss_of)(model, x, y)
        updates, state = optimizer.update(gradients, state, eqx.filter(model, eqx.is_array))
        return eqx.apply_updates(model, updates), state

    for _ in range(epochs):
        for rows in rng.permutation(1000).reshape(-1, batch):
            model, state = step(model, state, pixels[rows], digits[rows])
    return model, state, start


def pruned_accuracy(model, kept, part):
    """On a part of the digits, with only the largest of all weights kept; biases stay."""
    weights = jnp.concatenate([abs(layer.weight).ravel() for layer in model.layers])
    bound = jnp.quantile(weights, 1 - kept)
    where = lambda m: [layer.weight for layer in m.layers]  # noqa: E731
    pruned = eqx.tree_at(where, model, [jnp.where(abs(w) >= bound, w, 0) for w in where(model)])
    return float(jnp.mean(jax.vmap(pruned)(pixels[part]).argmax(axis=1) == digits[part]))


adam = optax.adam(learning_rate)


def ham(alpha, beta):  # with α = 0 only its decay
    return ht.optim.ham(adam, learning_rate, alpha=alpha, beta=beta)


def best(trials):
    """The α and β of the network that is best on the validation digits with a tenth of its weights."""
    score = lambda trial: pruned_accuracy(train_with(ham(*trial), 100)[0], 0.1, validation)  # noqa: E731
    return max(trials[-1:] if SMOKE else trials, key=score)


decay = best([(0.0, beta) for beta in (0.1, 0.3, 1.0, 3.0)])
both = best([(alpha, beta) for alpha in (100.0, 1000.0) for beta in (0.3, 1.0)])
optimizers = {"Adam": adam, "Adam, decay alone": ham(*decay), "HAM around Adam": ham(*both)}
watched = {name: optax.chain(base, ht.signs.count_flips()) for name, base in optimizers.items()}
runs = {name: [train_with(optimizer, seed) for seed in range(seeds)] for name, optimizer in watched.items()}
kept = np.array([1.0, 0.5, 0.3, 0.2, 0.1, 0.07, 0.05, 0.03])
accuracy = {
    name: np.array([[pruned_accuracy(run[0], k, test) for k in kept] for run in group]) for name, group in runs.items()
}

looks = (("black", "--", "s"), ("#009E73", ":", "^"), ("#0072B2", "-", "o"))
figure, (pruning, sizes) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for (name, group), (colour, style, marker) in zip(runs.items(), looks, strict=True):
    pruning.plot(kept, accuracy[name].T, color=colour, alpha=0.25, linewidth=0.8, linestyle=style)
    pruning.plot(kept, accuracy[name].mean(axis=0), color=colour, linestyle=style, marker=marker, label=name)
    weights = np.concatenate([np.abs(layer.weight).ravel() for run in group for layer in run[0].layers])
    sizes.plot(np.sort(weights), np.linspace(0, 1, weights.size), color=colour, linestyle=style, label=name)
pruning.set(xscale="log", xlim=(1.1, 0.027), xlabel="share of the weights kept", ylabel="accuracy on test digits")
pruning.set_xticks([1, 0.3, 0.1, 0.03], ["1", "0.3", "0.1", "0.03"])
sizes.set(xscale="log", xlim=(1e-6, 2), xlabel="$w$", ylabel="share of the weights with $|\\theta| < w$")
pruning.legend(frameon=False)
plt.show()

# %% [markdown]
# Left: the networks after dense training, pruned by magnitude, without any training afterwards (thin: single seeds).
# Right: the sizes of the weights. The decay alone makes many of them small, too, and helps pruning little. This is
# *seen*, on one data set, with one network and a small search. That HAM's flow prefers sparse interpolators is proved
# for regression only (`geometry.ham-l1`, `flow.bregman-projection`), and its weight decay, between ridge and lasso, for
# convex losses (`ham.stationarity`). For networks, with batches and momentum, no theorem here applies.

# %%
print(f"chosen: β = {decay[1]} alone; α = {both[0]}, β = {both[1]}\n{'kept':18}", *(f"{k:6.0%}" for k in kept))
for name, values in accuracy.items():
    print(f"{name:18}", *(f"{value:6.1%}" for value in values.mean(axis=0)))
tenth = [float(values[:, kept == 0.1].mean()) for values in accuracy.values()]
assert SMOKE or tenth[2] > max(tenth[:2]) + 0.1  # in the few epochs of the smoke run nothing is to be seen

# %% [markdown]
# ## What one step does
#
# After the base's step the weights are multiplied by $\exp(-\eta(\alpha\operatorname{sign}(\theta)\,g + \beta))$, the
# exponent clipped to ±5, with the *raw* gradient g, not Adam's. Biases have one axis and get the step of the base
# alone. By hand:

# %%
theta = {"weight": jnp.array([[0.3, -0.2]]), "bias": jnp.array([0.1])}
gradient = {"weight": jnp.array([[2.0, 0.5]]), "bias": jnp.array([1.0])}
bases = {"alone": adam, "wrapped": optimizers["HAM around Adam"]}
after = {k: optax.apply_updates(theta, o.update(gradient, o.init(theta), theta)[0]) for k, o in bases.items()}
half, g, (alpha, beta) = after["alone"]["weight"], gradient["weight"], both
by_hand = half * jnp.exp(jnp.clip(-learning_rate * (alpha * jnp.sign(half) * g + beta), -5, 5))
assert np.allclose(after["wrapped"]["weight"], by_hand, rtol=1e-5)
assert np.array_equal(after["wrapped"]["bias"], after["alone"]["bias"])

# %% [markdown]
# With plain SGD as the base, and η small, the steps follow the flow of the metric $1 + \alpha|\theta|$ (`ham.flow`), to
# first order in η. We halve η, and the distance to the flow halves. No entry crosses zero here, which the theorem needs
# for this rate.

# %%
target = jnp.array([[0.8, -0.6]])
errors = []
for eta in (1e-3, 5e-4):
    rule = ht.optim.ham(optax.sgd(eta), eta, alpha=5.0, beta=0.0)
    advance = jax.jit(lambda t, s, rule=rule: rule.update(t - target, s, t))
    weights, state = jnp.array([[0.1, -0.1]]), rule.init(target)
    for _ in range(round(0.5 / eta)):
        updates, state = advance(weights, state)
        weights = optax.apply_updates(weights, updates)
    flows = [
        ht.solve_flow(ht.LinearRegression([[1.0]], [y]), ht.HAM(alpha=5.0), [0.1], ts=[0.5], rtol=1e-5, atol=1e-6)
        for y in (0.8, 0.6)  # the second coordinate is a mirror image
    ]
    errors.append(max(abs(abs(w) - flow.theta[0]) for w, flow in zip(weights[0], flows, strict=True)))
print(f"error at η = 0.001: {errors[0]:.1e}, at half of it: {errors[1]:.1e}")
assert 1.6 < errors[0] / errors[1] < 2.4

# %% [markdown]
# ## Signs
#
# `count_flips`, at the end of the chain, changes nothing and counts. A weight whose sign has changed is a net flip.

# %%
for name, group in runs.items():
    model, state, start = group[0]
    flips = ht.signs.totals(state[-1].flips)
    changed = sum(int(jnp.sum(a.weight * b.weight < 0)) for a, b in zip(start.layers, model.layers, strict=True))
    assert flips["net"] >= changed and flips["net"] + flips["flipped_back"] + flips["never"] == flips["entries"]
    rate, other = flips["gross"] / flips["entries"], flips["net"] / flips["entries"]
    print(f"{name:17} {rate:.2f} flips a parameter, {other:.1%} end with another sign")

# %% [markdown]
# Noise makes this form of HAM less sparse, and the one-step form of the same flow, `ht.optim.ham_natural`, sparser.
# **Proved** is the drift of one step (`ham.ito-drift`); what it does to networks is not.
