"""Limits: where a flow ends, computed directly, and the two ends of the interpolation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
