"""Summaries and tables of sweeps."""

import csv
import shutil
import sys

import numpy as np
import pytest
import toy
import xarray as xr

import hamtheory as ht
from hamtheory.sweeps import SerialExecutor


class First(SerialExecutor):
    """The first chunks alone."""

    def run(self, spec, columns, chunks):
        yield from super().run(spec, columns, list(chunks)[:2])


class Fails(SerialExecutor):
    """Every third instance is out of steps."""

    def run(self, spec, columns, chunks):
        for result in super().run(spec, columns, chunks):
            failed = result.arrays["problem"] % 3 == 1
            result.arrays["status"][failed] = ht.NAMES.index("max_steps")
            result.arrays["largest"][failed] = 1e9  # must not reach a quantile
            yield result


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "store"
    ht.sweep(toy.spec(), path, progress=False, executor=Fails())
    return path


def test_summary_is_numpys(store):
    with ht.sweeps.open_store(store) as dataset:
        found = ht.sweeps.summary(dataset, quantiles=[0.25, 0.5])
        values = dataset.largest.to_numpy().reshape(10, 3)
    good = np.arange(10) % 3 != 1
    np.testing.assert_array_equal(found.largest, np.quantile(values[good], [0.25, 0.5], axis=0))
    assert found.largest.dims == ("quantile", "geometry") and "theta" not in found
    np.testing.assert_array_equal(found.parameter, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(found.instances.sel(outcome="max_steps"), [3, 3, 3])
    np.testing.assert_array_equal(found.instances.sum("outcome"), [10, 10, 10])
    assert found.largest.attrs["long_name"] == "largest entry"


def test_summary_by_problem_and_of_everything(store):
    with ht.sweeps.open_store(store) as dataset:
        found = ht.sweeps.summary(dataset, by=["problem"], quantiles=[1.0])
        np.testing.assert_array_equal(found.seed, np.arange(10))
        assert np.isnan(found.largest.sel(problem=1)).all() and np.isfinite(found.largest.sel(problem=0)).all()
        every = ht.sweeps.summary(dataset, by=["problem", "geometry", "start"], quantiles=[0.5])
        good = every.instances.sel(outcome="converged") == 1
        values = dataset.largest.to_numpy().reshape(10, 3, 1)
        np.testing.assert_array_equal(every.largest[0].to_numpy()[good], values[good])


def test_summary_of_what_is_there(tmp_path):
    ht.sweep(toy.spec(), tmp_path / "store", progress=False, executor=First())
    with ht.sweeps.open_store(tmp_path / "store") as dataset:
        found = ht.sweeps.summary(dataset, quantiles=[0.5])
    np.testing.assert_array_equal(found.instances.sel(outcome="converged"), [5, 5, 4])
    np.testing.assert_array_equal(found.parameter, [1.0, 2.0, 3.0])
    assert np.isfinite(found.largest).all()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "options, message",
    [
        ({"by": ["alpha"]}, "by must be a list of problem, geometry, start"),
        ({"by": "geometry"}, "by must be a list"),
        ({"quantiles": [1.5]}, "quantiles must be numbers between 0 and 1"),
        ({"quantiles": []}, "quantiles must be"),
    ],
)
def test_bad_summary(store, options, message):
    with ht.sweeps.open_store(store) as dataset, pytest.raises(ValueError, match=message):
        ht.sweeps.summary(dataset, **options)


def test_summary_of_something_else():
    with pytest.raises(ValueError, match="must be that of a sweep"):
        ht.sweeps.summary(xr.Dataset())


def test_csv_has_every_instance(store, tmp_path):
    assert ht.sweeps.export(store, tmp_path / "table.csv") == 30
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    with ht.sweeps.open_store(store) as dataset:
        assert [int(row["instance"]) for row in rows] == list(range(30))
        for name in ("largest", "parameter", "seed"):  # to the last digit
            np.testing.assert_array_equal([float(row[name]) for row in rows], dataset[name])
        np.testing.assert_array_equal([[float(row[f"theta_{i}"]) for i in range(8)] for row in rows], dataset.theta)
    assert {row["status"] for row in rows} == {"converged", "max_steps"} and {row["family"] for row in rows} == {"ham"}


def test_parquet_is_the_same_table(store, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert ht.sweeps.export(store, tmp_path / "table.parquet") == 30
    table = parquet.read_table(tmp_path / "table.parquet").to_pydict()
    with ht.sweeps.open_store(store) as dataset:
        np.testing.assert_array_equal(table["largest"], dataset.largest)
    assert table["status"][:4] == ["converged"] * 3 + ["max_steps"]


def test_parquet_without_pyarrow(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install \"hamtheory\[parquet\]\", or write a .csv"):
        ht.sweeps.export(store, tmp_path / "table.parquet")
    assert not list(tmp_path.iterdir())


def test_bad_table(store, tmp_path):
    with pytest.raises(ValueError, match=r"out must end in .csv or .parquet; got .*table.xlsx"):
        ht.sweeps.export(store, tmp_path / "table.xlsx")
    with pytest.raises(FileNotFoundError, match="out: there is no folder"):
        ht.sweeps.export(store, tmp_path / "none" / "table.csv")
    with pytest.raises(FileNotFoundError, match="is no store of a sweep"):
        ht.sweeps.export(tmp_path, tmp_path / "table.csv")


def test_quantiles_between_a_number_and_an_infinity_are_infinite(store):
    with ht.sweeps.open_store(store) as dataset:
        dataset = dataset.load()
    dataset["largest"][:] = np.repeat([np.inf, *range(9)], 3).astype(float)
    dataset["status"][:] = 0
    found = ht.sweeps.summary(dataset, quantiles=[0.0, 0.5, 0.95, 1.0]).largest
    np.testing.assert_array_equal(found, np.repeat([[0.0], [4.5], [np.inf], [np.inf]], 3, axis=1))


def test_summary_of_parts_or_of_another_order_is_refused(store):
    with ht.sweeps.open_store(store) as dataset:
        for part in (dataset.isel(instance=slice(5)), dataset.isel(instance=slice(None, None, -1))):
            with pytest.raises(ValueError, match="must have all instances in their order"):
                ht.sweeps.summary(part)


def test_tables_of_what_is_lost_and_in_the_store_are_refused(store, tmp_path):
    with pytest.raises(ValueError, match="out must lie outside of the store"):
        ht.sweeps.export(store, store / "table.csv")
    broken = tmp_path / "broken"
    shutil.copytree(store, broken)
    (broken / "data.zarr" / "largest" / "c.1").unlink()
    with pytest.raises(ValueError, match=r"is damaged: data.zarr/largest/c.1; run the sweep again"):
        ht.sweeps.export(broken, tmp_path / "table.csv")
