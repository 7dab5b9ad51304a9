"""Blobs that are learnt in a few steps, and a network for them."""

import numpy as np

import hamtheory.train as htt

SHAPE, CLASSES = (8, 8), 3


def blobs(rng, images):
    y = np.arange(images) % CLASSES
    x = 0.3 * rng.normal(size=(images, *SHAPE))
    x[np.arange(images), y, y] += 2.0
    return x.astype(np.float32), y.astype(np.int32)


def toy():
    rng = np.random.default_rng(0)
    return htt.Images("toy", *blobs(rng, 60), *blobs(rng, 12), *blobs(rng, 15), classes=CLASSES, seed=0, scale="unit")


def changed(name, change):
    """The toy images with a change to one of the arrays."""
    array = getattr(toy(), name).copy()
    return {name: change(array)}


def with_(value, *place):
    def change(array):
        array[place] = value
        return array

    return change


def model(key):
    return htt.MLP(SHAPE, CLASSES, (8,), key=key)
