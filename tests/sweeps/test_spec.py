"""Declarations: what they mean, how they are written, and how bad ones are refused."""

import json
import tracemalloc

import numpy as np
import pytest
import toy

import hamtheory as ht
from hamtheory.sweeps._instances import numbers_of
from hamtheory.sweeps._spec import READY, differences, spec_of

SPARSE = {"kind": "sparse", "n": 4, "d": 8, "k": 2}
GD = {"family": "gd"}
TEXT = """
quantity = { name = "limit", tol = 1e-8 }
chunk = 5

[[problems]]
kind = "sparse"
n = 4
d = 8
k = 2
seeds = { start = 3, count = 4 }

[[problems]]
kind = "file"
path = "mine.npz"

[[geometries]]
family = "ham"
alpha = { start = 0.01, stop = 100, count = 3, scale = "log" }

[[geometries]]
family = "formula"
inverse_metric = "1 + a*theta**2 + b*theta**4"
parameters = { a = [1.0, 2.0], b = [0.5, 1.5, 2.5] }

[[starts]]
kind = "zeros"

[[starts]]
kind = "normal"
scale = 0.1
seeds = [7, 5]
"""


@pytest.fixture
def written(tmp_path):
    np.savez(tmp_path / "mine.npz", X=np.eye(2, 8), y=np.ones(2))
    (tmp_path / "spec.toml").write_text(TEXT)
    return tmp_path / "spec.toml"


def test_toml_python_and_json_say_the_same(written):
    spec = ht.SweepSpec.from_toml(written)
    assert spec.sizes == (5, 9, 3) and spec.instances == 135 and spec.chunks == 27 and spec.quantity.tol == 1e-8
    again = ht.SweepSpec.from_table(json.loads(json.dumps(spec.as_table())))
    assert again == spec and again.hash == spec.hash
    python = ht.SweepSpec(
        problems=[ht.sweeps.Sparse(4, 8, 2, seeds=range(3, 7)), ht.sweeps.File(str(written.parent / "mine.npz"))],
        geometries=[
            ht.sweeps.Geometries("ham", {"alpha": ht.sweeps.Grid(0.01, 100, 3, "log")}),
            ht.sweeps.Geometries(
                "formula", {"inverse_metric": "1 + a*theta**2 + b*theta**4", "a": [1.0, 2.0], "b": [0.5, 1.5, 2.5]}
            ),
        ],
        starts=[ht.sweeps.Zeros(), ht.sweeps.Normal(0.1, seeds=[7, 5])],
        quantity=ht.sweeps.Limit(tol=1e-8),
        chunk=5,
    )
    assert python.hash == spec.hash


def test_file_is_known_by_its_content_not_by_its_place(written):
    before = ht.SweepSpec.from_toml(written)
    moved = written.parent / "moved.npz"
    (written.parent / "mine.npz").rename(moved)
    written.write_text(TEXT.replace("mine.npz", "moved.npz"))
    assert ht.SweepSpec.from_toml(written).hash == before.hash
    np.savez(moved, X=np.eye(2, 8), y=np.zeros(2))
    assert ht.SweepSpec.from_toml(written).hash != before.hash


def test_every_instance_is_one_combination(written):
    spec = ht.SweepSpec.from_toml(written)
    at = numbers_of(spec, np.arange(spec.instances))
    assert len(set(zip(*(axis.tolist() for axis in at.values()), strict=True))) == spec.instances
    assert np.all(np.diff(at["problem"]) >= 0)  # instances of a chunk share X as far as possible
    bounds = [spec.bounds(chunk) for chunk in range(spec.chunks)]
    assert [first for first, _ in bounds[1:]] == [stop for _, stop in bounds[:-1]] and bounds[-1][1] == spec.instances


@pytest.mark.parametrize("name", READY)
def test_ready_specs(name):
    spec = spec_of(name)
    assert spec.instances == {"smoke": 96, "paper": 20_000, "hundred-thousand": 100_000, "million": 1_000_000}[name]
    assert ht.SweepSpec.from_table(spec.as_table()).hash == spec.hash


def test_a_million_instances_take_no_room():
    tracemalloc.start()
    spec = spec_of("million")
    spec.layout()
    numbers_of(spec, np.arange(*spec.bounds(spec.chunks - 1)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6  # bytes; a number for each instance alone would be 8e6


def test_changes_are_named():
    old, new = ht.SweepSpec([SPARSE], [GD]), ht.SweepSpec([SPARSE | {"noise": 0.5}], [GD], quantity="flow")
    lines = differences(old.identity(), new.identity())
    assert "problems[0].noise: 0.0 -> 0.5" in lines and 'quantity.name: "limit" -> "flow"' in lines
    assert differences(old.identity(), old.identity()) == []


def test_labels_come_before_results():
    spec = spec_of("smoke")
    assert "parameter" in spec.labels() and "status" not in spec.labels() and "theta" in spec.layout()


BAD = {
    "no such spec": (
        lambda: ht.sweep("huge", "x"),
        ValueError,
        "spec must be .* smoke, paper, hundred-thousand, million; got 'huge'",
    ),
    "no file": (lambda: ht.sweep("none.toml", "x"), FileNotFoundError, "no file 'none.toml'"),
    "no problems": (lambda: ht.SweepSpec([], [GD]), ValueError, "problems must hold at least one"),
    "unknown field": (
        lambda: ht.SweepSpec.from_table({"problems": SPARSE, "geometries": GD, "chunks": 3}),
        ValueError,
        "the spec has no 'chunks'; it has: .*chunk",
    ),
    "no geometries": (lambda: ht.SweepSpec.from_table({"problems": SPARSE}), ValueError, "needs 'geometries'"),
    "kind": (lambda: ht.SweepSpec([{"kind": "dense"}], [GD]), ValueError, r"problems\[0\] needs a kind.*got 'dense'"),
    "missing k": (lambda: ht.SweepSpec([{"kind": "sparse", "n": 1, "d": 2}], [GD]), ValueError, "needs 'k'"),
    "k above d": (lambda: ht.sweeps.Sparse(2, 3, 4), ValueError, "k must be at most d = 3; got 4"),
    "fractional n": (lambda: ht.sweeps.Sparse(2.5, 3, 1), TypeError, "n must be an integer; got 2.5"),
    "negative noise": (lambda: ht.sweeps.Sparse(2, 3, 1, noise=-1.0), ValueError, "noise must not be negative"),
    "negative seed": (lambda: ht.sweeps.Sparse(2, 3, 1, seeds=[0, -1]), ValueError, r"seeds\[1\] must be at least 0"),
    "no seeds": (lambda: ht.sweeps.Sparse(2, 3, 1, seeds=[]), ValueError, "seeds must hold at least one"),
    "data set": (lambda: ht.sweeps.DataSet("iris"), ValueError, "'fermentation', .*got 'iris'"),
    "a problem itself": (
        lambda: ht.SweepSpec(ht.sparse_regression(4, 8, 2), [GD]),
        TypeError,
        r"problems\[0\] must be a table .*; got LinearRegression.*; write .* to an .npz.*, or take ht.solve_limits",
    ),
    "missing data": (lambda: ht.sweeps.File("nowhere.npz"), FileNotFoundError, "no file .*nowhere.npz"),
    "suffix of data": (
        lambda: ht.sweeps.File("data.mat"),
        ValueError,
        r"path must end in .csv.*; got 'data.mat'",
    ),
    "family": (lambda: ht.sweeps.Geometries("sgd"), ValueError, "geometry must be one of gd, ham, .*; got 'sgd'"),
    "no alpha": (
        lambda: ht.sweeps.Geometries("ham"),
        ValueError,
        "give exactly one of alpha and log_alpha; got alpha=None",
    ),
    "alpha of gd": (
        lambda: ht.sweeps.Geometries("gd", {"alpha": 1.0}),
        ValueError,
        "geometry gd has no 'alpha'; it has: no parameter",
    ),
    "alpha = 0": (lambda: ht.sweeps.Geometries("ham", {"alpha": [1.0, 0.0]}), ValueError, "alpha must be positive"),
    "NaN in a grid": (
        lambda: ht.sweeps.Geometries("ham", {"alpha": [1.0, np.nan]}),
        ValueError,
        r"alpha\[1\] must be finite; got",
    ),
    "log grid": (lambda: ht.sweeps.Grid(-1.0, 1.0, 3, "log"), ValueError, "needs positive ends; got -1 to 1"),
    "scale of a grid": (lambda: ht.sweeps.Grid(1.0, 2.0, 3, "cubic"), ValueError, "'lin' or 'log'; got 'cubic'"),
    "formula": (lambda: ht.sweeps.Geometries("formula", {"a": 1.0}), ValueError, "missing .* 'inverse_metric'; got a"),
    "bad formula": (
        lambda: ht.sweep(
            ht.SweepSpec([SPARSE], [ht.sweeps.Geometries("formula", {"inverse_metric": "1 + a*theta**2", "b": 1.0})]),
            "x",
        ),
        ValueError,
        "a missing; b unknown",
    ),
    "negative formula": (
        lambda: ht.sweep(
            ht.SweepSpec(
                [SPARSE], [ht.sweeps.Geometries("formula", {"inverse_metric": "1 + a*theta**2", "a": [1.0, -1.0]})]
            ),
            "x",
        ),
        ValueError,
        "must be positive",
    ),
    "log alpha": (
        lambda: ht.sweep(ht.SweepSpec([SPARSE], [{"family": "ham", "log_alpha": 1e6}]), "x"),
        ValueError,
        "log_alpha must be within",
    ),
    "depth": (lambda: ht.sweeps.Geometries("network", {"scale": 1.0}), ValueError, "missing .* 'depth'; got scale"),
    "start": (lambda: ht.SweepSpec([SPARSE], [GD], ["ones"]), ValueError, "'zeros', 'normal', 'wrong'; got 'ones'"),
    "scale of a start": (lambda: ht.sweeps.Normal(0.0), ValueError, "scale must be positive; got 0"),
    "quantity": (lambda: ht.SweepSpec([SPARSE], [GD], quantity="time"), ValueError, "quantity must be one of 'limit'"),
    "setting": (
        lambda: ht.SweepSpec([SPARSE], [GD], quantity={"name": "limit", "rtol": 1e-8}),
        ValueError,
        "quantity limit has no 'rtol'; it has: tol, max_steps, weight_decay",
    ),
    "tol": (
        lambda: ht.SweepSpec([SPARSE], [GD], quantity=ht.sweeps.Limit(tol=1e-10), dtype="float32"),
        ValueError,
        "tol=1e-10 is below what float32 can reach",
    ),
    "decreasing ts": (
        lambda: ht.SweepSpec([SPARSE], [GD], quantity=ht.sweeps.Flow(ts=[1.0, 0.5])),
        ValueError,
        "ts must be increasing",
    ),
    "path of gd": (lambda: ht.SweepSpec([SPARSE], [GD], quantity="path"), ValueError, "a path follows ham or mw"),
    "paths of two lengths": (
        lambda: ht.SweepSpec(
            [SPARSE], [{"family": "ham", "alpha": [1.0]}, {"family": "mw", "gamma": [1.0, 2.0]}], quantity="path"
        ),
        ValueError,
        "one length; got 1, 2",
    ),
    "decay of a formula": (
        lambda: ht.SweepSpec(
            [SPARSE],
            [ht.sweeps.Geometries("formula", {"inverse_metric": "1"})],
            quantity=ht.sweeps.Limit(weight_decay=0.1),
        ),
        ValueError,
        "weight_decay must be 0 for the family 'formula'",
    ),
    "dtype": (lambda: ht.SweepSpec([SPARSE], [GD], dtype="half"), ValueError, "dtype must be one of float64, float32"),
    "chunk": (lambda: ht.SweepSpec([SPARSE], [GD], chunk=0), ValueError, "chunk must be at least 1; got 0"),
    "executor": (lambda: ht.sweep("smoke", "x", executor=2), TypeError, "executor must be"),
    "workers": (lambda: ht.sweeps.DaskExecutor(0), ValueError, "workers must be at least 1"),
    "two d": (
        lambda: ht.sweep(ht.SweepSpec([SPARSE, SPARSE | {"d": 9}], [GD], keep_theta=True), "x"),
        ValueError,
        "keep_theta needs problems of one d; got d = 8, 9",
    ),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.usefixtures("unchecked")
def test_is_refused_before_any_work(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, error, message = BAD[case]
    with pytest.raises(error, match=message):
        call()
    assert not list(tmp_path.iterdir())


def test_bad_files_are_refused_before_any_work(tmp_path):
    cases = {
        "no y": ({"X": np.eye(2)}, "has no array y"),
        "shapes": ({"X": np.eye(2), "y": np.ones(3)}, r"X must be \(n, d\)"),
        "text": ({"X": np.array([["a"]]), "y": np.ones(1)}, "X must hold real numbers"),
    }
    for name, (arrays, message) in cases.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=message):
            ht.sweep(ht.SweepSpec([{"kind": "file", "path": str(path)}], [GD]), tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet", ".npy", ".npz", ".nc"])
def test_every_file_that_is_a_problem_can_be_swept(tmp_path, suffix):
    pd, xr = pytest.importorskip("pandas"), pytest.importorskip("xarray")
    problem, path, options = ht.sparse_regression(4, 8, 2), tmp_path / f"mine{suffix}", {}
    frame = pd.DataFrame(problem.X, columns=list("abcdefgh")).assign(y=problem.y)
    if suffix in (".npz", ".npy", ".nc"):
        arrays = {"X": (("row", "column"), problem.X), "y": ("row", problem.y)}
        {
            ".npz": lambda: np.savez(path, X=problem.X, y=problem.y),
            ".npy": lambda: np.save(path, frame.to_numpy()),
            ".nc": lambda: xr.Dataset(arrays).to_netcdf(path),
        }[suffix]()
    else:
        frame, options = frame[["y", *"abcdefgh"]], {"target": "y"}
        if suffix == ".parquet":
            pytest.importorskip("pyarrow")
            frame.to_parquet(path)
        else:
            options["decimal"] = ","
            frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ";", decimal=",")
    spec = ht.SweepSpec([{"kind": "file", "path": str(path), **options}], [{"family": "ham", "alpha": 10.0}])
    again = ht.SweepSpec.from_table(json.loads(json.dumps(spec.as_table())))
    assert again == spec and again.hash == spec.hash
    with ht.sweep(spec, tmp_path / "store", progress=False) as dataset:
        theta = ht.solve_limit(ht.read_problem(str(path), **options), ht.HAM(10.0)).theta
        assert float(dataset.l1_norm[0]) == pytest.approx(np.abs(theta).sum(), rel=1e-12)


def test_a_decimal_that_is_left_out_does_not_change_the_hash_of_a_spec(written):
    file = ht.sweeps.File(str(written.parent / "mine.npz"))
    assert "decimal" not in ht.SweepSpec([file], [GD]).as_table()["problems"][0]


def test_words_for_classes_in_a_file(tmp_path):
    (tmp_path / "mine.csv").write_text("a,b,ill\n1,2,yes\n2,-1,no\n")
    block = ht.sweeps.File(str(tmp_path / "mine.csv"), loss="logistic")
    assert block.arrays(0)[1].tolist() == [1.0, 0.0]


def test_file_that_changes_is_refused(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, X=np.eye(2, 8), y=np.ones(2))
    spec = ht.SweepSpec([{"kind": "file", "path": str(path)}], [{"family": "ham", "alpha": 1.0}], quantity="toy")
    np.savez(path, X=np.eye(2, 8), y=np.zeros(2))
    with pytest.raises(ValueError, match=r"mine.npz has changed"):
        ht.sweep(spec, tmp_path / "store", progress=False)


def test_quantities_can_join():
    assert ht.SweepSpec.from_table(toy.spec(delay=0.5)).quantity == toy.Toy(delay=0.5)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"largest": None}, "compute of the quantity 'toy' must return .*; there is no largest"),
        ({"status": None}, "there is no status"),
        ({"largset": 1.0}, "unknown: largset"),
        ({"positive": np.nan}, "positive must hold numbers of int32; got"),
        ({"positive": 2**40}, "positive must hold numbers of int32"),
        ({"status": 50}, "status must hold numbers of int8, codes of Result"),
        ({"status": 256}, "status must hold"),
        ({"largest": 1j}, "largest must hold numbers of float64"),
        ({"theta": None}, "keep_theta: the quantity 'toy' computes no theta"),
    ],
)
def test_a_quantity_returns_what_it_declares(tmp_path, monkeypatch, change, message):
    real = toy.Toy.compute

    def changed(self, instances):
        found = real(self, instances) | change
        shaped = {name: value if np.ndim(value) else np.full(len(instances), value) for name, value in found.items()}
        return {name: value for name, value in shaped.items() if found[name] is not None}

    monkeypatch.setattr(toy.Toy, "compute", changed)
    with pytest.raises(ValueError, match=message):
        ht.sweep(toy.spec(), tmp_path / "store", progress=False)


@pytest.mark.parametrize(
    "table, message",
    [
        ({"geometries": {"family": "hamm", "alpha": [1.0]}}, "got 'hamm': did you mean 'ham'"),
        (
            {"problems": {"kind": "sparse", "n": 4, "d": 8, "k": 1, "seeds": [2**63]}},
            f"seeds must be from 0 to .* {2**63}",
        ),
        (
            {"problems": {"kind": "sparse", "n": 4, "d": 8, "k": 1, "seeds": {"start": 2**63 - 1, "count": 2}}},
            "seeds must",
        ),
    ],
)
def test_what_is_misspelt_or_impossible_is_named(table, message):
    with pytest.raises(ValueError, match=message):
        ht.SweepSpec.from_table(toy.spec() | table)


def test_toml_with_a_byte_order_mark(tmp_path):
    (tmp_path / "spec.toml").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    np.savez(tmp_path / "mine.npz", X=np.eye(2, 8), y=np.ones(2))
    assert ht.SweepSpec.from_toml(tmp_path / "spec.toml").instances > 0
