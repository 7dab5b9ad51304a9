"""Optimizers for optax: Hyperbolic Aware Minimization around any base optimizer, and its factor alone."""

from ._factor import ham_apply, ham_step
from ._natural import ham_natural
from ._wrapper import HamState, ham

__all__ = [
    "HamState",
    "ham",
    "ham_apply",
    "ham_natural",
    "ham_step",
]
