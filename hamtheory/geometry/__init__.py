"""Geometries: an inverse metric and everything that follows from it."""

from ._base import AbstractExponentialGeometry, AbstractGeometry, AbstractStaticGeometry
from ._check import check_geometry
from ._diagonal_network import DiagonalNetwork
from ._divergence import bregman_divergence, divergence_terms
from ._euclidean import Euclidean
from ._ham import HAM
from ._hypentropy import Hypentropy

__all__ = [
    "HAM",
    "AbstractExponentialGeometry",
    "AbstractGeometry",
    "AbstractStaticGeometry",
    "DiagonalNetwork",
    "Euclidean",
    "Hypentropy",
    "bregman_divergence",
    "check_geometry",
    "divergence_terms",
]
