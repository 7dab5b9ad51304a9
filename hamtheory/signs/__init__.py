"""Signs of the coordinates: when a flow flips them, how often, and whether they end up right."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
