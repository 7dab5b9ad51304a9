"""Geometries: an inverse metric and everything that follows from it."""

from .._array import namespace
from ._base import AbstractExponentialGeometry, AbstractGeometry
from ._check import believe, check_geometry, refuse_dead_zone
from ._diagonal_network import DiagonalNetwork
from ._divergence import bregman_divergence, divergence_terms
from ._euclidean import Euclidean
from ._finetuning import FineTuning, finetuning
from ._ham import HAM
from ._horizon import Horizon
from ._hypentropy import Hypentropy
from ._linearized_bregman import LinearizedBregman
from ._named import arguments_of, name_of, named, names
from ._penalty import Penalty

__all__ = [
    "HAM",
    "AbstractExponentialGeometry",
    "AbstractGeometry",
    "DiagonalNetwork",
    "Euclidean",
    "FineTuning",
    "Horizon",
    "Hypentropy",
    "LinearizedBregman",
    "Penalty",
    "arguments_of",
    "believe",
    "bregman_divergence",
    "check_geometry",
    "divergence_terms",
    "finetuning",
    "name_of",
    "named",
    "names",
    "namespace",
    "refuse_dead_zone",
]
