"""Small networks, from a batch of images to its logits."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, pairwise
from math import prod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .._validate import count

_LEAST = 8  # rows and columns of an image
_POOLED = 12  # rows and columns of what the first mean is taken of


class Linear(eqx.Module):
    """`x Wᵀ + b`, with `weight`, (out, in), and `bias`, (out,), at first 0."""

    weight: Float[Array, "out in"]
    bias: Float[Array, " out"]

    def __init__(self, weight: Float[Array, "out in"]):
        self.weight, self.bias = weight, jnp.zeros(weight.shape[0], weight.dtype)

    def __call__(self, x: Float[Array, "... in"]) -> Float[Array, "... out"]:
        return jnp.einsum("...i,oi->...o", x, self.weight) + _last(self.bias, x)


class Convolution(eqx.Module):
    """A valid convolution: `weight`, (out, in, size, size), and `bias`, (out,), at first 0.

    It is a product of the matrix of all patches with that of the weights: networks of many seeds are a batch of such
    products, while XLA's convolution with a kernel for each seed is many times slower on a CPU.
    """

    weight: Float[Array, "out in size size"]
    bias: Float[Array, " out"]
    stride: int = eqx.field(static=True)

    def __init__(self, weight: Float[Array, "out in size size"], stride: int = 1):
        self.weight, self.bias, self.stride = weight, jnp.zeros(weight.shape[0], weight.dtype), stride

    def __call__(self, x: Float[Array, "batch rows columns in"]) -> Float[Array, "batch lower narrower out"]:
        outputs, inputs, size, _ = self.weight.shape
        step = self.stride
        rows, columns = ((length - size) // step + 1 for length in x.shape[1:3])
        heights, widths = (step * (number - 1) + 1 for number in (rows, columns))
        corners = [(i, j) for i in range(size) for j in range(size)]
        patches = [x[:, i : i + heights : step, j : j + widths : step] for i, j in corners]
        matrix = self.weight.transpose(2, 3, 1, 0).reshape(-1, outputs)
        flat = jnp.concatenate(patches, axis=-1).reshape(-1, size * size * inputs) @ matrix
        y = flat.reshape(x.shape[0], rows, columns, outputs)
        return y + _last(self.bias, y)


class MLP(eqx.Module):
    """A multilayer perceptron: linear layers with ReLU between them.

    `model(x)` are the logits, (batch, classes), of x, (batch, rows, columns). float32 throughout.

    Args:
        shape: Of an image, (rows, columns).
        classes: Of the logits.
        widths: Of the hidden layers.
        key: Of the initial weights.

    Attributes:
        layers: The linear layers.

    Raises:
        ValueError: For numbers that are too small.
        TypeError: For what is no integer.

    References:
        He et al. (initial weights) [he2015delving].

    ```python
    >>> import jax, hamtheory.train as htt
    >>> model = htt.MLP((8, 8), 10, widths=(32,), key=jax.random.key(0))
    >>> model(jax.numpy.ones((5, 8, 8), "float32")).shape
    (5, 10)

    ```
    """

    layers: tuple[Linear, ...]

    def __init__(self, shape: tuple[int, int], classes: int, widths: Sequence[int] = (128, 64), *, key: PRNGKeyArray):
        rows, columns = _checked(shape, classes, 1)
        sizes = [rows * columns, *(count(width, "widths") for width in widths), classes]
        self.layers = tuple(Linear(w) for w in _he(key, [(after, before) for before, after in pairwise(sizes)]))

    def __call__(self, x: Float[Array, "batch rows columns"]) -> Float[Array, "batch classes"]:
        x = x.reshape(x.shape[0], -1)
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x)


class CNN(eqx.Module):
    """A small convolutional network: two 3 × 3 convolutions and a linear layer.

    Each convolution is followed by ReLU and a 2 × 2 mean. On images as small as 8 × 8 the first mean is left out. It is
    called as `MLP`.

    Args:
        shape: Of an image, (rows, columns), 8 each at least.
        classes: As of `MLP`.
        channels: Of the two convolutions.
        key: As of `MLP`.

    Attributes:
        convolutions: The two convolutions.
        last: The linear layer.

    Raises:
        ValueError: As of `MLP`.
        TypeError: As of `MLP`.

    References:
        [he2015delving] (initial weights).

    ```python
    >>> import jax, hamtheory.train as htt
    >>> model = htt.CNN((28, 28), 10, key=jax.random.key(0))
    >>> model(jax.numpy.ones((2, 28, 28), "float32")).shape, sum(w.size for w in jax.tree.leaves(model) if w.ndim > 1)
    ((2, 10), 5224)

    ```
    """

    convolutions: tuple[Convolution, ...]
    last: Linear

    def __init__(self, shape: tuple[int, int], classes: int, channels: tuple[int, int] = (8, 16), *, key: PRNGKeyArray):
        _checked(shape, classes, _LEAST)
        first, second = (count(number, "channels") for number in channels)
        kernels = [(first, 1, 3, 3), (second, first, 3, 3)]
        *filters, last = _he(key, [*kernels, (classes, _features(shape, kernels))])
        self.convolutions, self.last = tuple(Convolution(w) for w in filters), Linear(last)

    def __call__(self, x: Float[Array, "batch rows columns"]) -> Float[Array, "batch classes"]:
        x = _convolved(x, self.convolutions)
        return self.last(x)


class LeNet(eqx.Module):
    """LeNet-5 in today's form.

    Convolutions of 6 and 16 channels, each with ReLU and a 2 × 2 mean, and linear layers of 120, 84 and `classes`. The
    convolutions are 5 × 5; 3 × 3 on images with less than 16 rows or columns, and the first mean is left out on images
    as small as 8 × 8. On 28 × 28 images it has 44,190 weights and 236 biases. It is called as `MLP`.

    Args:
        shape: Of an image, (rows, columns), 8 each at least.
        classes: As of `MLP`.
        key: As of `MLP`.

    Attributes:
        convolutions: The two convolutions.
        layers: The linear layers.

    Raises:
        ValueError: As of `MLP`.
        TypeError: As of `MLP`.

    References:
        [lecun1998gradient]; [he2015delving] (initial weights).

    ```python
    >>> import jax, hamtheory.train as htt
    >>> model = htt.LeNet((28, 28), 10, key=jax.random.key(0))
    >>> model(jax.numpy.ones((2, 28, 28), "float32")).shape, sum(w.size for w in jax.tree.leaves(model) if w.ndim > 1)
    ((2, 10), 44190)

    ```
    """

    convolutions: tuple[Convolution, ...]
    layers: tuple[Linear, ...]

    def __init__(self, shape: tuple[int, int], classes: int, *, key: PRNGKeyArray):
        rows, columns = _checked(shape, classes, _LEAST)
        size = 5 if min(rows, columns) >= 16 else 3
        kernels = [(6, 1, size, size), (16, 6, size, size)]
        sizes = [_features(shape, kernels), 120, 84, classes]
        weights = _he(key, kernels + [(after, before) for before, after in pairwise(sizes)])
        self.convolutions = tuple(Convolution(w) for w in weights[:2])
        self.layers = tuple(Linear(w) for w in weights[2:])

    def __call__(self, x: Float[Array, "batch rows columns"]) -> Float[Array, "batch classes"]:
        x = _convolved(x, self.convolutions)
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x)


class StridedCNN(eqx.Module):
    """Two 5 × 5 convolutions with stride 2, and two linear layers: a quarter of the work of `LeNet`.

    In the manner of the first convolutional networks for digits: convolutions of `channels`, each with ReLU, and linear
    layers of `hidden` and `classes`. On images with less than 16 rows or columns the convolutions are 3 × 3, and the
    first has stride 1. On 28 × 28 images it has 20,424 weights and 98 biases. It is called as `MLP`.

    Args:
        shape: Of an image, (rows, columns), 8 each at least.
        classes: As of `MLP`.
        channels: Of the two convolutions.
        hidden: Width of the linear layer between.
        key: As of `MLP`.

    Attributes:
        convolutions: The two convolutions.
        layers: The linear layers.

    Raises:
        ValueError: As of `MLP`.
        TypeError: As of `MLP`.

    References:
        After [lecun1989backpropagation]; [he2015delving].

    ```python
    >>> import jax, hamtheory.train as htt
    >>> model = htt.StridedCNN((28, 28), 10, key=jax.random.key(0))
    >>> model(jax.numpy.ones((2, 28, 28), "float32")).shape, sum(w.size for w in jax.tree.leaves(model) if w.ndim > 1)
    ((2, 10), 20424)

    ```
    """

    convolutions: tuple[Convolution, ...]
    layers: tuple[Linear, ...]

    def __init__(
        self,
        shape: tuple[int, int],
        classes: int,
        channels: tuple[int, int] = (8, 16),
        hidden: int = 64,
        *,
        key: PRNGKeyArray,
    ):
        size, strides = (5, (2, 2)) if min(_checked(shape, classes, _LEAST)) >= 16 else (3, (1, 2))
        first, second = (count(number, "channels") for number in channels)
        kernels = [(first, 1, size, size), (second, first, size, size)]
        rows, columns = shape
        for stride in strides:
            rows, columns = (rows - size) // stride + 1, (columns - size) // stride + 1
        sizes = [rows * columns * second, count(hidden, "hidden"), classes]
        weights = _he(key, kernels + [(after, before) for before, after in pairwise(sizes)])
        self.convolutions = tuple(Convolution(w, stride) for w, stride in zip(weights, strides, strict=False))
        self.layers = tuple(Linear(w) for w in weights[2:])

    def __call__(self, x: Float[Array, "batch rows columns"]) -> Float[Array, "batch classes"]:
        x = x[..., None]
        for convolution in self.convolutions:
            x = jax.nn.relu(convolution(x))
        x = x.reshape(x.shape[0], -1)
        for layer in self.layers[:-1]:
            x = jax.nn.relu(layer(x))
        return self.layers[-1](x)


MODELS: dict[str, Callable] = {"mlp": MLP, "cnn": CNN, "lenet": LeNet, "strided": StridedCNN}


def positions(name: str, shape: tuple[int, int], classes: int) -> list[int]:
    """How often each weight of a tensor with two axes or more is used for an image.

    1 in a linear layer, once for each pixel of the output in a convolution. Times the weights that are kept, these are
    the multiplications of a pass.

    Args:
        name: Of a model.
        shape: As of the model.
        classes: As of the model.

    Returns:
        An integer a tensor, in their order.
    """
    found: list[int] = []

    def counted(layer, x):
        y = layer(x)
        found.append(y[0].size // y.shape[-1])
        return y

    def run(key, x):
        model = MODELS[name](shape, classes, key=key)
        spied = lambda leaf: partial(counted, leaf) if isinstance(leaf, (Linear, Convolution)) else leaf  # noqa: E731
        return jax.tree.map(spied, model, is_leaf=lambda leaf: isinstance(leaf, (Linear, Convolution)))(x)

    jax.eval_shape(run, jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    return found


def _last(bias, x):
    """The bias, with as many axes as x has."""
    return bias.reshape((1,) * (x.ndim - 1) + (-1,))


def _pooled(x: Float[Array, "batch rows columns c"]) -> Float[Array, "batch lower narrower c"]:
    """The means of 2 × 2 pixels; an odd last row or column is dropped."""
    rows, columns = x.shape[1] // 2, x.shape[2] // 2
    x = x[:, : 2 * rows, : 2 * columns]
    return x.reshape(x.shape[0], rows, 2, columns, 2, x.shape[3]).mean(axis=(2, 4))


def _convolved(x: Float[Array, "batch rows columns"], convolutions) -> Float[Array, "batch features"]:
    """What the linear layers see: convolutions with ReLU, and means."""
    x = x[..., None]
    for i, convolution in enumerate(convolutions):
        x = jax.nn.relu(convolution(x))
        if i == len(convolutions) - 1 or min(x.shape[1:3]) >= _POOLED:
            x = _pooled(x)
    return x.reshape(x.shape[0], -1)


def _features(shape, kernels) -> int:
    """The number of entries for an image that the linear layers see."""

    def features(x, weights):
        return _convolved(x, [Convolution(w) for w in weights])

    image, *weights = (jax.ShapeDtypeStruct(tuple(s), jnp.float32) for s in ((1, *shape), *kernels))
    return jax.eval_shape(features, image, weights).size


def _he(key: PRNGKeyArray, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Normal weights of variance 2 over the number of inputs; one draw for all, which compiles faster than many."""
    sizes = [prod(shape) for shape in shapes]
    draws, ends = jax.random.normal(key, (sum(sizes),), jnp.float32), list(accumulate(sizes, initial=0))
    return [
        (2 * shape[0] / size) ** 0.5 * draws[end : end + size].reshape(shape)
        for shape, size, end in zip(shapes, sizes, ends, strict=False)
    ]


def _checked(shape, classes, least) -> tuple[int, int]:
    if len(tuple(shape)) != 2:
        raise ValueError(f"shape must be that of an image, (rows, columns); got {shape}")
    count(classes, "classes", least=2)
    rows, columns = (count(size, "shape", least=least) for size in shape)
    return rows, columns
