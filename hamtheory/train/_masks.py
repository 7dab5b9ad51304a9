"""Masks: bool tensors for those that are sparsified, None for those that stay dense; exact numbers, whatever ties."""

from collections.abc import Sequence
from math import prod

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from ._density import kept_of, layer_counts, shapes_of

DENSE_LAYERS = ("first", "last")


def sparsified(weights: PyTree, dense_layers: Sequence[str] = ()) -> PyTree:
    """A bool for each tensor: whether it is sparsified.

    Those with two axes or more are, in the order of the tree, but for the first or the last of them, if `dense_layers`
    has "first" or "last"; biases never are.

    Args:
        weights: A pytree of arrays.
        dense_layers: "first", "last", or both.

    Returns:
        A pytree of bools like `weights`.

    Raises:
        ValueError: If none is left.

    ```python
    >>> import jax.numpy as jnp, hamtheory.train as htt
    >>> htt.sparsified({"bias": jnp.zeros(3), "weight": jnp.zeros((3, 2))})
    {'bias': False, 'weight': True}

    ```
    """
    leaves, structure = jax.tree.flatten(weights)
    places = [i for i, leaf in enumerate(leaves) if jnp.ndim(leaf) >= 2]
    dense = {
        place
        for name, place in zip(DENSE_LAYERS, (places[:1], places[-1:]), strict=True)
        if name in dense_layers
        for place in place
    }
    chosen = [i for i in places if i not in dense]
    if not chosen:
        raise ValueError("the network must have a tensor with two axes or more that is not kept dense; got none")
    return jax.tree.unflatten(structure, [i in chosen for i in range(len(leaves))])


def tensors_of(weights: PyTree, chosen: PyTree) -> list:
    """Those that are sparsified."""
    pairs = zip(jax.tree.leaves(weights), jax.tree.leaves(chosen), strict=True)
    return [leaf for leaf, flag in pairs if flag]


def filled(weights: PyTree, chosen: PyTree, values: Sequence) -> PyTree:
    """A pytree like `weights`, with these values at the tensors that are sparsified, and None at the others."""
    left = iter(values)
    return jax.tree.map(lambda _, flag: next(left) if flag else None, weights, chosen)


def everything(weights: PyTree, chosen: PyTree) -> PyTree:
    return filled(weights, chosen, [jnp.ones(tensor.shape, bool) for tensor in tensors_of(weights, chosen)])


def masked(weights: PyTree, masks: PyTree) -> PyTree:
    """The weights, with zeros where the masks are False."""
    hide = lambda w, mask: w if mask is None else jnp.where(mask, w, jnp.zeros((), w.dtype))  # noqa: E731
    return jax.tree.map(hide, weights, masks)


def kept(masks: PyTree) -> Int[Array, ""]:
    """How many entries of the masks are True."""
    return sum((jnp.sum(mask, dtype=jnp.int32) for mask in jax.tree.leaves(masks)), jnp.zeros((), jnp.int32))


def kept_by_layer(masks: PyTree) -> Int[Array, " layers"]:
    """How many entries of each of the masks are True."""
    return jnp.stack([jnp.sum(mask, dtype=jnp.int32) for mask in jax.tree.leaves(masks)])


def total_of(weights: PyTree, chosen: PyTree) -> int:
    """How many entries the tensors that are sparsified have."""
    return sum(prod(tensor.shape) for tensor in tensors_of(weights, chosen))


def largest(scores: Float[Array, "*shape"], number: int | Int[Array, ""]) -> Bool[Array, "*shape"]:
    """Where the `number` largest scores are; the first ones among equals, and NaN after all numbers."""
    order = jnp.argsort(-scores.ravel(), stable=True)
    first = jnp.arange(order.size, dtype=jnp.int32) < jnp.asarray(number, jnp.int32)
    return jnp.zeros(order.size, bool).at[order].set(first, unique_indices=True).reshape(scores.shape)


def numbers(shapes: Sequence[tuple[int, ...]], density, layers: str) -> list[int]:
    """How many weights are kept: of each layer, or of all together if `layers` is "global"."""
    if layers == "global":
        return [kept_of(density, sum(prod(shape) for shape in shapes))]
    return layer_counts(shapes, density, layers)


def best(scores: Sequence[Array], number: Sequence, layers: str) -> list[Array]:
    """Masks of the largest scores of tensors: so many, as given by `numbers` (integers, or scalars of integers)."""
    if layers != "global":
        return [largest(tensor, k) for tensor, k in zip(scores, number, strict=True)]
    return apart(largest(jnp.concatenate([tensor.ravel() for tensor in scores]), number[0]), scores)


def apart(flat: Array, tensors: Sequence[Array]) -> list[Array]:
    """A vector, cut into tensors of these shapes."""
    ends = [0]
    for tensor in tensors:
        ends.append(ends[-1] + tensor.size)
    return [flat[a:b].reshape(t.shape) for a, b, t in zip(ends[:-1], ends[1:], tensors, strict=True)]


def magnitude(weights: PyTree, chosen: PyTree, density, layers: str) -> PyTree:
    """Masks of the largest weights."""
    tensors = tensors_of(weights, chosen)
    number = numbers(shapes_of(tensors), density, layers)
    return filled(weights, chosen, best([jnp.abs(tensor) for tensor in tensors], number, layers))
