"""Sweeps of trainings: what is stored is what `train` returns, instance by instance, and a sweep goes on where it
was."""

from typing import Any

import numpy as np
import pytest

import hamtheory as ht
import hamtheory.train as htt
from hamtheory.train import _data
from hamtheory.train._sweep import _cost

HYPER: dict[str, Any] = {"learning_rate": [0.05, 0.1], "weight_decay": 5e-4}
PLAIN = {"method": "random", "settings": {"sparsity": 0.9}, "hyper": HYPER}
HAM = PLAIN | {"ham": True, "hyper": HYPER | {"alpha": [1.0, 1e9], "beta": 0.0, "learning_rate": [0.1, 1e9]}}


def spec_of(**changes):
    how = {"data": "digits", "model": "mlp", "arms": [PLAIN, HAM], "epochs": 2, "batch_size": 512, "seeds": [3, 0]}
    return ht.train.TrainingSpec(**(how | changes))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    store = tmp_path_factory.mktemp("training") / "store"
    with ht.sweep(spec_of(), store, progress=False) as dataset:
        return store, dataset.load()


def test_instances_are_what_train_returns(swept):
    dataset = swept[1]
    assert dataset["seed"].values.tolist() == [3, 0] * 4
    assert dataset["trial"].values.tolist() == [0, 0, 1, 1] * 2 and dataset["ham"].values.tolist() == [0] * 4 + [1] * 4
    np.testing.assert_array_equal(dataset["learning_rate"], np.repeat([0.05, 0.1, 0.1, 1e9], 2))
    np.testing.assert_array_equal(dataset["alpha"], np.repeat([np.nan, np.nan, 1.0, 1e9], 2))
    assert (dataset["kept"] == 1702).all() and (dataset["kept_weights"] == 1702).all()

    images = htt.images("digits")
    recipe = htt.Recipe(htt.steps_of(images, 2, 512))
    hyper = {"learning_rate": np.float32([0.05, 0.05, 0.1, 0.1]), "weight_decay": 5e-4}
    how = {"epochs": 2, "batch_size": 512, "seeds": [3, 0, 3, 0], "hyper": hyper, "progress": False}
    end = htt.train(images, "mlp", htt.RandomPruning(sparsity=0.9), recipe, **how)
    here = dataset.isel(instance=slice(4))
    for name, values in {
        "test_accuracy": end.final_test_accuracy,
        "validation_accuracies": end.validation_accuracy.T,
        "losses": end.loss.T,
        "gross_flips": end.gross.T,
    }.items():
        np.testing.assert_allclose(here[name], values, rtol=1e-5, err_msg=name)


def test_a_failure_is_data(swept):
    statuses = [ht.NAMES[code] for code in swept[1]["status"].values]
    assert statuses == ["reached_end"] * 6 + ["nonfinite"] * 2


def test_it_goes_on_where_it_was(swept):
    store, before = swept
    first = store / "chunks" / "0.json"
    others = {file: file.stat().st_mtime_ns for file in (store / "chunks").glob("1.json")}
    first.unlink()
    with ht.sweep(spec_of(), store, progress=False) as dataset:
        assert dataset.load().identical(before)
    assert first.exists() and all(file.stat().st_mtime_ns == when for file, when in others.items())
    assert ht.sweeps.report(store)["axes"] == ["arms", "trials", "seeds"]
    with pytest.raises(ValueError, match=r"epochs: 2 -> 3"):
        ht.sweep(spec_of(epochs=3), store, progress=False)


def test_a_search_does_not_see_the_test_part(swept, tmp_path):
    with ht.sweep(spec_of(tested=False), tmp_path / "store", progress=False) as found:
        dataset = found.load()
    assert np.isnan(dataset["test_accuracy"]).all()
    assert dataset.drop_vars("test_accuracy").equals(swept[1].drop_vars("test_accuracy"))


def test_spec_and_table():
    spec = spec_of()
    again = ht.train.TrainingSpec.from_table(spec.as_table())
    assert again == spec and again.hash == spec.hash and spec.instances == 8 and spec.chunk == 4
    assert [arm.label for arm in spec.arms] == ["random-sparsity=0.9", "random-sparsity=0.9-ham"]


def test_cost_by_hand():
    # 5 × 2 weights that are used three times and stay dense, and 4 × 2, used once, of which 8, then 2, are kept.
    end = htt.TrainResult.__new__(htt.TrainResult)
    masks = {"a": None, "b": np.ones((1, 4, 2), bool)}
    weights = {"a": np.zeros((1, 5, 2)), "b": np.zeros((1, 4, 2))}
    for name, value in {"weights": weights, "masks": masks, "mean_kept": np.array([[[8]], [[2]]])}.items():
        object.__setattr__(end, name, value)
    object.__setattr__(end, "kept", end.mean_kept.sum(axis=-1))
    np.testing.assert_allclose(_cost(end, [3, 1]), [((30 + 8) + (30 + 2)) / 2 / 38])


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"arms": []}, ValueError, "arms must be a list of one arm at least"),
        ({"arms": [{"method": "magic"}]}, ValueError, "method must be one of 'dense', 'random'"),
        ({"arms": [PLAIN | {"hyper": {"learning_rate": 0.1}}]}, ValueError, "must have learning_rate, weight_decay"),
        ({"arms": [PLAIN | {"hyper": HYPER | {"kappa": 1.0}}]}, ValueError, "may have nothing else; got .*kappa"),
        ({"arms": [PLAIN | {"hyper": HYPER | {"weight_decay": [0.0] * 3}}]}, ValueError, "as many numbers of each"),
        ({"arms": [PLAIN | {"sam": -1.0}]}, ValueError, "sam must be positive"),
        ({"epochs": 0}, ValueError, "epochs must be"),
        ({"tested": 1}, TypeError, "tested must be true or false"),
        ({"chunk": 0}, ValueError, "chunk must be"),
    ],
)
def test_bad_specs(changes, error, message, unchecked):
    with pytest.raises(error, match=message):
        spec_of(**changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": "resnet"}, "model must be one of"),
        ({"data": "cifar"}, "name must be one of"),
        ({"batch_size": 5000}, "batch_size must be at most"),
        ({"arms": [{"method": "rigl", "settings": {"sparsity": 2}, "hyper": HYPER}]}, "sparsity must be"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_any_work(changes, message, tmp_path, unchecked):
    with pytest.raises(ValueError, match=message):
        ht.sweep(spec_of(**changes), tmp_path / "store", progress=False)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "images, message",
    [
        (lambda x, y: (x, np.where(y == 9, -1, y)), "y_train must be classes from 0 to 8; got -1"),
        (lambda x, y: (np.where(x == x.max(), np.nan, x), y), "x_train must be finite; got nan"),
    ],
)
def test_images_that_cannot_be_trained_on_are_refused_before_any_work(images, message, tmp_path, monkeypatch):
    source = _data._SOURCES["digits"]
    monkeypatch.setitem(_data._SOURCES, "digits", lambda: images(*source()))
    with pytest.raises(ValueError, match=message):
        ht.sweep(spec_of(), tmp_path / "store", progress=False)
    assert not (tmp_path / "store").exists()
