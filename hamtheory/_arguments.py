"""The way into the public functions: what is no problem and no geometry is refused there, by name, before any work."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable)
_PROBLEM = 'a regression or a classification, such as ht.LinearRegression(X, y) or ht.read_problem("data.csv")'
_GEOMETRIES = {
    "geo": "ht.HAM(alpha=100.0)",
    "geometry": "ht.HAM(alpha=100.0)",
    "geos": "ht.HAM(alpha=[1.0, 100.0]), whose arrays have one number an instance",
}


def entrance(function: _Function) -> _Function:
    """A function with `check_arguments` before it.

    Args:
        function: Of a problem, a geometry and more, whose names `check_arguments` knows.

    Returns:
        The function.
    """
    names = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*args, **options):
        check_arguments(dict(zip(names, args, strict=False)) | options)
        return function(*args, **options)

    return call  # type: ignore[return-value]


def check_arguments(given: dict[str, Any]) -> None:
    """An error unless `problem`, `problems`, `geo`, `geometry` and `geos` are what these names say.

    Args:
        given: The arguments of a function by their names; those with other names are not looked at.

    Raises:
        TypeError: With the name of the argument, and what to write.
    """
    from .geometry import AbstractGeometry  # not above: both have functions that are entered here
    from .problem import BinaryClassification, LinearRegression

    kinds = (LinearRegression, BinaryClassification)
    if "problem" in given and not isinstance(given["problem"], kinds):
        raise TypeError(f"problem must be {_PROBLEM}; got {_kind_of(given['problem'])}")
    if "problems" in given and not isinstance(problems := given["problems"], kinds):
        if not isinstance(problems, (list, tuple)):
            raise TypeError(f"problems must be {_PROBLEM}, or a list of such; got {_kind_of(problems)}")
        for place, problem in enumerate(problems):
            if not isinstance(problem, kinds):
                raise TypeError(f"problems[{place}] must be {_PROBLEM}; got {_kind_of(problem)}")
    for name, example in _GEOMETRIES.items():
        if name in given and not isinstance(given[name], AbstractGeometry):
            raise TypeError(f"{name} must be a geometry, such as {example}; got {_kind_of(given[name])}")


def _kind_of(value: Any) -> str:
    """What was given, in a few words."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    shape = getattr(value, "shape", None)
    if shape is not None or isinstance(value, (list, tuple, dict)):
        return type(value).__name__ + ("" if shape is None else f" of shape {tuple(shape)}")
    return repr(value)
