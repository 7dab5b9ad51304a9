"""How many threads the linear algebra of the host may take.

OpenBLAS gives a product of two hundred rows to all cores, and its threads wait for each other by spinning: where
another process has one of the cores, that takes ten to two hundred times as long as one thread does; where none has,
two threads save at most half. So what one thread does in a tenth of a second is left to one.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TypeVar

_SMALL, _LARGE = 3e5, 1e9  # multiplications in a product: below, BLAS takes one thread by itself; above, all may help
_Function = TypeVar("_Function", bound=Callable)


@functools.cache
def _controller() -> Any:
    import scipy.linalg  # noqa: F401  (it brings a BLAS of its own, which must be there to be found)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def threads_for(n: int, d: int, least: float = _SMALL) -> contextlib.AbstractContextManager:
    """One thread for the linear algebra of an (n, d) matrix, unless it is large, or smaller than `least`."""
    work = float(min(n, d)) ** 2 * max(n, d)
    return _controller().limit(limits=1) if least <= work <= _LARGE else contextlib.nullcontext()


def one_thread() -> contextlib.AbstractContextManager:
    """One thread for the linear algebra, where threads of our own share the work."""
    return _controller().limit(limits=1)


def few_threads(least: float = _SMALL) -> Callable[[_Function], _Function]:
    """The function of a problem, and more, with the threads that suit the problem."""

    def decorate(function):
        @functools.wraps(function)
        def call(problem, *args, **options):
            with threads_for(*problem.X.shape, least=least):
                return function(problem, *args, **options)

        return call

    return decorate  # type: ignore[return-value]
