"""The grid of sparse training: its search is the same for all arms, and looks at the validation part alone."""

import math

import numpy as np
import pytest

from experiments import sparse_training, store
from experiments.sparse_training import (
    FIRST,
    SECOND,
    SECOND_HAM,
    Cell,
    Config,
    best,
    first_trials,
    nearest,
    second_trials,
)
from figures import training_cost as f28

PAPER = Config()


def test_all_arms_have_the_same_search():
    first = first_trials(PAPER, Cell("acdc", 0.8, False))
    assert first.keys() == {"learning_rate", "weight_decay"}
    spread(first["learning_rate"], FIRST["learning_rate"])
    spread(first["weight_decay"], FIRST["weight_decay"])
    others = [first_trials(PAPER, Cell(m, 0.95, False)) for m in (*PAPER.methods, "dense", "sam")]
    assert all((trials["learning_rate"] == first["learning_rate"]).all() for trials in others)
    assert first_trials(PAPER, Cell("spred", 0.8, False)).keys() == {"learning_rate", "kappa"}
    assert first_trials(PAPER, Cell("str", 0.8, False)).keys() == {"learning_rate", "weight_decay", "s_init"}

    start = {"learning_rate": 0.1, "weight_decay": 1e-3}
    base, ham = (second_trials(PAPER, Cell("acdc", 0.8, flag), start) for flag in (False, True))
    assert len(base["learning_rate"]) == len(ham["learning_rate"]) == PAPER.trials
    spread(base["learning_rate"] / 0.1, SECOND["learning_rate"])
    spread(base["weight_decay"] / 1e-3, SECOND["decay"])
    spread(ham["learning_rate"] * ham["alpha"], SECOND_HAM["eta_alpha"])
    spread(ham["beta"], SECOND_HAM["beta"])
    assert all((ham[name] == base[name]).all() for name in base)


def spread(values, ends):
    """A Latin hypercube: one value in each eighth, in the logarithm."""
    low, high = ends
    eighths = PAPER.trials * np.log(np.asarray(values) / low) / math.log(high / low)
    assert sorted(np.floor(eighths)) == list(range(PAPER.trials))


def test_which_search_a_sparsity_takes():
    taken = [nearest(PAPER, Cell("rigl", s, True)).sparsity for s in PAPER.sparsities]
    assert taken == [0.8, 0.8, 0.95, 0.95]  # never that of a sparser network
    assert nearest(PAPER, Cell("rigl", 0.5, True)).sparsity == 0.8
    assert nearest(PAPER, Cell("sam", 0.0, False)) == Cell("sam", 0.0, False)


def test_the_best_trial():
    accuracies = np.array([[0.9, 0.95, 0.95], [0.1, 0.2, 0.0]])
    assert best(accuracies, np.array([[0.0, 0.3, 0.2], [1.0, 2.0, 0.0]])).tolist() == [2, 1]


@pytest.mark.claim("training_cost.cost")
@pytest.mark.slow
def test_a_small_grid(tmp_path):
    store_ = Config.smoke()
    dataset = sparse_training.run(store_)
    assert dataset["method"].values.tolist() == ["dense"] * 2 + ["sam"] * 2 + ["random"] * 2
    kept = dataset["density"].sel(data="digits").values
    np.testing.assert_allclose(kept[:4], 1.0)
    np.testing.assert_allclose(kept[4:], 1702 / 17024, atol=1e-6)
    np.testing.assert_allclose(dataset["cost"], dataset["density"], rtol=1e-5)  # of an MLP that is the same
    # what is stored for good can be read and drawn
    dataset.attrs |= {"experiment": "sparse_training"}
    text = store.keep(dataset, tmp_path / "grid.json").read_text(encoding="utf-8")
    f28.draw(store.read_json(text))
