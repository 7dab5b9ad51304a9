"""Geometries: an inverse metric and everything that follows from it."""

from ._base import AbstractGeometry, AbstractStaticGeometry
from ._check import check_geometry
from ._divergence import bregman_divergence, divergence_terms
from ._euclidean import Euclidean
from ._ham import HAM
from ._hypentropy import Hypentropy

__all__ = [
    "HAM",
    "AbstractGeometry",
    "AbstractStaticGeometry",
    "Euclidean",
    "Hypentropy",
    "bregman_divergence",
    "check_geometry",
    "divergence_terms",
]
