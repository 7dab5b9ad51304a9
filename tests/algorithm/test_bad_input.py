"""Bad input is refused before any work, with a message that names the argument."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hamtheory as ht

PROBLEM = ht.sparse_regression(4, 8, 2)
ONES = [1.0] * 8
KEY = jax.random.key(0)


def run(algorithm=None, theta0=None, learning_rate=0.1, steps=5, **how):
    return ht.run(PROBLEM, algorithm or ht.GD(), theta0, learning_rate=learning_rate, steps=steps, **how)


class Made(ht.algorithm.AbstractBase):
    """A base whose direction is what it is told."""

    what: Callable = eqx.field(static=True)

    def direction(self, memory, gradient, theta):
        return self.what(gradient)


BAD = {
    "alpha = 0": (lambda: ht.HAMStep(0.0), ValueError, "alpha must be positive; got 0.0"),
    "alpha = NaN": (lambda: ht.HYP(np.nan), ValueError, "alpha must be finite; got nan"),
    "alpha of another shape": (lambda: run(ht.HAMStep([1.0, 2.0])), ValueError, r"alpha .* shape \(8,\).*vmap"),
    "beta < 0": (lambda: ht.HAMStep(1.0, -0.1), ValueError, "beta must not be negative; got -0.1"),
    "beta of exponentiated": (lambda: ht.Exponentiated(-1), ValueError, "beta must not be negative; got -1.0"),
    "clip": (lambda: ht.HYP(1.0, clip=0.0), ValueError, "clip must be positive"),
    "q < 1": (lambda: ht.algorithm.SteepestDescent(0.5), ValueError, "q must be from 1, .* to 2, .*; got 0.5"),
    "q > 2": (lambda: ht.algorithm.SteepestDescent([1.0, 2.5]), ValueError, r"q must be from 1, .*; got \[1"),
    "q is NaN": (lambda: ht.algorithm.SteepestDescent(np.nan), ValueError, "q must be finite"),
    "q of another shape": (lambda: run(ht.algorithm.SteepestDescent([1.0, 2.0])), ValueError, r"q .* shape \(8,\)"),
    "q of an optimizer": (lambda: ht.optim.steepest(0.1, q=3.0), ValueError, "q must be from 1, .*; got 3"),
    "base": (lambda: ht.HAMStep(1.0, base="adam"), TypeError, r"base must be a rule .*optax\.adam\(1\.0\).*got 'adam'"),
    "base of factors": (lambda: ht.HAMStep(1.0, base=ht.ProductGD(gamma=1.0)), TypeError, "base must be a rule"),
    "optimizer": (lambda: ht.algorithm.Optax("adam"), TypeError, "optimizer must be one of optax"),
    "line search": (
        lambda: run(ht.HAMStep(1.0, base=optax.lbfgs())),
        TypeError,
        "optimizer must take gradients, its state and θ, and nothing else: .* missing",
    ),
    "rate of an optimizer": (lambda: ht.optim.steepest(-0.1), ValueError, "learning_rate must be positive .* got -0.1"),
    "no rate": (lambda: ht.optim.steepest(None), ValueError, "learning_rate must hold real numbers"),
    "direction alone": (lambda: run(Made(lambda g: g)), TypeError, "direction of Made must return p and what to reme"),
    "short direction": (
        lambda: run(Made(lambda g: (g[:2], None))),
        ValueError,
        r"p of the shape of theta, \(8,\); got",
    ),
    "other memory": (lambda: run(Made(lambda g: (g, g))), ValueError, "this as `memory` has it, None; got"),
    "drift": (
        lambda: ht.stochastic_flow(
            PROBLEM,
            ht.HAMStep(1.0, base=ht.algorithm.SteepestDescent()),
            learning_rate=0.1,
            ts=[1.0],
            batch_size=2,
            key=KEY,
        ),
        TypeError,
        "algorithm must be one whose of_flow and mirror_drift are known",
    ),
    "gradient_below": (lambda: ht.HYP(1.0, gradient_below=-1.0), ValueError, "gradient_below must not be negative"),
    "weight_decay": (lambda: ht.ProductGD(-1.0), ValueError, "weight_decay must not be negative; got -1.0"),
    "gamma": (lambda: ht.ProductGD(gamma=-1.0), ValueError, "gamma must not be negative; got -1.0"),
    "reset_every": (lambda: ht.ProductGD(reset_every=0), ValueError, "reset_every must be at least 1; got 0"),
    "reset_gamma": (lambda: ht.ProductGD(reset_gamma=0), ValueError, "reset_gamma must be positive"),
    "m0 alone": (lambda: ht.ProductGD(m0=ONES), ValueError, "both m0 and w0"),
    "m0 and gamma": (lambda: ht.ProductGD(gamma=1.0, m0=ONES, w0=ONES), ValueError, "either gamma, or m0 and w0"),
    "shape of m0": (lambda: run(ht.ProductGD(m0=[1.0], w0=[1.0])), ValueError, r"m0 must have shape \(8,\)"),
    "two starts": (lambda: run(ht.ProductGD(m0=ONES, w0=ONES), ONES), ValueError, "theta0 must be left out"),
    "exponentiated from 0": (lambda: run(ht.Exponentiated()), ValueError, r"theta0 must not be 0.*np\.full"),
    "product from 0": (lambda: run(ht.ProductGD()), ValueError, "cannot leave m = w = 0: give gamma > 0"),
    "product of zeros": (
        lambda: run(ht.ProductGD(m0=np.zeros(8), w0=np.zeros(8))),
        ValueError,
        "cannot leave m = w = 0",
    ),
    "hyperbolic step from 0": (
        lambda: run(ht.HAMStep(1.0, gradient_below=0.0)),
        ValueError,
        "theta0 must not be 0 with gradient_below=0",
    ),
    "class": (lambda: run(ht.GD), TypeError, r"algorithm must be one such as ht\.GD\(\)"),
    "theta0": (lambda: run(theta0=[1.0]), ValueError, r"theta0 must have shape \(8,\)"),
    "learning_rate = 0": (lambda: run(learning_rate=0.0), ValueError, "learning_rate must be positive; got 0.0"),
    "learning_rate < 0": (lambda: run(learning_rate=-1), ValueError, "learning_rate must be positive; got -1.0"),
    "learning_rate = NaN": (lambda: run(learning_rate=np.nan), ValueError, "learning_rate must be finite; got nan"),
    "learning rates": (lambda: run(learning_rate=[0.1, 0.2]), ValueError, "learning_rate must have 0 axes"),
    "schedule": (lambda: run(learning_rate=lambda k: 1.0 - k), ValueError, r"learning_rate\(4\) must not be negative"),
    "steps = 0": (lambda: run(steps=0), ValueError, "steps must be at least 1; got 0"),
    "fractional steps": (lambda: run(steps=1.5), TypeError, "steps must be an integer; got 1.5"),
    "batch_size > n": (lambda: run(batch_size=5, key=KEY), ValueError, "batch_size must be at most the 4 samples"),
    "batch_size = 0": (lambda: run(batch_size=0, key=KEY), ValueError, "batch_size must be at least 1; got 0"),
    "no key": (lambda: run(batch_size=2), ValueError, "key must be given for mini-batches"),
    "no key for the noise": (lambda: run(label_noise=0.1), ValueError, "key must be given .* label noise"),
    "seed for a key": (lambda: run(batch_size=2, key=3), TypeError, r"key must be a key such as jax\.random\.key"),
    "keys": (lambda: run(batch_size=2, key=jax.random.split(KEY)), ValueError, r"single key; got shape \(2,\)"),
    "label_noise": (lambda: run(label_noise=-1.0, key=KEY), ValueError, "label_noise must not be negative; got -1.0"),
    "save_every = 0": (lambda: run(save_every=0), ValueError, "save_every must be at least 1; got 0"),
    "too many saves": (lambda: run(steps=10**12), ValueError, "save_every=1 keeps 59604 GiB .* save less often"),
    "saves beyond the end": (lambda: run(save_every=[1, 6]), ValueError, "save_every .* from 0 to steps=5"),
    "decreasing saves": (lambda: run(save_every=[2, 1]), ValueError, "save_every must hold increasing numbers"),
    "fractional saves": (lambda: run(save_every=[0.5]), TypeError, "save_every must be an integer or hold"),
    "tol": (lambda: run(tol=0.0), ValueError, "tol must be positive"),
    "tol out of reach": (lambda: run(tol=1e-17), ValueError, "tol=1e-17 is below what float64 can reach"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.usefixtures("unchecked")
def test_is_refused(case):
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.usefixtures("unchecked")
def test_traced_numbers_are_refused_when_it_runs():
    for bad, good in ((-0.1, 0.1), (np.nan, 0.1)):
        rates = jnp.array([good, bad])
        with pytest.raises(RuntimeError, match="learning_rate must be"):
            jax.vmap(lambda rate: run(learning_rate=rate, throw=False).theta)(rates).block_until_ready()
    with pytest.raises(RuntimeError, match="theta0 must not be 0"):
        jax.jit(lambda start: run(ht.Exponentiated(), start).theta)(jnp.zeros(8)).block_until_ready()
