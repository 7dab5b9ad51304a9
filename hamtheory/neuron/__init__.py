"""One hidden neuron or layer, each of its layers with a geometry of its own: what it learns, and from which signs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
