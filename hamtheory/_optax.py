"""What transformations of optax are given: coefficients, which may be schedules, and which tensors they are for."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.tree_util import keystr, tree_flatten_with_path
from jaxtyping import Array, PyTree

from ._types import Number
from ._validate import is_traced, real_array

Coefficient = Number | optax.Schedule
Where = str | re.Pattern | PyTree | Callable[[PyTree], PyTree] | None


def rate(value, name: str = "learning_rate") -> Any:
    """A learning rate: a positive number, a scalar array or a schedule, or an error.

    A JAX array may be 0: that is what a schedule that warms up from 0 becomes inside `optax.inject_hyperparams`.
    """
    return _coefficient(value, name, "positive", isinstance(value, jax.Array))


def strength(value, name: str) -> Any:
    """A coefficient that is at least 0: a number, a scalar array or a schedule, or an error."""
    return _coefficient(value, name, "at least 0", True)


def bound(value, name: str = "clip") -> Any:
    """The largest exponent: a positive number or a scalar array, or None for no bound."""
    if callable(value):
        raise TypeError(f"{name} must be a positive number, or None for no bound; got {value!r}")
    return None if value is None else _coefficient(value, name, "positive", False)


def _coefficient(value, name, need, zero):
    if callable(value):
        return value
    array = real_array(value, name, ndim=0)
    if is_traced(value):  # nothing can be said of its value here, and a check at every step would cost more than it
        return array
    number = float(value)
    if not (number > 0 or (zero and number == 0)) or number == np.inf:
        raise ValueError(f"{name} must be {need} and finite; got {number}")
    return array if isinstance(value, jax.Array) else number


def now(value, steps: Array) -> Any:
    """The value of a coefficient at this step."""
    return value(steps) if callable(value) else value


def scalar(value, dtype) -> Any:
    """A coefficient in the dtype that it is needed in; a Python number is in any."""
    return value if isinstance(value, float) else jnp.asarray(value).astype(dtype)


def wide(*arrays):
    """The dtype to compute in: that of the widest array, and at least float32."""
    dtype = jnp.dtype(jnp.float32)
    with jax.numpy_dtype_promotion("standard"):
        for array in arrays:
            dtype = jnp.promote_types(dtype, array.dtype)
    return dtype


def selection(where, params) -> PyTree:
    """A bool for each leaf of `params`: whether it is one of those meant by `where`."""
    if where is None:
        chosen = jax.tree.map(lambda p: jnp.ndim(p) >= 2 and jnp.issubdtype(_dtype(p), jnp.inexact), params)
    elif isinstance(where, (str, re.Pattern)):
        chosen = _found(where, params)
    else:
        chosen = _broadcast(_asked(where, params), params)
    for (path, p), chosen_ in zip(tree_flatten_with_path(params)[0], jax.tree.leaves(chosen), strict=True):
        if chosen_ and not jnp.issubdtype(_dtype(p), jnp.floating):
            raise TypeError(f"where must choose real floating tensors; params{keystr(path)} has dtype {_dtype(p)}")
    leaves = jax.tree.leaves(chosen)
    if leaves and not any(leaves):
        reason = "no tensor has two axes or more, which is the default" if where is None else "all its bools are False"
        if isinstance(where, (str, re.Pattern)):
            reason = f"{_pattern(where).pattern!r} is found in none of the paths {_some(_paths(params))}"
        raise ValueError(f"where must choose at least one tensor; {reason}. All of them: where=True")
    return chosen


def _found(where: str | re.Pattern, params) -> PyTree:
    """A bool for each leaf: whether the pattern is found in its path."""
    pattern, structure = _pattern(where), jax.tree.structure(params)
    return jax.tree.unflatten(structure, [pattern.search(path) is not None for path in _paths(params)])


def _pattern(where: str | re.Pattern) -> re.Pattern:
    try:
        return re.compile(where)
    except re.error as error:
        raise ValueError(f"where must be a regular expression; got {where!r}: {error}") from None


def _paths(params) -> list[str]:
    """Of all leaves, such as layers/0/weight."""
    return [keystr(path, simple=True, separator="/") for path, _ in tree_flatten_with_path(params)[0]]


def _some(paths: list[str], most: int = 6) -> str:
    rest = f", … ({len(paths)} in all)" if len(paths) > most else ""
    return ", ".join(map(repr, paths[:most])) + rest


def _asked(where, params):
    """The bools that `where` holds or returns."""
    leaves = jax.tree.leaves(where)
    if not (leaves and all(callable(leaf) for leaf in leaves)):
        return where
    try:
        return where(params)
    except (AttributeError, TypeError) as error:
        raise TypeError(
            f"where is called once, with all of params, and must return bools for them; it raised {error!r}. "
            "For a rule about single tensors: where=lambda params: jax.tree.map(rule, params)"
        ) from error


def _broadcast(chosen, params):
    for leaf in jax.tree.leaves(chosen):
        if not isinstance(leaf, (bool, np.bool_)):
            raise TypeError(f"where must hold or return bools, or be a regular expression; got {leaf!r}")
    try:
        return jax.tree.map(lambda flag, part: jax.tree.map(lambda _: bool(flag), part), chosen, params)
    except ValueError as error:
        raise ValueError(f"where must have the tree structure of params, or a prefix of it: {error}") from None


def _dtype(leaf):
    return jnp.asarray(leaf).dtype if isinstance(leaf, (bool, int, float, complex)) else leaf.dtype


def same_tree(params, tree, name: str) -> None:
    """Nothing, or an error that says where `tree` is not like `params`."""
    if params is None:
        raise ValueError("params must be given to update: the factor depends on them; got None")
    ours, theirs = (dict(tree_flatten_with_path(t)[0]) for t in (params, tree))
    if jax.tree.structure(params) != jax.tree.structure(tree):
        missing, extra = ([keystr(path) for path in a if path not in b] for a, b in ((ours, theirs), (theirs, ours)))
        what = "other containers"
        if missing or extra:
            what = f"nothing at {missing[0]}" if missing else f"something at {extra[0]}, where params has nothing"
        raise ValueError(f"{name} must have the tree structure of params; got {what}")
    for path, p in ours.items():
        if jnp.shape(theirs[path]) != jnp.shape(p):
            shapes = f"{jnp.shape(p)}, that of params; got {jnp.shape(theirs[path])}"
            raise ValueError(f"{name}{keystr(path)} must have shape {shapes}")
