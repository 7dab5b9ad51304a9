"""Optimizers for optax: Hyperbolic Aware Minimization around any base optimizer, its factor alone, and bases."""

from ._factor import ham_apply, ham_step
from ._natural import ham_natural
from ._steepest import steepest
from ._wrapper import HamState, ham

__all__ = [
    "HamState",
    "ham",
    "ham_apply",
    "ham_natural",
    "ham_step",
    "steepest",
]
