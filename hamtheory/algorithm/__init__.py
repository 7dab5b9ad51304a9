"""Discrete algorithms: what gradient descent, HAM and m⊙w do with a learning rate that is not zero."""

from ._base import AbstractAlgorithm
from ._batch import run_many
from ._geometric import MirrorDescent, NaturalGradient
from ._loop import RunResult
from ._product import ProductGD, ProductState
from ._rules import GD, HYP, Exponentiated, HAMStep, LinearizedBregmanStep
from ._run import run

__all__ = [
    "GD",
    "HYP",
    "AbstractAlgorithm",
    "Exponentiated",
    "HAMStep",
    "LinearizedBregmanStep",
    "MirrorDescent",
    "NaturalGradient",
    "ProductGD",
    "ProductState",
    "RunResult",
    "run",
    "run_many",
]
