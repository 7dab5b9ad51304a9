"""The geometry of an estimator, and its parameters as those of the estimator."""

import contextlib
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._result import Result
from ..geometry import AbstractGeometry, arguments_of, named

_PREFIX = "geometry__"


class GeometryParameters:
    """What makes `geometry__alpha` a parameter of an estimator whose parameter `geometry` is a geometry, or its name.

    Geometries are values that never change, and know nothing of scikit-learn: it is the estimator that lists their
    arguments and puts another geometry of the same class in the place of the one before. So a grid over
    `geometry__alpha`, `geometry__log_alpha`, `geometry__depth` or the parameter of a formula needs no word of theirs.
    """

    geometry: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by their names.

        Args:
            deep: Whether those of the geometry are listed, too, as `geometry__alpha`.

        Returns:
            The parameters.
        """
        params = super().get_params(deep=False)  # type: ignore[misc]
        if deep and isinstance(self.geometry, (str, AbstractGeometry)):
            with contextlib.suppress(TypeError, ValueError):  # of a name that is none: `fit` says so
                params |= {_PREFIX + name: value for name, value in geometry_of(self.geometry).arguments().items()}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters, `geometry__alpha` among them: that one replaces the geometry by one of the same class.

        Args:
            **params: By their names. Of `alpha` and `log_alpha`, either takes the place of the other.

        Returns:
            The estimator.
        """
        inner = {name.removeprefix(_PREFIX): params.pop(name) for name in [*params] if name.startswith(_PREFIX)}
        super().set_params(**params)  # type: ignore[misc]
        if inner:
            self.geometry = with_parameters(geometry_of(self.geometry), inner)
        return self


def geometry_of(geometry: Any) -> AbstractGeometry:
    """The geometry; of a name, with the arguments of its example.

    Args:
        geometry: A geometry, or a name that `hamtheory.geometry.named` knows.

    Returns:
        The geometry.

    Raises:
        TypeError: For anything else.
        ValueError: For a name that is none, or one of a class that has no example.
    """
    if isinstance(geometry, AbstractGeometry):
        return geometry
    if not isinstance(geometry, str):
        raise TypeError(f"geometry must be a geometry, as ht.HAM(alpha=100.0), or the name of one; got {geometry!r}")
    family = named(geometry)
    try:
        return family(**family.example)
    except TypeError:
        raise ValueError(
            f"geometry must be an object where there is no example of its arguments; got {geometry!r}"
        ) from None


def with_parameters(geo: AbstractGeometry, values: Mapping[str, Any]) -> AbstractGeometry:
    """The geometry of the same class with other values of some arguments.

    Args:
        geo: Any geometry.
        values: By their names.

    Returns:
        The geometry.

    Raises:
        ValueError: For a name that is no argument of the class, and for what the class refuses.
    """
    known = arguments_of(type(geo))
    unknown = sorted(set(values) - set(known or values))
    if unknown:
        there = ", ".join(_PREFIX + name for name in known or ()) or "none"
        raise ValueError(f"geometry__{unknown[0]} is no parameter of {geo!r}; there are {there}")
    given = geo.arguments()
    for name in values:
        given.pop(name.removeprefix("log_") if name.startswith("log_") else f"log_{name}", None)
    return type(geo)(**given | dict(values))


def weights_of(sample_weight: Any, n: int) -> Any:
    """The weights of n rows; of a number, that for each."""
    return np.full(n, sample_weight, float) if np.isscalar(sample_weight) else sample_weight


def warn_unless_converged(results: Iterable[Any], what: str) -> None:
    """A `ConvergenceWarning` if any of the results is neither converged nor that of least squares."""
    failed = [code for code in map(int, results) if Result(code) not in (Result.converged, Result.infeasible)]
    if failed:
        count = f"{len(failed)} of its computations; " if len(failed) > 1 else ""
        warnings.warn(f"{what}: {count}{Result(failed[0]).message}", ConvergenceWarning, stacklevel=3)
