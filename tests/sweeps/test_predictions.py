"""Sweeps of predictions: what they store is what one call says, to the bit, and they know what they are of."""

import numpy as np
import pytest

import hamtheory as ht
from hamtheory.asymptotics import predict

ENSEMBLES = {"kind": "ensemble", "delta": [0.2, 0.5, 0.8], "share": [0.05, 0.2], "sigma": [0.0, 0.3], "size": 2.0}
SPARSE = {"kind": "sparse", "n": 40, "d": 100, "k": 5, "noise": 1.5}
GEOMETRIES = [{"family": "ham", "log_alpha": [-1.0, 8.0]}, {"family": "gd"}]
NETWORK = {"family": "network", "depth": 3, "scale": 1.0}


def swept(store, problems=(ENSEMBLES, SPARSE), quantity="prediction", **settings):
    spec = {"problems": list(problems), "geometries": GEOMETRIES, "quantity": quantity, **settings}
    with ht.sweep(spec, store, progress=False) as dataset:
        return dataset.load()


@pytest.mark.parametrize("engine", ["host", "device"])
def test_each_is_what_predict_says(tmp_path, engine):
    found = swept(tmp_path, engine=engine)
    assert found.sizes["instance"] == 13 * 3 and (found.status == 0).all()
    geos = [ht.HAM(log_alpha=-1.0), ht.HAM(log_alpha=8.0), ht.Euclidean()]
    for i in range(39):
        one = found.isel(instance=i)
        delta, sigma, share, size = (float(one[name]) for name in ("delta", "sigma", "share", "size"))
        if i < 36:
            place = np.unravel_index(i // 3, (2, 2, 3))
            assert (share, sigma, delta) == ([0.05, 0.2][place[0]], [0.0, 0.3][place[1]], [0.2, 0.5, 0.8][place[2]])
        else:
            assert (delta, share, size) == (0.4, 0.05, 1.0) and sigma == pytest.approx(1.5 / 40**0.5)
        expected = predict(geos[i % 3], delta=delta, prior=([0.0, size], [1 - share, share]), sigma=sigma)
        for name in ("mse", "tau", "kappa", "support"):
            assert float(one[name]) == getattr(expected, name)
        assert float(one["l1"]) == expected.norms[0] and float(one["error"]) == expected.stats["error"]


def test_resumption_and_chunks_make_no_difference(tmp_path, contents):
    whole = swept(tmp_path / "whole", chunk=7)
    swept(tmp_path / "half", chunk=7)
    (tmp_path / "half" / "chunks" / "2.json").unlink()
    swept(tmp_path / "half", chunk=7)
    assert contents(tmp_path / "half") == contents(tmp_path / "whole")
    other = swept(tmp_path / "other", chunk=39)
    for name in other.data_vars:
        np.testing.assert_array_equal(other[name], whole[name])


def test_weight_decay_and_more_rows_than_columns(tmp_path):
    found = swept(tmp_path, [ENSEMBLES | {"delta": [0.5, 2.0]}], {"name": "prediction", "weight_decay": 0.1})
    expected = predict(ht.HAM(log_alpha=8.0), delta=2.0, prior=([0.0, 2.0], [0.8, 0.2]), sigma=0.3, weight_decay=0.1)
    assert float(found.mse[-2]) == expected.mse and float(found.delta[-2]) == 2.0


def test_a_failure_is_data(tmp_path):
    found = swept(tmp_path, [ENSEMBLES], {"name": "prediction", "max_steps": 2})
    assert set(found.status.to_numpy().tolist()) == {0, int(ht.Result.max_steps)}


def test_a_million_in_a_file(tmp_path):
    path = tmp_path / "million.toml"
    path.write_text(
        """
        quantity = "prediction"
        problems = {kind = "ensemble", delta = {start = 0.05, stop = 0.95, count = 100},
                    share = {start = 0.01, stop = 0.5, count = 20}, sigma = [0.0, 0.1, 0.3, 1.0, 3.0]}
        geometries = {family = "ham", log_alpha = {start = -10, stop = 30, count = 100}}
        """.replace("\n                    ", " ")
    )
    spec = ht.SweepSpec.from_toml(path)
    assert spec.instances == 10**6 and spec.on_host
    assert ht.SweepSpec.from_table(spec.as_table()) == spec


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"problems": {"kind": "dataset", "name": "fermentation"}},
            "must be of an ensemble, .* 'fermentation'",
        ),
        ({"problems": SPARSE | {"k": 0}}, "k must be at least 1 for a prediction"),
        ({"problems": SPARSE | {"n": 100}}, r"delta = n/d must be below 1 without weight_decay.*; got 1"),
        (
            {"problems": ENSEMBLES | {"delta": [0.5, 1.5]}},
            "must be below 1 without weight_decay.*; got 1.5",
        ),
        ({"problems": ENSEMBLES | {"delta": 0.0}}, "delta must be above 0"),
        ({"problems": ENSEMBLES | {"share": [0.5, 1.5]}}, "share must be above 0 and at most 1; got 1.5"),
        ({"problems": ENSEMBLES | {"sigma": -0.1}}, "sigma must be at least 0 .*; got -0.1"),
        ({"problems": ENSEMBLES | {"size": 1e200}}, "size must be above 1e-100 and at most 1e.100; got 1e.200"),
        ({"quantity": "limit"}, "problems must be drawn or read for the quantity 'limit'; got 'ensemble-3-2-2-1'"),
        ({"starts": {"kind": "normal", "scale": 0.1}}, "starts must be left out"),
        (
            {
                "quantity": {"name": "prediction", "weight_decay": 0.1},
                "geometries": {"family": "network", "depth": 3, "scale": 1},
            },
            "weight_decay must be 0 for the family 'network'",
        ),
        ({"problems": {"kind": "sparse-classification", "n": 6, "d": 9, "k": 2}}, "'prediction' is none of class"),
    ],
)
def test_what_is_no_ensemble_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ht.SweepSpec(**{"problems": ENSEMBLES, "geometries": GEOMETRIES, "quantity": "prediction"} | change)
