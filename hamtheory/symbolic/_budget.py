"""SymPy on a budget: its searches may not end, and a library may not hang."""

import inspect
import sys
from collections.abc import Callable
from typing import TypeVar, no_type_check

from sympy.core.cache import clear_cache

T = TypeVar("T")
BUDGET = 3_000_000  # function calls and returns: about a second


class _Exhausted(BaseException):
    """Not an `Exception`: SymPy catches those."""


def within_budget(search: Callable[[], T], budget: int = BUDGET) -> T | None:
    """`search()`, or None where it fails or makes more than `budget` calls of Python functions.

    Calls are counted, rather than seconds, so that the outcome does not depend on the machine; the counting works in
    any thread. Where a profiler already occupies `sys.setprofile`, the search runs unbounded.
    """
    left = budget

    @no_type_check  # checked in the tests, it would be called, and counted, forty times as often
    def count(frame, event, argument):
        nonlocal left
        left -= 1
        # Not out of a generator, which may be one that is being thrown away: what is raised there is lost.
        if left < 0 and event == "call" and not frame.f_code.co_flags & inspect.CO_GENERATOR:
            raise _Exhausted

    counting = sys.getprofile() is None
    try:
        if counting:
            sys.setprofile(count)
        return search()
    except _Exhausted:
        if not counting:  # a search within a search: the budget is the outer one's
            raise
        sys.setprofile(None)
        clear_cache()  # an interrupted SymPy may leave "unknown" where it knew better
        return None
    except Exception:  # SymPy's failures are of every kind; all mean: not found
        return None
    finally:
        if counting:
            sys.setprofile(None)
