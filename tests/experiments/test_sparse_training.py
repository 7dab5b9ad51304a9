"""The grid of sparse training: its search is the same for all arms, and looks at the validation part alone."""

import math
from collections import Counter

import numpy as np
import pytest
import xarray as xr

import hamtheory as ht
import hamtheory.train as htt
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


SMALL = Config(
    data=("digits",), methods=("random", "str"), sparsities=(0.8, 0.9), tuned_at=(0.8,), trials=3, tuning_seeds=3,
    seeds=4,
)  # fmt: skip


class Trained:
    """In the place of training: random accuracies on the validation part, and what `test` makes of them on the test
    part; all seeds of the trials `failing(spec)` end with a network that is not finite, and look perfect. It keeps
    what it was asked for."""

    def __init__(self, test, failing=lambda spec, rng: np.zeros(spec.instances, bool)):
        self.test, self.failing, self.specs, self.given = test, failing, [], []

    def __call__(self, config, spec):
        rng, n = np.random.default_rng(len(self.specs)), spec.instances
        validation = rng.uniform(0.3, 0.9, n)
        failed = self.failing(spec, rng)
        values = {
            "status": np.where(failed, ht.NAMES.index("nonfinite"), ht.NAMES.index("reached_end")),
            "validation_accuracy": np.where(failed, 1.0, validation),
            "validation_loss": np.where(failed, 0.0, rng.uniform(0.1, 1.0, n)),
            "test_accuracy": self.test(validation, rng),
            "kept": np.full(n, 10),
            "total": np.full(n, 100),
            "cost": np.full(n, 0.1),
        }
        dataset = xr.Dataset({name: ("instance", value) for name, value in values.items()})
        dataset["gross_flips"] = (("instance", "epoch"), rng.integers(0, 50, (n, 2)))
        self.specs.append(spec)
        self.given.append(dataset)
        return dataset


def asked(monkeypatch, **how):
    """What the whole protocol trains, of one data set: the two parts of the search, and what is tested."""
    trained = Trained(**{"test": lambda validation, rng: 1 - validation} | how)
    monkeypatch.setattr(sparse_training, "lasting", trained)
    dataset = sparse_training.run(SMALL)
    assert len(trained.specs) == 3
    return trained, dataset


@pytest.mark.claim("claims.same-search")
def test_what_is_trained_does_not_depend_on_any_test_accuracy(monkeypatch):
    """Whatever all of them are, in the search and after it, the same is trained, and the same is chosen."""
    runs = [
        asked(monkeypatch, test=test)
        for test in (
            lambda validation, rng: 1 - validation,
            lambda validation, rng: validation,
            lambda validation, rng: np.random.default_rng(99).uniform(0, 1, len(validation)),
        )
    ]
    (first, dataset), *others = runs
    for trained, other in others:
        assert [spec.as_table() for spec in trained.specs] == [spec.as_table() for spec in first.specs]
        for name in ("chosen", "learning_rate", "weight_decay", "s_init", "alpha", "beta"):
            np.testing.assert_array_equal(other[name], dataset[name], err_msg=name)


@pytest.mark.claim("claims.same-search")
def test_what_is_best_on_the_validation_part_is_tested(monkeypatch):
    """Of each arm: the trial with the highest mean over the tuning seeds, with both parts of the search for a base."""

    def failing(spec, rng):  # one seed of every third trial, which is enough
        return np.arange(spec.instances) % (3 * len(spec.seeds)) == 1

    trained, _ = asked(monkeypatch, failing=failing)
    means = []
    for spec, given in zip(trained.specs[:2], trained.given, strict=False):
        scores = given["validation_accuracy"].where(given["status"] == ht.NAMES.index("reached_end"), 0.1)
        means.append(scores.values.reshape(len(spec.arms), SMALL.trials, SMALL.tuning_seeds).mean(axis=-1))
    first, second, last = (spec.arms for spec in trained.specs)
    for arm in last:
        # The search of a sparse method is at 0.8, and what it found is tested at 0.8 and at 0.9.
        same = [one for one in second if (one.method, one.sam, one.ham) == (arm.method, arm.sam, arm.ham)]
        (own,) = same
        scores, hyper = means[1][second.index(own)], {name: list(values) for name, values in own.hyper.items()}
        if not arm.ham:
            (before,) = [one for one in first if (one.method, one.sam) == (arm.method, arm.sam)]
            scores = np.concatenate([means[0][first.index(before)], scores])
            hyper = {name: [*before.hyper[name], *hyper[name]] for name in hyper}
        found = {name: values[0] for name, values in arm.hyper.items()}
        assert found == {name: values[int(np.argmax(scores))] for name, values in hyper.items()}
    assert {(arm.method, arm.settings.get("sparsity")) for arm in last} == {
        ("dense", None), *((method, s) for method in SMALL.methods for s in SMALL.sparsities)
    }  # fmt: skip


@pytest.mark.claim("claims.same-search")
def test_no_seed_that_tunes_is_tested_and_all_arms_get_the_same(monkeypatch):
    trained, _ = asked(monkeypatch)
    *search, last = trained.specs
    assert [spec.tested for spec in trained.specs] == [False, False, True]
    for spec in search:
        assert not set(spec.seeds) & set(last.seeds) and len(spec.seeds) == SMALL.tuning_seeds
    assert list(last.seeds) == list(range(SMALL.seeds)) and all(len(arm) == 1 for arm in last.arms)
    # The same images, in the same parts, and for as long: in the search as in what is tested.
    for name in ("data", "split", "validation", "test", "model", "epochs", "batch_size"):
        assert len({getattr(spec, name) for spec in trained.specs}) == 1, name
    assert last.validation == 0.2
    # Whoever has HAM around it had no more trials of its own than its base.
    tried = Counter()
    for spec in search:
        for arm in spec.arms:
            tried[arm.method, arm.sam, arm.ham] += len(arm)
    for (method, sam, ham), number in tried.items():
        assert number == (1 if ham else 2) * SMALL.trials
        assert tried[method, sam, True] <= tried[method, sam, False]
    # And in each cell both are trained in the same way, but for HAM.
    arms = {(arm.method, arm.settings.get("sparsity"), arm.sam, arm.ham): arm for arm in last.arms}
    assert len(arms) == len(last.arms) == 2 * (2 + 2 * 2)
    for (*cell, ham), arm in arms.items():
        other = arms[*cell, not ham]
        assert (arm.settings, arm.clip, arm.base) == (other.settings, other.clip, other.base)


def test_rigl_changes_its_masks_twenty_times_in_a_training():
    """Every twentieth of the steps, not every 100 steps as published: a training here has a few hundreds."""
    for data in PAPER.data:
        task = sparse_training.TASKS[data]
        spec = sparse_training.specification(PAPER, data, {Cell("rigl", 0.9, False): {
            "learning_rate": 0.1, "weight_decay": 1e-3}}, range(1), tested=True)  # fmt: skip
        steps = htt.steps_of(htt.images(data, validation=PAPER.validation), task.epochs, task.batch_size)
        assert spec.arms[0].built.every == round(steps / 20) and spec.arms[0].clip == 1.0
        assert len(spec.arms[0].built.events(steps)) == 14  # up to 3/4 of the steps, without the end


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
