"""How many weights each layer keeps: exact integers, from exact fractions."""

from collections.abc import Sequence
from fractions import Fraction
from math import floor, prod

from jaxtyping import PyTree

RULES = ("uniform", "erk")


def exact(number: float | Fraction) -> Fraction:
    """A number as it is written: 0.9 is 9/10, and not the binary fraction next to it."""
    return number if isinstance(number, Fraction) else Fraction(repr(float(number)))


def kept_of(density: float | Fraction, total: int) -> int:
    """`⌊density · total + 1/2⌋`: how many of `total` weights are kept."""
    return floor(exact(density) * total + Fraction(1, 2))


def layer_densities(shapes: Sequence[tuple[int, ...]], density: float | Fraction, rule: str = "erk") -> list[Fraction]:
    """The densities of the layers, such that the mean over all weights is `density`.

    "uniform": the same for all. "erk", Erdős–Rényi kernel: `min(1, ε (Σᵢ nᵢ)/(Πᵢ nᵢ))` for a tensor with axes nᵢ, thus
    `ε (in + out)/(in · out)` for a matrix. If a layer's density came out greater than 1, the layers with the largest
    (Σ nᵢ)/(Π nᵢ) are fixed at 1, and ε is determined again from the others, until none is.

    Args:
        shapes: Of the tensors that are sparsified, with two axes or more.
        density: From 0 to 1.
        rule: "uniform" or "erk".

    Returns:
        A fraction for each, exact.

    Raises:
        ValueError: For an unknown rule, or a density out of range.

    References:
        [mocanu2018scalable] (matrices), [evci2020rigging] (kernels, and the rule for densities above 1).

    ```python
    >>> import hamtheory.train as htt
    >>> htt.layer_densities([(2, 2), (10, 10)], 0.25)  # 4 of 4 weights, and 22 of 100
    [Fraction(1, 1), Fraction(11, 50)]

    ```
    """
    density = exact(density)
    if not 0 <= density <= 1:
        raise ValueError(f"density must be from 0 to 1; got {float(density)}")
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}; got {rule!r}")
    if rule == "uniform":
        return [density] * len(shapes)
    sizes, raw = [prod(shape) for shape in shapes], [Fraction(sum(shape), prod(shape)) for shape in shapes]
    free = set(range(len(shapes)))
    while free:
        budget = density * sum(sizes) - sum(size for i, size in enumerate(sizes) if i not in free)
        epsilon = budget / sum(raw[i] * sizes[i] for i in free)
        largest = max(raw[i] for i in free)
        if epsilon * largest <= 1:
            return [epsilon * raw[i] if i in free else Fraction(1) for i in range(len(shapes))]
        free -= {i for i in free if raw[i] == largest}
    return [Fraction(1)] * len(shapes)


def layer_counts(shapes: Sequence[tuple[int, ...]], density: float | Fraction, rule: str = "erk") -> list[int]:
    """How many weights each layer keeps: `⌊density · total + 1/2⌋` together, exactly.

    Each layer gets its density times its size, rounded down; those with the largest remainders get one more, the
    earlier ones among equals, until the sum is right.

    Args:
        shapes: As of `layer_densities`.
        density: As of `layer_densities`.
        rule: As of `layer_densities`.

    Returns:
        An integer for each layer.

    Raises:
        ValueError: As of `layer_densities`.

    References:
        As of `layer_densities`; the rounding is own choice.

    ```python
    >>> import hamtheory.train as htt
    >>> htt.layer_counts([(2, 2), (10, 10)], 0.1), htt.layer_counts([(3, 3), (3, 5)], 0.5, "uniform")
    ([2, 8], [5, 7])

    ```
    """
    sizes = [prod(shape) for shape in shapes]
    quotas = [share * size for share, size in zip(layer_densities(shapes, density, rule), sizes, strict=True)]
    counts = [floor(quota) for quota in quotas]
    missing = kept_of(density, sum(sizes)) - sum(counts)
    order = sorted(range(len(sizes)), key=lambda i: (counts[i] - quotas[i], i))
    for i in order[:missing]:
        counts[i] += 1
    return counts


def cubic_sparsity(t: float, initial: float, final: float, start: float, stop: float) -> float:
    """The sparsity of gradual pruning: `s_f + (s_i − s_f)(1 − (t − t₀)/(nΔt))³` from t₀ to t₀ + nΔt, constant outside.

    Args:
        t: The step.
        initial: s_i.
        final: s_f.
        start: t₀.
        stop: t₀ + nΔt.

    Returns:
        s_t.

    References:
        [zhu2017prune], Eq. 1.

    ```python
    >>> import hamtheory.train as htt
    >>> [htt.cubic_sparsity(t, 0.0, 0.8, 0, 4) for t in (0, 2, 4)]
    [0.0, 0.7, 0.8]

    ```
    """
    left = 1.0 - min(max((t - start) / max(stop - start, 1e-30), 0.0), 1.0)
    return final + (initial - final) * left**3


def shapes_of(tensors: PyTree) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in tensors]
