"""What a training run leaves."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from .._result import NAMES


@dataclass(frozen=True, eq=False)
class TrainResult:
    """The training of a batch of networks, one for each seed; see `train`.

    Arrays with an axis of epochs are along the training, after each epoch. What begins with `final_` is at the end, of
    exactly the sparsity asked for. A failed network is data: its numbers are there, and mean nothing.

    Attributes:
        seeds: As given, (seeds,).
        hyper: The hyperparameters, (seeds,) each.
        steps: Of the training.
        total: How many entries the tensors that are sparsified have.
        loss: The mean over the steps of the epoch, (epochs, seeds).
        validation_accuracy: Of the weights as they are then, dense or sparse, (epochs, seeds).
        validation_loss: The mean cross-entropy, of the weights as they are then, (epochs, seeds).
        test_accuracy: Of the weights as they are then, (epochs, seeds).
        kept: How many weights the masks keep, (epochs, seeds).
        mean_kept: How many weights of each of the tensors that are sparsified the masks kept, in the mean over the
            steps of the epoch, (epochs, seeds, layers).
        nonzero: How many weights are not 0, (epochs, seeds).
        gross: Sign flips since the beginning, as in `hamtheory.signs.totals`, of the `total` entries, (epochs, seeds).
        net: As `gross`.
        flipped_back: As `gross`.
        final_validation_accuracy: At the end, (seeds,).
        final_validation_loss: At the end, (seeds,).
        final_test_accuracy: At the end, (seeds,).
        final_kept: At the end, (seeds,).
        final_nonzero: At the end, (seeds,).
        weights: A pytree of (seeds, ...) arrays, at the end, 0 where `masks` are False.
        masks: At the end; None stands for tensors that stay dense.
        flips: A list of `Flips`, of the tensors that are sparsified.
        result: How each seed ended, in the order of `hamtheory.NAMES`: `reached_end`, or `nonfinite` after the step
            `nonfinite_step`, (seeds,).
        nonfinite_step: The first step whose loss was infinite or NaN, or that led to parameters that are; −1 if none
            did, (seeds,).
    """

    seeds: Int[np.ndarray, " seeds"]
    hyper: dict[str, Float[np.ndarray, " seeds"]]
    steps: int
    total: int
    loss: Float[np.ndarray, "epochs seeds"]
    validation_accuracy: Float[np.ndarray, "epochs seeds"]
    validation_loss: Float[np.ndarray, "epochs seeds"]
    test_accuracy: Float[np.ndarray, "epochs seeds"]
    kept: Int[np.ndarray, "epochs seeds"]
    mean_kept: Float[np.ndarray, "epochs seeds layers"]
    nonzero: Int[np.ndarray, "epochs seeds"]
    gross: Int[np.ndarray, "epochs seeds"]
    net: Int[np.ndarray, "epochs seeds"]
    flipped_back: Int[np.ndarray, "epochs seeds"]
    final_validation_accuracy: Float[np.ndarray, " seeds"]
    final_validation_loss: Float[np.ndarray, " seeds"]
    final_test_accuracy: Float[np.ndarray, " seeds"]
    final_kept: Int[np.ndarray, " seeds"]
    final_nonzero: Int[np.ndarray, " seeds"]
    weights: PyTree[Array]
    masks: PyTree
    flips: Any
    result: Int[np.ndarray, " seeds"]
    nonfinite_step: Int[np.ndarray, " seeds"]

    def network(self, place: int) -> PyTree:
        """The network of one seed, with its weights at the end.

        Args:
            place: The place of the seed in `seeds`.

        Returns:
            Of the models with names a module that can be called with a batch of images; of another model its arrays.
        """
        return jax.tree.map(lambda leaf: leaf[place], self.weights)

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the results."""
        return tuple(NAMES[code] for code in self.result)

    @property
    def sparsity(self) -> Float[np.ndarray, " seeds"]:
        """`1 − kept/total` at the end."""
        return 1 - self.final_kept / self.total
