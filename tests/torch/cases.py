"""The trainings that optax and PyTorch both do, step by step: a linear layer on sixteen samples, in float64."""

import numpy as np

STEPS = 200
RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.standard_normal((16, 4)), 2 * RNG.standard_normal((16, 3))
START = {"w": RNG.standard_normal((4, 3)), "b": RNG.standard_normal(3)}

ETA, ALPHA, BETA = 0.05, 3.0, 0.02
OTHER = {"lr": 0.02, "alpha": 8.0, "beta": 0.0}  # of the second group
CLIP = 0.02  # of the exponent, which is clamped then at most steps
MOST = 0.05  # of a gradient, to which it is clamped
DECAY = 0.1


def schedule(k):
    """η at step k."""
    return ETA / (1 + 0.1 * k)


NAMES = ("sgd", "momentum", "adamw", "schedule", "clip", "clamped_gradients", "groups", "everywhere", "natural")
