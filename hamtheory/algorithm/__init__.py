"""Discrete algorithms: what gradient descent, HAM and m⊙w do with a learning rate that is not zero."""

from ._base import AbstractAlgorithm
from ._loop import RunResult
from ._product import ProductGD, ProductState
from ._rules import GD, HYP, Exponentiated, HAMStep
from ._run import run

__all__ = [
    "GD",
    "HYP",
    "AbstractAlgorithm",
    "Exponentiated",
    "HAMStep",
    "ProductGD",
    "ProductState",
    "RunResult",
    "run",
]
