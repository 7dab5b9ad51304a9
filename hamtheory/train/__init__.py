"""Sparse and dense training of small networks on real images, with and without HAM, many seeds at once."""

from ._data import Images, images
from ._density import cubic_sparsity, layer_counts, layer_densities
from ._dynamic import ACDC, Alternating, RigL
from ._loop import steps_of, train
from ._masks import sparsified
from ._method import AbstractMethod
from ._models import CNN, MLP, LeNet, StridedCNN
from ._products import PILoT, Product, SignIn, Spred
from ._recipe import METHODS, Recipe, decays, method_of
from ._result import TrainResult
from ._static import Dense, Gradual, MagnitudePruning, OneShot, RandomPruning
from ._statistics import Interval, Paired, interval, paired, sampling_error
from ._sweep import Arm, TrainingSpec
from ._threshold import STR, Thresholded

__all__ = [
    "ACDC",
    "CNN",
    "METHODS",
    "MLP",
    "STR",
    "AbstractMethod",
    "Alternating",
    "Arm",
    "Dense",
    "Gradual",
    "Images",
    "Interval",
    "LeNet",
    "MagnitudePruning",
    "OneShot",
    "PILoT",
    "Paired",
    "Product",
    "RandomPruning",
    "Recipe",
    "RigL",
    "SignIn",
    "Spred",
    "StridedCNN",
    "Thresholded",
    "TrainResult",
    "TrainingSpec",
    "cubic_sparsity",
    "decays",
    "images",
    "interval",
    "layer_counts",
    "layer_densities",
    "method_of",
    "paired",
    "sampling_error",
    "sparsified",
    "steps_of",
    "train",
]
