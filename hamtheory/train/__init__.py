"""Sparse and dense training of small networks on real images, with and without HAM, many seeds at once."""

from ._data import Images, images
from ._density import cubic_sparsity, layer_counts, layer_densities
from ._dynamic import ACDC, RigL
from ._loop import steps_of, train
from ._masks import sparsified
from ._method import AbstractMethod
from ._models import CNN, MLP, LeNet
from ._products import PILoT, Product, SignIn, Spred
from ._result import TrainResult
from ._static import Dense, Gradual, MagnitudePruning, OneShot, RandomPruning
from ._threshold import STR, Thresholded

__all__ = [
    "ACDC",
    "CNN",
    "MLP",
    "STR",
    "AbstractMethod",
    "Dense",
    "Gradual",
    "Images",
    "LeNet",
    "MagnitudePruning",
    "OneShot",
    "PILoT",
    "Product",
    "RandomPruning",
    "RigL",
    "SignIn",
    "Spred",
    "Thresholded",
    "TrainResult",
    "cubic_sparsity",
    "images",
    "layer_counts",
    "layer_densities",
    "sparsified",
    "steps_of",
    "train",
]
