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
# # Who crosses zero?
#
# A weight starts with the wrong sign. Gradient descent carries it through zero, balanced factors $m \odot w$ never do,
# and what lies between is a matter of time: the smaller the metric at zero, the longer the weight is stuck there. HAM's
# metric, $1 + \alpha|\theta|$, is never below that of gradient descent.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import hamtheory as ht

SMOKE = bool(os.environ.get("HAMTHEORY_SMOKE"))  # if set, everything is smaller; nothing else changes

# %%
a, y, end = 1.0, 1.0, 6.0  # from −a, to the target y, f = (θ − y)²/2
problem = ht.LinearRegression([[1.0]], [y])
lines = {  # geometry, colour, line style
    "gradient descent": (ht.Euclidean(), "black", "-"),
    "HAM, $\\alpha = 10$": (ht.HAM(alpha=10.0), "#0072B2", "-"),
    "$m \\odot w$, $\\gamma = 10^{-1}$": (ht.Hypentropy(gamma=1e-1), "#E69F00", "-"),
    "$m \\odot w$, $\\gamma = 10^{-3}$": (ht.Hypentropy(gamma=1e-3), "#D55E00", "-"),
}
times = np.linspace(0.0, end, 101 if SMOKE else 501)[1:]
flows, passage = {}, {}

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.axhline(0, color="0.8", zorder=0)
for name, (geo, colour, style) in lines.items():
    flows[name] = ht.solve_flow(problem, geo, [-a], ts=times)
    passage[name] = ht.signs.first_passage_time(geo, a, y)
    ax.plot(times, flows[name].thetas[:, 0], color=colour, linestyle=style, label=name)
    ax.plot(passage[name], 0, "o", color=colour)
balanced = ht.product_flow(problem, [a**0.5], [-(a**0.5)], ts=times, throw=False)  # it ends "stuck"
ax.plot(times, balanced.thetas[:, 0], "--", color="#CC79A7", label="$m \\odot w$, balanced")
ax.set(xlabel="time $t$", ylabel="$\\theta$", xlim=(0, end), ylim=(-1.05, 1.05))
ax.legend(frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# The dots are not read off the flows: they are the first-passage times $T = \int_0^a ds / (g^{-1}(s)(y + s))$ in closed
# form (`signs.passage`). The flow itself, integrated again and searched for roots, agrees.

# %%
for name, flow in flows.items():
    assert abs(ht.signs.flip_times(flow)[0] / passage[name] - 1) < 1e-7
assert passage["HAM, $\\alpha = 10$"] < passage["gradient descent"]

# %% [markdown]
# The dashed line is at zero for good. Where $|m| = |w|$ at the start it stays so, and θ keeps its sign for all times,
# under any differentiable loss and with weight decay (`mw.balanced-no-flip`).

# %%
assert bool(np.all(balanced.thetas < 0))

# %% [markdown]
# With an imbalance, however small, the weight does cross: later by only $\ln(1/\gamma)/2y$. So "cannot flip" is a
# statement about an exact tie. Over sixteen orders of magnitude of γ:

# %%
gammas = np.logspace(-16, 0, 9 if SMOKE else 65)
waits = ht.signs.first_passage_time(ht.Hypentropy(gamma=gammas), a, y)
slope = np.diff(waits[gammas < 1e-4]) / np.diff(-np.log(gammas[gammas < 1e-4]))
assert np.allclose(slope, 1 / (2 * y), rtol=1e-3)

figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(gammas, waits, color="#D55E00", label="$m \\odot w$")
for name, style in (("gradient descent", ":"), ("HAM, $\\alpha = 10$", "--")):
    ax.axhline(passage[name], color=lines[name][1], linestyle=style, label=name)
ax.set(xscale="log", ylim=(0, None), xlabel="imbalance $\\gamma$", ylabel="time of crossing zero")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Many coordinates: is it enough to come right?
#
# A sparse regression, started with every sign of the truth wrong. Which signs are right at the end, and when did the
# last one come right? No theorem here says so; these are two flows, and flips are counted at the roots of the
# integrator's dense output, not between saves.

# %%
sparse = ht.sparse_regression(n=12, d=20, k=2) if SMOKE else ht.sparse_regression(n=40, d=100, k=5)
start = -0.1 * sparse.theta_star
pairs = [("HAM, α = 100", ht.HAM(alpha=100.0)), ("gradient descent", ht.Euclidean())]
for name, geo in pairs[: 1 if SMOKE else 2]:
    flow, limit = ht.solve_flow(sparse, geo, start), ht.solve_limit(sparse, geo, start)
    assert abs(flow.theta - limit.theta).max() < 1e-6  # the limit does not care how often signs have flipped
    events = ht.signs.flip_events(flow)
    right = float(ht.signs.agreement(flow.theta, sparse.theta_star))
    when = float(ht.signs.recovery_time(events, sparse.theta_star))
    error = float(ht.metrics.distance(flow.theta, sparse.theta_star))
    flips = int(events.gross.sum())
    print(f"{name:17} right {right:.0%} from t = {when:.3f}, {flips} flips, distance to the truth {error:.2f}")

# %% [markdown]
# That flow and limit agree is again `flow.bregman-projection`: from a wrong start, too, the limit is a projection.
#
# ## Two layers: the ratio decides
#
# One hidden neuron, $a\,\sigma(wz)$, learns $\sigma(z)$ from $a_0 < 0 < w_0$. With HAM on *both* layers it succeeds
# exactly where gradient descent does, $|a_0| < w_0$; with HAM on the outer layer alone the basin is larger
# (`ham.neuron`). So it is not HAM that helps here, but a difference between the layers. Imbalanced factors do the same,
# `signin.neuron` [gadhikar2025signin].

# %%
size, width = np.meshgrid(np.linspace(0.05, 2, 12 if SMOKE else 30), np.linspace(0.05, 2, 12 if SMOKE else 30))
both = ht.neuron.Neuron(ht.HAM(alpha=5.0), ht.HAM(alpha=5.0))
outer = ht.neuron.Neuron(ht.HAM(alpha=5.0), ht.Euclidean())
assert np.array_equal(both.recovers(-size, width), size < width - 1e-12)
boundary = 5.0**-1 * size - 5.0**-2 * np.log1p(5.0 * size) < width**2 / 2
assert np.array_equal(outer.recovers(-size, width), boundary)
shares = np.mean(size < width), boundary.mean()
print(f"share of the square that recovers: both layers {shares[0]:.2f}, outer layer only {shares[1]:.2f}")

# %% [markdown]
# **Proved:** the passage times, that balanced factors keep their sign, the basins of the neuron. **Only seen:** the
# flips of the regression, and how near it comes to the truth.
