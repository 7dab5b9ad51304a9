"""Problems with d = 40 for the tests of limits from L2 to L1, and how far a vector is from what it should be.

`ell` is ln α for HAM and ln 1/γ for m⊙w, so that large is L1 for both.
"""

import jax.numpy as jnp
import numpy as np

import hamtheory as ht

FAMILIES = [ht.HAM, ht.Hypentropy]
KINDS = ["gaussian", "uneven", "correlated", "signs"]
D = 40
GRID = np.concatenate([np.linspace(-30, 30, 13), [40, 60, 100, 200, 500, 1000, 2000, 5000, 7000, 9000, 1e4]])
TOL = 1e-10  # of the solver, for the residual and the relative gap


def at(family, ell):
    return family.at_log(jnp.asarray(ell if family is ht.HAM else -ell, float))


def logs(family, ells):
    return np.asarray(ells) if family is ht.HAM else -np.asarray(ells)


def instance(kind, n, seed=17):
    """k = n/2 spikes of random sizes: fewer than n, but too many for basis pursuit to find them in general."""
    rng = np.random.default_rng([seed, n, KINDS.index(kind)])
    X = rng.standard_normal((n, D))
    if kind == "uneven":
        X *= 10.0 ** rng.uniform(-1, 1, D)
    elif kind == "correlated":
        X = rng.standard_normal((n, 3)) @ rng.standard_normal((3, D)) + 0.3 * X
    elif kind == "signs":
        X = np.sign(X)
    spikes = np.zeros(D)
    k = max(1, n // 2)
    spikes[rng.choice(D, k, replace=False)] = rng.standard_normal(k)
    return ht.LinearRegression(X, X @ spikes)


def facet(n, size, margin, seed=0):
    """A problem with a known certificate `c = Xᵀν`: |c| is 1 on the first `size` columns, at most 1 − margin elsewhere.

    Every interpolator that lives on the first columns, with the signs of c, has the least L1 norm. One is returned.
    """
    rng = np.random.default_rng(seed)
    nu = rng.standard_normal(n)
    nu /= np.linalg.norm(nu)
    c = np.concatenate([rng.choice([-1.0, 1.0], size), (1 - 2 * margin) * rng.uniform(-1, 1, D - size)])
    c[-1] = 1 - margin
    X = rng.standard_normal((n, D))
    X += np.outer(nu, c - nu @ X)
    spikes = np.where(np.abs(c) == 1, c * rng.uniform(0.2, 2, D), 0)
    return ht.LinearRegression(X, X @ spikes), c, spikes


def relative(theta, reference):
    return float(np.linalg.norm(np.asarray(theta) - np.asarray(reference)) / np.linalg.norm(reference))


def out_of_row_space(X, vector):
    """The part of a vector outside of row(X), relative to its size."""
    Q = np.linalg.svd(np.asarray(X), full_matrices=False)[2]
    return float(np.linalg.norm(vector - Q.T @ (Q @ vector)) / np.linalg.norm(vector))
