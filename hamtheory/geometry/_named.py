"""A geometry by its name, with the arguments that make one: for tables, stored specs and the command line."""

import difflib
import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from ._base import AbstractGeometry
from ._diagonal_network import DiagonalNetwork
from ._euclidean import Euclidean
from ._ham import HAM
from ._hypentropy import Hypentropy
from ._linearized_bregman import LinearizedBregman

_BUILT_IN = {cls.name: cls for cls in (Euclidean, HAM, Hypentropy, DiagonalNetwork, LinearizedBregman)}
_FORMULA = "formula"
_FIXED = (int, bool, str, "int", "bool", "str")


def names() -> tuple[str, ...]:
    """The names of the geometries that come with the package.

    Returns:
        The names, those of `named`.

    ```python
    >>> import hamtheory as ht
    >>> ht.geometry.names()
    ('gd', 'ham', 'mw', 'network', 'bregman', 'formula')

    ```
    """
    return (*_BUILT_IN, _FORMULA)


def named(name: str) -> type[AbstractGeometry]:
    """The class of geometries with this name.

    Args:
        name: One of `names()`; `package.module:Class`, which is imported; or the name of a class that is defined
            already.

    Returns:
        The class.

    Raises:
        ValueError: For a name that is none of these.

    ```python
    >>> import hamtheory as ht
    >>> ht.geometry.named("ham")(alpha=2.0)
    HAM(alpha=2.0)

    ```
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if name == _FORMULA:
        return _imported("hamtheory.symbolic", "SymbolicGeometry", name)  # SymPy takes a second to import
    module, colon, path = name.partition(":")
    if colon:
        return _imported(module, path, name)
    known = [cls for cls in _concrete(AbstractGeometry) if cls.name == name]
    if not known:
        near = difflib.get_close_matches(str(name), [*names(), *(cls.name for cls in _concrete(AbstractGeometry))], 1)
        raise ValueError(
            f"geometry must be one of {', '.join(names())}, a class that is defined already, or package.module:Class; "
            f"got {name!r}{f': did you mean {near[0]!r}?' if near else ''}"
        )
    return known[-1]


def name_of(cls: type[AbstractGeometry]) -> str:
    """What `named` finds this class by, in another process too if it is not defined in a function or a script.

    Args:
        cls: A class of geometries.

    Returns:
        One of `names()`, `package.module:Class`, or the class's `name`.

    ```python
    >>> import hamtheory as ht
    >>> ht.geometry.name_of(ht.Hypentropy)
    'mw'

    ```
    """
    if cls.__module__.startswith("hamtheory.") and cls.name in names():
        return cls.name
    found: Any = sys.modules.get(cls.__module__) if cls.__module__ != "__main__" else None
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return f"{cls.__module__}:{cls.__qualname__}" if found is cls else cls.name


def arguments_of(cls: type[AbstractGeometry]) -> dict[str, bool] | None:
    """The arguments that make one, and whether each is a number, of which there can be an array; None: any numbers.

    Args:
        cls: A class of geometries.

    Returns:
        The arguments by their names; None if any are taken.

    ```python
    >>> import hamtheory as ht
    >>> ht.geometry.arguments_of(ht.DiagonalNetwork)
    {'depth': False, 'scale': True, 'log_scale': True}

    ```
    """
    signature = inspect.signature(cls).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature):
        return None
    return {parameter.name: parameter.annotation not in _FIXED for parameter in signature}


def _imported(module: str, path: str, name: str) -> type[AbstractGeometry]:
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"there is no geometry {name!r}: {error}") from None
    if not (isinstance(found, type) and issubclass(found, AbstractGeometry)):
        raise ValueError(f"{name!r} is no subclass of hamtheory.geometry.AbstractGeometry; it is {found!r}")
    return found


def _concrete(cls: type) -> Iterator[type[AbstractGeometry]]:
    for below in cls.__subclasses__():
        if not inspect.isabstract(below):
            yield below
        yield from _concrete(below)
