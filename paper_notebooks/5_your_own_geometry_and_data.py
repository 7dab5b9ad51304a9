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
# # Your own geometry, your own data
#
# Write down an inverse metric, and hand over two arrays. The potential, the mirror map and the limit follow, and a
# certificate says whether to believe the limit. Here the metric is $1 + a\theta^2$, which no paper in the references
# uses, and the data are those of the diabetes study of scikit-learn, with all products of two features.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

import hamtheory as ht

SMOKE = bool(os.environ.get("HAMTHEORY_SMOKE"))  # if set, everything is smaller; nothing else changes

# %%
features, progression = load_diabetes(return_X_y=True)
i, j = np.triu_indices(features.shape[1])
products = np.hstack([features, features[:, i] * features[:, j]])
train = np.random.default_rng(0).permutation(len(progression))[: 12 if SMOKE else 30]
held_out = np.setdiff1d(np.arange(len(progression)), train)
mean, deviation = products[train].mean(axis=0), products[train].std(axis=0)
X, y = (products - mean) / deviation, (progression - progression[train].mean()) / progression[train].std()
problem = ht.LinearRegression(X[train], y[train])  # 30 patients, 65 columns: many interpolators

geometries = {
    "gradient descent": (ht.Euclidean(), "black"),
    "HAM, $\\alpha = 10^4$": (ht.HAM(alpha=1e4), "#0072B2"),
    "$1 + a\\theta^2$, $a = 10^4$": (ht.symbolic.geometry("1 + a*theta**2", a=1e4), "#009E73"),
}
limits = {name: ht.solve_limit(problem, geo) for name, (geo, _) in geometries.items()}

figure, (shape, sizes) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
theta = np.linspace(-1, 1, 401)
for (name, (geo, colour)), style in zip(geometries.items(), ("-", "--", "-."), strict=True):
    shape.plot(theta, geo.potential(theta) / geo.potential(1.0), color=colour, linestyle=style, label=name)
    ordered = np.sort(abs(limits[name].theta))[::-1]
    sizes.plot(np.arange(1, problem.d + 1), ordered, color=colour, linestyle=style)
least_l1 = np.sort(abs(ht.basis_pursuit(problem)))[::-1]
sizes.plot(np.arange(1, problem.d + 1), least_l1, "_", color="#D55E00", label="least L1 norm")
shape.set(xticks=(-1, 0, 1), xlabel="$\\theta$", ylabel="potential $R(\\theta) / R(1)$")
sizes.set(xlabel="entry, from the largest", ylabel="its size $|\\theta_i|$ in the limit")
shape.legend(frameon=False)
sizes.legend(frameon=False)
plt.show()

# %% [markdown]
# Left: the three potentials. Right: the entries of the three limits, by size. Yours lies between gradient descent and
# the least L1 norm.
#
# ## Believe it or not
#
# Three things make a new geometry trustworthy. Its functions must fit each other: `check_geometry` compares them with
# automatic differentiation and with quadrature. The limit must interpolate with no duality gap (`flow.duality-gap`).
# And its mirror coordinates must lie in the row space of X, which no flow from zero leaves (`flow.dual-coordinates`).
# Then it is the limit, for every separable metric that is positive, as long as the flow converges to an interpolator
# (`flow.bregman-projection`).

# %%
mine = geometries["$1 + a\\theta^2$, $a = 10^4$"][0]
ht.geometry.check_geometry(mine)
for name, limit in limits.items():
    assert limit.residual < 1e-10 and abs(limit.stats["relative_gap"]) < 1e-10
    assert ht.metrics.invariant_drift(problem, geometries[name][0], limit.theta, np.zeros(problem.d)) < 1e-8

# %% [markdown]
# ## What follows from the formula
#
# SymPy has derived it, and where it finds no closed form the library integrates numerically, and says so in `notes`.

# %%
derivation = ht.symbolic.derive("1 + a*theta**2", parameter="a")
print("mirror map  ", derivation.mirror_map)
print("potential   ", derivation.potential)
print("its limits  ", *derivation.limits(), sep="   ")
print("its bound   ", derivation.mirror_bound)
assert np.allclose(mine.mirror_map(theta), np.arctan(100 * theta) / 100, rtol=1e-12, atol=0)

# %% [markdown]
# The two limits say that this family, too, goes from L2 to L1 with its parameter. But it is not a copy of HAM. HAM's
# mirror map is unbounded, and its potential grows faster than any multiple of |θ|, as it does for every metric that
# grows at most linearly (`geometry.legendre`). This one's mirror map is bounded, by $\pi/(2\sqrt a)$: the dual
# variables live in a box, and for μ beyond the bound there is no θ. Results that need an unbounded mirror map are not
# inherited.

# %%
assert np.isclose(mine.mirror_bound(), np.pi / 200, rtol=1e-12) and np.isinf(ht.HAM(alpha=1e4).mirror_bound())
assert abs(mine.mirror_map(limits["$1 + a\\theta^2$, $a = 10^4$"].theta)).max() < mine.mirror_bound()

# %% [markdown]
# ## Does the bias help on these data?
#
# A question for held-out patients, not for a theorem. One curve for each family, over its parameter: the error at the
# left is gradient descent's, whatever the family.

# %%
strengths = np.logspace(-4, 4, 5 if SMOKE else 17)
families = {
    "HAM, against $\\alpha$": (lambda s: ht.HAM(alpha=s), "#0072B2", "-"),
    "$1 + a\\theta^2$, against $\\sqrt{a}$": (
        lambda s: ht.symbolic.geometry("1 + a*theta**2", a=s**2),
        "#009E73",
        "-.",
    ),
}


def error_of(theta):
    """The root mean square error on held-out patients, in standard deviations of the training targets."""
    return float(np.sqrt(np.mean((X[held_out] @ theta - y[held_out]) ** 2)))


figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for name, (family, colour, style) in families.items():
    found = [ht.solve_limit(problem, family(s)) for s in strengths]
    ax.plot(strengths, [error_of(limit.theta) for limit in found], color=colour, linestyle=style, label=name)
    assert max(limit.residual for limit in found) < 1e-9
    assert abs(found[0].theta - ht.min_norm(problem)).max() < 1e-3
ax.axhline(error_of(ht.min_norm(problem)), color="black", linewidth=0.8, label="least L2 norm")
ax.axhline(error_of(ht.basis_pursuit(problem)), color="#D55E00", linewidth=0.8, linestyle="--", label="least L1 norm")
ax.axhline(error_of(0 * theta[: problem.d]), color="0.5", linewidth=0.8, linestyle=":", label="the mean alone")
ax.set(xscale="log", xlabel="strength", ylabel="error on held-out patients")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# Interpolation is the wrong goal where the targets are noisy, as they are here. Weight decay ends between ridge and
# lasso instead (`ham.stationarity`): `ht.regularization_path(problem, ht.HAM(alpha=1e4), [0.01, 0.1, 1.0])`.
#
# **Proved:** the projection, for your metric, too, as long as the flow converges to an interpolator. **Derived and
# compared with quadrature:** its potential. **Only seen:** everything about the error on held-out patients.
