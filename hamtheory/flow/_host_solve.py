"""Flows by NumPy and SciPy, of one problem at a time."""

from ._device import product_flow, solve_flow

__all__ = ["product_flow", "solve_flow"]
