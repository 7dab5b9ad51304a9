"""Discrete algorithms: what gradient descent, HAM and m⊙w do with a learning rate that is not zero."""

from ._base import AbstractAlgorithm
from ._bases import GD, AbstractBase, BaseState, Optax, SteepestDescent
from ._batch import run_many
from ._geometric import MirrorDescent, NaturalGradient
from ._loop import RunResult
from ._product import ProductGD, ProductState
from ._rules import HYP, Exponentiated, HAMStep, LinearizedBregmanStep
from ._run import run

__all__ = [
    "GD",
    "HYP",
    "AbstractAlgorithm",
    "AbstractBase",
    "BaseState",
    "Exponentiated",
    "HAMStep",
    "LinearizedBregmanStep",
    "MirrorDescent",
    "NaturalGradient",
    "Optax",
    "ProductGD",
    "ProductState",
    "RunResult",
    "SteepestDescent",
    "run",
    "run_many",
]
