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

    Along the training, (epochs, seeds), after each epoch: `loss`, the mean over the steps of the epoch;
    `validation_accuracy`, `validation_loss` (the mean cross-entropy) and `test_accuracy`, of the weights as they are
    then, dense or sparse; `kept`, how many weights the masks keep, and `nonzero`, how many are not 0; `gross`, `net`,
    `flipped_back`: sign flips since the beginning, as in `hamtheory.signs.totals`, of the `total` entries of the
    tensors that are sparsified. `mean_kept`, (epochs, seeds, layers): how many weights of each of these tensors the
    masks kept, in the mean over the steps of the epoch.

    At the end, (seeds,), of exactly the sparsity asked for: `final_validation_accuracy`, `final_validation_loss`,
    `final_test_accuracy`, `final_kept`, `final_nonzero`. `weights`: a pytree of (seeds, ...) arrays, 0 where `masks`
    are False; in `masks`, None stands for tensors that stay dense. `flips`: a list of `Flips`, of the tensors that are
    sparsified.

    `result`: how each seed ended, in the order of `hamtheory.NAMES`: `reached_end`, or `nonfinite` after the step
    `nonfinite_step`, the first that led to an infinity or NaN; −1 if none did. A failed network is data: its numbers
    are there, and mean nothing.
    `seeds`: as given, (seeds,). `hyper`: the hyperparameters, (seeds,) each. `steps`: of the training.
    Source: own.
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
        """The network of the seed at this place, with its weights at the end: of the models with names a module
        that can be called with a batch of images; of another model its arrays."""
        return jax.tree.map(lambda leaf: leaf[place], self.weights)

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the results."""
        return tuple(NAMES[code] for code in self.result)

    @property
    def sparsity(self) -> Float[np.ndarray, " seeds"]:
        """`1 − kept/total` at the end."""
        return 1 - self.final_kept / self.total
