"""How many instances a call is of, and which problem each has: checks that need no JAX."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._array import Array, Struct, leaves, mapped
from ._validate import finite, real_array
from .geometry import AbstractGeometry
from .problem import LinearRegression


def checked_targets(problems: list[Any], ys: Any, share: bool | None) -> Array:
    """Many y in the dtype of their one regression, or an error."""
    if len(problems) != 1 or share is False or not isinstance(problems[0], LinearRegression):
        raise ValueError("ys are for instances that share one LinearRegression: give one problem, and not share=False")
    ys = finite(real_array(ys, "ys", ndim=2), "ys")
    if ys.shape[1] != problems[0].n:
        raise ValueError(f"ys must have shape (instances, {problems[0].n}), one y each; got {ys.shape}")
    return np.asarray(ys, problems[0].dtype)


def instance_count(problems, parameters, theta0s, which, name: str, ys=None) -> tuple[int, np.ndarray]:
    """The number of instances, from whatever has an axis of them, such as parameters, and the problem of each; or an
    error."""
    if not problems:
        raise ValueError("problems must hold at least one problem; got none")
    first = problems[0]
    for problem in problems:
        if type(problem) is not type(first) or getattr(problem, "loss_name", "") != getattr(first, "loss_name", ""):
            raise ValueError(f"problems must be of one kind and loss; got {first!r} and {problem!r}")
        if problem.X.shape != first.X.shape or problem.dtype != first.dtype:
            raise ValueError(
                f"problems must have one shape and dtype, as the first has {first.X.shape}, {first.dtype}; "
                f"got {problem.X.shape}, {problem.dtype}"
            )
    sizes = {f"{name} ({i})": np.shape(leaf)[0] for i, leaf in enumerate(parameters) if np.ndim(leaf)}
    if theta0s is not None:
        shape = np.shape(theta0s)
        if len(shape) != 2 or shape[1] != first.d:
            raise ValueError(f"theta0s must have shape (instances, {first.d}); got {shape}")
        sizes["theta0s"] = shape[0]
    if ys is not None:
        sizes["ys"] = ys.shape[0]
    if which is not None:
        which = np.asarray(which)
        known = which.dtype.kind in "iu" and (which.size == 0 or 0 <= which.min() <= which.max() < len(problems))
        if which.ndim != 1 or not known:
            raise ValueError(f"which must hold one index of the {len(problems)} problems an instance; got {which}")
        sizes["which"] = which.size
    elif len(problems) > 1:
        raise ValueError("which must say which of the problems each instance has")
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the numbers of instances disagree: {sizes}")
    instances = next(iter(sizes.values()), 1)
    if instances == 0:
        raise ValueError("there must be at least one instance; got none")
    return instances, np.zeros(instances, int) if which is None else which


@dataclass(frozen=True)
class Few:
    """Instances to be computed one by one: problems, which of them each one has, geometries and starts or None."""

    problems: Sequence[LinearRegression]
    which: np.ndarray
    geos: Any
    theta0s: Any

    def __len__(self) -> int:
        return len(self.which)

    def __iter__(self) -> Iterator[tuple[LinearRegression, AbstractGeometry, Any]]:
        for i, problem in enumerate(self.which):
            theta0 = None if self.theta0s is None else np.asarray(self.theta0s)[i]
            yield self.problems[problem], members(self.geos, i), theta0


def members(geos: Any, index: Any) -> Any:
    """The geometries of some instances, or of one."""
    return mapped(lambda leaf: leaf[index] if np.ndim(leaf) else leaf, geos)


def few(problems: Any, geos: Any, theta0s: Any, which: Any, ys: Any, most: int) -> Few | None:
    """The instances, if they are regressions and fewer than `most`; or an error."""
    listed: list[Any] = [problems] if isinstance(problems, Struct) else list(problems)
    if not (isinstance(geos, AbstractGeometry) and all(isinstance(problem, LinearRegression) for problem in listed)):
        return None
    if any(np.ndim(leaf) > 1 for leaf in leaves(geos)):
        return None
    ys = None if ys is None else checked_targets(listed, ys, None)
    instances, which = instance_count(listed, list(map(np.asarray, leaves(geos))), theta0s, which, "geos", ys)
    if instances >= most:
        return None
    if ys is not None:
        shared, targets = listed[0].shared(ys)
        listed = [shared.aimed(type(targets)(*(part[i] for part in targets))) for i in range(instances)]
        which = np.arange(instances)
    return Few(listed, which, geos, theta0s)
