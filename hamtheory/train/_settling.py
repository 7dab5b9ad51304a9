"""Methods that decide which weights stay near the end of training."""

from dataclasses import dataclass

import numpy as np

from ._density import kept_of
from ._masks import magnitude, total_of
from ._method import AbstractMethod, at, fraction


@dataclass(frozen=True, kw_only=True)
class AbstractSettling(AbstractMethod):
    """All weights are trained, under a penalty that makes most of them small; at `1 − settle` of the training the
    largest are kept, and the others go for good. Exact from there on; the masks keep everything before."""

    layers: str = "global"
    settle: float = 0.2

    def __post_init__(self):
        super().__post_init__()
        fraction(self.settle, "settle", lambda x: 0 <= x < 1, "at least 0 and less than 1")

    def settled(self, steps: int) -> int:
        """After how many steps the mask is fixed.

        Args:
            steps: Of the whole training.

        Returns:
            An integer.
        """
        return at(1 - self.settle, steps)

    def events(self, steps):
        return np.array([self.settled(steps)])

    def remask(self, params, masks, gradient, step, steps):
        weights = self.weights(params, masks)
        masks = magnitude(weights, self.chosen(weights), self.density, self.layers)
        return self.clean(params, masks), masks

    def promise(self, step, steps, weights):
        total = total_of(weights, self.chosen(weights))
        return kept_of(self.density, total) if step >= self.settled(steps) else total
