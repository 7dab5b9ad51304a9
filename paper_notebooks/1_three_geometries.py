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
# # Three geometries in ten minutes
#
# One equation, two unknowns: a line of solutions. Gradient descent, gradient descent on factors $\theta = m \odot w$,
# and HAM [jacobs2026ham] all reach the line, and end at different points of it. Which one is decided before the first
# step, by the inverse metric of the flow $\dot\theta = -g^{-1}(\theta) \odot \nabla f(\theta)$ and by the start.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import hamtheory as ht

SMOKE = bool(os.environ.get("HAMTHEORY_SMOKE"))  # if set, everything is smaller; nothing else changes

# %%
problem = ht.LinearRegression([[1.0, 2.0]], [2.0])  # θ₁ + 2θ₂ = 2
geometries = {
    "gradient descent": (ht.Euclidean(), "black"),
    "$m \\odot w$, $\\gamma = 10^{-3}$": (ht.Hypentropy(gamma=1e-3), "#D55E00"),
    "HAM, $\\alpha = 10$": (ht.HAM(alpha=10.0), "#0072B2"),
}
starts = [[0.0, 0.0], [-1.4, -0.5], [0.7, -0.3]][: 2 if SMOKE else 3]
ends = {}

figure, axes = plt.subplots(1, 3, figsize=(10, 3.9), sharex=True, sharey=True, layout="constrained")
grid = np.stack(np.meshgrid(*2 * [np.linspace(-2.4, 2.4, 101 if SMOKE else 401)]), axis=-1)
for ax, (name, (geo, colour)) in zip(axes, geometries.items(), strict=True):
    ax.plot([-2.4, 2.4], [2.2, -0.2], color="0.6", linewidth=3, zorder=1)
    for start in starts:
        flow, limit = ht.solve_flow(problem, geo, start), ht.solve_limit(problem, geo, start)
        ends[name, tuple(start)] = flow, limit
        level = float(ht.bregman_divergence(geo, limit.theta, start))
        ax.contourf(
            *np.moveaxis(grid, -1, 0), ht.bregman_divergence(geo, grid, start), [0, level], colors=colour, alpha=0.1
        )
        ax.plot(*flow.thetas.T, color=colour, zorder=3)
        ax.plot(*start, "o", color=colour, markerfacecolor="white", zorder=4)
        ax.plot(*limit.theta, "o", color=colour, zorder=4)
    ax.set(title=name, xlabel="$\\theta_1$", xlim=(-2, 2.4), ylim=(-1.5, 1.9), aspect="equal")
axes[0].set_ylabel("$\\theta_2$")
plt.show()

# %% [markdown]
# Grey: the solutions. Lines: the flows, from their starts (open circles) to their limits (dots). Shaded: the points
# that are as near to the start as the limit is, in the Bregman divergence of the potential with $R'' = 1/g^{-1}$. Each
# shaded set touches the line of solutions at one point, and that is where the flow ends. This is proved, for any
# separable metric that is positive: `flow.bregman-projection`. Nothing has to be integrated to find the limit: the dots
# come from Newton's method on the dual problem, with a duality gap as the certificate, `flow.duality-gap`.

# %%
for flow, limit in ends.values():
    assert abs(flow.theta - limit.theta).max() < 1e-6  # the flow ends where Newton's method says
    assert limit.residual < 1e-10 and abs(limit.stats["relative_gap"]) < 1e-10
print(f"{len(ends)} flows, each of them ends at its limit")

# %% [markdown]
# The same without any of the solvers: walk along the solutions, and look for the smallest divergence from the start.

# %%
x = np.linspace(-3, 3, 10_001 if SMOKE else 100_001)
line = np.stack([x, (2 - x) / 2], axis=-1)
for (name, start), (_, limit) in ends.items():
    divergence = ht.bregman_divergence(geometries[name][0], line, list(start))
    assert abs(line[divergence.argmin()] - limit.theta).max() < 2 * (x[1] - x[0])

# %% [markdown]
# ## Three metrics
#
# What differs is $g^{-1}$ alone: 1 for gradient descent (`geometry.gd`), $2\sqrt{\theta^2 + \gamma^2}$ for the factors
# (`geometry.mw`), $1 + \alpha|\theta|$ for HAM (`geometry.ham`). Far from zero the last two grow alike, so that large
# entries move fast and the limit from zero is nearly sparse. At zero they differ: $m \odot w$ has $2\gamma$ there and
# all but stops, HAM has 1 and is never slower than gradient descent.

# %%
theta = np.linspace(-1, 1, 401)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for (name, (geo, colour)), style in zip(geometries.items(), ("-", "--", "-."), strict=True):
    axes[0].plot(theta, geo.inverse_metric(theta), color=colour, linestyle=style, label=name)
    axes[1].plot(theta, geo.potential(theta) / geo.potential(1.0), color=colour, linestyle=style, label=name)
axes[0].set(yscale="log", xticks=(-1, 0, 1), xlabel="$\\theta$", ylabel="inverse metric $g^{-1}(\\theta)$")
axes[1].set(xticks=(-1, 0, 1), xlabel="$\\theta$", ylabel="potential $R(\\theta) / R(1)$")
axes[1].legend(frameon=False, loc="upper center")
plt.show()

# %% [markdown]
# The potentials lie between $\theta^2$ and $|\theta|$. Hence the way from L2 to L1, which is the second story.
#
# ## Two of the three are nearly one
#
# With $\gamma = 1/\alpha$ the metrics of HAM and of $m \odot w$ agree up to a unit of time and a factor of $\sqrt 2$,
# and so do the potentials. This is proved (`geometry.sandwich`). Their limits are then close to each other, which the
# theorem does not say; we only look at it here.

# %%
alpha = 10.0
wide = np.concatenate([[0.0], np.logspace(-8, 8, 1001)])
ratio = ht.HAM(alpha=alpha).inverse_metric(wide) / (alpha / 2 * ht.Hypentropy(gamma=1 / alpha).inverse_metric(wide))
assert ratio.min() > 1 - 1e-12 and ratio.max() < 2**0.5 + 1e-12
limits = [
    ht.solve_limit(problem, geo, starts[1]).theta for geo in (ht.HAM(alpha=alpha), ht.Hypentropy(gamma=1 / alpha))
]
print("HAM", limits[0].round(3), " m⊙w with γ = 1/α", limits[1].round(3))

# %% [markdown]
# **Proved:** the limit is the projection, whatever the separable metric; the factor of $\sqrt 2$. Both assume that
# there is no weight decay; with it HAM ends between ridge and lasso, `ham.stationarity`, and the factors at the lasso,
# `mw.lasso`.
#
# **Only seen:** where these particular flows pass on their way.
