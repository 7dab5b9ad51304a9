"""The grid of sparse training: its search is the same for all arms, and its verdicts follow from the numbers."""

import math

import numpy as np
import pytest
import xarray as xr

from experiments import sparse_training, store
from experiments._claims import _resampled, claims, holm, known, table
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
from figures import claims as t1, training_cost as f28

PAPER = Config()


@pytest.mark.claim("claims.same-search")
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


def test_holm_by_hand():
    # 0.01 ≤ 0.05/3; 0.03 > 0.05/2, so neither this nor any larger one
    assert holm(np.array([0.04, 0.01, 0.03])).tolist() == [False, True, False]
    assert holm(np.array([0.016, 0.02, 0.05])).all()


@pytest.mark.claim("claims.published")
def test_every_published_comparison_has_a_row():
    rows = {row.name: row.published for row in known([0.8, 0.9, 0.95, 0.98])}
    by_hand = {
        "dense + HAM > dense": 0.79,  # 77.51 − 76.72
        "SAM + HAM > SAM": 0.82,  # 77.92 − 77.10
        "random + HAM > random, 0.8": 0.97,  # 74.84 − 73.87
        "AC/DC + HAM > AC/DC, 0.95": 2.86,  # 75.45 − 72.59
        "RigL + HAM > RigL, 0.9": 1.13,  # 74.83 − 73.70
        "STR + HAM > STR, 0.95": 6.47,  # 71.41 − 64.94
        "Sign-In > random, 0.95": 0.66,  # 69.38 − 68.72
        "random + HAM > Sign-In, 0.8": 0.72,  # 74.84 − 74.12
        "AC/DC + HAM > spred, 0.9": 4.82,  # 76.66 − 71.84
        "AC/DC + HAM > PILoT, 0.8": 1.58,  # 77.20 − 75.62
    }
    assert {name: rows[name] for name in by_hand} == by_hand
    assert sum(not math.isnan(published) for published in rows.values()) == 4 + 3 * 10
    assert math.isnan(rows["random + HAM > random, 0.98"])


def made(base, ham, found):
    """A data set of random pruning at 0.9, with these accuracies of the seeds; the search ended at 0.6, and `found`."""
    arms = {"method": ("arm", ["random"] * 2), "ham": ("arm", [False, True]), "sparsity": ("arm", [0.9] * 2)}
    data = {
        "test_accuracy": (("arm", "seed"), np.array([base, ham])),
        "status": (("arm", "seed"), np.zeros((2, 3))),
        "searched_validation_accuracy": (("arm", "trial"), np.array([[0.1, 0.2], [np.nan, 0.2]])),
        "searched_test_accuracy": (("arm", "trial"), np.array([[0.5, 0.6], [np.nan, found]])),
    }
    return xr.Dataset(data, coords=arms)


@pytest.mark.claim("claims.verdicts")
@pytest.mark.parametrize(
    "ham, found, verdict",
    [
        ([0.92, 0.93, 0.95], 0.7, 1),  # differences 2, 3, 4 points: 3 ± 4.302653/√3
        ([0.92, 0.93, 0.95], 0.5, 0),  # but the search, with its own seeds, says the contrary
        ([0.88, 0.87, 0.87], 0.5, -1),
        ([0.88, 0.87, 0.87], 0.6, 0),
        ([0.92, 0.90, 0.89], 0.7, 0),
        ([0.92, 0.92, 0.93], 0.7, 0),  # all by 2 points: no variance, no evidence
    ],
)
def test_verdicts(ham, found, verdict):
    rows, numbers = claims(made([0.90, 0.90, 0.91], ham, found), 20, 0)
    assert [row.name for row in rows] == ["random + HAM > random, 0.9"] and numbers["verdict"].tolist() == [verdict]
    np.testing.assert_allclose(numbers["search"], [[100 * (found - 0.6)] * 3], atol=1e-9)
    if verdict == 1:
        np.testing.assert_allclose(numbers["difference"], [[3.0, 3 - 2.48414, 3 + 2.48414]], atol=1e-4)
        np.testing.assert_allclose(numbers["p"], [0.0351], atol=1e-4)  # t = 3√3, two degrees of freedom
        assert numbers["wins"].tolist() == [3]


@pytest.mark.claim("claims.search")
def test_what_the_search_might_have_chosen():
    # The base, below, has trials 0.1 and 0.15 to start from. Of the second part, each arm draws two of two: with
    # probability 1/4 the better one is not among them. Then the base falls back on 0.15, whose test is 0.55.
    validation = np.array([[np.nan, np.nan, 0.1, 0.2], [0.1, 0.15, 0.2, 0.12]])
    test = np.array([[np.nan, np.nan, 0.5, 0.8], [0.5, 0.55, 0.6, 0.0]])
    found = _resampled(validation, 100 * test, 4000, 0)  # 20 with 9/16, 25 and −10 with 3/16, −5 with 1/16
    np.testing.assert_allclose(found, [20.0, -10.0, 25.0])


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
    names = [row for row in dataset["claim"].values if "flips" not in row]
    assert names[:4] == ["dense + HAM > dense", "SAM > dense", "SAM + HAM > SAM", "SAM + HAM > dense + HAM"]
    # what is stored for good can be read, printed and drawn
    dataset.attrs |= {"experiment": "sparse_training"}
    text = store.keep(dataset, tmp_path / "grid.json").read_text(encoding="utf-8")
    again = store.read_json(text)
    assert "dense + HAM > dense" in table(again)
    for module in (t1, f28):
        module.draw(again)
