"""Blocks of starts: zero, drawn, or with the wrong signs."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._grid import number, seeds
from ._block import Block, of_kind, settle


class Starts(Block):
    """A block of starts."""

    def direction(self, rng: np.random.Generator, truth: np.ndarray) -> np.ndarray | None:
        """A start over its `scale`.

        Args:
            rng: Draws it.
            truth: θ* of the problem, (d,), NaN where it is not known.

        Returns:
            Of shape (d,); None: zeros.
        """
        return None


@dataclass(frozen=True)
class Zeros(Starts):
    """The start θ₀ = 0.

    ```python
    >>> import hamtheory as ht
    >>> len(ht.sweeps.Zeros())
    1

    ```
    """

    kind: ClassVar[str] = "zeros"


@dataclass(frozen=True)
class Normal(Starts):
    """Normal starts of standard deviation `scale`, one a seed: the same ones for every problem with that d.

    Attributes:
        scale: Greater than 0.
        seeds: A seed, a list or a range of them, or a table with `start` and `count`.

    Raises:
        ValueError: For a scale that is not positive, and negative seeds.
        TypeError: For what is no number.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> starts = ht.sweeps.Normal(0.1, seeds=[3, 7])
    >>> len(starts), starts.seed_of(np.array([1])).tolist()
    (2, [7])

    ```
    """

    kind: ClassVar[str] = "normal"
    scale: float
    seeds: Any = 0

    def __post_init__(self):
        settle(self, scale=number(self.scale, "scale"), seeds=seeds(self.seeds, "seeds"))
        if self.scale <= 0:
            raise ValueError(f"scale must be positive; got {self.scale:g}")

    def direction(self, rng, truth):
        return rng.standard_normal(len(truth))


class WrongSigns(Normal):
    """Starts with all signs wrong: `θ₀ᵢ = −scale·sign(θ*ᵢ)`, and ±scale at random where θ*ᵢ = 0; one a seed.

    For problems with a ground truth.

    Attributes:
        scale: Greater than 0.
        seeds: A seed, a list or a range of them, or a table with `start` and `count`.

    Raises:
        ValueError: For a scale that is not positive, and negative seeds.
        TypeError: For what is no number.

    ```python
    >>> import hamtheory as ht, numpy as np
    >>> starts = ht.sweeps.WrongSigns(0.1)
    >>> (starts.scale * starts.direction(np.random.default_rng(0), np.array([1.0, -1.0]))).tolist()
    [-0.1, 0.1]

    ```
    """

    kind: ClassVar[str] = "wrong"

    def direction(self, rng, truth):
        return np.where(truth == 0, rng.choice([-1.0, 1.0], len(truth)), -np.sign(truth))


_KINDS: dict[str, type] = {kind.kind: kind for kind in (Zeros, Normal, WrongSigns)}


def starts_of(table: Any, name: str) -> Starts:
    """A block of starts from itself, one of the words, or a table with its `kind`."""
    if isinstance(table, Starts):
        return table
    return of_kind({"kind": table} if isinstance(table, str) else table, _KINDS, name)
