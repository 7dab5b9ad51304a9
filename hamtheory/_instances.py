"""How many instances a call is of, and which problem each has: checks that need no JAX."""

from typing import Any

import numpy as np

from ._array import Array
from ._validate import finite, real_array
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
    sizes = {f"{name} ({i})": leaf.shape[0] for i, leaf in enumerate(parameters) if leaf.ndim}
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
