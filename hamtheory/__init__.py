"""hamtheory: which interpolator does an optimizer pick, and why?

The public names are listed in `__init__.pyi`, in the order of the data flow: a problem, a geometry, its flow and its
limit, with a certificate. Each is imported when it is first asked for, so that nobody waits for what they don't use.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
